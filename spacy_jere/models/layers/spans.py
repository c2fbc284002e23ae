"""Spans of a batch of windows."""

from typing import Tuple

import torch
from torch import Tensor

from ..types import Entities, Spans

# Spans that are compared with others at once.
_ROWS_AT_ONCE = 1 << 14


def all_spans(lengths: Tensor, max_width: int) -> Spans:
    """Every span of up to `max_width` tokens inside a window.

    lengths (Tensor): Tokens of each window. Shape [n_windows].
    """
    window = torch.repeat_interleave(torch.arange(len(lengths), device=lengths.device), lengths)
    tokens = torch.arange(len(window), device=lengths.device)
    remaining = torch.cumsum(lengths, 0)[window] - tokens
    n_widths = remaining.clamp(max=max_width)
    start = torch.repeat_interleave(tokens, n_widths)
    first = torch.cumsum(n_widths, 0) - n_widths
    width = torch.arange(len(start), device=lengths.device) - first[start] + 1
    return Spans(window[start], start, start + width)


def among(spans: Spans, others: Spans) -> Tensor:
    """RETURNS (Tensor): Which spans are among the others. Shape [n_spans], bool."""
    if not len(others.start) or not len(spans.start):
        return torch.zeros_like(spans.start, dtype=torch.bool)
    n = torch.maximum(others.end.max(), spans.end.max()) + 1
    return torch.isin(spans.start * n + spans.end, others.start * n + others.end)


def best_overlap(spans: Spans, others: Spans) -> Tensor:
    """q(s) = max over g of |s ∩ g| / |s ∪ g|: the best intersection over union with another span.

    RETURNS (Tensor): Shape [n_spans], 0 where nothing overlaps.
    """
    best = torch.zeros(len(spans.start), device=spans.start.device)
    if not len(others.start):
        return best
    # Offsets count through the batch, so that spans of different windows never overlap. What
    # follows has the shape [n_rows, n_others].
    for rows in torch.arange(len(best), device=best.device).split(_ROWS_AT_ONCE):
        start, end = spans.start[rows].unsqueeze(1), spans.end[rows].unsqueeze(1)
        shared = torch.minimum(end, others.end) - torch.maximum(start, others.start)
        union = end - start + (others.end - others.start) - shared
        best[rows] = torch.where(shared > 0, shared / union, 0.0).max(1).values
    return best


def classified(spans: Spans, probabilities: Tensor) -> Tuple[Entities, Tensor]:
    """Keep the spans whose most probable label is not the first, "none".

    probabilities (Tensor): Shape [n_spans, 1 + n_labels].
    RETURNS (Tuple[Entities, Tensor]): The entities, and the probability of each, [n_entities].
    """
    scores, best = probabilities.max(1)
    found = torch.nonzero(best)[:, 0]
    return Entities(*spans.where(found), best[found] - 1), scores[found]
