"""Gold annotation of Examples, put onto the tokens that the model sees.

What can't be aligned is masked and counted, never learned as a negative; what is not annotated is
not learned at all.
"""

from collections import Counter
from typing import Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

import numpy
from spacy.attrs import ENT_IOB, ORTH
from spacy.tokens import Doc, Span
from spacy.training import Example

from ..errors import Errors
from ..models.types import Array1d, Array2d, Entities, Targets
from ..relations import (
    Mention,
    annotated_mentions,
    annotated_relations,
    has_annotated_group,
    mention_span,
    stored_relations,
)
from ..windows import window_of

TokenSpan = Tuple[int, int, str]
DocWindows = Sequence[Tuple[int, int]]


class AlignedAnnotation(NamedTuple):
    """The gold annotation of one Example on the tokens of its predicted Doc.

    entities: First token, end and label, by position, without duplicates.
    known: Which tokens have entity annotation. Shape [n_tokens], bool.
    relations: Head and tail (indices into `entities`) and label; None where not annotated.
    lost: How many entities and relations could not be aligned, by reason.
    trimmed: How many entities lost white space at their ends.
    """

    entities: List[TokenSpan]
    known: Array1d
    relations: Optional[List[Tuple[int, int, str]]]
    lost: "Counter[str]"
    trimmed: int = 0


class GivenEntities(NamedTuple):
    """The entities that a batch of Docs has already, where relations are looked for between them.

    entities: Those that can be related.
    unknown: The labels, sorted, of entities left out because the model doesn't know the label.
    n_across: How many entities are left out because they reach across windows.
    """

    entities: Entities
    unknown: List[str]
    n_across: int


class BatchWindows(NamedTuple):
    """The windows of a batch, computed once.

    rows: Doc, first token and end of each window. Shape [n_windows, 3].
    doc_starts: The first token of each Doc, counted through all Docs. [n_docs].
    starts: The first token of each window, counted through all Docs. [n_windows].
    """

    rows: Array2d
    doc_starts: List[int]
    starts: List[int]


def batch_windows(docs: Sequence[Doc], windows: Sequence[DocWindows]) -> BatchWindows:
    """Join the windows of the Docs of a batch.

    windows (Sequence[DocWindows]): What `doc_windows` gives for each Doc.
    """
    bounds = [(i, *window) for i, of_doc in enumerate(windows) for window in of_doc]
    rows = numpy.asarray(bounds, dtype="int64").reshape((-1, 3))
    sizes = numpy.asarray([len(doc) for doc in docs], dtype="int64")
    doc_starts = numpy.cumsum(sizes) - sizes
    starts = doc_starts[rows[:, 0]] + rows[:, 1]
    return BatchWindows(rows, doc_starts.tolist(), starts.tolist())


def align_example(
    example: Example,
    spans_key: Optional[str],
    windows: DocWindows,
    max_distance: Optional[int] = None,
) -> AlignedAnnotation:
    """Put the annotation of the reference onto the tokens of the predicted Doc.

    windows (DocWindows): Those of the predicted Doc. Relations across two windows can't be learned.
    max_distance (Optional[int]): The greatest number of tokens between the ends of a relation;
        those further apart can't be learned. None for no limit.
    """
    known = _known_tokens(example, spans_key)
    starts = [start for start, _ in windows]
    lost: Counter[str] = Counter()
    places, trimmed = _place_entities(example, spans_key, starts, known, lost)
    entities = sorted(set(places.values()))
    relations = _place_relations(example.reference, places, entities, starts, lost, max_distance)
    return AlignedAnnotation(entities, known, relations, lost, trimmed)


