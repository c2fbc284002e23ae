"""Encoders of transformers by hub name or folder: loaded, or refused in one sentence.

Only `token_transformer.py` and `transformer_shim.py` import this module.

Private names of other libraries in this file:

| name | of | checked with |
|---|---|---|
| files of weights in a folder, the words of its errors | transformers | 4.53.2 |
| `sub_configs` of configs, the names of arguments of `forward` | transformers | 4.53.2 |
| `use_cache`, `use_mems_eval`, `use_mems_train`, `reference_compile` | transformers | 4.53.2 |
"""

import inspect
from pathlib import Path
from typing import Any, Dict, Optional

from spacy_transformers.data_classes import HFObjects
from thinc.util import get_torch_default_device
from transformers import AutoConfig, AutoModel, AutoTokenizer

from ...errors import Errors
from ..storage import at_most, not_finite, reason_of

VOCABULARY = "vocab.txt"
# Of an older transformers, which counted positions among the weights
NO_WEIGHTS = "position_ids"
# Of configs: what decoders keep for the next word, and code that is made while it runs.
_SWITCHED_OFF = ("use_cache", "use_mems_eval", "use_mems_train", "reference_compile")
# More than any transformer has; a config may ask for a million layers.
_MOST_TENSORS, _MOST_NUMBERS = 20_000, 1 << 42
_SAFE, _PICKLED = "model.safetensors*", "pytorch_model*.bin*"


def load_pretrained(
    name: str, tokenizer_config: Dict[str, Any], transformer_config: Dict[str, Any]
) -> HFObjects:
    """Load a transformer by hub name or folder.

    tokenizer_config, transformer_config (Dict[str, Any]): Arguments of its tokenizer and config,
        from the user's own config. Code that comes with the model is run only where they say
        `trust_remote_code`.
    RAISES (ValueError): There is none, or it can't be read.
    """
    missing = _missing(name)
    if missing is not None:
        raise _no_transformer(name, missing)
    trusted = transformer_config.get("trust_remote_code", False)
    try:
        config = AutoConfig.from_pretrained(
            name, **{**transformer_config, "trust_remote_code": trusted, "return_dict": True}
        )
        tokenizer = AutoTokenizer.from_pretrained(
            name, **{"trust_remote_code": False, **tokenizer_config}
        )
        switch_off(config)
        with at_most(_MOST_TENSORS, _MOST_NUMBERS):
            transformer, found = AutoModel.from_pretrained(
                name, config=config, trust_remote_code=trusted, output_loading_info=True
            )
    except Exception as error:  # of transformers, the hub, the network, tokenizers, torch
        raise _no_transformer(name, _reason(name, error)) from error
    _check(name, transformer, found["missing_keys"])
    if len(tokenizer) > transformer.get_input_embeddings().num_embeddings:
        # Tokens that the user's own tokenizer_config adds.
        transformer.resize_token_embeddings(len(tokenizer))
    vocabulary, file = None, getattr(tokenizer, "vocab_file", None)
    if file and Path(file).name == VOCABULARY:
        vocabulary = Path(file).read_bytes()
    return HFObjects(tokenizer, transformer.to(get_torch_default_device()), vocabulary)


def switch_off(config: Any) -> None:
    """Switch off what an encoder never needs: states for the next word, and compilation."""
    for name in _SWITCHED_OFF:
        if hasattr(config, name):
            setattr(config, name, False)


def _check(name: str, transformer: Any, missing_keys: Any) -> None:
    """RAISES (ValueError): The transformer is no encoder of texts, or its weights are no good."""
    config = transformer.config
    reads = {"input_ids", "attention_mask"} <= set(
        inspect.signature(transformer.forward).parameters
    )
    if config.is_encoder_decoder or getattr(config, "sub_configs", None) or not reads:
        raise ValueError(Errors.E457.format(name=name, kind=config.model_type))
    missing = [x for x in missing_keys if "pooler" not in x and NO_WEIGHTS not in x]
    if missing:
        raise _no_transformer(name, f"it lacks the weights '{sorted(missing)[0]}'")
    names = not_finite(transformer.state_dict())
    if names:
        raise _no_transformer(name, f"its weights '{names[0]}' are NaN or infinite")


def _missing(name: str) -> Optional[str]:
    """RETURNS (Optional[str]): What a folder lacks, if the name is one's."""
    folder = Path(name)
    if not name.strip() or not folder.is_dir():
        is_path = folder.is_absolute() or name.startswith((".", "~")) or name.count("/") > 1
        return "there is no such folder" if is_path or not name.strip() else None
    if not (folder / "config.json").is_file():
        return "the folder has no config.json"
    if not any([*folder.glob(_SAFE), *folder.glob(_PICKLED)]):
        return "the folder has no weights"
    return None


def _reason(name: str, error: Exception) -> str:
    """RETURNS (str): Why a transformer can't be loaded, for people."""
    folder, said = Path(name), str(error)
    if folder.is_dir():
        if not any(folder.glob(_SAFE)) and "load weights" in said:
            return (
                "its weights are a pickle (pytorch_model.bin) that is damaged, or that can't be "
                "read without running code in it. Where you trust it, load it with transformers, "
                "and write model.safetensors with save_pretrained"
            )
        if isinstance(error, ImportError):
            return "its tokenizer can't be read, and it has no tokenizer.json"
    elif "couldn't connect" in said or "offline mode" in said:
        return "the Hugging Face hub can't be reached, and the model has not been loaded before"
    elif "is not a valid model identifier" in said or "Repository Not Found" in said:
        return "the Hugging Face hub has no model of this name, or not for you"
    return reason_of(error)


def _no_transformer(name: str, reason: str) -> ValueError:
    return ValueError(Errors.E445.format(name=name, reason=reason))
