"""`spacy-jere.TransformerListener.v1`: token vectors from a `transformer` component.

Like the listener of spacy-transformers, and able to read several of the transformer's layers: as a
learned weighted average (Peters et al. 2018, arXiv 1802.05365, equation 1), or side by side.

Private names of other libraries in this file:

| name | of | checked with |
|---|---|---|
| `thinc.layers.chain.forward`, `.init` | Thinc | 8.3.14 |
| node name `trfs2arrays`, which `replace_listeners` leaves behind | spacy-transformers | 1.4.0 |
"""

import warnings
from typing import Any, Callable, List, Literal, Optional, Tuple, cast

import numpy
from spacy.tokens import Doc
from thinc.api import Model
from thinc.layers.chain import forward as chain_forward
from thinc.layers.chain import init as chain_init
from thinc.types import Floats2d, Ragged

from ...errors import Errors, Warnings
from ..types import Array1d

Combine = Literal["mean", "concatenate"]


def build_transformer_listener_v1(
    pooling: Model[Ragged, Floats2d],
    layers: Optional[List[int]] = None,
    combine: Combine = "mean",
    grad_factor: float = 1.0,
    upstream: str = "*",
    context: bool = False,
) -> Model[List[Doc], List[Floats2d]]:
    """Listen to a transformer.

    pooling (Model[Ragged, Floats2d]): How a token's word pieces become one vector, such as
        `reduce_mean.v1`.
    layers (Optional[List[int]]): Hidden states to read: 0 are the embeddings, -1 is the last layer.
        The transformer must give them: `transformer_config = {"output_hidden_states": true}`. Their
        gradients reach a `spacy-jere.TransformerModel.v1`; any other transformer gets the gradient
        of its last layer only. null reads the last layer.
    combine (str): What becomes of several layers: "mean" averages them with learned weights,
        "concatenate" puts them side by side, each with a learned factor.
    grad_factor (float): Factor on the gradient that is sent to the transformer; 0 freezes it.
    upstream (str): Name of the transformer component; "*" for any.
    context (bool): Put in front of each token's vector the vector of the sequence in which the
        token was read: of its first word piece, which is [CLS] in BERT and <s> in RoBERTa. The
        vectors are twice as wide then. Transformers that put no such token in front (XLNet, GPT-2)
        have no vector of the sequence: the first token's first word piece stands for it.
    RAISES (ValueError): `layers` is empty.
    """
    if layers is not None and not layers:
        raise ValueError(
            Errors.E405.format(setting="layers", wanted="null or a list", value=layers)
        )
    # Optional dependency: only pipelines with a transformer need it.
    from spacy_transformers.layers import TransformerListener

    listener = TransformerListener(upstream_name=upstream)
    # The nodes of spacy-transformers' own listener, so that what replace_listeners leaves can be
    # loaded.
    pooled: Model = Model(
        "trfs2arrays",
        _pooled_forward,
        layers=[pooling],
        # Where layers are combined, their weights are trained in any case.
        attrs={"grad_factor": grad_factor if layers is None else 1.0, "context": context},
    )
    nodes = [listener, pooled]
    if layers is not None:
        nodes.insert(1, _layer_combination(layers, combine, grad_factor))
    name = ">>".join(node.name for node in nodes)
    model: Model = Model(name, _forward, init=chain_init, dims={"nO": None}, layers=nodes)
    model.set_ref("listener", listener)
    if context:
        model.set_ref("context", listener)
    return cast(Model[List[Doc], List[Floats2d]], model)


def _forward(
    model: Model, docs: List[Doc], is_train: bool
) -> Tuple[List[Floats2d], Callable[[List[Floats2d]], List[Doc]]]:
    """As `chain`. Listeners can stand side by side in `concatenate`, which adds up what their
    callbacks return; only the last listener's callback returns something else than None."""
    vectors, backprop = chain_forward(model, docs, is_train)

    def backprop_nothing(d_vectors: List[Floats2d]) -> List[Doc]:
        backprop(d_vectors)
        return []

    return vectors, backprop_nothing


