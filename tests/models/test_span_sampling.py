"""What span-based models learn from: how many, which, and always the same for a seed."""

from collections import Counter
from itertools import permutations

import pytest
import torch

from spacy_jere.models.layers import pair_scores
from spacy_jere.models.layers.span_sampling import sample, sample_pairs, sample_spans
from spacy_jere.models.types import Entities, Targets

LENGTHS = [8, 1, 12]
# Window, start, end (through all windows), label
GOLD = [(0, 1, 3, 1), (0, 2, 3, 0), (2, 9, 13, 2), (2, 20, 21, 0)]
# Entities as above; head, tail, label
RELATIONS = [(0, 1, 2), (0, 1, 0), (3, 2, 1)]


def make_targets(rows, unknown=(), relations=(), symmetric=(), relations_known=(1, 1, 1)):
    known = torch.ones(sum(LENGTHS), dtype=torch.bool)
    known[list(unknown)] = False
    relations = torch.tensor(relations, dtype=torch.long).reshape(-1, 3)
    both_ways = [label in symmetric for label in relations[:, 2].tolist()]
    return Targets(
        Entities(*torch.tensor(rows, dtype=torch.long).reshape(-1, 4).T),
        torch.ones(len(rows), dtype=torch.bool),
        known,
        relations,
        torch.tensor(both_ways, dtype=torch.bool),
        torch.tensor(relations_known, dtype=torch.bool),
    )


def draw_spans(seed=0, unknown=(), rows=GOLD, max_width=3, n_negatives=4, **settings):
    """RETURNS: Window, start, end and label of each, none being -1."""
    settings = {"max_width": max_width, "n_negatives": n_negatives, **settings}
    torch.manual_seed(seed)
    spans, found = sample_spans(torch.tensor(LENGTHS), make_targets(rows, unknown), **settings)
    return list(zip(*(x.tolist() for x in spans), (found - 1).tolist()))


def negatives_of(drawn):
    return [row[:3] for row in drawn if row[3] == -1]


def possible(max_width, unknown=(), rows=GOLD):
    """All spans without any that is gold or has a token that is not annotated."""
    found, first = [], 0
    for window, length in enumerate(LENGTHS):
        last = first + length
        for start in range(first, last):
            for end in range(start + 1, min(start + max_width, last) + 1):
                if not set(range(start, end)) & set(unknown):
                    found.append((window, start, end))
        first = last
    return set(found) - {row[:3] for row in rows}


@pytest.mark.parametrize("n_negatives", [0, 1, 4, 100])
@pytest.mark.parametrize("hard_negatives", [False, True])
def test_number_of_spans_in_each_window(n_negatives, hard_negatives):
    drawn = draw_spans(n_negatives=n_negatives, hard_negatives=hard_negatives)
    assert drawn[: len(GOLD)] == GOLD  # also wider than max_width
    negatives = negatives_of(drawn)
    assert len(set(negatives)) == len(negatives) == len(drawn) - len(GOLD)
    there = Counter(window for window, *_ in possible(3))
    found = Counter(window for window, *_ in negatives)
    assert {i: found[i] for i in range(3)} == {i: min(n_negatives, there[i]) for i in range(3)}


@pytest.mark.slow
@pytest.mark.parametrize("max_width", [1, 3, 12])
@pytest.mark.parametrize("unknown", [(), (5,), (8,), (0, 15, 16)])
def test_negatives_are_neither_gold_nor_without_annotation(max_width, unknown):
    seen = set()
    for seed in range(20):
        seen.update(negatives_of(draw_spans(seed, unknown, max_width=max_width, n_negatives=40)))
    assert seen == possible(max_width, unknown)


def test_no_negative_covers_a_token_without_annotation():
    """At its first, inner or last place."""
    assert set(negatives_of(draw_spans(unknown=(5,), n_negatives=100))) == possible(3, (5,))


def test_entities_on_tokens_without_annotation_are_not_learned():
    drawn = draw_spans(unknown=(9, 10, 11, 12))
    assert [row for row in drawn if row[3] >= 0] == [GOLD[0], GOLD[1], GOLD[3]]


