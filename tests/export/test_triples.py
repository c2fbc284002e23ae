import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_jere.export.triples import write


def read(path):
    lines = path.read_bytes().decode("utf8").split("\n")
    assert lines.pop() == ""
    return [json.loads(line) for line in lines]


def end(item):
    assert list(item) == ["text", "label", "start", "end"]
    return tuple(item.values())


def rows(path):
    keys = ["document", "head", "relation", "tail", "score", "sentence"]
    items = read(path)
    assert all(list(item) == keys for item in items)
    return [
        (x["document"], end(x["head"]), x["relation"], end(x["tail"]), x["score"], x["sentence"])
        for x in items
    ]


def test_written_relations_are_those_of_the_docs(tmp_path, hard_docs, hard_rows):
    write(hard_docs, tmp_path / "out.jsonl")
    assert rows(tmp_path / "out.jsonl") == hard_rows


def test_no_docs_make_an_empty_file(tmp_path):
    write([], tmp_path / "out.jsonl")
    assert (tmp_path / "out.jsonl").read_bytes() == b""


def test_ends_can_be_set_as_relations_again(tmp_path, hard_docs):
    write(hard_docs[:1], tmp_path / "out.jsonl")
    doc = hard_docs[0]
    before = doc._.relations
    doc._.relations = [
        {"head": x["head"], "tail": x["tail"], "label": x["relation"], "score": x["score"]}
        for x in read(tmp_path / "out.jsonl")
    ]
    assert doc._.relations == before


def test_text_stays_readable(tmp_path, hard_docs):
    write(hard_docs, tmp_path / "out.jsonl")
    assert "🏠" in (tmp_path / "out.jsonl").read_text(encoding="utf8")


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_anything_comes_back(any_docs, rows_of, tmp_path_factory, data):
    docs = data.draw(any_docs)
    path = tmp_path_factory.mktemp("any") / "out.jsonl"
    write(docs, path)
    assert rows(path) == rows_of(docs)
