"""Word vectors in a small file: whole numbers of 8 bits, and words in one text."""

import json
import zipfile
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Union, cast

import numpy

from ..errors import Errors
from ..formats._writing import whole_file
from .distill import Table

SUFFIX = ".npz"
# The largest of the whole numbers
_LARGEST = 127


class WordVectors(NamedTuple):
    """A table of vectors.

    words (List[str]): Each once.
    table (Table): [n_words, n_dimensions]
    about (Dict[str, Any]): Where they come from: encoder, layers, licence.
    """

    words: List[str]
    table: Table
    about: Dict[str, Any]


def write_compact(path: Union[str, Path], vectors: WordVectors) -> None:
    """Write vectors with 8 bits a number. Each dimension is rounded to 1/127 of its largest
    value."""
    scale = numpy.abs(vectors.table).max(0, initial=1e-12) / _LARGEST
    whole = numpy.round(vectors.table / scale).astype("int8")
    arrays = {
        "table": whole,
        "scale": scale.astype("f"),
        "words": _text("\n".join(vectors.words)),
        "about": _text(json.dumps(vectors.about, ensure_ascii=False)),
    }
    with whole_file(path) as part, part.open("wb") as file:
        numpy.savez_compressed(file, **cast(Any, arrays))


def read_compact(path: Union[str, Path]) -> WordVectors:
    """Read what `write_compact` wrote.

    RAISES (ValueError): There is no such file, or it is another one.
    """
    try:
        with numpy.load(path, allow_pickle=False) as arrays:
            words = arrays["words"].tobytes().decode("utf8").split("\n")
            about = json.loads(arrays["about"].tobytes())
            table = arrays["table"].astype("f") * arrays["scale"]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError) as error:
        reason = str(error) or type(error).__name__
        raise ValueError(Errors.E439.format(path=path, reason=reason)) from error
    fits = table.ndim == 2 and len(table) == len(words) == len(set(words))
    if not (fits and isinstance(about, dict) and numpy.isfinite(table).all()):
        raise ValueError(Errors.E439.format(path=path, reason="its parts don't fit together"))
    return WordVectors(words, cast(Table, table), about)


def _text(text: str) -> Any:
    return numpy.frombuffer(text.encode("utf8"), dtype="uint8")
