"""Saved models: bytes with a checksum, weights that are read without running code, and the errors
that tell what is wrong with them.

Private names of other libraries in this file:

| name | of | checked with |
|---|---|---|
| `nn.modules.module.register_module_parameter_registration_hook` | torch | 2.13.0 |
"""

import contextlib
import gc
import hashlib
import re
import threading
import zipfile
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Union

import srsly
import torch
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from ..errors import Errors

State = Dict[str, Tensor]

FORMAT = 2  # The first had no header, and pickled weights.
_NAME = b"spacy-jere model"
_HEADER = re.compile(rb"spacy-jere model, format ([0-9]{1,9}), sha256 ([0-9a-f]{64})\n")
_LONGEST_REASON = 300
# What a module may register beside its parameters, such as tied ones that are replaced.
_MORE_TENSORS, _MORE_NUMBERS = 100, 1 << 20


class LoadError(ValueError):
    """A saved model that can't be loaded.

    message (str): One of Errors, with a place for `{file}`.
    values (Any): For the other places of the message.
    """

    def __init__(self, message: str, *, file: str = "The saved model", **values: Any):
        super().__init__(message.format(file=file, **values))
        self.message, self.file, self.values = message, file, values

    def __reduce__(self) -> Any:
        return partial(LoadError, file=self.file, **self.values), (self.message,)

    def of(self, file: object) -> "LoadError":
        """RETURNS (LoadError): The same error, with the name of what was loaded."""
        return LoadError(self.message, file=str(file), **self.values)


@contextlib.contextmanager
def naming(file: object) -> Iterator[None]:
    """Name what was loaded in the errors of the block.

    file (object): A path, or words such as "The model of 'ner'".
    """
    try:
        yield
    except LoadError as error:
        raise error.of(file) from error
    except OSError as error:
        raise LoadError(Errors.E440, reason=reason_of(error)).of(file) from error


def reason_of(error: BaseException) -> str:
    """RETURNS (str): What another library says, in one line without its advice."""
    lines = [x.strip() for x in str(error).splitlines() if x.strip()]
    said = re.split(r"\. (?=[A-Z])", lines[0])[0].rstrip(".:") if lines else ""
    kind = type(error).__name__
    return f"{kind}: {said[:_LONGEST_REASON]}" if said else kind


# Bytes


class Unsealed(NamedTuple):
    """The content of saved bytes.

    checked: Whether they had a checksum. Bytes of the first format had none.
    """

    checked: bool
    payload: Any


def seal(payload: bytes) -> bytes:
    """RETURNS (bytes): The content behind a header with the format and a checksum."""
    checksum = hashlib.sha256(payload).hexdigest()
    return b"%s, format %d, sha256 %s\n%s" % (_NAME, FORMAT, checksum.encode("ascii"), payload)


def unseal(bytes_data: bytes) -> Unsealed:
    """Take the header off and compare the checksum.

    RAISES (LoadError): The bytes are not those that were saved, or of a later format.
    """
    if not isinstance(bytes_data, bytes):
        raise LoadError(Errors.E440, reason=f"it is of type {type(bytes_data).__name__}, not bytes")
    if not bytes_data.startswith(_NAME):
        return Unsealed(False, bytes_data)
    header = _HEADER.match(bytes_data)
    if header is None:
        raise LoadError(Errors.E440, reason="its first line can't be read")
    if int(header[1]) != FORMAT:
        raise LoadError(Errors.E443, found=int(header[1]), known=FORMAT)
    payload = memoryview(bytes_data)[header.end() :]
    if hashlib.sha256(payload).hexdigest().encode("ascii") != header[2]:
        raise LoadError(Errors.E440, reason="its checksum is not that of its content")
    return Unsealed(True, payload)


def unpack(payload: Any) -> Any:
    """RETURNS: The content of msgpack bytes.

    RAISES (LoadError): The bytes are damaged.
    """
    collects = gc.isenabled()
    try:
        return srsly.msgpack_loads(payload)
    except Exception as error:  # msgpack and numpy have no common error for damaged bytes
        raise LoadError(Errors.E440, reason=reason_of(error)) from error
    finally:
        if collects:  # srsly leaves it switched off after an error
            gc.enable()


# Weights


def weights_to_bytes(module: nn.Module) -> bytes:
    """RETURNS (bytes): The weights and buffers of a module, as safetensors."""
    state: State = {}
    places = set()
    for name, x in module.state_dict().items():
        plain = x.detach().cpu().contiguous()
        place = plain.untyped_storage().data_ptr()
        state[name] = plain.clone() if place in places else plain
        places.add(place)
    return save_safetensors(state)


def weights_from_bytes(data: Any, checked: bool) -> State:
    """Read the weights of a module. No code that may be in them is run.

    checked (bool): Whether they were saved with a checksum: as safetensors, not by torch.
    RAISES (LoadError): They can't be read.
    """
    if not isinstance(data, bytes):
        raise LoadError(Errors.E440, reason="it has no weights")
    try:
        return load_safetensors(data) if checked else unpickle_weights(BytesIO(data))
    except Exception as error:  # torch, zipfile and safetensors have no common error
        raise LoadError(Errors.E440, reason=reason_of(error)) from error


