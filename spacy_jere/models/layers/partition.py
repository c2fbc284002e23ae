"""The log-partition function of a linear-chain CRF, with a gradient from the forward-backward algorithm.

Rabiner 1989, "A tutorial on hidden Markov models", sections III.A and V.A: a step is one product of matrices, in
probabilities that are scaled to a sum of 1. Recording log-sums over all pairs of tags, as torch would, takes two to six times
as long.
"""

from typing import Any, List, Tuple, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

# A window without any possible path has this probability, and no gradient.
_LEAST = 1e-300


def log_partition(
    emissions: Tensor, start: Tensor, transitions: Tensor, end: Tensor, mask: Tensor
) -> Tensor:
    """The log of the summed exponential scores of all tag sequences, computed in double precision.

    emissions (Tensor): Shape [n_steps, n_windows, n_tags].
    start, transitions, end (Tensor): Scores. Shapes [n_tags], [n_tags, n_tags] (from, to) and [n_tags].
    mask (Tensor): Which steps are tokens; the first ones of each window. Shape [n_steps, n_windows], bool.
    RETURNS (Tensor): Shape [n_windows], in double precision. Differentiable once.
    """
    return cast(
        Tensor,
        cast(Any, _LogPartition).apply(
            emissions.double(), start.double(), transitions.double(), end.double(), mask
        ),
    )


class _LogPartition(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, emissions: Tensor, start: Tensor, transitions: Tensor, end: Tensor, mask: Tensor
    ) -> Tensor:
        highest = emissions.max(2, keepdim=True).values
        emitted, moves, ends = (emissions - highest).exp(), transitions.exp(), end.exp()
        # prefixes[t]: of each tag, given all up to step t. sums[t]: by what they were divided.
        prefix, total = _scaled(start.exp() * emitted[0])
        prefixes: List[Tensor] = [prefix]
        sums: List[Tensor] = [total]
        running = mask.unsqueeze(2)
        for x, is_token in zip(emitted[1:], running[1:]):
            following, total = _scaled((prefix @ moves) * x)
            prefix = torch.where(is_token, following, prefix)
            prefixes.append(prefix)
            sums.append(total.masked_fill(~is_token, 1.0))
        last = (prefix @ ends).clamp(min=_LEAST)
        scale = torch.stack(sums)
        ctx.save_for_backward(emitted, moves, ends, mask, torch.stack(prefixes), scale, last)
        found: Tensor = (scale.log() + highest * running).sum((0, 2)) + last.log()
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_found: Tensor) -> Tuple[Tensor, Tensor, Tensor, Tensor, None]:
        emitted, moves, ends, mask, prefixes, scale, last = ctx.saved_tensors
        # suffix: of all after the step, given the tag at it; prefix times suffix is the probability of the tag.
        suffix = ends / last.unsqueeze(1)
        suffixes, onwards = [suffix], []
        backwards = reversed(list(zip(emitted[1:], scale[1:], mask[1:].unsqueeze(2))))
        for x, total, is_token in backwards:
            onward = torch.where(is_token, x * suffix / total, 0.0)
            suffix = torch.where(is_token, onward @ moves.T, suffix)
            onwards.append(onward)
            suffixes.append(suffix)
        marginals = prefixes * torch.stack(suffixes[::-1])
        d_emissions = marginals * mask.unsqueeze(2) * d_found.unsqueeze(1)
        d_end = ((prefixes[-1] * ends / last.unsqueeze(1)).T * d_found).sum(1)
        d_moves = torch.zeros_like(moves)
        if onwards:
            weighted = torch.stack(onwards[::-1]) * d_found.unsqueeze(1)
            d_moves = moves * (prefixes[:-1].flatten(0, 1).T @ weighted.flatten(0, 1))
        return d_emissions, d_emissions[0].sum(0), d_moves, d_end, None


def _scaled(weights: Tensor) -> Tuple[Tensor, Tensor]:
    """RETURNS: The weights divided by their sums, and the sums. [n_windows, n_tags], [n_windows, 1]"""
    total = weights.sum(1, keepdim=True).clamp(min=_LEAST)
    return weights / total, total
