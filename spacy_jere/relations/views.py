"""`doc._.relations` and `span._.relations`: views that are made when they are read, and the setter,
which lets nothing in that could not be read back."""

from operator import index
from typing import Any, Dict, Iterable, List, NoReturn, Optional, Tuple, Union

from spacy.tokens import Doc, Span

from ..errors import Errors
from .store import (
    Mention,
    StoredRelation,
    entity_at,
    mention,
    mention_span,
    remove_relations,
    store_relations,
    stored_relations,
)

# The longest value that a message shows
_SHOWN = 200


class Relation(Dict[str, Any]):
    """A relation of a Doc, made when it is read. It is also a dict, as `to_dict` gives, so that
    `json.dumps` takes it; it can't be changed.

    doc (Doc): The Doc it belongs to.
    stored (StoredRelation): Its data.
    """

    __slots__ = ("doc", "stored")

    def __init__(self, doc: Doc, stored: StoredRelation):
        self.doc = doc
        self.stored = stored
        super().__init__(
            head=stored.head._asdict(),
            tail=stored.tail._asdict(),
            label=stored.label,
            score=stored.score,
        )

    @property
    def head(self) -> Span:
        """The span the relation starts from: the entity of doc.ents with these words and this
        label, ids included, or else the words with the label."""
        return mention_span(self.doc, self.stored.head)

    @property
    def tail(self) -> Span:
        """The span the relation points to, as `head`."""
        return mention_span(self.doc, self.stored.tail)

    @property
    def label(self) -> int:
        """The relation label, as a number of the vocabulary's strings."""
        return self.doc.vocab.strings.add(self.stored.label)

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

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Relation):
            return NotImplemented
        return self.doc is other.doc and self.stored == other.stored

    def __ne__(self, other: object) -> bool:
        equal = self.__eq__(other)
        return NotImplemented if equal is NotImplemented else not equal

    def __hash__(self) -> int:  # type: ignore[override]
        return hash((id(self.doc), self.stored))

    def __repr__(self) -> str:
        score = "" if self.score is None else f" {self.score:.2f}"
        head, tail = (f"({span.text} [{span.label_}])" for span in (self.head, self.tail))
        return f"{head}-{self.label_}{score}->{tail}"

    def __reduce__(self) -> Tuple[Any, ...]:
        return (Relation, (self.doc, self.stored))

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(Errors.E123)

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse


RelationLike = Union[Relation, StoredRelation, Dict[str, Any], Tuple[Any, ...], List[Any]]


def get_relations(doc: Doc) -> Optional[Tuple[Relation, ...]]:
    """The getter of `doc._.relations`. Never writes.

    RETURNS (Optional[Tuple[Relation, ...]]): The relations in the order they were set, or None
        where the Doc is not annotated.
    """
    stored = stored_relations(doc)
    return None if stored is None else tuple(Relation(doc, relation) for relation in stored)


def get_span_relations(span: Span) -> Optional[Tuple[Relation, ...]]:
    """The getter of `span._.relations`.

    RETURNS (Optional[Tuple[Relation, ...]]): The relations with at least one end inside the span;
        None where the Doc is not annotated.
    """
    stored = stored_relations(span.doc)
    if stored is None:
        return None
    start, end = span.start_char, span.end_char
    return tuple(
        Relation(span.doc, relation)
        for relation in stored
        if any(start <= x.start and x.end <= end for x in (relation.head, relation.tail))
    )


def refuse_span_relations(span: Span, relations: Any) -> NoReturn:
    """The setter of `span._.relations`: relations are set on Docs."""
    raise ValueError(Errors.E124)


def set_relations(doc: Doc, relations: Optional[Iterable[RelationLike]]) -> None:
    """The setter of `doc._.relations`.

    relations (Optional[Iterable[RelationLike]]): Relation views, tuples (head, tail, label[,
        score]) or dicts with these keys; None says "not annotated". Of doubles the first is kept.
        An end without a label takes that of the entity in doc.ents with the same words.
    RAISES (ValueError): Something else, or an end that has no label, lies outside the text or
        belongs to another Doc. The Doc is unchanged.
    """
    if relations is None:
        remove_relations(doc)
        return
    if isinstance(relations, (str, bytes, dict)) or not hasattr(relations, "__iter__"):
        raise ValueError(Errors.E104.format(type=type(relations).__name__))
    unique: Dict[Tuple[Any, ...], StoredRelation] = {}
    length = len(doc.text)
    for relation in relations:
        stored = _as_stored(doc, relation, length)
        unique.setdefault(stored[:3], stored)
    store_relations(doc, unique.values())


