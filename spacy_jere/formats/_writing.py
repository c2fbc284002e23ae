"""Writing whole files or none, and importing packages that only some formats need."""

import importlib
import os
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Iterator, TextIO, Union

from ..errors import Errors


@contextmanager
def whole_file(path: Union[str, Path]) -> Iterator[Path]:
    """Write a file that is either whole or not there.

    RETURNS (Iterator[Path]): A path beside the wanted one, to write to. The file is moved to the
        wanted path at the end. After an error it is removed, and an older file stays as it was.
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
    """Write a whole file of UTF-8 text, as `whole_file` does. Line ends are not changed."""
    with whole_file(path) as part, part.open("w", encoding="utf8", newline="") as file:
        yield file


def import_optional(package: str, format: str) -> ModuleType:
    """RAISES (ImportError): Names the extra that installs the package."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ImportError(Errors.E320.format(package=package, format=format)) from error