def _pooled_forward(
    model: Model, inputs: List[Any], is_train: bool
) -> Tuple[List[Floats2d], Callable[[List[Floats2d]], List[Any]]]:
    """One vector for each token from its word pieces, with `context` behind the vector of its
    sequence.

    Like trfs2arrays of spacy-transformers. Docs without tokens get vectors of the same width as
    others, tokens without word pieces get zeros.
    """
    ops: Any = model.ops
    has_context, grad_factor = model.attrs["context"], model.attrs["grad_factor"]
    read = [data for data in inputs if len(data.align.lengths)]
    if not read:
        return [ops.alloc2f(0, 0) for _ in inputs], lambda d_outputs: []
    states: List[Any] = [_flat_state(data) for data in read]
    places = [ops.asarray1i(data.align.dataXd.reshape(-1)) for data in read]
    firsts = [ops.asarray1i(_first_pieces(data)) for data in read]
    if has_context and any(_begins_with_a_token(data) for data in read):
        warnings.warn(Warnings.W210, stacklevel=2)
    sizes = numpy.concatenate([data.align.lengths for data in read])
    filled = numpy.nonzero(sizes)[0]
    pieces = ops.xp.concatenate([x[place] for x, place in zip(states, places)])
    pooled, backprop_pooled = model.layers[0](
        Ragged(pieces, ops.asarray1i(sizes[filled])), is_train
    )
    width = pooled.shape[1]
    output: Any = ops.alloc2f(len(sizes), 2 * width if has_context else width)
    output[filled, -width:] = pooled
    if has_context:
        output[:, :width] = ops.xp.concatenate([x[rows] for x, rows in zip(states, firsts)])

    def backprop(d_outputs: List[Floats2d]) -> List[Any]:
        d_output: Any = ops.xp.concatenate([x for x in d_outputs if len(x)])
        d_pooled = ops.as_contig(d_output[filled, -width:])
        d_pieces = backprop_pooled(d_pooled).dataXd
        d_context = ops.as_contig(d_output[:, :width]) if has_context else None
        d_inputs, n_pieces, n_tokens = [], 0, 0
        for data, state, place, rows in zip(read, states, places, firsts):
            d_state = ops.alloc2f(*state.shape)
            ops.scatter_add(d_state, place, d_pieces[n_pieces : n_pieces + len(place)])
            if d_context is not None:
                ops.scatter_add(d_state, rows, d_context[n_tokens : n_tokens + len(rows)])
            n_pieces, n_tokens = n_pieces + len(place), n_tokens + len(rows)
            shape = data.model_output["last_hidden_state"].shape
            d_inputs.append(_with_last_state(data, (grad_factor * d_state).reshape(shape)))
        return d_inputs

    return _split(ops, output, inputs), backprop


def _flat_state(data: Any) -> Floats2d:
    """RETURNS: [n_sequences * n_pieces, width]."""
    state = data.model_output["last_hidden_state"]
    return cast(Floats2d, state.reshape((-1, state.shape[-1])))


def _split(ops: Any, output: Floats2d, inputs: List[Any]) -> List[Floats2d]:
    ends = numpy.cumsum([len(data.align.lengths) for data in inputs]).tolist()
    return [output[start:end] for start, end in zip([0, *ends], ends)]


