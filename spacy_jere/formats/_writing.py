"""Writing whole files and folders or none, and importing packages that only some formats need.

Everything is written beside its target, flushed to the disk, and moved into place at the end.
"""

import errno
import importlib
import os
import stat
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Callable, Iterable, Iterator, List, Optional, Sequence, TextIO, Tuple, Union

from ..errors import Errors
from ._moving import (
    beside,
    ending_cleanly,
    flush,
    flush_all,
    held_signals,
    is_part,
    keep_owner_and_mode,
    made_folders,
    make_file,
    others_in,
    put,
    remove,
)
from ._reading import SourceError

Own = Callable[[Path], bool]
AnyPath = Union[str, Path]
# Names of what a program has open, be it a file
_OPENED = ("/dev/stdout", "/dev/stderr", "/dev/fd/", "/proc/")


# Files


@contextmanager
def whole_file(path: AnyPath) -> Iterator[Path]:
    """Write a file that is either whole or not there. Missing folders are made.

    RETURNS (Iterator[Path]): A path beside the wanted one, to write to. The file is moved to the
        wanted path at the end, with the mode of the file that was there; a link there stays, and
        the file that it names is replaced. After an error, Ctrl-C or SIGTERM it is removed, and an
        older file stays as it was.
    """
    if _is_stream(Path(path)):  # such as /dev/stdout
        yield Path(path)
        return
    with whole_files([path]) as (part,):
        yield part


@contextmanager
def whole_files(paths: Iterable[AnyPath]) -> Iterator[List[Path]]:
    """Write several files, as `whole_file` does, that are moved into place together."""
    targets = [_target(path) for path in paths]
    parts = [beside(target) for target in targets]
    modes = [_mode(target) for target in targets]
    with ending_cleanly(), _made_parents(targets):
        try:
            for part, mode in zip(parts, modes):
                make_file(part, mode)
            yield parts
            for part, target, mode in zip(parts, targets, modes):
                if mode is not None:
                    keep_owner_and_mode(target, part)
                flush(part)
            with held_signals():
                for part, target in zip(parts, targets):
                    os.replace(part, target)
            for folder in {target.parent for target in targets}:
                flush(folder)
        finally:
            for part in parts:
                remove(part)


@contextmanager
def whole_text(path: AnyPath) -> Iterator[TextIO]:
    """Write a whole file of UTF-8 text, as `whole_file` does. Line ends are not changed."""
    with whole_file(path) as part, part.open("w", encoding="utf8", newline="") as file:
        yield file


@contextmanager
def _made_parents(targets: Sequence[Path]) -> Iterator[None]:
    if not targets:
        yield
        return
    with made_folders(targets[0].parent), _made_parents(targets[1:]):
        yield


def _target(path: AnyPath) -> Path:
    """RETURNS (Path): The file itself, where the path is a link to it."""
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if target.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    if target.exists() and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    return target


def _mode(target: Path) -> Optional[int]:
    return stat.S_IMODE(target.stat().st_mode) if target.exists() else None


def _is_stream(path: Path) -> bool:
    """RETURNS (bool): Whether a path is no file that could be replaced, such as /dev/stdout."""
    opened = os.path.abspath(path).startswith(_OPENED)
    return path.exists() and not path.is_dir() and (opened or not path.is_file())


# Folders


@contextmanager
def whole_folder(
    path: AnyPath, *, own: Optional[Own] = None, shared: bool = False, force: bool = False
) -> Iterator[Path]:
    """Write a folder that is either whole or not there. Missing folders above it are made.

    own (Optional[Callable[[Path], bool]]): Whether a file of an older folder may come from the same
        writer. By default every file may, if one of its name is written.
    shared (bool): The folder may hold anything beside the files and folders that are written.
    force (bool): Write into a folder that holds other things.
    RETURNS (Iterator[Path]): An empty folder to write to. At the end it takes the place of the
        wanted one, whose other files stay. After an error, Ctrl-C or SIGTERM it is removed, and an
        older folder stays as it was.
    RAISES (SourceError): The folder holds what the writer has not written.
    """
    target = Path(os.path.realpath(path))
    if os.path.lexists(target) and not target.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
    with ending_cleanly(), made_folders(target.parent):
        part = beside(target / "new" if _must_stay(target) else target)
        try:
            part.mkdir()
            yield part
            if target.exists() and not force:
                for other in others_in(target, part, own or _any_file, shared):
                    raise SourceError(Errors.E381.format(path=path, name=other.name))
            flush_all(part)
            with held_signals():
                put(part, target)
            flush(target.parent)
        finally:
            remove(part)


