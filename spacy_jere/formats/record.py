"""The one record that every format is read into."""

from dataclasses import dataclass, field
from typing import Dict, List, NamedTuple, Optional, Sequence

import spacy.util
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from ..relations import StoredRelation, mention, store_relations


class RecordEntity(NamedTuple):
    """First token, end (exclusive) and label."""

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

    words: Its tokens.
    entities: Overlapping ones are allowed.
    relations: None where relations were not annotated.
    text: The text with its true spacing, where the format keeps it.
    meta: What else the format says of it, such as its id.
    """

    words: List[str]
    entities: List[RecordEntity] = field(default_factory=list)
    relations: Optional[List[RecordRelation]] = None
    text: Optional[str] = None
    meta: Dict[str, object] = field(default_factory=dict)


def to_doc(record: Record, vocab: Vocab, spans_key: str) -> Doc:
    """Make a Doc.

    spans_key (str): The key of `doc.spans` for all entities; doc.ents gets those that don't overlap, longest first.
    """
    if record.text is None:
        doc = Doc(vocab, words=record.words)  # spaces unknown: spaCy will keep these tokens
    else:
        words, spaces = spacy.util.get_words_and_spaces(record.words, record.text)
        doc = Doc(vocab, words=words, spaces=spaces)
    spans = _spans(record, doc)
    doc.set_ents(spacy.util.filter_spans(spans))
    if len(doc.ents) < len(set(record.entities)):
        doc.spans[spans_key] = spans
    if record.relations is not None:
        ends = [mention(span) for span in spans]
        store_relations(
            doc,
            [StoredRelation(ends[x.head], ends[x.tail], x.label, None) for x in record.relations],
        )
    return doc


def _spans(record: Record, doc: Doc) -> List[Span]:
    if record.text is None:
        return [Span(doc, start, end, label) for start, end, label in record.entities]
    # Line breaks and double spaces of the text are tokens of the Doc, whether or not they are words of the record.
    solid = (token.i for token in doc if not token.is_space)
    places = [None if word.isspace() else next(solid) for word in record.words]
    spans = []
    for start, end, label in record.entities:
        inside = [x for x in places[start:end] if x is not None]
        spans.append(Span(doc, inside[0], inside[-1] + 1, label))
    return spans


def to_docs(records: Sequence[Record], vocab: Vocab, spans_key: str = "joint_ner_re") -> List[Doc]:
    """RETURNS (List[Doc]): One for each record."""
    return [to_doc(record, vocab, spans_key) for record in records]
