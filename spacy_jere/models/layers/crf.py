"""A linear-chain CRF over the tags of entities that learns from partial annotation and gives span probabilities.

The chain itself (transition weights, Viterbi) is pytorch-crf's. Added here: transitions that the tag scheme
forbids, a likelihood for windows in which some tokens are not annotated, and the exact probability of a span.
"""

from copy import deepcopy
from typing import Literal, NamedTuple, Sequence

import torch
from torch import Tensor
from torchcrf import CRF

from .partition import log_partition

IMPOSSIBLE = -1e4


class TagRoles(NamedTuple):
    """What the tags of a label say, counted from 1. Tag 0 is O; role `r` of label `k` is tag `k * max(roles) + r`.

    begin, inside, last (int): The first token of an entity of several tokens, those between, and its last.
    unit (int): The token of an entity of one.
    """

    begin: int
    inside: int
    last: int
    unit: int


TagScheme = Literal["bio", "biluo"]
# BILUO says where an entity ends as well as where it begins (Ratinov and Roth 2009).
TAG_SCHEMES = {
    "bio": TagRoles(begin=1, inside=2, last=2, unit=1),
    "biluo": TagRoles(begin=1, inside=2, last=3, unit=4),
}


class TaggedSpans(NamedTuple):
    """Spans of the best tag sequence of each window. All of shape [n_spans].

    window, start, end (Tensor): The window, and token offsets in it; the end is exclusive.
    label (Tensor): Index of the entity label.
    probability (Tensor): P(there is an entity with exactly this start, end and label | window).
    """

    window: Tensor
    start: Tensor
    end: Tensor
    label: Tensor
    probability: Tensor


def n_tags(n_labels: int, scheme: TagScheme) -> int:
    """RETURNS (int): The number of tags for a number of entity labels."""
    return 1 + n_labels * max(TAG_SCHEMES[scheme])


