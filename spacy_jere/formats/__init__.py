"""Annotation formats. Each has a module with `NAME`, `SUFFIXES`, `sniff(path)` and `read(path)`, some with `write(docs, path)`."""

import inspect
from pathlib import Path
from types import ModuleType
from typing import Any, Dict, Optional, Union

from ..errors import Errors
from . import (
    ade,
    brat,
    conll04,
    conll_columns,
    doccano,
    dygie,
    hf_jsonl,
    label_studio,
    prodigy,
    spert_json,
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
# Where a format is written to; each has `write(docs, path)` and `WRITES`, the ending of what it writes
WRITERS: Dict[str, ModuleType] = {module.NAME: module for module in (spert_json, brat)}


def read_records(path: Union[str, Path], format: Optional[str] = None, **options: Any) -> Records:
    """Read annotated texts.

    format (Optional[str]): One of FORMATS; None guesses it from the content.
    options: Passed on to the `read` of the format.
    RAISES (SourceError): No such file, an unknown format or option, or a fault in the file.
    """
    path = Path(path)
    known = ", ".join(FORMATS)
    if format is None:
        format = next((name for name, module in FORMATS.items() if module.sniff(path)), None)
        if format is None:
            raise SourceError(Errors.E300.format(path=path, known=known))
    if format not in FORMATS:
        raise SourceError(Errors.E302.format(format=format, known=known))
    read = FORMATS[format].read
    accepted = list(inspect.signature(read).parameters)[1:]
    for option in options:
        if option not in accepted:
            possible = ", ".join(accepted) or "no options"
            raise SourceError(Errors.E313.format(format=format, option=option, known=possible))
    records: Records = read(path, **options)
    if not records:
        skipped = ", ".join(f"{count} {kind}" for kind, count in records.skipped.items())
        raise SourceError(Errors.E304.format(path=path, skipped=skipped or "nothing"))
    return records


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
    "make_sentence_setter",
    "read_records",
    "to_docs",
]
