import csv

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_jere.export.neo4j import write

NODES = ["id:ID", "text", ":LABEL"]
RELATIONSHIPS = [
    ":START_ID", ":END_ID", ":TYPE", "document", "sentence",
    "head_start:int", "head_end:int", "tail_start:int", "tail_end:int", "score:double",
]  # fmt: skip


def table(path, header):
    with path.open(encoding="utf8", newline="") as file:
        found, *rows = csv.reader(file)
    assert found == header
    return rows


def read(folder):
    """Nodes as (text, label) by id, and relations as in `hard_rows`."""
    assert sorted(x.name for x in folder.iterdir()) == ["nodes.csv", "relationships.csv"]
    rows = table(folder / "nodes.csv", NODES)
    nodes = {id: (text, label) for id, text, label in rows}
    assert len(nodes) == len(rows)
    relations = [
        (
            document,
            (*nodes[start], int(offsets[0]), int(offsets[1])),
            label,
            (*nodes[end], int(offsets[2]), int(offsets[3])),
            float(score) if score else None,
            sentence,
        )
        for start, end, label, document, sentence, *offsets, score in table(
            folder / "relationships.csv", RELATIONSHIPS
        )
    ]
    return nodes, relations


def with_single_labels(end):
    return (end[0], end[1].replace(";", "_"), *end[2:])


@pytest.mark.parametrize("lone_entities", [True, False])
def test_written_graph_is_that_of_the_docs(
    tmp_path, hard_docs, hard_rows, hard_lone_entities, lone_entities
):
    write(hard_docs, tmp_path / "out", lone_entities=lone_entities)
    nodes, relations = read(tmp_path / "out")
    wanted = [
        (d, with_single_labels(h), x, with_single_labels(t), *r) for d, h, x, t, *r in hard_rows
    ]
    assert relations == wanted
    related = {end[:2] for row in wanted for end in (row[1], row[3])}
    assert set(nodes.values()) == related | (hard_lone_entities if lone_entities else set())


def test_key_says_which_mentions_are_one(tmp_path, hard_docs):
    write(hard_docs, tmp_path / "out", key=lambda span: span.label_)
    nodes, _ = read(tmp_path / "out")
    assert [label for _, label in nodes.values()] == ["PER", "LOC", "ORG_X", "ORG", ""]


def test_no_docs_make_headers(tmp_path):
    write([], tmp_path / "out")
    assert read(tmp_path / "out") == ({}, [])


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_anything_comes_back(any_docs, rows_of, tmp_path_factory, data):
    docs = data.draw(any_docs)
    folder = tmp_path_factory.mktemp("any") / "out"
    write(docs, folder, raw=True)
    wanted = [
        (d, with_single_labels(h), x, with_single_labels(t), *r) for d, h, x, t, *r in rows_of(docs)
    ]
    assert read(folder)[1] == wanted


@pytest.mark.parametrize("raw", [False, True])
def test_formulas_are_texts_unless_they_are_wanted(tmp_path, new_doc, raw):
    ends = (0, 1, "=PER"), (2, 3, "PER")
    doc = new_doc(["@Ada", "met", "-Bo"], [(*ends, "+MET", None)], id="=7")
    write([doc], tmp_path / "out", raw=raw)
    nodes, relations = read(tmp_path / "out")
    mark = "" if raw else "'"
    assert list(nodes.values()) == [(f"{mark}@Ada", f"{mark}=PER"), (f"{mark}-Bo", "PER")]
    ((document, _, label, _, _, sentence),) = relations
    assert (document, label) == (f"{mark}=7", f"{mark}+MET")
    assert sentence == f"{mark}@Ada met -Bo"


def test_both_tables_are_replaced_together(tmp_path, new_doc):
    def failing():
        yield new_doc(["Ada", "met", "Bo"], [((0, 1, "P"), (2, 3, "P"), "MET", None)])
        raise RuntimeError

    write([], tmp_path / "out")
    before = {x.name: x.read_bytes() for x in (tmp_path / "out").iterdir()}
    with pytest.raises(RuntimeError):
        write(failing(), tmp_path / "out")
    assert {x.name: x.read_bytes() for x in (tmp_path / "out").iterdir()} == before
    assert len(before) == 2
