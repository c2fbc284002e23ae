"""Windows of texts that are longer than a transformer reads."""

from itertools import pairwise

import numpy
import pytest

from spacy_jere.models.tok2vec.reading_windows import divide

RNG = numpy.random.default_rng(0)


def context_of(sizes, part, i):
    """The word pieces between a token and the nearer cut."""
    n = sum(sizes)
    left = sum(sizes[part.start : i]) if part.start else n
    right = sum(sizes[i + 1 : part.end]) if part.end < len(sizes) else n
    return min(left, right)


@pytest.mark.parametrize("limit", [1, 2, 3, 10, 17])
@pytest.mark.parametrize("stride", [None, 1, 2, 5, 100])
@pytest.mark.parametrize("widest", [1, 3, 25])
def test_each_token_is_taken_once_where_it_has_most_context(limit, stride, widest):
    for n in [*range(0, 3 * limit + 2), 200]:
        sizes = RNG.integers(1, widest + 1, n).tolist()
        parts = divide(sizes, limit, stride)
        taken = [part.start + i for part in parts for i in part.taken.tolist()]
        assert sorted(taken) == list(range(n))
        clipped = [min(x, limit) for x in sizes]
        assert all(sum(clipped[x.start : x.end]) <= limit for x in parts)
        assert all(x.start < y.start and x.end < y.end for x, y in pairwise(parts))
        for part in parts:
            for i in (part.taken + part.start).tolist():
                others = [context_of(clipped, x, i) for x in parts if x.start <= i < x.end]
                assert context_of(clipped, part, i) == max(others)


@pytest.mark.parametrize("limit, stride", [(10, None), (10, 4), (38, None), (38, 20), (510, None)])
def test_no_token_is_read_at_a_cut_without_context(limit, stride):
    step = stride or int(0.75 * limit)
    for n in (limit + 1, limit + step, 3 * limit, 3 * limit + 1):
        sizes = [1] * n
        for part in divide(sizes, limit, stride):
            for i in (part.taken + part.start).tolist():
                assert context_of(sizes, part, i) >= (limit - step) // 2


@pytest.mark.parametrize("limit", [None, 5, 100])
def test_what_fits_is_one_window(limit):
    (part,) = divide([1, 2, 2], limit, 1)
    assert (part.start, part.end, part.taken.tolist()) == (0, 3, [0, 1, 2])
    assert divide([], limit) == []


def test_a_stride_of_a_window_or_more_does_not_overlap():
    parts = divide([1] * 25, 10, 10)
    assert [(x.start, x.end) for x in parts] == [(0, 10), (10, 20), (20, 25)]
    assert [x.taken.tolist() for x in divide([2] * 25, 10, 99)] == [[0, 1, 2, 3, 4]] * 5


def test_a_token_of_more_pieces_than_fit_is_a_window_of_its_own():
    parts = divide([1, 1, 30, 1, 1], 10)
    assert [(x.start, x.end) for x in parts] == [(0, 2), (2, 3), (3, 5)]


def test_the_number_of_windows_grows_with_the_length():
    for n in (1_000, 100_000):
        assert n / 382 <= len(divide([1] * n, 510)) <= n / 382 + 1
