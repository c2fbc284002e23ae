"""Joint entity and relation extraction for spaCy."""

from typing import TYPE_CHECKING, Any

from . import relations
from ._version import __version__

if TYPE_CHECKING:
    from .relations import (
        Relation,
        as_doc,
        from_docs,
        get_relations,
        install_extension,
        scored_entities,
        set_relations,
        split_sents,
    )

__all__ = [
    "Relation",
    "__version__",
    "as_doc",
    "from_docs",
    "get_relations",
    "install_extension",
    "scored_entities",
    "set_relations",
    "split_sents",
]

if relations.imported_by_name():
    relations.install_if_free()


def __getattr__(name: str) -> Any:
    """Register `doc._.relations` for whoever uses the package after spaCy has loaded it as a
    plugin."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name != "install_extension":
        relations.install_if_free()
    return getattr(relations, name)