def _must_stay(folder: Path) -> bool:
    """RETURNS (bool): Whether a folder can't be replaced, only filled."""
    above = os.access(folder.parent, os.W_OK | os.X_OK)
    return folder.is_dir() and (os.path.ismount(folder) or not above)


def _any_file(path: Path) -> bool:
    return True


# Before the work


def check_output(
    output: AnyPath,
    sources: Iterable[AnyPath] = (),
    *,
    reads: Optional[Sequence[str]] = None,
    folder: bool = False,
    own: Optional[Own] = None,
    force: bool = False,
) -> None:
    """Refuse, before any work, an output that would destroy something or can't be written.

    sources (Iterable[Union[str, Path]]): The files and folders that are read.
    reads (Optional[Sequence[str]]): The suffixes of the files that are read from folders; () for
        every file.
    folder (bool): The output is a folder.
    own (Optional[Callable[[Path], bool]]): Whether a file of an older folder may come from the same
        writer. By default every file may.
    force (bool): Write into a folder that holds other things.
    RAISES (SourceError): The output is a source or would be read with them, holds other things, or
        can't be written.
    """
    output = Path(output)
    try:
        for source in map(Path, sources):
            _check_source(output, source, reads, folder)
        _check_writable(output, folder)
        if folder and own is not None and not force and output.is_dir():
            for file in sorted(output.rglob("*")):
                if not (file.is_dir() or is_part(file) or own(file)):
                    raise SourceError(Errors.E381.format(path=output, name=file.name))
    except OSError as error:
        raise _unwritable(output, error.strerror or str(error)) from error


def _check_source(output: Path, source: Path, reads: Optional[Sequence[str]], folder: bool) -> None:
    if not source.exists():
        return
    there = _identity(output) if output.exists() else None
    if there is not None and there == _identity(source):
        raise SourceError(Errors.E380.format(output=output, source=source))
    real_output, real_source = (Path(os.path.realpath(x)) for x in (output, source))
    if folder and there is not None and real_source.is_relative_to(real_output):
        raise SourceError(Errors.E380.format(output=output, source=source))
    if not source.is_dir():
        return
    if there is not None and not output.is_dir():
        for file in source.rglob("*"):
            if file.is_file() and _identity(file) == there:
                raise SourceError(Errors.E380.format(output=output, source=file))
    read_again = reads is not None and (folder or not reads or output.suffix in reads)
    if read_again and real_output.is_relative_to(real_source):
        raise SourceError(Errors.E382.format(output=output, source=source))


def _identity(path: Path) -> Tuple[int, int]:
    """RETURNS (Tuple[int, int]): The same for all names of a file: links, capitals where they don't
    count."""
    known = path.stat()
    return known.st_dev, known.st_ino


def _check_writable(output: Path, folder: bool) -> None:
    """Try what the writer will do: make a file in the folder, or in the nearest that is there."""
    if _is_stream(output) and not folder:
        return
    if output.is_dir() and not folder:
        raise _unwritable(output, "it is a folder")
    if os.path.lexists(output) and not output.is_dir() and folder:
        raise _unwritable(output, "it is a file, not a folder")
    target = Path(os.path.realpath(output))
    if target.is_file() and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    place = target if _must_stay(target) else target.parent
    while not os.path.lexists(place):
        place = place.parent
    if not place.is_dir():
        raise _unwritable(output, f"{place} is no folder")
    for name in target.relative_to(place).parts:
        with suppress(FileNotFoundError):
            os.lstat(place / name)  # fails if the name is too long
    probe = beside(place / "probe")
    try:
        make_file(probe, None)
    finally:
        remove(probe)


def _unwritable(output: Path, reason: str) -> SourceError:
    return SourceError(Errors.E383.format(output=output, reason=reason))


# Packages


def import_optional(package: str, format: str) -> ModuleType:
    """RAISES (ImportError): Names the extra that installs the package."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ImportError(Errors.E320.format(package=package, format=format)) from error
