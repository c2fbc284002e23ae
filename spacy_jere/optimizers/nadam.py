"""`spacy-jere.NAdam.v1`: Adam with Nesterov momentum, which Thinc does not have.

T. Dozat, "Incorporating Nesterov Momentum into Adam", 2016, with the momentum schedule that torch.optim.NAdam uses.
"""

from typing import Any, Dict, List, Tuple, Union

from thinc.api import Optimizer
from thinc.types import FloatsXd

Rate = Union[float, List[float], Any]


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
) -> "NAdam":
    """Create the optimizer. All but the last setting are those of `Adam.v1`, schedules included.

    momentum_decay (float): ψ in the momentum schedule μ_t = β1 (1 - 0.96^(tψ) / 2).
    """
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
    )


class NAdam(Optimizer):
    """Thinc's optimizer with NAdam's update."""

    def __init__(self, learn_rate: Rate, *, momentum_decay: float = 4e-3, **options: Any):
        super().__init__(learn_rate, **options)
        self.momentum_decay = momentum_decay
        self.momentum_product: Dict[Tuple[int, str], float] = {}

    def _adam(
        self,
        ops: Any,
        weights: FloatsXd,
        gradient: FloatsXd,
        lr_scale: float,
        key: Tuple[int, str],
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
