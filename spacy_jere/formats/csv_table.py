"""CSV: one relation a row, with both ends, the sentence and the document it was read in.

UTF-8, commas, a header; quoted as RFC 4180 has it, so that texts may hold commas, quotes and line breaks. A score that is not
there is empty.
"""

import csv
from pathlib import Path
from typing import Iterable, Union

from spacy.tokens import Doc

from .facts import COLUMNS, all_facts
from .sink import whole_text

NAME = "csv"
WRITES = ".csv"


def write(docs: Iterable[Doc], path: Union[str, Path]) -> None:
    """Write the relations of Docs, in their order. Reads the Docs one by one."""
    with whole_text(path) as file:
        # The dialect's own line end, \r\n, is what makes the writer quote a text with a lone \r.
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(fact.row() for fact in all_facts(docs))
