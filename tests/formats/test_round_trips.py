"""Formats that are read and written, and spaCy's own files: what goes out comes in again."""

import pytest
import spacy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spacy.tokens import DocBin

from spacy_jere.export import WRITERS, write_docs
from spacy_jere.formats import (
    FORMATS,
    Record,
    RecordEntity,
    RecordRelation,
    read_records,
    to_docs,
)

NLP = spacy.blank("xx")
BOTH = [*(name for name in WRITERS if name in FORMATS), "spacy"]


def again(doc, path, name):
    """The Doc, written and read."""
    write_docs([doc], path, name)
    if name == "spacy":
        (found,) = DocBin().from_disk(path).get_docs(NLP.vocab)
    else:
        (found,) = to_docs(read_records(path, name), NLP)
    return found


def said(doc):
    entities = {
        (x.start_char, x.end_char, x.label_) for x in doc.spans.get("joint_ner_re", doc.ents)
    }
    relations = [x.stored for x in doc._.relations]
    return doc.text, entities, relations, doc.user_data.get("id")


def annotated(text, entities):
    """A Doc with entities at characters, and all relations among them."""
    found = [RecordEntity(*place, f"L{i}") for i, place in enumerate(entities)]
    n = range(len(found))
    relations = [RecordRelation(i, j, label) for i in n for j in n for label in ("R", "S/é")]
    (doc,) = to_docs([Record(text, found, relations, meta={"orig_id": "a-1"})], NLP)
    return doc


def test_these_are_all():
    assert BOTH == ["spert", "brat", "spacy"]


@pytest.mark.slow
@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize(
    "text, entities",
    [
        ("Ada", [(0, 3)]),
        ("Ada", [(0, 1), (2, 3)]),
        ("Ada met Bo", [(0, 3), (8, 10)]),
        ("Ada met Bo", [(0, 10), (0, 3), (8, 10)]),
        ("Ada met Bo", [(0, 7), (4, 10), (4, 7)]),
        ("Ada met Bo", [(0, 3), (0, 3)]),
        ("🏠 עדה e\u0301", [(0, 1), (2, 5), (6, 8)]),
        (" Ada\r\nmet\u2028Bo\n", [(1, 4), (10, 12)]),
        ("Ada", []),
    ],
)
def test_edges_and_overlaps_come_back(tmp_path, name, text, entities):
    doc = annotated(text, entities)
    assert len(said(doc)[1]) == len(entities)
    assert said(again(doc, tmp_path / "out", name)) == said(doc)


@pytest.mark.slow
@pytest.mark.parametrize("name", BOTH)
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_anything_comes_back(tmp_path, name, data):
    letters = st.characters(exclude_categories=["Cs"]) | st.sampled_from(
        "aB .-'\r\n\t🏠ע\u2028\x85"
    )
    # A byte-order mark at the beginning of a file is no part of a text.
    text = data.draw(st.text(letters, min_size=1, max_size=40).filter(lambda x: x[0] != "\ufeff"))
    place = st.tuples(st.integers(0, len(text)), st.integers(0, len(text))).map(sorted)
    places = st.lists(place.filter(lambda x: text[slice(*x)].strip()), max_size=4)
    doc = annotated(text, data.draw(places) if text.strip() else [])
    assert said(again(doc, tmp_path / "out", name)) == said(doc)
