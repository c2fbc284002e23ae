"""Reading text files, with errors that name file and line."""

import json
import re
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, NoReturn, Tuple, Union

from ..errors import Errors

_SPACE = re.compile(r"\s*")
# Besides broken JSON: numbers of thousands of digits, and brackets nested thousands deep
_BROKEN = (ValueError, RecursionError)


class SourceError(ValueError):
    """A file that can't be read or written as what it should be. The message says where, and what to do."""


class Place(NamedTuple):
    """A line of a file."""

    path: Path
    line: int

    def __str__(self) -> str:
        return f"{self.path}, line {self.line}"

    def fail(self, reason: str) -> NoReturn:
        """RAISES (SourceError): Always."""
        raise SourceError(Errors.E301.format(path=self.path, line=self.line, reason=reason))


def decode(path: Path) -> str:
    """RETURNS (str): The whole file as it is, byte-order mark and line ends included."""
    if not path.is_file():
        raise SourceError(Errors.E303.format(path=path))
    content = path.read_bytes()
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = len(re.findall(rb"\r\n|\r|\n", content[: error.start])) + 1
        raise SourceError(Errors.E305.format(path=path, line=line, position=error.start)) from None


def read_text(path: Union[str, Path]) -> str:
    """RETURNS (str): The whole file, without a byte-order mark, line ends as \\n."""
    text = decode(Path(path)).removeprefix("\ufeff")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_lines(path: Union[str, Path]) -> List[Tuple[Place, str]]:
    """RETURNS (List[Tuple[Place, str]]): The lines with their places, empty ones too."""
    path = Path(path)
    # Not splitlines, which also splits at U+2028 and its like.
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
    """Read a JSON array of objects one by one, so that a fault is found where it is.

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


def first_object(path: Path, opening: str = "") -> Dict[str, Any]:
    """Look into a JSON file without reading all of it.

    opening (str): What stands before the object: "[" in an array, nothing in JSON lines.
    RETURNS (Dict[str, Any]): The first object; empty where there is none.
    """
    text = read_text(path)
    match = re.match(rf"\s*{re.escape(opening)}\s*", text)
    if match is None:
        return {}
    try:
        item, _ = json.JSONDecoder().raw_decode(text, match.end())
    except _BROKEN:
        return {}
    return item if isinstance(item, dict) else {}


def shorten(text: str, limit: int = 60) -> str:
    """RETURNS (str): The beginning of a text, for messages."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def get_list(place: Place, item: Dict[str, Any], key: str) -> List[Any]:
    """RETURNS (List[Any]): The list under a key, which must be there."""
    values = item.get(key)
    if not isinstance(values, list):
        place.fail(f"'{key}' must be a list, found {shorten(repr(values))}")
    return values


def get_string(place: Place, item: Dict[str, Any], key: str) -> str:
    """RETURNS (str): The text under a key, which must be there and not be empty."""
    value = item.get(key)
    if not isinstance(value, str) or not value:
        place.fail(f"'{key}' must be a string that is not empty, found {shorten(repr(value))}")
    return value


def get_words(place: Place, item: Dict[str, Any], key: str) -> List[str]:
    """RETURNS (List[str]): The tokens under a key, which must be there."""
    return check_words(place, item.get(key), key)


def check_words(place: Place, words: Any, key: str) -> List[str]:
    """RETURNS (List[str]): The tokens, if they are some."""
    if not isinstance(words, list) or not words or not all(isinstance(x, str) and x for x in words):
        place.fail(f"'{key}' must be a list of strings, none of them empty")
    return words


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
