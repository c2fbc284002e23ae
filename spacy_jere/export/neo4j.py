"""Neo4j's bulk import: `nodes.csv` and `relationships.csv` for `neo4j-admin database import full`.

Neo4j separates labels by semicolons: in an entity label a semicolon becomes an underscore.
"""

import csv
from pathlib import Path
from typing import Dict, Hashable, Iterable, Tuple, Union

from spacy.tokens import Doc

from ..formats._writing import whole_text
from ..relations import DEFAULT_SPANS_KEY
from .graph import Edge, Key, Node, edge_attributes, label_and_text, read_graph

NAME = "neo4j"
WRITES = ""
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
) -> None:
    """Write a folder. Reads the Docs one by one and holds the nodes in memory.

    The arguments are those of `read_graph`.
    """
    folder = Path(path)
    folder.mkdir(exist_ok=True)
    nodes: Dict[Hashable, Node] = {}
    parts = read_graph(docs, nodes, key=key, lone_entities=lone_entities, spans_key=spans_key)
    with (
        whole_text(folder / "nodes.csv") as nodes_file,
        whole_text(folder / "relationships.csv") as relationships_file,
    ):
        relationships = csv.writer(relationships_file)
        relationships.writerow(RELATIONSHIPS)
        relationships.writerows(_relationship(edge) for part in parts for edge in part.edges)
        table = csv.writer(nodes_file)
        table.writerow(NODES)
        table.writerows((x.id, x.text, x.label.replace(";", "_")) for x in nodes.values())


def _relationship(edge: Edge) -> Tuple[object, ...]:
    values = edge_attributes(edge.fact)
    label, score = values.pop("label"), values.pop("score", None)
    return (edge.head.id, edge.tail.id, label, *values.values(), score)
