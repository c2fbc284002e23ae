"""Thinc models whose bytes are checked before they are taken over.

Private names of other libraries in this file:

| name | of | checked with |
|---|---|---|
| the keys `nodes`, `attrs`, `params` and `shims` of a saved model | Thinc | 8.3.14 |
| `Shim._model` | Thinc | 8.3.14 |
| the keys `tokenizer` and `kwargs` of what `HFShim` stores | spacy-transformers | 1.4.0 |
"""

import re
from typing import Any, Dict, List, Tuple, TypeVar

from thinc.api import Model
from thinc.util import convert_recursive, is_xp_array
from torch import nn

from ..errors import Errors
from .storage import LoadError, check_finite, reason_of, seal, unpack, unseal

InT = TypeVar("InT")
OutT = TypeVar("OutT")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")


class StoredModel(Model[InT, OutT]):
    """A Thinc model whose bytes have a checksum. They are checked before they are taken over, and
    the result after.

    from_config: Attributes that keep the values of the config, whatever was saved.
    """

    __slots__ = ()
    from_config: Tuple[str, ...] = ()

    def to_bytes(self) -> bytes:
        return seal(super().to_bytes())

    def from_bytes(self, bytes_data: bytes) -> "StoredModel[InT, OutT]":
        checked, payload = unseal(bytes_data)
        msg = unpack(payload)
        kept = {name: self.attrs[name] for name in self.from_config}
        types = [{name: type(x) for name, x in node.attrs.items()} for node in self.walk()]
        try:
            _check_layers(self, msg)
            self.from_dict(convert_recursive(is_xp_array, self.ops.asarray, msg))
            _check_attributes(self, types)
            _check_parameters(self)
            self.check_loaded(kept, checked)
        except LoadError:
            raise
        except Exception as error:  # whatever Thinc raises for what doesn't fit
            raise LoadError(Errors.E441, reason=reason_of(error)) from error
        self.attrs.update(kept)
        return self

    def check_loaded(self, kept: Dict[str, Any], checked: bool) -> None:
        """Compare the parts of the loaded model with each other.

        kept (Dict[str, Any]): The values of `from_config`.
        checked (bool): Whether the bytes had a checksum.
        RAISES (LoadError): They don't go together.
        """


def _check_layers(model: Model, msg: Any) -> None:
    nodes = list(model.walk())
    if not isinstance(msg, dict):
        raise LoadError(Errors.E440, reason="it holds no model")
    for x in (msg.get(key) for key in ("nodes", "attrs", "params", "shims")):
        if not isinstance(x, list) or len(x) != len(nodes):
            raise LoadError(Errors.E441, reason=f"it does not hold {len(nodes)} layers")
    parts = zip(nodes, msg["attrs"], msg["params"], msg["shims"])
    for node, attributes, parameters, shims in parts:
        functions = [x for x in attributes if callable(node.attrs.get(x))]
        for name in (*functions, *sorted(set(parameters) - set(node.param_names))):
            reason = f"the layer '{node.name}' stores no '{name}'"
            raise LoadError(Errors.E441, reason=reason)
        if len(shims) != len(node.shims):
            raise LoadError(Errors.E441, reason=f"the layer '{node.name}' is of another kind")
        for shim, stored in zip(node.shims, shims):
            if type(shim).__module__.startswith("spacy_transformers"):
                _check_tokenizer(unpack(stored))


def _check_tokenizer(stored: Any) -> None:
    """A transformer of spacy-transformers inside the model: it writes stored files under stored
    names, and passes stored arguments on."""
    tokenizer = stored.get("tokenizer") or {}
    arguments = set(tokenizer.get("kwargs") or {}) - {"use_fast"}
    if arguments:
        raise LoadError(Errors.E444, reason=f"{min(arguments)} for the tokenizer")
    for name in tokenizer:
        if not _PLAIN_NAME.fullmatch(name) or name.endswith(".py"):
            raise LoadError(Errors.E444, reason=f"a file {name!r} to be written")


def _check_attributes(model: Model, types: List[Dict[str, type]]) -> None:
    for node, before in zip(model.walk(), types):
        for name, kind in before.items():
            value = node.attrs[name]
            plain = kind in (bool, int, float, str, list, dict)
            alike = type(value) is kind or (kind is float and type(value) is int)
            if plain and not alike and not (kind is dict and isinstance(value, dict)):
                reason = f"'{name}' of the layer '{node.name}' is {value!r}, no {kind.__name__}"
                raise LoadError(Errors.E441, reason=reason)


def _check_parameters(model: Model) -> None:
    """Thinc's own layers, and torch modules that other packages put into the model. Modules of ours
    have been checked while they were loaded."""
    for shim in (x for node in model.walk() for x in node.shims):
        module = getattr(shim, "_model", None)
        if isinstance(module, nn.Module) and not type(shim).__module__.startswith("spacy_jere"):
            check_finite(module.state_dict())
    named = [(node, name) for node in model.walk() for name in node.param_names]
    unset = [(node, name) for node, name in named if not node.has_param(name)]
    for node, name in named:
        where = f"'{name}' of the layer '{node.name}'"
        if (node, name) in unset and len(unset) < len(named):
            raise LoadError(Errors.E441, reason=f"the weights {where} are missing")
        if (node, name) not in unset:
            _check_parameter(node, name, where)


def _check_parameter(node: Model, name: str, where: str) -> None:
    x: Any = node.get_param(name)
    if x.dtype.kind != "f":
        raise LoadError(Errors.E441, reason=f"the weights {where} are of type {x.dtype}")
    expected = _expected_shape(node, name, x.ndim)
    if not all(size in (None, found) for size, found in zip(expected, x.shape)):
        reason = f"the weights {where} have the shape {x.shape}, not {expected}"
        raise LoadError(Errors.E441, reason=reason)
    if not bool(node.ops.xp.isfinite(x).all()):
        raise LoadError(Errors.E442, n=1, names=where)


def _expected_shape(node: Model, name: str, n_axes: int) -> Tuple[Any, ...]:
    """RETURNS: What is known of the shape by the layer's dimensions: rows, and the columns of
    tables, have the width of the output. None stands for any size."""
    dims = {x: node.get_dim(x) if node.has_dim(x) else None for x in node.dim_names}
    if name == "E" and "nV" in dims and n_axes == 2:
        return dims["nV"], dims.get("nO")
    if name == "W" and n_axes > 1:
        last = dims.get("nI", dims.get("nM"))
        return (dims.get("nO"), *[dims.get("nP")] * (n_axes - 2), last)
    if name in ("b", "G"):
        return (dims.get("nO"), *[dims.get("nP")] * (n_axes - 1))
    return (None,) * n_axes
