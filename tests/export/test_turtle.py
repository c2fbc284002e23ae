from urllib.parse import unquote

import pytest
import rdflib
from hypothesis import given, settings
from hypothesis import strategies as st
from rdflib.namespace import DCTERMS, PROV, RDF, RDFS

from spacy_jere.export.turtle import to_rdflib, write

BASE = "http://example.org/"
NIF = rdflib.Namespace("http://persistence.uni-leipzig.org/nlp2rdf/ontologies/nif-core#")
ITS = rdflib.Namespace("http://www.w3.org/2005/11/its/rdf#")


def read(path):
    graph = rdflib.Graph().parse(path, format="turtle")
    for triple in graph:
        for term in triple:
            if isinstance(term, rdflib.URIRef):
                term.n3()  # warns of, or refuses, an IRI that isn't one
    return graph


def parts(iri, base=BASE):
    assert iri.startswith(base)
    return [unquote(x) for x in iri[len(base) :].split("/")]


def rows(graph):
    """Relations as in `hard_rows`, found by way of their statements."""
    found = []
    for statement in graph.subjects(RDF.type, RDF.Statement):
        triple = [graph.value(statement, x) for x in (RDF.subject, RDF.predicate, RDF.object)]
        assert tuple(triple) in graph
        sources = set(graph.objects(statement, PROV.wasDerivedFrom))
        head, tail = (
            _end(graph, sources, entity, last) for entity, last in zip(triple[::2], (0, 1))
        )
        passage = max(sources, key=lambda x: len(graph.value(x, NIF.anchorOf)))
        (document,) = {graph.value(x, NIF.referenceContext) for x in sources}
        score = graph.value(statement, ITS.taConfidence)
        row = (
            str(graph.value(document, DCTERMS.identifier)),
            head,
            str(graph.value(triple[1], RDFS.label)),
            tail,
            None if score is None else score.toPython(),
            str(graph.value(passage, NIF.anchorOf)),
        )
        found.append((int(parts(statement)[1]), row))
    return [row for _, row in sorted(found, key=lambda x: x[0])]


def _end(graph, sources, entity, last):
    """The mention of an entity. If there are two of the entity, it is the first or the last one."""
    mentions = [x for x in sources if (x, ITS.taIdentRef, entity) in graph]
    mention = sorted(mentions, key=lambda x: graph.value(x, NIF.beginIndex))[-last]
    _, label, _ = parts(entity)
    start, end = (graph.value(mention, x).toPython() for x in (NIF.beginIndex, NIF.endIndex))
    assert str(mention).endswith(f"#char={start},{end}")
    return str(graph.value(mention, NIF.anchorOf)), label, start, end


def entities(graph):
    return {
        (str(graph.value(x, RDFS.label)), parts(graph.value(x, RDF.type))[1])
        for x in graph.subjects(RDFS.label)
        if parts(x)[0] == "entity"
    }


@pytest.mark.parametrize("lone_entities", [True, False])
def test_written_graph_is_that_of_the_docs(
    tmp_path, hard_docs, hard_rows, hard_lone_entities, lone_entities
):
    write(hard_docs, tmp_path / "out.ttl", lone_entities=lone_entities)
    graph = read(tmp_path / "out.ttl")
    assert rows(graph) == hard_rows
    related = {end[:2] for row in hard_rows for end in (row[1], row[3])}
    assert entities(graph) == related | (hard_lone_entities if lone_entities else set())


def test_graph_of_rdflib_is_what_is_written(tmp_path, hard_docs):
    write(hard_docs, tmp_path / "out.ttl", base="urn:x:", lone_entities=False)
    graph = to_rdflib(hard_docs, base="urn:x:", lone_entities=False)
    assert set(graph) == set(read(tmp_path / "out.ttl"))
    assert "nif:Context" in graph.serialize(format="turtle")


@pytest.mark.parametrize("text", ['a\n"', 'a\n\\"', '"""\n"""', "\r\n\\", 'a\\"', "\x00\x85\u2028"])
def test_texts_are_short_strings_of_turtle(tmp_path, new_doc, text):
    """A long string that ends in a quote is read by rdflib, but it is none."""
    doc = new_doc([text, "is", "Bo"], [((0, 1, "X"), (2, 3, "X"), "SAME", None)])
    write([doc], tmp_path / "out.ttl")
    assert '"""' not in (tmp_path / "out.ttl").read_text(encoding="utf8").replace('\\"', "")
    assert (text, "X") in entities(read(tmp_path / "out.ttl"))


