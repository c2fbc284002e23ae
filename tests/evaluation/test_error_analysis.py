"""Each kind of error, and totals that are those of the scorer."""

import random

import pytest
import spacy
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_jere.evaluation.error_analysis import (
    BOUNDARY,
    BOUNDARY_AND_TYPE,
    ENTITY_KINDS,
    ENTITY_MISSED,
    MISSED,
    RELATION_KINDS,
    RIGHT,
    SPURIOUS,
    WRONG_DIRECTION,
    WRONG_LABEL,
    WRONG_TYPE,
    analyze,
    compare,
    confusion,
    count_kinds,
    totals,
)
from spacy_jere.evaluation.scorer import score_joint

WORDS = "a b c d e f g h"
VOCAB = spacy.blank("en").vocab
A, B, C = (0, 1, "X"), (2, 4, "Y"), (5, 6, "Y")


@pytest.fixture
def example(annotate):
    """An Example of gold and found (entities, relations)."""

    def _example(gold, found):
        return Example(annotate(VOCAB, WORDS, *found), annotate(VOCAB, WORDS, *gold))

    return _example


def kinds(matches):
    return [match.kind for match in matches]


@pytest.mark.parametrize(
    "gold, found, expected",
    [
        ([A], [A], [RIGHT]),
        ([A], [(0, 1, "Y")], [WRONG_TYPE]),
        ([B], [(2, 3, "Y")], [BOUNDARY]),
        ([B], [(3, 6, "X")], [BOUNDARY_AND_TYPE]),
        ([A], [], [MISSED]),
        ([], [A], [SPURIOUS]),
        ([A], [C], [MISSED, SPURIOUS]),
        # One gold entity found as two: the nearer one stands for it.
        ([B], [(2, 3, "X"), (3, 4, "Y")], [BOUNDARY, SPURIOUS]),
        ([(2, 3, "X"), (3, 4, "Y")], [B], [BOUNDARY, MISSED]),
        ([], [], []),
    ],
)
def test_entities(example, gold, found, expected):
    assert kinds(compare(example((gold,), (found,))).entities) == expected


@pytest.mark.parametrize(
    "found, relations, expected",
    [
        ([A, B, C], [(0, 1, "R")], [RIGHT]),
        ([A, B, C], [(0, 1, "S")], [WRONG_LABEL]),
        ([A, B, C], [(1, 0, "R")], [WRONG_DIRECTION]),
        ([A, (2, 4, "X"), C], [(0, 1, "R")], [WRONG_TYPE]),
        ([A, (2, 3, "Y"), C], [(0, 1, "R")], [BOUNDARY]),
        ([A, B, C], [], [MISSED]),
        ([A, C], [], [ENTITY_MISSED]),
        ([A, (2, 4, "X")], [], [ENTITY_MISSED]),
        ([A, B, C], [(0, 2, "R")], [MISSED, SPURIOUS]),
        ([A, B, C], [(1, 0, "S")], [MISSED, SPURIOUS]),
        ([A, B, C], [(0, 1, "R"), (0, 1, "S")], [RIGHT, SPURIOUS]),
    ],
)
def test_relations(example, found, relations, expected):
    compared = compare(example(([A, B, C], [(0, 1, "R")]), (found, relations)))
    assert kinds(compared.relations) == expected


def test_symmetric_labels_have_no_direction(example):
    pair = example(([A, B], [(0, 1, "R")]), ([A, B], [(1, 0, "R")]))
    assert kinds(compare(pair, symmetric=["R"]).relations) == [RIGHT]
    other = example(([A, B], [(0, 1, "R")]), ([A, B], [(1, 0, "S")]))
    assert kinds(compare(other, symmetric=["R"]).relations) == [WRONG_LABEL]


def test_an_overlapping_entity_is_not_missed(example):
    pair = example(([A, B], [(0, 1, "R")]), ([A, (2, 5, "Y")], []))
    assert kinds(compare(pair).relations) == [ENTITY_MISSED]
    doc = pair.predicted
    doc.spans["joint_ner_re"] = [Span(doc, 2, 4, "Y")]
    assert kinds(compare(pair).relations) == [MISSED]


