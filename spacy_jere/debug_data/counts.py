"""Counts of one split of annotated data."""

from collections import Counter
from typing import Any, Dict, Iterable, List, Optional, Tuple

from spacy.tokens import Doc, Span

from ..relations import (
    DEFAULT_SPANS_KEY,
    Mention,
    StoredRelation,
    annotated_mentions,
    annotated_relations,
    entity_scores,
    has_annotated_group,
    mention_span,
    stored_relations,
)
from ..windows import doc_windows, window_of

Counts = Dict[str, Any]
# What `count_labels` counts, in this order
COUNTED = ("texts", "tokens", "entities", "relations")
TOTALS = (
    "documents",
    "tokens",
    "documents_with_sentences",
    "documents_without_entity_annotation",
    "documents_without_relation_annotation",
    "documents_without_relations",
    "repeated_documents",
    "too_wide_entities",
    "white_space_entities",
    "entities_across_sentences",
    "double_entities",
    "nested_entities",
    "crossing_entities",
    "relations_across_sentences",
    "relations_with_itself",
    "relations_too_far",
    "repeated_relations",
)


def count_labels(docs: Iterable[Doc]) -> "Counter[Tuple[str, str]]":
    """Count texts, tokens, entities and relations.

    RETURNS (Counter[Tuple[str, str]]): By kind and label. The label of a total is empty.
    """
    counts: Counter[Tuple[str, str]] = Counter({(kind, ""): 0 for kind in COUNTED})
    for doc in docs:
        found = entity_scores(doc, DEFAULT_SPANS_KEY)
        entities = [x.label for x in found] if found else [span.label_ for span in doc.ents]
        relations = [relation.label for relation in stored_relations(doc) or ()]
        counts["texts", ""] += 1
        counts["tokens", ""] += len(doc)
        for kind, labels in (("entities", entities), ("relations", relations)):
            counts[kind, ""] += len(labels)
            counts.update((kind, label) for label in labels)
    return counts


def doc_text(doc: Doc) -> str:
    """RETURNS (str): The text by which Docs are duplicates. White space is normalized."""
    return " ".join(doc.text.split())