def test_texts_with_one_id_stay_apart(tmp_path, new_doc):
    relation = ((0, 1, "X"), (2, 3, "X"), "MET", None)
    docs = [new_doc([x, "met", "Bo"], [relation], id="7/2") for x in ("Ada", "Cyd", "Dee")]
    write([*docs, new_doc(["Ann", "met", "Bo"], [relation], id="7")], tmp_path / "out.ttl")
    graph = read(tmp_path / "out.ttl")
    contexts = sorted(parts(x)[1:] for x in graph.subjects(RDF.type, NIF.Context))
    assert contexts == [["7"], ["7/2"], ["7/2", "2"], ["7/2", "3"]]
    names = {str(x) for x in graph.objects(None, DCTERMS.identifier)}
    assert names == {"7", "7/2"}
    assert all(len(list(graph.objects(x, NIF.anchorOf))) <= 1 for x in graph.subjects())


def test_relations_are_triples(tmp_path, hard_docs):
    write(hard_docs[:1], tmp_path / "out.ttl")
    graph = read(tmp_path / "out.ttl")
    ada, oslo = (
        rdflib.URIRef(BASE + "entity/PER/Ada"),
        rdflib.URIRef(BASE + "entity/LOC/New%20Oslo"),
    )
    assert {parts(x)[1] for x in graph.predicates(ada, oslo)} == {"LIVES_IN", "BORN_IN"}
    assert (ada, RDF.type, rdflib.URIRef(BASE + "type/PER")) in graph
    assert (rdflib.URIRef(BASE + "relation/LIVES_IN"), RDF.type, RDF.Property) in graph


def test_literals_have_their_types(tmp_path, hard_docs):
    write(hard_docs, tmp_path / "out.ttl")
    graph = read(tmp_path / "out.ttl")
    assert {x.datatype for x in graph.objects(None, ITS.taConfidence)} == {rdflib.XSD.double}
    assert {x.datatype for x in graph.objects(None, NIF.beginIndex)} == {
        rdflib.XSD.nonNegativeInteger
    }


@pytest.mark.parametrize("base", ["https://a.b/c/", "urn:my-corpus:", "http://é.org/"])
def test_base_begins_all_own_names(tmp_path, hard_docs, base):
    write(hard_docs, tmp_path / "out.ttl", base=base)
    graph = read(tmp_path / "out.ttl")
    assert all(x.startswith(base) for x in graph.subjects())


@pytest.mark.parametrize(
    "base",
    ["", "/", "example.org/", "http://a.b", "http://a.b/#", "http://a b/", "http://a.b/>/",
     "http://a.b/?x=/", "http://a.b/\n"],
)  # fmt: skip
def test_base_that_is_none_is_refused(tmp_path, hard_docs, base):
    with pytest.raises(ValueError, match="E321"):
        write(hard_docs, tmp_path / "out.ttl", base=base)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "key, names",
    [
        (lambda span: span.text.lower(), [["ada"], ["acme"]]),
        (lambda span: (span.label_, 7, "a/b"), [["PER", "7", "a/b"], ["ORG", "7", "a/b"]]),
        (lambda span: span.start, [["0"], ["2"]]),
    ],
)
def test_key_is_in_the_name_of_the_entity(tmp_path, new_doc, key, names):
    relation = ((0, 1, "PER"), (2, 3, "ORG"), "IN", None)
    write([new_doc(["Ada", "in", "Acme"], [relation])], tmp_path / "out.ttl", key=key)
    graph = read(tmp_path / "out.ttl")
    for predicate, name in zip((RDF.subject, RDF.object), names):
        (entity,) = graph.objects(None, predicate)
        assert parts(entity) == ["entity", *name]


@pytest.mark.parametrize("which", [slice(0, 0), slice(4, 5)])
def test_nothing_is_an_empty_graph(tmp_path, hard_docs, which):
    write(hard_docs[which], tmp_path / "out.ttl")
    assert len(read(tmp_path / "out.ttl")) == 0


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_anything_can_be_read_and_names_stay_apart(any_docs, tmp_path_factory, data):
    docs = data.draw(any_docs)
    path = tmp_path_factory.mktemp("any") / "out.ttl"
    write(docs, path)
    graph = read(path)
    mentions = {end for doc in docs for x in doc._.relations for end in (x.head, x.tail)}
    assert entities(graph) == {(x.text, x.label_) for x in mentions}
    statements = list(graph.subjects(RDF.type, RDF.Statement))
    assert len(statements) == sum(len(doc._.relations) for doc in docs)
