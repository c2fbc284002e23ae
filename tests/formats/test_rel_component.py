"""Relations as spaCy's tutorial keeps them in `doc._.rel`."""

from collections import Counter

import pytest
import spacy
from spacy.tokens import Doc, DocBin, Span

from spacy_jere.formats.rel_component import adopt_relations

KEY = ("._.", "rel", None, None)


def tutorial(rel, entities=((0, 1, "PER"), (3, 5, "LOC"))):
    """A Doc as a .spacy file of the tutorial holds it."""
    doc = Doc(spacy.blank("en").vocab, words=["Ada", "lives", "in", "New", "Oslo", "."])
    doc.ents = [Span(doc, *entity) for entity in entities]
    doc.user_data[KEY] = rel
    stored = DocBin(docs=[doc], store_user_data=True).to_bytes()
    (again,) = DocBin().from_bytes(stored).get_docs(doc.vocab)
    return again


@pytest.mark.slow
@pytest.mark.parametrize(
    "rel, relations",
    [
        ({(0, 3): {"LIVES_IN": 1.0}}, ["(Ada [PER])-LIVES_IN->(New Oslo [LOC])"]),
        ({(3, 0): {"HOME": 0.9, "X": 0.5}}, ["(New Oslo [LOC])-HOME->(Ada [PER])"]),
        ({(0, 3): {"A": 1, "B": 1.0}}, ["(Ada [PER])-A->(New Oslo [LOC])",
                                        "(Ada [PER])-B->(New Oslo [LOC])"]),
        ({(0, 3): {"LIVES_IN": 0.0}, (3, 0): {}}, []),
        ({}, []),
    ],
)  # fmt: skip
def test_likely_relations_are_set(rel, relations):
    counted = Counter()
    (doc,) = adopt_relations([tutorial(rel)], counted)
    assert [repr(x) for x in doc._.relations] == relations
    assert not counted


def test_what_cannot_be_read_is_counted():
    rel = {(0, 3): {"IN": 1.0}, (1, 3): {"IN": 1.0, "OF": 0.1}, (0, "x"): {"IN": 1.0}, "note": "x"}
    counted = Counter()
    (doc,) = adopt_relations([tutorial(rel)], counted)
    assert len(doc._.relations) == 1
    assert counted == {
        "relations of doc._.rel between tokens that begin no entity": 1,
        "values of doc._.rel that are no relations": 2,
    }


@pytest.mark.slow
@pytest.mark.parametrize("rel", [{"note": "x"}, [1], "x", None])
def test_another_attribute_of_that_name_is_left_alone(rel):
    (doc,) = adopt_relations([tutorial(rel)], Counter())
    assert doc._.relations is None


def test_own_relations_come_first():
    doc = tutorial({(0, 3): {"LIVES_IN": 1.0}})
    doc._.relations = []
    (doc,) = adopt_relations([doc], Counter())
    assert doc._.relations == ()
