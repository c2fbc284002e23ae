"""Spans against plain loops over windows."""

import pytest
import torch

from spacy_jere.models.layers import spans as module
from spacy_jere.models.layers.spans import all_spans, among, best_overlap, classified, span_chunks
from spacy_jere.models.types import Spans

LENGTHS = [[], [1], [3], [1, 1], [4, 1, 6], [2, 12, 3]]


def make_spans(rows):
    return Spans(*torch.tensor(rows, dtype=torch.long).reshape(-1, 3).T)


def rows_of(spans):
    return list(zip(*(x.tolist() for x in spans)))


def every_span(lengths, max_width):
    rows, first = [], 0
    for window, length in enumerate(lengths):
        for start in range(length):
            ends = range(start + 1, min(start + max_width, length) + 1)
            rows += [(window, first + start, first + end) for end in ends]
        first += length
    return rows


@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("max_width", [1, 2, 3, 100])
def test_all_spans(lengths, max_width):
    found = all_spans(torch.tensor(lengths, dtype=torch.long), max_width)
    assert rows_of(found) == every_span(lengths, max_width)


@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("max_width", [1, 2, 100])
@pytest.mark.parametrize("at_once", [1, 4, 17, 100])
def test_span_chunks(monkeypatch, lengths, max_width, at_once):
    monkeypatch.setattr(module, "_TOKENS_AT_ONCE", at_once)
    parts = list(span_chunks(torch.tensor(lengths, dtype=torch.long), max_width))
    assert [row for _, part in parts for row in rows_of(part)] == every_span(lengths, max_width)
    assert len(parts) == -(-sum(lengths) // at_once)
    for tokens, part in parts:
        assert tokens.start <= part.start.min() and part.end.max() <= tokens.stop
        assert len(set(part.start.tolist())) <= at_once


@pytest.mark.parametrize("others", [[], [(0, 0, 2)], [(0, 1, 3), (1, 3, 4), (1, 3, 9), (1, 4, 6)]])
def test_among(others):
    rows = every_span([3, 4], 3)
    expected = [row in others for row in rows]
    assert among(make_spans(rows), make_spans(others)).tolist() == expected
    assert among(make_spans([]), make_spans(others)).tolist() == []


def iou(a, b):
    tokens, others = set(range(*a[1:])), set(range(*b[1:]))
    return len(tokens & others) / len(tokens | others)


@pytest.mark.parametrize("at_once", [1, 5, 1 << 14])
@pytest.mark.parametrize("limit", ["_ROWS_AT_ONCE", "_CELLS_AT_ONCE"])
@pytest.mark.parametrize("others", [[], [(0, 0, 2)], [(0, 1, 3), (1, 3, 4), (1, 3, 7), (1, 4, 6)]])
def test_best_overlap_is_the_best_intersection_over_union(monkeypatch, at_once, limit, others):
    monkeypatch.setattr(module, limit, at_once)
    rows = every_span([3, 4], 4)
    expected = [max((iou(row, other) for other in others), default=0.0) for row in rows]
    assert best_overlap(make_spans(rows), make_spans(others)).tolist() == pytest.approx(expected)
    assert not others or 0 < sum(x == 1 for x in expected) == len(others)


def test_neighbours_across_windows_do_not_overlap():
    assert best_overlap(make_spans([(0, 2, 3), (1, 3, 4)]), make_spans([(1, 3, 5)])).tolist() == [
        0,
        0.5,
    ]


def test_classified():
    rows = [(0, 0, 1), (0, 0, 2), (1, 3, 4), (1, 3, 5)]
    probabilities = torch.tensor([[0.6, 0.3, 0.1], [0.2, 0.3, 0.5], [0.1, 0.8, 0.1], [0.5, 0.5, 0]])
    found, scores = classified(make_spans(rows), probabilities)
    assert rows_of(found.spans) == rows[1:3]
    assert found.label.tolist() == [1, 0]
    assert scores.tolist() == pytest.approx([0.5, 0.8])
