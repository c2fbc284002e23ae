"""Maxima over ranges of tokens, without a tensor of shape [ranges, tokens, width]."""

from typing import Any, Iterator, Tuple, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def range_maximum(vectors: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """The maximum of each range, feature by feature; zeros for an empty range.

    A table holds the maxima over 1, 2, 4, … tokens from each token on. Two of its rows, which may overlap, cover any
    range, so that at most log2(longest range) copies of the vectors are made, one at a time.

    vectors (Tensor): Shape [n_tokens, width].
    start, end (Tensor): Token offsets; ends are exclusive. Shape [n_ranges].
    RETURNS (Tensor): Shape [n_ranges, width]. Exact; differentiable once. The gradient of a maximum goes to one of the
        tokens that have it.
    """
    return cast(Tensor, cast(Any, _RangeMaximum).apply(vectors, start, end))


class _RangeMaximum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, vectors: Tensor, start: Tensor, end: Tensor) -> Tensor:
        ctx.save_for_backward(vectors, start, end)
        maxima = vectors.new_zeros(len(start), vectors.shape[1])
        table = vectors
        for size, ranges in _by_size(start, end):
            if size > 1:
                table = torch.maximum(*_halves(table, size))
            left, right = start[ranges], end[ranges] - size
            maxima[ranges] = torch.maximum(table[left], table[right])
        return maxima

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_maxima: Tensor) -> Tuple[Tensor, None, None]:
        """Makes the table again, now with the token that each maximum comes from."""
        vectors, start, end = ctx.saved_tensors
        d_vectors = torch.zeros_like(vectors)
        table = vectors
        tokens = torch.arange(len(vectors), device=vectors.device).unsqueeze(1).expand_as(vectors)
        for size, ranges in _by_size(start, end):
            if size > 1:
                former, latter = _halves(table, size)
                tokens = torch.where(former >= latter, *_halves(tokens, size))
                table = torch.maximum(former, latter)
            left, right = start[ranges], end[ranges] - size
            winners = torch.where(table[left] >= table[right], tokens[left], tokens[right])
            d_vectors.scatter_add_(0, winners, d_maxima[ranges])
        return d_vectors, None, None


def _halves(table: Tensor, size: int) -> Tuple[Tensor, Tensor]:
    """RETURNS: The rows of both halves of each range of a size."""
    half = size // 2
    return table[:-half], table[half:]


def _by_size(start: Tensor, end: Tensor) -> Iterator[Tuple[int, Tensor]]:
    """YIELDS: 1, 2, 4, … and the ranges of that many tokens or more, but not twice as many. [n_ranges_of_size]"""
    lengths = end - start
    longest, size = int(lengths.max()) if len(lengths) else 0, 1
    while size <= longest:
        yield size, torch.nonzero((lengths >= size) & (lengths < 2 * size))[:, 0]
        size *= 2
