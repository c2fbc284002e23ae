"""The component's settings: checked wherever they are set, and the same in the pipeline's config.

Two places hold a setting: `config.cfg`, which people read, edit and override, and the component's
own file `cfg`, which also holds what a config can't. What is said last counts: an override or an
edit of the config, else what the component was saved with.
"""

from copy import deepcopy
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Tuple
from weakref import ReferenceType, ref

from spacy.language import Language
from thinc.api import Config

from ..errors import Errors
from ..schema import LEARN, parse_schema, schema_config, schema_rows
from ..windows import WINDOWS

# The key of what the config said of settings that it can't hold, or that were changed behind it
CONFIGURED = "configured"
LABELS = ("entity_labels", "relation_labels")


class Settings(Dict[str, Any]):
    """The component's `cfg`: its settings, its labels, the schema that it learned and the tokens of
    the longest window that it has learned from.

    values (Dict[str, Any]): The settings, as the config has them.
    RAISES (ValueError): A setting that is out of its range or of another type, here and wherever
        one is set.
    """

    def __init__(self, values: Mapping[str, Any]):
        super().__init__({key: check_setting(key, value) for key, value in values.items()})
        for key in LABELS:
            self.setdefault(key, [])
        self.setdefault("learned_schema", None)
        self.setdefault("longest_window", None)
        self.setdefault(CONFIGURED, {})
        self.configured = {key: deepcopy(self[key]) for key in CHECKS if key in self}
        self.nlp: Optional[ReferenceType[Language]] = None

    def bind(self, nlp: Language) -> None:
        """Write what is set from now on into the config of a pipeline."""
        self.nlp = ref(nlp)

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, check_setting(key, value))
        if key in CHECKS:
            self._write_through(key)

    def update(self, *others: Any, **values: Any) -> None:
        """As of a dict. What a component was saved with has `configured` among its keys."""
        new = dict(*others, **values)
        if CONFIGURED in new:
            self._load(new)
            return
        for key, value in new.items():
            self[key] = value

    def mark(self, folder: Optional[Path] = None) -> None:
        """Note, before it is saved, where the config says something else than what is in force.

        folder (Optional[Path]): Where the component is saved: spaCy has written the config beside.
        """
        said = {**self.configured, **_said_beside(folder)}
        others = {key: to_json(key, x) for key, x in said.items() if x != self[key]}
        super().__setitem__(CONFIGURED, others)

    def _load(self, saved: Dict[str, Any]) -> None:
        configured = saved.get(CONFIGURED)
        if not isinstance(configured, dict):
            error = Errors.E211.format(setting=CONFIGURED, wanted="a dict", value=configured)
            raise ValueError(error)
        for key, value in saved.items():
            if key in self.configured and key in CHECKS:
                value = check_setting(key, value)
                before = check_setting(key, configured[key]) if key in configured else value
                if self.configured[key] == before:
                    self[key] = value
            elif key != CONFIGURED:
                super().__setitem__(key, check_setting(key, value))

    def _write_through(self, key: str) -> None:
        nlp = None if self.nlp is None else self.nlp()
        if nlp is None:
            return
        for name, pipe in nlp.components:
            if getattr(pipe, "cfg", None) is self:
                form = config_form(key, self[key])
                if holds({key: form}):
                    nlp.get_pipe_config(name)[key] = form
                    self.configured[key] = deepcopy(self[key])

    def __reduce__(self) -> Tuple[Any, ...]:
        return _restore, (dict(self), self.configured)


def _said_beside(folder: Optional[Path]) -> Dict[str, Any]:
    """RETURNS: What the config beside a component's folder says of its settings."""
    if folder is None or not (folder.parent / "config.cfg").is_file():
        return {}
    config = Config().from_disk(folder.parent / "config.cfg")
    section = config.get("components", {}).get(folder.name, {})
    return {key: check_setting(key, section[key]) for key in CHECKS if key in section}


def check_config_form(key: str, value: Any) -> None:
    """RAISES (ValueError): The setting has a label that a config can't hold in this form."""
    for label in value if isinstance(value, Mapping) else ():
        if not holds({key: {label: value[label]}}):
            raise ValueError(Errors.E212.format(setting=key, label=label))


def _restore(values: Dict[str, Any], configured: Dict[str, Any]) -> Settings:
    settings = Settings(values)
    settings.configured = configured
    return settings


def check_setting(key: str, value: Any) -> Any:
    """RETURNS (Any): The value, in the form in which the component reads it.

    RAISES (ValueError): It is of another type than the setting takes, or out of its range.
    """
    return CHECKS[key](key, value) if key in CHECKS else _OWN.get(key, _any)(key, value)


