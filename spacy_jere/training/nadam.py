"""`spacy-jere.NAdam.v1`: Adam with Nesterov momentum, which Thinc does not have.

T. Dozat, "Incorporating Nesterov Momentum into Adam", 2016, with the momentum schedule of
torch.optim.NAdam.
"""

from typing import Any, Dict, Iterator, List, Tuple, Union

import numpy
from thinc.api import Optimizer
from thinc.types import FloatsXd

from .averages import average_share, require_power

Rate = Union[float, List[float], Any]
Key = Tuple[int, str]
# Values per block: the weights, their moments and temporary values fit into a core's cache.
_BLOCK = 1 << 15


def create_nadam_v1(
    learn_rate: Rate = 5e-4,
    L2: Rate = 0.0,
    beta1: Rate = 0.9,
    beta2: Rate = 0.999,
    eps: Rate = 1e-8,
    grad_clip: Rate = 1.0,
    L2_is_weight_decay: bool = True,
    use_averages: bool = False,
    momentum_decay: float = 4e-3,
    average_power: float = 8.0,
) -> "NAdam":
    """Create the optimizer. All settings but `momentum_decay` and `average_power` are those of
    `Adam.v1`, schedules included.

    momentum_decay (float): ψ in the momentum schedule μ_t = β1 (1 - 0.96^(tψ) / 2).
    use_averages (bool): Keep the average of the weights over the steps. `spacy train` scores and
        saves the average.
    average_power (float): η of this average, see `average_share`. A lower power averages over more
        of the past. Thinc's own averages are about those of 8.
    RAISES (ValueError): The power is negative.
    """
    require_power(average_power)
    return NAdam(
        learn_rate,
        L2=L2,
        beta1=beta1,
        beta2=beta2,
        eps=eps,
        grad_clip=grad_clip,
        use_averages=use_averages,
        L2_is_weight_decay=L2_is_weight_decay,
        momentum_decay=momentum_decay,
        average_power=average_power,
    )


class NAdam(Optimizer):
    """Thinc's optimizer with NAdam's update."""

    def __init__(
        self,
        learn_rate: Rate,
        *,
        momentum_decay: float = 4e-3,
        average_power: float = 8.0,
        **options: Any,
    ):
        super().__init__(learn_rate, **options)
        self.momentum_decay = momentum_decay
        self.average_power = average_power
        self.momentum_product: Dict[Key, float] = {}

    def __call__(
        self, key: Key, weights: FloatsXd, gradient: FloatsXd, *, lr_scale: float = 1.0
    ) -> Tuple[FloatsXd, FloatsXd]:
        """Change the weights in place, and average them."""
        averages, self.averages = self.averages, None  # Thinc would average in its own way
        try:
            weights, gradient = super().__call__(key, weights, gradient, lr_scale=lr_scale)
        finally:
            self.averages = averages
        if averages is not None:
            share = average_share(self.average_power, self.nr_update[key])
            average = averages.setdefault(key, weights.copy())
            for mean, latest in _blocks(average, weights):
                mean += share * (latest - mean)
        return weights, gradient

    def _adam(
        self,
        ops: Any,
        weights: FloatsXd,
        gradient: FloatsXd,
        lr_scale: float,
        key: Key,
        nr_upd: int,
    ) -> Tuple[FloatsXd, FloatsXd]:
        xp = ops.xp
        for moments in (self.mom1, self.mom2):
            if key not in moments:
                moments[key] = xp.zeros_like(weights)
        momentum, upcoming = self._momentum(nr_upd), self._momentum(nr_upd + 1)
        product = self.momentum_product.get(key, 1.0) * momentum
        self.momentum_product[key] = product
        rate = self.learn_rate * lr_scale
        ahead = rate * upcoming / (1 - product * upcoming)
        now = rate * (1 - momentum) / (1 - product)
        correction = 1 - self.b2**nr_upd
        # In place: the arrays are the parameters themselves, and each is as large as they are.
        arrays = weights, gradient, self.mom1[key], self.mom2[key]
        for parameters, slope, first, second in _blocks(*arrays):
            first *= self.b1
            first += (1 - self.b1) * slope
            second *= self.b2
            second += (1 - self.b2) * xp.square(slope)
            scale = xp.sqrt(second / correction)
            scale += self.eps
            step = ahead * first
            step += now * slope
            step /= scale
            parameters -= step
        return weights, gradient

    def _momentum(self, update: int) -> float:
        return float(self.b1 * (1 - 0.5 * 0.96 ** (update * self.momentum_decay)))


def _blocks(*arrays: Any) -> Iterator[Tuple[Any, ...]]:
    """RETURNS (Iterator[Tuple]): Views of the same rows of arrays of one shape: some rows at a
    time, or all rows at once on a GPU."""
    n_rows = len(arrays[0])
    rows = max(n_rows, 1)
    if isinstance(arrays[0], numpy.ndarray) and arrays[0].size:
        rows = max(_BLOCK * n_rows // arrays[0].size, 1)
    for start in range(0, n_rows, rows):
        yield tuple(x[start : start + rows] for x in arrays)
