"""The windows of a Doc: what a model reads at once, and where relations are looked for."""

from bisect import bisect_right
from typing import Callable, List, Sequence, Tuple

from spacy.tokens import Doc, Span

WINDOWS = ("sentence", "doc")


def doc_windows(doc: Doc, window: str) -> List[Tuple[int, int]]:
    """Divide a Doc into windows.

    window (str): "sentence" for its sentences where boundaries are set, "doc" for the whole Doc.
    RETURNS (List[Tuple[int, int]]): First token and end of each window. Together they cover all
        tokens, in order; an empty Doc has none.
    """
    if not len(doc):
        return []
    if window == "sentence" and doc.has_annotation("SENT_START"):
        return [(sentence.start, sentence.end) for sentence in doc.sents]
    return [(0, len(doc))]


def window_of(starts: Sequence[int], token: int) -> int:
    """RETURNS (int): The index of the window that a token lies in.

    starts (Sequence[int]): The first token of each window, ascending.
    """
    return bisect_right(starts, token) - 1


def white_space(doc: Doc) -> List[bool]:
    """RETURNS (List[bool]): Which tokens are white space. Not all vocabularies know it: Docs that
    were read with a bare one have no such flag."""
    return [token.text.isspace() for token in doc]


def create_window_spans_v1() -> Callable[[List[Doc]], List[List[Span]]]:
    """`spacy-jere.window_spans.v1`: a transformer reads what a joint model reads at once.

    RETURNS (Callable[[List[Doc]], List[List[Span]]]): A span getter of spacy-transformers.
    """
    return window_spans


def window_spans(docs: List[Doc]) -> List[List[Span]]:
    """RETURNS (List[List[Span]]): The sentences of each Doc, or the whole Doc without
    boundaries."""
    return [[doc[start:end] for start, end in doc_windows(doc, "sentence")] for doc in docs]
