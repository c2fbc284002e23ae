"""Gold annotation of Examples, put onto the tokens that the model sees.

What can't be aligned is masked and counted, never learned as a negative; what is not annotated is not learned at all.
"""

from collections import Counter
from typing import Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

import numpy
from spacy.attrs import ENT_IOB, ORTH
from spacy.tokens import Doc, Span
from spacy.training import Example

from ..relations import Mention, entity_mentions, mention_span, stored_relations
from .joint import TargetArrays
from .types import Array1d, Array2d

TokenSpan = Tuple[int, int, str]


class Aligned(NamedTuple):
    """The gold annotation of one Example on the tokens of its predicted Doc.

    entities: First token, end and label, by position, without doubles.
    known: Which tokens have entity annotation. Shape [n_tokens], bool.
    relations: Head and tail (indices into `entities`) and label; None where not annotated.
    lost: How many entities and relations could not be aligned, by reason.
    """

    entities: List[TokenSpan]
    known: Array1d
    relations: Optional[List[Tuple[int, int, str]]]
    lost: "Counter[str]"


class Given(NamedTuple):
    """The entities that a batch of Docs has already, where relations are looked for between them.

    rows: Window, first token and end (counted through all Docs) and label. Shape [n_entities, 4].
    unknown: The labels, sorted, of those left out because the model doesn't know the label.
    n_across: How many are left out because they reach across windows.
    """

    rows: Array2d
    unknown: List[str]
    n_across: int


def doc_windows(doc: Doc, window: str) -> List[Tuple[int, int]]:
    """The parts of a Doc that are read one by one.

    window (str): "sentence" for its sentences where their boundaries are set, "doc" for the whole Doc.
    RETURNS (List[Tuple[int, int]]): First token and end of each; none for an empty Doc.
    """
    if not len(doc):
        return []
    if window == "sentence" and doc.has_annotation("SENT_START"):
        return [(sentence.start, sentence.end) for sentence in doc.sents]
    return [(0, len(doc))]


def batch_windows(docs: Sequence[Doc], window: str) -> Array2d:
    """RETURNS (Array2d): Doc, first token and end of each window. Shape [n_windows, 3]."""
    rows = [(i, *bounds) for i, doc in enumerate(docs) for bounds in doc_windows(doc, window)]
    return numpy.asarray(rows, dtype="int64").reshape((-1, 3))


def align_example(example: Example, spans_key: str, windows: List[Tuple[int, int]]) -> Aligned:
    """Put the annotation of the reference onto the tokens of the predicted Doc.

    windows: Those of the predicted Doc. Relations across two of them can't be learned.
    """
    gold = example.reference
    known = _known_tokens(example, spans_key)
    lost: Counter[str] = Counter()
    places: Dict[Mention, TokenSpan] = {}
    for entity in entity_mentions(gold, spans_key):
        start, end, exact = _align(example, mention_span(gold, entity), entity)
        if not exact:
            known[start:end] = False
            lost["entities that cut a token"] += 1
        elif _window_of(windows, start) != _window_of(windows, end - 1):
            known[start:end] = False
            lost["entities across sentences"] += 1
        else:
            places[entity] = (start, end, entity.label)
            if not known[start:end].all() and not _annotated(gold):
                known[start:end] = True
    entities = sorted(set(places.values()))
    index = {entity: i for i, entity in enumerate(entities)}
    stored = stored_relations(gold)
    if stored is None:
        return Aligned(entities, known, None, lost)
    relations = []
    for relation in stored:
        head, tail = places.get(relation.head), places.get(relation.tail)
        if head is None or tail is None:
            lost["relations of such entities"] += 1
        elif head == tail:
            lost["relations of an entity with itself"] += 1
        elif _window_of(windows, head[0]) != _window_of(windows, tail[0]):
            lost["relations across sentences"] += 1
        else:
            relations.append((index[head], index[tail], relation.label))
    return Aligned(entities, known, relations, lost)


