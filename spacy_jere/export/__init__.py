"""Relations to files: triples, tables and graphs. Docs to annotation formats and .spacy files.

Each format is a module:

NAME (str): The name of the format.
WRITES (str): The suffix of a written file; empty for a folder.
write(docs, path, **options): Writes Docs.
"""

from pathlib import Path
from types import ModuleType
from typing import Any, Dict, Iterable, Optional, Union

from spacy.tokens import Doc

from ..errors import Errors
from ..formats import SourceError, brat, docbin, spert_json
from ..formats._options import check_options
from . import csv_table, graphml, neo4j, node_link, parquet, triples, turtle

# First the formats that can be read again, then those for relations only.
WRITERS: Dict[str, ModuleType] = {
    module.NAME: module
    for module in (
        docbin,
        spert_json,
        brat,
        triples,
        csv_table,
        parquet,
        turtle,
        graphml,
        node_link,
        neo4j,
    )
}


def write_docs(
    docs: Iterable[Doc], path: Union[str, Path], format: Optional[str] = None, **options: Any
) -> None:
    """Write Docs with their entities and relations. Missing folders are made.

    format (Optional[str]): One of WRITERS; None goes by the path's suffix.
    options: Passed on to the `write` of the format.
    RAISES (SourceError): An unknown format, suffix or option, or Docs that the format can't
        represent.
    RAISES (ImportError): The format needs a package that is not installed.
    """
    path = Path(path)
    writer = find_writer(path, format)
    check_options(writer.write, options, Errors.E325, writer.NAME)
    writer.write(docs, path, **options)


def find_writer(path: Path, format: Optional[str] = None) -> ModuleType:
    """Find the module of a format.

    format (Optional[str]): One of WRITERS; None goes by the path's suffix.
    RAISES (SourceError): An unknown format or suffix, or a suffix of several formats.
    """
    known = ", ".join(WRITERS)
    if format is not None:
        if format not in WRITERS:
            raise SourceError(Errors.E302.format(format=format, known=known))
        return WRITERS[format]
    suffix = path.suffix.lower()
    found = [module for module in WRITERS.values() if suffix and suffix == module.WRITES]
    if not found:
        raise SourceError(Errors.E322.format(path=path, known=known))
    if len(found) > 1:
        names = " and ".join(module.NAME for module in found)
        raise SourceError(Errors.E326.format(path=path, names=names))
    return found[0]


__all__ = ["WRITERS", "find_writer", "write_docs"]
