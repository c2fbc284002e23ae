"""A time for the training: its speed is measured with some batches, and epochs are cut to fit."""

import random
import time
from itertools import islice
from typing import Any, Callable, Dict, List, NamedTuple, Tuple

import spacy
from spacy.language import Language
from spacy.training import Example
from spacy.training.initialize import init_nlp
from spacy.util import registry, resolve_dot_names
from thinc.api import Config

from ..errors import Errors
from .choices import choose
from .facts import Facts
from .plan import Choice, Plan, Wishes
from .training import in_epochs

# Batches that are trained to measure; the first one is slower and does not count
_BATCHES = 9
# Texts of the development data that are evaluated to measure
_EVALUATED = 50
# With less than this share of the epochs that the data asks for, a cheaper model is tried.
_ENOUGH = 0.5
# Batches of an epoch, where time is short
_MANY_STEPS = 100


class Speed(NamedTuple):
    """What a training takes on this machine, in seconds.

    start: Everything before the first batch.
    epoch: The batches of an epoch.
    evaluation: One evaluation of the development data.
    """

    start: float
    epoch: float
    evaluation: float

    def epochs(self, minutes: float, wanted: int) -> int:
        """RETURNS (int): How many of the wanted epochs fit. At least 1."""
        return next((n for n in range(wanted, 1, -1) if self.seconds(n) <= 60 * minutes), 1)

    def seconds(self, n: int) -> float:
        """RETURNS (float): The time of a training with so many epochs."""
        evaluations = n / _every(n)
        return self.start + n * self.epoch + evaluations * self.evaluation


def within(
    minutes: float, facts: Facts, wishes: Wishes, plan: Plan, build: Callable[[Plan], Config]
) -> Tuple[Plan, Config]:
    """Make a training fit into a time.

    plan (Plan): What would be trained without a limit.
    build (Callable[[Plan], Config]): The config of a plan.
    RETURNS (Tuple[Plan, Config]): The plan with fewer epochs, or a cheaper one, and its config.
    RAISES (ValueError): A GPU is planned for, and there is none to measure with.
    """
    use_gpu = -1
    if wishes.gpu:
        use_gpu = 0
        if not spacy.prefer_gpu():
            raise ValueError(Errors.E485)
    wanted = int(build(plan)["training"]["max_epochs"])
    fitting: Dict[int, Tuple[Plan, Speed]] = {}
    for candidate in _cheaper(facts, wishes, plan):
        speed = measure(build(candidate), facts, use_gpu)
        n = speed.epochs(minutes, wanted)
        fitting.setdefault(n, (candidate, speed))
        if n >= _ENOUGH * wanted:
            break
    n = max(fitting)
    chosen = _cut(*fitting[n], n, wanted, minutes)
    return chosen, build(chosen)


def _every(n: int) -> float:
    """RETURNS (float): Epochs between two evaluations of a training of n epochs."""
    return float(in_epochs(n, _MANY_STEPS)[0].value)


def _cheaper(facts: Facts, wishes: Wishes, plan: Plan) -> List[Plan]:
    """RETURNS (List[Plan]): The plan, and those that take less time for an epoch."""
    plans = [plan]
    if plan.source == "finetuned":
        plans.append(choose(facts, wishes, "frozen"))
    if plan.source != "none" and plans[-1].model == "birnn" and wishes.optimize != "speed":
        plans.append(choose(facts, wishes._replace(hurry=True), "frozen"))
    return plans


def _cut(plan: Plan, speed: Speed, n: int, wanted: int, minutes: float) -> Plan:
    reason = (
        f"An epoch takes about {speed.epoch:.0f} s here, an evaluation {speed.evaluation:.0f} s"
    )
    told = f"{minutes:g} minutes have room for the epochs that the data asks for"
    if n < wanted:
        told = f"{minutes:g} minutes have room for {n} of {wanted} epochs"
    if speed.seconds(n) > 60 * minutes:
        told = f"{minutes:g} minutes are too short: even one epoch takes longer"
    changed = {x.name: x for x in in_epochs(n, _MANY_STEPS)} if n < wanted else {}
    choices: List[Choice] = []
    for choice in plan.choices:
        if choice.name == "max_epochs":
            choice = Choice(choice.name, n, f"{told}. {reason}", {"training.max_epochs": n})
        elif choice.name in changed:
            choice = changed[choice.name]
        choices.append(choice)
    return plan._replace(choices=choices)


def measure(config: Config, facts: Facts, use_gpu: int = -1) -> Speed:
    """Train some batches, and evaluate some texts.

    RETURNS (Speed): What the whole training would take.
    """
    begin = time.perf_counter()
    nlp = init_nlp(config.copy(), use_gpu=use_gpu)
    settings = nlp.config.interpolate()
    training = registry.resolve(settings["training"])
    train, dev = resolve_dot_names(settings, [training["train_corpus"], training["dev_corpus"]])
    examples = list(train(nlp))
    random.Random(0).shuffle(examples)
    start = time.perf_counter() - begin
    per_token = _train_some(nlp, training, training["batcher"](examples))
    some = list(islice(dev(nlp), _EVALUATED))
    begin = time.perf_counter()
    nlp.evaluate(some)
    evaluation = (time.perf_counter() - begin) / max(1, sum(len(x.reference) for x in some))
    return Speed(start, per_token * facts.train["tokens"], evaluation * facts.dev["tokens"])


def _train_some(nlp: Language, training: Dict[str, Any], batches: Any) -> float:
    """RETURNS (float): Seconds for a token."""
    frozen, optimizer = training["frozen_components"], training["optimizer"]
    measured: List[Tuple[float, int]] = []
    for batch in map(list, islice(batches, _BATCHES)):
        begin = time.perf_counter()
        _update(nlp, batch, optimizer, frozen, training["annotating_components"])
        measured.append((time.perf_counter() - begin, sum(len(x.reference) for x in batch)))
    measured = measured[1:] or measured
    return sum(seconds for seconds, _ in measured) / max(1, sum(n for _, n in measured))


def _update(
    nlp: Language, batch: List[Example], optimizer: Any, frozen: List[str], annotating: List[str]
) -> None:
    nlp.update(batch, sgd=False, exclude=frozen, annotates=annotating)  # type: ignore[arg-type]
    for name, component in nlp.pipeline:
        if name not in frozen and hasattr(component, "finish_update"):
            component.finish_update(optimizer)
    optimizer.step_schedules()
