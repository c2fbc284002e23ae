"""Labels renamed or dropped on the way in: `--map-labels old=new,unwanted=`."""

import re
from collections import Counter
from typing import Callable, Dict, Iterable, List, Mapping, Optional, Set

from spacy.tokens import Doc, Span

from ..errors import Errors
from ..relations import (
    DEFAULT_SPANS_KEY,
    Mention,
    StoredRelation,
    store_relations,
    stored_relations,
)
from ._faults import OptionError
from .record import Record, RecordEntity, RecordRelation, Records

_OF_DROPPED = "relations of dropped entities"
# A backslash before a separator makes it a part of the label.
_PARTS = re.compile(r"\\([\\,=])|([,=])")


def parse_label_map(assignments: Iterable[str]) -> Dict[str, str]:
    """Parse what a command was given.

    assignments (Iterable[str]): Each one or several `old=new`, separated by commas. In labels,
        commas, equals signs and backslashes have a backslash before them.
    RETURNS (Dict[str, str]): The new label of each old one; empty for labels to drop.
    RAISES (OptionError): Something else.
    """
    labels: Dict[str, str] = {}
    for assignment in assignments:
        for pair in _split(assignment):
            if len(pair) != 2 or not pair[0]:
                raise OptionError(Errors.E361.format(value=assignment))
            old, new = pair
            if labels.setdefault(old, new) != new:
                raise OptionError(Errors.E362.format(label=old, first=labels[old], second=new))
    return labels


def map_records(records: Records, labels: Mapping[str, str]) -> Set[str]:
    """Rename or drop the labels of entities and relations. What is dropped is counted.

    labels (Mapping[str, str]): The new label of each old one. Empty: entities and relations of the
        old label are dropped, and the relations of these entities with them.
    RETURNS (Set[str]): The old labels that were found.
    """
    new_label = _Mapper(labels)
    for record in records:
        _map_record(record, new_label, records.skipped)
    return new_label.used


def map_docs(
    docs: Iterable[Doc],
    labels: Mapping[str, str],
    skipped: "Counter[str]",
    spans_keys: Iterable[str] = (DEFAULT_SPANS_KEY,),
) -> Set[str]:
    """Rename or drop the labels of entities and relations on Docs, as `map_records` does.

    spans_keys (Iterable[str]): The keys of `doc.spans` that hold entities beside doc.ents.
    """
    spans_keys = list(spans_keys)
    new_label = _Mapper(labels)
    for doc in docs:
        # Before the entities change: the ends of relations take their labels from doc.ents.
        relations = stored_relations(doc)
        _map_entities(doc, new_label, skipped, [key for key in spans_keys if key in doc.spans])
        if relations is not None:
            _map_stored(doc, relations, new_label, skipped)
    return new_label.used


def unused_labels(labels: Iterable[str], used: Set[str]) -> List[str]:
    """RETURNS (List[str]): A note for each label to map that was nowhere found."""
    unused = [label for label in labels if label not in used]
    return [f"no entity or relation has the label {x!r} that is to be mapped" for x in unused]


class _Mapper:
    """used (Set[str]): The old labels that were found."""

    def __init__(self, labels: Mapping[str, str]):
        self._labels = labels
        self.used: Set[str] = set()

    def __call__(self, label: str) -> str:
        """RETURNS (str): The new label; empty if the old one is dropped."""
        if label in self._labels:
            self.used.add(label)
        return self._labels.get(label, label)


def _split(assignment: str) -> List[List[str]]:
    pairs: List[List[str]] = [[""]]
    position = 0
    for match in _PARTS.finditer(assignment):
        pairs[-1][-1] += assignment[position : match.start()] + (match[1] or "")
        position = match.end()
        if match[2] == ",":
            pairs.append([""])
        elif match[2] == "=":
            pairs[-1].append("")
    pairs[-1][-1] += assignment[position:]
    return [pair for pair in pairs if pair != [""]]


def _map_record(record: Record, new_label: _Mapper, skipped: "Counter[str]") -> None:
    places: Dict[int, int] = {}
    entities: List[RecordEntity] = []
    for i, entity in enumerate(record.entities):
        label = new_label(entity.label)
        if label:
            places[i] = len(entities)
            entities.append(entity._replace(label=label))
        else:
            skipped[_entities_of(entity.label)] += 1
    record.entities = entities
    if record.relations is not None:
        _map_relations(record, new_label, places, skipped)


def _map_relations(
    record: Record, new_label: Callable[[str], str], places: Dict[int, int], skipped: "Counter[str]"
) -> None:
    arguments = record.meta.get("arguments")
    relations, names = [], []
    for i, (head, tail, label) in enumerate(record.relations or ()):
        renamed = new_label(label)
        if not renamed:
            skipped[_relations_of(label)] += 1
        elif head not in places or tail not in places:
            skipped[_OF_DROPPED] += 1
        else:
            relations.append(RecordRelation(places[head], places[tail], renamed))
            names += arguments[i : i + 1] if isinstance(arguments, list) else []
    record.relations = relations
    if isinstance(arguments, list):
        record.meta["arguments"] = names


def _map_entities(
    doc: Doc, new_label: _Mapper, skipped: "Counter[str]", spans_keys: List[str]
) -> None:
    spans = [*doc.ents, *(span for key in spans_keys for span in doc.spans[key])]
    for label in [label for _, _, label in {(x.start, x.end, x.label_) for x in spans}]:
        if not new_label(label):
            skipped[_entities_of(label)] += 1
    if doc.ents:
        outside = [x for x in doc.ents if not new_label(x.label_)]
        doc.set_ents(_renamed(doc.ents, new_label), outside=outside, default="unmodified")
    for key in spans_keys:
        doc.spans[key] = _renamed(doc.spans[key], new_label)


def _map_stored(
    doc: Doc, relations: List[StoredRelation], new_label: _Mapper, skipped: "Counter[str]"
) -> None:
    kept = []
    for relation in relations:
        label = new_label(relation.label)
        head, tail = (_renamed_end(end, new_label) for end in relation[:2])
        if not label:
            skipped[_relations_of(relation.label)] += 1
        elif head is None or tail is None:
            skipped[_OF_DROPPED] += 1
        else:
            kept.append(relation._replace(head=head, tail=tail, label=label))
    store_relations(doc, kept)


def _renamed(spans: Iterable[Span], new_label: _Mapper) -> List[Span]:
    renamed = [(span, new_label(span.label_)) for span in spans]
    return [
        Span(x.doc, x.start, x.end, label, kb_id=x.kb_id_, span_id=x.id_)
        for x, label in renamed
        if label
    ]


def _renamed_end(end: Mention, new_label: _Mapper) -> Optional[Mention]:
    label = new_label(end.label)
    return end._replace(label=label) if label else None


def _entities_of(label: str) -> str:
    return f"entities labelled '{label}'"


def _relations_of(label: str) -> str:
    return f"relations labelled '{label}'"
