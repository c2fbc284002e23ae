"""`spacy-jere.TokenFeatures.v1`: token vectors put together from several sources.

v_i = contextual ∘ static ∘ character BiRNN ∘ casing, each part optional (arXiv 2002.06424, section
3.1). Characters and casing are computed once for each distinct word of a batch.
"""

from functools import lru_cache
from typing import Any, Callable, List, Optional, Tuple, cast

import numpy
import torch
from spacy.attrs import LOWER, ORTH
from spacy.tokens import Doc
from spacy.vectors import Mode
from thinc.api import ArgsKwargs, Model, concatenate, torch2xp
from thinc.types import Floats2d

from ...errors import Errors
from ..shim import TorchShim
from ..types import Array1d
from .characters import CharacterBiRNN

TokenVectors = Model[List[Doc], List[Floats2d]]

CASINGS = (
    "all digits",
    "mostly digits",
    "all lower",
    "all upper",
    "initial upper",
    "contains a digit",
    "other",
)
# Code points below this have a row of their own in the table of characters; others share the rest.
_OWN_ROWS = 0x250
_SHARED_ROWS = 0x100
# Root mean square of a normalized word vector.
_STATIC_RMS = 0.5
# Longer words (links, sequences) keep their first and last characters.
_MAX_CHARACTERS = 40


def build_token_features_v1(
    contextual: Optional[TokenVectors] = None,
    static_vectors: bool = False,
    characters: Optional[int] = 32,
    casing: bool = True,
    normalize_vectors: bool = False,
) -> TokenVectors:
    """Concatenate what is known of each token.

    contextual (Optional[TokenVectors]): Any tok2vec: a CNN, a listener, a transformer.
    static_vectors (bool): The pipeline's word vectors. A word without a vector gets that of its
        lower case, else zeros.
    characters (Optional[int]): Width of the character embeddings, and units of each direction of
        the GRU over them. null leaves characters out.
    casing (bool): One of seven classes, one-hot.
    normalize_vectors (bool): Scale the word vectors to one length, with a root mean square of 0.5,
        as hidden states of BERT have. Longer vectors slow down fine-tuning.
    RETURNS (TokenVectors): Token vectors; their width is known after initialization.
    RAISES (ValueError): Nothing is chosen.
    """
    parts: List[TokenVectors] = []
    if contextual is not None:
        parts.append(contextual)
    if static_vectors:
        parts.append(_static_layer(normalize_vectors))
    if characters:
        parts.append(_character_layer(characters))
    if casing:
        parts.append(_casing_layer())
    if not parts:
        raise ValueError(Errors.E401)
    model = cast(TokenVectors, concatenate(*parts))
    if contextual is not None and contextual.has_ref("context"):
        model.set_ref("context", contextual.get_ref("context"))  # its features still come first
    return model


def _static_layer(normalize: bool) -> TokenVectors:
    return Model(
        "static_vectors",
        _static_forward,
        init=_static_init,
        dims={"nO": None},
        attrs={"normalize": normalize},
    )


def _static_init(model: TokenVectors, X: Optional[List[Doc]] = None, Y: Any = None) -> None:
    if not X:
        return
    width = X[0].vocab.vectors_length
    if not width:
        raise ValueError(Errors.E400)
    model.set_dim("nO", width)


def _static_forward(
    model: TokenVectors, docs: List[Doc], is_train: bool
) -> Tuple[List[Floats2d], Callable[[Any], List[Doc]]]:
    width = model.get_dim("nO")
    for doc in docs:
        if doc.vocab.vectors_length != width:
            raise ValueError(Errors.E402.format(found=doc.vocab.vectors_length, expected=width))
    found = [_lookup(doc, model.ops) for doc in docs]
    if model.attrs["normalize"]:
        found = [_normalized(x, model.ops) for x in found]
    return found, _no_gradient


def _normalized(vectors: Floats2d, ops: Any) -> Floats2d:
    """RETURNS: Each vector with a root mean square of _STATIC_RMS; zeros stay. [n_tokens, width]"""
    length = ops.xp.linalg.norm(vectors, axis=1, keepdims=True)
    wanted = _STATIC_RMS * vectors.shape[1] ** 0.5
    return cast(Floats2d, ops.as_contig(vectors * (wanted / ops.xp.maximum(length, 1e-6))))


def _lookup(doc: Doc, ops: Any) -> Floats2d:
    """Each token's vector, else that of its lower case, else zeros. RETURNS: [n_tokens, width]."""
    vectors = doc.vocab.vectors
    keys = doc.to_array([ORTH, LOWER]).reshape((len(doc), 2))
    if vectors.mode == Mode.floret:
        return ops.as_contig(ops.asarray(vectors.get_batch(keys[:, 0])))
    rows = vectors.find(keys=keys[:, 0])
    missing = rows < 0
    if missing.any():
        rows[missing] = vectors.find(keys=keys[missing, 1])
    table = ops.asarray(vectors.data)
    found = table[ops.asarray(rows)]
    found[ops.asarray(rows < 0)] = 0
    return ops.as_contig(found.astype("f"))


