"""Relations between entities, kept on a Doc.

`doc._.relations` reads and writes plain data in `doc.user_data`, so that relations survive
everything a Doc goes through: bytes, `DocBin`, pickling, several processes, retokenization. None
means *not annotated*. An empty tuple means *annotated, no relations*.
"""

from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Tuple, Union

from spacy.tokens import Doc, Span

from .errors import Errors

EXTENSION = "relations"
USER_DATA_KEY = "spacy_jere.relations"
# Of doc.spans, where all entities stand, overlapping ones included
DEFAULT_SPANS_KEY = "joint_ner_re"


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


class Relation:
    """A relation of a Doc, made when it is read.

    doc (Doc): The Doc it belongs to.
    stored (StoredRelation): Its data.
    """

    __slots__ = ("doc", "stored")

    def __init__(self, doc: Doc, stored: StoredRelation):
        self.doc = doc
        self.stored = stored

    @property
    def head(self) -> Span:
        """The span the relation starts from, with its entity label."""
        return mention_span(self.doc, self.stored.head)

    @property
    def tail(self) -> Span:
        """The span the relation points to, with its entity label."""
        return mention_span(self.doc, self.stored.tail)

    @property
    def label_(self) -> str:
        """The relation label."""
        return self.stored.label

    @property
    def score(self) -> Optional[float]:
        """Probability between 0 and 1; None for an annotation."""
        return self.stored.score

    def to_dict(self) -> Dict[str, Any]:
        """RETURNS (Dict[str, Any]): Plain data that `doc._.relations` takes back; offsets in
        characters."""
        return {
            "head": self.stored.head._asdict(),
            "tail": self.stored.tail._asdict(),
            "label": self.stored.label,
            "score": self.stored.score,
        }

    toDict = (
        to_dict  # the name srsly looks for, so that doc.to_json(underscore=["relations"]) works
    )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Relation):
            return NotImplemented
        return self.doc is other.doc and self.stored == other.stored

    def __hash__(self) -> int:
        return hash((id(self.doc), self.stored))

    def __repr__(self) -> str:
        score = "" if self.score is None else f" {self.score:.2f}"
        head, tail = (f"({span.text} [{span.label_}])" for span in (self.head, self.tail))
        return f"{head}-{self.label_}{score}->{tail}"

    def __reduce__(self) -> Tuple[Any, ...]:
        return (Relation, (self.doc, self.stored))


RelationLike = Union[Relation, StoredRelation, Dict[str, Any], Tuple[Any, ...], List[Any]]


def get_relations(doc: Doc) -> Optional[Tuple[Relation, ...]]:
    """The getter of `doc._.relations`. Never writes.

    RETURNS (Optional[Tuple[Relation, ...]]): The relations in the order they were set, or None
        where the Doc is not annotated.
    """
    stored = stored_relations(doc)
    return None if stored is None else tuple(Relation(doc, relation) for relation in stored)


def set_relations(doc: Doc, relations: Optional[Iterable[RelationLike]]) -> None:
    """The setter of `doc._.relations`.

    relations (Optional[Iterable[RelationLike]]): Relation views, tuples (head, tail, label[,
        score]) or dicts with these keys; None says "not annotated". Of doubles the first is kept.
    RAISES (ValueError): Something else, or an end outside the text or of another Doc. The Doc is
        unchanged.
    """
    if relations is None:
        doc.user_data.pop(USER_DATA_KEY, None)
        return
    if isinstance(relations, (str, bytes, dict)) or not hasattr(relations, "__iter__"):
        raise ValueError(Errors.E104.format(type=type(relations).__name__))
    unique: Dict[Tuple[Any, ...], StoredRelation] = {}
    for relation in relations:
        stored = _as_stored(doc, relation)
        unique.setdefault(stored[:3], stored)
    store_relations(doc, unique.values())


def stored_relations(doc: Doc) -> Optional[List[StoredRelation]]:
    """RETURNS (Optional[List[StoredRelation]]): The relations as plain data, None where not
    annotated."""
    rows = doc.user_data.get(USER_DATA_KEY)
    if rows is None:
        return None
    return [
        StoredRelation(Mention(*head), Mention(*tail), label, score)
        for head, tail, label, score in rows
    ]


def store_relations(doc: Doc, relations: Iterable[StoredRelation]) -> None:
    """Set relations that are known to be sound, without checks."""
    doc.user_data[USER_DATA_KEY] = [
        [list(relation.head), list(relation.tail), relation.label, relation.score]
        for relation in relations
    ]


def mention(span: Span) -> Mention:
    """RETURNS (Mention): The characters and label of a span."""
    return Mention(span.start_char, span.end_char, span.label_)


def entity_mentions(doc: Doc, spans_key: str) -> List[Mention]:
    """RETURNS (List[Mention]): All entities of a Doc by position: doc.ents, the span group, ends of
    relations."""
    found = {mention(span) for span in (*doc.ents, *doc.spans.get(spans_key, ()))}
    for relation in stored_relations(doc) or ():
        found |= {relation.head, relation.tail}
    return sorted(found)


