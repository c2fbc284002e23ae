"""Error analysis: each gold and predicted entity and relation, with the kind of its error.

Strict, as in `spacy-jere.joint_scorer.v1`: "right" is a true positive there. Every other kind is a
false negative if it has a gold side, and a false positive if it has a found side.
"""

from collections import Counter
from dataclasses import dataclass
from typing import (
    Any,
    Callable,
    Dict,
    Generic,
    Iterable,
    Iterator,
    List,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
    TypeVar,
)

from spacy.scorer import PRFScore
from spacy.tokens import Doc
from spacy.training import Example

from ..relations import (
    DEFAULT_SPANS_KEY,
    Mention,
    entity_mentions,
    entity_scores,
    mention,
    stored_relations,
)
from .scorer import LabelledPair, compare_relations, on_reference_text

RIGHT, MISSED, SPURIOUS = "right", "missed", "spurious"
WRONG_TYPE, BOUNDARY, BOUNDARY_AND_TYPE = "wrong type", "boundary", "boundary and type"
WRONG_LABEL, WRONG_DIRECTION, ENTITY_MISSED = "wrong label", "wrong direction", "entity missed"

ENTITY_KINDS = {
    WRONG_TYPE: "The right words with another type.",
    BOUNDARY: "The right type, and some of the right words.",
    BOUNDARY_AND_TYPE: "Some of the right words with another type.",
    MISSED: "No entity was found there, except one that is matched with another gold entity.",
    SPURIOUS: "No entity is annotated there, except one that is matched with another found entity.",
}
RELATION_KINDS = {
    WRONG_LABEL: "Found between the right entities, with another label.",
    WRONG_DIRECTION: "The right label, head and tail exchanged.",
    WRONG_TYPE: "The right label between the right words. At least one has another entity type.",
    BOUNDARY: "The right label between entities that share words with the right ones.",
    ENTITY_MISSED: "Neither the relation nor at least one of its entities was found.",
    MISSED: "Both entities were found, the relation was not.",
    SPURIOUS: "Found, and similar to no gold relation.",
}

Thing = TypeVar("Thing", Mention, LabelledPair)


@dataclass(frozen=True)
class Match(Generic[Thing]):
    """A gold and a predicted entity or relation that belong together, or one of either alone.

    kind: "right" or the kind of the error.
    gold: None for a spurious one.
    found: None for a missed one.
    score: The probability of the predicted one.
    """

    kind: str
    gold: Optional[Thing]
    found: Optional[Thing]
    score: Optional[float] = None

    @property
    def label(self) -> str:
        """The gold label if there is one, else the predicted label."""
        side = self.found if self.gold is None else self.gold
        assert side is not None  # there is always one of the two
        return side.label


class Comparison(NamedTuple):
    """The comparison of one text. Offsets count characters of the reference.

    doc: The reference.
    entities, relations: Each gold and each predicted one once. None means *not annotated*.
    """

    doc: Doc
    entities: Optional[List[Match[Mention]]]
    relations: Optional[List[Match[LabelledPair]]]


class Analysis(NamedTuple):
    """The comparisons of all texts."""

    comparisons: List[Comparison]

    def entities(self) -> Iterator[Match[Mention]]:
        return (match for x in self.comparisons for match in x.entities or ())

    def relations(self) -> Iterator[Match[LabelledPair]]:
        return (match for x in self.comparisons for match in x.relations or ())


def analyze(
    examples: Iterable[Example],
    *,
    symmetric: Sequence[str] = (),
    spans_key: Optional[str] = DEFAULT_SPANS_KEY,
) -> Analysis:
    """Compare predictions with references.

    symmetric (Sequence[str]): Relation labels whose ends may be swapped.
    spans_key (Optional[str]): The key of `doc.spans` that holds entities beside doc.ents.
    """
    return Analysis([compare(x, symmetric=symmetric, spans_key=spans_key) for x in examples])


def compare(
    example: Example, *, symmetric: Sequence[str] = (), spans_key: Optional[str] = DEFAULT_SPANS_KEY
) -> Comparison:
    """Compare one text. The arguments are those of `analyze`."""
    entities = _compare_entities(example, spans_key)
    return Comparison(
        example.reference, entities, _compare_relations(example, symmetric, spans_key)
    )


def confusion(matches: Iterable[Match[Any]]) -> "Counter[Tuple[str, str]]":
    """Count which gold label was predicted as which label.

    RETURNS (Counter[Tuple[str, str]]): By gold and predicted label of the same words. A missing
        side is "".
    """
    counts: Counter[Tuple[str, str]] = Counter()
    for match in matches:
        gold = match.gold.label if match.gold else ""
        found = match.found.label if match.found else ""
        if match.kind in (RIGHT, WRONG_TYPE, WRONG_LABEL):
            counts[gold, found] += 1
        else:
            counts.update(x for x in ((gold, ""), ("", found)) if any(x))
    return counts


def count_kinds(matches: Iterable[Match[Any]]) -> Dict[str, "Counter[str]"]:
    """RETURNS (Dict[str, Counter[str]]): For each label the number of matches of each kind."""
    counts: Dict[str, Counter[str]] = {}
    for match in matches:
        counts.setdefault(match.label, Counter())[match.kind] += 1
    return dict(sorted(counts.items()))


