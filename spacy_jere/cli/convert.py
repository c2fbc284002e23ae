"""`python -m spacy jere convert`: annotated files to spaCy's .spacy files, or to another format, file by file."""

from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple

import spacy
import typer
from spacy.tokens import Doc
from wasabi import msg

from ..errors import Errors
from ..formats import (
    ALIGNMENTS,
    FORMATS,
    WRITERS,
    Alignment,
    Cut,
    LostRelation,
    Records,
    SourceError,
    align,
    docbin,
    find_writer,
    guess_format,
    make_sentence_setter,
    read_records,
    write_docs,
)
from ..relations import DEFAULT_SPANS_KEY
from ._docs import read_docs

# How many entities that cut a token, and lost relations, are listed unless all are asked for
_LISTED = 20
_COUNTED = ("texts", "tokens", "entities", "relations")


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
    discontinuous: Optional[str] = typer.Option(
        None, "--discontinuous", help="brat: cover, first or skip; how to read entities with gaps"
    ),
    ends: Optional[str] = typer.Option(
        None, "--ends", help="hf: exclusive or inclusive; what the end of an entity means"
    ),
    text_key: Optional[str] = typer.Option(
        None, "--text-key", help="label_studio: where a task has its text, if not under 'text'"
    ),
    base: Optional[str] = typer.Option(
        None, "--base", "-b", help="turtle: what all IRIs begin with"
    ),
    verbose: bool = typer.Option(False, "--verbose", "-V", help="List all that was changed"),
) -> None:
    """Convert annotated texts and print what is in them."""
    options = {"discontinuous": discontinuous, "ends": ends, "text_key": text_key}
    try:
        convert(
            source,
            output,
            format=format,
            to=to,
            lang=lang,
            alignment=alignment,
            sentences=sentences,
            write_options={} if base is None else {"base": base},
            verbose=verbose,
            **{key: value for key, value in options.items() if value is not None},
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
    write_options: Optional[Dict[str, Any]] = None,
    verbose: bool = False,
    **options: Any,
) -> List[Path]:
    """Write one file for each file or brat folder; nothing is written unless all can be read.

    source (Path): A file, or a folder whose files and brat folders are read. Its .spacy files are, too, where another format
        is written, and they alone, if they are the format.
    format (Optional[str]): One of FORMATS, or "spacy"; None guesses it from the content.
    to (str): One of WRITERS.
    lang (str): The language whose tokenizer finds the tokens of texts that bring none.
    alignment (str): What to do with an entity that cuts a token; as in `align`.
    sentences (Optional[str]): Sets sentence boundaries where there are none; as in `make_sentence_setter`.
    write_options (Optional[Dict[str, Any]]): Passed on to the writer.
    verbose (bool): List every entity that cuts a token and every lost relation, not only the first ones.
    options: Passed on to the reader.
    RETURNS (List[Path]): What was written.
    RAISES (SourceError): A file that can't be read.
    """
    suffix = find_writer(output, to).WRITES
    setter = None if sentences is None else make_sentence_setter(sentences, lang)
    nlp = spacy.blank(lang)
    found: Dict[Path, Records] = {}
    corpora: Dict[Path, Alignment] = {}
    for file in _sources(source, format, to):
        if format == docbin.NAME or (format is None and file.suffix == docbin.WRITES):
            found[file], corpora[file] = Records(), _read_docs(file, setter, options)
        else:
            found[file] = read_records(file, format, **options)
            corpora[file] = align(
                found[file], nlp, DEFAULT_SPANS_KEY, alignment=alignment, sentences=setter
            )
    written = []
    for file, (docs, _, _) in corpora.items():
        # Not with_suffix: "v1.2" is a whole name.
        written.append(output / f"{file.stem}{suffix}")
        write_docs(docs, written[-1], to, **(write_options or {}))
        msg.good(f"{file} -> {written[-1]}")
    print_statistics({file.stem: aligned.docs for file, aligned in corpora.items()})
    for file, aligned in corpora.items():
        _print_left_out(file, found[file])
        _print_changes(file, found[file], aligned, None if verbose else _LISTED)
    return written


def print_statistics(corpora: Dict[str, List[Doc]]) -> None:
    """Print a table of what each corpus holds."""
    counts = {name: count_labels(docs) for name, docs in corpora.items()}
    rows = dict.fromkeys(key for count in counts.values() for key in count)
    table = [
        (f"  {label}" if label else kind, *(f"{count[kind, label]:,}" for count in counts.values()))
        for kind, label in sorted(rows, key=lambda row: (_COUNTED.index(row[0]), row[1]))
    ]
    msg.table(table, header=("", *counts), aligns=("l", *("r" for _ in counts)), divider=True)


def count_labels(docs: List[Doc]) -> "Counter[Tuple[str, str]]":
    """RETURNS (Counter[Tuple[str, str]]): Texts, tokens, entities and relations, in all (the label is empty) and by label."""
    counts: Counter[Tuple[str, str]] = Counter({(kind, ""): 0 for kind in _COUNTED})
    for doc in docs:
        entities = [span.label_ for span in doc.spans.get(DEFAULT_SPANS_KEY, doc.ents)]
        relations = [relation.label_ for relation in doc._.relations or ()]
        counts["texts", ""] += 1
        counts["tokens", ""] += len(doc)
        for kind, labels in (("entities", entities), ("relations", relations)):
            counts[kind, ""] += len(labels)
            counts.update((kind, label) for label in labels)
    return counts


def _read_docs(
    file: Path, sentences: Optional[Callable[[Doc], Doc]], options: Dict[str, Any]
) -> Alignment:
    """Docs as they are: they need no aligning."""
    if options:
        option, known = next(iter(options)), "no options"
        raise SourceError(Errors.E313.format(format=docbin.NAME, option=option, known=known))
    docs = list(read_docs([file]))
    if sentences is not None:
        docs = [doc if doc.has_annotation("SENT_START") else sentences(doc) for doc in docs]
    return Alignment(docs, [], [])


def _sources(source: Path, format: Optional[str], to: str) -> List[Path]:
    """The files of a folder, each brat folder in it as one; or the source itself."""
    if source.is_file() or _is_brat_folder(source):
        return [source]
    suffixes = sorted({suffix for module in FORMATS.values() for suffix in module.SUFFIXES})
    if format == docbin.NAME:
        suffixes = [docbin.WRITES]
    elif format is None and to != docbin.NAME:  # else they are what an earlier call wrote there
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
    """A README.txt beside the data is left out, and said to be. A file with any other suffix has to be data."""
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
