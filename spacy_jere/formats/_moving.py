"""Moving what is written into its place: files and folders at once, and back after an error.

Names beside a target are hidden and can't be guessed. Readers of folders skip hidden names, so that
what a killed command leaves behind is never read.
"""

import ctypes
import errno
import os
import re
import secrets
import shutil
import signal
import stat
import sys
import threading
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Callable, Iterator, List, Optional

Undo = List[Callable[[], None]]
# Asks a program to end; Ctrl-C (SIGINT) raises KeyboardInterrupt by itself.
_ENDING = [getattr(signal, x) for x in ("SIGTERM", "SIGHUP") if hasattr(signal, x)]
_HELD = [*_ENDING, signal.SIGINT]
_PART = re.compile(r"\..*\.[0-9a-f]{32}\.part", flags=re.S)
# Files that systems put into every folder
_UNIMPORTANT = {".DS_Store", "Thumbs.db", "desktop.ini"}
_SWAP = 2  # RENAME_EXCHANGE of Linux and RENAME_SWAP of macOS
_NOT_SUPPORTED = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)
_OTHER_DEVICE = (errno.EXDEV, errno.EBUSY)
# More files are flushed together with all that the system has to flush.
_MOST_FLUSHED = 100


def beside(target: Path) -> Path:
    """RETURNS (Path): A new hidden name in the same folder."""
    return target.with_name(f".{target.name[:40]}.{secrets.token_hex(16)}.part")


def is_part(path: Path) -> bool:
    """RETURNS (bool): Whether a name is one of `beside`."""
    return _PART.fullmatch(path.name) is not None


@contextmanager
def ending_cleanly() -> Iterator[None]:
    """Turn signals that would end the program at once into SystemExit, so that it cleans up."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # A program with a handler of its own keeps it.
    ours = [x for x in _ENDING if signal.getsignal(x) == signal.SIG_DFL]
    for number in ours:
        signal.signal(number, _end)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def _end(number: int, frame: Any) -> None:
    raise SystemExit(128 + number)


@contextmanager
def held_signals() -> Iterator[None]:
    """Let signals wait until a few moves are done that belong together."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    waiting: List[int] = []
    kept = {x: signal.signal(x, lambda number, _: waiting.append(number)) for x in _HELD}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        for number in waiting:
            signal.raise_signal(number)


