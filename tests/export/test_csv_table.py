import csv

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_jere.export.csv_table import without_formulas, write

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


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_anything_comes_back(any_docs, rows_of, tmp_path_factory, data):
    docs = data.draw(any_docs)
    path = tmp_path_factory.mktemp("any") / "out.csv"
    write(docs, path, raw=True)
    assert rows(path) == rows_of(docs)


FORMULAS = [
    "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "\ufeff=1", "＝1", "＠x", "=",
    "-",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("place", ["word", "entity label", "relation", "id"])
@pytest.mark.parametrize("raw", [False, True])
def test_formulas_are_texts_unless_they_are_wanted(tmp_path, new_doc, formula, place, raw):
    word = formula if place == "word" else "Ada"
    label = formula if place == "entity label" else "PER"
    relation = formula if place == "relation" else "MET"
    id = formula if place == "id" else "7"
    doc = new_doc([word, "met", "Bo"], [((0, 1, label), (2, 3, "PER"), relation, 0.5)], id=id)
    write([doc], tmp_path / "out.csv", raw=raw)
    ((document, head, head_label, *_, found_relation, _, _, _, _, score, sentence),) = [
        (x[0], x[1], x[2], x[5], *x[6:10], x[10], x[11]) for x in read(tmp_path / "out.csv")[1:]
    ]
    cells = {"word": head, "entity label": head_label, "relation": found_relation, "id": document}
    assert cells.pop(place) == (formula if raw else f"'{formula}")
    assert not any(x.startswith("'") for x in cells.values())
    if place == "word":
        assert sentence.startswith(formula if raw else f"'{formula}")
    assert score == "0.5"


@pytest.mark.parametrize("text", ["a=b", "1-2", "'=1", "", "Ada", "(=1)", "…", "#x", "e@x.org"])
def test_other_texts_are_as_they_are(text):
    assert without_formulas([text, 7, -7, None, -0.5]) == (text, 7, -7, None, -0.5)
