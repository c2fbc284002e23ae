"""A relation with its sentence and document: what every writer of relations starts from."""

from typing import Iterable, Iterator, List, NamedTuple, Optional, Tuple, Union

from spacy.tokens import Doc, Span

from ..formats.user_data import ID_KEY
from ..relations import get_relations
from ..windows import doc_windows, window_of

COLUMNS = (
    "document",
    "head",
    "head_label",
    "head_start",
    "head_end",
    "relation",
    "tail",
    "tail_label",
    "tail_start",
    "tail_end",
    "score",
    "sentence",
)
Row = Tuple[Union[str, int, float, None], ...]


class Fact(NamedTuple):
    """One relation of one Doc.

    document: The id of the Doc.
    head, tail: The two ends, with their entity labels.
    label: The relation label.
    score: The probability; None for an annotation.
    passage: All sentences from one end to the other, or the whole Doc if it has no sentence
        boundaries.
    """

    document: str
    head: Span
    tail: Span
    label: str
    score: Optional[float]
    passage: Span

    def row(self) -> Row:
        """RETURNS (Row): The values of COLUMNS. Offsets count characters of the Doc."""
        head, tail = self.head, self.tail
        return (
            self.document,
            head.text,
            head.label_,
            head.start_char,
            head.end_char,
            self.label,
            tail.text,
            tail.label_,
            tail.start_char,
            tail.end_char,
            self.score,
            self.passage.text,
        )


def document_id(doc: Doc, number: int) -> str:
    """RETURNS (str): `doc.user_data["id"]`, or the number of the Doc if it has no id."""
    given = doc.user_data.get(ID_KEY)
    return str(number if given is None else given)


def doc_facts(doc: Doc, document: str) -> Iterator[Fact]:
    """RETURNS (Iterator[Fact]): The relations of a Doc; none where they are not annotated."""
    relations = get_relations(doc)
    if not relations:
        return
    starts = [start for start, _ in doc_windows(doc, "sentence")] + [len(doc)]
    for relation in relations:
        head, tail = relation.head, relation.tail
        passage = _passage(doc, starts, head, tail)
        yield Fact(document, head, tail, relation.label_, relation.score, passage)


def all_facts(docs: Iterable[Doc]) -> Iterator[Fact]:
    """RETURNS (Iterator[Fact]): The relations of all Docs, one Doc in memory at a time."""
    for number, doc in enumerate(docs):
        yield from doc_facts(doc, document_id(doc, number))


def _passage(doc: Doc, starts: List[int], head: Span, tail: Span) -> Span:
    """starts (List[int]): The first token of each sentence, and the end of the Doc."""
    first = window_of(starts, min(head.start, tail.start))
    last = window_of(starts, max(head.end, tail.end) - 1)
    return doc[starts[first] : starts[last + 1]]
