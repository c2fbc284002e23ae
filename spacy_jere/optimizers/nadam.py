"""`spacy-jere.NAdam.v1`: Adam with Nesterov momentum, which Thinc does not have.

T. Dozat, "Incorporating Nesterov Momentum into Adam", 2016, with the momentum schedule that torch.optim.NAdam uses.
"""

from typing import Any, Dict, List, Tuple, Union

from thinc.api import Optimizer
from thinc.types import FloatsXd

from ..errors import Errors

Rate = Union[float, List[float], Any]
Key = Tuple[int, str]


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
    """Create the optimizer. All but the last two settings are those of `Adam.v1`, schedules included.

    momentum_decay (float): ψ in the momentum schedule μ_t = β1 (1 - 0.96^(tψ) / 2).
    average_power (float): With `use_averages`, η in ā_t = ā_{t-1} + (η + 1) / (η + t) (a_t - ā_{t-1}): the weights of step s
        count about as s^η. Lower averages over more of the past; Thinc's own averages are about those of 8.
    RAISES (ValueError): The power is negative.
    """
    if average_power < 0:
        raise ValueError(
            Errors.E405.format(setting="average_power", wanted="0 or more", value=average_power)
        )
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
        """Change the weights in place, and average them (Shamir and Zhang 2013, arXiv 1212.1824, section 4)."""
        averages, self.averages = self.averages, None  # Thinc would average in its own way
        try:
            weights, gradient = super().__call__(key, weights, gradient, lr_scale=lr_scale)
        finally:
            self.averages = averages
        if averages is not None:
            share = (self.average_power + 1) / (self.average_power + self.nr_update[key])
            average = averages.setdefault(key, weights.copy())
            average += share * (weights - average)
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
        first, second = self.mom1[key], self.mom2[key]
        momentum, upcoming = self._momentum(nr_upd), self._momentum(nr_upd + 1)
        product = self.momentum_product.get(key, 1.0) * momentum
        self.momentum_product[key] = product
        # In place: the arrays are the parameters themselves, and each is as large as they are.
        first *= self.b1
        first += (1 - self.b1) * gradient
        second *= self.b2
        second += (1 - self.b2) * xp.square(gradient)
        scale = xp.sqrt(second / (1 - self.b2**nr_upd))
        scale += self.eps
        rate = self.learn_rate * lr_scale
        step = (rate * upcoming / (1 - product * upcoming)) * first
        step += (rate * (1 - momentum) / (1 - product)) * gradient
        step /= scale
        weights -= step
        return weights, gradient

    def _momentum(self, update: int) -> float:
        return float(self.b1 * (1 - 0.5 * 0.96 ** (update * self.momentum_decay)))
