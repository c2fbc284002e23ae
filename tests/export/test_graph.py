import pytest

from spacy_jere.export.graph import label_and_text, to_networkx


def nodes(graph):
    return {(x["text"], x["label"]) for _, x in graph.nodes(data=True)}


def edges(graph):
    """Edges as in `hard_rows`, without the texts of the ends where these are the nodes'."""
    return [
        (
            x["document"],
            (graph.nodes[head]["text"], graph.nodes[head]["label"], x["head_start"], x["head_end"]),
            x["label"],
            (graph.nodes[tail]["text"], graph.nodes[tail]["label"], x["tail_start"], x["tail_end"]),
            x.get("score"),
            x["sentence"],
        )
        for head, tail, _, x in sorted(
            graph.edges(keys=True, data=True), key=lambda x: int(x[2][1:])
        )
    ]  # fmt: skip


@pytest.mark.parametrize("lone_entities", [True, False])
def test_nodes_are_texts_with_their_types(hard_docs, hard_rows, hard_lone_entities, lone_entities):
    graph = to_networkx(hard_docs, lone_entities=lone_entities)
    related = {end[:2] for row in hard_rows for end in (row[1], row[3])}
    assert nodes(graph) == (related | hard_lone_entities if lone_entities else related)
    assert len(graph) == len(nodes(graph))


def test_edges_know_where_they_were_read(hard_docs, hard_rows):
    graph = to_networkx(hard_docs)
    assert edges(graph) == hard_rows
    keys = [key for _, _, key in graph.edges(keys=True)]
    assert len(set(keys)) == len(hard_rows)


def test_key_says_which_mentions_are_one(new_doc):
    relation = ((0, 1, "PER"), (2, 3, "ORG"), "IN", None)
    docs = [new_doc([x, "in", y], [relation]) for x, y in [("Ada", "Acme"), ("ADA", "acme")]]
    assert len(to_networkx(docs)) == 4
    graph = to_networkx(docs, key=lambda span: (span.text.lower(), span.label))
    assert nodes(graph) == {("Ada", "PER"), ("Acme", "ORG")}
    assert graph.number_of_edges("n0", "n1") == 2
    assert nodes(to_networkx(docs, key=lambda span: None)) == {("Ada", "PER")}


def test_default_key(new_doc):
    doc = new_doc(["New", "Oslo"], None, ents=[(0, 2, "LOC")])
    assert label_and_text(doc.ents[0]) == ("LOC", "New Oslo")


def test_spans_key_names_the_group_with_more_entities(new_doc):
    doc = new_doc(["Ada", "Bo"], None, ents=[(0, 1, "PER")], groups=[(1, 2, "PER")])
    assert nodes(to_networkx([doc])) == {("Ada", "PER"), ("Bo", "PER")}
    assert nodes(to_networkx([doc], spans_key="other")) == {("Ada", "PER")}


def test_nothing_is_an_empty_graph(new_doc):
    for docs in ([], [new_doc([], None)], [new_doc(["Ada"], [])]):
        graph = to_networkx(docs)
        assert (len(graph), graph.is_directed(), graph.is_multigraph()) == (0, True, True)


def test_reading_does_not_change_docs(hard_docs):
    before = [doc.to_bytes() for doc in hard_docs]
    to_networkx(hard_docs)
    assert [doc.to_bytes() for doc in hard_docs] == before
