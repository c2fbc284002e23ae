"""A linear-chain CRF over BIO tags that learns from partial annotation and gives span probabilities.

The chain itself (transition weights, normalizer, Viterbi) is pytorch-crf's. Added here: transitions that BIO
forbids, a likelihood for windows in which some tokens are not annotated, and the exact probability of a span.

Tags: 0 is O; entity label `k` has B at `2k + 1` and I at `2k + 2`.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torchcrf import CRF

IMPOSSIBLE = -1e4


class TaggedSpans(NamedTuple):
    """Spans of the best tag sequence of each window. All of shape [n_spans].

    window, start, end (Tensor): The window, and token offsets in it; the end is exclusive.
    label (Tensor): Index of the entity label.
    probability (Tensor): P(tags are exactly B I … I here and the span ends here | window).
    """

    window: Tensor
    start: Tensor
    end: Tensor
    label: Tensor
    probability: Tensor


def n_bio_tags(n_labels: int) -> int:
    """RETURNS (int): The number of BIO tags for a number of entity labels."""
    return 2 * n_labels + 1


class BioCRF(CRF):
    """CRF over BIO tags of `n_labels` entity labels.

    Emissions are [n_steps, n_windows, n_tags], masks [n_steps, n_windows]; each window has a first token.
    """

    forbidden: Tensor
    forbidden_start: Tensor

    def __init__(self, n_labels: int):
        super().__init__(n_bio_tags(n_labels))
        tags = torch.arange(self.num_tags)
        inside = (tags > 0) & (tags % 2 == 0)
        # I-x may only follow B-x or I-x, so it can't open a window either.
        follows = (tags.unsqueeze(1) == tags - 1) | (tags.unsqueeze(1) == tags)
        self.register_buffer("forbidden", inside & ~follows, persistent=False)
        self.register_buffer("forbidden_start", inside, persistent=False)
        self.forbid()

    def forbid(self) -> None:
        """Make forbidden transitions impossible again, whatever an optimizer did to them."""
        with torch.no_grad():
            self.transitions.masked_fill_(self.forbidden, IMPOSSIBLE)
            self.start_transitions.masked_fill_(self.forbidden_start, IMPOSSIBLE)

    def negative_log_likelihood(self, emissions: Tensor, allowed: Tensor, mask: Tensor) -> Tensor:
        """How unlikely the allowed tag sequences are.

        allowed (Tensor): Which tags each token may have: one where it is annotated, all where it isn't.
            Shape [n_steps, n_windows, n_tags].
        RETURNS (Tensor): -log of the summed probability of all allowed sequences. Shape [n_windows].
        """
        self.forbid()
        permitted = emissions.masked_fill(~allowed, IMPOSSIBLE)
        return self._compute_normalizer(emissions, mask) - self._compute_normalizer(permitted, mask)

    def best_spans(self, emissions: Tensor, mask: Tensor) -> TaggedSpans:
        """RETURNS (TaggedSpans): The entities of each window's Viterbi path, by window and start."""
        self.forbid()
        emissions = emissions.double()  # sums over thousands of tokens need the digits
        tags = torch.zeros(
            mask.T.shape, dtype=torch.long, device=mask.device
        )  # [n_windows, n_steps]
        tags[mask.T] = torch.tensor(
            [tag for path in self.decode(emissions, mask) for tag in path], device=mask.device
        )
        window, start = torch.nonzero(tags % 2 == 1, as_tuple=True)
        label = (tags[window, start] - 1) // 2
        # A span ends at the first later position that is not I; padding is O.
        n_steps = tags.shape[1]
        positions = torch.arange(n_steps, device=mask.device)
        is_inside = (tags > 0) & (tags % 2 == 0)
        stops = torch.where(is_inside, n_steps, positions)
        next_stop = torch.flip(torch.cummin(torch.flip(stops, [1]), 1).values, [1])
        next_stop = torch.cat([next_stop, next_stop.new_full((len(tags), 1), n_steps)], 1)
        end = next_stop[window, start + 1]
        probability = self._span_probability(emissions, mask, window, start, end, label)
        return TaggedSpans(window, start, end, label, probability)

    def _span_probability(
        self,
        emissions: Tensor,
        mask: Tensor,
        window: Tensor,
        start: Tensor,
        end: Tensor,
        label: Tensor,
    ) -> Tensor:
        if not len(window):
            return emissions.new_zeros(0)
        forward, backward = self._forward_backward(emissions, mask)
        log_z = torch.logsumexp(forward[0] + backward[0], 1)
        begin, inside = 2 * label + 1, 2 * label + 2
        last = end - 1
        # Along I … I each token adds its emission and, after the first I, one I -> I transition.
        run = torch.cumsum(emissions, 0)
        longer = (last > start).to(emissions.dtype)
        path = run[last, window, inside] - run[start, window, inside]
        path = path + longer * self.transitions[begin, inside]
        path = path + (last - start - 1).clamp(min=0) * self.transitions[inside, inside]
        last_tag = torch.where(last > start, inside, begin)
        # After the span: the window ends, or any tag but I-label follows.
        lengths = mask.sum(0)
        following = end.clamp(max=len(emissions) - 1)
        onward = (
            self.transitions[last_tag] + emissions[following, window] + backward[following, window]
        )
        onward = onward.scatter(1, inside.unsqueeze(1), IMPOSSIBLE)
        after = torch.where(
            end < lengths[window], torch.logsumexp(onward, 1), self.end_transitions[last_tag]
        )
        log_probability = forward[start, window, begin] + path + after - log_z[window]
        return log_probability.exp().clamp(max=1.0)

    def _forward_backward(self, emissions: Tensor, mask: Tensor) -> "tuple[Tensor, Tensor]":
        """forward[t, w, k]: log-sum of all prefixes that end in tag k at t, its emission included.
        backward[t, w, k]: log-sum of all continuations after tag k at t. Both like the emissions."""
        n_steps = len(emissions)
        forward = [self.start_transitions + emissions[0]]
        for step in range(1, n_steps):
            scores = (
                torch.logsumexp(forward[-1].unsqueeze(2) + self.transitions, 1) + emissions[step]
            )
            forward.append(torch.where(mask[step].unsqueeze(1), scores, forward[-1]))
        backward = [self.end_transitions.expand_as(emissions[0])]
        for step in range(n_steps - 1, 0, -1):
            onward = (emissions[step] + backward[-1]).unsqueeze(1) + self.transitions
            scores = torch.logsumexp(onward, 2)
            backward.append(torch.where(mask[step].unsqueeze(1), scores, backward[-1]))
        return torch.stack(forward), torch.stack(backward[::-1])
