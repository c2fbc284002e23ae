"""What `doc.user_data` keeps of relations and of predicted entities.

The key has the form of an attribute of a span, `("._.", name, first character, end)`, here of the
whole text. spaCy moves such keys along when it takes a part of a Doc (`Span.as_doc` with
`copy_user_data=True`) or joins Docs (`Doc.from_docs`): the key then tells by how much. Checksums
tell whether the data belongs to the text that it is found with. Data of another text is never read.
"""

import warnings
from typing import Any, Dict, Iterable, List, NamedTuple, NoReturn, Optional, Tuple, cast
from zlib import crc32

from spacy.tokens import Doc, Span

from ..errors import Errors, Warnings

KEY = ("._.", "spacy_jere")
# Lists of relations without a check, as they were kept before there was one
UNCHECKED_KEY = "spacy_jere.relations"


class Mention(NamedTuple):
    """One end of a relation: characters `start` to `end` (exclusive) of the text, and an entity
    label."""

    start: int
    end: int
    label: str


class StoredRelation(NamedTuple):
    """A relation as plain data. `score` is None for annotations."""

    head: Mention
    tail: Mention
    label: str
    score: Optional[float]


class RelationRow(NamedTuple):
    """A relation as it is kept.

    source: The component that predicted it; None for an annotation.
    own_labels: 1 if the head keeps its label although doc.ents says otherwise, 2 if the tail does.
    check: The checksum of the text from the first end to the second; None without a check.
    """

    head: Mention
    tail: Mention
    label: str
    score: Optional[float]
    source: Optional[str]
    own_labels: int
    check: Optional[int]

    @property
    def stretch(self) -> Tuple[int, int]:
        """The characters from the first end to the second, both included."""
        return min(self.head.start, self.tail.start), max(self.head.end, self.tail.end)

    def moved(self, offset: int) -> "RelationRow":
        """RETURNS (RelationRow): The same relation in a text that begins elsewhere."""
        return self._replace(head=_moved(self.head, offset), tail=_moved(self.tail, offset))


class EntityRow(NamedTuple):
    """A predicted entity as it is kept. The fields are those of a `Mention` and a `RelationRow`."""

    start: int
    end: int
    label: str
    score: float
    source: str
    check: int

    @property
    def mention(self) -> Mention:
        return Mention(self.start, self.end, self.label)

    @property
    def stretch(self) -> Tuple[int, int]:
        return self.start, self.end

    def moved(self, offset: int) -> "EntityRow":
        """RETURNS (EntityRow): The same entity in a text that begins elsewhere."""
        return self._replace(start=self.start + offset, end=self.end + offset)


class Record(NamedTuple):
    """What is kept of one Doc.

    relations: None where not annotated.
    entities: The entities that components predicted.
    """

    relations: Optional[List[RelationRow]]
    entities: List[EntityRow]


# Relations


def stored_relations(doc: Doc) -> Optional[List[StoredRelation]]:
    """Read the relations of a Doc as plain data. An end takes the label that its words have in
    doc.ents, unless it was set with another label than doc.ents had then.

    RETURNS (Optional[List[StoredRelation]]): None where not annotated.
    """
    rows = read_record(doc).relations
    return None if rows is None else [_labelled(doc, row) for row in rows]


def annotated_relations(doc: Doc) -> Optional[List[StoredRelation]]:
    """Read the relations that are annotation: all that were set, and the predicted ones whose two
    ends are still in doc.ents. Whoever corrects doc.ents takes the relations of what is removed
    away too.

    RETURNS (Optional[List[StoredRelation]]): None where not annotated.
    """
    rows = read_record(doc).relations
    if rows is None:
        return None
    return [
        _labelled(doc, row)
        for row in rows
        if row.source is None
        or all(entity_at(doc, x.start, x.end) is not None for x in (row.head, row.tail))
    ]


def store_relations(doc: Doc, relations: Iterable[StoredRelation]) -> None:
    """Set relations that are known to be sound, without checks. They are annotation, and replace
    all that is there."""
    rows = [_row(doc, relation, None) for relation in relations]
    text = doc.text
    _write_record(doc, Record(rows, _read_for_change(doc, text).entities), text)


def remove_relations(doc: Doc) -> None:
    """Make a Doc not annotated. Its entities stay."""
    text = doc.text
    _write_record(doc, Record(None, _read_for_change(doc, text).entities), text)


