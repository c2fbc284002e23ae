"""The record that every format is read into."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

from ..errors import Errors
from ._reading import shorten


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
        relation.
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
            # White space has no place in the text: the sentence begins with its first other word.
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
    """The records of a reader, and what it left out.

    skipped (Counter[str]): How many annotations of each kind a Doc cannot represent.
    """

    def __init__(self, records: Iterable[Record] = ()):
        super().__init__(records)
        self.skipped: Counter[str] = Counter()


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
