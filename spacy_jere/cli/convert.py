"""`python -m spacy jere convert`: annotated files to .spacy files, or to another format."""

from pathlib import Path
from types import ModuleType
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

import spacy
import typer
from spacy.language import Language
from spacy.tokens import Doc

from ..errors import Errors
from ..export import WRITERS, find_writer, write_docs
from ..formats import (
    ALIGNMENTS,
    FORMATS,
    ON_ERROR,
    Alignment,
    OptionError,
    Records,
    SourceError,
    align,
    brat,
    docbin,
    find_reader,
    guess_format,
    load_records,
    make_sentence_setter,
    nothing_read,
)
from ..formats._compression import plain_name
from ..formats._faults import LISTED, as_one, check_choice, collect_faults, list_faults
from ..formats._labels import map_docs, parse_label_map, unused_labels
from ..formats._options import list_options, parse_options
from ..formats._standoff import holds_texts
from ..formats._writing import check_output, whole_folder
from ..formats.rel_component import adopt_relations
from ..formats.to_docs import count_doubles
from ..relations import DEFAULT_SPANS_KEY
from ._conversion_report import print_records, print_statistics
from ._util import command, msg, progress, read_docs

_OPTIONS = list_options(
    [
        *((name, module.read) for name, module in FORMATS.items()),
        *((name, module.write) for name, module in WRITERS.items()),
    ]
)


class Settings(NamedTuple):
    """How sources are read. The arguments of `convert`, most of them parsed."""

    format: Optional[str]
    to: str
    nlp: Language
    alignment: str
    sentences: Optional[Callable[[Doc], Doc]]
    options: Sequence[str]
    labels: Dict[str, str]


class Source(NamedTuple):
    """A file that was read.

    records: What the reader found; empty for a .spacy file, which has Docs.
    options: The options that are left for the writer.
    used: The labels that were found of those to map.
    """

    records: Records
    aligned: Alignment
    options: Dict[str, Any]
    used: Set[str]


@command("Can't convert")
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
    on_error: str = typer.Option(
        ON_ERROR[0],
        "--on-error",
        help="What to do with faulty texts: stop and list them, or skip and list them",
    ),
    map_labels: List[str] = typer.Option(
        [],
        "--map-labels",
        "-m",
        metavar="OLD=NEW,…",
        help="Rename labels of entities and relations; OLD= drops a label. Repeatable",
    ),
    options: List[str] = typer.Option(
        [],
        "--set",
        metavar="NAME=VALUE",
        help=f"Set an option of a format; repeatable. Options: {_OPTIONS}",
    ),
    force: bool = typer.Option(
        False, "--force", help="Write into a folder that holds other things; they stay"
    ),
    verbose: bool = typer.Option(False, "--verbose", "-V", help="List all that was changed"),
) -> None:
    """Convert annotated texts and print what is in them."""
    convert(
        source,
        output,
        format=format,
        to=to,
        lang=lang,
        alignment=alignment,
        sentences=sentences,
        on_error=on_error,
        map_labels=parse_label_map(map_labels),
        options=options,
        force=force,
        verbose=verbose,
    )


