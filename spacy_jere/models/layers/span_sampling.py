"""What a span-based model learns from: the gold annotation and strong negatives of the same window.

Eberts and Ulges 2020, section 3.4.
"""

from typing import Optional, Tuple

import torch
from torch import Tensor

from .pair_scores import both_directions, ordered_pairs, related_pairs
from .spans import Spans, all_spans, among, best_overlap

# From this intersection over union on, a span that is no entity is a near miss.
NEAR_MISS = 0.5


def sample_spans(
    lengths: Tensor,
    gold: Spans,
    labels: Tensor,
    known: Tensor,
    *,
    max_width: int,
    n_negatives: int,
    prefer_near_misses: bool = False,
) -> Tuple[Spans, Tensor]:
    """The gold entities, and up to `n_negatives` other spans of each window, at random.

    lengths (Tensor): Tokens of each window. Shape [n_windows].
    gold (Spans), labels (Tensor): The entities and their labels. [n_entities]
    known (Tensor): Tokens with annotation; spans with any other are left out. Shape [n_tokens], bool.
    max_width (int): Of the negatives.
    prefer_near_misses (bool): Draw up to half of the negatives from spans whose IoU with an entity is at least 0.5.
    RETURNS (Tuple[Spans, Tensor]): The spans, and for each 0 for none or 1 + the index of its label.
    """
    spans = all_spans(lengths, max_width)
    n_unknown = torch.cumsum((~known).long(), 0)
    n_unknown = torch.cat([n_unknown.new_zeros(1), n_unknown])
    negative = n_unknown[spans.end] == n_unknown[spans.start]
    negative &= ~among(spans, gold)
    spans = Spans(*(x[negative] for x in spans))
    near = best_overlap(spans, gold) >= NEAR_MISS if prefer_near_misses else None
    rows = sample(spans.window, n_negatives, near)
    learned = known[gold.start]
    chosen = Spans(*(torch.cat([x[learned], y[rows]]) for x, y in zip(gold, spans)))
    return chosen, torch.cat([labels[learned] + 1, labels.new_zeros(len(rows))])


def sample_pairs(
    entities: Spans,
    relations: Tensor,
    symmetric: Tensor,
    known: Tensor,
    *,
    n_labels: int,
    n_negatives: int,
) -> Tuple[Tensor, Tensor, Tensor]:
    """The related pairs of entities, and up to `n_negatives` unrelated ones of each window, at random.

    entities (Spans): Shape [n_entities].
    relations (Tensor): Head, tail and label. Shape [n_relations, 3].
    symmetric (Tensor): Relations whose reverse holds too, and is neither learned nor a negative. Shape [n_relations], bool.
    known (Tensor): Windows with annotated relations. Shape [n_windows], bool.
    RETURNS (Tuple[Tensor, Tensor, Tensor]): Heads and tails, [n_pairs], and which labels hold, [n_pairs, n_labels], bool.
    """
    heads, tails = ordered_pairs(entities.window)
    same = (entities.start[heads] == entities.start[tails]) & (
        entities.end[heads] == entities.end[tails]
    )
    kept = known[entities.window[heads]] & ~same
    heads, tails = heads[kept], tails[kept]
    truth = related_pairs(heads, tails, relations, n_labels)
    related = related_pairs(heads, tails, both_directions(relations, symmetric), n_labels).any(1)
    negatives = torch.nonzero(~related)[:, 0]
    negatives = negatives[sample(entities.window[heads[negatives]], n_negatives)]
    rows = torch.sort(torch.cat([torch.nonzero(truth.any(1))[:, 0], negatives])).values
    return heads[rows], tails[rows], truth[rows]


def sample(window: Tensor, n_each: int, preferred: Optional[Tensor] = None) -> Tensor:
    """Choose up to `n_each` rows of each window at random, with torch's generator.

    window (Tensor): The window of each row, ascending. Shape [n_rows].
    preferred (Optional[Tensor]): Rows that are chosen first, up to half of `n_each`. Shape [n_rows], bool.
    RETURNS (Tensor): Indices of rows, ascending.
    """
    if not len(window):
        return torch.zeros_like(window)
    lot = torch.rand(len(window), dtype=torch.float64, device=window.device)
    if preferred is not None:
        # In front of all others come as many preferred ones as may; the rest of them mixes with the others. They are
        # chosen by lots of their own, or the rest would be those with high lots.
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
