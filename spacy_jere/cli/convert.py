"""`python -m spacy jere convert`: annotated files to spaCy's .spacy files."""

from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import List, Optional

import spacy
import typer
from spacy.tokens import DocBin
from wasabi import msg

from ..errors import Errors
from ..formats import FORMATS, Record, SourceError, read_records, to_docs


def convert_cli(
    source: Path = typer.Argument(..., help="A file, or a folder of files", exists=True),
    output: Path = typer.Argument(..., help="Folder for the .spacy files"),
    format: Optional[str] = typer.Option(
        None, "--format", "-f", help=f"{', '.join(FORMATS)}; guessed when not given"
    ),
    lang: str = typer.Option("en", "--lang", "-l", help="Language of the texts"),
) -> None:
    """Convert annotated texts and print what is in them."""
    try:
        convert(source, output, format=format, lang=lang)
    except SourceError as error:
        msg.fail("Can't convert", str(error), exits=1)


def convert(
    source: Path, output: Path, *, format: Optional[str] = None, lang: str = "en"
) -> List[Path]:
    """Write one .spacy file for each file; nothing is written unless all can be read.

    source (Path): A file, or a folder whose .json and .txt files are read.
    RETURNS (List[Path]): The files written.
    RAISES (SourceError): A file that can't be read.
    """
    files = [source] if source.is_file() else _data_files(source)
    if not files:
        raise SourceError(Errors.E307.format(path=source))
    for left, right in pairwise(sorted(files, key=lambda file: file.stem)):
        if left.stem == right.stem:
            raise SourceError(Errors.E308.format(left=left, right=right, name=left.stem))
    corpora = {file: read_records(file, format) for file in files}
    vocab = spacy.blank(lang).vocab
    output.mkdir(parents=True, exist_ok=True)
    written = []
    for file, records in corpora.items():
        target = output / f"{file.stem}.spacy"
        DocBin(docs=to_docs(records, vocab), store_user_data=True).to_disk(target)
        written.append(target)
        msg.good(f"{file} -> {target}")
    print_statistics({file.stem: records for file, records in corpora.items()})
    return written


def print_statistics(corpora: "dict[str, List[Record]]") -> None:
    """Print a table of what each corpus holds."""
    counts = {name: count_labels(records) for name, records in corpora.items()}
    rows = list(dict.fromkeys(key for count in counts.values() for key in count))
    table = [(row, *(f"{count[row]:,}" for count in counts.values())) for row in rows]
    msg.table(table, header=("", *counts), aligns=("l", *("r" for _ in counts)), divider=True)


def count_labels(records: List[Record]) -> "Counter[str]":
    """RETURNS (Counter[str]): Sentences, tokens, entities and relations, in all and by label."""
    counts: Counter[str] = Counter()
    counts["texts"] = len(records)
    counts["tokens"] = sum(len(record.words) for record in records)
    counts["entities"] = sum(len(record.entities) for record in records)
    counts.update(sorted(f"  {x.label}" for record in records for x in record.entities))
    counts["relations"] = sum(len(record.relations or ()) for record in records)
    counts.update(sorted(f"  {x.label}" for record in records for x in record.relations or ()))
    return counts


def _data_files(folder: Path) -> List[Path]:
    return sorted(x for x in folder.iterdir() if x.suffix in (".json", ".txt"))
