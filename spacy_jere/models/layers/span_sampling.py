"""What a span-based model learns from: the gold annotation and negatives of the same window.

Eberts and Ulges 2020, section 3.4.
"""

from typing import Optional, Tuple

import torch
from torch import Tensor

from ..types import Spans, Targets
from .pair_scores import PairChunks, both_directions, related_pairs
from .spans import all_spans, among, best_overlap

# From this intersection over union on, a span that is no entity is a hard negative.
HARD = 0.5


def sample_spans(
    lengths: Tensor,
    targets: Targets,
    *,
    max_width: int,
    n_negatives: int,
    hard_negatives: bool = False,
) -> Tuple[Spans, Tensor]:
    """The gold entities, and up to `n_negatives` other spans of each window, at random.

    Spans with a token that is not annotated are left out.

    lengths (Tensor): Tokens of each window. Shape [n_windows].
    max_width (int): Of the negatives, in tokens.
    hard_negatives (bool): Draw up to half of the negatives from the spans whose IoU with an entity
        is at least 0.5.
    RETURNS (Tuple[Spans, Tensor]): The spans; for each 0 for none or 1 + the index of its label.
    """
    entities, known = targets.entities, targets.known
    gold = entities.spans
    spans = all_spans(lengths, max_width)
    n_unknown = torch.cumsum((~known).long(), 0)
    n_unknown = torch.cat([n_unknown.new_zeros(1), n_unknown])
    negative = n_unknown[spans.end] == n_unknown[spans.start]
    negative &= ~among(spans, gold)
    spans = spans.where(negative)
    hard = best_overlap(spans, gold) >= HARD if hard_negatives else None
    rows = sample(spans.window, n_negatives, hard)
    learned = entities.where(known[gold.start])
    chosen = Spans(*(torch.cat(x) for x in zip(learned.spans, spans.where(rows))))
    return chosen, torch.cat([learned.label + 1, learned.label.new_zeros(len(rows))])


def sample_pairs(
    targets: Targets, *, n_labels: int, n_negatives: int, max_distance: Optional[int] = None
) -> Tuple[Tensor, Tensor, Tensor]:
    """The related pairs of gold entities, and up to `n_negatives` unrelated pairs of each window.

    The negatives are drawn at random. The reverse of a symmetric relation holds too: it is neither
    learned nor a negative. Windows without relation annotation are left out.

    max_distance (Optional[int]): The greatest number of tokens between the two; None for no limit.
    RETURNS (Tuple[Tensor, Tensor, Tensor]): Heads and tails, [n_pairs], and which labels hold,
        [n_pairs, n_labels], bool.
    """
    entities, relations = targets.entities, targets.relations
    both_ways = both_directions(relations, targets.symmetric)
    known = targets.relations_known[entities.window]
    none = entities.start.new_zeros(0)
    heads, tails, lots = none, none, none.double()  # the negatives so far, and their lots
    positives = [(none, none)]
    for i, j in PairChunks(entities, max_distance, heads=known):
        different = (entities.start[i] != entities.start[j]) | (entities.end[i] != entities.end[j])
        i, j = i[different], j[different]
        positive = related_pairs(i, j, relations, n_labels).any(1)
        negative = ~related_pairs(i, j, both_ways, n_labels).any(1)
        positives.append((i[positive], j[positive]))
        heads, tails = torch.cat([heads, i[negative]]), torch.cat([tails, j[negative]])
        new = torch.rand(len(heads) - len(lots), dtype=torch.float64, device=lots.device)
        lots = torch.cat([lots, new])
        if len(heads):
            drawn = _lowest(entities.window[heads], lots, n_negatives)
            heads, tails, lots = heads[drawn], tails[drawn], lots[drawn]
    heads, tails = (torch.cat([*x, y]) for x, y in zip(zip(*positives), (heads, tails)))
    order = torch.argsort(heads * len(entities.start) + tails)
    heads, tails = heads[order], tails[order]
    return heads, tails, related_pairs(heads, tails, relations, n_labels)


def sample(window: Tensor, n_each: int, preferred: Optional[Tensor] = None) -> Tensor:
    """Choose up to `n_each` rows of each window at random, with torch's generator.

    window (Tensor): The window of each row, ascending. Shape [n_rows].
    preferred (Optional[Tensor]): Rows that are chosen first, up to half of `n_each`. Shape
        [n_rows], bool.
    RETURNS (Tensor): Indices of rows, ascending.
    """
    if not len(window):
        return torch.zeros_like(window)
    lot = torch.rand(len(window), dtype=torch.float64, device=window.device)
    if preferred is not None:
        # In front of all others come as many preferred rows as may; the rest of the preferred rows
        # mixes with the others. Lots of their own choose them, or the rest would have high lots.
        rows = torch.nonzero(preferred)[:, 0]
        own = torch.rand(len(rows), dtype=torch.float64, device=window.device)
        lot[rows[_lowest(window[rows], own, n_each // 2)]] -= 1
    return torch.sort(_lowest(window, lot, n_each)).values


def _lowest(window: Tensor, lot: Tensor, n_each: int) -> Tensor:
    """RETURNS: Indices of the `n_each` lowest lots of each window."""
    # Lots lie in [-1, 1), so that windows stay apart and in their order.
    order = torch.argsort(2 * window + lot)
    _, sizes = torch.unique_consecutive(window, return_counts=True)
    starts = torch.cumsum(sizes, 0) - sizes
    rank = torch.arange(len(window), device=window.device)
    return order[rank - torch.repeat_interleave(starts, sizes) < n_each]
