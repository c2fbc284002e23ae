"""The formats that annotations come in, each a module:

NAME (str): The name of the format.
SUFFIXES (Tuple[str, ...]): The suffixes of its files.
sniff(head): Tells from the beginning of a file whether the file has this format.
read(path, **options): Reads a file into records.
WRITES (str), write(docs, path, **options): Only in formats that `spacy_jere.export` writes: the
    suffix of a written file, and the function that writes it.

A reader gives `Records.of` what makes one record. A fault in a record raises an error with file and
line; those of all records are collected there. Valid annotations that a Doc cannot represent are
skipped and counted in `records.skipped`, those read as something else in `records.changed`.
"""

import warnings
from pathlib import Path
from types import ModuleType
from typing import Any, Dict, Mapping, Optional, Set, Tuple, Union

from ..errors import Errors, Warnings
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
from ._faults import ON_ERROR, OptionError, SourceError, check_choice, collect_faults, raise_faults
from ._labels import map_records, unused_labels
from ._options import check_options
from ._reading import Head, read_json
from .record import Record, RecordEntity, RecordRelation, Records
from .to_docs import (
    ALIGNMENTS,
    Alignment,
    Cut,
    LostRelation,
    align,
    make_sentence_setter,
    to_docs,
)

# In the order in which they are tried when the format is guessed: brat looks at the file's name,
# the others at its content. Formats that are easier to recognize come first.
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


def read_records(
    path: Union[str, Path],
    format: Optional[str] = None,
    *,
    on_error: str = "stop",
    map_labels: Optional[Mapping[str, str]] = None,
    **options: Any,
) -> Records:
    """Read annotated texts. Warns of what the reader had to assume.

    format (Optional[str]): One of FORMATS; None guesses it from the content.
    on_error (str): What to do with faulty texts: "stop" raises an error that lists them, "skip"
        leaves them out, warns, and lists them in `faults` of the records.
    map_labels (Optional[Mapping[str, str]]): New names of entity and relation labels. Labels whose
        new name is empty are dropped, and the relations of dropped entities with them.
    options: Passed on to the `read` of the format.
    RAISES (SourceError): No such file, an unknown format or option, a file without texts, or a
        fault in the file.
    """
    check_choice("on_error", on_error, ON_ERROR)
    path = Path(path)
    records, used = load_records(path, find_reader(path, format), options, map_labels or {})
    if on_error == "stop":
        raise_faults(records.faults)
    if not records:
        raise nothing_read(path, records)
    records.notes += unused_labels(map_labels or (), used)
    for note in records.notes:
        warnings.warn(Warnings.W360.format(path=path, note=note), stacklevel=2)
    if records.faults:
        n_faults = f"{len(records.faults):,}"
        warnings.warn(Warnings.W361.format(path=path, n=n_faults), stacklevel=2)
    return records


def load_records(
    path: Path, reader: ModuleType, options: Mapping[str, Any], map_labels: Mapping[str, str]
) -> Tuple[Records, Set[str]]:
    """Read annotated texts, and keep their faults.

    RETURNS (Tuple[Records, Set[str]]): The records, with the faults of those that were left out,
        and the labels of `map_labels` that were found.
    """
    check_options(reader.read, options, Errors.E313, reader.NAME)
    with collect_faults() as faults:
        records: Records = reader.read(path, **options)
    records.faults += faults
    n_unknown = sum(record.relations is None for record in records)
    if 0 < n_unknown < len(records):
        texts = f"{n_unknown:,} of {len(records):,} texts are"
        records.notes.append(f"{texts} not annotated for relations, unlike the others")
    return records, map_records(records, map_labels) if map_labels else set()


def nothing_read(path: Path, records: Records) -> SourceError:
    """RETURNS (SourceError): Says what was left out of a file of which no text is left."""
    skipped = [f"{count} {kind}" for kind, count in records.skipped.items()]
    if records.faults:
        skipped.append(f"{len(records.faults)} faulty texts")
    return SourceError(Errors.E304.format(path=path, skipped=", ".join(skipped) or "nothing"))


def find_reader(path: Path, format: Optional[str] = None) -> ModuleType:
    """Find the module of a format.

    format (Optional[str]): One of FORMATS; None guesses it from the content.
    RAISES (SourceError): An unknown format, no such file, or a file that looks like no format.
    """
    known = ", ".join(FORMATS)
    if format is None:
        format = guess_format(path)
        if format is None:
            _check_json(path)
            message = Errors.E303 if path.is_dir() else Errors.E300
            raise SourceError(message.format(path=path, known=known))
    if format not in FORMATS:
        raise SourceError(Errors.E302.format(format=format, known=known))
    return FORMATS[format]


def guess_format(path: Path) -> Optional[str]:
    """Guess the format of a file or folder.

    RETURNS (Optional[str]): The first of FORMATS that it looks like; None if it looks like none.
    RAISES (SourceError): No such file, or no UTF-8 text.
    """
    head = Head.of(path)
    return next((name for name, module in FORMATS.items() if module.sniff(head)), None)


def _check_json(path: Path) -> None:
    """RAISES (SourceError): The file begins as JSON does, but is broken."""
    if not path.is_dir() and (head := Head.of(path)).is_json and not head.objects():
        for _ in read_json(path):
            pass


__all__ = [
    "ALIGNMENTS",
    "FORMATS",
    "ON_ERROR",
    "Alignment",
    "Cut",
    "LostRelation",
    "OptionError",
    "Record",
    "RecordEntity",
    "RecordRelation",
    "Records",
    "SourceError",
    "align",
    "find_reader",
    "guess_format",
    "make_sentence_setter",
    "read_records",
    "to_docs",
]
