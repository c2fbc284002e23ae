"""`python -m spacy jere extract`: the entities and relations of raw text, as a table."""

from pathlib import Path
from typing import Iterable, List, Tuple

import typer
from spacy.tokens import Doc, Span

from ..relations import get_relations
from ._util import command, load_pipeline, msg, print_table, read_text_lines


@command("Can't extract")
def extract_cli(
    model: str = typer.Argument(..., help="Model name or path"),
    texts: Path = typer.Argument(
        ..., help="Text file with one text a line, or - for standard input", allow_dash=True
    ),
) -> None:
    """Print the entities and relations found in raw text."""
    lines = read_text_lines(texts)  # before the pipeline is loaded, which takes its time
    print_docs(load_pipeline(model, any_source=True).pipe(lines))


def print_docs(docs: Iterable[Doc]) -> None:
    """Print each text and a table of what was found in it."""
    for doc in docs:
        msg.divider(char="-")
        msg.text(doc.text)
        print_table(table_rows(doc), ("Head", "Relation", "Tail", "Score"), aligns="llll")


def table_rows(doc: Doc) -> List[Tuple[str, str, str, str]]:
    """Make a row of each relation, then of each entity without relations."""
    relations = get_relations(doc) or ()
    related = {(end.start_char, end.end_char) for x in relations for end in (x.head, x.tail)}
    rows = [
        (_named(x.head), x.label_, _named(x.tail), "" if x.score is None else f"{x.score:.2f}")
        for x in relations
    ]
    alone = [ent for ent in doc.ents if (ent.start_char, ent.end_char) not in related]
    return rows + [(_named(ent), "", "", "") for ent in alone]


def _named(span: Span) -> str:
    return f"{span.text} ({span.label_})"
