"""Maxima over very many ranges of the same tokens, for prediction.

`range_maximum` makes its table for each call. Where a window has so many pairs of entities that
they come in many parts, that would take longer than all else; here the table is made once. Ranges
begin and end at few places only: where entities do. So rows are the maxima from one such place to
the next, and the table has as few rows as there are places.
"""

from typing import Callable

import torch
from torch import Tensor

from ..kernels.range_maximum import range_maximum
from ..types import Entities

# From first tokens and ends of ranges, [n_ranges], to their maxima, [n_ranges, width]
Maxima = Callable[[Tensor, Tensor], Tensor]

# Rows of a block. A range in one block takes a step per row, a longer one is made of four parts.
_BLOCK = 16


class RangeTable:
    """What `range_maximum` says of ranges that begin and end where entities begin or end.

    vectors (Tensor): Shape [n_tokens, width].
    entities (Entities): At least one.
    """

    def __init__(self, vectors: Tensor, entities: Entities):
        self.places = torch.unique(torch.cat([entities.start, entities.end]))
        rows = range_maximum(vectors, self.places[:-1], self.places[1:])
        n_blocks = -(-len(rows) // _BLOCK)
        lowest = rows.new_full((n_blocks * _BLOCK - len(rows), rows.shape[1]), -torch.inf)
        self.rows = torch.cat([rows, lowest])
        blocks = self.rows.unflatten(0, (n_blocks, _BLOCK))
        self.from_start, self.to_end = blocks.clone(), blocks.clone()
        for i in range(1, _BLOCK):
            torch.maximum(blocks[:, i], self.from_start[:, i - 1], out=self.from_start[:, i])
            torch.maximum(blocks[:, -1 - i], self.to_end[:, -i], out=self.to_end[:, -1 - i])
        self.from_start, self.to_end = self.from_start.flatten(0, 1), self.to_end.flatten(0, 1)
        self.of_blocks = self._table(self.from_start[_BLOCK - 1 :: _BLOCK])

    def __call__(self, start: Tensor, end: Tensor) -> Tensor:
        """start, end: [n_ranges]. RETURNS: [n_ranges, width], zeros for an empty range."""
        first = torch.searchsorted(self.places, start)
        last = torch.searchsorted(self.places, end) - 1
        maxima = self.rows.new_zeros(len(start), self.rows.shape[1])
        left, right = first // _BLOCK, last // _BLOCK
        near = torch.nonzero((first <= last) & (left == right))[:, 0]
        far = torch.nonzero(left < right)[:, 0]
        maxima[near] = self._in_one_block(first[near], last[near])
        maxima[far] = self._across_blocks(first[far], last[far])
        return maxima

    def _in_one_block(self, first: Tensor, last: Tensor) -> Tensor:
        maxima = self.rows[first]
        longest = int((last - first).max()) if len(first) else 0
        for i in range(1, longest + 1):
            torch.maximum(maxima, self.rows[torch.minimum(first + i, last)], out=maxima)
        return maxima

    def _across_blocks(self, first: Tensor, last: Tensor) -> Tensor:
        maxima = torch.maximum(self.to_end[first], self.from_start[last])
        left, right = first // _BLOCK + 1, last // _BLOCK  # the whole blocks between
        whole = torch.nonzero(left < right)[:, 0]
        left, right = left[whole], right[whole]
        level = torch.frexp((right - left).double()).exponent.long() - 1  # the floor of log2
        for start in (left, right - 2**level):
            maxima[whole] = torch.maximum(maxima[whole], self.of_blocks[level, start])
        return maxima

    @staticmethod
    def _table(blocks: Tensor) -> Tensor:
        """RETURNS: The maxima of 1, 2, 4, … blocks from each block on; anything where there aren't
        as many. [n_levels, n_blocks, width]."""
        levels = [blocks]
        while 2 ** len(levels) <= len(blocks):
            half = 2 ** (len(levels) - 1)
            level = levels[-1].clone()
            torch.maximum(level[:-half], levels[-1][half:], out=level[:-half])
            levels.append(level)
        return torch.stack(levels)
