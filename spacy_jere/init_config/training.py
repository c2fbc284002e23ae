"""The choice of settings of the training: batches, epochs, evaluation, learning rate, memory.

What was measured stands in docs/ablations.md and docs/results.md.
"""

import math
from typing import Any, Dict, List

from .facts import Facts
from .plan import COMPONENT, Choice, Wishes

# Tokens that a training reads: those of its epochs together. The trainings of docs/results.md read
# as many. Small data is read at most, large data at least so often.
_TOKENS_READ, _MOST_EPOCHS, _LEAST_EPOCHS = 540_000, 50, 3
# Batches of an epoch: with fewer, a batch has fewer texts; with more, it has more.
_FEW_BATCHES, _MANY_BATCHES = 10, 600
# How often the development data is evaluated at least, and at most in an epoch
_EVALUATIONS, _EVALUATIONS_PER_EPOCH = 10, 4
# Batches of an epoch where they can't be counted: the last evaluation is a hundredth early then.
_ABOUT = 100
# Fewer epochs than these always run to their end.
_WITHOUT_PATIENCE = 20


def training_choices(facts: Facts, wishes: Wishes, source: str, model: str) -> List[Choice]:
    """Choose the settings of the training.

    source, model (str): As in a `Plan`.
    """
    choices = [_batch(facts, source), _epochs(facts, wishes)]
    steps = _steps(facts, source, choices[0].value)
    choices += [*in_epochs(choices[1].value, steps), _learn_rate(source, choices[0])]
    if source == "frozen" and model == "birnn":
        size = 1 if wishes.optimize == "speed" or wishes.hurry else 2
        reason = "One network takes half the time of two" if size == 1 else "Two find more"
        settings: Dict[str, Any] = {f"{COMPONENT}.model.ensemble_size": size}
        choices.append(Choice("ensemble_size", size, reason, settings))
    if source == "finetuned" and wishes.bfloat16 and not wishes.gpu:
        settings = {"components.transformer.model.bfloat16": True}
        reason = "This processor has it: the encoder takes less than half the time"
        choices.append(Choice("bfloat16", True, reason, settings))
    allocator = "pytorch" if wishes.gpu else None
    reason = "spaCy and torch share the memory of the GPU; train with --gpu-id 0"
    if not wishes.gpu:
        reason = "Training is planned for the CPU; --gpu plans for a GPU"
    settings = {"system.gpu_allocator": allocator}
    return [*choices, Choice("gpu_allocator", allocator, reason, settings)]


def _batch(facts: Facts, source: str) -> Choice:
    train, name = facts.train, "training.batcher.size"
    base = {"none": 16, "frozen": 8, "finetuned": 256}[source]
    # The batches of fine-tuning count tokens, the others count texts.
    unit, n = (
        ("tokens", train["tokens"]) if source == "finetuned" else ("texts", train["documents"])
    )
    size = base
    if source != "finetuned":
        size = max(1, round(base * train["documents"] / train["sentences"]))
    reason = "As measured on corpora of several sizes"
    if size < base:
        reason = "A text has several sentences"
    while size > (32 if unit == "tokens" else 2) and n / size < _FEW_BATCHES:
        size, reason = size // 2, "The data is small: smaller batches give more updates"
    if source == "none" and size == base and n / size > _MANY_BATCHES:
        size, reason = base * 2, "The data is large: larger batches take less time"
    return Choice("batch size", f"{size} {unit}", reason, {name: size})


def _steps(facts: Facts, source: str, batch: str) -> int:
    size = int(batch.split()[0])
    if source == "finetuned":
        # Padding makes more batches of them, nobody knows how many.
        return max(1, min(_ABOUT, facts.train["tokens"] // size))
    return math.ceil(facts.train["documents"] / size)


def _epochs(facts: Facts, wishes: Wishes) -> Choice:
    """RETURNS (Choice): The number of epochs by the size of the data."""
    tokens = facts.train["tokens"]
    wanted = _TOKENS_READ / tokens * (0.6 if wishes.optimize == "speed" else 1.0)
    n = max(_LEAST_EPOCHS, min(_MOST_EPOCHS, round(wanted)))
    reason = f"Train has {tokens:,} tokens: small data is read more often than large"
    if wishes.optimize == "speed":
        reason += "; for speed, less often"
    return Choice("max_epochs", n, reason, {"training.max_epochs": n})


def in_epochs(n: int, steps: int) -> List[Choice]:
    """Settings that count epochs.

    n (int): The epochs of the training.
    steps (int): About how many batches an epoch has.
    RETURNS (List[Choice]): When to evaluate, and when to stop.
    """
    evaluations = max(n, min(_EVALUATIONS, n * _EVALUATIONS_PER_EPOCH))
    # spaCy evaluates at multiples of this, but not after the last step.
    every = round(max(1, (n * steps - 1) // evaluations) / steps, 4)
    reason = "A little less than an epoch: the last evaluation comes at the end of the training"
    if evaluations > n:
        reason = "There are few epochs: the best pipeline is one that was evaluated"
    name = "initialize.after_init"
    choices = [Choice("evaluate_every", every, reason, {f"{name}.evaluate_every": every})]
    patience = float(n // 2) if n > _WITHOUT_PATIENCE else None
    reason = "The learning rate falls to the end, where scores still rise"
    if patience is not None:
        reason = "Half of the epochs without a better score are enough"
    return [*choices, Choice("patience", patience, reason, {f"{name}.patience": patience})]


def _learn_rate(source: str, batch: Choice) -> Choice:
    rate = {"none": 0.002, "frozen": 0.001, "finetuned": 0.00005}[source]
    reason = "The rate that was measured best; it falls to 0"
    if source == "finetuned":
        reason = (
            "For the encoder; the layers over it, which start at random, learn 20 times as fast"
        )
    elif source == "none" and batch.settings["training.batcher.size"] > 16:
        rate, reason = 0.003, "Larger batches bear a higher rate; it falls to 0"
    settings = {"training.optimizer.learn_rate.initial_rate": rate}
    return Choice("learn_rate", rate, reason, settings)
