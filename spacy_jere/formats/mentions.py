"""What writers take from a Doc."""

from typing import List

from spacy.tokens import Doc

from ..relations import Mention, mention, stored_relations


def all_mentions(doc: Doc, spans_key: str) -> List[Mention]:
    """RETURNS (List[Mention]): The entities of doc.ents, of the span group and of relations, each once, in the text's order."""
    spans = (*doc.ents, *doc.spans.get(spans_key, ()))
    ends = (end for x in stored_relations(doc) or () for end in (x.head, x.tail))
    return sorted({*map(mention, spans), *ends})
