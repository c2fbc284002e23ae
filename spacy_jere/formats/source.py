"""Reading text files, with errors that name file and line."""

import json
import re
from pathlib import Path
from typing import Any, List, NoReturn, Tuple, Union

from ..errors import Errors

_SPACE = re.compile(r"\s*")


class SourceError(ValueError):
    """A file that can't be read as what it should be. The message names file and line."""


def fail(path: Path, line: int, reason: str) -> NoReturn:
    """RAISES (SourceError): Always."""
    raise SourceError(Errors.E301.format(path=path, line=line, reason=reason))


def read_text(path: Union[str, Path]) -> str:
    """RETURNS (str): The whole file, without a byte-order mark, line ends as \\n."""
    path = Path(path)
    if not path.is_file():
        raise SourceError(Errors.E303.format(path=path))
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(Errors.E305.format(path=path, position=error.start)) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_json_array(path: Path) -> List[Tuple[int, Any]]:
    """Read a JSON array item by item, so that a fault is found where it is.

    RETURNS (List[Tuple[int, Any]]): Line number and value of each item.
    """
    text = read_text(path)
    opening = re.match(r"\s*\[", text)
    if opening is None:
        fail(path, 1, "expected '[', the beginning of a JSON array")
    decoder = json.JSONDecoder()
    items: List[Tuple[int, Any]] = []
    position = opening.end()
    line, counted = 1, 0
    while True:
        position = _skip_space(text, position)
        if items and text[position : position + 1] == ",":
            position = _skip_space(text, position + 1)
        elif items and text[position : position + 1] not in ("]", ""):
            fail(path, line, f"expected ',' or ']' after item {len(items)}, which begins here")
        line, counted = line + text.count("\n", counted, position), position
        if position == len(text):
            fail(path, line, "the file ends before the array does (']' is missing)")
        if text[position] == "]":
            if text[position + 1 :].strip():
                fail(path, line, "there is more after the end of the array")
            return items
        try:
            item, position = decoder.raw_decode(text, position)
        except json.JSONDecodeError as error:
            fail(path, error.lineno, f"broken JSON in item {len(items) + 1}: {error.msg}")
        items.append((line, item))


def _skip_space(text: str, position: int) -> int:
    space = _SPACE.match(text, position)
    return space.end() if space is not None else position
