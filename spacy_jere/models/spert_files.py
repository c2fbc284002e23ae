"""The files of a checkpoint of the original SpERT: read, and checked before anything is built.

A checkpoint is a folder with `config.json` and `vocab.txt` of its BERT, `pytorch_model.bin` or
`model.safetensors`, and `types.json`, which names the labels in the order of the classifiers'
outputs.
"""

import json
import pickle
import reprlib
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from safetensors.torch import load_file
from torch import Tensor

from ..errors import Errors
from .storage import reason_of, unpickle_weights

_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
_LARGEST = 1 << 31
_PADDING = 64  # A table of word pieces may be filled up to a multiple of this.
_SPECIAL_TOKENS = [f"{x}_token" for x in ("unk", "sep", "pad", "cls", "mask")]


class Checkpoint(NamedTuple):
    """What a folder holds.

    path: The folder.
    weights: All parameters by their original names.
    entity_labels, relation_labels: In the order of the classifiers' outputs, without "none".
    symmetric: Relation labels without a direction.
    config: The settings of the encoder, those of `transformers.BertConfig`.
    tokenizer: The settings of its tokenizer, those of `transformers.BertTokenizerFast`.
    pieces: Its word pieces, by their numbers.
    """

    path: Path
    weights: Dict[str, Tensor]
    entity_labels: List[str]
    relation_labels: List[str]
    symmetric: List[str]
    config: Dict[str, Any]
    tokenizer: Dict[str, Any]
    pieces: List[str]


def read_checkpoint(path: Path, types: Optional[Path] = None) -> Checkpoint:
    """Read a checkpoint. No code that may be in it is run.

    types (Optional[Path]): The file with the labels, if it is not types.json in the folder.
    RAISES (ValueError): Something is missing, can't be read, or has other types than it must have.
    """
    types = types or path / "types.json"
    for needed in (path / "config.json", path / "vocab.txt", types):
        if not needed.is_file():
            raise ValueError(Errors.E410.format(path=path, missing=needed))
    entities, relations = _read_types(types)
    config = _read_config(path / "config.json")
    pieces = _read_pieces(path / "vocab.txt", config)
    tokenizer = _read_tokenizer(path / "tokenizer_config.json", pieces)
    return Checkpoint(
        path=path,
        weights=_read_weights(path),
        entity_labels=list(entities),
        relation_labels=list(relations),
        symmetric=[label for label, x in relations.items() if x.get("symmetric")],
        config=config,
        tokenizer=tokenizer,
        pieces=pieces,
    )


# Labels


def _read_types(path: Path) -> Tuple[Dict[str, Any], Dict[str, Any]]:
    """RETURNS: Entity labels and relation labels, and what the file says of each."""
    labels = _read_json(path, Errors.E415)
    found: List[Dict[str, Any]] = []
    for kind in ("entities", "relations"):
        each = labels.get(kind)
        if not isinstance(each, dict) or not each:
            raise ValueError(Errors.E415.format(path=path))
        for label, said in each.items():
            if not isinstance(said, dict) or not isinstance(said.get("symmetric", False), bool):
                raise ValueError(Errors.E415.format(path=path))
            if not label.strip() or not _is_text(label):
                raise _wrong(path, kind, "labels, texts that are not empty", label)
        found.append(each)
    return found[0], found[1]


def _is_text(label: str) -> bool:
    return not any("\ud800" <= x <= "\udfff" for x in label)


# The encoder


def _whole(least: int, most: int = _LARGEST) -> Tuple[str, Callable[[Any], bool]]:
    wanted = f"a whole number from {least}" + (f" to {most}" if most < _LARGEST else "")
    return wanted, lambda x: type(x) is int and least <= x <= most


def _number(most: float) -> Tuple[str, Callable[[Any], bool]]:
    return f"a number from 0 to {most}", lambda x: type(x) in (int, float) and 0 <= x <= most


def _one_of(*values: Any) -> Tuple[str, Callable[[Any], bool]]:
    names = " or ".join(json.dumps(x) for x in values)
    return names, lambda x: any(x is y or (type(x) is type(y) and x == y) for y in values)


# What config.json may say of the encoder. Other keys are those of training, and of other uses.
_CONFIG = {
    "model_type": _one_of("bert"),
    "vocab_size": _whole(1),
    "hidden_size": _whole(1),
    "num_hidden_layers": _whole(1),
    "num_attention_heads": _whole(1),
    "intermediate_size": _whole(1),
    "max_position_embeddings": _whole(3),
    "type_vocab_size": _whole(1),
    "hidden_act": _one_of("gelu", "gelu_new", "gelu_fast", "relu", "silu", "swish", "tanh"),
    "hidden_dropout_prob": _number(0.999),
    "attention_probs_dropout_prob": _number(0.999),
    "layer_norm_eps": _number(0.1),
    "position_embedding_type": _one_of("absolute", "relative_key", "relative_key_query"),
    "is_decoder": _one_of(False),
    "add_cross_attention": _one_of(False),
}
_DEFAULT_PIECES = 30522


