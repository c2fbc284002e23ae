"""Pairs against itertools, DistMult against its formula."""

from itertools import permutations

import pytest
import torch

from spacy_jere.models.layers import pair_scores
from spacy_jere.models.layers.pair_scores import (
    DistMult,
    PairChunks,
    both_directions,
    mean_over_pairs,
    related_pairs,
    score_pairs,
    tokens_between,
)
from spacy_jere.models.types import Entities, Limits

WINDOWS = [[], [3], [0, 0], [0, 1, 2], [0, 0, 2, 2, 2, 5, 7, 7], [1] * 6]


# Window, start and end, through all windows: touching, nested, crossing and equal entities, one
# far away, one that reaches over many, and a window of one
PLACES = [(0, 0, 2), (0, 2, 3), (0, 2, 6), (0, 4, 5), (0, 5, 8), (0, 5, 8), (0, 30, 31)]
PLACES += [(1, 31, 32), (2, 33, 60), (2, 34, 35), (2, 50, 51), (2, 62, 64), (2, 70, 71)]


def entities_of(rows):
    return Entities(*torch.tensor([(*x, 0) for x in rows], dtype=torch.long).reshape(-1, 4).T)


def in_windows(windows):
    return entities_of([(window, i, i + 1) for i, window in enumerate(windows)])


def pairs_of(*args, **limits):
    return [(i, j) for x in PairChunks(*args, **limits) for i, j in zip(*(y.tolist() for y in x))]


def expected_pairs(windows):
    return [(i, j) for i, j in permutations(range(len(windows)), 2) if windows[i] == windows[j]]


@pytest.mark.parametrize("windows", WINDOWS)
@pytest.mark.parametrize("at_once", [1, 2, 5, 1000])
def test_pairs_are_the_permutations_within_windows(monkeypatch, windows, at_once):
    monkeypatch.setattr(pair_scores, "_PAIRS_AT_ONCE", at_once)
    expected = expected_pairs(windows)
    pairs = PairChunks(in_windows(windows))
    assert pairs_of(in_windows(windows)) == expected
    assert pairs.count() == pairs.n_tried == len(expected)
    assert [len(i) for i, _ in pairs] == [
        len(expected[n : n + at_once]) for n in range(0, len(expected), at_once)
    ]
    heads = torch.tensor([i % 2 == 0 for i in range(len(windows))], dtype=torch.bool)
    assert pairs_of(in_windows(windows), heads=heads) == [x for x in expected if x[0] % 2 == 0]


def distance(one, other):
    """Token by token."""
    apart = set(range(min(one[2], other[2]), max(one[1], other[1])))
    return len(apart)


@pytest.mark.parametrize("max_distance", [0, 1, 2, 3, 10, 22, 24, 1000, None])
@pytest.mark.parametrize("at_once", [1, 4, 1000])
def test_pairs_within_a_distance(monkeypatch, max_distance, at_once):
    monkeypatch.setattr(pair_scores, "_PAIRS_AT_ONCE", at_once)
    near = [
        (i, j)
        for i, j in expected_pairs([window for window, _, _ in PLACES])
        if max_distance is None or distance(PLACES[i], PLACES[j]) <= max_distance
    ]
    pairs = PairChunks(entities_of(PLACES), max_distance)
    assert pairs_of(entities_of(PLACES), max_distance) == near
    assert pairs.count() == len(near)
    if max_distance in (0, 1000, None):
        assert 0 < len(near) <= 62 and (len(near) == 62) == (max_distance != 0)


def test_far_pairs_are_not_even_tried():
    """Time grows with the number of entities, not with its square."""
    n = 2000
    entities = entities_of([(0, 5 * i, 5 * i + 2) for i in range(n)])
    pairs = PairChunks(entities, 10)
    assert pairs.count() == pairs.n_tried == 2 * (n - 1) + 2 * (n - 2)  # 3 and 8 tokens between


def test_tokens_between():
    i, j = torch.tensor([(0, 1), (1, 3), (3, 1), (0, 6), (6, 0), (2, 3)]).T
    assert tokens_between(entities_of(PLACES), i, j).tolist() == [0, 1, 1, 28, 28, 0]


@pytest.mark.parametrize("windows", WINDOWS)
@pytest.mark.parametrize("left_out", [1, 2, 100])
def test_related_pairs_mark_what_holds(windows, left_out):
    """Also where some of the pairs are left out, and where a relation's pair is not among them."""
    pairs = [pair for i, pair in enumerate(expected_pairs(windows), start=1) if i % left_out]
    relations = [(i, j, (i + j) % 3) for i, j in expected_pairs(windows)[::2]]
    relations += [(0, 1, 2), (9, 0, 1), (0, 9, 0)]
    heads, tails = torch.tensor(pairs, dtype=torch.long).reshape(-1, 2).T
    truth = related_pairs(heads, tails, torch.tensor(relations), 3)
    expected = [[(i, j, label) in relations for label in range(3)] for i, j in pairs]
    assert truth.dtype == torch.bool
    assert truth.tolist() == expected


