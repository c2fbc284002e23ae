"""CSV: a relation a row, with both ends, its sentence and its document.

UTF-8 with commas and a header, quoted as in RFC 4180: texts may hold commas, quotes and line
breaks. A missing score is empty.
"""

import csv
from pathlib import Path
from typing import Iterable, Union

from spacy.tokens import Doc

from ..formats._writing import whole_text
from .facts import COLUMNS, all_facts

NAME = "csv"
WRITES = ".csv"


def write(docs: Iterable[Doc], path: Union[str, Path]) -> None:
    """Write the relations of Docs, in their order. Reads the Docs one by one."""
    with whole_text(path) as file:
        # Only with the dialect's own line end, \r\n, the writer quotes a text with a lone \r.
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(fact.row() for fact in all_facts(docs))
