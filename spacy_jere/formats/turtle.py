"""RDF in Turtle: each relation as a triple, and as a statement that says where it was read.

Entities, their types and relation labels get IRIs under a base; provenance is said in RDF reification, PROV-O (a statement
`prov:wasDerivedFrom` a passage and the two mentions in it), NIF (places in a document, with their characters) and ITS RDF (the
entity and type of a mention, the confidence of a statement). Written line by line, so that no graph is held in memory.
"""

import json
import re
from pathlib import Path
from typing import Dict, Hashable, Iterable, Iterator, Optional, Set, Union
from urllib.parse import quote

from spacy.tokens import Doc, Span

from ..errors import Errors
from .graph import DocGraph, Edge, Key, Node, label_and_text, read_graph
from .sink import whole_text

NAME = "turtle"
SUFFIX = ".ttl"
_PREFIXES = """\
@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
@prefix dcterms: <http://purl.org/dc/terms/> .
@prefix prov: <http://www.w3.org/ns/prov#> .
@prefix nif: <http://persistence.uni-leipzig.org/nlp2rdf/ontologies/nif-core#> .
@prefix itsrdf: <http://www.w3.org/2005/11/its/rdf#> .
"""
_BASE = re.compile(r'[A-Za-z][A-Za-z0-9+.-]*:[^\x00-\x20<>"{}|^`\\#?]*(?<=[/:])')


def write(
    docs: Iterable[Doc],
    path: Union[str, Path],
    *,
    base: str = "http://example.org/",
    key: Key = label_and_text,
    lone_entities: bool = True,
    spans_key: str = "joint_ner_re",
) -> None:
    """Write the entities and relations of Docs. Reads the Docs one by one.

    base (str): What all IRIs of entities, types, relations and documents begin with; it ends in '/' or ':'.
    key (Callable[[Span], Hashable]): Mentions with the same key are one entity. Its IRI is made of the key, of the parts
        of a tuple one after another: entity/PERSON/Ada.
    lone_entities (bool): Also entities that are in no relation.
    spans_key (str): The key of `doc.spans` that holds entities beside doc.ents.
    RAISES (ValueError): The base can't begin an IRI.
    """
    if not _BASE.fullmatch(base):
        raise ValueError(Errors.E321.format(base=base))
    nodes: Dict[Hashable, Node] = {}
    parts = read_graph(docs, nodes, key=key, lone_entities=lone_entities, spans_key=spans_key)
    writer = _Statements(base)
    with whole_text(path) as file:
        file.write(_PREFIXES)
        for part in parts:
            file.writelines(writer.document(part))
        file.writelines(writer.entities(nodes.values()))


class _Statements:
    """Turns parts of the graph into lines of Turtle.

    base (str): What all IRIs begin with.
    """

    def __init__(self, base: str):
        self.base = base
        self.relations: Set[str] = set()
        self.n_statements = 0

    def document(self, part: DocGraph) -> Iterator[str]:
        """RETURNS (Iterator[str]): The places of a document that are spoken of, and its relations."""
        if not part.mentions:
            return
        document = self._iri("document", part.document)
        yield f"\n{document} a nif:Context ; dcterms:identifier {_literal(part.document)} .\n"
        spans = {_place(document, span): span for span, _ in part.mentions}
        passages = (edge.fact.passage for edge in part.edges)
        spans.update({_place(document, span): span for span in passages})
        for place, span in spans.items():
            yield (
                f"{place} a nif:OffsetBasedString ; nif:anchorOf {_literal(span.text)} ; "
                f"nif:beginIndex {_offset(span.start_char)} ; nif:endIndex {_offset(span.end_char)} ; "
                f"nif:referenceContext {document} .\n"
            )
        for span, node in part.mentions:
            yield (
                f"{_place(document, span)} itsrdf:taIdentRef {self._entity(node)} ; "
                f"itsrdf:taClassRef {self._iri('type', span.label_)} .\n"
            )
        for edge in part.edges:
            yield from self._edge(edge, document)

    def _edge(self, edge: Edge, document: str) -> Iterator[str]:
        label, score = edge.fact.label, edge.fact.score
        head, tail = self._entity(edge.head), self._entity(edge.tail)
        relation = self._iri("relation", label)
        if label not in self.relations:
            self.relations.add(label)
            yield f"{relation} a rdf:Property ; rdfs:label {_literal(label)} .\n"
        places = (edge.fact.passage, edge.fact.head, edge.fact.tail)
        sources = ", ".join(_place(document, x) for x in places)
        yield f"{head} {relation} {tail} .\n"
        yield (
            f"{self._iri('statement', str(self.n_statements))} a rdf:Statement ; rdf:subject {head} ; "
            f"rdf:predicate {relation} ; rdf:object {tail} ; prov:wasDerivedFrom {sources}"
            f"{_confidence(score)} .\n"
        )
        self.n_statements += 1

    def entities(self, nodes: Iterable[Node]) -> Iterator[str]:
        """RETURNS (Iterator[str]): Types and names of the entities."""
        yield "\n"
        for node in nodes:
            type_iri = self._iri("type", node.label)
            yield f"{self._entity(node)} a {type_iri} ; rdfs:label {_literal(node.text)} .\n"

    def _entity(self, node: Node) -> str:
        parts = node.key if isinstance(node.key, tuple) else (node.key,)
        return self._iri("entity", *map(str, parts))

    def _iri(self, *parts: str) -> str:
        return f"<{self.base}{'/'.join(quote(part, safe='') for part in parts)}>"


def _place(document: str, span: Span) -> str:
    """RETURNS (str): The document's IRI with the fragment that RFC 5147 gives these characters."""
    return f"{document[:-1]}#char={span.start_char},{span.end_char}>"


def _literal(text: str) -> str:
    # The escapes of a JSON string are a part of those of a Turtle string, with the same meaning.
    return json.dumps(text, ensure_ascii=False)


def _offset(number: int) -> str:
    return f'"{number}"^^xsd:nonNegativeInteger'


def _confidence(score: Optional[float]) -> str:
    return "" if score is None else f' ; itsrdf:taConfidence "{score!r}"^^xsd:double'
