"""Pairs against itertools, DistMult against its formula."""

from itertools import permutations

import pytest
import torch

from spacy_jere.models.layers import pair_scores
from spacy_jere.models.layers.pair_scores import (
    DistMult,
    both_directions,
    ordered_pairs,
    related_pairs,
    score_in_chunks,
)

WINDOWS = [[], [3], [0, 0], [0, 1, 2], [0, 0, 2, 2, 2, 5, 7, 7], [1] * 6]


def expected_pairs(windows):
    return [(i, j) for i, j in permutations(range(len(windows)), 2) if windows[i] == windows[j]]


@pytest.mark.parametrize("windows", WINDOWS)
def test_ordered_pairs_are_the_permutations_within_windows(windows):
    heads, tails = ordered_pairs(torch.tensor(windows, dtype=torch.long))
    assert list(zip(heads.tolist(), tails.tolist())) == expected_pairs(windows)


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
    heads, tails = ordered_pairs(torch.tensor([0, 0]))
    truth = related_pairs(heads, tails, torch.tensor([(1, 0, 0), (1, 0, 2)]), 3)
    assert truth.tolist() == [[False, False, False], [True, False, True]]


def test_no_relations():
    heads, tails = ordered_pairs(torch.tensor([0, 0]))
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
def test_score_in_chunks(monkeypatch, at_once, n_calls):
    monkeypatch.setattr(pair_scores, "_PAIRS_AT_ONCE", at_once)
    heads, tails, seen = torch.arange(6), torch.arange(6) * 10, []

    def score(i, j):
        seen.append(len(i))
        return torch.stack([i, j], 1).float()

    assert score_in_chunks(score, heads, tails, 2).tolist() == [[i, 10 * i] for i in range(6)]
    assert len(seen) == n_calls and max(seen) <= at_once
    assert score_in_chunks(score, heads, tails, 0).shape == (6, 0)
    assert score_in_chunks(score, heads[:0], tails[:0], 2).shape == (0, 2)
    assert len(seen) == n_calls


def test_distmult_equals_its_formula():
    layer = DistMult(3, 2)
    head, tail = torch.randn(4, 3), torch.randn(4, 3)
    expected = [[(g @ torch.diag(w) @ h).item() for w in layer.weight] for g, h in zip(head, tail)]
    assert torch.allclose(layer(head, tail), torch.tensor(expected), atol=1e-6)
