"""What commands ask a loaded pipeline for."""

from pathlib import Path
from typing import Any, Dict, Iterable, List

from spacy.language import Language
from spacy.training import Example

from ..errors import Errors
from ..relations import stored_relations


def comparison_of(nlp: Language) -> Dict[str, Any]:
    """RETURNS (Dict[str, Any]): How its component `joint_ner_re` is compared with annotation; nothing where it has none."""
    for name, factory in nlp.pipe_factories.items():
        if factory == "joint_ner_re" and name in nlp.pipe_names:
            component: Any = nlp.get_pipe(name)
            return dict(component.comparison)
    return {}


def predict(nlp: Language, examples: Iterable[Example]) -> List[Example]:
    """RETURNS (List[Example]): The examples with what the pipeline finds in them, as in `nlp.evaluate`."""
    examples = list(examples)
    for example, doc in zip(examples, nlp.pipe(x.predicted for x in examples)):
        example.predicted = doc
    return examples


def check_annotated(examples: Iterable[Example], path: Path) -> None:
    """RAISES (ValueError): There are no annotated entities or relations to compare with."""
    for example in examples:
        gold = example.reference
        if gold.has_annotation("ENT_IOB") or stored_relations(gold) is not None:
            return
    raise ValueError(Errors.E353.format(path=path))