def _first_pieces(data: Any) -> Array1d:
    """RETURNS: For each token the row, in the flat state, of the first word piece of its sequence.
    [n_tokens]"""
    lengths, places = data.align.lengths, data.align.dataXd.reshape(-1)
    n_pieces = data.model_output["last_hidden_state"].shape[1]
    # A token without word pieces, such as a space, was read with the one before it.
    own = numpy.cumsum(lengths) - lengths
    own = numpy.maximum.accumulate(numpy.where(lengths > 0, own, 0))
    return cast(Array1d, places[own] // n_pieces * n_pieces if len(places) else 0 * own)


def _begins_with_a_token(data: Any) -> bool:
    """RETURNS (bool): Whether the first word piece of a sequence belongs to a token."""
    n_pieces = data.model_output["last_hidden_state"].shape[1]
    # The listener's stand-in where no transformer has run has empty strings.
    has_run = any(any(row) for row in data.wordpieces.strings[:1])
    return has_run and not (data.align.dataXd % n_pieces).all()


def _layer_combination(
    layers: List[int], combine: Combine, grad_factor: float
) -> Model[List[Any], List[Any]]:
    """The chosen states in place of the last hidden state of each Doc's TransformerData.

    "mean": γ Σ_k softmax(W)_k H_k. "concatenate": γ_1 H_1 ∘ γ_2 H_2 ∘ …
    """
    is_mean = combine == "mean"
    return Model(
        f"layer_{combine}",
        _combine_forward,
        init=_combine_init,
        params={"W": None, "scale": None} if is_mean else {"scale": None},
        attrs={"layers": layers, "combine": combine, "grad_factor": grad_factor},
    )


def _combine_init(model: Model, X: Any = None, Y: Any = None) -> None:
    if model.has_param("scale"):
        return
    n_layers, is_mean = len(model.attrs["layers"]), model.attrs["combine"] == "mean"
    if is_mean:
        model.set_param("W", model.ops.alloc1f(n_layers))
    model.set_param("scale", model.ops.alloc1f(1 if is_mean else n_layers) + 1)


def _combine_forward(
    model: Model, inputs: List[Any], is_train: bool
) -> Tuple[List[Any], Callable[[List[Any]], List[Any]]]:
    layers = model.attrs["layers"]
    combination = (_Mean if model.attrs["combine"] == "mean" else _Concatenation)(model)
    states = [_hidden_states(data, layers) for data in inputs]
    # trfs2arrays leaves out the gradients of empty Docs.
    read = [(data, chosen) for data, chosen in zip(inputs, states) if chosen]
    combined = [
        _with_last_state(data, combination.forward(chosen)) if chosen else combination.without(data)
        for data, chosen in zip(inputs, states)
    ]

    def backprop(d_combined: List[Any]) -> List[Any]:
        d_inputs = []
        for (data, chosen), d_data in zip(read, d_combined):
            d_state = d_data.model_output["last_hidden_state"]
            d_states = combination.backward(chosen, d_state)
            d_states = [model.attrs["grad_factor"] * x for x in d_states]
            d_inputs.append(_with_last_state(d_data, _send_back(data, layers, d_states)))
        combination.finish()
        return d_inputs

    return combined, backprop


class _Mean:
    """γ Σ_k softmax(W)_k H_k, and its gradients."""

    def __init__(self, model: Model):
        self.model = model
        self.scale = model.get_param("scale")[0]
        self.weights: Any = model.ops.softmax(model.get_param("W"))
        self.d_weights = 0 * self.weights

    def without(self, data: Any) -> Any:
        """What stands for a Doc without states."""
        return data

    def forward(self, states: List[Any]) -> Any:
        return self.scale * sum(w * state for w, state in zip(self.weights, states))

    def backward(self, states: List[Any], d_state: Any) -> List[Any]:
        """RETURNS: The gradient of each state."""
        self.d_weights += _dot_products(self.model, [(x, d_state) for x in states])
        return [factor * d_state for factor in self.scale * self.weights]

    def finish(self) -> None:
        """Hand in the gradients that all Docs together have."""
        d_scale = (self.weights * self.d_weights).sum()
        self.model.inc_grad("W", self.scale * self.weights * (self.d_weights - d_scale))
        self.model.inc_grad("scale", self.model.ops.asarray1f([float(d_scale)]))


class _Concatenation:
    """γ_1 H_1 ∘ γ_2 H_2 ∘ …, and its gradients."""

    def __init__(self, model: Model):
        self.model = model
        self.scale: Any = model.get_param("scale")
        self.d_scale = 0 * self.scale

    def without(self, data: Any) -> Any:
        """What stands for a Doc without states: as wide as the others, if it has any width."""
        state = data.model_output.get("last_hidden_state")
        if state is None:
            return data
        wide = self.model.ops.xp.concatenate([state] * len(self.scale), axis=-1)
        return _with_last_state(data, wide)

    def forward(self, states: List[Any]) -> Any:
        scaled = [factor * state for factor, state in zip(self.scale, states)]
        return self.model.ops.xp.concatenate(scaled, axis=-1)

    def backward(self, states: List[Any], d_state: Any) -> List[Any]:
        """RETURNS: The gradient of each state."""
        d_scaled = self.model.ops.xp.split(d_state, len(states), axis=-1)
        self.d_scale += _dot_products(self.model, list(zip(states, d_scaled)))
        return [factor * x for factor, x in zip(self.scale, d_scaled)]

    def finish(self) -> None:
        """Hand in the gradients that all Docs together have."""
        self.model.inc_grad("scale", self.d_scale)


def _dot_products(model: Model, pairs: List[Tuple[Any, Any]]) -> Any:
    """RETURNS: The dot product of each two arrays of one shape. [n_pairs]"""
    return model.ops.asarray1f([float((x * y).sum()) for x, y in pairs])


def _send_back(data: Any, layers: List[int], d_states: List[Any]) -> Any:
    """Give the gradients of a Doc's inner states to the transformer, if it takes them.

    RETURNS: The gradient of the last state.
    """
    d_last = 0 * d_states[0]
    n_states = len(data.model_output["hidden_states"])
    taken = getattr(data, "d_hidden_states", None)
    for layer, d_state in zip(layers, d_states):
        if layer in (-1, n_states - 1):
            d_last = d_last + d_state
        elif taken is not None:
            taken[layer % n_states] += d_state
    return d_last


def _hidden_states(data: Any, layers: List[int]) -> List[Any]:
    """RETURNS: The chosen states of a Doc; none for a Doc without tokens."""
    output = data.model_output
    if "last_hidden_state" not in output or output["last_hidden_state"].size == 0:
        return []
    states = output.get("hidden_states")
    if states is None and not output["last_hidden_state"].any():
        return []  # the listener's stand-in where no transformer has run, as in initialization
    if states is None:
        raise ValueError(Errors.E403.format(layers=layers, reason="it gives none", last="12"))
    if not all(-len(states) <= layer < len(states) for layer in layers):
        reason = f"it gives {len(states)}"
        raise ValueError(Errors.E403.format(layers=layers, reason=reason, last=len(states) - 1))
    return [states[layer] for layer in layers]


def _with_last_state(data: Any, state: Any) -> Any:
    from spacy_transformers.data_classes import TransformerData
    from transformers.modeling_outputs import BaseModelOutput

    output = BaseModelOutput(last_hidden_state=state)
    return TransformerData(data.wordpieces, output, data.align)
