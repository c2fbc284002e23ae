"""Checkpoints of the original SpERT, made into spaCy pipelines with the same predictions.

`spert_files.py` reads a checkpoint; here its weights are put into our modules.
"""

from contextlib import contextmanager
from functools import partial
from typing import Any, Dict, Iterator, Optional, cast

import spacy
import torch
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from torch import Tensor, nn

from ..errors import Errors
from .joint import JointModel
from .shim import TorchShim
from .spert_files import Checkpoint, read_checkpoint
from .storage import LoadError, is_kind_of, kind_of, reason_of, wanted_weights

__all__ = ["Checkpoint", "import_spert", "read_checkpoint"]

# Optional dependencies (spacy-transformers and what it brings) are imported inside functions.
_ENCODER = "bert."
_WIDTHS = "size_embeddings.weight"
# Our names of the head's parameters, and the original's.
_HEAD = {
    "encoder.width_embedding.weight": _WIDTHS,
    "entity_classifier.weight": "entity_classifier.weight",
    "entity_classifier.bias": "entity_classifier.bias",
    "relation_classifier.weight": "rel_classifier.weight",
    "relation_classifier.bias": "rel_classifier.bias",
}
# Of the encoder, but no parameters; or of BERT's pretraining, which SpERT does not use.
_PASSED_OVER = ("bert.embeddings.position_ids", "cls.")


def import_spert(
    checkpoint: Checkpoint,
    *,
    lang: str = "en",
    rel_threshold: float = 0.4,
    max_span_width: int = 10,
    lowercase: Optional[bool] = None,
) -> Language:
    """Build a pipeline from a checkpoint.

    lang (str): Language of the pipeline's tokenizer.
    rel_threshold (float): The least probability of a relation.
    max_span_width (int): The widest span that can be an entity, in tokens. The original's default
        is 10.
    lowercase (Optional[bool]): Whether the encoder reads lower case only. None goes by its
        tokenizer_config.json, else by whether its vocabulary has capitals.
    RETURNS (Language): A pipeline with `transformer` and `joint_ner_re`.
    RAISES (ValueError): Weights that are missing, superfluous, of another shape than the settings
        say, of another type or not finite; a language that spaCy doesn't have.
    RAISES (ImportError): spacy-transformers is not installed.
    """
    with _told(checkpoint):
        nlp = _blank(lang)
        encoder = _encoder(checkpoint)
        transformer = cast(Any, nlp.add_pipe("transformer", config=_transformer_config(checkpoint)))
        _set_transformer(transformer.model, checkpoint, encoder, lowercase)
        config = _component_config(checkpoint, rel_threshold, max_span_width)
        component = cast(Any, nlp.add_pipe("joint_ner_re", config=config))
        for label in checkpoint.entity_labels:
            component.add_label(label, "entity")
        for label in checkpoint.relation_labels:
            component.add_label(label, "relation")
        doc = Doc(nlp.vocab, words=["word"])
        nlp.initialize(lambda: [Example(doc, doc.copy())])
        _fill_head(component.model, checkpoint)
        return nlp


@contextmanager
def _told(checkpoint: Checkpoint) -> Iterator[None]:
    """Turn what other libraries raise for a checkpoint that they can't use into one of Errors."""
    try:
        yield
    except Exception as error:
        if isinstance(error, ValueError) and str(error).startswith("[E"):
            raise
        if isinstance(error, ImportError):
            raise ImportError(Errors.E450) from error
        reason = reason_of(error)
        raise ValueError(Errors.E447.format(path=checkpoint.path, reason=reason)) from error


def _blank(lang: str) -> Language:
    try:
        return spacy.blank(lang)
    except Exception as error:  # a name that is none, a package that a language needs
        raise ValueError(Errors.E448.format(lang=lang, reason=reason_of(error))) from error


def _set_transformer(
    model: Any, checkpoint: Checkpoint, encoder: nn.Module, lowercase: Optional[bool]
) -> None:
    from spacy_transformers.data_classes import HFObjects
    from transformers import BertTokenizerFast

    vocabulary = checkpoint.path / "vocab.txt"
    settings = dict(checkpoint.tokenizer)
    if lowercase is not None:
        settings["do_lower_case"] = lowercase
    elif "do_lower_case" not in settings:
        words = (x for x in checkpoint.pieces if not x.startswith("["))
        settings["do_lower_case"] = not any(x != x.lower() for x in words)
    tokenizer = BertTokenizerFast(str(vocabulary), **settings)
    content = vocabulary.read_bytes()
    model.attrs["set_transformer"](model, HFObjects(tokenizer, cast(Any, encoder), content))


