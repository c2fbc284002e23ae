"""Reading text files and JSON, with errors that name file and line."""

import codecs
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple, Union

from ..errors import Errors
from ._compression import read_bytes
from ._faults import OptionError, Place, SourceError, check_choice, report, shorten
from ._json import (
    BROKEN,
    Decoder,
    check_keys,
    check_words,
    explain,
    get_list,
    get_string,
    get_words,
)

HEAD_SIZE = 64 * 1024
# From how many objects at the beginning of a file its format is told
_N_OBJECTS = 20
_SPACE = re.compile(r"\s*")
# The longest piece of JSON in which an error may lie before the place where the text was cut: two
# escapes that make one character.
_LONGEST_ESCAPE = len(r"\ud83c\udfe0")
_read_bytes = read_bytes
_Object = Dict[str, Any]


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
    _objects: Optional[List[_Object]] = field(default=None, repr=False)

    @classmethod
    def of(cls, path: Union[str, Path]) -> "Head":
        """Read the beginning of a file.

        RAISES (SourceError): No such file or folder, or the beginning is not UTF-8.
        """
        path = Path(path)
        return cls(path, *(("", True) if path.is_dir() else _read_beginning(path, HEAD_SIZE)))

    @property
    def is_json(self) -> bool:
        """Whether the file begins as JSON does."""
        return self.text.lstrip()[:1] in ("{", "[")

    def objects(self) -> List[_Object]:
        """Parse the first objects of a JSON file: of an array, or one after another. Reads on only
        if the first object is longer than the head.

        RETURNS (List[Dict[str, Any]]): The objects; empty if there are none.
        RAISES (SourceError): The text that had to be read for it is not UTF-8.
        """
        if self._objects is None:
            self._objects = self._parse()
        return self._objects

    def _parse(self) -> List[_Object]:
        size, text, is_whole = HEAD_SIZE, self.text, self.is_whole
        while match := re.match(r"\s*(?:\[\s*)?(?={)", text):
            found, error = _first_objects(text, match.end())
            may_be_cut = isinstance(error, ValueError) and _may_be_cut(error)
            if found or error is None or is_whole or not may_be_cut:
                return found
            size *= 4
            text, is_whole = _read_beginning(self.path, size)
        return []


def decode(path: Path) -> str:
    """RETURNS (str): The whole file as it is, with its byte-order mark and line ends."""
    return _decode(path, _read_bytes(path))


def read_text(path: Union[str, Path]) -> str:
    """RETURNS (str): The whole file, without a byte-order mark and with line ends as \\n."""
    return _normalize(decode(Path(path)))


def read_lines(path: Union[str, Path]) -> Iterator[Tuple[Place, str]]:
    """RETURNS (Iterator[Tuple[Place, str]]): All lines with their places, also empty ones."""
    return _lines(Path(path), read_text(path))


def read_json(
    path: Union[str, Path], keys: Sequence[str] = ()
) -> Iterator[Tuple[Place, Dict[str, Any]]]:
    """Read objects: those of an array, one on each line, or one after another over several lines.

    Objects that can't be used are reported. After broken JSON that isn't an object a line, the rest
    of the file can't be read.

    keys (Sequence[str]): Keys of the format. A key that looks like one of them, where that is not
        there, is misspelt.
    RETURNS (Iterator[Tuple[Place, Dict[str, Any]]]): Each object, with the place where it begins.
    """
    path = Path(path)
    text = read_text(path)
    start = _skip_space(text, 0)
    if text[start : start + 1] == "[":
        return _json_objects(path, text, start, keys, is_array=True)
    if _is_object_a_line(text, start):
        return _json_lines(path, text, keys)
    return _json_objects(path, text, start, keys, is_array=False)


def read_json_lines(path: Union[str, Path]) -> List[Tuple[Place, Dict[str, Any]]]:
    """RETURNS (List[Tuple[Place, Dict[str, Any]]]): The object of each line that is not empty."""
    path = Path(path)
    return list(_json_lines(path, read_text(path), ()))


def _lines(path: Path, text: str) -> Iterator[Tuple[Place, str]]:
    # Not splitlines: it also splits at U+2028 and similar characters. Not a list: empty lines would
    # take much more memory than the file.
    start, number = 0, 1
    while (end := text.find("\n", start)) >= 0:
        yield Place(path, number), text[start:end]
        start, number = end + 1, number + 1
    yield Place(path, number), text[start:]