class EntityCRF(CRF):
    """CRF over the tags of `n_labels` entity labels.

    Emissions are [n_steps, n_windows, n_tags], masks [n_steps, n_windows]; each window has a first token.

    scheme (str): "bio" or "biluo".
    """

    continues: Tensor
    unfinished: Tensor
    forbidden: Tensor

    def __init__(self, n_labels: int, scheme: TagScheme = "bio"):
        super().__init__(n_tags(n_labels, scheme))
        self.roles = TAG_SCHEMES[scheme]
        self.n_roles = max(self.roles)
        tags = torch.arange(self.num_tags)
        label, role = (tags - 1) // self.n_roles, (tags - 1) % self.n_roles + 1
        begin, inside, last, unit = ((role == x) & (tags > 0) for x in self.roles)
        opens, continues = begin | inside, inside | last
        unfinished = opens & ~(last | unit)
        fits = opens.unsqueeze(1) & continues & (label.unsqueeze(1) == label)
        forbidden = (continues | unfinished.unsqueeze(1)) & ~fits
        self.register_buffer("continues", continues, persistent=False)
        self.register_buffer("unfinished", unfinished, persistent=False)
        self.register_buffer("forbidden", forbidden, persistent=False)
        self.forbid()

    @classmethod
    def mean(cls, crfs: Sequence["EntityCRF"]) -> "EntityCRF":
        """RETURNS (EntityCRF): A copy whose weights are the means of those of several CRFs over the same tags. Its
        probability of a sequence under the mean of their emissions is, up to a factor, the geometric mean of theirs."""
        mean = deepcopy(crfs[0])
        with torch.no_grad():
            for name, weights in mean.named_parameters():
                weights.copy_(torch.stack([crf.get_parameter(name) for crf in crfs]).mean(0))
        return mean

    def forbid(self) -> None:
        """Make forbidden transitions impossible again, whatever an optimizer did to them."""
        with torch.no_grad():
            self.transitions.masked_fill_(self.forbidden, IMPOSSIBLE)
            self.start_transitions.masked_fill_(self.continues, IMPOSSIBLE)
            self.end_transitions.masked_fill_(self.unfinished, IMPOSSIBLE)

    def tags_of(self, start: Tensor, end: Tensor, label: Tensor, n_tokens: int) -> Tensor:
        """RETURNS (Tensor): The tag of each token, given spans that don't overlap. Shape [n_tokens]."""
        tags = torch.zeros(n_tokens, dtype=torch.long, device=start.device)
        sizes = end - start
        first = torch.cumsum(sizes, 0) - sizes
        tokens = torch.arange(int(sizes.sum()), device=tags.device)
        tokens = tokens + torch.repeat_interleave(start - first, sizes)
        begin, inside, last, unit = (self._tag(label, x) for x in self.roles)
        tags[tokens] = torch.repeat_interleave(inside, sizes)
        tags[end - 1] = last
        tags[start] = torch.where(sizes > 1, begin, unit)
        return tags

    def _tag(self, label: Tensor, role: int) -> Tensor:
        return label * self.n_roles + role

    def negative_log_likelihood(self, emissions: Tensor, allowed: Tensor, mask: Tensor) -> Tensor:
        """How unlikely the allowed tag sequences are.

        allowed (Tensor): Which tags each token may have: one where it is annotated, all where it isn't.
            Shape [n_steps, n_windows, n_tags].
        RETURNS (Tensor): -log of the summed probability of all allowed sequences. Shape [n_windows].
        """
        self.forbid()
        if (allowed.sum(2) == 1)[mask].all():
            permitted = self._path_score(emissions, allowed.int().argmax(2), mask)
        else:
            permitted = self._log_partition(emissions.masked_fill(~allowed, IMPOSSIBLE), mask)
        return self._log_partition(emissions, mask) - permitted

    def _log_partition(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """RETURNS: The log-sum of the scores of all sequences, [n_windows]."""
        return log_partition(
            emissions, self.start_transitions, self.transitions, self.end_transitions, mask
        )

    def _path_score(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """tags: one sequence for each window, [n_steps, n_windows]. RETURNS: Its score, [n_windows]. All
        steps at once; pytorch-crf goes through them one by one."""
        emitted = emissions.gather(2, tags.unsqueeze(2)).squeeze(2)
        moved = self.transitions[tags[:-1], tags[1:]]
        last = tags.gather(0, mask.sum(0, keepdim=True) - 1).squeeze(0)
        ends = self.start_transitions[tags[0]] + self.end_transitions[last]
        return ends + (emitted * mask).sum(0) + (moved * mask[1:]).sum(0)

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
        continues = self.continues[tags]
        window, start = torch.nonzero((tags > 0) & ~continues, as_tuple=True)
        label = (tags[window, start] - 1) // self.n_roles
        # A span ends at the first later position that doesn't continue one; padding is O.
        n_steps = tags.shape[1]
        positions = torch.arange(n_steps, device=mask.device)
        stops = torch.where(continues, n_steps, positions)
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
        begin, inside, last, unit = (self._tag(label, x) for x in self.roles)
        several, last_step = end - start > 1, end - 1
        first_tag, last_tag = torch.where(several, begin, unit), torch.where(several, last, unit)
        # After the first token: so many inside the span, then its last one.
        n_inside = last_step - start - 1
        run = torch.cumsum(emissions, 0)
        path = run[last_step - 1, window, inside] - run[start, window, inside]
        path = path + emissions[last_step, window, last]
        step = self.transitions
        path = path + torch.where(
            n_inside > 0,
            step[begin, inside] + (n_inside - 1) * step[inside, inside] + step[inside, last],
            step[begin, last],
        )
        # After the span: the window ends, or any tag but the one that would continue it follows.
        lengths = mask.sum(0)
        following = end.clamp(max=len(emissions) - 1)
        onward = step[last_tag] + emissions[following, window] + backward[following, window]
        onward = onward.scatter(1, inside.unsqueeze(1), IMPOSSIBLE)
        after = torch.where(
            end < lengths[window], torch.logsumexp(onward, 1), self.end_transitions[last_tag]
        )
        log_probability = forward[start, window, first_tag] + after - log_z[window]
        log_probability = log_probability + torch.where(several, path, 0.0)
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
