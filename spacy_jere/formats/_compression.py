"""Compressed files: what they hold is read up to a limit."""

import bz2
import gzip
import lzma
import zlib
from pathlib import Path
from typing import Any, BinaryIO, Callable, Dict, Tuple

from ..errors import Errors
from ._faults import Place, SourceError

# How many times its size a file may hold, and how much any file may hold. Annotations shrink to a
# tenth or so; a file made to fill the memory shrinks to a thousandth.
MAX_RATIO = 200
MIN_LIMIT = 64 * 1024 * 1024
_CHUNK = 1024 * 1024
# How each begins, its suffix, and what unpacks it
_PACKED: Dict[bytes, Tuple[str, Callable[..., Any]]] = {
    b"\x1f\x8b": (".gz", gzip.open),
    b"BZh": (".bz2", bz2.open),
    b"\xfd7zXZ\x00": (".xz", lzma.open),
}
SUFFIXES = tuple(suffix for suffix, _ in _PACKED.values())
_ARCHIVES = (b"PK\x03\x04", b"Rar!", b"7z\xbc\xaf")
_TAR, _TAR_AT = b"ustar", 257
_BROKEN = (OSError, EOFError, zlib.error, lzma.LZMAError)


def plain_name(path: Path) -> Path:
    """RETURNS (Path): A path without the suffix of a compressed file."""
    return path.with_suffix("") if path.suffix.lower() in SUFFIXES and path.stem else path


def read_bytes(path: Path, size: int = -1) -> bytes:
    """Read a file, or what a compressed file holds.

    size (int): How many bytes at most; -1 for all.
    RAISES (SourceError): No such file, an archive of several files, or a compressed file that is
        broken or holds too much.
    """
    if not path.is_file():
        raise SourceError(Errors.E303.format(path=path))
    with path.open("rb") as file:
        beginning = file.read(_TAR_AT + len(_TAR))
        file.seek(0)
        content = _unpack(path, file, beginning, size)
    # The content of a packed .tar too
    if content.startswith(_ARCHIVES) or content[_TAR_AT:].startswith(_TAR):
        Place(path, 1).fail("this is an archive of files. Unpack it and name the folder")
    return content


def _unpack(path: Path, file: BinaryIO, beginning: bytes, size: int) -> bytes:
    kind = next((x for x in _PACKED if beginning.startswith(x)), None)
    # A text may begin with BZh.
    if kind is None or (kind == b"BZh" and path.suffix.lower() != ".bz2"):
        return file.read(size)
    limit = max(MAX_RATIO * path.stat().st_size, MIN_LIMIT)
    wanted = limit + 1 if size < 0 else min(size, limit + 1)
    chunks = []
    try:
        with _PACKED[kind][1](file) as unpacked:
            while wanted > 0 and (chunk := unpacked.read(min(wanted, _CHUNK))):
                chunks.append(chunk)
                wanted -= len(chunk)
    except _BROKEN as error:
        Place(path, 1).fail(f"this compressed file can't be unpacked: {error}. Is it complete?")
    content = b"".join(chunks)
    if len(content) > limit:
        reason = f"holds more than {limit:,} bytes, {MAX_RATIO} times its size"
        Place(path, 1).fail(f"this compressed file {reason}. Unpack it if you trust it")
    return content
