"""Docs that are joined or divided, with their relations."""

from typing import Any, List, Optional, Sequence, TypeVar

from spacy.tokens import Doc, Span
from spacy.training import Example

from .store import (
    EntityRow,
    Record,
    RelationRow,
    read_record,
    remove_records,
    write_record,
)

Row = TypeVar("Row", RelationRow, EntityRow)


def from_docs(docs: List[Doc], **options: Any) -> Optional[Doc]:
    """`Doc.from_docs` that keeps relations.

    docs (List[Doc]): The Docs to join. Those that aren't annotated make the whole not annotated.
    options: Passed on to `Doc.from_docs`.
    RETURNS (Optional[Doc]): The joined Doc; None for an empty list, as in spaCy.
    """
    joined = Doc.from_docs(docs, **options)
    if joined is None or "user_data" in options.get("exclude", ()):
        return joined
    remove_records(joined)
    relations: Optional[List[RelationRow]] = []
    entities: List[EntityRow] = []
    first_token = 0
    for doc in docs:
        offset = joined[first_token].idx - doc[0].idx if len(doc) else 0
        record = read_record(doc)
        if record.relations is None or relations is None:
            relations = None
        else:
            relations += [row.moved(offset) for row in record.relations]
        entities += [row.moved(offset) for row in record.entities]
        first_token += len(doc)
    write_record(joined, Record(relations, entities))
    return joined


def as_doc(span: Span, **options: Any) -> Doc:
    """`Span.as_doc` that keeps the relations whose two ends lie in the span.

    options: Passed on to `Span.as_doc`.
    """
    doc = span.as_doc(**options)
    doc.has_unknown_spaces = span.doc.has_unknown_spaces  # Span.as_doc forgets it
    record = read_record(span.doc)
    relations = record.relations
    inside = Record(
        None if relations is None else _inside(relations, span), _inside(record.entities, span)
    )
    write_record(doc, inside)
    return doc


def split_sents(example: Example) -> List[Example]:
    """`Example.split_sents` that keeps the relations inside each sentence of the reference.

    RETURNS (List[Example]): An Example for each sentence; the Example itself without boundaries.
    """
    if not example.reference.has_annotation("SENT_START"):
        return [example]
    seen: set = set()
    parts = []
    for sentence in example.reference.sents:
        tokens = example.alignment.y2x[sentence.start : sentence.end].tolist()
        tokens = [token for token in tokens if token not in seen]
        if tokens:
            predicted = example.predicted[tokens[0] : tokens[-1] + 1]
            parts.append(Example(as_doc(predicted), as_doc(sentence)))
            seen.update(tokens)
    return parts


def _inside(rows: Sequence[Row], span: Span) -> List[Row]:
    start, end = span.start_char, span.end_char
    return [row.moved(-start) for row in rows if start <= row.stretch[0] and row.stretch[1] <= end]
