"""Checkpoints of the original SpERT, made into spaCy pipelines with the same predictions.

A checkpoint is a folder with `config.json` and `vocab.txt` of its BERT, `pytorch_model.bin` or
`model.safetensors`, and `types.json`, which names the labels in the order of the classifiers'
outputs.
"""

from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Tuple, cast

import spacy
import srsly
import torch
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from torch import Tensor, nn

from ..errors import Errors
from .joint import JointModel
from .shim import TorchShim

# Optional dependencies (spacy-transformers and what it brings) are imported inside functions.
_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
_ENCODER = "bert."
# Our names of the head's parameters, and the original's.
_HEAD = {
    "encoder.width_embedding.weight": "size_embeddings.weight",
    "entity_classifier.weight": "entity_classifier.weight",
    "entity_classifier.bias": "entity_classifier.bias",
    "relation_classifier.weight": "rel_classifier.weight",
    "relation_classifier.bias": "rel_classifier.bias",
}
# Of the encoder, but no parameters; or of BERT's pretraining, which SpERT does not use.
_PASSED_OVER = ("bert.embeddings.position_ids", "cls.")


class Checkpoint(NamedTuple):
    """What a folder holds.

    path: The folder.
    weights: All parameters by their original names.
    entity_labels, relation_labels: In the order of the classifiers' outputs, without "none".
    symmetric: Relation labels without a direction.
    """

    path: Path
    weights: Dict[str, Tensor]
    entity_labels: List[str]
    relation_labels: List[str]
    symmetric: List[str]


