"""What a Doc says of its entities before the component reads it, and how it is respected.

As spaCy's `ner` does: entities that are there already are kept and predicted around, and no
entity covers a blocked token (`doc.set_ents(..., blocked=...)`). What the same component predicted
before is no preset, so that it can be run again.
"""

from typing import Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

import numpy
from spacy.attrs import ENT_IOB, ENT_TYPE
from spacy.tokens import Doc, Span

from ..models.types import Array1d, Entities, Extraction, Proposals
from ..relations import StoredRelation, mention
from ..relations.entities import (
    DEFAULT_SPANS_KEY,
    Scores,
    entity_scores,
    overlap,
    write_group,
)
from ..relations.store import read_record, store_predictions
from ..windows import window_of
from .decoding import ScoredEntity, where, without_overlaps
from .targets import BatchWindows, as_entities

TokenSpan = Tuple[int, int, str]


class Presets(NamedTuple):
    """The presets of one Doc.

    entities: First token, end and label of the entities that stay.
    taken: The tokens that no new entity may cover, those of blocked ones included. [n_tokens],
        bool; None where all are free.
    """

    entities: List[TokenSpan]
    taken: Optional[Array1d]

    def cover(self, start: int, end: int) -> bool:
        """RETURNS (bool): Whether one of the tokens `start` to `end` is taken."""
        return self.taken is not None and bool(self.taken[start:end].any())


def find_presets(doc: Doc, source: str) -> Presets:
    """Read the presets of a Doc.

    source (str): The component that is going to predict.
    """
    iob, types = doc.to_array([ENT_IOB, ENT_TYPE]).reshape((-1, 2)).T
    if not (iob == 3).any():
        return Presets([], None)
    own = {row.mention for row in read_record(doc).entities if row.source == source}
    entities = [(x.start, x.end, x.label_) for x in doc.ents if mention(x) not in own]
    taken = (iob == 3) & (types == 0)
    for start, end, _ in entities:
        taken[start:end] = True
    return Presets(entities, taken if taken.any() else None)


def around(proposals: Proposals, presets: Sequence[Presets]) -> Proposals:
    """RETURNS (Proposals): Those whose entities cover no token that is taken."""
    if all(x.taken is None for x in presets):
        return proposals
    free = [
        not presets[doc].cover(start, end) for doc, start, end, _ in proposals.entities.tolist()
    ]
    return where(proposals, numpy.asarray(free, dtype=bool))


def to_relate(
    proposals: Proposals,
    presets: Sequence[Presets],
    docs: Sequence[int],
    windows: BatchWindows,
    labels: Dict[str, int],
) -> Tuple[Entities, Dict[Tuple[int, ...], float]]:
    """Put found entities and presets together, for Docs in which both are to be related.

    docs (Sequence[int]): The Docs, as numbers of `proposals`.
    windows (BatchWindows): Those of these Docs.
    labels (Dict[str, int]): The index of each entity label; presets with another are left out.
    RETURNS (Tuple[Entities, Dict[Tuple[int, ...], float]]): The entities; the score of each found
        one, by Doc (as a number of `docs`), first token, end and label.
    """
    place = {doc: i for i, doc in enumerate(docs)}
    scores = {
        (place[doc], *entity): score
        for (doc, *entity), score in zip(
            proposals.entities.tolist(), proposals.entity_scores.tolist()
        )
        if doc in place
    }
    known = {
        (i, start, end, labels[label])
        for i, doc in enumerate(docs)
        for start, end, label in presets[doc].entities
        if label in labels
    }
    rows = []
    for doc, start, end, label in known | set(scores):
        offset = windows.doc_starts[doc]
        window = window_of(windows.starts, offset + start)
        if window == window_of(windows.starts, offset + end - 1):
            rows.append((window, offset + start, offset + end, label))
    return as_entities(sorted(rows)), scores


def joined(
    proposals: Proposals,
    again: Proposals,
    docs: Sequence[int],
    scores: Dict[Tuple[int, ...], float],
) -> Proposals:
    """Replace the proposals of some Docs by those that were made with presets.

    again (Proposals): The new ones; its Docs are counted in `docs`.
    scores: Those of found entities, by row of `again`; presets have 1.
    """
    others = where(proposals, ~numpy.isin(proposals.entities[:, 0], docs))
    entities = again.entities.copy()
    entities[:, 0] = numpy.asarray(docs, dtype="int64")[entities[:, 0]]
    new_scores = [scores.get(tuple(row), 1.0) for row in again.entities.tolist()]
    return Proposals(
        numpy.concatenate([others.entities, entities]),
        numpy.concatenate([others.entity_scores, numpy.asarray(new_scores, dtype="f")]),
        numpy.concatenate([others.pairs, again.pairs + len(others.entities)]),
        numpy.concatenate([others.relation_scores, again.relation_scores]),
    )


def annotate(
    doc: Doc, found: Extraction, source: str, *, spans_key: Optional[str], given_entities: bool
) -> None:
    """Write what a component found, beside what is there.

    source (str): The component. What it found before is replaced.
    spans_key (Optional[str]): The key of the span group: None writes none, and the default only
        where entities overlap.
    given_entities (bool): Whether the entities are those of doc.ents, which stay.
    """
    presets = find_presets(doc, source)
    kept = set(presets.entities)
    new = [] if given_entities else [x for x in found.entities if x[:3] not in kept]
    if not given_entities:
        _set_ents(doc, without_overlaps(new), presets)
    ends = [mention(Span(doc, *entity[:3])) for entity in found.entities]
    own = [mention(Span(doc, *entity[:3])) for entity in new]
    relations = [
        StoredRelation(ends[head], ends[tail], label, score)
        for head, tail, label, score in found.relations
    ]
    store_predictions(doc, source, zip(own, (entity[3] for entity in new)), relations)
    if spans_key is not None:
        _set_group(doc, spans_key, {x: entity[3] for x, entity in zip(ends, found.entities)})


def _set_group(doc: Doc, spans_key: str, found: Scores) -> None:
    """Write the entities of all components as a span group, where it is wanted."""
    always = spans_key != DEFAULT_SPANS_KEY
    if always or spans_key in doc.spans or overlap(found):
        together = {**entity_scores(doc, None), **found}
        write_group(doc, spans_key, together if always or overlap(together) else {})


def _set_ents(doc: Doc, entities: Sequence[ScoredEntity], presets: Presets) -> None:
    spans = [Span(doc, *entity[:3]) for entity in entities]
    if presets.taken is None:
        doc.set_ents(spans)
        return
    covered: Set[int] = {i for span in spans for i in range(span.start, span.end)}
    free = [i for i in numpy.flatnonzero(~presets.taken).tolist() if i not in covered]
    outside = [Span(doc, i, i + 1) for i in free]
    doc.set_ents(spans, outside=outside, default="unmodified")
