"""Docs as word pieces, token by token.

Each token is split into word pieces by itself, as SpERT and most models of tokens do it: its word
pieces don't depend on its neighbours, it has at least one, and the alignment is known without a
search. What is longer than the transformer can read is cut between tokens, so that nothing is left
out.

Private names of other libraries in this file:

| name | of | checked with |
|---|---|---|
| `tokenizer.backend_tokenizer.model`, by the name of its class | transformers | 4.53.2 |
| `tokenizer.wordpiece_tokenizer` | transformers | 4.53.2 |
"""

import copy
from typing import Any, Dict, List, NamedTuple, Tuple
from weakref import WeakKeyDictionary

from spacy.tokens import Span

from ...errors import Errors

# Tokens whose word pieces are kept.
_MAX_KEPT = 1 << 17


class Pieces(NamedTuple):
    """The word pieces of a token."""

    ids: List[int]
    strings: List[str]


class Splitter(Dict[str, Pieces]):
    """The word pieces of tokens, each split once.

    tokenizer: Of a transformer with a WordPiece vocabulary.
    RAISES (ValueError): It has another vocabulary.
    """

    def __init__(self, tokenizer: Any):
        super().__init__()
        self.unknown = Pieces([tokenizer.unk_token_id], [tokenizer.unk_token])
        self.fast: Any = None
        self.slow: Any = None
        backend = getattr(tokenizer, "backend_tokenizer", None)
        if backend is not None and type(backend.model).__name__ == "WordPiece":
            self.fast = copy.deepcopy(backend)
            self.fast.no_truncation()
            self.fast.no_padding()
        elif hasattr(tokenizer, "wordpiece_tokenizer"):
            self.slow = tokenizer
        else:
            raise ValueError(Errors.E406.format(tokenizer=type(tokenizer).__name__))

    def __missing__(self, word: str) -> Pieces:
        if self.fast is not None:
            # Not in batches: the threads that these start cost more than a few new words.
            found = self.fast.encode(word, add_special_tokens=False)
            pieces = Pieces(found.ids, found.tokens)
        else:
            strings = self.slow.tokenize(word)
            pieces = Pieces(self.slow.convert_tokens_to_ids(strings), strings)
        # Spaces and control characters have no word piece of their own.
        self[word] = pieces if pieces.ids else self.unknown
        return self[word]


_SPLITTERS: "WeakKeyDictionary[Any, Splitter]" = WeakKeyDictionary()


class Reading(NamedTuple):
    """A part of a Doc that is read at once, and the word pieces of its tokens."""

    doc: int
    span: Span
    pieces: List[Pieces]


def read_spans(tokenizer: Any, nested: List[List[Span]], max_pieces: int) -> List[Reading]:
    """Split the spans of each Doc into word pieces.

    nested (List[List[Span]]): The spans of each Doc.
    max_pieces (int): What the transformer can read at once, special tokens included.
    RETURNS (List[Reading]): The spans, cut between tokens where they are longer.
    """
    limit = max_pieces - tokenizer.num_special_tokens_to_add()
    pieces_of = _splitter(tokenizer)
    readings = []
    for i, spans in enumerate(nested):
        for span in spans:
            pieces = [pieces_of[token.text] for token in span]
            for start, end in _cut([len(x.ids) for x in pieces], limit):
                part = span if end - start == len(pieces) else span[start:end]
                readings.append(Reading(i, part, _shorten(pieces[start:end], limit)))
    return readings


def _splitter(tokenizer: Any) -> Splitter:
    if tokenizer not in _SPLITTERS:
        _SPLITTERS[tokenizer] = Splitter(tokenizer)
    splitter = _SPLITTERS[tokenizer]
    if len(splitter) > _MAX_KEPT:
        splitter.clear()
    return splitter


def _cut(sizes: List[int], limit: int) -> List[Tuple[int, int]]:
    """RETURNS: First token and end of each part: at most `limit` word pieces, or one long token."""
    if sum(sizes) <= limit:
        return [(0, len(sizes))] if sizes else []
    parts, start, filled = [], 0, 0
    for i, size in enumerate(sizes):
        if filled + size > limit and i > start:
            parts.append((start, i))
            start, filled = i, 0
        filled += size
    return [*parts, (start, len(sizes))]


def _shorten(pieces: List[Pieces], limit: int) -> List[Pieces]:
    if len(pieces) == 1 and len(pieces[0].ids) > limit:
        return [Pieces(pieces[0].ids[:limit], pieces[0].strings[:limit])]
    return pieces
