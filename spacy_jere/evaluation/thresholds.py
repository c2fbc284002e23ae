"""For each relation label the threshold with the best F1 on annotated texts."""

from typing import Any, Dict, Iterable, List, NamedTuple, Sequence, Tuple

from spacy.language import Language
from spacy.training import Example

from ..errors import Errors
from ..relations import stored_relations
from ..schema import symmetric_labels
from .scorer import compare_relations

SETTING = "thresholds_by_relation"
# Less probable relations are not looked at: no useful threshold lies there.
_LEAST = 0.02


class ThresholdChoice(NamedTuple):
    """The threshold that was chosen for a relation label.

    threshold: The least probability of a relation that is reported.
    n_gold: The number of annotated relations.
    before: F1 with the threshold that was in force.
    after: F1 with this threshold.
    """

    threshold: float
    n_gold: int
    before: float
    after: float


def find_thresholds(
    nlp: Language, name: str, examples: Iterable[Example]
) -> Dict[str, ThresholdChoice]:
    """Choose a threshold for each relation label that is annotated.

    name (str): The component `joint_ner_re` of the pipeline. It and its settings stay as they are:
        other threads may predict with it.
    examples (Iterable[Example]): Annotated texts that the pipeline was not trained on.
    RETURNS (Dict[str, ThresholdChoice]): By relation label. Labels without annotation keep their
        threshold and are left out.
    RAISES (ValueError): There are no annotated relations.
    """
    examples = [x for x in examples if stored_relations(x.reference) is not None]
    component: Any = nlp.get_pipe(name)
    symmetric = symmetric_labels(component.schema)
    in_force = component.thresholds
    ranked: Dict[str, List[Tuple[float, bool]]] = {label: [] for label in in_force}
    n_gold = dict.fromkeys(in_force, 0)
    _predict_all(nlp, name, examples)
    for example in examples:
        found, gold = compare_relations(example, symmetric)
        for pair, score in found.items():
            ranked[pair.label].append((score or 0.0, pair in gold))
        for pair in gold:
            n_gold[pair.label] = n_gold.get(pair.label, 0) + 1
    if not any(n_gold.values()):
        raise ValueError(Errors.E340)
    return {
        label: _best(ranked[label], n_gold[label], in_force[label])
        for label in component.relation_labels
        if n_gold[label]
    }


def set_thresholds(nlp: Language, name: str, choices: Dict[str, ThresholdChoice]) -> None:
    """Put thresholds into a pipeline and into its config, so that they are saved with it."""
    component: Any = nlp.get_pipe(name)
    chosen = {label: choice.threshold for label, choice in choices.items()}
    component.cfg[SETTING] = {**component.cfg[SETTING], **chosen}


def _predict_all(nlp: Language, name: str, examples: Sequence[Example]) -> None:
    """Let the pipeline predict, with a component of its own that reports every relation that is at
    all probable."""
    component: Any = nlp.get_pipe(name)
    all_reported = component.with_settings(rel_threshold=_LEAST, thresholds_by_relation={})
    place = nlp.pipe_names.index(name)
    before, after = nlp.pipe_names[:place], nlp.pipe_names[place + 1 :]
    docs = nlp.pipe([x.predicted for x in examples], disable=[name, *after])
    docs = nlp.pipe(all_reported.pipe(docs), disable=[*before, name])
    for example, doc in zip(examples, docs):
        example.predicted = doc


def _best(ranked: List[Tuple[float, bool]], n_gold: int, in_force: float) -> ThresholdChoice:
    """Choose the threshold with the best F1, in the middle between the scores that it parts."""
    ranked = sorted(ranked, reverse=True)
    scores = [score for score, _ in ranked]
    best, best_f = in_force, _f1(ranked, n_gold, in_force)
    before = best_f
    right = 0
    for n, (score, is_right) in enumerate(ranked, 1):
        right += is_right
        lower = scores[n] if n < len(scores) else _LEAST
        if lower < score and (f := 2 * right / (n + n_gold)) > best_f:
            best, best_f = (score + lower) / 2, f
    return ThresholdChoice(round(best, 4), n_gold, before, best_f)


def _f1(ranked: List[Tuple[float, bool]], n_gold: int, threshold: float) -> float:
    kept = [is_right for score, is_right in ranked if score >= threshold]
    return 2 * sum(kept) / (len(kept) + n_gold)
