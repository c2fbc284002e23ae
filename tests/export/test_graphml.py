import networkx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_jere.export.graph import to_networkx
from spacy_jere.export.graphml import write


def parts(graph):
    return list(graph.nodes(data=True)), sorted(graph.edges(keys=True, data=True), key=str)


def read_as_written(text):
    """XML normalizes line ends."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def normalized(graph):
    for *_, attributes in (*graph.nodes(data=True), *graph.edges(data=True)):
        for name, value in attributes.items():
            if isinstance(value, str):
                attributes[name] = read_as_written(value)
    return graph


@pytest.mark.parametrize("options", [{}, {"lone_entities": False}, {"key": lambda x: x.label_}])
def test_written_graph_is_that_of_the_docs(tmp_path, hard_docs, options):
    write(hard_docs, tmp_path / "out.graphml", **options)
    again = networkx.read_graphml(tmp_path / "out.graphml", force_multigraph=True)
    assert parts(again) == parts(normalized(to_networkx(hard_docs, **options)))


def test_no_docs_make_an_empty_graph(tmp_path):
    write([], tmp_path / "out.graphml")
    assert len(networkx.read_graphml(tmp_path / "out.graphml")) == 0


@pytest.mark.parametrize(
    "word, written",
    [("A\x00B", "A\ufffdB"), ("\x1b[0m\x0b", "\ufffd[0m\ufffd"), ("\ufffe\uffff", "\ufffd\ufffd"),
     ("\x85\t\n🏠", "\x85\t\n🏠")],
)  # fmt: skip
def test_characters_that_xml_forbids_are_replaced(tmp_path, new_doc, word, written):
    write([new_doc([word, "x"], None, ents=[(0, 1, "P")])], tmp_path / "out.graphml")
    (node,) = networkx.read_graphml(tmp_path / "out.graphml").nodes(data=True)
    assert node[1]["text"] == written


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_anything_can_be_read(any_docs, tmp_path_factory, data):
    docs = data.draw(any_docs)
    path = tmp_path_factory.mktemp("any") / "out.graphml"
    write(docs, path)
    again, graph = networkx.read_graphml(path, force_multigraph=True), to_networkx(docs)
    assert set(again.nodes) == set(graph.nodes)
    assert set(again.edges) == set(graph.edges)
