"""Reading text files, with errors that name file and line."""

import codecs
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, NoReturn, Tuple, Union

from ..errors import Errors

HEAD_SIZE = 64 * 1024
_SPACE = re.compile(r"\s*")
# Besides broken JSON: numbers of thousands of digits, and brackets nested thousands deep
_BROKEN = (ValueError, RecursionError)
# The longest piece of JSON in which an error may lie before the place where the text was cut: two
# escapes that make one character.
_LONGEST_ESCAPE = len(r"\ud83c\udfe0")


class SourceError(ValueError):
    """A file that can't be read or written. The message says where the fault is and what to do."""


class Place(NamedTuple):
    """A line of a file."""

    path: Path
    line: int

    def __str__(self) -> str:
        return f"{self.path}, line {self.line}"

    def fail(self, reason: str) -> NoReturn:
        """RAISES (SourceError): Always."""
        raise SourceError(Errors.E301.format(path=self.path, line=self.line, reason=reason))


@dataclass
class Head:
    """The beginning of a file, from which its format is told.

    path (Path): The file, or a folder.
    text (str): The first 64 KiB of the file, without a byte-order mark and with line ends as \\n.
        Empty for a folder.
    is_whole (bool): Whether the file has no more text.
    """

    path: Path
    text: str
    is_whole: bool
    _objects: Dict[str, Dict[str, Any]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, path: Union[str, Path]) -> "Head":
        """Read the beginning of a file.

        RAISES (SourceError): No such file or folder, or the beginning is not UTF-8.
        """
        path = Path(path)
        return cls(path, *(("", True) if path.is_dir() else _read_beginning(path, HEAD_SIZE)))

    def first_object(self, opening: str = "") -> Dict[str, Any]:
        """Parse the first object of a JSON file. Reads on only if the object is longer than the
        head.

        opening (str): What stands before the object: "[" in an array, nothing in JSON lines.
        RETURNS (Dict[str, Any]): The object; empty if there is none.
        RAISES (SourceError): The text that had to be read for it is not UTF-8.
        """
        if opening not in self._objects:
            self._objects[opening] = self._parse_object(rf"\s*{re.escape(opening)}\s*(?={{)")
        return self._objects[opening]

    def _parse_object(self, before: str) -> Dict[str, Any]:
        size, text, is_whole = HEAD_SIZE, self.text, self.is_whole
        while match := re.match(before, text):
            try:
                item: Dict[str, Any] = json.JSONDecoder().raw_decode(text, match.end())[0]
                return item
            except json.JSONDecodeError as error:
                if is_whole or not _may_be_cut(error):
                    break
            except _BROKEN:
                break
            size *= 4
            text, is_whole = _read_beginning(self.path, size)
        return {}


def decode(path: Path) -> str:
    """RETURNS (str): The whole file as it is, with its byte-order mark and line ends."""
    return _decode(path, _read_bytes(path))


def read_text(path: Union[str, Path]) -> str:
    """RETURNS (str): The whole file, without a byte-order mark and with line ends as \\n."""
    return _normalize(decode(Path(path)))


def read_lines(path: Union[str, Path]) -> List[Tuple[Place, str]]:
    """RETURNS (List[Tuple[Place, str]]): All lines with their places, also empty ones."""
    path = Path(path)
    # Not splitlines: it also splits at U+2028 and similar characters.
    return [(Place(path, i), line) for i, line in enumerate(read_text(path).split("\n"), 1)]


def read_json_lines(path: Union[str, Path]) -> List[Tuple[Place, Dict[str, Any]]]:
    """RETURNS (List[Tuple[Place, Dict[str, Any]]]): The object of each line that is not empty."""
    items = []
    for place, line in read_lines(path):
        if not line.strip():
            continue
        try:
            item = json.loads(line)
        except _BROKEN as error:
            place.fail(f"broken JSON: {error}. Each line must hold one object")
        if not isinstance(item, dict):
            place.fail(f"expected an object, found {shorten(line)}")
        _refuse_half_characters(place, line, item)
        items.append((place, item))
    return items


