"""Node-link JSON, through networkx, for D3 and `networkx.node_link_graph`.

{"nodes": […], "edges": […], …}
"""

import json
from pathlib import Path
from typing import Iterable, Union

from spacy.tokens import Doc

from ..formats._writing import import_optional, whole_text
from ..relations import DEFAULT_SPANS_KEY
from .facts import DEFAULT_CONTEXT
from .graph import Key, label_and_text, to_networkx

NAME = "node_link"
WRITES = ".json"


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
    with whole_text(path) as file:
        file.write(json.dumps(networkx.node_link_data(graph, edges="edges"), ensure_ascii=False))
