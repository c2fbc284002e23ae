"""Checks of entities and relations that all readers share, with errors that say what is wrong."""

from collections import Counter
from typing import Any, Dict, Hashable, Iterable, Sequence, Set, Tuple, TypeGuard

from ._faults import Place, shorten
from ._offsets import solid_start
from .record import RecordEntity, RecordRelation

_SEVERAL = "relation ends at a place with several entities read as the first of them"


def is_offset(value: object) -> TypeGuard[int]:
    """RETURNS (bool): Whether the value is a whole number."""
    return isinstance(value, int) and not isinstance(value, bool)


def check_entity(place: Place, text: str, start: Any, end: Any, label: Any) -> RecordEntity:
    """Check an entity by characters: they must lie in the text and not be white space only."""
    _check_span(place, len(text), ("text", "characters"), start, end, label)
    if solid_start(text, start) >= end:
        place.fail(f"entity '{shorten(label)}' has characters {start}:{end}, which are white space")
    return RecordEntity(start, end, label)


def check_word_entity(
    place: Place, words: Sequence[str], start: Any, end: Any, label: Any
) -> Tuple[int, int, str]:
    """Check an entity by words, end exclusive: they must be there and not be white space only."""
    _check_span(place, len(words), ("sentence", "tokens"), start, end, label)
    if words[start].isspace() and solid_start(_masks.of(words), start) >= end:
        place.fail(f"entity '{shorten(label)}' has tokens {start}:{end}, which are white space")
    return start, end, label


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
            place.fail(f"relation '{shorten(label)}' {reason}")
    return RecordRelation(head, tail, label)


class ByPlace(Dict[Hashable, int]):
    """Entities by their start and end, for relations that name the start and end of their ends. Of
    several entities in one place it is the first.

    several (Set[Hashable]): The places of several entities.
    """

    def __init__(self, entities: Iterable[Tuple[int, int, str]]):
        super().__init__()
        self.several: Set[Hashable] = set()
        for i, (start, end, _) in enumerate(entities):
            if self.setdefault((start, end), i) < i:
                self.several.add((start, end))

    def count(self, changed: "Counter[str]", *ends: Hashable) -> None:
        """Count the ends that may have meant another entity."""
        n_ends = sum(end in self.several for end in ends)
        if n_ends:
            changed[_SEVERAL] += n_ends


def check_link(
    place: Place, entities: Dict[Hashable, int], head: Any, tail: Any, label: Any
) -> RecordRelation:
    """Look up the ends of a relation.

    entities (Dict[Hashable, int]): The index of each entity, by the name that relations use for it.
    """
    _check_label(place, "a relation", label)
    for end in (head, tail):
        if not isinstance(end, Hashable) or end not in entities:
            name = shorten(repr(end))
            place.fail(f"relation '{shorten(label)}' names {name}, which is no entity")
    return RecordRelation(entities[head], entities[tail], label)


def _check_span(
    place: Place, length: int, names: Tuple[str, str], start: Any, end: Any, label: Any
) -> None:
    """names (Tuple[str, str]): What messages call the whole and its parts."""
    _check_label(place, "an entity", label)
    label = shorten(label)
    if not (is_offset(start) and is_offset(end)):
        found = shorten(repr((start, end)))
        place.fail(f"entity '{label}': start and end must be whole numbers, found {found}")
    name, parts = names
    if not 0 <= start < end <= length:
        reason = f"has {parts} {start}:{end}, but the {name} has {length} {parts}"
        place.fail(f"entity '{label}' {reason}")


def _check_label(place: Place, what: str, label: Any) -> None:
    if not isinstance(label, str) or not label.strip():
        place.fail(f"{what} needs a label that is not empty, found {shorten(repr(label))}")


class _Masks:
    """Words as a text with one character for each: a space for white space.

    Kept for the words asked for last, as a sentence has many entities.
    """

    def __init__(self) -> None:
        self._last: Tuple[Sequence[str], str] = ((), "")

    def of(self, words: Sequence[str]) -> str:
        last_words, mask = self._last
        if last_words is not words:
            mask = "".join(" " if word.isspace() else "x" for word in words)
            self._last = (words, mask)
        return mask


_masks = _Masks()
