"""Scores into entities and relations: tables of small cases."""

import numpy
import pytest

from spacy_jere.models.types import Proposals
from spacy_jere.pipeline.decoding import decode, without_overlaps
from spacy_jere.schema import parse_schema

ENTITY_LABELS = ["LOC", "PER"]
RELATION_LABELS = ["LIVES_IN", "MET"]
# Doc, start, end, label; out of order, as windows of different lengths leave them
ENTITIES = [(1, 4, 5, 1), (1, 0, 2, 0), (0, 3, 4, 1), (0, 0, 1, 1), (0, 5, 6, 0)]
SCORES = [0.5, 0.6, 0.7, 0.8, 0.9]
PAIRS = {
    (0, 1): (0.9, 0.1),
    (1, 0): (0.2, 0.5),
    (2, 3): (0.0, 0.4),
    (3, 2): (0.6, 0.7),
    (2, 4): (0.8, 0.3),
    (4, 2): (0.7, 0.0),
    (3, 4): (0.1, 0.2),
    (4, 3): (0.3, 0.0),
}


def proposals(entities=ENTITIES, scores=SCORES, pairs=PAIRS):
    return Proposals(
        numpy.asarray(entities, dtype="int64").reshape(-1, 4),
        numpy.asarray(scores),
        numpy.asarray(list(pairs), dtype="int64").reshape(-1, 2),
        numpy.asarray(list(pairs.values())).reshape(-1, 2),
    )


def run(threshold=0.5, schema=None, n_docs=2, overlap=True, ent_threshold=0.0, **changes):
    return decode(
        proposals(**changes),
        n_docs,
        entity_labels=ENTITY_LABELS,
        relation_labels=RELATION_LABELS,
        ent_threshold=ent_threshold,
        thresholds=[threshold] * len(RELATION_LABELS),
        overlap=overlap,
        schema=parse_schema(schema),
    )


def test_entities_by_position_with_their_scores():
    first, second = run()
    assert first.entities == [(0, 1, "PER", 0.8), (3, 4, "PER", 0.7), (5, 6, "LOC", 0.9)]
    assert second.entities == [(0, 2, "LOC", 0.6), (4, 5, "PER", 0.5)]


# In the first Doc 3, 2, 4 of ENTITIES are 0, 1, 2; in the second 1, 0 are 0, 1.
L, M = RELATION_LABELS


@pytest.mark.parametrize(
    "threshold, schema, first, second",
    [
        (
            0.5,
            None,
            [(0, 1, L, 0.6), (0, 1, M, 0.7), (1, 2, L, 0.8), (2, 1, L, 0.7)],
            [(0, 1, M, 0.5), (1, 0, L, 0.9)],
        ),
        (0.7, None, [(0, 1, M, 0.7), (1, 2, L, 0.8), (2, 1, L, 0.7)], [(1, 0, L, 0.9)]),
        (0.91, None, [], []),
        (
            0.5,
            {L: {"head": ["PER"], "tail": ["LOC"]}},
            [(0, 1, M, 0.7), (1, 2, L, 0.8)],
            [(0, 1, M, 0.5), (1, 0, L, 0.9)],
        ),
        (0.5, {L: {"tail": ["PER"]}, M: {"head": []}}, [(0, 1, L, 0.6), (2, 1, L, 0.7)], []),
        (0.5, {M: {"symmetric": True}, L: {"head": []}}, [(0, 1, M, 0.7)], [(0, 1, M, 0.5)]),
        (
            0.25,
            {M: {"symmetric": True}, L: {"head": []}},
            [(0, 1, M, 0.7), (1, 2, M, 0.3)],
            [(0, 1, M, 0.5)],
        ),
        (
            0.1,
            {M: {"symmetric": True, "head": ["PER"], "tail": ["LOC"]}, L: {"head": []}},
            [(0, 2, M, 0.2), (1, 2, M, 0.3)],
            [(0, 1, M, 0.5)],
        ),
        (0.75, {L: {"symmetric": True}}, [(1, 2, L, 0.8)], [(0, 1, L, 0.9)]),
    ],
)
def test_relations(threshold, schema, first, second):
    assert [x.relations for x in run(threshold, schema)] == [first, second]


@pytest.mark.parametrize("threshold", [0.25, 0.35, 0.5, 0.65, 0.85])
@pytest.mark.parametrize(
    "schema",
    [
        None,
        {L: {"symmetric": True}, M: {"symmetric": True}},
        {M: {"symmetric": True, "head": ["PER"]}, L: {"tail": ["LOC"]}},
        {L: {"symmetric": True, "tail": ["PER"]}, M: {"head": []}},
    ],
)
def test_pairs_that_reach_no_threshold_may_be_missing(threshold, schema):
    """Also one direction of a symmetric label."""
    enough = {pair: scores for pair, scores in PAIRS.items() if max(scores) >= threshold}
    assert len(enough) < len(PAIRS)
    assert run(threshold, schema, pairs=enough) == run(threshold, schema)


def test_the_backward_direction_alone_is_turned():
    schema = {L: {"symmetric": True}, M: {"symmetric": True}}
    backward = {(2, 3): (0.8, 0.1), (4, 2): (0.2, 0.9)}
    assert run(0.5, schema, pairs=backward)[0].relations == [(0, 1, L, 0.8), (1, 2, M, 0.9)]


def test_threshold_of_zero_reports_each_symmetric_pair_once():
    relations = run(0.0, {L: {"symmetric": True}, M: {"symmetric": True}})[0].relations
    assert sorted(x[:3] for x in relations) == [
        (i, j, label) for i, j in ((0, 1), (0, 2), (1, 2)) for label in (L, M)
    ]


