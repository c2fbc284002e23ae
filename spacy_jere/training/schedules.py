"""`spacy-jere.warmup_linear.v1`: a learning rate that rises, then falls, over epochs."""

from typing import Iterator, Optional

from thinc.api import warmup_linear

from ..errors import Errors

NAME = "spacy-jere.warmup_linear.v1"


def create_warmup_linear_v1(
    initial_rate: float,
    warmup_epochs: float,
    total_epochs: Optional[float] = None,
    steps_per_epoch: Optional[int] = None,
    max_epochs: Optional[int] = None,
) -> Iterator[float]:
    """Create the schedule: Thinc's `warmup_linear.v1`, with epochs in place of steps.

    The callback `spacy-jere.epochs_to_steps.v1` sets `steps_per_epoch` and `max_epochs` at each
    initialization.

    initial_rate (float): The highest rate. The rate rises from 0 to it, then falls to 0.
    warmup_epochs (float): Epochs in which the rate rises, or a fraction of one. 0 starts at the
        highest rate.
    total_epochs (Optional[float]): Epochs after which the rate is 0; null for all of the training.
    steps_per_epoch (Optional[int]): Steps of an epoch.
    max_epochs (Optional[int]): Epochs of the training, which count if `total_epochs` is null.
    RETURNS (Iterator[float]): The rate of each step.
    RAISES (ValueError): A setting is negative, or the warm-up is longer than the training.
    """
    total = max_epochs if total_epochs is None else total_epochs
    _check(initial_rate, warmup_epochs, total, steps_per_epoch)
    if steps_per_epoch is None or total is None:
        return _uncounted(0.0 if warmup_epochs else initial_rate)
    warmup_steps = round(warmup_epochs * steps_per_epoch)
    return iter(warmup_linear(initial_rate, warmup_steps, round(total * steps_per_epoch)))


def _uncounted(first_rate: float) -> Iterator[float]:
    """An optimizer asks for the rate of step 0 when it is made. spaCy makes one before the steps
    are counted, and trains with another one."""
    yield first_rate
    raise ValueError(Errors.E430.format(schedule=NAME))


def _check(
    initial_rate: float,
    warmup_epochs: float,
    total: Optional[float],
    steps_per_epoch: Optional[int],
) -> None:
    for setting, value in (("initial_rate", initial_rate), ("warmup_epochs", warmup_epochs)):
        if value < 0:
            raise ValueError(Errors.E405.format(setting=setting, wanted="0 or more", value=value))
    if total is not None and total <= 0:
        raise ValueError(Errors.E431.format(schedule=NAME, value=total))
    if total is not None and warmup_epochs > total:
        raise ValueError(Errors.E432.format(warmup=warmup_epochs, total=total))
    if steps_per_epoch is not None and steps_per_epoch < 1:
        raise ValueError(
            Errors.E405.format(
                setting="steps_per_epoch", wanted="null, or 1 or more", value=steps_per_epoch
            )
        )
