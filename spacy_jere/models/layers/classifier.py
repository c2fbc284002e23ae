"""A linear classifier, or one with a hidden layer."""

import math
from typing import Optional, Tuple, cast

import torch
from torch import nn

from ..shim import Dropout


def make_classifier(
    width: int, n_labels: int, hidden: Optional[int], dropout: Optional[float]
) -> nn.Module:
    """hidden (Optional[int]): Units of the hidden layer; None has none. dropout: Rate behind it.
    RETURNS (nn.Module): From [n, width] to [n, n_labels]."""
    if hidden is None:
        return nn.Linear(width, n_labels)
    return nn.Sequential(
        nn.Linear(width, hidden), nn.ReLU(), Dropout(dropout), nn.Linear(hidden, n_labels)
    )


def split_first(classifier: nn.Module) -> Tuple[nn.Linear, nn.Module]:
    """RETURNS (Tuple[nn.Linear, nn.Module]): Its first layer and what comes behind it."""
    if isinstance(classifier, nn.Sequential):
        return cast(nn.Linear, classifier[0]), classifier[1:]
    return cast(nn.Linear, classifier), nn.Identity()


def expect_none(classifier: nn.Module) -> None:
    """Begin with the first label, "none", for nearly all. An untrained model would find an entity
    in every span and so millions of pairs, and spaCy evaluates before the first step.

    The prior of Lin et al. 2017 (arXiv 1708.02002, section 3.3): each other label has a probability
    of about 0.01.
    """
    *_, last = classifier.modules()
    with torch.no_grad():
        cast(nn.Linear, last).bias[0] += math.log(100)
