"""Word vectors as a part of a pipeline: a callback for the config, and a pipeline of their own."""

from pathlib import Path
from typing import Callable, Optional, Union

import spacy
from spacy.language import Language
from spacy.training.initialize import load_vectors_into_model
from spacy.vectors import Vectors

from ..errors import Errors
from .compact import SUFFIX, WordVectors, read_compact


def create_read_vectors_v1(
    path: Optional[Union[str, Path]],
) -> Callable[[Language], Language]:
    """Give a pipeline word vectors before its components are initialized.

    path (Optional[str]): A file of `jere make-vectors`, or a pipeline with vectors, by name or
        folder; null leaves the pipeline as it is.
    """

    def read_vectors(nlp: Language) -> Language:
        if path is not None and Path(path).suffix == SUFFIX:
            set_vectors(nlp, read_compact(path))
        elif path is not None:
            load_vectors_into_model(nlp, path)
        return nlp

    return read_vectors


def set_vectors(nlp: Language, vectors: WordVectors) -> None:
    """Set a pipeline's word vectors. What it had before is replaced."""
    strings = nlp.vocab.strings
    name = str(vectors.about.get("name", "vectors"))
    nlp.vocab.vectors = Vectors(strings=strings, data=vectors.table, keys=vectors.words, name=name)


def pipeline_of(vectors: WordVectors, lang: str = "en") -> Language:
    """RETURNS (Language): A pipeline with vectors and nothing else, for `initialize.vectors`.
    RAISES (ValueError): spaCy doesn't know the language.
    """
    try:
        nlp = spacy.blank(lang)
    except (ImportError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(Errors.E448.format(lang=lang, reason=reason)) from error
    set_vectors(nlp, vectors)
    return nlp
