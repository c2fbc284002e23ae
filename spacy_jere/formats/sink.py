"""Writing files that are either whole or not there, and packages that only some formats need."""

import importlib
import os
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Iterator, TextIO, Union

from ..errors import Errors


@contextmanager
def whole_file(path: Union[str, Path]) -> Iterator[Path]:
    """Hand out a path to write to, beside the one that is wanted.

    When all went well, what was written there takes the wanted place. After an error it is removed, and a file that was in
    that place before is still there.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def whole_text(path: Union[str, Path]) -> Iterator[TextIO]:
    """As `whole_file`, opened for text in UTF-8. Line ends are written as they are given."""
    with whole_file(path) as part, part.open("w", encoding="utf8", newline="") as file:
        yield file


def import_optional(package: str, format: str) -> ModuleType:
    """RAISES (ImportError): Names the extra that installs the package."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ImportError(Errors.E320.format(package=package, format=format)) from error
