"""Which entities a Doc has: annotated and predicted ones, overlapping ones included.

Predicted entities are kept as characters beside the relations. The span group of a component
repeats them for others to read, and says in its attributes that it is predicted: it is never
annotation.
"""

from bisect import bisect_left
from itertools import pairwise
from typing import Any, Dict, Iterable, Iterator, List, Optional, Tuple
from weakref import ref

import numpy
from spacy.tokens import Doc, Span, SpanGroup

from .store import (
    Mention,
    annotated_relations,
    mention,
    mention_span,
    read_record,
    stored_relations,
)

# Of doc.spans, where all entities stand if some of them overlap
DEFAULT_SPANS_KEY = "joint_ner_re"
# The attribute of a group that a component wrote
PREDICTED = "predicted"

Scores = Dict[Mention, Optional[float]]


def entity_mentions(doc: Doc, spans_key: Optional[str]) -> List[Mention]:
    """RETURNS (List[Mention]): All entities of a Doc by position, annotated or predicted: doc.ents,
    overlapping ones, ends of relations."""
    found = {mention(span) for span in doc.ents} | set(entity_scores(doc, spans_key))
    for relation in stored_relations(doc) or ():
        found |= {relation.head, relation.tail}
    return sorted(found)


def annotated_mentions(doc: Doc, spans_key: Optional[str]) -> List[Mention]:
    """RETURNS (List[Mention]): The entities that are annotation, by position: doc.ents, the span
    group unless a component wrote it, ends of annotated relations."""
    found = {mention(span) for span in doc.ents}
    if has_annotated_group(doc, spans_key):
        found |= {mention(span) for span in doc.spans[spans_key]}
    for relation in annotated_relations(doc) or ():
        found |= {relation.head, relation.tail}
    return sorted(found)


def has_annotated_group(doc: Doc, spans_key: Optional[str]) -> bool:
    """RETURNS (bool): Whether a Doc has a span group that no component wrote."""
    return spans_key in doc.spans and not doc.spans[spans_key].attrs.get(PREDICTED)


def scored_entities(
    doc: Doc, spans_key: Optional[str] = DEFAULT_SPANS_KEY
) -> List[Tuple[Span, Optional[float]]]:
    """All entities of a Doc by position, overlapping ones included, with their probabilities.

    spans_key (Optional[str]): The key of `doc.spans` that holds annotated entities beside doc.ents.
    RETURNS (List[Tuple[Span, Optional[float]]]): None for an entity that no component predicted.
    """
    scores: Scores = {mention(span): None for span in doc.ents}
    scores.update(entity_scores(doc, spans_key))
    return [(mention_span(doc, x), scores[x]) for x in sorted(scores)]


def entity_scores(doc: Doc, spans_key: Optional[str] = DEFAULT_SPANS_KEY) -> Scores:
    """Read the probabilities of entities, and the entities that doc.ents can't hold.

    A predicted entity counts as long as it is in doc.ents, or overlaps one that was predicted and
    is still there: whoever takes an entity out of doc.ents takes those inside it away too.

    RETURNS (Scores): By characters and label.
    """
    group = None if spans_key is None else doc.spans.get(spans_key)
    if group is not None and not group.attrs.get(PREDICTED):
        return _scores_of_group(group)
    rows: Scores = {row.mention: row.score for row in read_record(doc).entities}
    if not rows and group is not None:
        rows = _scores_of_group(group)  # a .spacy file without user data
    return _still_there(doc, rows) if rows else {}


def overlap(found: Iterable[Mention]) -> bool:
    """RETURNS (bool): Whether any of the entities overlap."""
    places = sorted(found)
    return any(y.start < x.end for x, y in pairwise(places))


def _scores_of_group(group: SpanGroup) -> Scores:
    scores = [float(x) for x in group.attrs.get("scores", ())]
    try:
        spans = [mention(span) for span in group]
    except IndexError:  # tokens were merged: spaCy can't make the spans any more
        return {}
    known = len(scores) == len(spans)
    return {span: scores[i] if known else None for i, span in enumerate(spans)}


