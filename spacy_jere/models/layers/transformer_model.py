"""`spacy-jere.TransformerModel.v1`: the transformer of spacy-transformers, read token by token.

Each token is split into word pieces by itself, as SpERT and most models of tokens do it: its word pieces don't depend on its
neighbours, it has at least one, and the alignment is known without a search. What is longer than the transformer can
read is cut between tokens, so that nothing is left out. The gradient goes through every hidden state that listeners read.
"""

import copy
from collections import defaultdict
from contextlib import nullcontext
from functools import partial
from typing import Any, Callable, ContextManager, Dict, List, NamedTuple, Tuple, cast
from weakref import WeakKeyDictionary

import numpy
import torch
from spacy.tokens import Doc, Span
from thinc.api import Model, PyTorchShim, torch2xp, xp2torch
from thinc.types import ArgsKwargs, Ragged

from ...errors import Errors
from ..shim import use_averages
from ..types import Array1d

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


def build_transformer_model_v1(
    name: str,
    get_spans: Callable[[List[Doc]], List[List[Span]]],
    tokenizer_config: Dict[str, Any] = {},  # noqa: B006
    transformer_config: Dict[str, Any] = {},  # noqa: B006
    mixed_precision: bool = False,
    grad_scaler_config: Dict[str, Any] = {},  # noqa: B006
    bfloat16: bool = False,
) -> Model[List[Doc], Any]:
    """Build the model of a `transformer` component. All but the last setting are those of
    `spacy-transformers.TransformerModel.v3`.

    name (str): A model with a WordPiece vocabulary, such as BERT, by hub name or folder.
    get_spans (Callable): Which parts of the Docs are read together, such as `spacy-jere.window_spans.v1`.
    bfloat16 (bool): Compute in bfloat16 where that is safe (autocast), on the CPU or a GPU. It halves the time on
        processors with AVX512-BF16 or AMX, and slows down others.
    """
    from spacy_transformers.layers.transformer_model import TransformerModel

    model = TransformerModel(
        name,
        get_spans,
        dict(tokenizer_config),
        dict(transformer_config),
        mixed_precision,
        dict(grad_scaler_config),
    )
    model._func = _forward
    shim = cast(PyTorchShim, model.layers[0].shims[0])
    shim.use_params = partial(use_averages, shim)  # type: ignore[method-assign]
    model.layers[0].attrs["convert_outputs"] = _convert_outputs
    model.attrs["bfloat16"] = bfloat16
    model.attrs["replace_listener"] = _refuse_replacement
    return cast(Model[List[Doc], Any], model)


def create_window_spans_v1() -> Callable[[List[Doc]], List[List[Span]]]:
    """RETURNS: A span getter for what a joint model reads together: each sentence where boundaries are set, else the Doc."""
    return window_spans


def window_spans(docs: List[Doc]) -> List[List[Span]]:
    """RETURNS (List[List[Span]]): The sentences of each Doc, or the whole of it; none of an empty one."""
    return [
        list(doc.sents) if doc.has_annotation("SENT_START") else [doc[:]] if len(doc) else []
        for doc in docs
    ]


def _refuse_replacement(model: Any) -> Any:
    raise ValueError(Errors.E407)


def _forward(model: Any, docs: List[Doc], is_train: bool) -> Tuple[Any, Callable[[Any], List[Doc]]]:
    from spacy_transformers.data_classes import FullTransformerBatch

    spans = model.attrs["get_spans"](docs)
    readings = _readings(model, spans)
    wordpieces = _wordpieces(model.tokenizer, readings)
    with _precision(model):
        if is_train or model.layers[0].shims[0]._mixed_precision:
            output, backprop_output = model.layers[0](wordpieces, is_train)
        else:
            output, backprop_output = _predict(model.transformer, wordpieces), _no_backprop
    align, data = _split(docs, readings, wordpieces, output)
    nested: List[List[Span]] = [[] for _ in docs]
    for reading in readings:
        nested[reading.doc].append(reading.span)
    batch = FullTransformerBatch(nested, wordpieces, output, align, data)
    if is_train:
        _make_room_for_gradients(data)

    def backprop(d_batch: Any) -> List[Doc]:
        (d_last,) = d_batch.model_output.values()
        backprop_output({-1: d_last, **_collected_gradients(data)})
        return docs

    return batch, backprop


def _make_room_for_gradients(data: List[Any]) -> None:
    """Lets listeners send back a gradient for any hidden state: they add it to `d_hidden_states` of a Doc's data, by the
    number of the state. What they return is for the last state alone; spacy-transformers knows no others."""
    for x in data:
        x.d_hidden_states = defaultdict(float)


def _collected_gradients(data: List[Any]) -> Dict[int, torch.Tensor]:
    """RETURNS: By number of the state, of all Docs. [n_sequences, n_pieces, width]"""
    collected = [x.d_hidden_states for x in data if x.d_hidden_states]
    numbers = list(collected[0]) if collected else []
    return {i: torch.cat([xp2torch(x[i]) for x in collected]) for i in numbers}


def _convert_outputs(
    model: Any, inputs_outputs: Tuple[Any, Any], is_train: bool
) -> Tuple[Any, Callable[[Dict[int, torch.Tensor]], ArgsKwargs]]:
    """As in spacy-transformers, for gradients of several states: by number, -1 for the last one."""
    output = inputs_outputs[1]

    def backprop(gradients: Dict[int, torch.Tensor]) -> ArgsKwargs:
        states = [
            output.last_hidden_state if i == -1 else output.hidden_states[i] for i in gradients
        ]
        d_states = [d_state.to(x.dtype) for x, d_state in zip(states, gradients.values())]
        return ArgsKwargs(args=(states,), kwargs={"grad_tensors": d_states})

    return output, backprop


