"""Neo4j's bulk import: `nodes.csv` and `relationships.csv` for `neo4j-admin database import full`.

Neo4j separates labels by semicolons: in an entity label a semicolon becomes an underscore.
"""

import csv
from pathlib import Path
from typing import Dict, Hashable, Iterable, Tuple, Union

from spacy.tokens import Doc

from ..formats._writing import whole_folder
from ..relations import DEFAULT_SPANS_KEY
from .csv_table import without_formulas
from .facts import DEFAULT_CONTEXT
from .graph import Edge, Key, Node, edge_attributes, label_and_text, read_graph

NAME = "neo4j"
WRITES = ""
_FILES = ("nodes.csv", "relationships.csv")
NODES = ("id:ID", "text", ":LABEL")
RELATIONSHIPS = (
    ":START_ID",
    ":END_ID",
    ":TYPE",
    "document",
    "sentence",
    "head_start:int",
    "head_end:int",
    "tail_start:int",
    "tail_end:int",
    "score:double",
)


def write(
    docs: Iterable[Doc],
    path: Union[str, Path],
    *,
    key: Key = label_and_text,
    lone_entities: bool = True,
    spans_key: str = DEFAULT_SPANS_KEY,
    context: int = DEFAULT_CONTEXT,
    raw: bool = False,
    force: bool = False,
) -> None:
    """Write a folder. Reads the Docs one by one and holds the nodes in memory.

    The arguments are those of `read_graph`, and:

    raw (bool): Leave texts as they are that a spreadsheet would take for formulas.
    force (bool): Write into a folder that holds other things, which stay.
    RAISES (SourceError): The folder holds other things, and it is not forced.
    """
    nodes: Dict[Hashable, Node] = {}
    parts = read_graph(
        docs,
        nodes,
        key=key,
        lone_entities=lone_entities,
        spans_key=spans_key,
        context=context,
    )
    edges = (edge for part in parts for edge in part.edges)
    with whole_folder(path, own=is_own, force=force) as folder:
        _write_table(folder / _FILES[1], RELATIONSHIPS, map(_relationship, edges), raw)
        found = ((x.id, x.text, x.label.replace(";", "_")) for x in nodes.values())
        _write_table(folder / _FILES[0], NODES, found, raw)


def is_own(path: Path) -> bool:
    """RETURNS (bool): Whether `write` may have written a file."""
    return path.name in _FILES


def _write_table(
    path: Path, header: Tuple[str, ...], rows: Iterable[Tuple[object, ...]], raw: bool
) -> None:
    with path.open("w", encoding="utf8", newline="") as file:
        table = csv.writer(file)
        table.writerow(header)
        table.writerows(rows if raw else map(without_formulas, rows))


def _relationship(edge: Edge) -> Tuple[object, ...]:
    values = edge_attributes(edge.fact)
    label, score = values.pop("label"), values.pop("score", None)
    return (edge.head.id, edge.tail.id, label, *values.values(), score)
