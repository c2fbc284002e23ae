"""The formats that annotations come in, each a module:

NAME (str): The name of the format.
SUFFIXES (Tuple[str, ...]): The suffixes of its files.
sniff(head): Tells from the beginning of a file whether the file has this format.
read(path, **options): Reads a file into records.
WRITES (str), write(docs, path, **options): Only in formats that `spacy_jere.export` writes: the
    suffix of a written file, and the function that writes it.

Malformed input raises an error with file and line. Valid annotations that a Doc cannot represent
are skipped and counted in `records.skipped`.
"""

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
from ._options import check_options
from ._reading import Head, SourceError
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


def read_records(path: Union[str, Path], format: Optional[str] = None, **options: Any) -> Records:
    """Read annotated texts.

    format (Optional[str]): One of FORMATS; None guesses it from the content.
    options: Passed on to the `read` of the format.
    RAISES (SourceError): No such file, an unknown format or option, a file without texts, or a
        fault in the file.
    """
    path = Path(path)
    reader = find_reader(path, format)
    check_options(reader.read, options, Errors.E313, reader.NAME)
    records: Records = reader.read(path, **options)
    if not records:
        skipped = ", ".join(f"{count} {kind}" for kind, count in records.skipped.items())
        raise SourceError(Errors.E304.format(path=path, skipped=skipped or "nothing"))
    return records


def find_reader(path: Path, format: Optional[str] = None) -> ModuleType:
    """Find the module of a format.

    format (Optional[str]): One of FORMATS; None guesses it from the content.
    RAISES (SourceError): An unknown format, no such file, or a file that looks like no format.
    """
    known = ", ".join(FORMATS)
    if format is None:
        format = guess_format(path)
        if format is None:
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


__all__ = [
    "ALIGNMENTS",
    "FORMATS",
    "Alignment",
    "Cut",
    "LostRelation",
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
