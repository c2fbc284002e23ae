"""Scores to entities and relations: white space, thresholds, schema, symmetric labels, overlaps."""

from typing import Dict, List, Sequence, Set, Tuple

import numpy
from spacy.tokens import Doc

from ..models.types import Array1d, Array2d, Extraction, Proposals
from ..schema import Schema
from ..windows import white_space

ScoredEntity = Tuple[int, int, str, float]
ScoredRelation = Tuple[int, int, str, float]


def decode(
    proposals: Proposals,
    n_docs: int,
    *,
    entity_labels: Sequence[str],
    relation_labels: Sequence[str],
    ent_threshold: float,
    thresholds: Sequence[float],
    overlap: bool,
    schema: Schema,
) -> List[Extraction]:
    """Choose what to report of a batch.

    n_docs (int): How many Docs the batch has.
    ent_threshold (float): The least probability of an entity. Relations of others are left out too.
    thresholds (Sequence[float]): The least probability of a relation, for each relation label.
    overlap (bool): Keep entities that overlap; else the most probable ones and the relations
        between these.
    schema (Schema): Relations that it forbids are left out; of a symmetric label's two directions
        the more probable score is kept, with the entity that comes first as head.
    RETURNS (List[Extraction]): One for each Doc; entities by position, relations by head and tail.
    """
    columns = proposals.entities
    order = numpy.lexsort((columns[:, 3], columns[:, 2], columns[:, 1], columns[:, 0]))
    place = numpy.empty(len(order), dtype="int64")
    place[order] = numpy.arange(len(order))
    entities = columns[order]
    scores = proposals.entity_scores[order]
    pairs = place[proposals.pairs].reshape((-1, 2))

    found_entities: List[List[ScoredEntity]] = [[] for _ in range(n_docs)]
    first = numpy.searchsorted(entities[:, 0], numpy.arange(n_docs)).tolist()
    for (doc, start, end, label), score in zip(entities.tolist(), scores.tolist()):
        found_entities[doc].append((start, end, entity_labels[label], score))

    reached = proposals.relation_scores >= numpy.asarray(thresholds)
    rows, labels = numpy.nonzero(reached)
    values = proposals.relation_scores[rows, labels]
    ends = _in_reading_order(pairs[rows], labels, _symmetric(schema, relation_labels))
    allowed = _allowed(schema, entity_labels, relation_labels)
    keep = allowed[labels, entities[ends[:, 0], 3], entities[ends[:, 1], 3]]
    ends, labels, values = _most_probable(ends[keep], labels[keep], values[keep])
    found_relations: List[List[ScoredRelation]] = [[] for _ in range(n_docs)]
    for (head, tail), label, value in zip(ends.tolist(), labels.tolist(), values.tolist()):
        doc = int(entities[head, 0])
        relation = (head - first[doc], tail - first[doc], relation_labels[label], value)
        found_relations[doc].append(relation)
    return [
        _thinned(Extraction(*x), ent_threshold, overlap)
        for x in zip(found_entities, found_relations)
    ]


def trimmed(proposals: Proposals, docs: Sequence[Doc]) -> Proposals:
    """Let no entity begin or end with white space.

    docs (Sequence[Doc]): The Docs that the entities count in.
    RETURNS (Proposals): Entities without white space at their ends. Of those that become the same
        words, the one that had no white space is kept, else the most probable.
    """
    rows = proposals.entities
    places = rows[:, :3].copy()
    for i in numpy.unique(rows[:, 0]).tolist():
        inner = numpy.flatnonzero(~numpy.asarray(white_space(docs[i]), dtype=bool))
        if len(inner) == len(docs[i]):
            continue
        of_doc = rows[:, 0] == i
        first = numpy.searchsorted(inner, rows[of_doc, 1])
        last = numpy.searchsorted(inner, rows[of_doc, 2]) - 1
        words = first <= last
        bounds = numpy.zeros((len(words), 2), dtype="int64")  # white space only: empty
        bounds[words] = numpy.stack([inner[first[words]], inner[last[words]] + 1], 1)
        places[of_doc, 1:] = bounds
    changed = (places != rows[:, :3]).any(1)
    if not changed.any():
        return proposals
    entities = numpy.concatenate([places, rows[:, 3:]], 1)
    kept = _distinct(places, proposals.entity_scores, changed)
    return where(proposals._replace(entities=entities), kept)


