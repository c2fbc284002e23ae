"""The formats that annotations come in and go out: each a module with a `NAME`.

One that is read has `SUFFIXES`, `sniff(path)` and `read(path) -> records`, one that is written has `WRITES`, the suffix of what it
writes, and `write(docs, path)`. Both take options of the format by their names.
"""

import inspect
from pathlib import Path
from types import ModuleType
from typing import Any, Callable, Dict, Iterable, List, Optional, Union

from spacy.tokens import Doc

from ..errors import Errors
from . import (
    ade,
    brat,
    conll04,
    conll_columns,
    csv_table,
    docbin,
    doccano,
    dygie,
    graphml,
    hf_jsonl,
    label_studio,
    neo4j,
    node_link,
    parquet,
    prodigy,
    spert_json,
    triples,
    turtle,
)
from .alignment import (
    ALIGNMENTS,
    Alignment,
    Cut,
    LostRelation,
    align,
    make_sentence_setter,
    to_docs,
)
from .record import Record, RecordEntity, RecordRelation, Records
from .source import SourceError

# In the order in which they are tried when the format is guessed: brat looks at the file's name, the others at its content,
# and what says more of itself comes first.
FORMATS: Dict[str, ModuleType] = {
    module.NAME: module
    for module in (
        brat,
        label_studio,
        spert_json,
        dygie,
        hf_jsonl,
        prodigy,
        doccano,
        conll04,
        ade,
        conll_columns,
    )
}
# First what can be read again, then what only relations go to. A format without a suffix is written as a folder.
WRITERS: Dict[str, ModuleType] = {
    module.NAME: module
    for module in (
        docbin,
        spert_json,
        brat,
        triples,
        csv_table,
        parquet,
        turtle,
        graphml,
        node_link,
        neo4j,
    )
}


def read_records(path: Union[str, Path], format: Optional[str] = None, **options: Any) -> Records:
    """Read annotated texts.

    format (Optional[str]): One of FORMATS; None guesses it from the content.
    options: Passed on to the `read` of the format.
    RAISES (SourceError): No such file, an unknown format or option, or a fault in the file.
    """
    path = Path(path)
    known = ", ".join(FORMATS)
    if format is None:
        format = guess_format(path)
        if format is None:
            raise SourceError(Errors.E300.format(path=path, known=known))
    if format not in FORMATS:
        raise SourceError(Errors.E302.format(format=format, known=known))
    read = FORMATS[format].read
    _check_options(read, options, 1, Errors.E313.format, format)
    records: Records = read(path, **options)
    if not records:
        skipped = ", ".join(f"{count} {kind}" for kind, count in records.skipped.items())
        raise SourceError(Errors.E304.format(path=path, skipped=skipped or "nothing"))
    return records


def guess_format(path: Path) -> Optional[str]:
    """RETURNS (Optional[str]): The first of FORMATS that a file or folder looks like; None if it is none."""
    return next((name for name, module in FORMATS.items() if module.sniff(path)), None)


def write_docs(
    docs: Iterable[Doc], path: Union[str, Path], format: Optional[str] = None, **options: Any
) -> None:
    """Write Docs with their entities and relations. Missing folders are made.

    format (Optional[str]): One of WRITERS; None goes by the path's suffix.
    options: Passed on to the `write` of the format.
    RAISES (SourceError): An unknown format, suffix or option, or Docs that the format can't hold.
    RAISES (ImportError): The format needs a package that is not installed.
    """
    path = Path(path)
    writer = find_writer(path, format)
    _check_options(writer.write, options, 2, Errors.E325.format, writer.NAME)
    path.parent.mkdir(parents=True, exist_ok=True)
    writer.write(docs, path, **options)


def find_writer(path: Path, format: Optional[str] = None) -> ModuleType:
    """RETURNS (ModuleType): The module of a format; None takes the format that the path's suffix belongs to.

    RAISES (SourceError): An unknown format or suffix, or a suffix of several formats.
    """
    known = ", ".join(WRITERS)
    if format is not None:
        if format not in WRITERS:
            raise SourceError(Errors.E302.format(format=format, known=known))
        return WRITERS[format]
    suffix = path.suffix.lower()
    found = [module for module in WRITERS.values() if suffix and suffix == module.WRITES]
    if not found:
        raise SourceError(Errors.E322.format(path=path, known=known))
    if len(found) > 1:
        names = " and ".join(module.NAME for module in found)
        raise SourceError(Errors.E326.format(path=path, names=names))
    return found[0]


def _check_options(
    function: Callable[..., Any],
    options: Dict[str, Any],
    n_positional: int,
    message: Callable[..., str],
    format: str,
) -> None:
    accepted: List[str] = list(inspect.signature(function).parameters)[n_positional:]
    for option in options:
        if option not in accepted:
            known = ", ".join(accepted) or "no options"
            raise SourceError(message(format=format, option=option, known=known))


__all__ = [
    "ALIGNMENTS",
    "FORMATS",
    "WRITERS",
    "Alignment",
    "Cut",
    "LostRelation",
    "Record",
    "RecordEntity",
    "RecordRelation",
    "Records",
    "SourceError",
    "align",
    "find_writer",
    "guess_format",
    "make_sentence_setter",
    "read_records",
    "to_docs",
    "write_docs",
]