class SplitCounter:
    """Counts Docs one by one.

    spans_key (str): The key of `doc.spans` that holds entities beside doc.ents.
    window (str): "sentence" or "doc": the window in which pairs of entities are counted.
    max_span_width (int): Entities with more tokens count as too wide; 0 for no limit.
    max_distance (Optional[int]): Relations with more tokens between their ends count as too far;
        None for no limit.
    """

    def __init__(
        self, spans_key: str, window: str, max_span_width: int, max_distance: Optional[int] = None
    ):
        self.spans_key = spans_key
        self.window = window
        self.max_span_width = max_span_width
        self.max_distance = max_distance
        self.totals = Counter(dict.fromkeys(TOTALS, 0))
        self.texts: Counter[str] = Counter()
        self.entities: Counter[str] = Counter()
        self.documents_by_entity: Counter[str] = Counter()
        self.widths: Counter[int] = Counter()
        self.relations: Counter[str] = Counter()
        self.head_first: Counter[str] = Counter()
        self.mutual: Counter[str] = Counter()
        # By entity labels of head and tail
        self.pairs: Counter[Tuple[str, str]] = Counter()
        self.related: Counter[Tuple[str, str]] = Counter()
        self.directions: Counter[Tuple[str, str, str]] = Counter()

    def add(self, doc: Doc) -> None:
        """Count a Doc."""
        text = doc_text(doc)
        self.totals["repeated_documents"] += text in self.texts
        self.texts[text] += 1
        self.totals["documents"] += 1
        self.totals["tokens"] += len(doc)
        has_sentences = len(doc) > 0 and bool(doc.has_annotation("SENT_START"))
        self.totals["documents_with_sentences"] += has_sentences
        annotated = doc.has_annotation("ENT_IOB") or has_annotated_group(doc, self.spans_key)
        self.totals["documents_without_entity_annotation"] += len(doc) > 0 and not annotated
        sentences = [start for start, _ in doc_windows(doc, "sentence")]
        spans = {x: mention_span(doc, x) for x in annotated_mentions(doc, self.spans_key)}
        self._add_entities(list(spans.values()), sentences)
        self._add_overlaps(list(spans.values()))
        stored = annotated_relations(doc)
        self.totals["documents_without_relation_annotation"] += stored is None
        self.totals["documents_without_relations"] += stored == []
        if stored is not None:
            self._add_relations(stored, spans, sentences)
            windows = [start for start, _ in doc_windows(doc, self.window)]
            self._add_pairs(stored, spans, windows)

    def _add_entities(self, spans: List[Span], sentences: List[int]) -> None:
        self.entities.update(span.label_ for span in spans)
        self.documents_by_entity.update({span.label_ for span in spans})
        self.widths.update(len(span) for span in spans)
        for span in spans:
            too_wide = 0 < self.max_span_width < len(span)
            self.totals["too_wide_entities"] += too_wide
            self.totals["white_space_entities"] += span.text != span.text.strip()
            across = window_of(sentences, span.start) != window_of(sentences, span.end - 1)
            self.totals["entities_across_sentences"] += across

    def _add_overlaps(self, spans: List[Span]) -> None:
        for i, left in enumerate(spans):
            for right in spans[i + 1 :]:
                if right.start >= left.end:  # spans are sorted by their start
                    break
                if (left.start, left.end) == (right.start, right.end):
                    self.totals["double_entities"] += 1
                elif left.start == right.start or right.end <= left.end:
                    self.totals["nested_entities"] += 1
                else:
                    self.totals["crossing_entities"] += 1

    def _add_relations(
        self, stored: List[StoredRelation], spans: Dict[Mention, Span], sentences: List[int]
    ) -> None:
        ends = {(x.head, x.tail, x.label) for x in stored}
        self.totals["repeated_relations"] += len(stored) - len(ends)
        for head, tail, label, _ in stored:
            self.relations[label] += 1
            self.directions[head.label, label, tail.label] += 1
            self.head_first[label] += head < tail
            self.mutual[label] += (tail, head, label) in ends
            places = [window_of(sentences, spans[x].start) for x in (head, tail)]
            self.totals["relations_across_sentences"] += places[0] != places[1]
            self.totals["relations_with_itself"] += head == tail
            if self.max_distance is not None:
                far = _tokens_between(spans[head], spans[tail]) > self.max_distance
                self.totals["relations_too_far"] += far

    def _add_pairs(
        self, stored: List[StoredRelation], spans: Dict[Mention, Span], windows: List[int]
    ) -> None:
        by_window: Dict[int, Counter[str]] = {}
        for span in spans.values():
            by_window.setdefault(window_of(windows, span.start), Counter())[span.label_] += 1
        for labels in by_window.values():
            for head, n_heads in labels.items():
                for tail, n_tails in labels.items():
                    self.pairs[head, tail] += n_heads * (n_tails - (head == tail))
        for head_end, tail_end in {(x.head, x.tail) for x in stored}:
            places = [window_of(windows, spans[x].start) for x in (head_end, tail_end)]
            if places[0] == places[1] and head_end != tail_end:
                self.related[head_end.label, tail_end.label] += 1

    def to_dict(self) -> Counts:
        """RETURNS (Counts): All counts, as plain data."""
        type_pairs = [
            {"head": head, "tail": tail, "pairs": n, "related": self.related[head, tail]}
            for (head, tail), n in sorted(self.pairs.items())
            if n
        ]
        directions = [
            {"head": head, "relation": label, "tail": tail, "relations": n}
            for (head, label, tail), n in sorted(self.directions.items(), key=_by_relation)
        ]
        return {
            **self.totals,
            "repeated_texts": _most_first(Counter({x: n for x, n in self.texts.items() if n > 1})),
            "entities": _most_first(self.entities),
            "documents_by_entity": _most_first(self.documents_by_entity),
            "entity_widths": dict(sorted(self.widths.items())),
            "relations": _most_first(self.relations),
            "relations_with_head_first": dict(self.head_first),
            "relations_with_reverse": dict(self.mutual),
            "directions": directions,
            "type_pairs": type_pairs,
        }


def count_split(docs: Iterable[Doc], counter: SplitCounter) -> Counts:
    """RETURNS (Counts): The counts of Docs."""
    for doc in docs:
        counter.add(doc)
    return counter.to_dict()


def _tokens_between(head: Span, tail: Span) -> int:
    return max(0, max(head.start, tail.start) - min(head.end, tail.end))


def _by_relation(item: Tuple[Tuple[str, str, str], int]) -> Tuple[str, int]:
    (_, label, _), n = item
    return label, -n


def _most_first(counts: "Counter[str]") -> Dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
