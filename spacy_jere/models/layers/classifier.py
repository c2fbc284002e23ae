"""A linear classifier, or one with a hidden layer."""

from typing import Optional

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
