"""The record that every format is read into."""

import sys
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

from ..errors import Errors
from ._faults import SourceError, report, shorten


class RecordEntity(NamedTuple):
    """An entity: its first character, end (exclusive) and label."""

    start: int
    end: int
    label: str


class RecordRelation(NamedTuple):
    """A relation: head and tail, as indices into the record's entities, and label."""

    head: int
    tail: int
    label: str


@dataclass
class Record:
    """One annotated text.

    text: The text. If only the words are known, they are joined by one space.
    entities: Offsets count characters of the text. Entities may overlap.
    relations: None means *not annotated*. An empty list means *annotated, no relations*.
    words: The tokens of the format; None leaves them to a tokenizer.
    spacing_known: Whether the text has its true spacing.
    sentences: The first character of each sentence; None if the format has no sentences.
    meta: `orig_id`, the id of the text, and `arguments`, brat's names of the two ends of each
        relation, in their order.
    source: File and line, for messages.
    """

    text: str
    entities: List[RecordEntity] = field(default_factory=list)
    relations: Optional[List[RecordRelation]] = None
    words: Optional[List[str]] = None
    spacing_known: bool = True
    sentences: Optional[List[int]] = None
    meta: Dict[str, object] = field(default_factory=dict)
    source: str = field(default="", compare=False)

    @classmethod
    def from_words(
        cls,
        words: Sequence[str],
        entities: Iterable[Tuple[int, int, str]] = (),
        relations: Optional[Iterable[RecordRelation]] = None,
        *,
        text: Optional[str] = None,
        sentences: Optional[Iterable[int]] = None,
        **other: Any,
    ) -> "Record":
        """Make a record of words.

        entities (Iterable[Tuple[int, int, str]]): First word, end (exclusive) and label.
        text (Optional[str]): The text with its true spacing, if it is known.
        sentences (Optional[Iterable[int]]): The first word of each sentence.
        RAISES (ValueError): The text doesn't consist of the words, or an entity is white space.
        """
        # Files repeat their words: one string for each kind of word saves memory.
        words = [sys.intern(str(word)) for word in words]
        places = word_offsets(words, text)
        spans = _Spans(places)
        found = []
        for start, end, label in entities:
            span = spans.between(start, end)
            if span is None:
                raise ValueError(Errors.E309.format(label=label, start=start, end=end))
            found.append(RecordEntity(*span, label))
        starts = None
        if sentences is not None:
            # White space has no place in the text: the sentence begins with its first other word.
            firsts = (spans.between(i, len(words)) for i in sentences)
            starts = sorted({first[0] for first in firsts if first is not None})
        return cls(
            text=" ".join(words) if text is None else text,
            entities=found,
            relations=None if relations is None else [RecordRelation(*x) for x in relations],
            words=words,
            spacing_known=text is not None,
            sentences=starts,
            **other,
        )


class _Spans:
    """Finds the characters of words, of which those of white space have none.

    places (List[Optional[Tuple[int, int]]]): The characters of each word.
    """

    def __init__(self, places: List[Optional[Tuple[int, int]]]):
        self._indices = [i for i, place in enumerate(places) if place is not None]
        self._places = [place for place in places if place is not None]

    def between(self, start: int, end: int) -> Optional[Tuple[int, int]]:
        """RETURNS (Optional[Tuple[int, int]]): From the first to the last of some words; None if
        none of them has characters."""
        first = bisect_left(self._indices, start)
        last = bisect_left(self._indices, end) - 1
        return (self._places[first][0], self._places[last][1]) if first <= last else None


class Records(List[Record]):
    """The records of a reader, and what it left out.

    skipped (Counter[str]): How many annotations of each kind a Doc cannot represent.
    changed (Counter[str]): How many annotations were read as something else.
    notes (List[str]): What the reader assumed, where the file doesn't tell.
    faults (List[SourceError]): The faults of the records that `on_error="skip"` left out.
    """

    def __init__(self, records: Iterable[Record] = ()):
        super().__init__(records)
        self.skipped: Counter[str] = Counter()
        self.changed: Counter[str] = Counter()
        self.notes: List[str] = []
        self.faults: List[SourceError] = []

    @classmethod
    def of(
        cls, items: Iterable[Tuple[Any, ...]], make: Callable[..., Optional[Record]]
    ) -> "Records":
        """Read records one by one. One with a fault is reported and left out.

        items (Iterable[Tuple[Any, ...]]): The arguments of `make` for each record.
        make (Callable[..., Optional[Record]]): Makes the record, or None for none. Its last
            argument is a Records object to count in; what a faulty record counted is forgotten.
        """
        records = cls()
        for item in items:
            counted = cls()
            try:
                record = make(*item, counted)
            except SourceError as fault:
                report(fault)
                continue
            records.skipped.update(counted.skipped)
            records.changed.update(counted.changed)
            if record is not None:
                records.append(record)
        return records


def word_offsets(words: Sequence[str], text: Optional[str]) -> List[Optional[Tuple[int, int]]]:
    """Find words in their text.

    text (Optional[str]): None for the words joined by one space.
    RETURNS (List[Optional[Tuple[int, int]]]): The first character and the end of each word. In a
        given text, None for words of white space.
    RAISES (ValueError): The text doesn't consist of the words.
    """
    places: List[Optional[Tuple[int, int]]] = []
    position = 0
    for word in words:
        start = position
        if text is not None:
            if word.isspace():
                places.append(None)
                continue
            start = text.find(word, position)
            if start < 0 or text[position:start].strip():
                raise ValueError(Errors.E310.format(word=shorten(word), position=position))
        places.append((start, start + len(word)))
        position = start + len(word) + (text is None)
    if text is not None and text[position:].strip():
        raise ValueError(Errors.E310.format(word="", position=position))
    return places
