"""spaCy's own .spacy files: Docs with all that they hold, relations included. Training reads them.

They are only written here: `spacy-jere.Corpus.v1` and `DocBin` read them, as Docs and not as
records.
"""

from pathlib import Path
from typing import Iterable, Union

from spacy.tokens import Doc, DocBin

from ._writing import whole_file

NAME = "spacy"
WRITES = ".spacy"


def write(docs: Iterable[Doc], path: Union[str, Path]) -> None:
    """Write Docs with their user data, which holds the relations."""
    doc_bin = DocBin(docs=docs, store_user_data=True)
    with whole_file(path) as part:
        doc_bin.to_disk(part)
