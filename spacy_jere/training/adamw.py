"""`spacy-jere.AdamW.v1`: AdamW as transformers are fine-tuned with it.

I. Loshchilov and F. Hutter, "Decoupled Weight Decay Regularization", arXiv 1711.05101. Unlike
Thinc's Adam it clips the norm of all gradients together, decays no biases and norms, and updates
all parameters in one go.
"""

import math
from typing import Any, Dict, List, Tuple, Union, cast

import torch
from thinc.api import Optimizer, torch2xp, xp2torch
from thinc.types import FloatsXd
from torch import Tensor
from torch.optim.adamw import adamw

from ..errors import Errors
from .averages import average_share, require_power

Rate = Union[float, List[float], Any]
Key = Tuple[int, str]


def create_adamw_v1(
    learn_rate: Rate = 5e-5,
    weight_decay: float = 0.01,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    grad_clip: float = 1.0,
    use_averages: bool = False,
    average_power: float = 8.0,
) -> "AdamW":
    """Create the optimizer.

    learn_rate (Union[float, Schedule]): A rate, or a schedule such as
        `spacy-jere.warmup_linear.v1`.
    weight_decay (float): The decay of matrices. Vectors (biases, norms) don't decay.
    grad_clip (float): The largest norm of all gradients together; 0 for no limit.
    use_averages, average_power: As in `spacy-jere.NAdam.v1`.
    RAISES (ValueError): The power is negative.
    """
    require_power(average_power)
    return AdamW(
        learn_rate,
        weight_decay=weight_decay,
        beta1=beta1,
        beta2=beta2,
        eps=eps,
        grad_clip=grad_clip,
        use_averages=use_averages,
        average_power=average_power,
    )


class AdamW(Optimizer):
    """Gathers the gradients of a step and updates all parameters at its end, in `step_schedules`.

    `spacy train` calls it after each step. In a loop of your own, do as it does:
    `nlp.update(examples, sgd=False)`, then `finish_update(optimizer)` of each trained component,
    then `optimizer.step_schedules()`. A step that is forgotten is made up for by the next one.
    """

    def __init__(
        self, learn_rate: Rate, *, weight_decay: float, average_power: float = 8.0, **options: Any
    ):
        super().__init__(learn_rate, L2=weight_decay, **options)
        self.average_power = average_power
        self.steps: Dict[Key, Tensor] = {}
        self.first: Dict[Key, Tensor] = {}
        self.second: Dict[Key, Tensor] = {}
        self.weights: Dict[Key, Tensor] = {}
        self.gradients: Dict[Key, Tensor] = {}
        self.waiting: Dict[Key, float] = {}

    def __call__(
        self, key: Key, weights: FloatsXd, gradient: FloatsXd, *, lr_scale: float = 1.0
    ) -> Tuple[FloatsXd, FloatsXd]:
        """Take the gradient in. The weights change in place, at the end of the step.

        lr_scale (float): Factor on the learning rate of these weights.
        """
        if key in self.waiting:
            self._update()
        # Views: the arrays lie in the memory of the parameters. Their owner empties the gradient.
        self.weights[key] = xp2torch(weights)
        view = xp2torch(gradient)
        if key not in self.gradients:
            self.gradients[key] = torch.empty_like(view)
            self.first[key] = torch.zeros_like(view)
            self.second[key] = torch.zeros_like(view)
            self.steps[key] = torch.zeros((), device=view.device)
        self.gradients[key].copy_(view)
        gradient *= 0
        self.waiting[key] = lr_scale
        return weights, gradient

    def step_schedules(self) -> None:
        """Update the parameters, then move the schedules on."""
        self._update()
        super().step_schedules()

    def _update(self) -> None:
        waiting, self.waiting = self.waiting, {}
        if waiting and self.grad_clip:
            self._clip([self.gradients[key] for key in waiting])
        groups: Dict[Tuple[bool, float], List[Key]] = {}
        for key, scale in waiting.items():
            groups.setdefault((self.weights[key].ndim > 1, scale), []).append(key)
        for (is_matrix, scale), keys in groups.items():
            self._update_group(keys, self.learn_rate * scale, self.L2 if is_matrix else 0.0)
        if self.averages is not None:
            self._average(self.averages, list(waiting))

    def _average(self, averages: Dict[Key, FloatsXd], keys: List[Key]) -> None:
        for key in keys:
            if key not in averages:
                averages[key] = cast(FloatsXd, torch2xp(self.weights[key].clone()))
            self.nr_update[key] += 1  # as in self.steps, which is on the device
            share = average_share(self.average_power, self.nr_update[key])
            xp2torch(averages[key]).lerp_(self.weights[key], share)

    def _clip(self, gradients: List[Tensor]) -> None:
        norms = [torch.linalg.vector_norm(x).cpu() for x in gradients]
        norm = float(torch.linalg.vector_norm(torch.stack(norms)))
        if not math.isfinite(norm):
            raise ValueError(Errors.E434)
        if norm > self.grad_clip:
            for gradient in gradients:
                gradient *= self.grad_clip / norm

    def _update_group(self, keys: List[Key], learn_rate: float, weight_decay: float) -> None:
        adamw(
            [self.weights[key] for key in keys],
            [self.gradients[key] for key in keys],
            [self.first[key] for key in keys],
            [self.second[key] for key in keys],
            [],
            [self.steps[key] for key in keys],
            fused=True,
            amsgrad=False,
            beta1=self.b1,
            beta2=self.b2,
            lr=learn_rate,
            weight_decay=weight_decay,
            eps=self.eps,
            maximize=False,
        )