def convert(
    source: Path,
    output: Path,
    *,
    format: Optional[str] = None,
    to: str = docbin.NAME,
    lang: str = "en",
    alignment: str = "split",
    sentences: Optional[str] = None,
    on_error: str = "stop",
    map_labels: Optional[Dict[str, str]] = None,
    options: Sequence[str] = (),
    force: bool = False,
    verbose: bool = False,
) -> List[Path]:
    """Write one file for each file or brat folder. All appear together at the end.

    source (Path): A file, or a folder whose files and brat folders are read. Its .spacy files are
        read where another format is written; with the format "spacy" they alone are read.
    format (Optional[str]): One of FORMATS, or "spacy"; None guesses it for each file.
    to (str): One of WRITERS.
    lang (str): The language whose tokenizer finds the tokens of texts that bring none.
    alignment (str): What to do with an entity that cuts a token; as in `align`.
    sentences (Optional[str]): Sets sentence boundaries where there are none; as in
        `make_sentence_setter`.
    on_error (str): "stop" writes nothing unless all can be read, and raises an error that lists the
        faults of all files. "skip" leaves faulty texts and files out and lists them.
    map_labels (Optional[Dict[str, str]]): New names of labels; as in `read_records`.
    options (Sequence[str]): Options of the formats, each as `name=value`. An option goes to the
        reader if it has it, else to the writer.
    force (bool): Write into a folder that holds other things.
    verbose (bool): List every fault, every entity that cuts a token and every lost relation.
    RETURNS (List[Path]): What was written.
    RAISES (SourceError): A file that can't be read, an option that a file can't be read or written
        with, or an output that is a source, holds other things or can't be written.
    """
    check_choice("on_error", on_error, ON_ERROR)
    check_choice("alignment", alignment, ALIGNMENTS)
    writer = find_writer(output, to)
    setter = None if sentences is None else make_sentence_setter(sentences, lang)
    labels = map_labels or {}
    settings = Settings(format, to, spacy.blank(lang), alignment, setter, options, labels)
    targets = {file: output / name for name, file in _find_sources(source, format, to).items()}
    _check_outputs(source, targets, writer, force)
    listed = None if verbose else LISTED
    sources, faults = _read_all(list(targets), settings)
    if faults and (on_error == "stop" or not sources):
        raise as_one(faults, listed)
    with whole_folder(output, shared=True, force=force) as part:
        for file, read in sources.items():
            write_docs(read.aligned.docs, part / targets[file].name, to, **read.options)
    for file in sources:
        msg.good(f"{file} -> {targets[file]}")
    print_statistics({_name(file): read.aligned.docs for file, read in sources.items()})
    for file, read in sources.items():
        print_records(file, read.records, read.aligned, listed)
    used = {label for read in sources.values() for label in read.used}
    for note in unused_labels(labels, used):
        msg.warn(note)
    if faults:
        msg.warn(f"{len(faults):,} faults: the texts or files were left out")
        msg.text("\n".join(list_faults(faults, listed)))
    return [targets[file] for file in sources]


# Reading


def _read_all(
    files: Sequence[Path], settings: Settings
) -> Tuple[Dict[Path, Source], List[SourceError]]:
    """RETURNS (Tuple[Dict[Path, Source], List[SourceError]]): The files that could be read, and all
    faults of them and of the others."""
    sources: Dict[Path, Source] = {}
    faults: List[SourceError] = []
    for file in files:
        try:
            read = _read(file, settings)
            faults += read.records.faults
            if read.aligned.docs or not read.records.faults:
                sources[file] = read
        except OptionError:
            raise
        except SourceError as fault:
            faults.append(fault)
    return sources, faults


def _read(file: Path, settings: Settings) -> Source:
    is_docs = settings.format is None and file.suffix == docbin.WRITES
    if is_docs or settings.format == docbin.NAME:
        return _read_docs(file, settings)
    reader = find_reader(file, settings.format)
    write = WRITERS[settings.to].write
    functions = {f"reading {reader.NAME}": reader.read, f"writing {settings.to}": write}
    read_options, write_options = parse_options(settings.options, functions)
    records, used = load_records(file, reader, read_options, settings.labels)
    with collect_faults() as faults:
        aligned = align(
            progress(records, len(records)),
            settings.nlp,
            DEFAULT_SPANS_KEY,
            alignment=settings.alignment,
            sentences=settings.sentences,
        )
    records.faults += faults
    if not (aligned.docs or records.faults):
        raise nothing_read(file, records)
    doubles = zip(count_doubles(records), ("entities", "relations"))
    records.changed.update({f"identical {kind} read as one": n for n, kind in doubles if n})
    return Source(records, aligned, write_options, used)


