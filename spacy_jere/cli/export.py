"""`python -m spacy jere export`: relations in .spacy files to one file: triples, a table, a graph."""

from pathlib import Path
from typing import Dict, Iterable, Iterator, List, Optional

import typer
from spacy.tokens import Doc
from wasabi import msg

from ..errors import Errors
from ..formats import WRITERS, write_docs
from ..relations import stored_relations
from ._docs import read_docs


def export_cli(
    docs: List[Path] = typer.Argument(..., help=".spacy files, or folders of them"),
    output: Path = typer.Argument(..., help="File to write; a folder for brat and neo4j"),
    to: Optional[str] = typer.Option(
        None, "--to", "-t", help=f"{', '.join(WRITERS)}; guessed from the suffix when not given"
    ),
    base: Optional[str] = typer.Option(
        None, "--base", "-b", help="What all IRIs begin with (turtle only)"
    ),
) -> None:
    """Export relations as triples, a table or a graph."""
    try:
        n_docs, n_relations = export(docs, output, to=to, base=base).values()
    except (ValueError, ImportError, OSError) as error:
        msg.fail("Can't export", str(error), exits=1)
    msg.good(f"{n_relations:,} relations of {n_docs:,} documents -> {output}")


def export(
    paths: Iterable[Path], output: Path, *, to: Optional[str] = None, base: Optional[str] = None
) -> Dict[str, int]:
    """Write the relations of .spacy files. Nothing is written where there are none.

    paths (Iterable[Path]): .spacy files, or folders of them.
    to (Optional[str]): One of WRITERS; None goes by the output's suffix.
    base (Optional[str]): What all IRIs of Turtle begin with.
    RETURNS (Dict[str, int]): How many `documents` and `relations` were read.
    RAISES (ValueError): A file that is missing or not a .spacy file, an unknown format, no relations.
    """
    options = {} if base is None else {"base": base}
    counts = {"documents": 0, "relations": 0}
    write_docs(_counted(read_docs(paths), counts), output, to, **options)
    return counts


def _counted(docs: Iterable[Doc], counts: Dict[str, int]) -> Iterator[Doc]:
    # An error after the last Doc makes the writer leave no file.
    for doc in docs:
        counts["documents"] += 1
        counts["relations"] += len(stored_relations(doc) or ())
        yield doc
    if not counts["relations"]:
        raise ValueError(Errors.E323.format(n=counts["documents"]))