def read_checkpoint(path: Path, types: Optional[Path] = None) -> Checkpoint:
    """Read a checkpoint. No code that may be in it is run.

    types (Optional[Path]): The file with the labels, if it is not types.json in the folder.
    RAISES (ValueError): Something is missing or can't be read.
    """
    types = types or path / "types.json"
    for needed in (path / "config.json", path / "vocab.txt", types):
        if not needed.is_file():
            raise ValueError(Errors.E410.format(path=path, missing=needed))
    entities, relations = _read_types(types)
    symmetric = [label for label, x in relations.items() if x.get("symmetric")]
    return Checkpoint(path, _read_weights(path), list(entities), list(relations), symmetric)


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
    RAISES (ValueError): Weights that are missing, superfluous or of another shape than the settings
        say.
    """
    from spacy_transformers.data_classes import HFObjects

    tokenizer = _tokenizer(checkpoint.path, lowercase)
    encoder = _encoder(checkpoint)
    nlp = spacy.blank(lang)
    transformer = cast(Any, nlp.add_pipe("transformer", config=_transformer_config(checkpoint)))
    vocabulary = (checkpoint.path / "vocab.txt").read_bytes()
    transformer.model.attrs["set_transformer"](
        transformer.model, HFObjects(tokenizer, encoder, vocabulary)
    )
    component = cast(
        Any,
        nlp.add_pipe(
            "joint_ner_re", config=_component_config(checkpoint, rel_threshold, max_span_width)
        ),
    )
    for label in checkpoint.entity_labels:
        component.add_label(label, "entity")
    for label in checkpoint.relation_labels:
        component.add_label(label, "relation")
    doc = Doc(nlp.vocab, words=["word"])
    nlp.initialize(lambda: [Example(doc, doc.copy())])
    _fill_head(component.model, checkpoint)
    return nlp


def _read_types(path: Path) -> Tuple[Dict[str, Any], Dict[str, Any]]:
    """RETURNS: Entity labels and relation labels, and what the file says of each."""
    try:
        labels = srsly.read_json(path)
    except ValueError as error:
        raise ValueError(Errors.E415.format(path=path)) from error
    found = [labels.get(x) if isinstance(labels, dict) else None for x in ("entities", "relations")]
    for each in found:
        if not isinstance(each, dict) or not all(isinstance(x, dict) for x in each.values()):
            raise ValueError(Errors.E415.format(path=path))
    return cast(Dict[str, Any], found[0]), cast(Dict[str, Any], found[1])


def _read_weights(path: Path) -> Dict[str, Tensor]:
    for name in _WEIGHTS:
        file = path / name
        if file.is_file():
            # What pickle, zip files and safetensors raise has nothing in common.
            try:
                return _load(file)
            except Exception as error:
                raise ValueError(Errors.E414.format(path=file, reason=error)) from error
    raise ValueError(Errors.E410.format(path=path, missing=" or ".join(_WEIGHTS)))


def _load(file: Path) -> Dict[str, Tensor]:
    if file.suffix == ".safetensors":
        from safetensors.torch import load_file

        return cast(Dict[str, Tensor], load_file(file))
    return cast(Dict[str, Tensor], torch.load(file, map_location="cpu", weights_only=True))


def _tokenizer(path: Path, lowercase: Optional[bool]) -> Any:
    from transformers import BertTokenizerFast

    settings = path / "tokenizer_config.json"
    if lowercase is None and settings.is_file():
        lowercase = srsly.read_json(settings).get("do_lower_case")
    if lowercase is None:
        pieces = (path / "vocab.txt").read_text(encoding="utf8").split("\n")
        lowercase = not any(x != x.lower() for x in pieces if not x.startswith("["))
    return BertTokenizerFast.from_pretrained(str(path), do_lower_case=lowercase)


def _encoder(checkpoint: Checkpoint) -> nn.Module:
    from transformers import BertConfig, BertModel

    config = BertConfig.from_pretrained(str(checkpoint.path), return_dict=True)
    encoder: nn.Module = BertModel(config)
    wanted = {_ENCODER + name: x for name, x in encoder.state_dict().items()}
    known = {*wanted, *_HEAD.values()}
    for key in checkpoint.weights:
        if key not in known and not key.startswith(_PASSED_OVER):
            raise ValueError(Errors.E411.format(path=checkpoint.path, key=key))
    _check(checkpoint, {key: x for key, x in wanted.items() if not key.startswith(_PASSED_OVER)})
    encoder.load_state_dict(
        {
            name: checkpoint.weights.get(_ENCODER + name, x)
            for name, x in encoder.state_dict().items()
        }
    )
    return encoder


def _fill_head(model: JointModel, checkpoint: Checkpoint) -> None:
    shim = cast(TorchShim, model.shims[0])
    widths = _HEAD["encoder.width_embedding.weight"]
    _check(checkpoint, {widths: None})
    n_widths, width_embedding = checkpoint.weights[widths].shape
    settings = cast(Dict[str, Any], shim.settings)
    spans = {**settings["spans"], "width_embedding": width_embedding}
    shim.build({**settings, "spans": spans, "n_widths": n_widths})
    own = shim._model.state_dict()
    _check(checkpoint, {_HEAD[name]: x for name, x in own.items()})
    shim._model.load_state_dict({name: checkpoint.weights[_HEAD[name]] for name in own})


def _check(checkpoint: Checkpoint, wanted: Dict[str, Optional[Tensor]]) -> None:
    """RAISES (ValueError): A key is missing or has another shape."""
    for key, expected in wanted.items():
        shape = tuple(expected.shape) if expected is not None else "any"
        found = checkpoint.weights.get(key)
        if found is None:
            raise ValueError(Errors.E412.format(path=checkpoint.path, key=key, expected=shape))
        if expected is not None and found.shape != expected.shape:
            raise ValueError(
                Errors.E413.format(
                    path=checkpoint.path, key=key, found=tuple(found.shape), expected=shape
                )
            )


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
    rules = {label: {"symmetric": label in symmetric} for label in checkpoint.relation_labels}
    return {
        "rel_threshold": rel_threshold,
        "schema": rules if symmetric else None,
        "model": {
            "@architectures": "spacy-jere.SpERT.v1",
            "spans": {"@layers": "spacy-jere.SpanClassifier.v1", "max_span_width": max_span_width},
            "tok2vec": {
                "@architectures": "spacy-jere.TransformerListener.v1",
                "pooling": {"@layers": "reduce_max.v1"},
                "context": True,
            },
        },
    }