def make_targets(
    aligned: Sequence[Aligned],
    windows: Array2d,
    entity_labels: Dict[str, int],
    relation_labels: Dict[str, int],
    symmetric: Set[str],
) -> TargetArrays:
    """Put the annotation of a batch into arrays.

    aligned (Sequence[Aligned]): One for each Doc of the batch.
    windows (Array2d): Doc, first token and end of each window. Shape [n_windows, 3].
    entity_labels, relation_labels (Dict[str, int]): The index of each label.
    symmetric (Set[str]): Relation labels that hold in both directions.
    """
    entities: List[Tuple[int, int, int, int]] = []
    flat: List[bool] = []
    relations: List[Tuple[int, int, int]] = []
    both_ways: List[bool] = []
    offsets, starts = _batch_starts([len(item.known) for item in aligned], windows)
    for item, offset in zip(aligned, offsets):
        base = len(entities)
        chosen = _non_overlapping(item.entities)
        for entity in item.entities:
            start, end, label = entity
            window = int(numpy.searchsorted(starts, offset + start, side="right")) - 1
            entities.append((window, offset + start, offset + end, entity_labels[label]))
            flat.append(entity in chosen)
        for head, tail, label in item.relations or ():
            if label in symmetric:  # entities are in reading order
                head, tail = min(head, tail), max(head, tail)
            relations.append((base + head, base + tail, relation_labels[label]))
            both_ways.append(label in symmetric)
    annotated = numpy.asarray([item.relations is not None for item in aligned], dtype=bool)
    return TargetArrays(
        numpy.asarray(entities, dtype="int64").reshape((-1, 4)),
        numpy.asarray(flat, dtype=bool),
        numpy.concatenate([item.known for item in aligned]),
        numpy.asarray(relations, dtype="int64").reshape((-1, 3)),
        numpy.asarray(both_ways, dtype=bool),
        annotated[windows[:, 0]],
    )


def align_given(docs: Sequence[Doc], windows: Array2d, entity_labels: Dict[str, int]) -> Given:
    """Put the entities of doc.ents into arrays: those with a known label that lie in one window.

    docs (Sequence[Doc]): The batch.
    windows (Array2d): Doc, first token and end of each window. Shape [n_windows, 3].
    entity_labels (Dict[str, int]): The index of each label.
    RETURNS (Given): Them, and what was left out.
    """
    rows: List[Tuple[int, int, int, int]] = []
    unknown: Set[str] = set()
    n_across = 0
    offsets, starts = _batch_starts([len(doc) for doc in docs], windows)
    for doc, offset in zip(docs, offsets):
        for span in doc.ents:
            if span.label_ not in entity_labels:
                unknown.add(span.label_)
                continue
            start, end = offset + span.start, offset + span.end
            window = int(numpy.searchsorted(starts, start, side="right")) - 1
            if end <= starts[window] + windows[window, 2] - windows[window, 1]:
                rows.append((window, start, end, entity_labels[span.label_]))
            else:
                n_across += 1
    return Given(numpy.asarray(rows, dtype="int64").reshape((-1, 4)), sorted(unknown), n_across)


def _batch_starts(sizes: List[int], windows: Array2d) -> Tuple[List[int], Array1d]:
    """RETURNS: Where each Doc [n_docs] and each window [n_windows] starts, counted through all Docs."""
    offsets = numpy.cumsum(sizes) - sizes
    return offsets.tolist(), offsets[windows[:, 0]] + windows[:, 1]


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


def _known_tokens(example: Example, spans_key: str) -> Array1d:
    """Tokens whose reference tokens all say whether they are in an entity. RETURNS: [n_tokens], bool."""
    gold, doc = example.reference, example.predicted
    if spans_key in gold.spans:
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


def _same_tokens(example: Example) -> bool:
    gold, doc = example.reference, example.predicted
    return len(gold) == len(doc) and bool((gold.to_array(ORTH) == doc.to_array(ORTH)).all())


def _align(example: Example, span: Span, entity: Mention) -> Tuple[int, int, bool]:
    """RETURNS: First token and end in the predicted Doc, and whether they cover exactly the entity."""
    exact = span.start_char == entity.start and span.end_char == entity.end
    if _same_tokens(example):
        return span.start, span.end, exact
    tokens = example.alignment.y2x[span.start : span.end]
    if not len(tokens):
        return 0, 0, False
    start, end = int(tokens.min()), int(tokens.max()) + 1
    there = example.predicted[start:end].text.split()
    return start, end, exact and "".join(there) == "".join(span.text.split())


def _window_of(windows: List[Tuple[int, int]], token: int) -> int:
    return next(i for i, (start, end) in enumerate(windows) if start <= token < end)