def unpickle_weights(file: Union[Path, BytesIO]) -> State:
    """Read weights that `torch.save` wrote. Code in them is not run.

    RAISES (ValueError): They are damaged, compressed, or something else than weights by their
        names. What torch raises comes through.
    """
    if zipfile.is_zipfile(file):
        _check_archive(file)
    if isinstance(file, BytesIO):
        file.seek(0)
    found = torch.load(file, map_location="cpu", weights_only=True)
    if not isinstance(found, dict):
        raise ValueError(f"it holds a {type(found).__name__}, not weights by their names")
    for name, x in found.items():
        if not isinstance(name, str) or not isinstance(x, Tensor):
            raise ValueError(f"{name!r} is a {type(x).__name__}, not a tensor with a name")
    return dict(found)


def _check_archive(file: Union[Path, BytesIO]) -> None:
    """Compare the checksums in an archive, which torch writes but doesn't read."""
    size = file.stat().st_size if isinstance(file, Path) else len(file.getbuffer())
    with zipfile.ZipFile(file) as archive:
        parts = archive.infolist()
        compressed = any(x.compress_type != zipfile.ZIP_STORED for x in parts)
        if compressed or sum(x.file_size for x in parts) > size:
            raise ValueError("its parts are compressed, which torch never does")
        damaged = archive.testzip()
    if damaged is not None:
        raise ValueError(f"the checksum of its part '{damaged}' is wrong")


@contextlib.contextmanager
def at_most(n_tensors: int, n_numbers: int) -> Iterator[None]:
    """Stop where a module is built that has more parameters than allowed. Settings that come with
    weights may ask for a million layers.

    RAISES (ValueError): The module is larger.
    """
    left = [n_tensors, n_numbers]
    thread = threading.get_ident()

    def count(module: nn.Module, name: str, x: Tensor) -> None:
        if threading.get_ident() != thread:
            return
        left[0], left[1] = left[0] - 1, left[1] - x.numel()
        if min(left) < 0:
            raise ValueError("the settings ask for more weights than there are")

    handle = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        handle.remove()


def wanted_weights(make: Callable[[], nn.Module], found: State) -> State:
    """Build a module without memory, to see which weights it has.

    found (State): The weights that it is to have. A much larger module is not built to its end.
    RETURNS (State): Tensors of the right shapes and types, without numbers.
    RAISES (LoadError): The module can't be built.
    """
    n_numbers = sum(x.numel() for x in found.values())
    try:
        with (
            at_most(2 * len(found) + _MORE_TENSORS, 2 * n_numbers + _MORE_NUMBERS),
            torch.device("meta"),
        ):
            return dict(make().state_dict())
    except Exception as error:  # whatever a module raises for settings of wrong types
        raise LoadError(Errors.E441, reason=reason_of(error)) from error


def fit_weights(found: State, wanted: State) -> State:
    """Compare weights with those that a module has.

    RETURNS (State): The weights, in the types of the module.
    RAISES (LoadError): Weights that are missing, superfluous, of another shape or type, or not
        finite.
    """
    for name in [*wanted, *found]:
        if name not in found or name not in wanted:
            what = "are missing" if name not in found else "have no place in the model"
            raise LoadError(Errors.E441, reason=f"the weights '{name}' {what}")
    for name, x in wanted.items():
        if found[name].shape != x.shape:
            shapes = f"{tuple(found[name].shape)}, not {tuple(x.shape)}"
            raise LoadError(Errors.E441, reason=f"the weights '{name}' have the shape {shapes}")
        if not is_kind_of(found[name], x):
            kinds = f"{kind_of(found[name])}, not {kind_of(x)}"
            raise LoadError(Errors.E441, reason=f"the weights '{name}' are of type {kinds}")
    fitted = {name: found[name].to(x.dtype) for name, x in wanted.items()}
    check_finite(fitted)
    return fitted


def is_kind_of(x: Tensor, wanted: Tensor) -> bool:
    """RETURNS (bool): Whether a tensor can stand for another one: real numbers of any precision,
    whole numbers of the same type, and memory of its own."""
    if x.layout != torch.strided or x.is_quantized or x.is_meta:
        return False
    return x.dtype == wanted.dtype or (x.is_floating_point() and wanted.is_floating_point())


def kind_of(x: Tensor) -> str:
    """RETURNS (str): The type of a tensor's numbers, for people."""
    layout = "" if x.layout == torch.strided else f" ({str(x.layout).removeprefix('torch.')})"
    return str(x.dtype).removeprefix("torch.") + layout


def not_finite(state: State) -> List[str]:
    """RETURNS (List[str]): The names of weights that are NaN or infinite somewhere."""
    return [
        name
        for name, x in state.items()
        if x.is_floating_point() and not bool(torch.isfinite(x).all())
    ]


def check_finite(state: State) -> None:
    """RAISES (LoadError): Weights are NaN or infinite."""
    names = not_finite(state)
    if names:
        raise LoadError(Errors.E442, n=len(names), names=f"'{names[0]}'")
