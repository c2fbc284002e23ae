"""A linear-chain CRF over the tags of entities: partial annotation, probabilities of entities.

The chain itself (transition weights, Viterbi) is pytorch-crf's. Added here: transitions that the
tag scheme forbids, a likelihood for windows in which some tokens are not annotated, and the exact
probability of a span.
"""

from copy import deepcopy
from typing import Literal, NamedTuple, Sequence, Tuple

import torch
from torch import Tensor
from torchcrf import CRF

from ..kernels.log_partition import forward_backward, log_partition
from ..types import Entities

IMPOSSIBLE = -1e4


class TagRoles(NamedTuple):
    """What the tags of a label say, counted from 1. Tag 0 is O; role `r` of label `k` is tag
    `k * max(roles) + r`.

    begin, inside, last (int): The first token of an entity of several tokens, those between, and
        its last.
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


def n_tags(n_labels: int, scheme: TagScheme) -> int:
    """RETURNS (int): The number of tags for a number of entity labels."""
    return 1 + n_labels * max(TAG_SCHEMES[scheme])


class EntityCRF(CRF):
    """CRF over the tags of `n_labels` entity labels.

    Emissions are [n_steps, n_windows, n_tags], masks [n_steps, n_windows]; each window has a first
    token.

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
        """RETURNS (EntityCRF): A copy with the mean weights of several CRFs over the same tags. Its
        probability of a sequence under the mean of their emissions is, up to a factor, the
        geometric mean of theirs."""
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

    def tags_of(self, entities: Entities, n_tokens: int) -> Tensor:
        """RETURNS (Tensor): The tag of each token, [n_tokens]. The entities must not overlap."""
        _, start, end, label = entities
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

        allowed (Tensor): Which tags each token may have: one where it is annotated, all where it
            isn't. Shape [n_steps, n_windows, n_tags].
        RETURNS (Tensor): -log of the summed probability of all allowed sequences, [n_windows].
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
        """All steps at once; pytorch-crf goes through them one by one.

        tags: One sequence for each window, [n_steps, n_windows]. RETURNS: Its score, [n_windows].
        """
        emitted = emissions.gather(2, tags.unsqueeze(2)).squeeze(2)
        moved = self.transitions[tags[:-1], tags[1:]]
        last = tags.gather(0, mask.sum(0, keepdim=True) - 1).squeeze(0)
        ends = self.start_transitions[tags[0]] + self.end_transitions[last]
        return ends + (emitted * mask).sum(0) + (moved * mask[1:]).sum(0)

    def best_entities(self, emissions: Tensor, mask: Tensor) -> Tuple[Entities, Tensor]:
        """Read entities off each window's Viterbi path.

        RETURNS (Tuple[Entities, Tensor]): The entities, by window and start, with tokens counted in
            their window; P(there is an entity with exactly this start, end and label | window) of
            each, [n_entities].
        """
        self.forbid()
        emissions = emissions.double()  # sums over thousands of tokens need the digits
        tags = torch.zeros(mask.T.shape, dtype=torch.long, device=mask.device)
        tags[mask.T] = torch.tensor(
            [tag for path in self.decode(emissions, mask) for tag in path], device=mask.device
        )  # [n_windows, n_steps]
        continues = self.continues[tags]
        window, start = torch.nonzero((tags > 0) & ~continues, as_tuple=True)
        label = (tags[window, start] - 1) // self.n_roles
        # An entity ends at the first later position that doesn't continue one; padding is O.
        n_steps = tags.shape[1]
        positions = torch.arange(n_steps, device=mask.device)
        stops = torch.where(continues, n_steps, positions)
        next_stop = torch.flip(torch.cummin(torch.flip(stops, [1]), 1).values, [1])
        next_stop = torch.cat([next_stop, next_stop.new_full((len(tags), 1), n_steps)], 1)
        entities = Entities(window, start, next_stop[window, start + 1], label)
        return entities, self._probabilities(emissions, mask, entities)

    def _probabilities(self, emissions: Tensor, mask: Tensor, entities: Entities) -> Tensor:
        """The share that the paths through exactly this entity have in all paths: what leads to its
        first token, the way through it, and what follows it.

        RETURNS: [n_entities].
        """
        window, start, end, label = entities
        if not len(window):
            return emissions.new_zeros(0)
        moves = self.transitions.double()
        paths = forward_backward(
            emissions, self.start_transitions, moves, self.end_transitions, mask
        )
        begin, inside, last, unit = (self._tag(label, x) for x in self.roles)
        several, last_step = end - start > 1, end - 1
        first_tag, last_tag = torch.where(several, begin, unit), torch.where(several, last, unit)
        # After the first token: so many inside the entity, then its last one.
        n_inside = last_step - start - 1
        run = torch.cumsum(emissions - paths.log_scales.unsqueeze(2), 0)
        through = run[last_step - 1, window, inside] - run[start, window, inside]
        through = through + run[last_step, window, last] - run[last_step - 1, window, last]
        through = through + torch.where(
            n_inside > 0,
            moves[begin, inside] + (n_inside - 1) * moves[inside, inside] + moves[inside, last],
            moves[begin, last],
        )
        log_probability = paths.prefixes[start, window, first_tag].log()
        log_probability = log_probability + torch.where(several, through, 0.0)
        # After the entity: the window ends, or any tag but the one that would continue it follows.
        onwards = torch.cat([paths.onwards, emissions.new_zeros(1, *emissions.shape[1:])])
        onward = moves[last_tag].exp() * onwards[last_step, window]
        onward = onward.scatter(1, inside.unsqueeze(1), 0.0).sum(1)
        ended = end == mask.sum(0)[window]
        after = torch.where(ended, paths.ends[window, last_tag], onward)
        return (log_probability + after.log()).exp().clamp(max=1.0)
