"""How a transformer of transformers is saved, and loaded from what was saved.

What was saved may come from anyone: the shim of spacy-transformers writes stored files under stored
names, passes stored arguments on, which may ask for code to be run, and unpickles the weights. Here
a saved transformer is files of a tokenizer by known names, settings by known names, and
safetensors.

Only `token_transformer.py` imports this module.

Private names of other libraries in this file:

| name | of | checked with |
|---|---|---|
| `HFShim._hfmodel`, the keys of its bytes | spacy-transformers | 1.4.0 |
| `TOKENIZER_MAPPING_NAMES`, `sub_configs` and `is_composition` of configs | transformers | 4.53.2 |
"""

import json
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Callable, Dict, Optional, cast

import srsly
from spacy_transformers.data_classes import HFObjects
from spacy_transformers.layers.hf_shim import HFShim
from thinc.util import get_torch_default_device
from torch import nn
from transformers import CONFIG_MAPPING, AutoModel, AutoTokenizer
from transformers.models.auto.tokenization_auto import TOKENIZER_MAPPING_NAMES

from ...errors import Errors
from ..shim import use_averages
from ..storage import (
    LoadError,
    State,
    fit_weights,
    reason_of,
    seal,
    unpack,
    unseal,
    wanted_weights,
    weights_from_bytes,
    weights_to_bytes,
)
from .pretrained import NO_WEIGHTS, VOCABULARY, switch_off

_SPECIAL_TOKENS = {
    *(f"{x}_token" for x in ("bos", "cls", "eos", "mask", "pad", "sep", "unk")),
    "additional_special_tokens",
}
# The files of a tokenizer, and for those that hold settings, which ones are kept. Others name code,
# other files, or templates that transformers writes as files. All that a fast tokenizer needs is in
# tokenizer.json.
_TOKENIZER_FILES = {
    "vocab.txt": None,
    "tokenizer.json": None,
    "added_tokens.json": None,
    "special_tokens_map.json": _SPECIAL_TOKENS,
    "tokenizer_config.json": {
        *_SPECIAL_TOKENS,
        "add_prefix_space",
        "added_tokens_decoder",
        "clean_up_tokenization_spaces",
        "do_basic_tokenize",
        "do_lower_case",
        "keep_accents",
        "model_input_names",
        "model_max_length",
        "never_split",
        "padding_side",
        "remove_space",
        "split_by_punct",
        "strip_accents",
        "tokenize_chinese_chars",
        "tokenizer_class",
        "trim_offsets",
        "truncation_side",
    },
}
# What spacy-transformers stores beside them: the vocabularies of slow tokenizers. They aren't read.
_UNREAD_FILES = {
    "merges.txt",
    "sentencepiece.bpe.model",
    "spiece.model",
    "spm.model",
    "tokenizer.model",
    "vocab.json",
}
_NO_SETTINGS = {"auto_map", "backbone", "quantization_config", "reference_compile"}
# Settings that a kind of transformer reads without having a default for them.
_DEBERTA = {
    "attention_head_size": int,
    "conv_act": str,
    "conv_groups": int,
    "conv_kernel_size": int,
    "embedding_size": int,
    "norm_rel_ebd": str,
    "position_buckets": int,
    "share_att_key": bool,
    "talking_head": bool,
}
_MORE_SETTINGS: Dict[str, Dict[str, type]] = {"deberta": _DEBERTA, "deberta-v2": _DEBERTA}
# What may stand for a setting whose default is of a type
_KINDS = {bool: (bool,), int: (int, type(None)), float: (float, int), str: (str,)}
_TYPES_OF_NUMBERS = ("float64", "float32", "float16", "bfloat16")


class TransformerShim(HFShim):
    """Holds a transformer with its tokenizer. What it saves has a checksum and no pickles; what it
    loads runs no code and writes no files but in a new temporary folder."""

    use_params = use_averages

    def to_bytes(self) -> bytes:
        hf_model = self._hfmodel
        if hf_model.transformer is None:
            return seal(srsly.msgpack_dumps(None))
        msg = {
            "config": _plain(hf_model.transformer.config.to_dict()),
            "tokenizer": _tokenizer_files(hf_model),
            "state": weights_to_bytes(self._model),
        }
        return seal(srsly.msgpack_dumps(msg))

    def from_bytes(self, bytes_data: bytes) -> "TransformerShim":
        """Take over a saved transformer, of this class or of spacy-transformers.

        RAISES (LoadError): The bytes are damaged, or ask for what a saved transformer never needs.
        """
        checked, payload = unseal(bytes_data)
        msg = unpack(payload) or {}
        if not isinstance(msg, dict):
            raise LoadError(Errors.E440, reason="it holds no transformer")
        tokenizer, transformer, vocabulary = None, None, None
        if msg.get("config"):
            config = _read_config(msg["config"])
            tokenizer, vocabulary = _read_tokenizer(msg.get("tokenizer"), config)
            transformer = _build(config, weights_from_bytes(msg.get("state"), checked))
        # Arguments for initialization stay those of the config.
        own = self._hfmodel
        self._hfmodel = HFObjects(
            tokenizer,
            transformer,
            cast(Any, vocabulary),
            own._init_tokenizer_config,
            own._init_transformer_config,
        )
        self._model = transformer
        return self


# Saving


def _plain(config: Dict[str, Any]) -> Dict[str, Any]:
    """RETURNS: What can be stored, without the names of code."""
    known = {key: x for key, x in config.items() if key != "auto_map"}
    return cast(Dict[str, Any], json.loads(json.dumps(known, default=str)))


