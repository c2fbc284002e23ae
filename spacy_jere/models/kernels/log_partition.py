"""The forward-backward algorithm of a linear-chain CRF, and the log-partition function over it.

Equals, for each window of n steps, the sum over all tag sequences t that torch can record as

    alpha = start + emissions[0]
    for x in emissions[1:n]:
        alpha = torch.logsumexp(alpha.unsqueeze(1) + transitions, 0) + x
    log_partition = torch.logsumexp(alpha + end, 0)

Recording log-sums over all pairs of tags takes up to four times as long (benchmarks/kernels.py).
Here a step is one product of matrices, in probabilities that are scaled to a sum of 1, and the
gradient is made of the marginals (Rabiner 1989, "A tutorial on hidden Markov models and selected
applications in speech recognition", sections III.A and V.A).
"""

from typing import Any, NamedTuple, Tuple, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

# A window without any possible path has this probability, and no gradient.
_LEAST = 1e-300


class ForwardBackward(NamedTuple):
    """Scaled probabilities of a batch of windows, in double precision.

    prefixes: Of each tag, given all up to its step; they sum to 1. [n_steps, n_windows, n_tags].
    suffixes: Of all behind a step, given the tag at it; a prefix times its suffix is the
        probability of the tag. [n_steps, n_windows, n_tags].
    onwards: Of a tag at steps 1, 2, …, and all behind it; with a prefix of the step before and the
        transition between them, the probability of the two tags. [n_steps - 1, n_windows, n_tags].
    ends: Of a window that ends after a tag. [n_windows, n_tags].
    log_scales: What was divided out at each step, 0 in the padding. [n_steps, n_windows].
    log_partition: [n_windows].
    """

    prefixes: Tensor
    suffixes: Tensor
    onwards: Tensor
    ends: Tensor
    log_scales: Tensor
    log_partition: Tensor


def forward_backward(
    emissions: Tensor, start: Tensor, transitions: Tensor, end: Tensor, mask: Tensor
) -> ForwardBackward:
    """Go through all windows forwards and backwards. The arguments are those of `log_partition`."""
    emissions, running = emissions.double(), mask.unsqueeze(2)
    highest = emissions.max(2, keepdim=True).values
    emitted = (emissions - highest).exp()
    moves, last_move = transitions.double().exp(), end.double().exp()
    prefix, scale = _scaled(start.double().exp() * emitted[0])
    prefixes, scales = [prefix], [scale]
    for x, is_token in zip(emitted[1:], running[1:]):
        following, scale = _scaled((prefix @ moves) * x)
        prefix = torch.where(is_token, following, prefix)
        prefixes.append(prefix)
        scales.append(scale.masked_fill(~is_token, 1.0))
    last = (prefix @ last_move).clamp(min=_LEAST)
    suffix = ends = last_move / last.unsqueeze(1)
    suffixes, onwards = [suffix], [emitted[:0]]
    for x, scale, is_token in reversed(list(zip(emitted[1:], scales[1:], running[1:]))):
        onward = torch.where(is_token, x * suffix / scale, 0.0)
        suffix = torch.where(is_token, onward @ moves.T, suffix)
        onwards.append(onward.unsqueeze(0))
        suffixes.append(suffix)
    log_scales = (torch.stack(scales).log() + highest * running).squeeze(2)
    return ForwardBackward(
        torch.stack(prefixes),
        torch.stack(suffixes[::-1]),
        torch.cat(onwards[::-1]),
        ends,
        log_scales,
        log_scales.sum(0) + last.log(),
    )


def log_partition(
    emissions: Tensor, start: Tensor, transitions: Tensor, end: Tensor, mask: Tensor
) -> Tensor:
    """The log of the summed exponential scores of all tag sequences, computed in double precision.

    emissions (Tensor): Shape [n_steps, n_windows, n_tags].
    start, end (Tensor): Scores of a first and of a last tag. Shape [n_tags].
    transitions (Tensor): Scores, from and to. Shape [n_tags, n_tags].
    mask (Tensor): Which steps are tokens: the first ones of each window. Shape [n_steps,
        n_windows], bool.
    RETURNS (Tensor): Shape [n_windows], in double precision. Differentiable once.
    """
    return cast(Tensor, cast(Any, _LogPartition).apply(emissions, start, transitions, end, mask))


class _LogPartition(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, emissions: Tensor, start: Tensor, transitions: Tensor, end: Tensor, mask: Tensor
    ) -> Tensor:
        found = forward_backward(emissions, start, transitions, end, mask)
        marginals, moves = found.prefixes * found.suffixes, transitions.double().exp()
        ctx.save_for_backward(marginals, found.prefixes, found.onwards, moves, mask)
        ctx.types = [x.dtype for x in (emissions, start, transitions, end)]
        return found.log_partition

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_found: Tensor) -> Tuple[Any, ...]:
        marginals, prefixes, onwards, moves, mask = ctx.saved_tensors
        d_emissions = marginals * (mask * d_found).unsqueeze(2)
        before, behind = prefixes[:-1], onwards * d_found.unsqueeze(1)
        moved = before.flatten(0, 1).T @ behind.flatten(0, 1)
        # The marginals of a window's last token stay as they are through the padding.
        gradients = (
            d_emissions,
            d_emissions[0].sum(0),
            moves * moved,
            (marginals[-1].T * d_found).sum(1),
        )
        return (*(x.to(dtype) for x, dtype in zip(gradients, ctx.types)), None)


def _scaled(weights: Tensor) -> Tuple[Tensor, Tensor]:
    """weights: [n_windows, n_tags]. RETURNS: Them divided by their sums, and the sums."""
    total = weights.sum(1, keepdim=True).clamp(min=_LEAST)
    return weights / total, total