def from_docs(docs: List[Doc], **options: Any) -> Optional[Doc]:
    """`Doc.from_docs` that keeps relations.

    docs (List[Doc]): The Docs to join. Those that aren't annotated make the whole not annotated.
    options: Passed on to `Doc.from_docs`.
    RETURNS (Optional[Doc]): The joined Doc; None for an empty list, as in spaCy.
    """
    # Doc.from_docs warns about user data that it can't join, which relations are: it gets none to
    # see.
    kept = [doc.user_data.get(USER_DATA_KEY) for doc in docs]
    for doc in docs:
        doc.user_data.pop(USER_DATA_KEY, None)
    try:
        joined = Doc.from_docs(docs, **options)
    finally:
        for doc, rows in zip(docs, kept):
            if rows is not None:
                doc.user_data[USER_DATA_KEY] = rows
    if joined is None or any(rows is None for rows in kept):
        return joined
    moved: List[StoredRelation] = []
    first_token = 0
    for doc in docs:
        if not len(doc):
            continue
        offset = joined[first_token].idx - doc[0].idx
        moved.extend(_shifted(relation, offset) for relation in stored_relations(doc) or ())
        first_token += len(doc)
    store_relations(joined, moved)
    return joined


def as_doc(span: Span, **options: Any) -> Doc:
    """`Span.as_doc` that keeps the relations whose two ends lie in the span.

    options: Passed on to `Span.as_doc`.
    """
    doc = span.as_doc(**options)
    doc.has_unknown_spaces = span.doc.has_unknown_spaces  # Span.as_doc forgets it
    relations = stored_relations(span.doc)
    if relations is not None:
        start, end = span.start_char, span.end_char
        inside = [
            _shifted(relation, -start)
            for relation in relations
            if all(start <= x.start and x.end <= end for x in (relation.head, relation.tail))
        ]
        store_relations(doc, inside)
    return doc


def install_extension() -> None:
    """Register `doc._.relations`. Calling it again does nothing.

    RAISES (ValueError): The name is taken by something else.
    """
    if not Doc.has_extension(EXTENSION):
        Doc.set_extension(EXTENSION, getter=get_relations, setter=set_relations)
        return
    getter = Doc.get_extension(EXTENSION)[2]
    if getattr(getter, "__qualname__", "") != "get_relations" or getter.__module__ != __name__:
        raise ValueError(Errors.E100)


def _shifted(relation: StoredRelation, offset: int) -> StoredRelation:
    (head_start, head_end, head_label), (tail_start, tail_end, tail_label) = relation[:2]
    return relation._replace(
        head=Mention(head_start + offset, head_end + offset, head_label),
        tail=Mention(tail_start + offset, tail_end + offset, tail_label),
    )


def mention_span(doc: Doc, end: Mention) -> Span:
    """RETURNS (Span): The tokens of a mention that lies in the text, with its label."""
    # Merging tokens may have left the end inside a larger token: then that token is its span.
    span = doc.char_span(end.start, end.end, label=end.label, alignment_mode="expand")
    assert span is not None  # set_relations lets no mention in that lies outside the text
    return span


def _as_stored(doc: Doc, relation: RelationLike) -> StoredRelation:
    if isinstance(relation, Relation):
        relation = relation.stored
    if isinstance(relation, dict):
        if not {"head", "tail", "label"} <= set(relation):
            raise ValueError(Errors.E101.format(value=relation))
        parts = [relation["head"], relation["tail"], relation["label"], relation.get("score")]
    elif isinstance(relation, (tuple, list)) and len(relation) in (3, 4):
        parts = [*relation, None][:4]
    else:
        raise ValueError(Errors.E101.format(value=relation))
    head, tail, label, score = parts
    if not isinstance(label, str) or not label:
        raise ValueError(Errors.E101.format(value=relation))
    for end, value in (("head", head), ("tail", tail)):
        if isinstance(value, Span) and value.doc is not doc:
            raise ValueError(Errors.E103.format(end=end, label=label, text=value.text))
    try:
        mentions = _as_mention(head), _as_mention(tail)
        score = None if score is None else float(score)
    except (TypeError, KeyError, ValueError):
        raise ValueError(Errors.E101.format(value=relation)) from None
    if score is not None and not 0 <= score <= 1:
        raise ValueError(Errors.E105.format(label=label, score=score))
    for end, (start, stop, _) in zip(("head", "tail"), mentions):
        _check_inside(doc, start, stop, end, label)
    return StoredRelation(*mentions, label, score)


def _as_mention(value: Any) -> Mention:
    if isinstance(value, Span):
        return mention(value)
    if isinstance(value, dict):
        value = value["start"], value["end"], value["label"]
    start, stop, label = value
    if not isinstance(label, str):
        raise TypeError
    return Mention(int(start), int(stop), label)


def _check_inside(doc: Doc, start: int, stop: int, end: str, relation: str) -> None:
    if not 0 <= start < stop <= len(doc.text):
        error = Errors.E102.format(
            end=end, label=relation, start=start, stop=stop, length=len(doc.text)
        )
        raise ValueError(error)


__all__ = ["Relation", "as_doc", "from_docs", "get_relations", "set_relations"]
