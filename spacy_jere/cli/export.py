"""`python -m spacy jere export`: relations of .spacy files to triples, a table or a graph."""

from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Optional

import typer
from spacy.tokens import Doc

from ..errors import Errors
from ..export import WRITERS, find_writer, write_docs
from ..formats import docbin
from ..formats._options import list_options, option_types, parse_options
from ..formats._writing import check_output
from ..relations import stored_relations
from ._util import command, msg, progress, read_docs

_OPTIONS = list_options((name, module.write) for name, module in WRITERS.items())


@command("Can't export")
def export_cli(
    docs: List[Path] = typer.Argument(..., help=".spacy files, or folders of them"),
    output: Path = typer.Argument(..., help="File to write; a folder for brat and neo4j"),
    to: Optional[str] = typer.Option(
        None, "--to", "-t", help=f"{', '.join(WRITERS)}; guessed from the suffix when not given"
    ),
    options: List[str] = typer.Option(
        [],
        "--set",
        metavar="NAME=VALUE",
        help=f"Set an option of the format; repeatable. Options: {_OPTIONS}",
    ),
    raw: bool = typer.Option(
        False, "--raw", help="Leave texts of CSV files as they are that may be formulas"
    ),
    force: bool = typer.Option(
        False, "--force", help="Write into a folder that holds other things; they stay"
    ),
) -> None:
    """Export relations as triples, a table or a graph."""
    writer = find_writer(output, to)
    given = [*options, *(["raw=true"] if raw else [])]
    # Only folders can hold other things.
    if force and "force" in option_types(writer.write):
        given.append("force=true")
    (parsed,) = parse_options(given, {f"writing {writer.NAME}": writer.write})
    n_docs, n_relations = export(docs, output, to=to, **parsed).values()
    msg.good(f"{n_relations:,} relations of {n_docs:,} documents -> {output}")


def export(
    paths: Iterable[Path], output: Path, *, to: Optional[str] = None, **options: Any
) -> Dict[str, int]:
    """Write the relations of .spacy files. Nothing is written where there are none.

    paths (Iterable[Path]): .spacy files, or folders of them.
    to (Optional[str]): One of WRITERS; None goes by the output's suffix.
    options: Passed on to the `write` of the format.
    RETURNS (Dict[str, int]): The numbers of `documents` and `relations` that were read.
    RAISES (ValueError): A file that is missing or not a .spacy file, an unknown format or option,
        no relations, or an output that is a source, holds other things or can't be written.
    """
    paths = list(paths)
    writer = find_writer(output, to)
    check_output(
        output,
        paths,
        reads=(docbin.WRITES,) if writer is docbin else None,
        folder=not writer.WRITES,
        own=getattr(writer, "is_own", None),
        force=options.get("force", False),
    )
    counts = {"documents": 0, "relations": 0}
    write_docs(_counted(progress(read_docs(paths)), counts), output, to, **options)
    return counts


def _counted(docs: Iterable[Doc], counts: Dict[str, int]) -> Iterator[Doc]:
    # An error after the last Doc makes the writer leave no file.
    for doc in docs:
        counts["documents"] += 1
        counts["relations"] += len(stored_relations(doc) or ())
        yield doc
    if not counts["relations"]:
        raise ValueError(Errors.E323.format(n=counts["documents"]))
