"""The transformer of spacy-transformers with a forward pass of its own.

It reads tokens one by one, and its gradient goes through every hidden state that listeners read.
Only `transformer_model.py` imports this module, when such a model is built.

Private names of other libraries in this file:

| name | of | checked with |
|---|---|---|
| `layers.transformer_model._convert_transformer_inputs` | spacy-transformers | 1.4.0 |
| `TransformerModel._init_tokenizer_config` and its twin | spacy-transformers | 1.4.0 |
| `HFShim._mixed_precision`, `HFShim._hfmodel` | spacy-transformers | 1.4.0 |
| `d_hidden_states`, an attribute that we add to `TransformerData` | spacy-transformers | 1.4.0 |
"""

from collections import defaultdict
from contextlib import nullcontext
from typing import Any, Callable, ContextManager, Dict, List, Tuple, cast

import numpy
import torch
from spacy.tokens import Doc, Span
from spacy_transformers.data_classes import (
    FullTransformerBatch,
    HFObjects,
    TransformerData,
    WordpieceBatch,
)
from spacy_transformers.layers.transformer_model import (
    TransformerModel,
    _convert_transformer_inputs,
    set_pytorch_transformer,
)
from thinc.api import Model, torch2xp, xp2torch
from thinc.layers.pytorchwrapper import forward as forward_torch
from thinc.types import ArgsKwargs, Ragged
from transformers.file_utils import ModelOutput

from ...errors import Errors
from ..storage import LoadError, naming
from ..stored_model import StoredModel
from ..types import Array1d
from .transformer_shim import TransformerShim, load_pretrained
from .word_pieces import Reading, read_spans

_FILE = "The saved model of the transformer component (its file 'model')"


class TokenTransformer(StoredModel[List[Doc], Any], TransformerModel):
    """The arguments are those of `build_transformer_model_v1`."""

    from_config = ("name", "bfloat16")

    def __init__(
        self,
        name: str,
        get_spans: Callable[[List[Doc]], List[List[Span]]],
        tokenizer_config: Dict[str, Any],
        transformer_config: Dict[str, Any],
        mixed_precision: bool,
        grad_scaler_config: Dict[str, Any],
        bfloat16: bool,
    ):
        shim = TransformerShim(
            HFObjects(None, None, None, tokenizer_config, transformer_config),
            mixed_precision=mixed_precision,
            grad_scaler_config=grad_scaler_config,
        )
        wrapper: Model[Any, Any] = Model(
            "hf-pytorch",
            forward_torch,
            attrs={
                "convert_inputs": _convert_transformer_inputs,
                "convert_outputs": _convert_outputs,
            },
            shims=[shim],
            dims={"nI": None, "nO": None},
        )
        Model.__init__(
            self,
            "transformer",
            _forward,
            init=_init,
            layers=[wrapper],
            dims={"nO": None},
            attrs={
                "get_spans": get_spans,
                "name": name,
                "set_transformer": set_pytorch_transformer,
                "has_transformer": False,
                "replace_listener": _refuse_replacement,
                "bfloat16": bfloat16,
            },
        )

    def from_bytes(self, bytes_data: bytes) -> "TokenTransformer":
        with naming(_FILE):
            super().from_bytes(bytes_data)
        return self

    def check_loaded(self, kept: Dict[str, Any], checked: bool) -> None:
        width = self.get_dim("nO") if self.has_dim("nO") else None
        built = self.transformer is not None
        if self.attrs["has_transformer"] != built:
            raise LoadError(Errors.E440, reason="its transformer is missing")
        if built and width != self.transformer.config.hidden_size:
            raise LoadError(Errors.E441, reason=f"its vectors are not {width} wide")

    @property
    def _init_tokenizer_config(self) -> Dict[str, Any]:
        """The component of spacy-transformers asks for it where the file is a folder, in order to
        load that as a hub model. This model has never been saved as a folder."""
        raise LoadError(Errors.E440, file=_FILE, reason="it is a folder, or you may not read it")

    _init_transformer_config = _init_tokenizer_config

    @property
    def max_pieces(self) -> int:
        """How many word pieces the transformer reads at once, special tokens included."""
        limit: int = self.tokenizer.model_max_length
        positions = getattr(self.transformer.config, "max_position_embeddings", None)
        return min(limit, positions or limit)


def _init(model: Any, X: Any = None, Y: Any = None) -> Any:
    if not model.attrs["has_transformer"]:
        own = model.layers[0].shims[0]._hfmodel
        found = load_pretrained(
            model.attrs["name"], own._init_tokenizer_config, own._init_transformer_config
        )
        model.attrs["set_transformer"](model, found)
    return model


def _refuse_replacement(model: Any) -> Any:
    raise ValueError(Errors.E407)


def _forward(model: Any, docs: List[Doc], is_train: bool) -> Tuple[Any, Callable[[Any], List[Doc]]]:
    spans = model.attrs["get_spans"](docs)
    readings = read_spans(model.tokenizer, spans, model.max_pieces)
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
    """Let listeners send back a gradient for any hidden state.

    They add it to `d_hidden_states` of a Doc's data, by the number of the state. What they return
    is for the last state alone; spacy-transformers knows no others.
    """
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
    """As in spacy-transformers, for gradients of several states by number; -1 is the last state."""
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
    """What the layer of spacy-transformers does, without a change of all modules' mode and back."""
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


def _wordpieces(tokenizer: Any, readings: List[Reading]) -> Any:
    """RETURNS (WordpieceBatch): Padded, with special tokens."""
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
    """RETURNS: For each token of a Doc its word pieces in all readings, counted row by row."""
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
    """RETURNS: Arrays in place of tensors, lists of them in place of tuples."""
    if isinstance(value, tuple):
        return [_arrays(x) for x in value]
    return torch2xp(value.float())


def _part(value: Any, rows: slice) -> Any:
    return [x[rows] for x in value] if isinstance(value, list) else value[rows]
