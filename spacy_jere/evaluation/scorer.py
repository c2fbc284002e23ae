"""`spacy-jere.joint_scorer.v1`: scores of entities and relations.

Every annotated relation counts in recall, also if its entities were not found. Relations of Docs
without relation annotation are not scored, nor are entities on tokens without entity annotation.
"""

from typing import (
    Any,
    Callable,
    Dict,
    Iterable,
    Iterator,
    NamedTuple,
    Optional,
    Sequence,
    Set,
    Tuple,
)

from spacy.scorer import PRFScore, get_ner_prf
from spacy.tokens import Doc
from spacy.training import Example

from ..relations import (
    DEFAULT_SPANS_KEY,
    Mention,
    StoredRelation,
    annotated_mentions,
    annotated_relations,
    entity_mentions,
    has_annotated_group,
    mention_span,
    stored_relations,
)

Scores = Dict[str, Any]
Pair = Tuple[Mention, Mention]

# Training chooses the best model by these. It ignores scores with None and doesn't log them.
DEFAULT_SCORE_WEIGHTS: Dict[str, Optional[float]] = {
    "joint_f": 1.0,
    "ents_f": 0.0,
    "ents_p": 0.0,
    "ents_r": 0.0,
    "ents_per_type": None,
    "ents_macro_p": None,
    "ents_macro_r": None,
    "ents_macro_f": None,
    "rels_f": 0.0,
    "rels_p": 0.0,
    "rels_r": 0.0,
    "rels_per_type": None,
    "rels_macro_p": None,
    "rels_macro_r": None,
    "rels_macro_f": None,
    "rels_boundary_p": None,
    "rels_boundary_r": None,
    "rels_boundary_f": None,
}


class LabelledPair(NamedTuple):
    """A relation as it is compared: without its score."""

    head: Mention
    tail: Mention
    label: str


def make_joint_scorer_v1() -> Callable[..., Scores]:
    return score_joint


def score_joint(
    examples: Iterable[Example],
    *,
    symmetric: Sequence[str] = (),
    spans_key: Optional[str] = DEFAULT_SPANS_KEY,
    **unused: Any,
) -> Scores:
    """Score entities and relations.

    symmetric (Sequence[str]): Relation labels whose ends may be swapped.
    spans_key (Optional[str]): The key of `doc.spans` that holds entities beside doc.ents.
    RETURNS (Scores): Fractions between 0 and 1; None where nothing was annotated.
        ents_p, ents_r, ents_f, ents_per_type: doc.ents by span and type, micro.
        ents_macro_*: the mean over types.
        spans_p, spans_r, spans_f: all entities, also overlapping ones, by span and type, micro.
        rels_p, rels_r, rels_f, rels_per_type: strict (label, both spans, both entity types), micro.
        rels_macro_*: the mean over labels.
        rels_boundary_*: entity types ignored, micro.
        joint_f: the mean of ents_f and rels_f, or the only one of them.
    """
    examples = list(examples)
    scores = {key: value for key, value in get_ner_prf(examples).items()}
    scores.update(_macro("ents", scores["ents_per_type"]))
    scores.update(score_spans(examples, spans_key))
    scores.update(score_relations(examples, symmetric=symmetric))
    parts = [scores[key] for key in ("ents_f", "rels_f") if scores[key] is not None]
    scores["joint_f"] = sum(parts) / len(parts) if parts else None
    return scores


def score_spans(examples: Iterable[Example], spans_key: Optional[str]) -> Scores:
    """Score all entities, also overlapping ones. Only completely annotated Docs count.

    RETURNS (Scores): The spans_* scores of `score_joint`.
    """
    score = PRFScore()
    for example in examples:
        gold = example.reference
        complete = gold.has_annotation("ENT_IOB", require_complete=True)
        if not complete and not has_annotated_group(gold, spans_key):
            continue
        found = entity_mentions(example.predicted, spans_key)
        moved = on_reference_text(example, found)
        score.score_set({moved[x] for x in found}, set(annotated_mentions(gold, spans_key)))
    values = score.to_dict() if len(score) else dict.fromkeys("prf")
    return {f"spans_{key}": value for key, value in values.items()}


