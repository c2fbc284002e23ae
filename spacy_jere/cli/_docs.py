"""Reading .spacy files, for the commands that need no pipeline."""

from pathlib import Path
from typing import Iterable, Iterator, List

from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab

from ..errors import Errors


def read_docs(paths: Iterable[Path]) -> Iterator[Doc]:
    """RETURNS (Iterator[Doc]): The Docs of .spacy files, and of those in folders, one file in memory at a time.

    RAISES (ValueError): A path that is no such file or folder; raised before the first Doc, unless it's the content.
    """
    files = [file for path in paths for file in _files(path)]
    return (doc for file in files for doc in _read_file(file))


def _files(path: Path) -> List[Path]:
    files = sorted(path.rglob("*.spacy")) if path.is_dir() else [path]
    if not files or not files[0].is_file():
        raise ValueError(Errors.E324.format(path=path))
    return files


def _read_file(path: Path) -> Iterator[Doc]:
    try:
        yield from DocBin().from_disk(path).get_docs(Vocab())
    except Exception as error:
        # zlib, msgpack and DocBin each have errors of their own for bytes that they don't know.
        raise ValueError(Errors.E324.format(path=path)) from error
