"""What a config has to know of a pretrained transformer, word vectors, language and processor."""

import json
from pathlib import Path
from typing import Any, NamedTuple, Optional

import spacy
from spacy.training.initialize import load_vectors_into_model

from ..errors import Errors
from ..vectors.compact import SUFFIX, read_compact


class Encoder(NamedTuple):
    """A pretrained transformer, as far as its config and its tokenizer tell.

    name (str): Its name on the Hugging Face hub, or its folder.
    uncased (bool): It reads lower case only.
    n_layers (int): Its layers, without that of the embeddings.
    """

    name: str
    uncased: bool
    n_layers: int


def read_encoder(name: str) -> Encoder:
    """Ask the config and the tokenizer of a transformer. Its weights are not read.

    name (str): A name on the Hugging Face hub, or a folder.
    RAISES (ValueError): There is none, it can't be read, or transformers are not installed.
    """
    try:
        import spacy_transformers  # noqa: F401  (without it the pipeline can't be made)
        from transformers import AutoConfig, AutoTokenizer
    except ImportError as error:
        raise ValueError(Errors.E450) from error
    try:
        config = AutoConfig.from_pretrained(name, trust_remote_code=False)
        tokenizer = AutoTokenizer.from_pretrained(name, trust_remote_code=False)
    except Exception as error:  # of transformers, the hub, the network, tokenizers
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(" .")
        raise ValueError(Errors.E483.format(name=name, reason=reason)) from error
    return Encoder(name, _is_uncased(tokenizer), int(getattr(config, "num_hidden_layers", 0) or 1))


def _is_uncased(tokenizer: Any) -> bool:
    """RETURNS (bool): Whether a capital and its small letter are the same to a tokenizer."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    normalizer = getattr(backend, "normalizer", None)
    if normalizer is not None:
        return bool(normalizer.normalize_str("Ada") == "ada")
    if backend is not None:
        return False  # nothing changes the text before it is divided
    return bool(getattr(tokenizer, "do_lower_case", False))


def check_vectors(name: str, lang: str, beside_encoder: bool) -> None:
    """Load word vectors as training does.

    name (str): A file of `jere make-vectors`, or the name or folder of a pipeline that has them.
    beside_encoder (bool): There is an encoder: its config takes a pipeline only.
    RAISES (ValueError): There is no such pipeline, or it has no vectors.
    """
    if Path(name).suffix == SUFFIX:
        if beside_encoder:
            reason = "beside an encoder they must be a pipeline ('jere make-vectors FILE FOLDER')"
            raise ValueError(Errors.E484.format(name=name, reason=reason))
        read_compact(name)
        return
    nlp = spacy.blank(lang)
    try:
        load_vectors_into_model(nlp, name)
    except Exception as error:  # of packages, configs, vectors
        reason = " ".join(str(error).split()).rstrip(" .") or type(error).__name__
        raise ValueError(Errors.E484.format(name=name, reason=reason)) from error
    if not nlp.vocab.vectors.size:
        raise ValueError(Errors.E484.format(name=name, reason="it has no word vectors"))


def check_language(lang: str) -> str:
    """RETURNS (str): The code of a language that spaCy can make a pipeline of.

    RAISES (ValueError): It can't.
    """
    try:
        spacy.blank(lang)
    except Exception as error:  # of spaCy, and of the packages that some languages need
        reason = " ".join(str(error).split()).rstrip(" .") or type(error).__name__
        raise ValueError(Errors.E448.format(lang=lang, reason=reason)) from error
    return lang


def language_of(vectors: Optional[str]) -> Optional[str]:
    """RETURNS (Optional[str]): The language of a pipeline in a folder or package, by its
    `meta.json`; None without one."""
    if vectors is None:
        return None
    folder = Path(vectors)
    if not folder.is_dir() and spacy.util.is_package(vectors):
        folder = spacy.util.get_package_path(vectors)
    for file in (folder / "meta.json", *folder.glob("*/meta.json")):
        try:
            lang = json.loads(file.read_text(encoding="utf8"))["lang"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        return lang if isinstance(lang, str) else None
    return None


def has_bfloat16(file: Path = Path("/proc/cpuinfo")) -> bool:
    """RETURNS (bool): Whether the processor computes in bfloat16, where the system tells."""
    try:
        flags = file.read_text(encoding="utf8", errors="replace")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
