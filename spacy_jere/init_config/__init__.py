"""From annotated data to a config that suits it, with a reason for each setting."""

from typing import Iterable, NamedTuple, Optional, Tuple

from spacy.tokens import Doc
from thinc.api import Config

from ..errors import Errors
from .budget import within
from .build import build_config
from .choices import choose
from .encoders import (
    check_language,
    check_vectors,
    has_bfloat16,
    language_of,
    read_encoder,
)
from .facts import Facts, read_facts
from .plan import MODELS, OPTIMIZE, Choice, Plan, Wishes


class Made(NamedTuple):
    """A config that was made.

    config (Config): With every setting: `config.to_disk(path)` writes what `spacy train` reads.
    choices (Tuple[Choice, ...]): What was chosen, with `name`, `value`, `reason` and `settings`.
    facts (Facts): The counts that the choices go by.
    """

    config: Config
    choices: Tuple[Choice, ...]
    facts: Facts


def init_config(
    train: Iterable[Doc],
    dev: Iterable[Doc],
    *,
    train_path: str,
    dev_path: str,
    encoder: Optional[str] = None,
    vectors: Optional[str] = None,
    model: Optional[str] = None,
    gpu: bool = False,
    optimize: Optional[str] = None,
    minutes: Optional[float] = None,
    lang: Optional[str] = None,
) -> Made:
    """Make a config that suits the data. Reads the Docs once, one by one.

    train_path, dev_path (str): Where training finds the data.
    encoder (Optional[str]): A pretrained transformer, by its name on the hub or its folder.
    vectors (Optional[str]): A file of `jere make-vectors`, or the name or folder of a pipeline with
        word vectors.
    model (Optional[str]): "birnn", "spert" or "spert_mt"; None chooses by the data.
    gpu (bool): Plan for a GPU.
    optimize (Optional[str]): "speed" or "accuracy", for what the data leaves open; None lies
        between.
    minutes (Optional[float]): The time of the training. Its speed is measured here with some
        batches.
    lang (Optional[str]): The language; None takes that of the vectors, else "en".
    RETURNS (Made): The config and the choices.
    RAISES (ValueError): An argument out of its range, an encoder, vectors or a language that can't
        be loaded, or data that nothing can be learned from or chosen by.
    """
    _check("model", model, MODELS)
    _check("optimize", optimize, OPTIMIZE)
    if minutes is not None and not 0 < minutes < float("inf"):
        wanted = "larger than 0"
        raise ValueError(Errors.E405.format(setting="minutes", wanted=wanted, value=minutes))
    language = check_language(lang or language_of(vectors) or "en")
    wishes = Wishes(
        encoder=None if encoder is None else read_encoder(encoder),
        vectors=vectors,
        model=model,
        gpu=gpu,
        optimize=optimize,
        bfloat16=has_bfloat16(),
    )
    if vectors is not None:
        check_vectors(vectors, language, encoder is not None)
    facts = read_facts(train, dev)

    def build(plan: Plan) -> Config:
        return build_config(plan, lang=language, train=train_path, dev=dev_path)

    plan = choose(facts, wishes)
    config = build(plan)
    if minutes is not None:
        plan, config = within(minutes, facts, wishes, plan, build)
    return Made(config, tuple(plan.choices), facts)


def _check(setting: str, value: Optional[str], known: Tuple[str, ...]) -> None:
    if value is not None and value not in known:
        wanted = " or ".join(f"'{x}'" for x in known)
        raise ValueError(Errors.E405.format(setting=setting, wanted=wanted, value=value))


__all__ = ["Choice", "Made", "init_config"]