def _precision(model: Any) -> ContextManager[Any]:
    if not model.attrs["bfloat16"]:
        return nullcontext()
    return torch.autocast(model.transformer.device.type, torch.bfloat16)


def _predict(transformer: Any, wordpieces: Any) -> Any:
    """What the layer of spacy-transformers does, without going through all modules to change their mode and back."""
    if transformer.training:
        transformer.eval()
    device = transformer.device
    inputs = {
        "input_ids": torch.as_tensor(wordpieces.input_ids, device=device),
        "attention_mask": torch.as_tensor(wordpieces.attention_mask, device=device),
    }
    if wordpieces.token_type_ids is not None:
        inputs["token_type_ids"] = torch.as_tensor(wordpieces.token_type_ids, device=device)
    with torch.no_grad():
        return transformer(**inputs)


def _no_backprop(d_output: Any) -> None:
    return None


def _readings(model: Any, nested: List[List[Span]]) -> List[Reading]:
    """The spans with their word pieces, cut where they are longer than the transformer can read."""
    tokenizer = model.tokenizer
    n_special = tokenizer.num_special_tokens_to_add()
    positions = getattr(model.transformer.config, "max_position_embeddings", None)
    limit = min(tokenizer.model_max_length, positions or tokenizer.model_max_length) - n_special
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
    """RETURNS: Token offsets of parts with at most `limit` word pieces, or with one token that has more."""
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


def _wordpieces(tokenizer: Any, readings: List[Reading]) -> Any:
    """RETURNS (WordpieceBatch): Padded, with special tokens."""
    from spacy_transformers.data_classes import WordpieceBatch

    before, after = [tokenizer.cls_token_id], [tokenizer.sep_token_id]
    rows = [[*before, *(i for x in r.pieces for i in x.ids), *after] for r in readings]
    lengths = [len(row) for row in rows]
    longest = max(lengths, default=0)
    ids = numpy.full((len(rows), longest), tokenizer.pad_token_id, dtype="int64")
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
    strings = [
        [
            tokenizer.cls_token,
            *(x for token in r.pieces for x in token.strings),
            tokenizer.sep_token,
            *([tokenizer.pad_token] * (longest - length)),
        ]
        for r, length in zip(readings, lengths)
    ]
    mask = numpy.arange(longest) < numpy.asarray(lengths).reshape((-1, 1))
    types = numpy.zeros_like(ids) if "token_type_ids" in tokenizer.model_input_names else None
    return WordpieceBatch(
        strings, cast(Any, ids), cast(Any, mask.astype("f")), lengths, cast(Any, types)
    )


def _split(
    docs: List[Doc], readings: List[Reading], wordpieces: Any, output: Any
) -> Tuple[Ragged, List[Any]]:
    """RETURNS: The alignment of the batch, and TransformerData of each Doc."""
    from spacy_transformers.data_classes import TransformerData
    from transformers.file_utils import ModelOutput

    n_pieces = wordpieces.input_ids.shape[1]
    states = {key: _arrays(value) for key, value in output.items() if value is not None}
    n_readings = numpy.bincount([r.doc for r in readings], minlength=len(docs)).tolist()
    data, aligned, row = [], [], 0
    for doc, n in zip(docs, n_readings):
        if not n:
            data.append(TransformerData.empty())
            aligned.append(_alignment(len(doc), [], n_pieces))
            continue
        own = slice(row, row + n)
        align = _alignment(len(doc), readings[own], n_pieces)
        state = ModelOutput({key: _part(value, own) for key, value in states.items()})
        data.append(TransformerData(wordpieces[own], state, align))
        aligned.append(Ragged(cast(Any, align.dataXd + row * n_pieces), align.lengths))
        row += n
    whole = Ragged(
        cast(Any, numpy.concatenate([x.dataXd for x in aligned])),
        cast(Any, numpy.concatenate([x.lengths for x in aligned])),
    )
    return whole, data


def _alignment(n_tokens: int, readings: List[Reading], n_pieces: int) -> Ragged:
    """RETURNS: For each token of a Doc the word pieces it has in all readings, counted row by row."""
    tokens: List[Array1d] = [numpy.zeros(0, dtype="int64")]
    places: List[Array1d] = [numpy.zeros(0, dtype="int64")]
    for row, reading in enumerate(readings):
        sizes = [len(x.ids) for x in reading.pieces]
        own = numpy.arange(reading.span.start, reading.span.end)
        tokens.append(numpy.repeat(own, sizes))
        places.append(row * n_pieces + 1 + numpy.arange(sum(sizes)))
    token = numpy.concatenate(tokens)
    order = numpy.argsort(token, kind="stable")
    lengths = numpy.bincount(token, minlength=n_tokens)
    place = numpy.concatenate(places)[order]
    return Ragged(cast(Any, place.reshape((-1, 1)).astype("i")), cast(Any, lengths.astype("i")))


def _arrays(value: Any) -> Any:
    """RETURNS: Arrays in place of tensors; what is neither a tensor nor a tuple of them is left out."""
    if isinstance(value, tuple):
        return [_arrays(x) for x in value]
    return torch2xp(value.float())


def _part(value: Any, rows: slice) -> Any:
    return [x[rows] for x in value] if isinstance(value, list) else value[rows]
