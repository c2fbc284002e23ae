"""Annotation formats. Each has a module with `NAME`, `sniff(path)` and `read(path)`, some with `write(docs, path)`."""

from pathlib import Path
from types import ModuleType
from typing import Dict, List, Optional, Union

from ..errors import Errors
from . import conll04, spert_json
from .record import Record, RecordEntity, RecordRelation, to_doc, to_docs
from .source import SourceError

FORMATS: Dict[str, ModuleType] = {module.NAME: module for module in (spert_json, conll04)}


def read_records(path: Union[str, Path], format: Optional[str] = None) -> List[Record]:
    """Read annotated texts.

    format (Optional[str]): One of FORMATS; None guesses it from the content.
    RAISES (SourceError): No such file, an unknown format, or a fault in the file.
    """
    path = Path(path)
    if format is not None and format not in FORMATS:
        raise SourceError(Errors.E302.format(format=format, known=", ".join(FORMATS)))
    names = FORMATS if format is None else [format]
    modules = [FORMATS[x] for x in names if format is not None or FORMATS[x].sniff(path)]
    if not modules:
        raise SourceError(Errors.E300.format(path=path))
    records: List[Record] = modules[0].read(path)
    if not records:
        raise SourceError(Errors.E304.format(path=path))
    return records


__all__ = [
    "FORMATS",
    "Record",
    "RecordEntity",
    "RecordRelation",
    "SourceError",
    "read_records",
    "to_doc",
    "to_docs",
]
