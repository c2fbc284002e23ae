"""Joint entity and relation extraction for spaCy."""

from ._version import __version__
from .relations import (
    Relation,
    as_doc,
    from_docs,
    get_relations,
    install_extension,
    set_relations,
)

install_extension()

__all__ = [
    "Relation",
    "__version__",
    "as_doc",
    "from_docs",
    "get_relations",
    "set_relations",
]
