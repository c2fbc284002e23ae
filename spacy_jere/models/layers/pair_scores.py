"""Ordered pairs of entities and the scores they are given, so many pairs at a time.

A window with n entities has n (n - 1) pairs: a text of 100,000 tokens without sentence boundaries
has hundreds of millions. Never are all of them there at once.
"""

from typing import Callable, Iterator, Optional, Tuple, cast

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..types import Entities, Limits

# So many pairs are scored at once, at most.
_PAIRS_AT_ONCE = 1 << 14
# More pairs are divided into parts of this size, whose features fit into a processor's cache.
_PAIRS_OF_A_PART = 1 << 12

# Heads and tails of pairs, as indices into entities. Both of shape [n_pairs].
Pairs = Tuple[Tensor, Tensor]
# From pairs to their scores, [n_pairs, n_labels]
Score = Callable[[Tensor, Tensor], Tensor]
# From pairs to a scalar
Loss = Callable[[Tensor, Tensor], Tensor]


class PairChunks:
    """All ordered pairs of different entities that share a window, by head and then by tail. To be
    gone through as often as need be: pairs are made when it is their turn.

    entities (Entities): The entities, ordered by window and start.
    max_distance (Optional[int]): The greatest number of tokens between two entities; None for no
        limit.
    heads (Optional[Tensor]): Which entities may be heads. [n_entities], bool; None for all.
    """

    def __init__(
        self,
        entities: Entities,
        max_distance: Optional[int] = None,
        heads: Optional[Tensor] = None,
    ):
        self.entities = entities
        self.max_distance = max_distance
        first, n_partners = self._partners()
        if heads is not None:
            n_partners = n_partners * heads
        self._ends = torch.cumsum(n_partners, 0)
        self._first = first + n_partners - self._ends
        self.n_tried = int(self._ends[-1]) if len(n_partners) else 0
        all_at_once = self.n_tried <= _PAIRS_AT_ONCE
        self._size = _PAIRS_AT_ONCE if all_at_once else min(_PAIRS_OF_A_PART, _PAIRS_AT_ONCE)

    @property
    def n_parts(self) -> int:
        return -(-self.n_tried // self._size)

    def part(self, number: int) -> Pairs:
        """RETURNS (Pairs): One of the parts; it may be empty where there is a greatest distance."""
        first = number * self._size
        last = min(first + self._size, self.n_tried)
        numbers = torch.arange(first, last, device=self._ends.device)
        heads = torch.searchsorted(self._ends, numbers, right=True)
        tails = self._first[heads] + numbers
        tails = tails + (tails >= heads)  # no entity is its own partner
        if self.max_distance is not None:
            near = tokens_between(self.entities, heads, tails) <= self.max_distance
            heads, tails = heads[near], tails[near]
        return heads, tails

    def count(self) -> int:
        """RETURNS (int): How many pairs there are."""
        return self.n_tried if self.max_distance is None else sum(len(i) for i, _ in self)

    def __iter__(self) -> Iterator[Pairs]:
        return (pairs for pairs in map(self.part, range(self.n_parts)) if len(pairs[0]))

    def _partners(self) -> Tuple[Tensor, Tensor]:
        """RETURNS: For each entity the first of the others that may be near enough, and how many
        there are from there on. [n_entities]."""
        window, start, end, _ = (x.contiguous() for x in self.entities)
        _, group, sizes = torch.unique_consecutive(window, return_inverse=True, return_counts=True)
        ends = torch.cumsum(sizes, 0)
        first, last = (ends - sizes)[group], ends[group]
        if self.max_distance is not None and len(window):
            # Nothing reaches as far as `reach` before an entity, and starts ascend behind it.
            reach = torch.cummax(end, 0).values
            first = torch.maximum(first, torch.searchsorted(reach, start - self.max_distance))
            behind = torch.searchsorted(start, end + self.max_distance, right=True)
            last = torch.minimum(last, behind)
        return first, last - first - 1


def tokens_between(entities: Entities, heads: Tensor, tails: Tensor) -> Tensor:
    """RETURNS (Tensor): How many tokens stand between the two entities of each pair, 0 where they
    touch or overlap. [n_pairs]."""
    left = torch.minimum(entities.end[heads], entities.end[tails])
    right = torch.maximum(entities.start[heads], entities.start[tails])
    return (right - left).clamp(min=0)


def score_pairs(
    score: Score, pairs: PairChunks, n_labels: int, limits: Limits
) -> Tuple[Tensor, Tensor, Tensor]:
    """Score pairs, and keep those that reach the threshold of a label.

    RETURNS (Tuple[Tensor, Tensor, Tensor]): Their heads and tails, [n_pairs], and their scores,
        [n_pairs, n_labels].
    """
    device = pairs.entities.start.device
    least = None
    if limits.thresholds is not None:
        least = torch.tensor(limits.thresholds, dtype=torch.float64, device=device)
    heads, tails, found = (GrowingRows(pairs.n_tried) for _ in range(3))
    for i, j in pairs if n_labels or least is None else ():
        scores = score(i, j) if n_labels else torch.zeros(len(i), 0, device=device)
        if least is not None:
            kept = (scores.float() >= least).any(1)
            i, j, scores = i[kept], j[kept], scores[kept]
        for rows, new in ((heads, i), (tails, j), (found, scores)):
            rows.add(new)
    none = torch.zeros(0, dtype=torch.long, device=device)
    no_scores = torch.zeros(0, n_labels, device=device)
    return heads.join(none), tails.join(none), found.join(no_scores)


class GrowingRows:
    """Rows that come part by part, in one tensor that doubles when it is full. Many small tensors
    between large ones that come and go would keep the memory of these from being used again.

    most (int): There are never more rows.
    """

    def __init__(self, most: int):
        self.most = most
        self.rows: Optional[Tensor] = None
        self.n_rows = 0

    def add(self, new: Tensor) -> None:
        """new: [n_new, …]."""
        n_rows = self.n_rows + len(new)
        if self.rows is None:
            self.rows = new
        elif n_rows > len(self.rows):
            rows = self.rows.new_empty(min(2 * n_rows, self.most), *new.shape[1:])
            rows[: self.n_rows] = self.rows[: self.n_rows]
            self.rows = rows
        self.rows[self.n_rows : n_rows] = new
        self.n_rows = n_rows

    def join(self, none: Tensor) -> Tensor:
        """none: What is given back where nothing came. RETURNS: All rows."""
        return none if self.rows is None else self.rows[: self.n_rows]


def mean_over_pairs(loss: Loss, pairs: PairChunks) -> Tensor:
    """The mean of a loss over all pairs. Of many pairs the records for the gradient are not kept
    but made again, part by part.

    loss (Loss): The mean over some pairs. It must not draw random numbers.
    RETURNS (Tensor): A scalar; 0 where there are no pairs.
    """
    n_pairs = pairs.count()
    if not n_pairs:
        return torch.zeros((), device=pairs.entities.start.device)
    if pairs.n_parts == 1:
        return loss(*pairs.part(0))

    def loss_of_part(number: int) -> Tensor:
        i, j = pairs.part(number)
        return loss(i, j) * len(i) if len(i) else torch.zeros((), device=i.device)

    sums = [
        cast(Tensor, checkpoint(loss_of_part, x, use_reentrant=False, preserve_rng_state=False))
        for x in range(pairs.n_parts)
    ]
    return torch.stack(sums).sum() / n_pairs


def both_directions(relations: Tensor, symmetric: Tensor) -> Tensor:
    """relations: [n_relations, 3]; symmetric: [n_relations], bool.
    RETURNS (Tensor): The relations, and the symmetric ones reversed."""
    reverse = relations[symmetric][:, [1, 0, 2]]
    return torch.cat([relations, reverse])


def related_pairs(heads: Tensor, tails: Tensor, relations: Tensor, n_labels: int) -> Tensor:
    """Which labels hold for which pairs.

    heads, tails (Tensor): Pairs as `PairChunks` makes them, or a part of these in the same
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
