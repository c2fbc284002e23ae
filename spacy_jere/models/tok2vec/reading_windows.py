"""Texts that are longer than a transformer can read, in windows that overlap.

Windows are cut between tokens. A token that several windows hold is taken from the one where it has
most context: where the nearer end of the window is farthest away. The ends of the text are no cuts.
"""

from typing import List, NamedTuple, Optional, Tuple

import numpy

from ..types import Array1d

# Of a window; the rest is shared with the next one.
_STRIDE = 0.75


class Part(NamedTuple):
    """A window of a text.

    start, end: First token and end.
    taken: Which of its tokens are taken from this window, counted from its start. [n_taken]
    """

    start: int
    end: int
    taken: Array1d


def divide(sizes: List[int], limit: Optional[int], stride: Optional[int] = None) -> List[Part]:
    """Divide a text into windows.

    sizes (List[int]): How many word pieces each token has. A token of more pieces than fit is a
        window of its own.
    limit (Optional[int]): How many word pieces fit into a window; None for any number.
    stride (Optional[int]): How many word pieces a window begins after the one before, at most; None
        for three quarters of the limit. Windows don't overlap where it is the limit or more.
    RETURNS (List[Part]): In order; each token is taken from one of them. None for an empty text.
    """
    if not sizes:
        return []
    if limit is None or sum(sizes) <= limit:
        return [Part(0, len(sizes), numpy.arange(len(sizes)))]
    clipped = numpy.minimum(numpy.asarray(sizes), limit)
    ends = numpy.cumsum(clipped)
    step = max(1, int(_STRIDE * limit)) if stride is None else stride
    windows = _windows(ends - clipped, ends, limit, step)
    return _share(windows, ends - clipped, ends)


def _windows(starts: Array1d, ends: Array1d, limit: int, step: int) -> List[Tuple[int, int]]:
    """starts, ends: Of each token, in word pieces of the text. RETURNS: Tokens of each window."""
    windows: List[Tuple[int, int]] = []
    first = end = 0
    while end < len(starts):
        if windows:
            by_step = int(numpy.searchsorted(starts, starts[first] + step, side="right")) - 1
            # A window that would end where the last one does shows nothing new.
            to_reach = int(numpy.searchsorted(starts, ends[end] - limit))
            first = min(max(by_step, to_reach, first + 1), end)
        end = int(numpy.searchsorted(ends, starts[first] + limit, side="right"))
        windows.append((first, end))
    return windows


def _share(windows: List[Tuple[int, int]], starts: Array1d, ends: Array1d) -> List[Part]:
    """Take each token from the window where it has most context, the first of equal ones."""
    best = numpy.full(len(starts), -1)
    owner = numpy.zeros(len(starts), dtype="int64")
    for i, (first, end) in enumerate(windows):
        far = ends[-1]
        left = starts[first:end] - starts[first] if first else numpy.full(end - first, far)
        right = ends[end - 1] - ends[first:end] if end < len(starts) else far
        context = numpy.minimum(left, right)
        better = context > best[first:end]
        best[first:end][better] = context[better]
        owner[first:end][better] = i
    parts = [
        Part(first, end, numpy.nonzero(owner[first:end] == i)[0])
        for i, (first, end) in enumerate(windows)
    ]
    return [part for part in parts if len(part.taken)]
