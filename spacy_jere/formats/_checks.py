"""Checks of entities and relations that all readers share, with errors that say what is wrong."""

from typing import Any, Dict, Hashable, Iterable, Sequence, Tuple, TypeGuard

from ._reading import Place, shorten
from .record import RecordEntity, RecordRelation


def is_offset(value: object) -> TypeGuard[int]:
    """RETURNS (bool): Whether the value is a whole number."""
    return isinstance(value, int) and not isinstance(value, bool)


def check_entity(place: Place, text: str, start: Any, end: Any, label: Any) -> RecordEntity:
    """Check an entity by characters: they must lie in the text and not be white space only."""
    return RecordEntity(*_check_span(place, text, ("text", "characters"), start, end, label))


def check_word_entity(
    place: Place, words: Sequence[str], start: Any, end: Any, label: Any
) -> Tuple[int, int, str]:
    """Check an entity by words, end exclusive: they must be there and not be white space only."""
    return _check_span(place, words, ("sentence", "tokens"), start, end, label)


def check_relation(
    place: Place, n_entities: int, head: Any, tail: Any, label: Any
) -> RecordRelation:
    """Check a relation whose ends are indices of entities."""
    _check_label(place, "a relation", label)
    for end in (head, tail):
        if not is_offset(end) or not 0 <= end < n_entities:
            reason = (
                f"names entity {shorten(repr(end))}, but there are {n_entities} (0 is the first)"
            )
            place.fail(f"relation '{label}' {reason}")
    return RecordRelation(head, tail, label)


def index_by_place(entities: Iterable[Tuple[int, int, str]]) -> Dict[Hashable, int]:
    """Index entities for relations that name the start and end of their ends.

    RETURNS (Dict[Hashable, int]): The index of the first entity with each start and end.
    """
    index: Dict[Hashable, int] = {}
    for i, (start, end, _) in enumerate(entities):
        index.setdefault((start, end), i)
    return index


def check_link(
    place: Place, entities: Dict[Hashable, int], head: Any, tail: Any, label: Any
) -> RecordRelation:
    """Look up the ends of a relation.

    entities (Dict[Hashable, int]): The index of each entity, by the name that relations use for it.
    """
    _check_label(place, "a relation", label)
    for end in (head, tail):
        if not isinstance(end, Hashable) or end not in entities:
            place.fail(f"relation '{label}' names {shorten(repr(end))}, which is no entity")
    return RecordRelation(entities[head], entities[tail], label)


def _check_span(
    place: Place, whole: Sequence[str], names: Tuple[str, str], start: Any, end: Any, label: Any
) -> Tuple[int, int, str]:
    """names (Tuple[str, str]): What messages call the whole and its parts."""
    _check_label(place, "an entity", label)
    if not (is_offset(start) and is_offset(end)):
        found = shorten(repr((start, end)))
        place.fail(f"entity '{label}': start and end must be whole numbers, found {found}")
    name, parts = names
    if not 0 <= start < end <= len(whole):
        reason = f"has {parts} {start}:{end}, but the {name} has {len(whole)} {parts}"
        place.fail(f"entity '{label}' {reason}")
    if "".join(whole[start:end]).isspace():
        place.fail(f"entity '{label}' has {parts} {start}:{end}, which are white space")
    return start, end, label


def _check_label(place: Place, what: str, label: Any) -> None:
    if not isinstance(label, str) or not label.strip():
        place.fail(f"{what} needs a label that is not empty, found {shorten(repr(label))}")
