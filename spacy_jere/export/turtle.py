"""RDF in Turtle, through rdflib: each relation is a triple, and a statement with its provenance.

Entities, their types and relation labels get IRIs under a base. Provenance uses these vocabularies:

* RDF reification: a relation as a statement.
* PROV-O: a statement `prov:wasDerivedFrom` a passage and the two mentions in it.
* NIF: places in a document, with their characters.
* ITS RDF: the entity and type of a mention, the confidence of a statement.

Triples are written as they come, subject by subject. rdflib's own serializer needs all of them in
memory: gigabytes, and minutes, for 100,000 relations.
"""

import re
from collections import Counter
from itertools import groupby
from pathlib import Path
from typing import Any, Dict, Hashable, Iterable, Iterator, Set, Tuple, Union
from urllib.parse import quote

from spacy.tokens import Doc, Span

from ..errors import Errors
from ..formats._writing import import_optional, whole_text
from ..relations import DEFAULT_SPANS_KEY
from .facts import DEFAULT_CONTEXT
from .graph import DocGraph, Edge, Key, Node, label_and_text, read_graph

NAME = "turtle"
WRITES = ".ttl"
_PREFIXES = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "dcterms": "http://purl.org/dc/terms/",
    "prov": "http://www.w3.org/ns/prov#",
    "nif": "http://persistence.uni-leipzig.org/nlp2rdf/ontologies/nif-core#",
    "itsrdf": "http://www.w3.org/2005/11/its/rdf#",
}
_BASE = re.compile(r'[A-Za-z][A-Za-z0-9+.-]*:[^\x00-\x20<>"{}|^`\\#?]*(?<=[/:])')
# Subject, predicate and object: rdflib's URIRef and Literal
Triple = Tuple[Any, Any, Any]


def write(
    docs: Iterable[Doc],
    path: Union[str, Path],
    *,
    base: str = "http://example.org/",
    key: Key = label_and_text,
    lone_entities: bool = True,
    spans_key: str = DEFAULT_SPANS_KEY,
    context: int = DEFAULT_CONTEXT,
) -> None:
    """Write the triples of `to_rdflib`, with its arguments. Reads the Docs one by one.

    RAISES (ImportError): rdflib is not installed.
    RAISES (ValueError): The base can't begin an IRI.
    """
    writer = _Triples(base)
    triples = writer.all(
        docs, key=key, lone_entities=lone_entities, spans_key=spans_key, context=context
    )
    with whole_text(path) as file:
        file.writelines(f"@prefix {prefix}: <{iri}> .\n" for prefix, iri in _PREFIXES.items())
        for _, of_subject in groupby(triples, key=lambda triple: triple[0]):
            file.write(writer.to_turtle(list(of_subject)))


def to_rdflib(
    docs: Iterable[Doc],
    *,
    base: str = "http://example.org/",
    key: Key = label_and_text,
    lone_entities: bool = True,
    spans_key: str = DEFAULT_SPANS_KEY,
    context: int = DEFAULT_CONTEXT,
) -> Any:
    """Make an rdflib graph of the entities and relations of Docs.

    base (str): The beginning of all IRIs of entities, types, relations and documents. It ends in
        '/' or ':'.
    key (Callable[[Span], Hashable]): Mentions with the same key are one entity. Its IRI is made of
        the key; the parts of a tuple follow one another: entity/PERSON/Ada.
    lone_entities (bool): Whether entities without relations are included.
    spans_key (str): The key of `doc.spans` that holds entities beside doc.ents.
    context (int): The greatest number of tokens that are shown around the ends of a relation.
    RETURNS (rdflib.Graph): The triples.
    RAISES (ImportError): rdflib is not installed.
    RAISES (ValueError): The base can't begin an IRI.
    """
    writer = _Triples(base)
    graph = writer.rdflib.Graph()
    for prefix, iri in _PREFIXES.items():
        graph.bind(prefix, iri)
    triples = writer.all(
        docs, key=key, lone_entities=lone_entities, spans_key=spans_key, context=context
    )
    for triple in triples:
        graph.add(triple)
    return graph