def read_json_array(path: Union[str, Path]) -> List[Tuple[Place, Dict[str, Any]]]:
    """Read a JSON array object by object, so that errors name the line of the fault.

    RETURNS (List[Tuple[Place, Dict[str, Any]]]): Each object, with the place where it begins.
    """
    path = Path(path)
    text = read_text(path)
    opening = re.match(r"\s*\[", text)
    if opening is None:
        Place(path, 1).fail("expected '[', the beginning of a JSON array")
    decoder = json.JSONDecoder()
    items: List[Tuple[Place, Dict[str, Any]]] = []
    position = opening.end()
    line, counted = 1, 0
    while True:
        position = _skip_space(text, position)
        if items and text[position : position + 1] == ",":
            position = _skip_space(text, position + 1)
        elif items and text[position : position + 1] not in ("]", ""):
            reason = f"expected ',' or ']' after item {len(items)}, which begins here"
            Place(path, line).fail(reason)
        line, counted = line + text.count("\n", counted, position), position
        place = Place(path, line)
        if position == len(text):
            place.fail("the file ends before the array does (']' is missing)")
        if text[position] == "]":
            if text[position + 1 :].strip():
                place.fail("there is more after the end of the array")
            return items
        start = position
        try:
            item, position = decoder.raw_decode(text, position)
        except _BROKEN as error:
            where = Place(path, getattr(error, "lineno", line))
            where.fail(f"broken JSON in item {len(items) + 1}: {getattr(error, 'msg', error)}")
        if not isinstance(item, dict):
            place.fail(f"expected an object, found {shorten(text[start:position])}")
        _refuse_half_characters(place, text[start:position], item)
        items.append((place, item))


def shorten(text: str, limit: int = 60) -> str:
    """RETURNS (str): The beginning of a text, for messages."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def get_list(place: Place, item: Dict[str, Any], key: str) -> List[Any]:
    """RETURNS (List[Any]): The list under a key. The key must be there."""
    values = item.get(key)
    if not isinstance(values, list):
        place.fail(f"'{key}' must be a list, found {shorten(repr(values))}")
    return values


def get_string(place: Place, item: Dict[str, Any], key: str) -> str:
    """RETURNS (str): The text under a key. It must be there and not be empty."""
    value = item.get(key)
    if not isinstance(value, str) or not value:
        place.fail(f"'{key}' must be a string that is not empty, found {shorten(repr(value))}")
    return value


def get_words(place: Place, item: Dict[str, Any], key: str) -> List[str]:
    """RETURNS (List[str]): The tokens under a key. The key must be there."""
    return check_words(place, item.get(key), key)


def check_words(place: Place, words: Any, key: str) -> List[str]:
    """RETURNS (List[str]): The tokens: at least one, and none of them empty."""
    if not isinstance(words, list) or not words or not all(isinstance(x, str) and x for x in words):
        place.fail(f"'{key}' must be a list of strings, none of them empty")
    return words


def _read_bytes(path: Path, size: int = -1) -> bytes:
    if not path.is_file():
        raise SourceError(Errors.E303.format(path=path))
    with path.open("rb") as file:
        return file.read(size)


def _read_beginning(path: Path, size: int) -> Tuple[str, bool]:
    """RETURNS (Tuple[str, bool]): The first bytes of a file as text; whether they are all of it."""
    content = _read_bytes(path, size + 1)
    is_whole = len(content) <= size
    return _normalize(_decode(path, content[:size], is_whole)), is_whole


def _decode(path: Path, content: bytes, is_whole: bool = True) -> str:
    """Decode a file, or its beginning, which may end inside a character."""
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(content, final=is_whole)
    except UnicodeDecodeError as error:
        line = len(re.findall(rb"\r\n|\r|\n", content[: error.start])) + 1
        raise SourceError(Errors.E305.format(path=path, line=line, position=error.start)) from None


def _normalize(text: str) -> str:
    text = text.removeprefix("\ufeff")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _may_be_cut(error: json.JSONDecodeError) -> bool:
    """RETURNS (bool): Whether the JSON may be broken only because its text ends too early."""
    near_the_end = error.pos >= len(error.doc) - _LONGEST_ESCAPE
    return near_the_end or error.msg.startswith("Unterminated string")


def _refuse_half_characters(place: Place, source: str, item: Any) -> None:
    # JSON can escape one half of a character beyond U+FFFF; no UTF-8 text can hold that.
    if "\\ud" not in source.lower():
        return
    try:
        json.dumps(item, ensure_ascii=False).encode("utf8")
    except UnicodeEncodeError as error:
        place.fail(f"the text holds half a character ({error.object[error.start]!a})")


def _skip_space(text: str, position: int) -> int:
    space = _SPACE.match(text, position)
    return space.end() if space is not None else position