def test_nothing_annotated():
    assert draw_spans(unknown=range(sum(LENGTHS)), rows=[]) == []


def is_hard(span, rows=GOLD):
    tokens = set(range(*span[1:]))
    golds = [set(range(*row[1:3])) for row in rows if row[0] == span[0]]
    return any(2 * len(tokens & x) >= len(tokens | x) for x in golds)


def n_hard(seed, n_negatives, hard_negatives=True):
    drawn = draw_spans(seed, max_width=5, n_negatives=n_negatives, hard_negatives=hard_negatives)
    return Counter(x[0] for x in negatives_of(drawn) if is_hard(x))


def test_hard_negatives_are_preferred_up_to_half():
    there = Counter(x[0] for x in possible(5) if is_hard(x))
    assert there == {0: 6, 2: 9}
    for seed in range(20):
        found = n_hard(seed, 6)
        assert found[0] >= 3 and found[2] >= 3
        assert n_hard(seed, 20) == there  # fewer than half
    assert min(n_hard(seed, 6, False)[2] for seed in range(20)) < 3
    assert min(n_hard(seed, 6)[0] for seed in range(20)) < 6


@pytest.mark.slow
def test_the_other_half_is_drawn_from_all_that_is_left():
    """Of the first window 3 hard negatives and 25 spans are left, 3 of which are drawn."""
    assert len([x for x in possible(5) if x[0] == 0]) == 28
    more = sum(n_hard(seed, 6)[0] - 3 for seed in range(300)) / 300
    assert 0.7 * 3 * 3 / 25 < more < 1.3 * 3 * 3 / 25


@pytest.mark.slow
def test_every_span_has_the_same_chance():
    counts = Counter()
    for seed in range(600):
        counts.update(x for x in negatives_of(draw_spans(seed, n_negatives=5)) if x[0] == 0)
    there = [x for x in possible(3) if x[0] == 0]
    expected = 600 * 5 / len(there)
    assert all(0.7 * expected < counts[x] < 1.3 * expected for x in there)


@pytest.mark.parametrize("draw", [draw_spans, lambda seed: draw_pairs(seed, MANY, [])])
def test_the_seed_of_torch_decides(draw):
    assert draw(7) == draw(7)
    assert any(draw(7) != draw(seed) for seed in (8, 9, 10))


# Pairs


def draw_pairs(
    seed=0,
    rows=GOLD,
    relations=RELATIONS,
    symmetric=(),
    known=(1, 1, 1),
    n_labels=3,
    n_negatives=4,
    **limits,
):
    """RETURNS: Head, tail and the labels of each pair."""
    targets = make_targets(rows, (), relations, symmetric, known)
    torch.manual_seed(seed)
    settings = {"n_labels": n_labels, "n_negatives": n_negatives, **limits}
    heads, tails, truth = sample_pairs(targets, **settings)
    labels = [tuple(torch.nonzero(row)[:, 0].tolist()) for row in truth]
    return list(zip(heads.tolist(), tails.tolist(), labels))


MANY = (
    [(0, i, i + 1, 0) for i in range(6)]
    + [(1, 8, 9, 0)]
    + [(2, 9 + i, 11 + i, 1) for i in range(5)]
)


@pytest.mark.parametrize("n_negatives", [0, 1, 7, 100])
def test_number_of_pairs_in_each_window(n_negatives):
    relations = [(0, 1, 2), (0, 1, 0), (3, 2, 1), (8, 7, 0)]
    drawn = draw_pairs(rows=MANY, relations=relations, n_negatives=n_negatives)
    positive = [x for x in drawn if x[2]]
    assert positive == [(0, 1, (0, 2)), (3, 2, (1,)), (8, 7, (0,))]
    negative = [x[:2] for x in drawn if not x[2]]
    assert len(set(negative)) == len(negative)
    found = Counter(MANY[i][0] for i, _ in negative)
    assert (found[0], found[1], found[2]) == (min(n_negatives, 28), 0, min(n_negatives, 19))
    assert all(MANY[i][0] == MANY[j][0] and i != j for i, j in negative)


