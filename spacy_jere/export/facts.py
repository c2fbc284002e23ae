"""A relation with its sentence and document: what every writer of relations starts from."""

from typing import Iterable, Iterator, List, NamedTuple, Optional, Tuple, Union

from spacy.tokens import Doc, Span

from ..errors import Errors
from ..formats import SourceError
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
# Tokens on either side of an end. No text, however long, makes rows longer than that.
DEFAULT_CONTEXT = 100
# Characters per token of context, for texts with tokens that are very long
_TOKEN_LENGTH = 20
_GAP = " … "


class Fact(NamedTuple):
    """One relation of one Doc.

    document: The id of the Doc.
    head, tail: The two ends, with their entity labels.
    label: The relation label.
    score: The probability; None for an annotation.
    passages: The text around both ends: one span, or two if the ends are far from each other.
    """

    document: str
    head: Span
    tail: Span
    label: str
    score: Optional[float]
    passages: Tuple[Span, ...]

    @property
    def sentence(self) -> str:
        """The text around both ends, with an ellipsis where some between them is left out."""
        return _GAP.join(span.text for span in self.passages)

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
            self.sentence,
        )


def document_id(doc: Doc, number: int) -> str:
    """RETURNS (str): `doc.user_data["id"]`, or the number of the Doc if it has no id."""
    given = doc.user_data.get(ID_KEY)
    return str(number if given is None else given)


def doc_facts(doc: Doc, document: str, context: int = DEFAULT_CONTEXT) -> Iterator[Fact]:
    """Read the relations of a Doc.

    context (int): The greatest number of tokens that are shown before, after and between the ends.
    RETURNS (Iterator[Fact]): The relations; none where they are not annotated.
    RAISES (SourceError): The context is less than 0.
    """
    if context < 0:
        error = Errors.E327.format(option="context", wanted="0 or more", value=context)
        raise SourceError(error)
    relations = get_relations(doc)
    if not relations:
        return
    starts = [start for start, _ in doc_windows(doc, "sentence")] + [len(doc)]
    for relation in relations:
        head, tail = relation.head, relation.tail
        passages = _passages(doc, starts, head, tail, context)
        yield Fact(document, head, tail, relation.label_, relation.score, passages)


def all_facts(docs: Iterable[Doc], context: int = DEFAULT_CONTEXT) -> Iterator[Fact]:
    """RETURNS (Iterator[Fact]): The relations of all Docs, one Doc in memory at a time."""
    for number, doc in enumerate(docs):
        yield from doc_facts(doc, document_id(doc, number), context)


def _passages(
    doc: Doc, starts: List[int], head: Span, tail: Span, context: int
) -> Tuple[Span, ...]:
    """Take the sentences of both ends and between them, as far as the context goes.

    starts (List[int]): The first token of each sentence, and the end of the Doc.
    """
    first, last = sorted((head, tail), key=lambda span: (span.start, span.end))
    end = max(first.end, last.end)
    before = _reach(doc, first.start, starts[window_of(starts, first.start)], context)
    after = _reach(doc, end - 1, starts[window_of(starts, end - 1) + 1] - 1, context) + 1
    if last.start <= first.end:
        return (doc[before:after],)
    # Both ends see the context between them: what neither sees is left out.
    seen = _reach(doc, first.end - 1, last.start, context)
    seen_back = _reach(doc, last.start, first.end - 1, context)
    if seen + 1 >= seen_back:
        return (doc[before:after],)
    return doc[before : seen + 1], doc[seen_back:after]


def _reach(doc: Doc, token: int, last: int, context: int) -> int:
    """RETURNS (int): How far one sees from a token in the direction of another, at most that one:
    the index of a token."""
    step = 1 if last > token else -1
    here, reached, farthest = doc[token], token, context * _TOKEN_LENGTH
    for i in range(token + step, last + step, step):
        there = doc[i]
        n_characters = there.idx - here.idx
        n_characters = n_characters + len(there) - len(here) if step > 0 else -n_characters
        if abs(i - token) > context or n_characters > farthest:
            break
        reached = i
    return reached
