"""CSV: a relation a row, with both ends, its sentence and its document.

UTF-8 with commas and a header, quoted as in RFC 4180: texts may hold commas, quotes and line
breaks. A missing score is empty. A spreadsheet would compute a text such as `=1+1`: an apostrophe
before it keeps it a text.
"""

import csv
import re
from pathlib import Path
from typing import Iterable, Tuple, TypeVar, Union

from spacy.tokens import Doc

from ..formats._writing import whole_text
from .facts import COLUMNS, DEFAULT_CONTEXT, all_facts

NAME = "csv"
WRITES = ".csv"
# What spreadsheets take for the beginning of a formula, also in full width and behind white space
_FORMULA = re.compile(r"[\s\ufeff]*[=+\-@＝＋－＠]|[\t\r\n]")
_Cell = TypeVar("_Cell")


def write(
    docs: Iterable[Doc],
    path: Union[str, Path],
    *,
    context: int = DEFAULT_CONTEXT,
    raw: bool = False,
) -> None:
    """Write the relations of Docs, in their order. Reads the Docs one by one.

    context (int): The greatest number of tokens that are shown around the ends of a relation.
    raw (bool): Leave texts as they are that a spreadsheet would take for formulas.
    """
    with whole_text(path) as file:
        # Only with the dialect's own line end, \r\n, the writer quotes a text with a lone \r.
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for fact in all_facts(docs, context):
            writer.writerow(fact.row() if raw else without_formulas(fact.row()))


def without_formulas(row: Iterable[_Cell]) -> Tuple[Union[_Cell, str], ...]:
    """RETURNS (Tuple[Union[_Cell, str], ...]): The row, with an apostrophe before each text that
    would be a formula."""
    return tuple(f"'{x}" if isinstance(x, str) and _FORMULA.match(x) else x for x in row)