def test_all_pairs_where_there_is_room():
    pairs = [(i, j) for i, j in permutations(range(4), 2) if GOLD[i][0] == GOLD[j][0]]
    labels = {(0, 1): (0, 2), (3, 2): (1,)}
    assert draw_pairs() == [(*pair, labels.get(pair, ())) for pair in pairs]


def test_windows_without_annotated_relations_are_left_out():
    assert {x[0] for x in draw_pairs(known=(1, 1, 0))} == {0, 1}
    assert draw_pairs(known=(0, 1, 0)) == []


def test_the_reverse_of_a_symmetric_relation_is_not_learned():
    pairs = {x[:2]: x[2] for x in draw_pairs(symmetric=[1])}
    assert pairs == {(0, 1): (0, 2), (1, 0): (), (3, 2): (1,)}


def test_a_symmetric_relation_hides_its_reverse_from_the_negatives_only():
    """What else is annotated the other way round stays."""
    relations = [(0, 1, 2), (1, 0, 0)]
    pairs = {x[:2]: x[2] for x in draw_pairs(relations=relations, symmetric=[2], known=(1, 1, 0))}
    assert pairs == {(0, 1): (2,), (1, 0): (0,)}


def test_a_span_is_never_paired_with_itself():
    """Two labels for one span are two entities, but no pair."""
    rows = [(0, 1, 3, 0), (0, 1, 3, 1), (0, 4, 5, 0)]
    pairs = [x[:2] for x in draw_pairs(rows=rows, relations=[(0, 2, 0)])]
    assert pairs == [(0, 2), (1, 2), (2, 0), (2, 1)]


@pytest.mark.parametrize("rows", [[], GOLD[:1]])
def test_no_pairs(rows):
    assert draw_pairs(rows=rows, relations=[]) == []


def test_preferred_rows_of_one_window_take_no_place_of_another():
    torch.manual_seed(0)
    window = torch.tensor([0] * 50 + [1] * 50)
    assert Counter(window[sample(window, 10, window == 1)].tolist()) == {0: 10, 1: 10}


def test_sample_is_ascending():
    torch.manual_seed(0)
    window = torch.tensor([0] * 5 + [3] * 2 + [4] * 9)
    rows = sample(window, 3)
    assert rows.tolist() == sorted(rows.tolist())
    assert Counter(window[rows].tolist()) == {0: 3, 3: 2, 4: 3}


@pytest.mark.parametrize("n_negatives", [0, 1, 7, 100])
@pytest.mark.parametrize("at_once", [1, 4, 30])
@pytest.mark.parametrize("max_distance", [None, 1])
def test_pairs_in_parts_are_those_of_all(monkeypatch, n_negatives, at_once, max_distance):
    """The same draws, however many pairs are there at once."""
    relations = [(0, 1, 2), (0, 1, 0), (3, 2, 1), (8, 7, 0)]
    settings = {"rows": MANY, "relations": relations, "symmetric": [1]}
    settings.update(n_negatives=n_negatives, max_distance=max_distance)
    whole = [draw_pairs(seed, **settings) for seed in range(5)]
    monkeypatch.setattr(pair_scores, "_PAIRS_AT_ONCE", at_once)
    assert [draw_pairs(seed, **settings) for seed in range(5)] == whole


@pytest.mark.parametrize("max_distance", [0, 1, 2, 3, 99])
def test_no_pairs_beyond_the_distance(max_distance):
    def apart(i, j):
        return max(MANY[i][1], MANY[j][1]) - min(MANY[i][2], MANY[j][2])

    pairs = [
        (i, j)
        for i, j in permutations(range(len(MANY)), 2)
        if MANY[i][0] == MANY[j][0] and apart(i, j) <= max_distance
    ]
    drawn = draw_pairs(rows=MANY, n_negatives=99, max_distance=max_distance)
    assert [x[:2] for x in drawn] == pairs
