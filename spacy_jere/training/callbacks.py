"""Callbacks for [initialize]: weights of frozen components, and epochs that become steps."""

import random
from typing import Any, Callable, Dict, Iterator, Optional

from spacy.errors import Errors as SpacyErrors
from spacy.language import Language
from spacy.training import Example
from spacy.util import dot_to_object, logger, registry, resolve_dot_names
from thinc.api import Config

from ..errors import Errors
from .schedules import NAME as WARMUP_LINEAR


def create_initialize_frozen_v1(component: str = "transformer") -> Callable[[Language], Language]:
    """For [initialize.before_init]: load the weights of a frozen component.

    spaCy does not initialize `frozen_components`, because it expects them to come from a trained
    pipeline. A pretrained transformer gets its weights elsewhere, and would be left without.

    component (str): The name of the component in the pipeline.
    """
    return InitializeFrozen(component)


class InitializeFrozen:
    """The callback. Does nothing if the component isn't there or isn't frozen."""

    def __init__(self, component: str):
        self.component = component

    def __call__(self, nlp: Language) -> Language:
        pipes: Dict[str, Any] = dict(nlp.components)
        frozen = nlp.config["training"].get("frozen_components") or []
        if self.component not in pipes or self.component not in frozen:
            return nlp
        pipe = pipes[self.component]
        for name, other in nlp.components:
            if name != self.component and hasattr(pipe, "find_listeners"):
                pipe.find_listeners(other)
        example = Example.from_dict(nlp.make_doc("A few words."), {})
        pipe.initialize(lambda: [example], nlp=nlp)
        for listener in getattr(pipe, "listeners", ()):
            if listener.has_dim("nO") is None:
                listener.set_dim("nO", pipe.model.get_dim("nO"))
        return nlp


def create_epochs_to_steps_v1(
    evaluate_every: float = 1.0, patience: Optional[float] = None
) -> Callable[[Language], Language]:
    """For [initialize.after_init]: let [training] count in epochs, where spaCy counts in steps.

    Each initialization counts the steps of an epoch with the training corpus and the batcher of the
    config. Then it overwrites `training.eval_frequency` and `training.patience` with the settings
    below in steps, and tells every `spacy-jere.warmup_linear.v1` in [training] the count.

    evaluate_every (float): Epochs between two evaluations, or a fraction of one.
    patience (Optional[float]): Stop after so many epochs without improvement; null never stops.
    RAISES (ValueError): A setting is 0 or negative.
    """
    for setting, value in (("evaluate_every", evaluate_every), ("patience", patience)):
        if value is not None and value <= 0:
            raise ValueError(
                Errors.E405.format(setting=setting, wanted="larger than 0", value=value)
            )
    return EpochsToSteps(evaluate_every, patience)


class EpochsToSteps:
    """The callback. Does nothing if the training corpus has no path, so that a pipeline can be
    initialized and trained in Python."""

    def __init__(self, evaluate_every: float, patience: Optional[float]):
        self.evaluate_every = evaluate_every
        self.patience = patience

    def __call__(self, nlp: Language) -> Language:
        config = nlp.config.interpolate()
        corpus = dot_to_object(config, config["training"]["train_corpus"])
        if "path" in corpus and corpus["path"] is None:
            return nlp
        steps = count_steps(nlp, config)
        logger.info("Counted %d steps per epoch", steps)
        training = nlp.config["training"]
        for schedule in _find_schedules(training):
            schedule.update(steps_per_epoch=steps, max_epochs=config["training"]["max_epochs"])
        training["eval_frequency"] = max(1, round(self.evaluate_every * steps))
        training["patience"] = max(1, round(self.patience * steps)) if self.patience else 0
        return nlp


def count_steps(nlp: Language, config: Config) -> int:
    """Count the batches of an epoch as `spacy train` makes them, from the shuffled corpus. With
    `accumulate_gradient` spaCy divides a batch, but it is still one step.

    config (Config): The interpolated config of the pipeline.
    RETURNS (int): The batches of the first epoch. Later epochs may have a few more or fewer if the
        batcher goes by length, and fewer if its batches grow.
    RAISES (ValueError): The corpus is a stream, or gives no batches.
    """
    training = config["training"]
    if training["max_epochs"] < 0:
        raise ValueError(Errors.E433)
    (corpus,) = resolve_dot_names(config, [training["train_corpus"]])
    batcher = registry.resolve({"batcher": training["batcher"]})["batcher"]
    examples = list(corpus(nlp))
    random.Random(0).shuffle(examples)  # whatever the seed: runs that differ in it compare
    steps = sum(1 for _ in batcher(examples))
    if not steps:
        raise ValueError(SpacyErrors.E986)
    return steps


def _find_schedules(section: Dict[str, Any]) -> Iterator[Dict[str, Any]]:
    if section.get("@schedules") == WARMUP_LINEAR:
        yield section
    for value in section.values():
        if isinstance(value, dict):
            yield from _find_schedules(value)