def test_what_is_not_annotated_is_not_compared(example):
    compared = compare(example((None, None), ([A, B], [(0, 1, "R")])))
    assert compared.entities is None and compared.relations is None
    analysis = analyze([example((None, None), ([A], []))])
    assert not list(analysis.entities()) and not list(analysis.relations())


def test_tokens_may_differ(annotate):
    gold = annotate(VOCAB, "New York is big", [(0, 2, "X"), (3, 4, "Y")], [(0, 1, "R")])
    found = Doc(VOCAB, ["New", "Yo", "rk", "is", "big"], [True, False, True, True, False])
    found.ents = [Span(found, 0, 3, "X"), Span(found, 4, 5, "Y")]
    found._.relations = [(found.ents[0], found.ents[1], "R", 0.75)]
    compared = compare(Example(found, gold))
    assert kinds(compared.entities) == [RIGHT, RIGHT]
    assert [(x.kind, x.score) for x in compared.relations] == [(RIGHT, 0.75)]


def test_scores_come_along(example):
    pair = example(([A, B], [(0, 1, "R")]), ([(0, 1, "Y"), B], []))
    doc = pair.predicted
    doc.spans["joint_ner_re"] = list(doc.ents)
    doc.spans["joint_ner_re"].attrs["scores"] = [0.25, 0.5]
    scores = {x.kind: x.score for x in compare(pair).entities}
    assert scores == {WRONG_TYPE: 0.25, RIGHT: 0.5}


def test_confusion_and_counts(example):
    pair = example(([A, B, C],), ([(0, 1, "Y"), (2, 3, "Y"), C, (7, 8, "X")],))
    entities = compare(pair).entities
    assert confusion(entities) == {
        ("X", "Y"): 1,
        ("Y", ""): 1,
        ("", "Y"): 1,
        ("Y", "Y"): 1,
        ("", "X"): 1,
    }
    assert count_kinds(entities) == {
        "X": {WRONG_TYPE: 1, SPURIOUS: 1},
        "Y": {BOUNDARY: 1, RIGHT: 1},
    }


def random_side(rng):
    """Entities and relations that are often, but not always, those of another side."""
    slots = [
        [A, A, A, (0, 1, "Y"), (0, 2, "X"), (0, 2, "Y"), None],
        [B, B, B, (2, 3, "Y"), (2, 4, "X"), None],
        [C, C, None],
    ]
    entities = [x for x in map(rng.choice, slots) if x]
    pairs = [(i, j) for i in range(len(entities)) for j in range(len(entities))]
    chosen = rng.sample(pairs, min(len(pairs), rng.randint(0, 3)))
    return entities, [(*pair, rng.choice("RS")) for pair in chosen]


@pytest.mark.parametrize("symmetric", [(), ("R",)])
def test_totals_are_those_of_the_scorer(example, symmetric):
    rng = random.Random(0)
    examples = [example(random_side(rng), random_side(rng)) for _ in range(400)]
    analysis = analyze(examples, symmetric=symmetric)
    scores = score_joint(examples, symmetric=symmetric)
    for prefix, matches in (("ents", analysis.entities()), ("rels", analysis.relations())):
        total = totals(matches).to_dict()
        assert total == {key: pytest.approx(scores[f"{prefix}_{key}"]) for key in "prf"}
    assert set(kinds(analysis.entities())) == {RIGHT, *ENTITY_KINDS}
    assert set(kinds(analysis.relations())) == {RIGHT, *RELATION_KINDS}


def test_every_thing_is_counted_once(example):
    rng = random.Random(1)
    for _ in range(100):
        pair = example(random_side(rng), random_side(rng))
        compared = compare(pair)
        assert sorted(x.gold for x in compared.relations if x.gold) == sorted(
            x[:3]
            for x in {
                (r.stored.head, r.stored.tail, r.label_) for r in pair.reference._.relations
            }
        )  # fmt: skip
        assert len([x for x in compared.entities if x.gold]) == len(pair.reference.ents)
        assert len([x for x in compared.entities if x.found]) == len(pair.predicted.ents)