def store_predictions(
    doc: Doc,
    source: str,
    entities: Iterable[Tuple[Mention, float]],
    relations: Iterable[StoredRelation],
) -> None:
    """Keep what a component predicted. What it predicted before is replaced; what others predicted
    or somebody set is kept, and not doubled.

    source (str): The component.
    """
    text = doc.text
    old = _read_for_change(doc, text)
    kept = [row for row in old.relations or () if row.source != source]
    known = {row[:3] for row in kept}
    new = (_row(doc, relation, source) for relation in relations)
    rows = [row for row in old.entities if row.source != source]
    for found, score in entities:
        rows.append(EntityRow(*found, score, source, checksum(text[found.start : found.end])))
    _write_record(doc, Record(kept + [row for row in new if row[:3] not in known], rows), text)


# Spans


def mention(span: Span) -> Mention:
    """RETURNS (Mention): The characters and label of a span."""
    return Mention(span.start_char, span.end_char, span.label_)


def entity_at(doc: Doc, start: int, end: int) -> Optional[Span]:
    """RETURNS (Optional[Span]): The entity of doc.ents with exactly these characters, ids
    included; None if there is none."""
    span = doc.char_span(start, end)
    if span is None or not len(span):
        return None
    first = doc[span.start]
    if first.ent_iob != 3 or not first.ent_type:
        return None
    if any(doc[i].ent_iob != 1 for i in range(span.start + 1, span.end)):
        return None
    if span.end < len(doc) and doc[span.end].ent_iob == 1:
        return None
    kb_id, span_id = first.ent_kb_id, first.ent_id
    return Span(doc, span.start, span.end, first.ent_type, kb_id=kb_id, span_id=span_id)


def mention_span(doc: Doc, end: Mention) -> Span:
    """RETURNS (Span): The entity of doc.ents with these characters and label; else the tokens of
    the mention, with its label.
    RAISES (ValueError): The mention lies outside the text.
    """
    entity = entity_at(doc, end.start, end.end)
    if entity is not None and entity.label_ == end.label:
        return entity
    # Merging tokens may have left the end inside a larger token: then that token is its span.
    span = doc.char_span(end.start, end.end, label=end.label, alignment_mode="expand")
    if span is None:
        places = {"start": end.start, "stop": end.end, "length": len(doc.text)}
        raise ValueError(Errors.E102.format(end="end", label=end.label, **places))
    return span


# Records


def checksum(text: str) -> int:
    """RETURNS (int): A number that tells texts apart."""
    return crc32(text.encode("utf8", "surrogatepass"))


def read_record(doc: Doc) -> Record:
    """Read what is kept of a Doc. Data of another text is left alone, with a warning.

    RAISES (ValueError): The data is damaged.
    """
    return _read_record(doc, doc.text) if doc.user_data else Record(None, [])


def _read_record(doc: Doc, text: str) -> Record:
    record = _parse_record(doc, text)
    if record is None:
        warnings.warn(Warnings.W120.format(text=_excerpt(text)), stacklevel=5)
        return Record(None, [])
    return record


def _parse_record(doc: Doc, text: str) -> Optional[Record]:
    """RETURNS: None for data of another text."""
    try:
        whole = user_data(doc).get((*KEY, 0, len(text)))
        if whole is None:
            return _read_moved(doc, text)
        return _parsed(whole) if whole["text"] == checksum(text) else None
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise ValueError(Errors.E122.format(reason=f"{type(error).__name__}: {error}")) from None


def write_record(doc: Doc, record: Record) -> None:
    """Keep a record, in place of what is there."""
    _write_record(doc, record, doc.text)


def _write_record(doc: Doc, record: Record, text: str) -> None:
    remove_records(doc)
    relations = record.relations
    if relations is None and not record.entities:
        return
    user_data(doc)[(*KEY, 0, len(text))] = {
        "text": checksum(text),
        "relations": None if relations is None else [_plain(row, text) for row in relations],
        "entities": [list(row) for row in record.entities],
    }


def remove_records(doc: Doc) -> Dict[Any, Any]:
    """RETURNS (Dict[Any, Any]): What was kept, by key of `doc.user_data`."""
    kept = user_data(doc)
    return {key: kept.pop(key) for key in list(kept) if key == UNCHECKED_KEY or _is_ours(key)}


