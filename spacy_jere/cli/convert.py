"""`python -m spacy jere convert`: annotated files to .spacy files, or to another format."""

from itertools import pairwise
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence

import spacy
import typer
from spacy.language import Language
from spacy.tokens import Doc
from wasabi import msg

from ..debug_data.counts import COUNTED, count_labels
from ..errors import Errors
from ..export import WRITERS, find_writer, write_docs
from ..formats import (
    ALIGNMENTS,
    FORMATS,
    Alignment,
    Cut,
    LostRelation,
    Records,
    SourceError,
    align,
    docbin,
    find_reader,
    guess_format,
    make_sentence_setter,
    read_records,
)
from ..formats._options import list_options, parse_options
from ..relations import DEFAULT_SPANS_KEY
from ._util import print_table, read_docs

# How many entities that cut a token, and lost relations, are listed unless all are asked for
_LISTED = 20
_OPTIONS = list_options(
    [
        *((name, module.read) for name, module in FORMATS.items()),
        *((name, module.write) for name, module in WRITERS.items()),
    ]
)


class _Source(NamedTuple):
    """A file that was read.

    records: What the reader found; empty for a .spacy file, which has Docs.
    options: The options that are left for the writer.
    """

    records: Records
    aligned: Alignment
    options: Dict[str, Any]


def convert_cli(
    source: Path = typer.Argument(..., help="A file, or a folder of files", exists=True),
    output: Path = typer.Argument(..., help="Folder for the files that are written"),
    format: Optional[str] = typer.Option(
        None, "--format", "-f", help=f"{', '.join((*FORMATS, docbin.NAME))}; guessed when not given"
    ),
    to: str = typer.Option(docbin.NAME, "--to", "-t", help=", ".join(WRITERS)),
    lang: str = typer.Option("en", "--lang", "-l", help="Language of the texts"),
    alignment: str = typer.Option(
        ALIGNMENTS[0],
        "--alignment",
        "-a",
        help=f"What to do with entities that cut a token: {', '.join(ALIGNMENTS)}",
    ),
    sentences: Optional[str] = typer.Option(
        None,
        "--sentences",
        "-s",
        help="Set sentence boundaries where the format has none: sentencizer, or a pipeline",
    ),
    options: List[str] = typer.Option(
        [],
        "--set",
        metavar="NAME=VALUE",
        help=f"Set an option of a format; repeatable. Options: {_OPTIONS}",
    ),
    verbose: bool = typer.Option(False, "--verbose", "-V", help="List all that was changed"),
) -> None:
    """Convert annotated texts and print what is in them."""
    try:
        convert(
            source,
            output,
            format=format,
            to=to,
            lang=lang,
            alignment=alignment,
            sentences=sentences,
            options=options,
            verbose=verbose,
        )
    except (ValueError, ImportError, OSError) as error:
        msg.fail("Can't convert", str(error), exits=1)


def convert(
    source: Path,
    output: Path,
    *,
    format: Optional[str] = None,
    to: str = docbin.NAME,
    lang: str = "en",
    alignment: str = "split",
    sentences: Optional[str] = None,
    options: Sequence[str] = (),
    verbose: bool = False,
) -> List[Path]:
    """Write one file for each file or brat folder; nothing is written unless all can be read.

    source (Path): A file, or a folder whose files and brat folders are read. Its .spacy files are
        read where another format is written; with the format "spacy" they alone are read.
    format (Optional[str]): One of FORMATS, or "spacy"; None guesses it for each file.
    to (str): One of WRITERS.
    lang (str): The language whose tokenizer finds the tokens of texts that bring none.
    alignment (str): What to do with an entity that cuts a token; as in `align`.
    sentences (Optional[str]): Sets sentence boundaries where there are none; as in
        `make_sentence_setter`.
    options (Sequence[str]): Options of the formats, each as `name=value`. An option goes to the
        reader if it has it, else to the writer.
    verbose (bool): List every entity that cuts a token and every lost relation.
    RETURNS (List[Path]): What was written.
    RAISES (SourceError): A file that can't be read, or an option that a file can't be read or
        written with.
    """
    suffix = find_writer(output, to).WRITES
    setter = None if sentences is None else make_sentence_setter(sentences, lang)
    nlp = spacy.blank(lang)
    sources = {
        file: _read(file, format, to, options, nlp, alignment, setter)
        for file in _sources(source, format, to)
    }
    written = []
    for file, read in sources.items():
        # Not with_suffix: "v1.2" is a whole name.
        written.append(output / f"{file.stem}{suffix}")
        write_docs(read.aligned.docs, written[-1], to, **read.options)
        msg.good(f"{file} -> {written[-1]}")
    print_statistics({file.stem: read.aligned.docs for file, read in sources.items()})
    for file, read in sources.items():
        _print_left_out(file, read.records)
        _print_changes(file, read.records, read.aligned, None if verbose else _LISTED)
    return written


