"""Relations of spaCy's tutorial on relation extraction (`rel_component`), which .spacy files made
with it hold in `doc._.rel`:

    {(first token of the head, first token of the tail): {label: probability}}

Head and tail are entities of `doc.ents`. What has a probability of more than a half is a relation.
"""

from collections import Counter
from typing import Any, Dict, Iterable, Iterator, Tuple

from spacy.tokens import Doc

from ..relations import StoredRelation, mention, store_relations, stored_relations

_KEY = ("._.", "rel", None, None)
_THRESHOLD = 0.5


def adopt_relations(docs: Iterable[Doc], skipped: "Counter[str]") -> Iterator[Doc]:
    """Set `doc._.relations` of Docs that have relations of the tutorial and none of their own.

    skipped (Counter[str]): What can't be read is counted here.
    """
    for doc in docs:
        found: Any = doc.user_data.get(_KEY)  # type: ignore[call-overload]
        if isinstance(found, dict) and stored_relations(doc) is None:
            pairs = {ends: labels for ends, labels in found.items() if _is_pair(ends, labels)}
            if len(pairs) < len(found):
                skipped["values of doc._.rel that are no relations"] += len(found) - len(pairs)
            if pairs or not found:
                store_relations(doc, list(_relations(doc, pairs, skipped)))
        yield doc


def _is_pair(ends: Any, labels: Any) -> bool:
    return (
        isinstance(ends, tuple)
        and len(ends) == 2
        and all(isinstance(end, int) for end in ends)
        and isinstance(labels, dict)
        and all(isinstance(x, str) and isinstance(y, (int, float)) for x, y in labels.items())
    )


def _relations(
    doc: Doc, pairs: Dict[Tuple[int, int], Dict[str, float]], skipped: "Counter[str]"
) -> Iterator[StoredRelation]:
    entities = {ent.start: mention(ent) for ent in doc.ents}
    for ends, labels in pairs.items():
        for label, probability in labels.items():
            if not label or probability <= _THRESHOLD:
                continue
            head, tail = (entities.get(end) for end in ends)
            if head is None or tail is None:
                skipped["relations of doc._.rel between tokens that begin no entity"] += 1
            else:
                yield StoredRelation(head, tail, label, None)
