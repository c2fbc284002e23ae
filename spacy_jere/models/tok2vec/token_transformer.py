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
from typing import Any, Callable, ContextManager, Dict, List, Optional, Tuple, cast

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
from .encoder_input import frame_of, make_rows, max_pieces_of
from .pretrained import load_pretrained
from .transformer_shim import TransformerShim
from .word_pieces import Reading, check_tokenizer, read_spans

# Others, such as what decoders keep for the next word, aren't made of one row for each sequence.
_OUTPUTS = ("last_hidden_state", "pooler_output", "hidden_states", "attentions")
# Word pieces, padding included, that are read at once in prediction.
_PIECES_AT_ONCE = 1 << 13
# The first DeBERTa masks with a number that bfloat16 can't hold.
_NO_BFLOAT16 = ("deberta",)
_FILE = "The saved model of the transformer component (its file 'model')"


class TokenTransformer(StoredModel[List[Doc], Any], TransformerModel):
    """The arguments are those of `build_transformer_model_v1`."""

    from_config = ("name", "bfloat16", "stride", "gradient_checkpointing")

    def __init__(
        self,
        name: str,
        get_spans: Callable[[List[Doc]], List[List[Span]]],
        tokenizer_config: Dict[str, Any],
        transformer_config: Dict[str, Any],
        mixed_precision: bool,
        grad_scaler_config: Dict[str, Any],
        bfloat16: bool,
        stride: Optional[int],
        gradient_checkpointing: bool,
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
                "stride": stride,
                "gradient_checkpointing": gradient_checkpointing,
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
    def max_pieces(self) -> Optional[int]:
        """How many word pieces the transformer reads at once, special tokens included; None for any
        number."""
        return max_pieces_of(self.tokenizer, self.transformer)


def _init(model: Any, X: Any = None, Y: Any = None) -> Any:
    if not model.attrs["has_transformer"]:
        own = model.layers[0].shims[0]._hfmodel
        found = load_pretrained(
            model.attrs["name"], own._init_tokenizer_config, own._init_transformer_config
        )
        check_tokenizer(found.tokenizer)
        kind = found.transformer.config.model_type
        if model.attrs["bfloat16"] and kind in _NO_BFLOAT16:
            raise ValueError(Errors.E453.format(name=model.attrs["name"], kind=kind))
        model.attrs["set_transformer"](model, found)
        _set_checkpointing(model)
    return model


def _set_checkpointing(model: Any) -> None:
    """RAISES (ValueError): The transformer can't do it."""
    wanted, transformer = model.attrs["gradient_checkpointing"], model.transformer
    if transformer.is_gradient_checkpointing == wanted:
        return
    if not wanted:
        transformer.gradient_checkpointing_disable()
    elif transformer.supports_gradient_checkpointing:
        transformer.gradient_checkpointing_enable({"use_reentrant": False})
    else:
        kind = transformer.config.model_type
        raise ValueError(Errors.E454.format(name=model.attrs["name"], kind=kind))


def _refuse_replacement(model: Any) -> Any:
    raise ValueError(Errors.E407)


def _forward(model: Any, docs: List[Doc], is_train: bool) -> Tuple[Any, Callable[[Any], List[Doc]]]:
    readings = _read(model, docs)
    rows = make_rows(model.tokenizer, model.transformer, readings)
    wordpieces = WordpieceBatch(rows.strings, rows.ids, rows.mask, rows.lengths, rows.types)
    if is_train:
        _set_checkpointing(model)
    with _precision(model):
        if is_train or model.layers[0].shims[0]._mixed_precision:
            output, backprop_output = model.layers[0](wordpieces, is_train)
        else:
            output, backprop_output = _predict(model.transformer, wordpieces), _no_backprop
    n_before = len(frame_of(model.tokenizer).before.ids)
    align, data = _split(docs, readings, wordpieces, output, n_before)
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


def _read(model: Any, docs: List[Doc]) -> List[Reading]:
    frame, limit = frame_of(model.tokenizer), model.max_pieces
    if limit is not None:
        limit -= len(frame.before.ids) + len(frame.after.ids)
    spans = model.attrs["get_spans"](docs)
    return read_spans(model.tokenizer, spans, limit, model.attrs["stride"])


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
    """What the layer of spacy-transformers does, without a change of all modules' mode and back.
    Many sequences, such as the windows of a long text, are read in parts."""
    if transformer.training:
        transformer.eval()
    given = {
        "input_ids": wordpieces.input_ids,
        "attention_mask": wordpieces.attention_mask,
        "token_type_ids": wordpieces.token_type_ids,
    }
    inputs = {
        key: torch.as_tensor(x, device=transformer.device)
        for key, x in given.items()
        if x is not None
    }
    n_rows, n_pieces = wordpieces.input_ids.shape
    at_once = max(1, _PIECES_AT_ONCE // max(1, n_pieces))
    with torch.no_grad():
        if n_rows <= at_once:
            return transformer(**inputs)
        parts = [
            transformer(**{key: x[i : i + at_once] for key, x in inputs.items()})
            for i in range(0, n_rows, at_once)
        ]
    names = [key for key in _OUTPUTS if parts[0].get(key) is not None]
    return ModelOutput({key: _joined([part[key] for part in parts]) for key in names})


def _joined(values: List[Any]) -> Any:
    if isinstance(values[0], tuple):
        return tuple(torch.cat(x) for x in zip(*values))
    return torch.cat(values)


def _no_backprop(d_output: Any) -> None:
    return None


def _split(
    docs: List[Doc], readings: List[Reading], wordpieces: Any, output: Any, n_before: int
) -> Tuple[Ragged, List[Any]]:
    """n_before: Special tokens in front of each sequence.
    RETURNS: The alignment of the batch, and TransformerData of each Doc."""
    n_pieces = wordpieces.input_ids.shape[1]
    states = {key: _arrays(output[key]) for key in _OUTPUTS if output.get(key) is not None}
    n_readings = numpy.bincount([r.doc for r in readings], minlength=len(docs)).tolist()
    data, aligned, row = [], [], 0
    for doc, n in zip(docs, n_readings):
        if not n:
            data.append(TransformerData.empty())
            aligned.append(_alignment(len(doc), [], n_pieces, n_before))
            continue
        own = slice(row, row + n)
        align = _alignment(len(doc), readings[own], n_pieces, n_before)
        state = ModelOutput({key: _part(value, own) for key, value in states.items()})
        data.append(TransformerData(wordpieces[own], state, align))
        aligned.append(Ragged(cast(Any, align.dataXd + row * n_pieces), align.lengths))
        row += n
    whole = Ragged(
        cast(Any, numpy.concatenate([x.dataXd for x in aligned])),
        cast(Any, numpy.concatenate([x.lengths for x in aligned])),
    )
    return whole, data


def _alignment(n_tokens: int, readings: List[Reading], n_pieces: int, n_before: int) -> Ragged:
    """RETURNS: For each token of a Doc its word pieces in all readings that it is taken from,
    counted row by row."""
    tokens: List[Array1d] = [numpy.zeros(0, dtype="int64")]
    places: List[Array1d] = [numpy.zeros(0, dtype="int64")]
    for row, reading in enumerate(readings):
        sizes = numpy.asarray([len(x.ids) for x in reading.pieces])
        own = numpy.repeat(numpy.arange(len(sizes)), sizes)
        place = row * n_pieces + n_before + numpy.arange(len(own))
        if len(reading.taken) < len(sizes):
            taken = numpy.isin(own, reading.taken)
            own, place = own[taken], place[taken]
        tokens.append(reading.span.start + own)
        places.append(place)
    token = numpy.concatenate(tokens)
    order = numpy.argsort(token, kind="stable")
    lengths = numpy.bincount(token, minlength=n_tokens)
    ordered = numpy.concatenate(places)[order]
    return Ragged(cast(Any, ordered.reshape((-1, 1)).astype("i")), cast(Any, lengths.astype("i")))


def _arrays(value: Any) -> Any:
    """RETURNS: Arrays in place of tensors, lists of them in place of tuples."""
    if isinstance(value, tuple):
        return [_arrays(x) for x in value]
    return torch2xp(value.float())


def _part(value: Any, rows: slice) -> Any:
    return [x[rows] for x in value] if isinstance(value, list) else value[rows]
