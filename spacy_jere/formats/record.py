"""The one record that every format is read into."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

from ..errors import Errors
from .source import shorten


class RecordEntity(NamedTuple):
    """First character, end (exclusive) and label."""

    start: int
    end: int
    label: str


class RecordRelation(NamedTuple):
    """Head and tail, as indices into the record's entities, and label."""

    head: int
    tail: int
    label: str


@dataclass
class Record:
    """One annotated text.

    text: The text; of words whose spacing is not known, the words joined by one space.
    entities: Offsets in characters of the text. Overlapping ones are allowed.
    relations: None where relations were not annotated.
    words: The tokens that the format brings; None where a tokenizer is to find them.
    spacing_known: Whether the text has its true spacing.
    sentences: The character at which each sentence begins; None where the format doesn't say.
    meta: What else the format says of it: `orig_id`, its id, and `arguments`, what brat calls the two ends of each relation.
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
        text (Optional[str]): The text with its true spacing, where it is known.
        sentences (Optional[Iterable[int]]): The first word of each sentence.
        RAISES (ValueError): The text doesn't consist of the words, or an entity of white space.
        """
        words = list(words)
        places = word_offsets(words, text)
        found = []
        for start, end, label in entities:
            # Words that are white space have no place of their own in a text.
            inside = [x for x in places[start:end] if x is not None]
            if not inside:
                raise ValueError(Errors.E309.format(label=label, start=start, end=end))
            found.append(RecordEntity(inside[0][0], inside[-1][1], label))
        starts = None
        if sentences is not None:
            # A sentence that begins with white space begins, in the text, with its first other word.
            firsts = (next((x for x in places[i:] if x is not None), None) for i in sentences)
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


class Records(List[Record]):
    """What a reader returns: records, and what it left out.

    skipped (Counter[str]): What the source has and records can't hold, counted by its kind.
    """

    def __init__(self, records: Iterable[Record] = ()):
        super().__init__(records)
        self.skipped: Counter[str] = Counter()


def word_offsets(words: Sequence[str], text: Optional[str]) -> List[Optional[Tuple[int, int]]]:
    """Find words in their text.

    text (Optional[str]): None for the words joined by one space.
    RETURNS (List[Optional[Tuple[int, int]]]): First character and end of each word; None, if a text is given, for
        words of white space.
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
