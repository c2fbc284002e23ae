"""The thresholds of entities and of each relation label with the best scores on annotated texts.

A relation has two entities: which relations are left depends on the threshold of entities. So the
thresholds are chosen together, by `joint_f`.
"""

from bisect import bisect_right
from collections import defaultdict
from itertools import accumulate, pairwise
from operator import neg
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from ..errors import Errors
from ..relations import entity_scores, mention, stored_relations
from ..schema import symmetric_labels
from .scorer import compare_relations, predicted_relations

SETTING, ENTITY_SETTING = "thresholds_by_relation", "ent_threshold"
# Less probable relations are not looked at: no useful threshold lies there.
_LEAST = 0.02
# Thresholds of entities that are tried at most
_TRIED = 100
# The best threshold on some texts is partly luck, and worse than none on others: a threshold of
# relations is taken to be as good as those around it.
_AROUND = (-0.2, -0.1, 0.0, 0.1, 0.2)


class ThresholdChoice(NamedTuple):
    """The threshold that was chosen for entities, or for a relation label.

    threshold: The least probability of what is reported.
    n_gold: The number of annotated entities or relations.
    before: F1 with the thresholds that were in force.
    after: F1 with the chosen ones.
    """

    threshold: float
    n_gold: int
    before: float
    after: float


class Thresholds(Dict[str, ThresholdChoice]):
    """The thresholds of relations, by label.

    entities (Optional[ThresholdChoice]): The threshold of entities; None where there are no
        annotated entities, or where the component is given its entities.
    """

    entities: Optional[ThresholdChoice] = None


class _Relation(NamedTuple):
    """A predicted relation: its probability, that of its less probable entity, and whether it is
    annotated."""

    score: float
    of_entities: float
    is_right: bool


class _Found(NamedTuple):
    """What a pipeline predicts of annotated texts when it reports all that it finds.

    entities: Probability of each entity of doc.ents, and whether it is annotated.
    relations: By label.
    """

    entities: List[Tuple[float, bool]]
    n_entities: int
    relations: Dict[str, List[_Relation]]
    n_relations: Dict[str, int]


def find_thresholds(nlp: Language, name: str, examples: Iterable[Example]) -> Thresholds:
    """Choose a threshold for entities and one for each relation label that is annotated.

    name (str): The component `joint_ner_re` of the pipeline. It and its settings stay as they are:
        other threads may predict with it.
    examples (Iterable[Example]): Annotated texts that the pipeline was not trained on.
    RETURNS (Thresholds): By relation label, and for entities. Labels without annotation keep their
        threshold and are left out.
    RAISES (ValueError): There are no annotated entities or relations.
    """
    component: Any = nlp.get_pipe(name)
    given = component.cfg["given_entities"]
    examples = [x for x in examples if _is_annotated(x, given)]
    _predict_all(nlp, name, examples)
    found = _collect(examples, symmetric_labels(component.schema), given)
    if not found.n_entities and not any(found.n_relations.values()):
        raise ValueError(Errors.E340)
    labels = [label for label in component.relation_labels if found.n_relations.get(label)]
    return _choose(found, labels, component.cfg[ENTITY_SETTING], component.thresholds)


def set_thresholds(nlp: Language, name: str, choices: Dict[str, ThresholdChoice]) -> None:
    """Put thresholds into a pipeline and into its config, so that they are saved with it.

    choices (Dict[str, ThresholdChoice]): What `find_thresholds` returns, or thresholds of relations
        alone.
    """
    component: Any = nlp.get_pipe(name)
    chosen = {label: choice.threshold for label, choice in choices.items()}
    component.cfg[SETTING] = {**component.cfg[SETTING], **chosen}
    entities = getattr(choices, "entities", None)
    if entities is not None:
        component.cfg[ENTITY_SETTING] = entities.threshold


def _is_annotated(example: Example, given: bool) -> bool:
    gold = example.reference
    has_entities = not given and gold.has_annotation("ENT_IOB")
    return bool(has_entities or stored_relations(gold) is not None)


def _predict_all(nlp: Language, name: str, examples: Sequence[Example]) -> None:
    """Let the pipeline predict, with a component of its own that reports every entity, and every
    relation that is at all probable."""
    component: Any = nlp.get_pipe(name)
    all_reported = component.with_settings(
        ent_threshold=0.0, rel_threshold=_LEAST, thresholds_by_relation={}
    )
    place = nlp.pipe_names.index(name)
    before, after = nlp.pipe_names[:place], nlp.pipe_names[place + 1 :]
    docs = nlp.pipe([x.predicted for x in examples], disable=[name, *after])
    docs = nlp.pipe(all_reported.pipe(docs), disable=[*before, name])
    for example, doc in zip(examples, docs):
        example.predicted = doc


# Predictions


def _collect(examples: Sequence[Example], symmetric: Sequence[str], given: bool) -> _Found:
    entities: List[Tuple[float, bool]] = []
    relations: Dict[str, List[_Relation]] = defaultdict(list)
    n_entities, n_relations = 0, dict[str, int]()
    for example in examples:
        scores = _entity_scores(example.predicted)
        if not given and example.reference.has_annotation("ENT_IOB"):
            entities += _entities_of(example, scores)
            n_entities += len(example.reference.ents)
        if stored_relations(example.reference) is None:
            continue
        _, gold = compare_relations(example, symmetric)
        of_pairs: Dict[Any, _Relation] = {}
        for pair, x in predicted_relations(example, symmetric):
            of_entities = min(scores.get(x.head, 1.0), scores.get(x.tail, 1.0))
            of_pairs[pair] = _Relation(x.score or 0.0, of_entities, pair in gold)
        for pair, relation in of_pairs.items():
            relations[pair.label].append(relation)
        for pair in gold:
            n_relations[pair.label] = n_relations.get(pair.label, 0) + 1
    return _Found(entities, n_entities, relations, n_relations)


