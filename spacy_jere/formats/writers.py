"""The formats that relations are exported to. Each has a module with `NAME`, `SUFFIX` and `write(docs, path)`."""

from pathlib import Path
from types import ModuleType
from typing import Dict, Optional

from ..errors import Errors
from . import csv_table, graphml, neo4j, node_link, parquet, triples, turtle

WRITERS: Dict[str, ModuleType] = {
    module.NAME: module
    for module in (triples, csv_table, turtle, graphml, node_link, neo4j, parquet)
}


def find_writer(path: Path, format: Optional[str] = None) -> ModuleType:
    """RETURNS (ModuleType): The module of a format; None takes the format that the path's suffix belongs to.

    RAISES (ValueError): An unknown format or suffix.
    """
    if format is None:
        for module in WRITERS.values():
            if path.suffix.lower() == module.SUFFIX:
                return module
        raise ValueError(Errors.E322.format(path=path, known=", ".join(WRITERS)))
    if format not in WRITERS:
        raise ValueError(Errors.E302.format(format=format, known=", ".join(WRITERS)))
    return WRITERS[format]
