"""GraphML, through networkx: entities as nodes, relations as edges, for Gephi, Cytoscape or yEd.

XML can't hold control characters: they become U+FFFD. A carriage return is read back as a line
feed.
"""

import re
from pathlib import Path
from typing import Any, Dict, Iterable, Union

from spacy.tokens import Doc

from ..formats._writing import import_optional, whole_file
from ..relations import DEFAULT_SPANS_KEY
from .facts import DEFAULT_CONTEXT
from .graph import Key, label_and_text, to_networkx

NAME = "graphml"
WRITES = ".graphml"
# All characters that the production Char of XML 1.0 leaves out
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(
    docs: Iterable[Doc],
    path: Union[str, Path],
    *,
    key: Key = label_and_text,
    lone_entities: bool = True,
    spans_key: str = DEFAULT_SPANS_KEY,
    context: int = DEFAULT_CONTEXT,
) -> None:
    """Write the graph of `to_networkx`. The arguments are those of `read_graph`.

    RAISES (ImportError): networkx is not installed.
    """
    networkx = import_optional("networkx", NAME)
    graph = to_networkx(
        docs, key=key, lone_entities=lone_entities, spans_key=spans_key, context=context
    )
    for _, attributes in graph.nodes(data=True):
        _make_writable(attributes)
    for *_, attributes in graph.edges(data=True):
        _make_writable(attributes)
    with whole_file(path) as part:
        networkx.write_graphml(graph, part)


def _make_writable(attributes: Dict[str, Any]) -> None:
    for name, value in attributes.items():
        if isinstance(value, str):
            attributes[name] = _FORBIDDEN.sub("\ufffd", value)
