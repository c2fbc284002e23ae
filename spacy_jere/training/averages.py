"""Averages of the weights over the steps of training.

O. Shamir and T. Zhang, "Stochastic Gradient Descent for Non-smooth Optimization", 2013,
arXiv 1212.1824, section 4.
"""

from ..errors import Errors


def average_share(power: float, step: int) -> float:
    """The weights of step s count about as s^η.

    power (float): η.
    step (int): t, from 1 on.
    RETURNS (float): (η + 1) / (η + t) of ā_t = ā_{t-1} + (η + 1) / (η + t) (a_t - ā_{t-1}).
    """
    return (power + 1) / (power + step)


def require_power(power: float) -> None:
    """RAISES (ValueError): The power is negative."""
    if power < 0:
        raise ValueError(
            Errors.E405.format(setting="average_power", wanted="0 or more", value=power)
        )
