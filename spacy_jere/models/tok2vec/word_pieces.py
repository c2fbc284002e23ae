"""Docs as word pieces, token by token.

Each token is split into word pieces by itself, as SpERT and most models of tokens do it: its word
pieces don't depend on its neighbours, it has at least one, and the alignment is known without a
search. Where a vocabulary tells words after a space from others (byte-level BPE, SentencePiece), a
token is split as it stands in the text: with the space before it, if there is one.

Private names of other libraries in this file:

| name | of | checked with |
|---|---|---|
| `tokenizer.backend_tokenizer` | transformers | 4.53.2 |
| `tokenizer.wordpiece_tokenizer` | transformers | 4.53.2 |
| the keys of `Tokenizer.to_str`, normalizers and pre-tokenizers | tokenizers | 0.21.4 |
"""

import copy
import json
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple
from weakref import WeakKeyDictionary

from spacy.tokens import Span
from tokenizers import Tokenizer
from tokenizers.models import BPE

from ...errors import Errors
from .reading_windows import Part, divide

# Tokens whose word pieces are kept.
_MAX_KEPT = 1 << 17


class Pieces(NamedTuple):
    """The word pieces of a token."""

    ids: List[int]
    strings: List[str]


class Splitter(Dict[str, Pieces]):
    """The word pieces of tokens, each split once. A key is a token's text, behind `space` where the
    token follows one.

    tokenizer: A fast tokenizer, or a slow one with a WordPiece vocabulary.
    RAISES (ValueError): It is another slow one.
    """

    def __init__(self, tokenizer: Any):
        super().__init__()
        self.unknown = _unknown(tokenizer)
        self.fast: Optional[Tokenizer] = None
        self.slow: Any = None
        # What marks a word after a space, "" if nothing does, and what stands before a text.
        self.space, self.start = "", ""
        check_tokenizer(tokenizer)
        if tokenizer.is_fast:
            self.fast = copy.deepcopy(tokenizer.backend_tokenizer)
            self.space, self.start = _without_prefix(self.fast)
            self.fast.no_truncation()
            self.fast.no_padding()
        else:
            self.slow = tokenizer

    def of_span(self, span: Span) -> List[Pieces]:
        """RETURNS (List[Pieces]): The word pieces of each token."""
        if not self.space:
            return [self[token.text] for token in span]
        pieces, prefix, last = [], self.start, len(span) - 1
        for i, token in enumerate(span):
            text = token.text
            key = self._spaces(prefix, text, i == last) if text.isspace() else prefix + text
            pieces.append(self[key])
            prefix = self.space if token.whitespace_ or self._is_space(text[-1:]) else ""
        return pieces

    def _spaces(self, prefix: str, text: str, is_last: bool) -> str:
        """RETURNS (str): What is read of a token of white space. The last space before a word
        belongs to the word."""
        if self.space != " ":
            return text
        run = prefix + text
        return run if is_last or run[-1] != " " else run[:-1] or text

    def _is_space(self, character: str) -> bool:
        """Byte-level vocabularies have word pieces for line breaks, others read them as spaces."""
        return character == " " if self.space == " " else character.isspace()

    def __missing__(self, word: str) -> Pieces:
        ids: List[int] = []
        strings: List[str] = []
        for part in self._parts(word):
            if self.fast is not None:
                # Not in batches: the threads that these start cost more than a few new words.
                found = self.fast.encode(part, add_special_tokens=False)
                ids += found.ids
                strings += found.tokens
            else:
                strings += self.slow.tokenize(part)
        if self.slow is not None:
            ids = self.slow.convert_tokens_to_ids(strings)
        # Spaces and control characters have no word piece of their own in most vocabularies.
        self[word] = Pieces(ids, strings) if ids else self.unknown
        return self[word]

    def _parts(self, word: str) -> List[str]:
        """RETURNS (List[str]): The words of a token that has spaces inside, as merged ones have,
        where a vocabulary has a sign for the space."""
        words = word.split() if self.space.strip() else []
        return [words[0], *(self.space + x for x in words[1:])] if len(words) > 1 else [word]


def check_tokenizer(tokenizer: Any) -> None:
    """RAISES (ValueError): It is a slow tokenizer whose vocabulary is no WordPiece vocabulary."""
    if not tokenizer.is_fast and not hasattr(tokenizer, "wordpiece_tokenizer"):
        raise ValueError(Errors.E406.format(tokenizer=type(tokenizer).__name__))


def _unknown(tokenizer: Any) -> Pieces:
    """RETURNS (Pieces): What stands for a token without word pieces."""
    for kind in ("unk", "mask", "sep", "eos", "cls", "bos", "pad"):
        found = getattr(tokenizer, f"{kind}_token_id", None)
        if found is not None:
            return Pieces([found], [getattr(tokenizer, f"{kind}_token")])
    return Pieces([0], [tokenizer.convert_ids_to_tokens(0)])