def score_relations(examples: Iterable[Example], *, symmetric: Sequence[str] = ()) -> Scores:
    """RETURNS (Scores): The rels_* scores of `score_joint`."""
    strict, boundary = PRFScore(), PRFScore()
    per_label: Dict[str, PRFScore] = {}
    for example in examples:
        if stored_relations(example.reference) is None:
            continue
        found, gold = compare_relations(example, symmetric)
        predicted = set(found)
        strict.score_set(predicted, gold)
        boundary.score_set(_without_types(predicted), _without_types(gold))
        for label in sorted({relation.label for relation in gold | predicted}):
            score = per_label.setdefault(label, PRFScore())
            score.score_set(
                {x for x in predicted if x.label == label}, {x for x in gold if x.label == label}
            )
    per_type = {label: score.to_dict() for label, score in sorted(per_label.items())}
    nothing = not per_type
    scores: Scores = {"rels_per_type": None if nothing else per_type}
    for prefix, score in (("rels", strict), ("rels_boundary", boundary)):
        for key, value in score.to_dict().items():
            scores[f"{prefix}_{key}"] = None if nothing else value
    scores.update(_macro("rels", scores["rels_per_type"]))
    return scores


def compare_relations(
    example: Example, symmetric: Sequence[str] = ()
) -> Tuple[Dict[LabelledPair, Optional[float]], Set[LabelledPair]]:
    """Make predicted and annotated relations comparable.

    symmetric (Sequence[str]): Relation labels whose ends may be swapped.
    RETURNS (Tuple[Dict[LabelledPair, Optional[float]], Set[LabelledPair]]): The predicted relations
        on the text of the reference, with their scores; the annotated relations.
    """
    predicted = {pair: x.score for pair, x in predicted_relations(example, symmetric)}
    gold = annotated_relations(example.reference) or ()
    return predicted, {_comparable(x, symmetric) for x in gold}


def predicted_relations(
    example: Example, symmetric: Sequence[str] = ()
) -> Iterator[Tuple[LabelledPair, StoredRelation]]:
    """RETURNS (Iterator[Tuple[LabelledPair, StoredRelation]]): The predicted relations, each on the
    text of the reference, and as it is stored."""
    found = stored_relations(example.predicted) or ()
    moved = on_reference_text(example, [end for x in found for end in (x.head, x.tail)])
    for x in found:
        there = x._replace(head=moved[x.head], tail=moved[x.tail])
        yield _comparable(there, symmetric), x


def _macro(prefix: str, per_type: Optional[Dict[str, Dict[str, float]]]) -> Scores:
    values = list((per_type or {}).values())
    return {
        f"{prefix}_macro_{key}": sum(x[key] for x in values) / len(values) if values else None
        for key in "prf"
    }


def _comparable(relation: StoredRelation, symmetric: Sequence[str]) -> LabelledPair:
    head, tail, label, _ = relation
    if label in symmetric and tail < head:
        head, tail = tail, head
    return LabelledPair(head, tail, label)


def _without_types(relations: Set[LabelledPair]) -> Set[Tuple[Any, ...]]:
    return {(head[:2], tail[:2], label) for head, tail, label in relations}


def on_reference_text(example: Example, found: Iterable[Mention]) -> Dict[Mention, Mention]:
    """Move predicted mentions to the text of the reference, whose white space may differ.

    RETURNS (Dict[Mention, Mention]): The mentions with their new offsets.
    """
    if example.predicted.text == example.reference.text:
        return {x: x for x in found}
    return {x: _moved(example, example.predicted, x) for x in found}


def _moved(example: Example, doc: Doc, end: Mention) -> Mention:
    # Not get_aligned_spans_x2y: it finds no span with a line break or tab inside.
    span = mention_span(doc, end)
    tokens = example.alignment.x2y[span.start : span.end]
    if len(tokens):
        aligned = example.reference[int(tokens[0]) : int(tokens[-1]) + 1]
        if _letters(aligned.text) == _letters(span.text):
            return Mention(aligned.start_char, aligned.end_char, end.label)
    return end._replace(start=-1 - end.start)  # nowhere in the reference: never right


def _letters(text: str) -> str:
    return "".join(text.lower().split())
