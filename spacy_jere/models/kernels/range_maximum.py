"""Maxima over ranges of tokens, without a tensor of shape [ranges, tokens, width].

Equals, where no range is empty, what torch records:

    torch.stack([vectors[i:j].max(0).values for i, j in zip(start, end)])
"""

from typing import Any, Iterator, Tuple, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def range_maximum(vectors: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """The maximum of each range, feature by feature; zeros for an empty range.

    A table holds the maxima over 1, 2, 4, … tokens from each token on. Two of its rows, which may
    overlap, cover any range, so that at most log2(longest range) copies of the vectors are made,
    one at a time; the gradient holds twice as many at once. Where most ranges of up to some length
    are asked for, the maxima of a length come from the maxima of one token less, which is faster.

    vectors (Tensor): Shape [n_tokens, width].
    start, end (Tensor): Token offsets; ends are exclusive. Shape [n_ranges].
    RETURNS (Tensor): Shape [n_ranges, width]. Exact; differentiable once. The gradient of a maximum
        goes to one of the tokens that have it.
    """
    return cast(Tensor, cast(Any, _RangeMaximum).apply(vectors, start, end))


class _RangeMaximum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, vectors: Tensor, start: Tensor, end: Tensor) -> Tensor:
        ctx.save_for_backward(vectors, start, end)
        lengths = end - start
        # Both numbers in one transfer, where the lengths are on a GPU.
        shortest, longest = torch.stack(lengths.aminmax()).tolist() if len(lengths) else (0, 0)
        if shortest > 0 and 2 * len(lengths) >= longest * len(vectors):
            maxima = _maxima_by_length(vectors, longest)
            return maxima.index_select(0, (lengths - 1) * len(vectors) + start)
        maxima = vectors.new_zeros(len(lengths), vectors.shape[1])
        table = vectors
        for size, ranges in _by_size(lengths, longest):
            if size > 1:
                table = torch.maximum(*_halves(table, size))
            former = table.index_select(0, start[ranges])
            latter = table.index_select(0, end[ranges] - size)
            maxima.index_copy_(0, ranges, torch.maximum(former, latter, out=former))
        return maxima

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_maxima: Tensor) -> Tuple[Tensor, None, None]:
        """Make the table again; take gradients back to the half of a row that has the maximum."""
        vectors, start, end = ctx.saved_tensors
        lengths = end - start
        longest = int(lengths.max()) if len(lengths) else 0
        tables, d_tables = [vectors], [torch.zeros_like(vectors)]
        for size, ranges in _by_size(lengths, longest):
            if size > 1:
                tables.append(torch.maximum(*_halves(tables[-1], size)))
                d_tables.append(torch.zeros_like(tables[-1]))
            left, right = start[ranges], end[ranges] - size
            pair = tables[-1].index_select(0, left), tables[-1].index_select(0, right)
            d_left, d_right = _split(d_maxima.index_select(0, ranges), *pair)
            d_tables[-1].index_add_(0, left, d_left).index_add_(0, right, d_right)
        while len(tables) > 1:
            tables.pop()
            size = 2 ** len(tables)
            d_halves = _split(d_tables.pop(), *_halves(tables[-1], size))
            for half, d_half in zip(_halves(d_tables[-1], size), d_halves):
                half += d_half
        return d_tables[0], None, None


def _maxima_by_length(vectors: Tensor, longest: int) -> Tensor:
    """RETURNS: For each length from 1 on, the maxima of that many tokens from each token on;
    anything where there aren't as many. [longest * n_tokens, width]"""
    maxima = vectors.new_empty(longest, *vectors.shape)
    maxima[0] = vectors
    for length in range(1, longest):
        shorter, maxima_of_length = maxima[length - 1, :-length], maxima[length, :-length]
        torch.maximum(shorter, vectors[length:], out=maxima_of_length)
    return maxima.flatten(0, 1)


def _halves(table: Tensor, size: int) -> Tuple[Tensor, Tensor]:
    """RETURNS: The rows of both halves of each range of a size."""
    half = size // 2
    return table[:-half], table[half:]


def _split(d_maxima: Tensor, former: Tensor, latter: Tensor) -> Tuple[Tensor, Tensor]:
    """RETURNS: The gradients of two, from that of their maximum."""
    # Ones and zeros of the same type: many times as fast as a mask of bools.
    is_former = torch.ge(former, latter, out=torch.empty_like(former))
    d_former = d_maxima * is_former
    return d_former, d_maxima - d_former


def _by_size(lengths: Tensor, longest: int) -> Iterator[Tuple[int, Tensor]]:
    """YIELDS: 1, 2, 4, … and the ranges of that many tokens or more, but fewer than twice as many.
    [n_ranges_of_size]"""
    size = 1
    while size <= longest:
        yield size, torch.nonzero((lengths >= size) & (lengths < 2 * size))[:, 0]
        size *= 2
