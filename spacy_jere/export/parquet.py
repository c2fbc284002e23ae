"""Parquet: a relation a row, with the columns of CSV."""

from itertools import islice
from pathlib import Path
from typing import Any, Iterable, Union

from spacy.tokens import Doc

from ..errors import Errors
from ..formats import SourceError
from ..formats._writing import import_optional, whole_file
from .facts import COLUMNS, DEFAULT_CONTEXT, all_facts

NAME = "parquet"
WRITES = ".parquet"


def write(
    docs: Iterable[Doc],
    path: Union[str, Path],
    *,
    batch_size: int = 50_000,
    context: int = DEFAULT_CONTEXT,
) -> None:
    """Write the relations of Docs, in their order. Reads the Docs one by one.

    batch_size (int): The number of relations that are held in memory, and of a row group.
    context (int): The greatest number of tokens that are shown around the ends of a relation.
    RAISES (SourceError): A batch of no relations.
    RAISES (ImportError): pyarrow is not installed.
    """
    if batch_size < 1:
        error = Errors.E327.format(option="batch_size", wanted="1 or more", value=batch_size)
        raise SourceError(error)
    pyarrow = import_optional("pyarrow", NAME)
    parquet = import_optional("pyarrow.parquet", NAME)
    schema = _schema(pyarrow)
    rows = (fact.row() for fact in all_facts(docs, context))
    with whole_file(path) as part, parquet.ParquetWriter(part, schema) as writer:
        while batch := list(islice(rows, batch_size)):
            arrays = [pyarrow.array(x, field.type) for x, field in zip(zip(*batch), schema)]
            writer.write_table(pyarrow.Table.from_arrays(arrays, schema=schema))


def _schema(pyarrow: Any) -> Any:
    def column(name: str) -> Any:
        if name == "score":
            return pyarrow.field(name, pyarrow.float64())
        is_offset = name.endswith(("_start", "_end"))
        return pyarrow.field(
            name, pyarrow.int64() if is_offset else pyarrow.string(), nullable=False
        )

    return pyarrow.schema([column(name) for name in COLUMNS])