def _without_prefix(backend: Tokenizer) -> Tuple[str, str]:
    """Keep a tokenizer from putting a space before each text that it is given.

    RETURNS (Tuple[str, str]): As `_take_prefix`.
    """
    names = [x for x in ("normalizer", "pre_tokenizer") if getattr(backend, x) is not None]
    # The settings are those of a tokenizer without the vocabulary, which may be large.
    shell = Tokenizer(BPE())
    for name in names:
        setattr(shell, name, getattr(backend, name))
    settings = json.loads(shell.to_str())
    found = _take_prefix(settings)
    if found[0]:
        shell = Tokenizer.from_str(json.dumps(settings))
        for name in names:
            setattr(backend, name, getattr(shell, name))
    return found


def _take_prefix(settings: Dict[str, Any]) -> Tuple[str, str]:
    """Take out of a tokenizer's settings what puts a space before a text.

    settings (Dict[str, Any]): Of the tokenizer. Changed in place.
    RETURNS (Tuple[str, str]): The sign of a space in front of a word, and what the tokenizer would
        have put before a text. Both are "" if its vocabulary knows no spaces.
    """
    space = start = ""
    for part in _walk(settings["normalizer"]):
        if part["type"] == "Prepend":
            space = start = part["prepend"]
            part.clear()
            part.update(type="Sequence", normalizers=[])
        elif part["type"] == "Replace" and part["pattern"] == {"String": " "} and part["content"]:
            space = part["content"]
        elif part["type"] == "ByteLevel":
            space = " "
    for part in _walk(settings["pre_tokenizer"]):
        if part["type"] == "Metaspace":
            space = part["replacement"]
            start = start if part["prepend_scheme"] == "never" else space
            part["prepend_scheme"] = "never"
        elif part["type"] == "ByteLevel":
            space = " "
            start = space if part["add_prefix_space"] else start
            part["add_prefix_space"] = False
    return space, start


def _walk(part: Optional[Dict[str, Any]]) -> Iterator[Dict[str, Any]]:
    """YIELDS (Dict[str, Any]): The settings of a normalizer or pre-tokenizer, or of its parts."""
    if part is None:
        return
    if part["type"] != "Sequence":
        yield part
    for inner in [*part.get("normalizers", ()), *part.get("pretokenizers", ())]:
        yield from _walk(inner)


_SPLITTERS: "WeakKeyDictionary[Any, Splitter]" = WeakKeyDictionary()


class Reading(NamedTuple):
    """A part of a Doc that is read at once.

    doc: Which Doc.
    span: The tokens.
    pieces: Their word pieces.
    taken: Which of the tokens get their vectors from here. Others are context: another reading has
        more of it for them. [n_taken]
    """

    doc: int
    span: Span
    pieces: List[Pieces]
    taken: Any


def read_spans(
    tokenizer: Any, nested: List[List[Span]], limit: Optional[int], stride: Optional[int] = None
) -> List[Reading]:
    """Split the spans of each Doc into word pieces.

    nested (List[List[Span]]): The spans of each Doc.
    limit (Optional[int]): How many word pieces the transformer can read at once, special tokens
        left out; None for any number.
    stride (Optional[int]): Word pieces from one window to the next where a span is longer.
    RETURNS (List[Reading]): The spans, in overlapping windows where they are longer.
    """
    splitter = splitter_of(tokenizer)
    readings = []
    for i, spans in enumerate(nested):
        for span in spans:
            pieces = splitter.of_span(span)
            for part in divide([len(x.ids) for x in pieces], limit, stride):
                readings.append(_reading(i, span, pieces, part, limit))
    return readings


def _reading(
    doc: int, span: Span, pieces: List[Pieces], part: Part, limit: Optional[int]
) -> Reading:
    own = pieces[part.start : part.end]
    whole = part.end - part.start == len(pieces)
    if limit is not None and len(own) == 1 and len(own[0].ids) > limit:
        own = [Pieces(own[0].ids[:limit], own[0].strings[:limit])]
    return Reading(doc, span if whole else span[part.start : part.end], own, part.taken)


def splitter_of(tokenizer: Any) -> Splitter:
    """RETURNS (Splitter): Of a tokenizer; there is one for each."""
    if tokenizer not in _SPLITTERS:
        _SPLITTERS[tokenizer] = Splitter(tokenizer)
    splitter = _SPLITTERS[tokenizer]
    if len(splitter) > _MAX_KEPT:
        splitter.clear()
    return splitter