def _place_entities(
    example: Example,
    spans_key: Optional[str],
    starts: List[int],
    known: Array1d,
    lost: "Counter[str]",
) -> Tuple[Dict[Mention, TokenSpan], int]:
    """Find the tokens of each gold entity. `known` and `lost` are changed.

    RETURNS (Tuple[Dict[Mention, TokenSpan], int]): The tokens; how many entities were trimmed.
    """
    gold = example.reference
    places: Dict[Mention, TokenSpan] = {}
    trimmed = 0
    for entity in annotated_mentions(gold, spans_key):
        start, end, exact = _align(example, mention_span(gold, entity), entity)
        if not exact:
            known[start:end] = False
            lost["entities that cut a token"] += 1
            continue
        inner = _without_space(example.predicted, start, end)
        trimmed += inner != (start, end)
        start, end = inner
        if start == end:
            lost["entities of white space"] += 1
        elif window_of(starts, start) != window_of(starts, end - 1):
            known[start:end] = False
            lost["entities across sentences"] += 1
        else:
            places[entity] = (start, end, entity.label)
            if not known[start:end].all() and not _annotated(gold):
                known[start:end] = True
    return places, trimmed


def _place_relations(
    gold: Doc,
    places: Dict[Mention, TokenSpan],
    entities: List[TokenSpan],
    starts: List[int],
    lost: "Counter[str]",
    max_distance: Optional[int],
) -> Optional[List[Tuple[int, int, str]]]:
    """Find the entities of each gold relation. `lost` is changed."""
    stored, annotated = stored_relations(gold), annotated_relations(gold)
    if stored is None or annotated is None:
        return None
    if len(stored) > len(annotated):
        lost["predicted relations of removed entities"] += len(stored) - len(annotated)
    index = {entity: i for i, entity in enumerate(entities)}
    relations = []
    for relation in annotated:
        head, tail = places.get(relation.head), places.get(relation.tail)
        if head is None or tail is None:
            lost["relations of such entities"] += 1
        elif head == tail:
            lost["relations of an entity with itself"] += 1
        elif window_of(starts, head[0]) != window_of(starts, tail[0]):
            lost["relations across sentences"] += 1
        elif max_distance is not None and _tokens_between(head, tail) > max_distance:
            lost[f"relations over more than {max_distance} tokens (max_distance)"] += 1
        else:
            relations.append((index[head], index[tail], relation.label))
    return relations


def _tokens_between(head: TokenSpan, tail: TokenSpan) -> int:
    return max(0, max(head[0], tail[0]) - min(head[1], tail[1]))


def make_targets(
    aligned: Sequence[AlignedAnnotation],
    windows: BatchWindows,
    entity_labels: Dict[str, int],
    relation_labels: Dict[str, int],
    symmetric: Set[str],
) -> Targets:
    """Put the annotation of a batch into arrays.

    aligned (Sequence[AlignedAnnotation]): One for each Doc of the batch.
    entity_labels, relation_labels (Dict[str, int]): The index of each label.
    symmetric (Set[str]): Relation labels that hold in both directions.
    """
    entities: List[Tuple[int, int, int, int]] = []
    flat: List[bool] = []
    relations: List[Tuple[int, int, int]] = []
    both_ways: List[bool] = []
    for item, offset in zip(aligned, windows.doc_starts):
        base = len(entities)
        chosen = _non_overlapping(item.entities)
        for entity in item.entities:
            start, end, label = offset + entity[0], offset + entity[1], entity_labels[entity[2]]
            entities.append((window_of(windows.starts, start), start, end, label))
            flat.append(entity in chosen)
        for head, tail, relation in item.relations or ():
            if relation in symmetric:  # entities are in reading order
                head, tail = min(head, tail), max(head, tail)
            relations.append((base + head, base + tail, relation_labels[relation]))
            both_ways.append(relation in symmetric)
    annotated = numpy.asarray([item.relations is not None for item in aligned], dtype=bool)
    return Targets(
        as_entities(entities),
        numpy.asarray(flat, dtype=bool),
        numpy.concatenate([item.known for item in aligned]),
        numpy.asarray(relations, dtype="int64").reshape((-1, 3)),
        numpy.asarray(both_ways, dtype=bool),
        annotated[windows.rows[:, 0]],
    )