def _as_stored(doc: Doc, relation: RelationLike, length: int) -> StoredRelation:
    if isinstance(relation, Relation):
        _check_words(doc, relation)
        relation = relation.stored
    head, tail, label, score = _parts(relation)
    if not _is_label(label):
        raise ValueError(Errors.E101.format(value=_shown(relation)))
    for end, value in (("head", head), ("tail", tail)):
        if isinstance(value, Span) and value.doc is not doc:
            raise ValueError(Errors.E103.format(end=end, label=label, text=value.text))
    try:
        mentions = [_as_mention(head), _as_mention(tail)]
        score = None if score is None else float(score)
    except (TypeError, KeyError, ValueError, OverflowError):
        raise ValueError(Errors.E101.format(value=_shown(relation))) from None
    if score is not None and not 0 <= score <= 1:
        raise ValueError(Errors.E105.format(label=label, score=score))
    ends = [_checked(doc, x, y, label, length) for x, y in zip(("head", "tail"), mentions)]
    return StoredRelation(ends[0], ends[1], str(label), score)


def _parts(relation: Any) -> List[Any]:
    """RETURNS: Head, tail, label and score."""
    if isinstance(relation, dict) and {"head", "tail", "label"} <= set(relation):
        return [relation["head"], relation["tail"], relation["label"], relation.get("score")]
    if isinstance(relation, (tuple, list)) and len(relation) in (3, 4):
        return [*relation, None][:4]
    raise ValueError(Errors.E101.format(value=_shown(relation)))


def _as_mention(value: Any) -> Mention:
    if isinstance(value, Span):
        return mention(value)
    if isinstance(value, dict):
        value = value["start"], value["end"], value["label"]
    elif not isinstance(value, (tuple, list)):
        raise TypeError
    start, stop, label = value
    if isinstance(start, bool) or isinstance(stop, bool) or not _is_label(label, empty=True):
        raise TypeError
    return Mention(index(start), index(stop), str(label))


def _is_label(label: Any, empty: bool = False) -> bool:
    """Whether a label can be stored. Lone surrogates can't: neither bytes nor files hold them."""
    if not isinstance(label, str) or not (label or empty):
        return False
    try:
        label.encode("utf8")
    except UnicodeEncodeError:
        return False
    return True


def _checked(doc: Doc, end: str, found: Mention, relation: str, length: int) -> Mention:
    """RETURNS (Mention): The end, with the label of its entity if it came without one."""
    start, stop, label = found
    if not 0 <= start < stop <= length:
        places = {"start": _shown(start), "stop": _shown(stop), "length": length}
        raise ValueError(Errors.E102.format(end=end, label=relation, **places))
    if label:
        return found
    entity = entity_at(doc, start, stop)
    if entity is None:
        text, around = doc.text[start:stop], _shown(doc.text)
        raise ValueError(Errors.E120.format(end=end, label=relation, text=text, doc=around))
    return found._replace(label=entity.label_)


def _check_words(doc: Doc, relation: Relation) -> None:
    """RAISES (ValueError): The Doc of a view has other words at the ends than this Doc."""
    if relation.doc is doc:
        return
    there, here = relation.doc.text, doc.text
    for end, (start, stop, _) in (("head", relation.stored.head), ("tail", relation.stored.tail)):
        if there[start:stop] != here[start:stop]:
            words = {"there": there[start:stop], "here": here[start:stop]}
            places = {"end": end, "label": relation.label_, "start": start, "stop": stop}
            raise ValueError(Errors.E121.format(**words, **places))


def _shown(value: Any) -> str:
    """RETURNS (str): A value for a message, however large or odd it is."""
    try:
        shown = repr(value)
    except Exception:  # numbers of thousands of digits, objects with a broken repr
        return f"<{type(value).__name__}>"
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