def print_statistics(corpora: Dict[str, List[Doc]]) -> None:
    """Print a table of what each corpus holds."""
    counts = {name: count_labels(docs) for name, docs in corpora.items()}
    found = dict.fromkeys(key for count in counts.values() for key in count)
    rows = [
        (f"  {label}" if label else kind, *(count[kind, label] for count in counts.values()))
        for kind, label in sorted(found, key=lambda row: (COUNTED.index(row[0]), row[1]))
    ]
    print_table(rows, ("", *counts))


def _read(
    file: Path,
    format: Optional[str],
    to: str,
    options: Sequence[str],
    nlp: Language,
    alignment: str,
    setter: Optional[Callable[[Doc], Doc]],
) -> _Source:
    write = WRITERS[to].write
    if format == docbin.NAME or (format is None and file.suffix == docbin.WRITES):
        functions = {f"reading {docbin.NAME}": _read_docs, f"writing {to}": write}
        _, write_options = parse_options(options, functions)
        return _Source(Records(), _read_docs(file, setter), write_options)
    reader = find_reader(file, format)
    functions = {f"reading {reader.NAME}": reader.read, f"writing {to}": write}
    read_options, write_options = parse_options(options, functions)
    records = read_records(file, reader.NAME, **read_options)
    aligned = align(records, nlp, DEFAULT_SPANS_KEY, alignment=alignment, sentences=setter)
    return _Source(records, aligned, write_options)


def _read_docs(file: Path, sentences: Optional[Callable[[Doc], Doc]]) -> Alignment:
    """Docs as they are: they need no aligning."""
    docs = list(read_docs([file]))
    if sentences is not None:
        docs = [doc if doc.has_annotation("SENT_START") else sentences(doc) for doc in docs]
    return Alignment(docs, [], [])


def _sources(source: Path, format: Optional[str], to: str) -> List[Path]:
    """List what is converted.

    RETURNS (List[Path]): The source itself, or the files of a folder, each brat folder in it as
        one. Of .spacy files: all and only they, if they are the format; none if .spacy files are
        to be written, as they may come from an earlier call.
    """
    if source.is_file() or _is_brat_folder(source):
        return [source]
    suffixes = sorted({suffix for module in FORMATS.values() for suffix in module.SUFFIXES})
    if format == docbin.NAME:
        suffixes = [docbin.WRITES]
    elif format is None and to != docbin.NAME:
        suffixes.append(docbin.WRITES)
    found = sorted(x for x in source.iterdir() if x.suffix in suffixes or _is_brat_folder(x))
    if format is None:
        found = [file for file in found if not _is_prose(file)]
    if not found:
        raise SourceError(Errors.E307.format(path=source, suffixes=", ".join(suffixes)))
    for left, right in pairwise(sorted(found, key=lambda file: file.stem)):
        if left.stem == right.stem:
            raise SourceError(
                Errors.E308.format(left=left, right=right, name=left.stem + WRITERS[to].WRITES)
            )
    return found


def _is_prose(path: Path) -> bool:
    """Tell a README.txt from data, and say that it is left out. Other suffixes have to be data."""
    prose = path.suffix == ".txt" and guess_format(path) is None
    if prose:
        msg.warn(f"{path} left out: it looks like none of the formats")
    return prose


def _is_brat_folder(path: Path) -> bool:
    return path.is_dir() and any(path.glob("*.ann"))


def _print_left_out(file: Path, records: Records) -> None:
    for kind, count in sorted(records.skipped.items()):
        msg.warn(f"{file}: {count:,} {kind} left out")


def _print_changes(file: Path, records: Records, aligned: Alignment, limit: Optional[int]) -> None:
    cuts, lost = aligned.cuts, aligned.lost
    if cuts:
        msg.warn(f"{file}: {len(cuts):,} entities don't begin and end where a token does")
        _print_list([f"{cut.source}: {_describe_cut(cut)}" for cut in cuts], limit)
    if lost:
        msg.warn(f"{file}: {len(lost):,} relations lost with their entities")
        described = [(x.source, _describe_relation(x, records[x.record].text)) for x in lost]
        _print_list([f"{source}: {text}" for source, text in described], limit)


def _describe_cut(cut: Cut) -> str:
    if cut.result is None:
        result = "left out"
    elif cut.result == cut.text:
        result = "token split"
    else:
        result = f"now {cut.result!r}"
    return f"{cut.label} {cut.text!r} at {cut.start}:{cut.end}: {result}"


def _describe_relation(relation: LostRelation, text: str) -> str:
    ends = (f"{text[x.start : x.end]!r} at {x.start}:{x.end}" for x in relation[2:4])
    return f"{relation.label} from {' to '.join(ends)}"


def _print_list(lines: List[str], limit: Optional[int]) -> None:
    for line in lines[:limit]:
        msg.text(f"  {line}")
    if limit is not None and len(lines) > limit:
        msg.text(f"  and {len(lines) - limit:,} more; --verbose lists all")
