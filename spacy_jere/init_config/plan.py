"""What is wished, what is chosen, and the plan that a config is built from."""

from typing import Any, Dict, List, NamedTuple, Optional

from .encoders import Encoder

MODELS = ("birnn", "spert", "spert_mt")
SPANS = ("spert", "spert_mt")
OPTIMIZE = ("speed", "accuracy")
COMPONENT = "components.joint_ner_re"


class Choice(NamedTuple):
    """A setting, and why.

    name (str): What was chosen, in short.
    value (Any): The value, as it is shown.
    reason (str): A sentence.
    settings (Dict[str, Any]): Values by dotted names of the config.
    """

    name: str
    value: Any
    reason: str
    settings: Dict[str, Any]


class Wishes(NamedTuple):
    """What the user has, and wants: arguments of `init_config`, and two that follow from them.

    bfloat16 (bool): The processor computes in bfloat16.
    hurry (bool): The time is too short for two networks.
    """

    encoder: Optional[Encoder] = None
    vectors: Optional[str] = None
    model: Optional[str] = None
    gpu: bool = False
    optimize: Optional[str] = None
    bfloat16: bool = False
    hurry: bool = False


class Plan(NamedTuple):
    """Where a config starts from, and what is changed in it.

    source (str): "none", "frozen" or "finetuned": how the encoder is used.
    model (str): One of MODELS.
    has_sentencizer (bool): Whether a sentencizer stands in front.
    choices (List[Choice]): All choices, in the order in which they are told.
    """

    source: str
    model: str
    has_sentencizer: bool
    choices: List[Choice]


def percent(part: float) -> str:
    """RETURNS (str): A share as it is told: with one decimal."""
    return f"{100 * part:.1f} %"
