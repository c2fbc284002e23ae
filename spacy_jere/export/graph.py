"""A graph of entities: mentions of many Docs become nodes, relations edges with their source."""

from typing import Any, Callable, Dict, Hashable, Iterable, Iterator, List, NamedTuple, Tuple

from spacy.tokens import Doc, Span

from ..formats._writing import import_optional
from ..relations import DEFAULT_SPANS_KEY, mention, scored_entities
from .facts import DEFAULT_CONTEXT, Fact, doc_facts, document_id

Key = Callable[[Span], Hashable]


class Node(NamedTuple):
    """An entity: all mentions with one key.

    id: "n" and a number.
    key: The key that its mentions have in common.
    text, label: Those of its first mention.
    """

    id: str
    key: Hashable
    text: str
    label: str


class Edge(NamedTuple):
    """A relation between two nodes, with the one place where it was read."""

    head: Node
    tail: Node
    fact: Fact


class DocGraph(NamedTuple):
    """The part of one Doc in the graph.

    document: The id of the Doc.
    mentions: Its entities, by position, each with its node.
    edges: Its relations.
    """

    document: str
    mentions: List[Tuple[Span, Node]]
    edges: List[Edge]


def label_and_text(span: Span) -> Tuple[str, str]:
    """The default key: mentions with the same label and text are one entity."""
    return span.label_, span.text


def read_graph(
    docs: Iterable[Doc],
    nodes: Dict[Hashable, Node],
    *,
    key: Key,
    lone_entities: bool,
    spans_key: str,
    context: int,
) -> Iterator[DocGraph]:
    """Read Docs one by one.

    nodes (Dict[Hashable, Node]): Filled with the nodes, by their keys, while the Docs are read.
    key (Callable[[Span], Hashable]): Mentions with the same key are one node.
    lone_entities (bool): Whether entities without relations become nodes.
    spans_key (str): The key of `doc.spans` that holds entities beside doc.ents.
    context (int): The greatest number of tokens that are shown around the ends of a relation.
    RETURNS (Iterator[DocGraph]): The part of each Doc.
    """
    for number, doc in enumerate(docs):
        document = document_id(doc, number)
        facts = list(doc_facts(doc, document, context))
        spans = [span for fact in facts for span in (fact.head, fact.tail)]
        if lone_entities:
            spans += [span for span, _ in scored_entities(doc, spans_key)]
        by_mention = {mention(span): span for span in sorted(spans, key=mention)}
        found = {x: _node(nodes, key, span) for x, span in by_mention.items()}
        edges = [Edge(found[mention(x.head)], found[mention(x.tail)], x) for x in facts]
        yield DocGraph(document, list(zip(by_mention.values(), found.values())), edges)


def to_networkx(
    docs: Iterable[Doc],
    *,
    key: Key = label_and_text,
    lone_entities: bool = True,
    spans_key: str = DEFAULT_SPANS_KEY,
    context: int = DEFAULT_CONTEXT,
) -> Any:
    """Make a networkx graph of the entities and relations of Docs.

    The arguments are those of `read_graph`.

    RETURNS (networkx.MultiDiGraph): Nodes have `text` and `label`. There is an edge for each place
        where a relation was read, with the attributes of `edge_attributes`.
    RAISES (ImportError): networkx is not installed.
    """
    networkx = import_optional("networkx", "networkx")
    graph = networkx.MultiDiGraph()
    nodes: Dict[Hashable, Node] = {}
    parts = read_graph(
        docs,
        nodes,
        key=key,
        lone_entities=lone_entities,
        spans_key=spans_key,
        context=context,
    )
    for number, edge in enumerate(edge for part in parts for edge in part.edges):
        # A key of its own for each edge: GraphML uses it as the id, which is unique in a file.
        attributes = edge_attributes(edge.fact)
        graph.add_edge(edge.head.id, edge.tail.id, key=f"e{number}", **attributes)
    for node in nodes.values():
        graph.add_node(node.id, text=node.text, label=node.label)
    return graph


def edge_attributes(fact: Fact) -> Dict[str, Any]:
    """Describe an edge.

    RETURNS (Dict[str, Any]): `label`, `document`, `sentence`, the characters `head_start`,
        `head_end`, `tail_start` and `tail_end`, and `score`, if there is one.
    """
    attributes: Dict[str, Any] = {
        "label": fact.label,
        "document": fact.document,
        "sentence": fact.sentence,
        "head_start": fact.head.start_char,
        "head_end": fact.head.end_char,
        "tail_start": fact.tail.start_char,
        "tail_end": fact.tail.end_char,
    }
    if fact.score is not None:
        attributes["score"] = fact.score
    return attributes


def _node(nodes: Dict[Hashable, Node], key: Key, span: Span) -> Node:
    value = key(span)
    if value not in nodes:
        nodes[value] = Node(f"n{len(nodes)}", value, span.text, span.label_)
    return nodes[value]
