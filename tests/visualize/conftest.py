"""What the tests of pictures share: a Doc with found entities and relations, and its gold."""

import pytest
import spacy
from spacy.tokens import Span, SpanGroup

import spacy_jere  # noqa: F401  (registers doc._.relations)

TEXT = "Ada Byrne runs Keller & Sons in Ghent. Bo sleeps."
FOUND = [(0, 2, "PERSON"), (3, 6, "ORG"), (7, 8, "ORG")]
GOLD = [(0, 2, "PERSON"), (3, 6, "ORG"), (7, 8, "GPE"), (9, 10, "PERSON")]


def annotate(entities, relations, scores=None):
    doc = spacy.blank("en")(TEXT)
    doc.ents = [Span(doc, *entity) for entity in entities]
    if scores:
        doc.spans["joint_ner_re"] = SpanGroup(doc, spans=doc.ents, attrs={"scores": scores})
    doc._.relations = [(doc.ents[head], doc.ents[tail], *rest) for head, tail, *rest in relations]
    return doc


@pytest.fixture
def found():
    """Two relations: one right, one with an end that has the wrong type."""
    return annotate(FOUND, [(0, 1, "WORKS_FOR", 0.98), (1, 2, "BASED_IN", 0.61)], [0.99, 0.9, 0.55])


@pytest.fixture
def gold():
    return annotate(GOLD, [(0, 1, "WORKS_FOR"), (1, 2, "BASED_IN")])
