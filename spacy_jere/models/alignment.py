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
    sizes = [len(item.known) for item in aligned]
    offsets = numpy.cumsum(sizes) - sizes
    starts = offsets[windows[:, 0]] + windows[:, 1]
    for item, offset in zip(aligned, offsets.tolist()):
        base = len(entities)
        chosen = _non_overlapping(item.entities)
        for entity in item.entities:
            start, end, label = entity
            window = int(numpy.searchsorted(starts, offset + start, side="right")) - 1
            entities.append((window, offset + start, offset + end, entity_labels[label]))
            flat.append(entity in chosen)
        for head, tail, label in item.relations or ():
            relations.append((base + head, base + tail, relation_labels[label]))
            if label in symmetric:
                relations.append((base + tail, base + head, relation_labels[label]))
    annotated = numpy.asarray([item.relations is not None for item in aligned], dtype=bool)
    return TargetArrays(
        numpy.asarray(entities, dtype="int64").reshape((-1, 4)),
        numpy.asarray(flat, dtype=bool),
        numpy.concatenate([item.known for item in aligned]),
        numpy.asarray(relations, dtype="int64").reshape((-1, 3)),
        annotated[windows[:, 0]],
    )


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