def _json_lines(path: Path, text: str, keys: Sequence[str]) -> Iterator[Tuple[Place, _Object]]:
    decoder = Decoder()
    for place, line in _lines(path, text):
        line = line.strip()
        if not line:
            continue
        try:
            item, end, reason = decoder.decode(line)
        except BROKEN as error:
            report(place.fault(f"broken JSON: {explain(error)}. Each line must hold one object"))
            continue
        if line[end:].strip():
            reason = "broken JSON: Extra data. Each line must hold one object"
        if _is_sound(place, item, line, reason, keys):
            yield place, item


def _json_objects(
    path: Path, text: str, position: int, keys: Sequence[str], is_array: bool
) -> Iterator[Tuple[Place, _Object]]:
    """Decode an array, or objects one after another, object by object, so that errors name the line
    of the fault."""
    decoder = Decoder()
    line, counted, n_items = 1, 0, 0
    position += is_array
    while True:
        position = _skip_space(text, position)
        if is_array and n_items:
            if text[position : position + 1] == ",":
                position = _skip_space(text, position + 1)
            elif text[position : position + 1] not in ("]", ""):
                reason = f"expected ',' or ']' after item {n_items}, which begins here"
                report(Place(path, line).fault(reason))
                return
        line, counted = line + text.count("\n", counted, position), position
        place = Place(path, line)
        if position == len(text) or (is_array and text[position] == "]"):
            _check_end(place, text, position, is_array)
            return
        start = position
        try:
            item, position, fault = decoder.decode(text, position)
        except BROKEN as error:
            where = Place(path, getattr(error, "lineno", line))
            report(where.fault(f"broken JSON in item {n_items + 1}: {explain(error)}"))
            return
        n_items += 1
        if _is_sound(place, item, text[start : start + 100], fault, keys):
            yield place, item


def _is_sound(
    place: Place, item: Any, source: str, reason: Optional[str], keys: Sequence[str]
) -> bool:
    """Report what is wrong with a value that was parsed.

    source (str): The beginning of its JSON.
    """
    if reason is None and not isinstance(item, dict):
        reason = f"expected an object, found {shorten(source)}"
    if reason is None and keys:
        reason = check_keys(item, keys)
    if reason is not None:
        report(place.fault(reason))
    return reason is None


def _check_end(place: Place, text: str, position: int, is_array: bool) -> None:
    if is_array and position == len(text):
        report(place.fault("the file ends before the array does (']' is missing)"))
    elif is_array and text[position + 1 :].strip():
        report(place.fault("there is more after the end of the array"))


def _is_object_a_line(text: str, start: int) -> bool:
    """RETURNS (bool): Whether the first object ends in its line, or else the next line begins
    another one."""
    line_end = text.find("\n", start)
    if line_end < 0:
        return True
    try:
        return Decoder().decode(text, start)[1] <= line_end
    except BROKEN as error:
        next_line = _skip_space(text, line_end)
        return getattr(error, "pos", 0) <= line_end or text[next_line : next_line + 1] == "{"


def _first_objects(text: str, position: int) -> Tuple[List[_Object], Optional[Exception]]:
    decoder = Decoder()
    found: List[_Object] = []
    while len(found) < _N_OBJECTS:
        try:
            item, position, _ = decoder.decode(text, position)
        except BROKEN as error:
            return found, error
        if isinstance(item, dict):
            found.append(item)
        position = _skip_space(text, position)
        if text[position : position + 1] == ",":
            position = _skip_space(text, position + 1)
    return found, None


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
        before = content[: error.start]
        line = before.count(b"\n") + before.count(b"\r") - before.count(b"\r\n") + 1
        raise SourceError(Errors.E305.format(path=path, line=line, position=error.start)) from None


def _normalize(text: str) -> str:
    text = text.removeprefix("\ufeff")
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _may_be_cut(error: Any) -> bool:
    """RETURNS (bool): Whether the JSON may be broken only because its text ends too early."""
    if not hasattr(error, "pos"):
        return False
    near_the_end = error.pos >= len(error.doc) - _LONGEST_ESCAPE
    return near_the_end or error.msg.startswith("Unterminated string")


def _skip_space(text: str, position: int) -> int:
    space = _SPACE.match(text, position)
    return space.end() if space is not None else position


__all__ = [
    "HEAD_SIZE",
    "Head",
    "OptionError",
    "Place",
    "SourceError",
    "check_choice",
    "check_words",
    "decode",
    "get_list",
    "get_string",
    "get_words",
    "read_json",
    "read_json_lines",
    "read_lines",
    "read_text",
    "report",
    "shorten",
]