def totals(matches: Iterable[Match[Any]]) -> PRFScore:
    """RETURNS (PRFScore): Precision, recall and F, and the counts they are made of."""
    score = PRFScore()
    for match in matches:
        score.tp += match.kind == RIGHT
        score.fn += match.kind != RIGHT and match.gold is not None
        score.fp += match.kind != RIGHT and match.found is not None
    return score


# Entities


def _compare_entities(example: Example, spans_key: Optional[str]) -> Optional[List[Match[Mention]]]:
    if not example.reference.has_annotation("ENT_IOB"):
        return None
    gold = [mention(span) for span in example.reference.ents]
    found = _found_entities(example)
    scores = entity_scores(example.predicted, spans_key)
    tests: Dict[str, Callable[[Mention, Mention], bool]] = {
        RIGHT: lambda x, y: x == y,
        WRONG_TYPE: lambda x, y: x[:2] == y[:2],
        BOUNDARY: lambda x, y: _overlap(x, y) and x.label == y.label,
        BOUNDARY_AND_TYPE: _overlap,
    }
    pairs, missed, spurious = _pair_up(gold, [x for x, _ in found], tests)
    score = {x: scores.get(y) for x, y in found}
    matches = [Match(kind, x, y, score[y]) for kind, x, y in pairs]
    matches += [Match(MISSED, x, None) for x in missed]
    return matches + [Match(SPURIOUS, None, x, score[x]) for x in spurious]


def _found_entities(example: Example) -> List[Tuple[Mention, Mention]]:
    """List the predicted entities that can be judged.

    As in spaCy's scorer, entities are not judged on tokens without annotation or without a
    counterpart.

    RETURNS (List[Tuple[Mention, Mention]]): Each on the text of the reference and as predicted.
    """
    found = []
    for span in example.predicted.ents:
        tokens = example.alignment.x2y[span.start : span.end]
        if not len(tokens):
            continue
        aligned = example.reference[int(tokens[0]) : int(tokens[-1]) + 1]
        if all(token.ent_iob != 0 for token in aligned):
            found.append((mention(aligned)._replace(label=span.label_), mention(span)))
    return found


# Relations


def _compare_relations(
    example: Example, symmetric: Sequence[str], spans_key: Optional[str]
) -> Optional[List[Match[LabelledPair]]]:
    if stored_relations(example.reference) is None:
        return None
    scores, gold = compare_relations(example, symmetric)
    pairs, missed, spurious = _pair_up(sorted(gold), sorted(scores), _relation_tests(symmetric))
    entities = entity_mentions(example.predicted, spans_key)
    found_ends = set(on_reference_text(example, entities).values())
    matches = [Match(kind, x, y, scores[y]) for kind, x, y in pairs]
    for x in missed:
        kind = MISSED if {x.head, x.tail} <= found_ends else ENTITY_MISSED
        matches.append(Match(kind, x, None))
    return matches + [Match(SPURIOUS, None, x, scores[x]) for x in spurious]


def _relation_tests(
    symmetric: Sequence[str],
) -> Dict[str, Callable[[LabelledPair, LabelledPair], bool]]:
    """RETURNS: A test for each kind of match, from the most to the least similar."""

    def alike(same: Callable[[Mention, Mention], bool], x: LabelledPair, y: LabelledPair) -> bool:
        straight = same(x.head, y.head) and same(x.tail, y.tail)
        if straight or not {x.label, y.label} & set(symmetric):
            return straight
        return same(x.head, y.tail) and same(x.tail, y.head)

    return {
        RIGHT: lambda x, y: x == y,
        WRONG_LABEL: lambda x, y: alike(lambda a, b: a == b, x, y),
        WRONG_DIRECTION: lambda x, y: x.label == y.label and (x.head, x.tail) == (y.tail, y.head),
        WRONG_TYPE: lambda x, y: x.label == y.label and alike(lambda a, b: a[:2] == b[:2], x, y),
        BOUNDARY: lambda x, y: x.label == y.label and alike(_overlap, x, y),
    }


def _overlap(x: Mention, y: Mention) -> bool:
    return x.start < y.end and y.start < x.end


def _pair_up(
    gold: Sequence[Thing],
    found: Sequence[Thing],
    tests: Dict[str, Callable[[Thing, Thing], bool]],
) -> Tuple[List[Tuple[str, Thing, Thing]], List[Thing], List[Thing]]:
    """Match gold and predicted items one to one, most similar first.

    RETURNS (Tuple[List[Tuple[str, Thing, Thing]], List[Thing], List[Thing]]): Pairs with their
        kind; the gold items left over; the predicted items left over.
    """
    left, right = list(gold), list(found)
    pairs = []
    for kind, test in tests.items():
        for x in list(left):
            y = next((y for y in right if test(x, y)), None)
            if y is not None:
                pairs.append((kind, x, y))
                left.remove(x)
                right.remove(y)
    return pairs, left, right


__all__ = ["Analysis", "Comparison", "Match", "analyze", "compare", "entity_scores"]
