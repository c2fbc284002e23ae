"""Maxima over ranges of tokens, without a tensor of shape [ranges, tokens, width]."""

import torch
from torch import Tensor


def range_maximum(vectors: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """The maximum of each range, feature by feature; zeros for an empty range.

    A table holds the maxima over 1, 2, 4, … tokens from each token on. Two of its rows, which may overlap, cover any
    range, so that at most log2(longest range) copies of the vectors are made.

    vectors (Tensor): Shape [n_tokens, width].
    start, end (Tensor): Token offsets; ends are exclusive. Shape [n_ranges].
    RETURNS (Tensor): Shape [n_ranges, width]. Exact and differentiable.
    """
    lengths = end - start
    maxima = vectors.new_zeros(len(start), vectors.shape[1])
    if not len(start) or int(lengths.max()) < 1:
        return maxima
    table, size = vectors, 1
    while True:
        rows = torch.nonzero((lengths >= size) & (lengths < 2 * size))[:, 0]
        if len(rows):
            covered = torch.maximum(table[start[rows]], table[end[rows] - size])
            maxima.index_copy_(0, rows, covered)
        if int(lengths.max()) < 2 * size:
            return maxima
        table = torch.maximum(table[:-size], table[size:])
        size *= 2