def _entity_scores(doc: Doc) -> Dict[Any, float]:
    """RETURNS: Probabilities. Entities of other components have none: no threshold is theirs."""
    return {x: score for x, score in entity_scores(doc).items() if score is not None}


def _entities_of(example: Example, scores: Dict[Any, float]) -> List[Tuple[float, bool]]:
    """RETURNS (List[Tuple[float, bool]]): The probability of each entity of doc.ents, and whether
    it is annotated. As in spaCy's scorer, those on tokens that are not annotated are left out."""
    reference = example.reference
    gold = {(x.start, x.end, x.label_) for x in reference.ents}
    found = []
    for span in example.predicted.ents:
        tokens = example.alignment.x2y[span.start : span.end]
        if not len(tokens):
            continue
        first, end = int(tokens[0]), int(tokens[-1]) + 1
        if all(token.ent_iob for token in reference[first:end]):
            found.append((scores.get(mention(span), 1.0), (first, end, span.label_) in gold))
    return found


# Choice


def _choose(
    found: _Found, labels: Sequence[str], in_force: float, thresholds: Dict[str, float]
) -> Thresholds:
    """Choose the threshold of entities with the best mean F1 of entities and relations, when the
    thresholds of relations are chosen beside it. The one in force stays unless another is better.
    """
    tried = [in_force, *_between(found.entities)] if found.n_entities else [in_force]
    before = {
        x: _f1(_left(found, x, in_force), found.n_relations[x], thresholds[x]) for x in labels
    }
    best, best_threshold, best_f = Thresholds(), in_force, -1.0
    for threshold in tried:
        chosen = Thresholds()
        for label in labels:
            ranked, n_gold = _left(found, label, threshold), found.n_relations[label]
            choice = _best(ranked, n_gold, thresholds[label])
            chosen[label] = choice._replace(before=before[label])
        parts = [_relations_f1(found, chosen, threshold, thresholds)] if labels else []
        if found.n_entities:
            parts.append(_f1(found.entities, found.n_entities, threshold))
        joint_f = sum(parts) / len(parts)
        if joint_f > best_f:
            best, best_threshold, best_f = chosen, threshold, joint_f
    if found.n_entities:
        f1 = [_f1(found.entities, found.n_entities, x) for x in (in_force, best_threshold)]
        best.entities = ThresholdChoice(best_threshold, found.n_entities, *f1)
    return best


def _between(entities: Sequence[Tuple[float, bool]]) -> List[float]:
    """RETURNS (List[float]): Thresholds that part the entities, 0 first; some of them where there
    are many."""
    scores = sorted({score for score, _ in entities})
    middles = [round((low + high) / 2, 4) for low, high in pairwise(scores)]
    step = max(1, -(-len(middles) // _TRIED))
    return [0.0, *middles[::step]]


def _left(found: _Found, label: str, threshold: float) -> List[Tuple[float, bool]]:
    """RETURNS: The relations whose entities are left: probability, and whether it is annotated."""
    relations = found.relations.get(label, ())
    return [(x.score, x.is_right) for x in relations if x.of_entities >= threshold]


def _relations_f1(
    found: _Found, chosen: Thresholds, threshold: float, in_force: Dict[str, float]
) -> float:
    """RETURNS (float): F1 of all relations together. Labels without annotation keep their
    threshold."""
    n_right = n_found = 0
    for label, default in in_force.items():
        least = chosen[label].threshold if label in chosen else default
        kept = [is_right for score, is_right in _left(found, label, threshold) if score >= least]
        n_right, n_found = n_right + sum(kept), n_found + len(kept)
    return 2 * n_right / (n_found + sum(found.n_relations.values()))


def _best(ranked: List[Tuple[float, bool]], n_gold: int, in_force: float) -> ThresholdChoice:
    """Choose a threshold with a better F1, in the middle between the scores that it parts: the one
    with the best mean F1 of the thresholds around it."""
    ranked = sorted(ranked, reverse=True)
    scores = [score for score, _ in ranked]
    n_right = [0, *accumulate(is_right for _, is_right in ranked)]

    def mean_f(threshold: float) -> float:
        kept = [bisect_right(scores, -x - threshold, key=neg) for x in _AROUND]
        return sum(2 * n_right[n] / (n + n_gold) for n in kept) / len(kept)

    before = best_f = _f1(ranked, n_gold, in_force)
    best, best_mean = in_force, mean_f(in_force)
    for n, score in enumerate(scores, 1):
        lower = scores[n] if n < len(scores) else _LEAST
        f = 2 * n_right[n] / (n + n_gold)
        if lower < score and f > before and (mean := mean_f((score + lower) / 2)) > best_mean:
            best, best_f, best_mean = (score + lower) / 2, f, mean
    return ThresholdChoice(round(best, 4), n_gold, before, best_f)


def _f1(ranked: Sequence[Tuple[float, bool]], n_gold: int, threshold: float) -> float:
    kept = [is_right for score, is_right in ranked if score >= threshold]
    return 2 * sum(kept) / (len(kept) + n_gold)