def _still_there(doc: Doc, rows: Scores) -> Scores:
    labels = {(span.start_char, span.end_char): span.label_ for span in doc.ents}
    there = sorted({x[:2] for x in rows if x[:2] in labels})
    ends = [end for _, end in there]
    found: Scores = {}
    for x, score in rows.items():
        if x[:2] in labels:
            # Another label in doc.ents is a correction, unless it was predicted for the same words.
            if x._replace(label=labels[x[:2]]) in rows:
                found[x] = score
            continue
        first = bisect_left(ends, x.start + 1)
        if first < len(there) and there[first][0] < x.end:
            found[x] = score
    return found


class PredictedGroup(SpanGroup):
    """A span group that stays true when tokens are merged or split: its spans are made again from
    their characters. Spans that are no longer made of whole tokens are left out.

    Changing it by hand makes it an ordinary group, which counts as annotation.
    """

    def __init__(self, doc: Doc, name: str, found: Scores):
        self._found: Optional[List[Tuple[Mention, Optional[float]]]] = sorted(found.items())
        self._owner = ref(doc)
        self._tokens = b""
        super().__init__(doc, name=name)
        self._refresh()

    def _refresh(self) -> None:
        """Make the spans, if the tokens are others than they were."""
        doc = self._owner()
        if self._found is None or doc is None:
            return
        tokens = doc.to_array("SPACY").tobytes() + doc.to_array("LENGTH").tobytes()
        if tokens == self._tokens:
            return
        self._tokens = tokens
        spans = [(doc.char_span(x.start, x.end, x.label), score) for x, score in self._found]
        kept = [(span, score) for span, score in spans if span is not None]
        scores = numpy.asarray([score for _, score in kept], dtype="f")
        attrs = {"scores": scores, PREDICTED: True}
        fresh = SpanGroup(doc, name=self.name, attrs=attrs, spans=[span for span, _ in kept])
        super().from_bytes(fresh.to_bytes())

    def _edit(self) -> None:
        self._refresh()
        self._found = None
        self.attrs.pop(PREDICTED, None)
        self.attrs.pop("scores", None)

    @property
    def attrs(self) -> Dict[str, Any]:
        self._refresh()
        return super().attrs

    @attrs.setter
    def attrs(self, attrs: Dict[str, Any]) -> None:
        SpanGroup.attrs.__set__(self, attrs)  # type: ignore[attr-defined]

    def __len__(self) -> int:
        self._refresh()
        return super().__len__()

    def __iter__(self) -> Iterator[Span]:
        self._refresh()
        return iter([super(PredictedGroup, self).__getitem__(i) for i in range(super().__len__())])

    def __getitem__(self, i: int) -> Span:
        self._refresh()
        return super().__getitem__(i)

    def to_bytes(self) -> bytes:
        self._refresh()
        return super().to_bytes()

    def copy(self, doc: Optional[Doc] = None) -> SpanGroup:
        if self._found is None:
            return super().copy(doc)
        return PredictedGroup(self.doc if doc is None else doc, self.name, dict(self._found))

    def from_bytes(self, bytes_data: bytes) -> SpanGroup:
        self._edit()
        return super().from_bytes(bytes_data)

    def __setitem__(self, i: int, span: Span) -> None:
        self._edit()
        super().__setitem__(i, span)  # type: ignore[misc]

    def __delitem__(self, i: int) -> None:
        self._edit()
        super().__delitem__(i)  # type: ignore[misc]

    def __iadd__(self, other: Iterable[Span]) -> SpanGroup:
        self._edit()
        return super().__iadd__(other)  # type: ignore[misc]

    def __add__(self, other: SpanGroup) -> SpanGroup:
        self._refresh()
        return super().__add__(other)  # type: ignore[misc]

    def append(self, span: Span) -> None:
        self._edit()
        super().append(span)

    def extend(self, spans: Iterable[Span]) -> None:
        self._edit()
        super().extend(spans)


def write_group(doc: Doc, spans_key: str, found: Scores) -> None:
    """Write a predicted group, unless there is an annotated one.

    found (Scores): Its entities; none take the group away.
    """
    if has_annotated_group(doc, spans_key):
        return
    if found:
        doc.spans[spans_key] = PredictedGroup(doc, spans_key, found)
    elif spans_key in doc.spans:
        del doc.spans[spans_key]
