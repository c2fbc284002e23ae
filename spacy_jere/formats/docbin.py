"""spaCy's own .spacy files: Docs with all that they hold, relations included. Training reads them.

They are no annotation format that a reader makes records of: `spacy_jere.Corpus.v1` and `DocBin` give back the Docs themselves.
"""

from pathlib import Path
from typing import Iterable, Union

from spacy.tokens import Doc, DocBin

from .sink import whole_file

NAME = "spacy"
WRITES = ".spacy"


def write(docs: Iterable[Doc], path: Union[str, Path]) -> None:
    """Write Docs with their user data, where relations are kept."""
    doc_bin = DocBin(docs=docs, store_user_data=True)
    with whole_file(path) as part:
        doc_bin.to_disk(part)