def check_labels_of_thresholds(thresholds: Mapping[str, float], labels: Iterable[str]) -> None:
    """RAISES (ValueError): There is a threshold of a relation label that the component lacks."""
    known = list(labels)
    for label in thresholds:
        if label not in known:
            raise ValueError(Errors.E213.format(label=label, labels=known))


def config_form(key: str, value: Any) -> Any:
    """RETURNS (Any): The form of a setting that a config can hold, if there is one: where labels
    can't be names of sections or keys, a list."""
    if holds({key: value}) or not isinstance(value, dict):
        return value
    return to_json(key, value)


def to_json(key: str, value: Any) -> Any:
    """RETURNS (Any): The setting with labels as values, not as keys."""
    if isinstance(value, dict) and key == "schema":
        return schema_rows(parse_schema(value))
    if isinstance(value, dict) and key == "thresholds_by_relation":
        return [[label, threshold] for label, threshold in value.items()]
    return value


def holds(values: Dict[str, Any]) -> bool:
    """RETURNS (bool): Whether a config gives the values back as they are."""
    names = [label for value in values.values() if isinstance(value, dict) for label in value]
    if any(name == "*" or name.startswith("@") for name in names):
        return False  # a registered function, or an argument of one
    config = {"components": {"joint_ner_re": deepcopy(values)}}
    try:
        again = Config().from_str(Config(config).to_str())
    except Exception:  # configparser, confection and JSON each have errors of their own
        return False
    return bool(again["components"]["joint_ner_re"] == values)


# Checks


def _any(key: str, value: Any) -> Any:
    return value


def _probability(key: str, value: Any) -> float:
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not number or not 0 <= float(value) <= 1:
        raise ValueError(Errors.E208.format(name=key, value=value))
    return float(value)


def _probabilities(key: str, value: Any) -> Dict[str, float]:
    if isinstance(value, (list, tuple)) and all(
        isinstance(x, (list, tuple)) and len(x) == 2 for x in value
    ):
        value = dict(value)
    if not isinstance(value, Mapping) or not all(isinstance(x, str) and x for x in value):
        wanted = "a section of labels with a number each, or a list of [label, number]"
        raise ValueError(Errors.E211.format(setting=key, wanted=wanted, value=value))
    return {label: _probability(f"{key} of {label!r}", x) for label, x in value.items()}


def _flag(key: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(Errors.E211.format(setting=key, wanted="true or false", value=value))
    return value


def _window(key: str, value: Any) -> str:
    if not isinstance(value, str) or value not in WINDOWS:
        raise ValueError(Errors.E207.format(window=value))
    return value


def _factor(key: str, value: Any) -> float:
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not number or not 0 < float(value) < float("inf"):
        raise ValueError(Errors.E209.format(value=value))
    return float(value)


def _count(key: str, value: Any) -> Optional[int]:
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if value is not None and not (whole and value >= 0):
        wanted = "a whole number from 0 on, or null"
        raise ValueError(Errors.E211.format(setting=key, wanted=wanted, value=value))
    return None if value is None else int(value)


def _spans_key(key: str, value: Any) -> Optional[str]:
    if value is not None and not (isinstance(value, str) and value):
        wanted = "a string that is not empty, or null"
        raise ValueError(Errors.E211.format(setting=key, wanted=wanted, value=value))
    return value


def _attribute(key: str, value: Any) -> str:
    if not isinstance(value, str) or not value.isidentifier():
        raise ValueError(Errors.E211.format(setting=key, wanted="a Python name", value=value))
    return value


def _schema(key: str, value: Any) -> Any:
    rules = parse_schema(value)
    return schema_config(rules) if rules else (value if value in (None, LEARN) else None)


def _labels(key: str, value: Any) -> List[str]:
    texts = isinstance(value, (list, tuple)) and all(isinstance(x, str) and x for x in value)
    if not texts or len(set(value)) < len(value):
        wanted = "a list of labels, each once"
        raise ValueError(Errors.E211.format(setting=key, wanted=wanted, value=value))
    return list(value)


def _learned_schema(key: str, value: Any) -> Any:
    parse_schema(value)
    return value


CHECKS: Dict[str, Callable[[str, Any], Any]] = {
    "ent_threshold": _probability,
    "rel_threshold": _probability,
    "thresholds_by_relation": _probabilities,
    "overlap": _flag,
    "window": _window,
    "max_distance": _count,
    "spans_key": _spans_key,
    "schema": _schema,
    "given_entities": _flag,
    "relations_attr": _attribute,
    "learn_rate_factor": _factor,
}
_OWN: Dict[str, Callable[[str, Any], Any]] = {
    **dict.fromkeys(LABELS, _labels),
    "learned_schema": _learned_schema,
    "longest_window": _count,
}