def align_given(
    docs: Sequence[Doc], windows: BatchWindows, entity_labels: Dict[str, int]
) -> GivenEntities:
    """Put the entities of doc.ents into arrays: those with a known label that lie in one window.

    entity_labels (Dict[str, int]): The index of each label.
    """
    rows: List[Tuple[int, int, int, int]] = []
    unknown: Set[str] = set()
    n_across = 0
    for doc, offset in zip(docs, windows.doc_starts):
        for span in doc.ents:
            if span.label_ not in entity_labels:
                unknown.add(span.label_)
                continue
            start, end = offset + span.start, offset + span.end
            window = window_of(windows.starts, start)
            if window == window_of(windows.starts, end - 1):
                rows.append((window, start, end, entity_labels[span.label_]))
            else:
                n_across += 1
    return GivenEntities(as_entities(rows), sorted(unknown), n_across)


def check_known(
    example: Example,
    aligned: AlignedAnnotation,
    entity_labels: Sequence[str],
    relation_labels: Sequence[str],
    name: str,
) -> None:
    """RAISES (ValueError): The annotation has a label that the component `name` was not initialized
    with."""
    for kind, annotated, known in (
        ("entity", aligned.entities, entity_labels),
        ("relation", aligned.relations or (), relation_labels),
    ):
        for _, _, label in annotated:
            if label not in known:
                raise ValueError(
                    Errors.E204.format(
                        name=name,
                        kind=kind,
                        label=label,
                        text=excerpt(example),
                        labels=list(known),
                    )
                )


def excerpt(example: Example, length: int = 60) -> str:
    """RETURNS (str): The beginning of the text, for messages."""
    text = example.reference.text
    return text if len(text) <= length else text[: length - 1] + "…"


def as_entities(rows: Sequence[Tuple[int, int, int, int]]) -> Entities:
    """RETURNS (Entities): Arrays of window, start, end and label."""
    return Entities(*numpy.asarray(rows, dtype="int64").reshape((-1, 4)).T)


def _non_overlapping(entities: List[TokenSpan]) -> Set[TokenSpan]:
    """The longest first, as spaCy's filter_spans; of equal ones the first."""
    chosen: Set[TokenSpan] = set()
    taken: Set[int] = set()
    for entity in sorted(entities, key=lambda x: (x[0] - x[1], x[0])):
        tokens = range(entity[0], entity[1])
        if taken.isdisjoint(tokens):
            chosen.add(entity)
            taken.update(tokens)
    return chosen


def _annotated(doc: Doc) -> bool:
    return bool(doc.has_annotation("ENT_IOB"))


def _known_tokens(example: Example, spans_key: Optional[str]) -> Array1d:
    """RETURNS: Tokens whose reference tokens all say whether they are in an entity. [n_tokens],
    bool."""
    gold, doc = example.reference, example.predicted
    if has_annotated_group(gold, spans_key):
        return numpy.ones(len(doc), dtype=bool)
    annotated = gold.to_array(ENT_IOB).reshape(-1) != 0
    if annotated.all():
        return numpy.ones(len(doc), dtype=bool)
    if _same_tokens(example):
        return annotated
    known = numpy.ones(len(doc), dtype=bool)
    for i, is_annotated in enumerate(annotated):
        if not is_annotated:
            known[example.alignment.y2x[i]] = False
    return known


def _without_space(doc: Doc, start: int, end: int) -> Tuple[int, int]:
    """RETURNS: First token and end without white space at the ends."""
    while start < end and doc[start].text.isspace():
        start += 1
    while start < end and doc[end - 1].text.isspace():
        end -= 1
    return start, end


def _same_tokens(example: Example) -> bool:
    gold, doc = example.reference, example.predicted
    return len(gold) == len(doc) and bool((gold.to_array(ORTH) == doc.to_array(ORTH)).all())


def _align(example: Example, span: Span, entity: Mention) -> Tuple[int, int, bool]:
    """RETURNS: First token and end in the predicted Doc; whether they cover exactly the entity."""
    exact = span.start_char == entity.start and span.end_char == entity.end
    if _same_tokens(example):
        return span.start, span.end, exact
    tokens = example.alignment.y2x[span.start : span.end]
    if not len(tokens):
        return 0, 0, False
    start, end = int(tokens.min()), int(tokens.max()) + 1
    there = example.predicted[start:end].text.split()
    return start, end, exact and "".join(there) == "".join(span.text.split())