def _read_config(path: Path) -> Dict[str, Any]:
    """RETURNS: The settings that the encoder is built with. The number of layers and their widths
    are compared with the weights before anything is built."""
    stored = _read_json(path, Errors.E447)
    config = {}
    for name, (wanted, is_right) in _CONFIG.items():
        if name in stored:
            if not is_right(stored[name]):
                raise _wrong(path, name, wanted, stored[name])
            config[name] = stored[name]
    n_pieces = config.setdefault("vocab_size", _DEFAULT_PIECES)
    pad = stored.get("pad_token_id", 0)
    wanted, is_right = _whole(0, n_pieces - 1)
    if not is_right(pad):
        raise _wrong(path, "pad_token_id", wanted, pad)
    config.pop("model_type", None)
    return {**config, "pad_token_id": pad}


def _read_pieces(path: Path, config: Dict[str, Any]) -> List[str]:
    """RETURNS: The word pieces, one for each row of the encoder's table."""
    try:
        lines = path.read_text(encoding="utf8").split("\n")
    except (OSError, ValueError) as error:
        raise ValueError(Errors.E447.format(path=path, reason=reason_of(error))) from error
    pieces = lines[:-1] if not lines[-1] else lines
    rows = config["vocab_size"]
    is_padded = rows % _PADDING == 0 and rows - _PADDING < len(pieces) < rows
    if len(pieces) != rows and not is_padded:
        wanted = f"{rows}, the vocab_size of config.json"
        raise _wrong(path, "the number of lines", wanted, len(pieces))
    if len(set(pieces)) < len(pieces):
        raise _wrong(path, "the number of different lines", len(pieces), len(set(pieces)))
    return pieces


def _read_tokenizer(path: Path, pieces: List[str]) -> Dict[str, Any]:
    """RETURNS: The settings of the tokenizer that change what the encoder reads."""
    stored = _read_json(path, Errors.E447) if path.is_file() else {}
    settings: Dict[str, Any] = {}
    for name in ("do_lower_case", "strip_accents", "tokenize_chinese_chars"):
        if stored.get(name) is not None:
            if not isinstance(stored[name], bool):
                raise _wrong(path, name, "true or false", stored[name])
            settings[name] = stored[name]
    known = set(pieces)
    for name in _SPECIAL_TOKENS:
        token = stored.get(name, f"[{name[: -len('_token')].upper()}]")
        token = token.get("content") if isinstance(token, dict) else token
        if name != "mask_token" and (not isinstance(token, str) or token not in known):
            raise _wrong(path, name, "one of the lines of vocab.txt", token)
        settings[name] = token if isinstance(token, str) else "[MASK]"
    length = stored.get("model_max_length")
    if length is not None:
        if not isinstance(length, int) or isinstance(length, bool) or length < 3:
            raise _wrong(path, "model_max_length", "a whole number from 3", length)
        settings["model_max_length"] = length
    return settings


# Weights


def _read_weights(path: Path) -> Dict[str, Tensor]:
    for name in _WEIGHTS:
        file = path / name
        if file.is_file():
            # What pickle, zip files and safetensors raise has nothing in common.
            try:
                return load_file(file) if file.suffix == ".safetensors" else unpickle_weights(file)
            except pickle.UnpicklingError as error:  # torch then explains how to run the code
                reason = "it holds more than weights, or is damaged"
                raise ValueError(Errors.E414.format(path=file, reason=reason)) from error
            except Exception as error:
                reason = reason_of(error)
                raise ValueError(Errors.E414.format(path=file, reason=reason)) from error
    raise ValueError(Errors.E410.format(path=path, missing=" or ".join(_WEIGHTS)))


# Files


def _read_json(path: Path, message: str) -> Dict[str, Any]:
    """RETURNS: The object in a JSON file.

    message (str): One of Errors, for a file that has none.
    """
    try:
        stored = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(message.format(path=path, reason=reason_of(error))) from error
    if not isinstance(stored, dict):
        raise ValueError(message.format(path=path, reason="it holds no JSON object"))
    return stored


def _wrong(path: Path, setting: str, wanted: object, value: Any) -> ValueError:
    said = reprlib.repr(value)
    return ValueError(Errors.E446.format(path=path, setting=setting, wanted=wanted, value=said))