def _casing_layer() -> TokenVectors:
    return Model("casing", _casing_forward, dims={"nO": len(CASINGS)})


def _casing_forward(
    model: TokenVectors, docs: List[Doc], is_train: bool
) -> Tuple[List[Floats2d], Callable[[Any], List[Doc]]]:
    words, rows = _distinct_words(docs)
    classes = numpy.asarray([casing_class(word) for word in words], dtype="int64")
    one_hot = numpy.eye(len(CASINGS), dtype="f")[classes[rows]]
    return _split(model.ops.asarray2f(one_hot), docs), _no_gradient


@lru_cache(maxsize=1 << 16)
def casing_class(word: str) -> int:
    """RETURNS (int): Index into CASINGS."""
    n_digits = sum(character.isdigit() for character in word)
    if n_digits == len(word):
        return 0
    if 2 * n_digits > len(word):
        return 1
    if word.islower():
        return 2
    if word.isupper():
        return 3
    if word[0].isupper():
        return 4
    return 5 if n_digits else 6


def _character_layer(width: int) -> TokenVectors:
    return Model(
        "characters",
        _character_forward,
        init=_character_init,
        shims=[TorchShim(CharacterBiRNN)],
        dims={"nO": 2 * width},
    )


def _character_init(model: TokenVectors, X: Any = None, Y: Any = None) -> None:
    shim = cast(TorchShim, model.shims[0])
    if not shim.is_built:
        width = model.get_dim("nO") // 2
        shim.build(
            {"n_characters": _OWN_ROWS + _SHARED_ROWS, "embed_width": width, "hidden": width}
        )


def _character_forward(
    model: TokenVectors, docs: List[Doc], is_train: bool
) -> Tuple[List[Floats2d], Callable[[List[Floats2d]], List[Doc]]]:
    shim = cast(TorchShim, model.shims[0])
    words, rows = _distinct_words(docs)
    spelled = [_character_rows(word) for word in words]
    characters = torch.as_tensor(numpy.concatenate(spelled), device=shim.device)
    lengths = torch.as_tensor([len(x) for x in spelled], device=shim.device)
    output, backprop_torch = shim(ArgsKwargs((characters, lengths), {}), is_train)
    tokens = cast(Floats2d, torch2xp(output))[model.ops.xp.asarray(rows)]

    def backprop(d_vectors: List[Floats2d]) -> List[Doc]:
        d_tokens = torch.as_tensor(model.ops.flatten(d_vectors), device=shim.device)
        d_words = torch.zeros_like(output).index_add_(
            0, torch.as_tensor(rows, device=shim.device), d_tokens
        )
        backprop_torch(ArgsKwargs(args=([output],), kwargs={"grad_tensors": [d_words]}))
        return []

    return _split(tokens, docs), backprop


@lru_cache(maxsize=1 << 16)
def _character_rows(word: str) -> Array1d:
    """RETURNS: The row of each character in the table."""
    if len(word) > _MAX_CHARACTERS:
        word = word[: _MAX_CHARACTERS // 2] + word[-_MAX_CHARACTERS // 2 :]
    codes = numpy.asarray([ord(character) for character in word], dtype="int64")
    return numpy.where(codes < _OWN_ROWS, codes, _OWN_ROWS + codes % _SHARED_ROWS)


def _distinct_words(docs: List[Doc]) -> Tuple[List[str], Array1d]:
    """RETURNS: The distinct words of the Docs, and which of them each token is, [n_tokens]."""
    keys = numpy.concatenate([doc.to_array(ORTH) for doc in docs])
    distinct, first, rows = numpy.unique(keys, return_index=True, return_inverse=True)
    # Each Doc has the strings of its own words. Another Doc's vocabulary may lack them.
    ends = numpy.cumsum([len(doc) for doc in docs])
    owners = numpy.searchsorted(ends, first, side="right").tolist()
    words = [docs[i].vocab.strings[key] for i, key in zip(owners, distinct.tolist())]
    return words, rows.reshape(-1)


def _split(tokens: Floats2d, docs: List[Doc]) -> List[Floats2d]:
    ends = numpy.cumsum([len(doc) for doc in docs])
    return [tokens[end - len(doc) : end] for doc, end in zip(docs, ends.tolist())]


def _no_gradient(d_vectors: Any) -> List[Doc]:
    return []