def _encoder(checkpoint: Checkpoint) -> nn.Module:
    from transformers import BertConfig, BertModel

    config = BertConfig(**checkpoint.config)
    weights = checkpoint.weights
    try:
        own = wanted_weights(partial(BertModel, config), weights)
    except LoadError as error:
        path = checkpoint.path / "config.json"
        raise ValueError(Errors.E447.format(path=path, reason=error.values["reason"])) from error
    wanted = {_ENCODER + name: x for name, x in own.items()}
    known = {*wanted, *_HEAD.values()}
    for key in weights:
        if key not in known and not key.startswith(_PASSED_OVER):
            raise ValueError(Errors.E411.format(path=checkpoint.path, key=key))
    _check(checkpoint, {key: x for key, x in wanted.items() if not key.startswith(_PASSED_OVER)})
    encoder: nn.Module = BertModel(config)
    encoder.load_state_dict(
        {name: weights.get(_ENCODER + name, x) for name, x in encoder.state_dict().items()}
    )
    return encoder


def _fill_head(model: JointModel, checkpoint: Checkpoint) -> None:
    shim = cast(TorchShim, model.shims[0])
    n_widths = len(checkpoint.weights[_WIDTHS])
    shim.build({**cast(Dict[str, Any], shim.settings), "n_widths": n_widths})
    own = shim._model.state_dict()
    _check(checkpoint, {_HEAD[name]: x for name, x in own.items()})
    shim._model.load_state_dict({name: checkpoint.weights[_HEAD[name]] for name in own})


def _check(checkpoint: Checkpoint, wanted: Dict[str, Tensor]) -> None:
    """RAISES (ValueError): A key is missing, or has another shape or type, or is not finite."""
    path = checkpoint.path
    for key, expected in wanted.items():
        shape = tuple(expected.shape)
        found = checkpoint.weights.get(key)
        if found is None:
            raise ValueError(Errors.E412.format(path=path, key=key, expected=shape))
        if found.shape != expected.shape:
            sizes = {"found": tuple(found.shape), "expected": shape}
            raise ValueError(Errors.E413.format(path=path, key=key, **sizes))
        if not is_kind_of(found, expected):
            raise ValueError(Errors.E451.format(path=path, key=key, found=kind_of(found)))
        if not bool(torch.isfinite(found.to(expected.dtype)).all()):
            raise ValueError(Errors.E452.format(path=path, key=key))


def _width_embedding(checkpoint: Checkpoint) -> int:
    """RETURNS (int): The columns of the table of span widths. No setting tells its size."""
    found = checkpoint.weights.get(_WIDTHS)
    if found is None:
        raise ValueError(Errors.E412.format(path=checkpoint.path, key=_WIDTHS, expected="any"))
    if found.ndim != 2 or not found.numel():
        sizes = {"found": tuple(found.shape), "expected": "a table with rows and columns"}
        raise ValueError(Errors.E413.format(path=checkpoint.path, key=_WIDTHS, **sizes))
    return found.shape[1]


def _transformer_config(checkpoint: Checkpoint) -> Dict[str, Any]:
    return {
        "model": {
            "@architectures": "spacy-jere.TransformerModel.v1",
            "name": checkpoint.path.resolve().as_posix(),
            "get_spans": {"@span_getters": "spacy-jere.window_spans.v1"},
        }
    }


def _component_config(
    checkpoint: Checkpoint, rel_threshold: float, max_span_width: int
) -> Dict[str, Any]:
    symmetric = checkpoint.symmetric
    rules = [
        {"relation": label, "symmetric": label in symmetric} for label in checkpoint.relation_labels
    ]
    return {
        "rel_threshold": rel_threshold,
        "schema": rules if symmetric else None,
        "model": {
            "@architectures": "spacy-jere.SpERT.v1",
            "spans": {
                "@layers": "spacy-jere.SpanClassifier.v1",
                "max_span_width": max_span_width,
                "width_embedding": _width_embedding(checkpoint),
            },
            "tok2vec": {
                "@architectures": "spacy-jere.TransformerListener.v1",
                "pooling": {"@layers": "reduce_max.v1"},
                "context": True,
            },
        },
    }
