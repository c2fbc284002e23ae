import csv

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_jere.export.csv_table import write

HEADER = [
    "document", "head", "head_label", "head_start", "head_end", "relation",
    "tail", "tail_label", "tail_start", "tail_end", "score", "sentence",
]  # fmt: skip


def read(path):
    with path.open(encoding="utf8", newline="") as file:
        return list(csv.reader(file))


def rows(path):
    header, *found = read(path)
    assert header == HEADER
    return [
        (
            x[0],
            (x[1], x[2], int(x[3]), int(x[4])),
            x[5],
            (x[6], x[7], int(x[8]), int(x[9])),
            float(x[10]) if x[10] else None,
            x[11],
        )
        for x in found
    ]


def test_written_relations_are_those_of_the_docs(tmp_path, hard_docs, hard_rows):
    write(hard_docs, tmp_path / "out.csv")
    assert rows(tmp_path / "out.csv") == hard_rows


@pytest.mark.parametrize("which", [slice(0, 0), slice(2, 5)])
def test_without_relations_there_is_a_header(tmp_path, hard_docs, which):
    write(hard_docs[which], tmp_path / "out.csv")
    assert read(tmp_path / "out.csv") == [HEADER]


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_anything_comes_back(any_docs, rows_of, tmp_path_factory, data):
    docs = data.draw(any_docs)
    path = tmp_path_factory.mktemp("any") / "out.csv"
    write(docs, path)
    assert rows(path) == rows_of(docs)
