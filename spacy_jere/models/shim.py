"""The place between Thinc and a torch module.

Private names of other libraries in this file:

| name | of | checked with |
|---|---|---|
| `PyTorchShim._model` | Thinc | 8.3.14 |
| the key `(shim.id, name)` of an optimizer's averages | Thinc | 8.3.14 |
"""

import contextlib
from functools import partial
from typing import Any, Dict, Iterator, Optional, Type

import srsly
import torch
from thinc.api import ArgsKwargs, PyTorchShim, xp2torch
from thinc.util import get_torch_default_device
from torch import nn

from ..errors import Errors
from .storage import (
    LoadError,
    State,
    fit_weights,
    seal,
    unpack,
    unseal,
    wanted_weights,
    weights_from_bytes,
    weights_to_bytes,
)


class Dropout(nn.Dropout):
    """Dropout with a rate of its own, or with the rate of [training].

    rate (Optional[float]): Its own rate; None follows [training].
    """

    def __init__(self, rate: Optional[float]):
        super().__init__(rate or 0.0)
        self.follows_training = rate is None


@contextlib.contextmanager
def use_averages(shim: PyTorchShim, params: Dict[Any, Any]) -> Iterator[None]:
    """`PyTorchShim.use_params` with the key that `finish_update` trains parameters under, (id,
    name). Thinc's own looks for another key and finds none."""
    module = shim._model
    names = [name for name, _ in module.named_parameters()] if module is not None else []
    averages = {x: params[(shim.id, x)] for x in names if (shim.id, x) in params}
    if not averages:
        yield
        return
    backup = {name: x.detach().clone() for name, x in module.state_dict().items()}
    averages = {name: xp2torch(x, device=shim.device) for name, x in averages.items()}
    module.load_state_dict({**backup, **averages})
    try:
        yield
    finally:
        module.load_state_dict(backup)


class TorchShim(PyTorchShim):
    """Holds a torch module that is built from plain settings, now or when it is loaded.

    Thinc's own shim can't load weights into a module that isn't there yet, and brings neither the
    dropout rate nor averaged parameters to torch.

    module_type (Type[nn.Module]): Built with keyword arguments only.
    """

    def __init__(self, module_type: Type[nn.Module]):
        super().__init__(None)
        self.module_type = module_type
        self.settings: Optional[Dict[str, Any]] = None

    @property
    def is_built(self) -> bool:
        return self._model is not None

    def build(self, settings: Dict[str, Any]) -> None:
        """settings (Dict[str, Any]): The arguments of the module; they are stored with its
        weights."""
        self.settings = settings
        self._model = self.module_type(**settings).to(get_torch_default_device())

    def set_dropout(self, rate: float) -> None:
        """rate (float): The rate of [training], for each dropout that has none of its own."""
        for module in self._model.modules():
            if isinstance(module, Dropout) and module.follows_training:
                module.p = rate

    def __call__(self, inputs: ArgsKwargs, is_train: bool) -> Any:
        if not self.is_built:
            raise ValueError(Errors.E203.format(name=self.module_type.__name__))
        return super().__call__(inputs, is_train)

    def predict(self, inputs: ArgsKwargs) -> Any:
        """Thinc's own goes through all modules twice, to evaluation mode and back. Training sets
        its mode by itself."""
        if self._model.training:
            self._model.eval()
        with torch.no_grad():
            return self._model(*inputs.args, **inputs.kwargs)

    def copy(self) -> "TorchShim":
        return TorchShim(self.module_type).from_bytes(self.to_bytes())

    use_params = use_averages

    def to_bytes(self) -> bytes:
        if not self.is_built:
            return seal(srsly.msgpack_dumps(None))
        msg = {"settings": self.settings, "weights": weights_to_bytes(self._model)}
        return seal(srsly.msgpack_dumps(msg))

    def from_bytes(self, bytes_data: bytes) -> "TorchShim":
        """Build the module that was saved. No code that may be in the bytes is run.

        RAISES (LoadError): The bytes are damaged, or the weights don't fit the settings.
        """
        checked, payload = unseal(bytes_data)
        msg = unpack(payload)
        if msg is None:
            self.settings = self._model = None
            return self
        if not isinstance(msg, dict) or not isinstance(msg.get("settings"), dict):
            raise LoadError(Errors.E440, reason="it has no settings")
        self.load(msg["settings"], weights_from_bytes(msg.get("weights"), checked))
        return self

    def load(self, settings: Dict[str, Any], weights: State) -> None:
        """Build the module and give it weights.

        RAISES (LoadError): They don't fit each other, or the weights are not finite.
        """
        wanted = wanted_weights(partial(self.module_type, **settings), weights)
        fitted = fit_weights(weights, wanted)
        self.build(settings)
        self._model.load_state_dict(fitted)
