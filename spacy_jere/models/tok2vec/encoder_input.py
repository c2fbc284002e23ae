"""What an encoder of transformers wants to read: special tokens, padding, token types, lengths.

Private names of other libraries in this file:

| name | of | checked with |
|---|---|---|
| modules called `position_embeddings`, their `padding_idx` | transformers | 4.53.2 |
| `relative_attention` and `rope_theta` of configs | transformers | 4.53.2 |
"""

import inspect
from typing import Any, List, NamedTuple, Optional
from weakref import WeakKeyDictionary

import numpy
from torch import nn

from .word_pieces import Pieces, Reading, splitter_of

# Tokenizers without a limit have one of 10^30.
_NO_LIMIT = 10**9


class Frame(NamedTuple):
    """What a tokenizer puts around a text.

    before, after: Special tokens, such as [CLS] and [SEP]; there may be none.
    types: The token types of what stands before, of the text, and of what stands after.
    """

    before: Pieces
    after: Pieces
    types: List[List[int]]


class Rows(NamedTuple):
    """Padded sequences for an encoder.

    ids, mask, types: [n_sequences, n_pieces]; types are None where the encoder takes none.
    strings: As the ids.
    lengths: Without padding. [n_sequences]
    """

    ids: Any
    mask: Any
    types: Any
    strings: List[List[str]]
    lengths: List[int]


_FRAMES: "WeakKeyDictionary[Any, Frame]" = WeakKeyDictionary()


def frame_of(tokenizer: Any) -> Frame:
    """RETURNS (Frame): Of a tokenizer, from its own template."""
    if tokenizer not in _FRAMES:
        _FRAMES[tokenizer] = _find_frame(tokenizer)
    return _FRAMES[tokenizer]


def _find_frame(tokenizer: Any) -> Frame:
    splitter = splitter_of(tokenizer)
    if splitter.fast is not None:
        encoding = _framed(splitter.fast)
        ids, strings, types = encoding.ids, encoding.tokens, encoding.type_ids
        special = encoding.special_tokens_mask
    else:
        inner = [splitter.unknown.ids[0]]
        ids = tokenizer.build_inputs_with_special_tokens(inner)
        strings = tokenizer.convert_ids_to_tokens(ids)
        types = tokenizer.create_token_type_ids_from_sequences(inner)
        special = tokenizer.get_special_tokens_mask(inner)
    first = special.index(0)
    end = len(special) - special[::-1].index(0)
    return Frame(
        Pieces(ids[:first], strings[:first]),
        Pieces(ids[end:], strings[end:]),
        [types[:first], types[first : first + 1], types[end:]],
    )


def _framed(backend: Any) -> Any:
    """RETURNS (Encoding): Of some word, with special tokens around it."""
    for word in ("a", "A", "0", *backend.get_vocab(with_added_tokens=False)):
        encoding = backend.encode(word)
        if 0 in encoding.special_tokens_mask:
            return encoding
    raise ValueError("its tokenizer makes no word pieces")


_POSITIONS: "WeakKeyDictionary[nn.Module, Optional[int]]" = WeakKeyDictionary()


def max_pieces_of(tokenizer: Any, transformer: Any) -> Optional[int]:
    """RETURNS (Optional[int]): How many word pieces an encoder can read at once, special tokens
    included; None for any number."""
    if transformer not in _POSITIONS:
        _POSITIONS[transformer] = _n_positions(transformer)
    positions, wanted = _POSITIONS[transformer], tokenizer.model_max_length
    limits = [positions] if positions is not None else []
    config = transformer.config
    if wanted < _NO_LIMIT:
        limits.append(wanted)
        if _is_relative(config):
            limits = [wanted]
    return min(limits, default=None)


def _n_positions(transformer: Any) -> Optional[int]:
    """RETURNS (Optional[int]): How many pieces have a position: as many as the table has rows, but
    for those up to the padding's; else what the config says."""
    counts = [
        module.num_embeddings - (0 if module.padding_idx is None else module.padding_idx + 1)
        for name, module in transformer.named_modules()
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding)
    ]
    said = getattr(transformer.config, "max_position_embeddings", None)
    return min(counts, default=said if said and said > 0 else None)


def _is_relative(config: Any) -> bool:
    """RETURNS (bool): Whether any number of positions can be read, whatever it was trained with."""
    relative = getattr(config, "relative_attention", False)
    absolute_too = relative and getattr(config, "position_biased_input", True)
    rotary = any(hasattr(config, x) for x in ("rope_theta", "global_rope_theta"))
    return bool(rotary or (relative and not absolute_too))


def make_rows(tokenizer: Any, transformer: Any, readings: List[Reading]) -> Rows:
    """Put special tokens around what is read, and pad it to one length.

    RETURNS (Rows): One for each reading.
    """
    frame, (pad_id, pad) = frame_of(tokenizer), _padding(tokenizer, transformer.config)
    rows = [
        [*frame.before.ids, *(i for x in r.pieces for i in x.ids), *frame.after.ids]
        for r in readings
    ]
    lengths = [len(row) for row in rows]
    longest = max(lengths, default=0)
    ids = numpy.full((len(rows), longest), pad_id, dtype="int64")
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
    strings = [
        [
            *frame.before.strings,
            *(x for token in r.pieces for x in token.strings),
            *frame.after.strings,
            *([pad] * (longest - length)),
        ]
        for r, length in zip(readings, lengths)
    ]
    mask = (numpy.arange(longest) < numpy.asarray(lengths).reshape((-1, 1))).astype("f")
    types = None
    if _takes_types(tokenizer, transformer):
        types = _token_types(frame, lengths, ids.shape)
    return Rows(ids, mask, types, strings, lengths)


def _takes_types(tokenizer: Any, transformer: Any) -> bool:
    known = "token_type_ids" in inspect.signature(transformer.forward).parameters
    return known and "token_type_ids" in tokenizer.model_input_names


def _token_types(frame: Frame, lengths: List[int], shape: Any) -> Any:
    before, (own,), after = frame.types
    types = numpy.zeros(shape, dtype="int64")
    if own or any(before) or any(after):
        for row, length in zip(types, lengths):
            row[:length] = own
            row[: len(before)] = before
            row[length - len(after) : length] = after
    return types


def _padding(tokenizer: Any, config: Any) -> Any:
    """RETURNS (Tuple[int, str]): The id, and how it is written. It is masked: any id will do."""
    if tokenizer.pad_token_id is not None:
        return tokenizer.pad_token_id, tokenizer.pad_token
    found = getattr(config, "pad_token_id", None)
    return (found, "[PAD]") if found is not None and found >= 0 else (0, "[PAD]")