def _read_docs(file: Path, settings: Settings) -> Source:
    """Docs as they are: they need no aligning."""
    functions: Dict[str, Callable[..., Any]] = {
        f"reading {docbin.NAME}": _read_docs,
        f"writing {settings.to}": WRITERS[settings.to].write,
    }
    _, write_options = parse_options(settings.options, functions)
    records = Records()
    try:
        docs = list(adopt_relations(progress(read_docs([file])), records.skipped))
    except ValueError as error:
        raise SourceError(str(error)) from error
    if settings.sentences is not None:
        add = settings.sentences
        docs = [doc if doc.has_annotation("SENT_START") else add(doc) for doc in docs]
    used = map_docs(docs, settings.labels, records.skipped) if settings.labels else set()
    return Source(records, Alignment(docs, [], []), write_options, used)


# Files


def _find_sources(source: Path, format: Optional[str], to: str) -> Dict[str, Path]:
    """Find what is converted.

    RETURNS (Dict[str, Path]): The source itself, or the files of a folder, each brat folder in it
        as one, under the names of the files to be written. Of .spacy files: all and only they, if
        they are the format; none if .spacy files are to be written, as they may come from an
        earlier call.
    """
    names: Dict[str, Path] = {}
    for file in _list_sources(source, format, to):
        name = f"{_name(file)}{WRITERS[to].WRITES}"
        if name in names:
            raise SourceError(Errors.E308.format(left=names[name], right=file, name=name))
        names[name] = file
    return names


def _list_sources(source: Path, format: Optional[str], to: str) -> List[Path]:
    if source.is_file():
        return [source]
    suffixes = _suffixes(format, to)
    children = sorted(x for x in source.iterdir() if not x.name.startswith("."))
    files = [x for x in children if x.is_file() and plain_name(x).suffix.lower() in suffixes]
    if format in (None, brat.NAME) and holds_texts(source, nested=False):
        others = [x for x in files if x.suffix.lower() not in (".txt", *brat.SUFFIXES)]
        _warn_of(others, f"left out: {source} is a brat folder")
        return [source]
    folders = [x for x in children if x.is_dir()]
    read = [x for x in folders if format in (None, brat.NAME) and holds_texts(x)]
    _warn_of([x for x in folders if x not in read], "left out: only brat folders are read")
    if format is None:
        files = [file for file in files if not _is_prose(file)]
    if not (read or files):
        raise SourceError(Errors.E307.format(path=source, suffixes=", ".join(suffixes)))
    return sorted([*read, *files])


def _suffixes(format: Optional[str], to: str) -> List[str]:
    if format == docbin.NAME:
        return [docbin.WRITES]
    suffixes = sorted({suffix for module in FORMATS.values() for suffix in module.SUFFIXES})
    return [*suffixes, docbin.WRITES] if format is None and to != docbin.NAME else suffixes


def _name(path: Path) -> str:
    """RETURNS (str): The name of a file without its suffix, or of a folder."""
    # Of a folder "v1.2" is the whole name, and "." has none.
    return path.resolve().name if path.is_dir() else plain_name(path).stem


def _is_prose(path: Path) -> bool:
    """Tell a README.txt from data, and say that it is left out. Other suffixes have to be data."""
    try:
        prose = path.suffix.lower() == ".txt" and guess_format(path) is None
    except SourceError:
        return False  # the reader will say why
    if prose:
        msg.warn(f"{path} left out: it looks like none of the formats")
    return prose


def _warn_of(paths: Sequence[Path], reason: str) -> None:
    for path in paths[:LISTED]:
        msg.warn(f"{path} {reason}")
    if len(paths) > LISTED:
        msg.warn(f"{len(paths) - LISTED:,} more {reason}")


def _check_outputs(
    source: Path, targets: Dict[Path, Path], writer: ModuleType, force: bool
) -> None:
    """RAISES (SourceError): A file to be written is read, would be read the next time, holds other
    things, or can't be written."""
    is_folder = not writer.WRITES
    reads = [x for module in FORMATS.values() for x in module.SUFFIXES]
    for file, target in targets.items():
        sources = [file] if source == file else [file, *([source] if target.exists() else [])]
        check_output(
            target,
            sources,
            reads=reads if source.is_dir() else None,
            folder=is_folder,
            own=getattr(writer, "is_own", None),
            force=force,
        )
