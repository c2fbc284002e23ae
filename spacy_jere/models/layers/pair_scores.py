"""Ordered pairs of entities and the scores they are given."""

from typing import Callable, Iterator, Tuple

import torch
from torch import Tensor, nn

# Pairs scored at once: bounds the memory that a long window with hundreds of entities takes.
_PAIRS_AT_ONCE = 1 << 14


def in_chunks(heads: Tensor, tails: Tensor) -> Iterator[Tuple[Tensor, Tensor]]:
    """YIELDS (Tuple[Tensor, Tensor]): Heads and tails of as many pairs as are scored together."""
    return zip(heads.split(_PAIRS_AT_ONCE), tails.split(_PAIRS_AT_ONCE))


def score_in_chunks(
    score: Callable[[Tensor, Tensor], Tensor], heads: Tensor, tails: Tensor, n_labels: int
) -> Tensor:
    """score (Callable): From heads and tails, [n_pairs], to [n_pairs, n_labels].
    RETURNS (Tensor): The scores of all pairs."""
    if not n_labels or not len(heads):
        return torch.zeros(len(heads), n_labels, device=heads.device)
    return torch.cat([score(i, j) for i, j in in_chunks(heads, tails)])


def ordered_pairs(window: Tensor) -> Tuple[Tensor, Tensor]:
    """All ordered pairs of different entities that share a window.

    window (Tensor): The window of each entity, ascending. Shape [n_entities].
    RETURNS (Tuple[Tensor, Tensor]): Indices of heads and of tails. Both of shape [n_pairs].
    """
    _, group, sizes = torch.unique_consecutive(window, return_inverse=True, return_counts=True)
    starts = torch.cumsum(sizes, 0) - sizes
    partners = sizes[group]  # [n_entities], each entity's own place included
    heads = torch.repeat_interleave(torch.arange(len(window), device=window.device), partners)
    first = torch.cumsum(partners, 0) - partners
    rank = torch.arange(len(heads), device=window.device) - first[heads]
    tails = starts[group[heads]] + rank
    different = heads != tails
    return heads[different], tails[different]


def both_directions(relations: Tensor, symmetric: Tensor) -> Tensor:
    """relations: [n_relations, 3]; symmetric: [n_relations], bool.
    RETURNS (Tensor): The relations, and the symmetric ones reversed."""
    reverse = relations[symmetric][:, [1, 0, 2]]
    return torch.cat([relations, reverse])


def related_pairs(heads: Tensor, tails: Tensor, relations: Tensor, n_labels: int) -> Tensor:
    """Which labels hold for which pairs.

    heads, tails (Tensor): Pairs as `ordered_pairs` makes them, or a part of these in the same
        order.
    relations (Tensor): Head, tail and label; those whose pair is not among the pairs are passed
        over. Shape [n_relations, 3].
    RETURNS (Tensor): Shape [n_pairs, n_labels], bool.
    """
    truth = torch.zeros(len(heads), n_labels, dtype=torch.bool, device=heads.device)
    if len(heads) and len(relations):
        n = int(torch.max(heads.max(), relations[:, :2].max())) + 1
        pairs, wanted = heads * n + tails, relations[:, 0] * n + relations[:, 1]
        rows = torch.searchsorted(pairs, wanted).clamp(max=len(pairs) - 1)
        found = pairs[rows] == wanted
        truth[rows[found], relations[found, 2]] = True
    return truth


class DistMult(nn.Module):
    """score_r(g, h) = gᵀ diag(w_r) h for each relation r (Yang et al. 2015, arXiv 1412.6575).

    width (int): Width of the two vectors.
    n_relations (int): Number of relations.
    """

    def __init__(self, width: int, n_relations: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_relations, width))
        nn.init.xavier_normal_(self.weight)

    def forward(self, head: Tensor, tail: Tensor) -> Tensor:
        """head, tail: [n_pairs, width]. RETURNS: [n_pairs, n_relations]."""
        return (head * tail) @ self.weight.T