class _Triples:
    """Turns parts of the graph into triples.

    base (str): The beginning of all IRIs.
    """

    def __init__(self, base: str):
        self.rdflib = import_optional("rdflib", NAME)
        if not _BASE.fullmatch(base):
            raise ValueError(Errors.E321.format(base=base))
        self.base = base
        self.documents: Counter[str] = Counter()
        self.relations: Set[str] = set()
        self.n_statements = 0
        self._names: Dict[str, Any] = {}
        self._short: Dict[Any, str] = {}

    def all(self, docs: Iterable[Doc], **options: Any) -> Iterator[Triple]:
        """RETURNS (Iterator[Triple]): The triples of all Docs, mostly sorted by subject."""
        nodes: Dict[Hashable, Node] = {}
        for part in read_graph(docs, nodes, **options):
            yield from self._document(part)
        for node in nodes.values():
            entity = self._entity(node)
            yield entity, self._name("rdf:type"), self._iri("type", node.label)
            yield entity, self._name("rdfs:label"), self.rdflib.Literal(node.text)

    def to_turtle(self, triples: "list[Triple]") -> str:
        """RETURNS (str): Triples of one subject as Turtle."""
        parts, others = [], []
        for _, predicate, value in triples:
            if "\n" in value:
                # rdflib's n3() writes such a text as a long string, which is broken for some texts
                # that end in a quote. Its N-Triples, which are Turtle as well, are right.
                others.append((triples[0][0], predicate, value))
            else:
                parts.append(f"{self._term(predicate)} {self._term(value)}")
        lines = f"{triples[0][0].n3()} {' ; '.join(parts)} .\n" if parts else ""
        return lines + "".join(map(self._to_n_triples, others))

    def _to_n_triples(self, triple: Triple) -> str:
        text: str = self.rdflib.Graph().add(triple).serialize(format="nt")
        return text

    def _term(self, term: Any) -> str:
        if term in self._short:
            return self._short[term]
        # The datatype of a literal, too, is written with its prefix.
        text: str = term.n3()
        value = text.rpartition("^^")[0]
        known = self._short.get(getattr(term, "datatype", None))
        return f"{value}^^{known}" if known else text

    def _document(self, part: DocGraph) -> Iterator[Triple]:
        """RETURNS (Iterator[Triple]): The mentions, passages and relations of a document."""
        if not part.mentions:
            return
        # Two texts may have the same id: their characters must not become the same places.
        n_before = self.documents[part.document]
        self.documents[part.document] += 1
        number_of_text = [str(n_before + 1)] if n_before else []
        document = self._iri("document", part.document, *number_of_text)
        name, literal = self._name, self.rdflib.Literal
        yield document, name("rdf:type"), name("nif:Context")
        yield document, name("dcterms:identifier"), literal(part.document)
        spans = {_characters(span): span for span, _ in part.mentions}
        passages = (span for edge in part.edges for span in edge.fact.passages)
        spans.update({_characters(span): span for span in passages})
        for span in spans.values():
            yield from self._place_of(span, document)
        for span, node in part.mentions:
            place = self._place(document, span)
            yield place, name("itsrdf:taIdentRef"), self._entity(node)
            yield place, name("itsrdf:taClassRef"), self._iri("type", span.label_)
        for edge in part.edges:
            yield from self._edge(edge, document)

    def _place_of(self, span: Span, document: Any) -> Iterator[Triple]:
        place, name, literal = self._place(document, span), self._name, self.rdflib.Literal
        number = name("xsd:nonNegativeInteger")
        yield place, name("rdf:type"), name("nif:OffsetBasedString")
        yield place, name("nif:anchorOf"), literal(span.text)
        yield place, name("nif:beginIndex"), literal(span.start_char, datatype=number)
        yield place, name("nif:endIndex"), literal(span.end_char, datatype=number)
        yield place, name("nif:referenceContext"), document

    def _edge(self, edge: Edge, document: Any) -> Iterator[Triple]:
        label, score = edge.fact.label, edge.fact.score
        head, tail = self._entity(edge.head), self._entity(edge.tail)
        relation, name = self._iri("relation", label), self._name
        if label not in self.relations:
            self.relations.add(label)
            yield relation, name("rdf:type"), name("rdf:Property")
            yield relation, name("rdfs:label"), self.rdflib.Literal(label)
        yield head, relation, tail
        statement = self._iri("statement", str(self.n_statements))
        self.n_statements += 1
        yield statement, name("rdf:type"), name("rdf:Statement")
        yield statement, name("rdf:subject"), head
        yield statement, name("rdf:predicate"), relation
        yield statement, name("rdf:object"), tail
        for span in (*edge.fact.passages, edge.fact.head, edge.fact.tail):
            yield statement, name("prov:wasDerivedFrom"), self._place(document, span)
        if score is not None:
            confidence = self.rdflib.Literal(score, datatype=name("xsd:double"))
            yield statement, name("itsrdf:taConfidence"), confidence

    def _entity(self, node: Node) -> Any:
        parts = node.key if isinstance(node.key, tuple) else (node.key,)
        return self._iri("entity", *map(str, parts))

    def _iri(self, *parts: str) -> Any:
        return self.rdflib.URIRef(self.base + "/".join(quote(part, safe="") for part in parts))

    def _place(self, document: Any, span: Span) -> Any:
        """RETURNS (URIRef): The document's IRI with RFC 5147's fragment for these characters."""
        return self.rdflib.URIRef(f"{document}#char={span.start_char},{span.end_char}")

    def _name(self, short: str) -> Any:
        """RETURNS (URIRef): The IRI of a name with one of our prefixes."""
        if short not in self._names:
            prefix, name = short.split(":")
            self._names[short] = self.rdflib.URIRef(_PREFIXES[prefix] + name)
            self._short[self._names[short]] = short
        return self._names[short]


def _characters(span: Span) -> Tuple[int, int]:
    return span.start_char, span.end_char