def user_data(doc: Doc) -> Dict[Any, Any]:
    """RETURNS (Dict[Any, Any]): `doc.user_data`, whose keys are not only strings."""
    return cast(Dict[Any, Any], doc.user_data)


def _is_ours(key: Any) -> bool:
    return isinstance(key, tuple) and len(key) == 4 and key[:2] == KEY


def _read_for_change(doc: Doc, text: str) -> Record:
    """What is damaged or of another text is overwritten."""
    try:
        record = _parse_record(doc, text)
    except ValueError:
        record = None
    return Record(None, []) if record is None else record


def _read_moved(doc: Doc, text: str) -> Optional[Record]:
    """Read what spaCy has moved, or what has no check. RETURNS: None for data of another text."""
    parts = {key[2:]: value for key, value in user_data(doc).items() if _is_ours(key)}
    if not parts:
        return _read_unchecked(doc, text)
    relations: Optional[List[RelationRow]] = []
    entities: List[EntityRow] = []
    moved, covered = False, 0
    for start, end in sorted(parts):
        part = _parsed(parts[start, end])
        rows = [row.moved(start) for row in (*(part.relations or ()), *part.entities)]
        inside = [row for row in rows if row.stretch[0] >= 0 and row.stretch[1] <= len(text)]
        if any(row.check != checksum(text[slice(*row.stretch)]) for row in inside):
            return None
        moved = moved or start != 0 or bool(inside)
        entities += [row for row in inside if isinstance(row, EntityRow)]
        gap = text[covered : max(start, covered)].strip()
        covered = max(covered, end)
        if part.relations is None or gap or relations is None:
            relations = None  # joined with something that isn't annotated
        else:
            relations += [row for row in inside if isinstance(row, RelationRow)]
    if not moved:
        return None  # nothing shows that it belongs to this text
    return Record(None if text[covered:].strip() else relations, entities)


def _read_unchecked(doc: Doc, text: str) -> Optional[Record]:
    kept = doc.user_data.get(UNCHECKED_KEY)
    if kept is None:
        return Record(None, [])
    rows = [_relation_row([*row, None, 3, None]) for row in kept]
    fits = all(0 <= x.start < x.end <= len(text) for row in rows for x in (row.head, row.tail))
    return Record(rows, []) if fits else None


# Rows


def _row(doc: Doc, relation: StoredRelation, source: Optional[str]) -> RelationRow:
    own_labels = 0
    for bit, end in ((1, relation.head), (2, relation.tail)):
        entity = entity_at(doc, end.start, end.end)
        if entity is not None and entity.label_ != end.label:
            own_labels |= bit
    return RelationRow(*relation, source, own_labels, None)


def _labelled(doc: Doc, row: RelationRow) -> StoredRelation:
    ends = []
    for bit, end in ((1, row.head), (2, row.tail)):
        entity = None if row.own_labels & bit else entity_at(doc, end.start, end.end)
        ends.append(end if entity is None else end._replace(label=entity.label_))
    return StoredRelation(ends[0], ends[1], row.label, row.score)


def _moved(end: Mention, offset: int) -> Mention:
    return end._replace(start=end.start + offset, end=end.end + offset)


def _plain(row: RelationRow, text: str) -> List[Any]:
    check = checksum(text[slice(*row.stretch)]) if row.check is None else row.check
    return [list(row.head), list(row.tail), *row[2:-1], check]


def _parsed(value: Any) -> Record:
    relations = value["relations"]
    return Record(
        None if relations is None else [_relation_row(x) for x in relations],
        [_checked(EntityRow(*x)) for x in value["entities"]],
    )


def _relation_row(values: Any) -> RelationRow:
    head, tail, *others = values
    return _checked(RelationRow(Mention(*head), Mention(*tail), *others))


def _checked(row: Any) -> Any:
    """RAISES (TypeError): A field of another type."""
    mentions = (row.head, row.tail) if isinstance(row, RelationRow) else (row,)
    if not isinstance(row.label, str) or not isinstance(row.score, (int, float, type(None))):
        _fail(row)
    for x in mentions:
        if not (type(x.start) is type(x.end) is int and isinstance(x.label, str)):
            _fail(row)
    return row


def _fail(row: Any) -> NoReturn:
    raise TypeError(f"{tuple(row)!r:.200}")


def _excerpt(text: str) -> str:
    return text if len(text) <= 60 else text[:59] + "…"
