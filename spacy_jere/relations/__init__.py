"""Relations between entities, kept on a Doc.

`doc._.relations` reads and writes plain data in `doc.user_data`, so that relations survive
everything a Doc goes through: bytes, `DocBin`, pickling, several processes, retokenization, and
spaCy's own ways of taking a part of a Doc or joining Docs. None means *not annotated*. An empty
tuple means *annotated, no relations*.

`store` keeps the data, `views` reads and sets relations, `entities` tells annotated entities from
predicted ones, `parts` splits and joins Docs, `extension` registers the attributes.
"""

from .entities import (
    DEFAULT_SPANS_KEY,
    annotated_mentions,
    entity_mentions,
    entity_scores,
    has_annotated_group,
    scored_entities,
)
from .extension import (
    EXTENSION,
    imported_by_name,
    install_extension,
    install_if_free,
    require_extension,
)
from .parts import as_doc, from_docs, split_sents
from .store import (
    Mention,
    StoredRelation,
    annotated_relations,
    mention,
    mention_span,
    store_relations,
    stored_relations,
)
from .views import Relation, RelationLike, get_relations, set_relations

__all__ = [
    "DEFAULT_SPANS_KEY",
    "EXTENSION",
    "Mention",
    "Relation",
    "RelationLike",
    "StoredRelation",
    "annotated_mentions",
    "annotated_relations",
    "as_doc",
    "entity_mentions",
    "entity_scores",
    "from_docs",
    "get_relations",
    "has_annotated_group",
    "imported_by_name",
    "install_extension",
    "install_if_free",
    "mention",
    "mention_span",
    "require_extension",
    "scored_entities",
    "set_relations",
    "split_sents",
    "store_relations",
    "stored_relations",
]