@contextmanager
def made_folders(folder: Path) -> Iterator[None]:
    """Make a folder and those above it. After an error the new ones are removed again."""
    missing = [x for x in (folder, *folder.parents) if not x.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        for made in missing:
            with suppress(OSError):
                made.rmdir()
        raise


def make_file(path: Path, mode: Optional[int]) -> None:
    """Create a file that must not be there yet, closed to others if its target has a mode."""
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
    os.close(os.open(path, flags, 0o666 if mode is None else 0o600))


def keep_owner_and_mode(old: Path, new: Path) -> None:
    """Give the new file or folder the owner, as far as that is allowed, and the mode of the old."""
    known = old.stat()
    if hasattr(os, "chown"):
        with suppress(OSError):
            os.chown(new, known.st_uid, known.st_gid)
    os.chmod(new, stat.S_IMODE(known.st_mode) & 0o777)


def flush(path: Path) -> None:
    """Have the system write a file or a folder's names to the disk."""
    on_windows = sys.platform == "win32"
    if path.is_dir() and on_windows:
        return
    descriptor = os.open(path, os.O_RDWR if on_windows else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:  # some file systems can't flush a folder
        if error.errno not in _NOT_SUPPORTED or not path.is_dir():
            raise
    finally:
        os.close(descriptor)


def flush_all(folder: Path) -> None:
    """Flush a folder with all that it holds."""
    inside = [x for x in folder.rglob("*") if not x.is_symlink()]
    if len(inside) > _MOST_FLUSHED and hasattr(os, "sync"):
        os.sync()
        return
    for path in [*inside, folder]:
        flush(path)


def others_in(old: Path, new: Path, own: Callable[[Path], bool], shared: bool) -> Iterator[Path]:
    """Find what a folder holds that isn't ours to replace.

    old, new (Path): The folder, and the one that is to take its place.
    own (Callable[[Path], bool]): Whether we may have written a file.
    shared (bool): The folder may hold anything beside what is to be written.
    RETURNS (Iterator[Path]): Files and folders.
    """
    for entry in sorted(old.iterdir()):
        twin = new / entry.name
        if is_part(entry) or entry.name in _UNIMPORTANT:
            continue
        if not os.path.lexists(twin):
            if not shared:
                yield entry
        elif entry.is_dir() and twin.is_dir():
            yield from others_in(entry, twin, own, False)
        elif entry.is_dir() or twin.is_dir() or not own(entry):
            yield entry


def put(part: Path, target: Path) -> None:
    """Move a folder to its place, and to the hidden place what was there.

    Where the target holds nothing else, both change places at once. Else what it holds beside the
    new stays, and the new files and folders are moved one by one; after an error all are moved
    back.
    """
    if not target.exists():
        try:
            os.rename(part, target)
            return
        except OSError as error:  # another program has made it by now
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
    if part.parent == target or _holds_others(target, part) or _is_here(target):
        _merge_or_undo(part, target)
        return
    _keep_modes(target, part)
    try:
        exchange(part, target)
    except OSError as error:
        if error.errno not in _OTHER_DEVICE:
            raise
        _merge_from_inside(part, target)
        return
    for late in os.listdir(part):  # another program wrote it there a moment ago
        if not os.path.lexists(target / late) and not is_part(Path(late)):
            os.rename(part / late, target / late)


def _is_here(folder: Path) -> bool:
    """RETURNS (bool): Whether a folder holds the current one, which must not be moved away."""
    return Path.cwd().is_relative_to(folder)


def _merge_from_inside(part: Path, target: Path) -> None:
    """Merge into a folder that another device is mounted on: files can't be moved to it."""
    inside = beside(target / "new")
    try:
        shutil.copytree(part, inside, symlinks=True)
        flush_all(inside)
        _merge_or_undo(inside, target)
    finally:
        remove(inside)


def _merge_or_undo(new: Path, old: Path) -> None:
    undo: Undo = []
    try:
        _merge(new, old, undo)
    except BaseException:
        for step in reversed(undo):
            step()
        raise


def _merge(new: Path, old: Path, undo: Undo) -> None:
    for child in sorted(new.iterdir()):
        place = old / child.name
        if (
            place.is_dir()
            and child.is_dir()
            and (place.is_symlink() or _holds_others(place, child))
        ):
            _merge(child, place, undo)
        elif os.path.lexists(place):
            # A link stays: what it names is replaced.
            place = Path(os.path.realpath(place))
            if place.exists():
                _keep_modes(place, child)
            exchange(child, place)
            undo.append(partial(exchange, child, place))
        else:
            os.rename(child, place)
            undo.append(partial(os.rename, place, child))


def _holds_others(old: Path, new: Path) -> bool:
    return any(others_in(old, new, lambda _: True, False)) or any(
        x.name in _UNIMPORTANT or x.is_symlink() for x in old.iterdir()
    )


def _keep_modes(old: Path, new: Path) -> None:
    keep_owner_and_mode(old, new)
    if new.is_dir() and old.is_dir():
        for child in new.iterdir():
            if (old / child.name).exists():
                _keep_modes(old / child.name, child)


def exchange(one: Path, other: Path) -> None:
    """Let two files or folders change places; the second may be missing."""
    if not os.path.lexists(other):
        os.rename(one, other)
    elif not _exchange_at_once(one, other):
        aside = beside(one)
        os.rename(other, aside)
        try:
            os.rename(one, other)
        except OSError:
            os.rename(aside, other)
            raise
        os.rename(aside, one)


def _exchange_at_once(one: Path, other: Path) -> bool:
    """RETURNS (bool): Whether the system and the file system have such a call."""
    library: Any = ctypes.CDLL(None, use_errno=True) if os.name == "posix" else None
    names = os.fsencode(one), os.fsencode(other)
    here = -100  # AT_FDCWD: names are relative to the current folder
    if hasattr(library, "renameat2"):
        failed = library.renameat2(here, names[0], here, names[1], _SWAP)
    elif hasattr(library, "renamex_np"):
        failed = library.renamex_np(*names, _SWAP)
    else:
        return False
    number = ctypes.get_errno()
    if failed and number not in _NOT_SUPPORTED:
        raise OSError(number, os.strerror(number), str(other))
    return not failed


def remove(path: Path) -> None:
    """Remove a hidden file or folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