@pytest.mark.parametrize("overlap", [True, False])
@pytest.mark.parametrize(
    "ent_threshold, n_entities, relations",
    [
        (0.5, [3, 2], [(0, 1, L, 0.6), (0, 1, M, 0.7), (1, 2, L, 0.8), (2, 1, L, 0.7)]),
        (0.7, [3, 0], [(0, 1, L, 0.6), (0, 1, M, 0.7), (1, 2, L, 0.8), (2, 1, L, 0.7)]),
        (0.71, [2, 0], []),
        (0.75, [2, 0], []),
        (0.91, [0, 0], []),
    ],
)
def test_improbable_entities_and_their_relations_are_left_out(
    overlap, ent_threshold, n_entities, relations
):
    found = run(ent_threshold=ent_threshold, overlap=overlap)
    assert [len(x.entities) for x in found] == n_entities
    assert all(x[3] >= ent_threshold for doc in found for x in doc.entities)
    assert found[0].relations == relations


def test_relations_keep_their_entities_when_others_are_left_out():
    found = run(ent_threshold=0.75, pairs={(3, 4): (0.9, 0.1), (2, 4): (0.9, 0.1)})[0]
    assert found.entities == [(0, 1, "PER", 0.8), (5, 6, "LOC", 0.9)]
    assert found.relations == [(0, 1, L, 0.9)]


@pytest.mark.parametrize("n_docs", [0, 1, 3])
def test_nothing_found(n_docs):
    assert run(n_docs=n_docs, entities=[], scores=[], pairs={}) == [([], [])] * n_docs


def test_docs_without_entities_between_others():
    entities = [(3, 0, 1, 0), (1, 2, 3, 1)]
    result = run(n_docs=5, entities=entities, scores=[0.5, 0.6], pairs={})
    assert [len(x.entities) for x in result] == [0, 1, 0, 1, 0]
    assert result[1].entities == [(2, 3, "PER", 0.6)]


def test_no_relation_labels():
    empty = Proposals(*proposals()[:3], numpy.zeros((len(PAIRS), 0)))
    options = {"ent_threshold": 0.0, "thresholds": [], "overlap": True, "schema": {}}
    result = decode(empty, 2, entity_labels=ENTITY_LABELS, relation_labels=[], **options)
    assert [x.relations for x in result] == [[], []]


def test_values_are_plain():
    for extraction in run():
        for value in [y for x in (*extraction.entities, *extraction.relations) for y in x]:
            assert type(value) in (int, float, str)


@pytest.mark.parametrize(
    "entities, chosen",
    [
        ([], []),
        ([(0, 2, "A", 0.5), (2, 3, "B", 0.1)], [0, 1]),
        ([(0, 2, "A", 0.5), (1, 3, "B", 0.6)], [1]),
        ([(0, 2, "A", 0.7), (1, 3, "B", 0.6), (2, 4, "C", 0.5)], [0, 2]),
        ([(0, 2, "A", 0.5), (1, 3, "B", 0.6), (2, 4, "C", 0.5)], [1]),
        ([(0, 1, "A", 0.5), (0, 3, "B", 0.5)], [1]),  # of equal ones the longer
        ([(0, 2, "A", 0.5), (1, 3, "B", 0.5)], [0]),  # then the first
        ([(4, 5, "B", 0.9), (0, 2, "A", 0.5)], [1, 0]),  # by position
    ],
)
def test_without_overlaps(entities, chosen):
    assert without_overlaps(entities) == [entities[i] for i in chosen]


def test_each_label_has_its_threshold():
    scores = {(0, 1): (0.4, 0.4)}
    labels = {"entity_labels": ENTITY_LABELS, "relation_labels": RELATION_LABELS, "schema": {}}
    options = {"ent_threshold": 0.0, "thresholds": [0.5, 0.3], "overlap": True}
    found = decode(proposals(pairs=scores), 2, **labels, **options)
    assert [x[2] for doc in found for x in doc.relations] == [M]


OVERLAPPING = [(0, 0, 2, 0), (0, 1, 3, 1), (0, 4, 5, 0), (0, 4, 5, 1), (1, 0, 3, 0), (1, 1, 2, 1)]
OVERLAPPING_SCORES = [0.6, 0.7, 0.9, 0.5, 0.8, 0.75]
OVERLAPPING_PAIRS = {
    (i, j): (0.5 + 0.1 * i + 0.01 * j, 0.0)
    for i in range(6)
    for j in range(6)
    if i != j and (i < 4) is (j < 4)
}


def overlapping(overlap):
    return run(
        entities=OVERLAPPING,
        scores=OVERLAPPING_SCORES,
        pairs=OVERLAPPING_PAIRS,
        threshold=0.0,
        schema={M: {"head": []}},
        overlap=overlap,
    )


def test_overlapping_entities_are_kept():
    first, second = overlapping(True)
    assert [x[:2] for x in first.entities] == [(0, 2), (1, 3), (4, 5), (4, 5)]
    assert (len(first.relations), len(second.entities), len(second.relations)) == (12, 2, 2)


def test_without_overlap_the_most_probable_and_their_relations_are_left():
    first, second = overlapping(False)
    assert first.entities == [(1, 3, "PER", 0.7), (4, 5, "LOC", 0.9)]
    expected = [(0, 1, L, OVERLAPPING_PAIRS[1, 2][0]), (1, 0, L, OVERLAPPING_PAIRS[2, 1][0])]
    assert first.relations == expected
    assert second.entities == [(0, 3, "LOC", 0.8)] and second.relations == []


@pytest.mark.parametrize("changes", [{}, {"entities": [], "scores": [], "pairs": {}}])
def test_where_nothing_overlaps_the_setting_does_nothing(changes):
    assert run(overlap=False, **changes) == run(overlap=True, **changes)
