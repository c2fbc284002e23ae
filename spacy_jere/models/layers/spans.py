"""Spans of a batch of windows."""

from typing import Iterator, Tuple

import torch
from torch import Tensor

from ..types import Entities, Spans

# Numbers of a table of spans and other spans that are made at once.
_CELLS_AT_ONCE = 1 << 22
# Spans that are compared with others at once, at most.
_ROWS_AT_ONCE = 1 << 14
# Tokens whose spans are classified at once: bounds the memory that a long window takes.
_TOKENS_AT_ONCE = 4096


def all_spans(lengths: Tensor, max_width: int) -> Spans:
    """Every span of up to `max_width` tokens inside a window.

    lengths (Tensor): Tokens of each window. Shape [n_windows].
    """
    return _spans_from(0, int(lengths.sum()), lengths, max_width)


def span_chunks(lengths: Tensor, max_width: int) -> Iterator[Tuple[slice, Spans]]:
    """All spans, so many tokens at a time.

    lengths (Tensor): Tokens of each window, at least one window. Shape [n_windows].
    YIELDS (Tuple[slice, Spans]): The tokens that the spans of a part lie in, and the spans.
    """
    n_tokens = int(lengths.sum())
    for first in range(0, n_tokens, _TOKENS_AT_ONCE):
        last = min(first + _TOKENS_AT_ONCE, n_tokens)
        tokens = slice(first, min(last + max_width - 1, n_tokens))
        yield tokens, _spans_from(first, last, lengths, max_width)


def _spans_from(first_token: int, last_token: int, lengths: Tensor, max_width: int) -> Spans:
    """RETURNS: The spans that start at one of the tokens; the last one is exclusive."""
    tokens = torch.arange(first_token, last_token, device=lengths.device)
    ends = torch.cumsum(lengths, 0)
    window = torch.searchsorted(ends, tokens, right=True)
    n_widths = (ends[window] - tokens).clamp(max=max_width)
    place = torch.repeat_interleave(torch.arange(len(tokens), device=lengths.device), n_widths)
    first = torch.cumsum(n_widths, 0) - n_widths
    width = torch.arange(len(place), device=lengths.device) - first[place] + 1
    start = tokens[place]
    return Spans(window[place], start, start + width)


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
    if not len(best) or not len(others.start):
        return best
    # Offsets count through the batch, so that spans of different windows never overlap. What
    # follows has the shape [n_rows, n_others].
    n_rows = max(1, min(_ROWS_AT_ONCE, _CELLS_AT_ONCE // len(others.start)))
    for rows in torch.arange(len(best), device=best.device).split(n_rows):
        start, end = spans.start[rows].unsqueeze(1), spans.end[rows].unsqueeze(1)
        # Spans are mostly ordered by their start: few others lie where these do.
        near = torch.nonzero((others.start < end.max()) & (others.end > start.min()))[:, 0]
        if not len(near):
            continue
        other_start, other_end = others.start[near], others.end[near]
        shared = torch.minimum(end, other_end) - torch.maximum(start, other_start)
        union = end - start + (other_end - other_start) - shared
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
