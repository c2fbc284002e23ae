import json

import networkx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_jere.export.graph import to_networkx
from spacy_jere.export.node_link import write


def read(path):
    return networkx.node_link_graph(json.loads(path.read_text(encoding="utf8")), edges="edges")


def same(left, right):
    return networkx.utils.graphs_equal(left, right)


@pytest.mark.parametrize("options", [{}, {"lone_entities": False}, {"key": lambda x: x.label_}])
def test_written_graph_is_that_of_the_docs(tmp_path, hard_docs, options):
    write(hard_docs, tmp_path / "out.json", **options)
    assert same(read(tmp_path / "out.json"), to_networkx(hard_docs, **options))


def test_no_docs_make_an_empty_graph(tmp_path):
    write([], tmp_path / "out.json")
    assert same(read(tmp_path / "out.json"), networkx.MultiDiGraph())


def test_text_stays_readable(tmp_path, hard_docs):
    write(hard_docs, tmp_path / "out.json")
    assert "🏠" in (tmp_path / "out.json").read_text(encoding="utf8")


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_anything_comes_back(any_docs, tmp_path_factory, data):
    docs = data.draw(any_docs)
    path = tmp_path_factory.mktemp("any") / "out.json"
    write(docs, path)
    assert same(read(path), to_networkx(docs))
