"""Choices to a config: one of the shipped configs, with other settings."""

from pathlib import Path
from typing import Any, Dict

import spacy
import spacy.util
from thinc.api import Config

from .plan import SPANS, Plan

FOLDER = Path(__file__).parent / "bases"
# The shipped config that uses an encoder in a way, and the one whose model is that of a family
BASES = {"none": "cpu", "frozen": "frozen", "finetuned": "finetuned"}
_SENTENCIZER = "sentencizer"
_ARCHITECTURES = {"spert": "spacy-jere.SpERT.v1"}
# What SpERT.MT has and SpERT has not
_OF_SPERT_MT = ("entity_logits", "tag_weight", "iou_weight", "hard_negatives")


def load_base(name: str) -> Config:
    """RETURNS (Config): A shipped config by its name, without values for its variables."""
    return Config().from_disk(FOLDER / f"{name}.cfg", interpolate=False)


def build_config(plan: Plan, *, lang: str, train: str, dev: str, seed: int = 0) -> Config:
    """Build the config of a plan.

    train, dev (str): Paths of the data.
    RETURNS (Config): With every setting that spaCy knows.
    """
    config = load_base(BASES[plan.source])
    component = config["components"]["joint_ner_re"]
    # Fitted to one corpus: find-thresholds fits them to another.
    for fitted in ("ent_threshold", "rel_threshold", "thresholds_by_relation"):
        component.pop(fitted, None)
    component["model"] = _model(plan, component["model"])
    base_epochs = config["training"]["max_epochs"]
    for choice in plan.choices:
        for name, value in choice.settings.items():
            _set(config, name, value)
    _put_sentencizer(config, plan.has_sentencizer)
    rate = config["training"]["optimizer"]["learn_rate"]
    # The same share of the training, however long it is
    share = rate["warmup_epochs"] / base_epochs
    rate["warmup_epochs"] = round(share * config["training"]["max_epochs"], 4)
    config["nlp"]["lang"] = lang
    config["paths"].update({"train": train, "dev": dev})
    config["system"]["seed"] = seed
    return filled(config)


def filled(config: Config) -> Config:
    """RETURNS (Config): The config with the defaults of all settings that it leaves out, checked by
    spaCy, which builds its pipeline."""
    nlp = spacy.util.load_model_from_config(config, auto_fill=True, validate=True)
    return nlp.config


def _model(plan: Plan, own: Dict[str, Any]) -> Dict[str, Any]:
    """RETURNS (Dict[str, Any]): The model of a family, over the token vectors and BiRNN layers of
    the config that uses the encoder as planned.

    own (Dict[str, Any]): The model of that config.
    """
    native = "finetuned" if plan.model in SPANS else "cpu" if plan.source == "none" else "frozen"
    if native == BASES[plan.source] and plan.model not in _ARCHITECTURES:
        return own
    # spaCy fills in what a config leaves out only where the component's default has the same model.
    own = filled(load_base(BASES[plan.source]))["components"]["joint_ner_re"]["model"]
    model = dict(load_base(native)["components"]["joint_ner_re"]["model"])
    model["tok2vec"], model["birnn"] = own["tok2vec"], own["birnn"]
    if plan.model in _ARCHITECTURES:
        model["@architectures"] = _ARCHITECTURES[plan.model]
        for name in _OF_SPERT_MT:
            model.pop(name, None)
    return model


def _put_sentencizer(config: Config, wanted: bool) -> None:
    """Put a sentencizer in front, or leave the shipped one there, which divides long texts only.
    Where windows are whole texts there is none."""
    if not wanted and config["components"]["joint_ner_re"].get("window") != "doc":
        return
    training, names = config["training"], config["nlp"]["pipeline"]
    annotating = training.get("annotating_components", [])
    names = [name for name in names if name != _SENTENCIZER]
    annotating = [name for name in annotating if name != _SENTENCIZER]
    config["components"].pop(_SENTENCIZER, None)
    if wanted:
        names, annotating = [_SENTENCIZER, *names], [_SENTENCIZER, *annotating]
        config["components"][_SENTENCIZER] = {"factory": _SENTENCIZER}
        # spaCy would choose the best pipeline by its sentences, too.
        training["score_weights"] = dict.fromkeys(("sents_f", "sents_p", "sents_r"))
    config["nlp"]["pipeline"], training["annotating_components"] = names, annotating


def _set(config: Config, name: str, value: Any) -> None:
    *sections, key = name.split(".")
    section: Dict[str, Any] = config
    for part in sections:
        section = section.setdefault(part, {})
    section[key] = value