def _tokenizer_files(hf_model: HFObjects) -> Dict[str, Any]:
    """RETURNS: The tokenizer's files by their names, and under "kwargs" how it is loaded."""
    tokenizer = cast(Any, hf_model.tokenizer)
    before = getattr(tokenizer, "vocab_file", None)
    with TemporaryDirectory() as name:
        folder = Path(name)
        if hf_model.vocab_file_contents is not None and hasattr(tokenizer, "vocab_file"):
            vocabulary = folder / VOCABULARY
            vocabulary.write_bytes(hf_model.vocab_file_contents)
            tokenizer.vocab_file = str(vocabulary)
        try:
            tokenizer.save_pretrained(name)
        finally:
            if hasattr(tokenizer, "vocab_file"):
                tokenizer.vocab_file = before
        files = {x: (folder / x).read_bytes() for x in _TOKENIZER_FILES if (folder / x).is_file()}
    return {"kwargs": {"use_fast": tokenizer.is_fast}, **files}


# Loading


def _read_config(stored: Any) -> Any:
    """RETURNS (PretrainedConfig): With the settings that its kind has and that are only numbers,
    words and lists of them: none that names code, attention kernels or other models."""
    kind = stored.get("model_type") if isinstance(stored, dict) else None
    cls = CONFIG_MAPPING[kind] if isinstance(kind, str) and kind in CONFIG_MAPPING else None
    of_others = getattr(cls, "is_composition", False) or getattr(cls, "sub_configs", None)
    if cls is None or kind not in TOKENIZER_MAPPING_NAMES or of_others:
        raise LoadError(Errors.E441, reason=f"{kind!r} is no kind of transformer that reads texts")
    more = _MORE_SETTINGS.get(str(kind), {})
    defaults = {**cls().to_dict(), **{name: make() for name, make in more.items()}}
    names = {x for x in defaults if not x.startswith("_")} - _NO_SETTINGS
    settings = {key: stored[key] for key in sorted(names & set(stored))}
    if stored.get("torch_dtype") not in _TYPES_OF_NUMBERS:
        settings.pop("torch_dtype", None)
    for key, value in settings.items():
        kinds = _KINDS.get(type(defaults[key]))
        if kinds is not None and type(value) not in kinds:
            kind = type(defaults[key]).__name__
            raise LoadError(Errors.E441, reason=f"{key} = {value!r} of its config is no {kind}")
    config = _told(partial(cls.from_dict, settings), Errors.E441)
    switch_off(config)
    return config


def _read_tokenizer(stored: Any, config: Any) -> Any:
    """RETURNS (Tuple): The tokenizer, and the content of its vocabulary file if it has one."""
    if not isinstance(stored, dict):
        raise LoadError(Errors.E440, reason="it has no tokenizer")
    use_fast = _read_arguments(stored.get("kwargs", {}))
    contents = {
        name: _file_content(name, content)
        for name, content in stored.items()
        if name != "kwargs" and name not in _UNREAD_FILES
    }
    with TemporaryDirectory() as folder:
        for name, content in contents.items():
            (Path(folder) / name).write_bytes(content)
        load = partial(
            AutoTokenizer.from_pretrained,
            folder,
            config=config,
            use_fast=use_fast,
            trust_remote_code=False,
            local_files_only=True,
        )
        tokenizer = _told(load, Errors.E440)
    ids = [tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.pad_token_id]
    if not all(isinstance(x, (int, type(None))) for x in ids):
        raise LoadError(Errors.E440, reason="its tokenizer has special tokens of a wrong kind")
    if type(tokenizer.model_max_length) is str:
        raise LoadError(Errors.E440, reason="the length that its tokenizer allows is no number")
    return tokenizer, contents.get(VOCABULARY)


def _read_arguments(stored: Any) -> bool:
    """RETURNS (bool): Whether the tokenizer is a fast one. There are no other arguments."""
    if not isinstance(stored, dict) or set(stored) - {"use_fast"}:
        reason = "arguments of the tokenizer beside use_fast"
        if isinstance(stored, dict) and "trust_remote_code" in stored:
            reason = "code of its own to be run (trust_remote_code)"
        raise LoadError(Errors.E444, reason=reason)
    return stored.get("use_fast", True) is True


def _file_content(name: Any, content: Any) -> bytes:
    """RETURNS (bytes): What is written under a file's name; of settings those that are known."""
    if not isinstance(name, str) or name not in _TOKENIZER_FILES:
        raise LoadError(Errors.E444, reason=f"a file {name!r} to be written")
    if not isinstance(content, bytes):
        raise LoadError(Errors.E440, reason=f"its {name} has no content")
    known = _TOKENIZER_FILES[name]
    if known is None:
        return content
    settings = _told(partial(json.loads, content), Errors.E440)
    if not isinstance(settings, dict):
        raise LoadError(Errors.E440, reason=f"its {name} holds no settings")
    return json.dumps({key: x for key, x in settings.items() if key in known}).encode("utf8")


def _build(config: Any, found: State) -> nn.Module:
    make = partial(AutoModel.from_config, config, trust_remote_code=False)
    wanted = wanted_weights(make, found)
    weights = {key: x for key, x in found.items() if key in wanted or NO_WEIGHTS not in key}
    fitted = fit_weights(weights, wanted)
    transformer: nn.Module = _told(make, Errors.E441)
    transformer.load_state_dict(fitted)
    return transformer.to(get_torch_default_device())


def _told(work: Callable[[], Any], message: str) -> Any:
    """RETURNS: What the work returns. What it raises becomes a LoadError: transformers, tokenizers
    and json have no common error for settings that they can't use."""
    failed: Optional[Exception] = None
    try:
        return work()
    except Exception as error:
        failed = error
    raise LoadError(message, reason=reason_of(failed)) from failed