def where(proposals: Proposals, kept: Array1d) -> Proposals:
    """RETURNS (Proposals): Some of the entities, and the pairs of these.

    kept: Which entities. [n_entities], bool.
    """
    if kept.all():
        return proposals
    place = numpy.cumsum(kept) - 1
    pairs = kept[proposals.pairs].all(1)
    return Proposals(
        proposals.entities[kept],
        proposals.entity_scores[kept],
        place[proposals.pairs[pairs]].reshape((-1, 2)),
        proposals.relation_scores[pairs],
    )


def without_overlaps(entities: Sequence[ScoredEntity]) -> List[ScoredEntity]:
    """RETURNS (List[ScoredEntity]): Those that doc.ents can hold, by position: of overlapping ones
    the most probable."""
    chosen: List[ScoredEntity] = []
    taken: Dict[int, None] = {}
    for entity in sorted(entities, key=lambda x: (-x[3], x[0] - x[1], x[0])):
        tokens = range(entity[0], entity[1])
        if not any(token in taken for token in tokens):
            chosen.append(entity)
            taken.update(dict.fromkeys(tokens))
    return sorted(chosen)


def _distinct(places: Array2d, scores: Array1d, changed: Array1d) -> Array1d:
    """RETURNS: Which entities to keep: those that were changed only where no other has their words.
    [n_entities], bool."""
    kept = numpy.ones(len(places), dtype=bool)
    seen: Set[Tuple[int, ...]] = set()
    for i in numpy.lexsort((-scores, changed)).tolist():
        place = tuple(places[i].tolist())
        kept[i] = place[1] < place[2] and not (changed[i] and place in seen)
        seen.add(place)
    return kept


def _thinned(found: Extraction, ent_threshold: float, overlap: bool) -> Extraction:
    entities = [entity for entity in found.entities if entity[3] >= ent_threshold]
    if not overlap:
        entities = without_overlaps(entities)
    if len(entities) == len(found.entities):
        return found
    index = {entity: i for i, entity in enumerate(entities)}
    place = [index.get(entity) for entity in found.entities]
    relations = [
        (head, tail, label, score)
        for head, tail, label, score in (
            (place[x[0]], place[x[1]], *x[2:]) for x in found.relations
        )
        if head is not None and tail is not None
    ]
    return Extraction(entities, relations)


def _allowed(
    schema: Schema, entity_labels: Sequence[str], relation_labels: Sequence[str]
) -> Array2d:
    """RETURNS: Whether a relation may join two entity labels. [n_relation_labels, n_labels,
    n_labels], bool."""
    n_labels = len(entity_labels)
    allowed = numpy.ones((len(relation_labels), n_labels, n_labels), dtype=bool)
    for i, label in enumerate(relation_labels):
        if label in schema:
            rule = schema[label]
            allowed[i] = [[rule.allows(x, y) for y in entity_labels] for x in entity_labels]
    return allowed


def _symmetric(schema: Schema, relation_labels: Sequence[str]) -> List[int]:
    return [i for i, x in enumerate(relation_labels) if x in schema and schema[x].symmetric]


def _in_reading_order(pairs: Array2d, labels: Array1d, symmetric: List[int]) -> Array2d:
    """RETURNS: Head and tail of each relation, for symmetric labels the one that comes first as
    head. [n_relations, 2]."""
    turned = numpy.isin(labels, symmetric) & (pairs[:, 0] > pairs[:, 1])
    return numpy.where(turned[:, None], pairs[:, ::-1], pairs)


def _most_probable(
    ends: Array2d, labels: Array1d, scores: Array1d
) -> Tuple[Array2d, Array1d, Array1d]:
    """RETURNS: Each relation once, by head, tail and label, with the higher score of both
    directions where the label is symmetric."""
    order = numpy.lexsort((-scores, labels, ends[:, 1], ends[:, 0]))
    keys = numpy.column_stack([ends, labels])[order]
    new = numpy.ones(len(keys), dtype=bool)
    new[1:] = (keys[1:] != keys[:-1]).any(1)
    order = order[new]
    return ends[order], labels[order], scores[order]