def test_two_labels_can_hold_for_one_pair():
    heads, tails = PairChunks(in_windows([0, 0])).part(0)
    truth = related_pairs(heads, tails, torch.tensor([(1, 0, 0), (1, 0, 2)]), 3)
    assert truth.tolist() == [[False, False, False], [True, False, True]]


def test_no_relations():
    heads, tails = PairChunks(in_windows([0, 0])).part(0)
    none = torch.zeros(0, 3, dtype=torch.long)
    assert related_pairs(heads, tails, none, 2).tolist() == [[False, False]] * 2


@pytest.mark.parametrize("symmetric", [(), (0,), (0, 2), (0, 1, 2)])
def test_both_directions(symmetric):
    relations = [(0, 1, 5), (4, 2, 6), (2, 3, 7)]
    expected = relations + [(relations[i][1], relations[i][0], relations[i][2]) for i in symmetric]
    mask = torch.tensor([i in symmetric for i in range(3)])
    found = both_directions(torch.tensor(relations), mask)
    assert [tuple(x) for x in found.tolist()] == expected
    none = torch.zeros(0, 3, dtype=torch.long)
    assert both_directions(none, none[:, 0].bool()).shape == (0, 3)


@pytest.mark.parametrize("at_once, n_calls", [(1, 6), (4, 2), (6, 1), (100, 1)])
@pytest.mark.parametrize("thresholds", [None, (0.5, 2.0), (1.0, 0.9), (0.0, 0.0), (1.1, 1.1)])
def test_score_pairs(monkeypatch, at_once, n_calls, thresholds):
    monkeypatch.setattr(pair_scores, "_PAIRS_AT_ONCE", at_once)
    entities, seen = in_windows([0, 0, 0]), []
    pairs = PairChunks(entities)

    def score(i, j):
        seen.append(len(i))
        return torch.stack([i / 2, j / 3], 1)

    rows = [(i, j, i / 2, j / 3) for i, j in expected_pairs([0, 0, 0])]
    if thresholds is not None:
        rows = [x for x in rows if x[2] >= thresholds[0] or x[3] >= thresholds[1]]
    heads, tails, scores = score_pairs(score, pairs, 2, Limits(thresholds=thresholds))
    found = torch.cat([torch.stack([heads, tails], 1), scores], 1)
    assert torch.allclose(found, torch.tensor(rows).reshape(-1, 4))
    assert len(seen) == n_calls and max(seen) <= at_once
    assert score_pairs(score, PairChunks(in_windows([0])), 2, Limits())[2].shape == (0, 2)
    assert len(seen) == n_calls


def test_pairs_without_labels_are_kept_where_all_are():
    pairs = PairChunks(in_windows([0, 0, 0]))
    assert score_pairs(None, pairs, 0, Limits())[2].shape == (6, 0)
    assert score_pairs(None, pairs, 0, Limits(thresholds=()))[2].shape == (0, 0)


def test_a_threshold_is_compared_in_double_precision():
    """0.1 in single precision is more than 0.1, and 0.7 is less than 0.7."""
    pairs = PairChunks(in_windows([0, 0]))
    for threshold, n in ((0.1, 2), (0.7, 0)):
        found = score_pairs(
            lambda i, j, x=threshold: torch.full((len(i), 1), x),
            pairs,
            1,
            Limits(thresholds=[threshold]),
        )
        assert len(found[0]) == n


@pytest.mark.parametrize("max_distance", [None, 0, 3])
@pytest.mark.parametrize("at_once", [1, 5, 1000])
def test_mean_over_pairs_and_its_gradient(monkeypatch, max_distance, at_once):
    pairs = PairChunks(entities_of(PLACES), max_distance)
    weights = torch.randn(len(PLACES), 3, dtype=torch.float64, requires_grad=True)

    def loss(i, j):
        return (weights[i] * weights[j].cos()).sum(1).mean()

    i, j = (torch.cat(x) for x in zip(*pairs))
    expected = loss(i, j)
    (gradient,) = torch.autograd.grad(expected, weights)
    monkeypatch.setattr(pair_scores, "_PAIRS_AT_ONCE", at_once)
    found = mean_over_pairs(loss, pairs)
    assert torch.allclose(found, expected)
    assert torch.allclose(torch.autograd.grad(found, weights)[0], gradient)


@pytest.mark.parametrize("at_once", [1, 1000])
def test_the_mean_over_no_pairs(monkeypatch, at_once):
    monkeypatch.setattr(pair_scores, "_PAIRS_AT_ONCE", at_once)
    far = entities_of([(0, 0, 1), (0, 9, 10), (0, 20, 21)])
    assert mean_over_pairs(None, PairChunks(far, 2)) == 0


def test_distmult_equals_its_formula():
    layer = DistMult(3, 2)
    head, tail = torch.randn(4, 3), torch.randn(4, 3)
    expected = [[(g @ torch.diag(w) @ h).item() for w in layer.weight] for g, h in zip(head, tail)]
    assert torch.allclose(layer(head, tail), torch.tensor(expected), atol=1e-6)
