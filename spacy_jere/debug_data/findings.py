"""Faults of the data that keep a model from training, or from getting better."""

import re
from typing import Dict, Iterator, List, NamedTuple, Optional

from ..schema import Schema
from .counts import Counts

# As `spacy debug data` has it for a new entity label
FEW = 50
# Entity types that make up so many pairs, all of them related, are worth a note.
ALWAYS = 10
# Labels of other tools for "there is nothing here": No-rel, NONE, no_relation, NA, O
_NOTHING = re.compile(
    r"(no|not|none|null|na|n/a|o)([-_ ]*(a|an|any))?([-_ ]*(rel|relations?|entity))?"
)


class Finding(NamedTuple):
    """A sentence about the data.

    level: "error" (training will stop), "warning" or "info".
    topic: "documents", "entities", "relations" or "splits".
    """

    level: str
    topic: str
    text: str


def find_all(
    train: Counts,
    dev: Optional[Counts],
    *,
    leaked: int,
    window: str,
    max_span_width: int,
    schema: Schema,
) -> List[Finding]:
    """RETURNS (List[Finding]): All findings, by topic."""
    found: List[Finding] = []
    splits = {"train": train} if dev is None else {"train": train, "dev": dev}
    for name, counts in splits.items():
        found += _documents(name, counts)
        found += _entities(name, counts, window, max_span_width)
        found += _relations(name, counts, window)
    found += _labels(train)
    found += _schema(train, schema)
    if dev is not None:
        found += _splits(train, dev, leaked)
    topics = ["documents", "entities", "relations", "splits"]
    return sorted(found, key=lambda finding: topics.index(finding.topic))


def _documents(name: str, counts: Counts) -> Iterator[Finding]:
    n, topic = counts["documents"], "documents"
    if not n:
        yield Finding("error", topic, f"{name} has no documents")
    if x := counts["documents_without_entity_annotation"]:
        text = (
            f"{x:,} of {n:,} documents in {name} have no entity annotation: nothing is "
            "learned from them about entities (an empty doc.ents says 'none')"
        )
        yield Finding("info", topic, text)
    if x := counts["documents_without_relation_annotation"]:
        text = (
            f"{x:,} of {n:,} documents in {name} have no relation annotation: nothing is "
            "learned from them about relations (an empty doc._.relations says 'none')"
        )
        yield Finding("info", topic, text)
    if x := counts["repeated_documents"]:
        text = f"{x:,} of {n:,} documents in {name} repeat the text of an earlier one"
        yield Finding("warning", topic, text)


def _entities(name: str, counts: Counts, window: str, max_span_width: int) -> Iterator[Finding]:
    topic = "entities"
    if name == "train" and counts["documents"] and not counts["entities"]:
        yield Finding("error", topic, "train has no entities: set doc.ents")
    if x := counts["too_wide_entities"]:
        text = (
            f"{x:,} entities in {name} have more than {max_span_width} tokens: a model with "
            f"max_span_width = {max_span_width} never finds them"
        )
        yield Finding("warning", topic, text)
    if x := counts["white_space_entities"]:
        text = f"{x:,} entities in {name} begin or end with white space"
        yield Finding("warning", topic, text)
    if window == "sentence" and (x := counts["entities_across_sentences"]):
        text = f"{x:,} entities in {name} reach across a sentence boundary: they are not learned"
        yield Finding("warning", topic, text)
    kinds = {
        "double": "have two labels",
        "nested": "lie inside another",
        "crossing": "overlap another in part",
    }
    for kind, what in kinds.items():
        if x := counts[f"{kind}_entities"]:
            text = (
                f"{x:,} entities in {name} {what}: a tagger of tokens (the BiRNN model) "
                "learns only one of the two"
            )
            yield Finding("info", topic, text)


def _relations(name: str, counts: Counts, window: str) -> Iterator[Finding]:
    topic, n = "relations", sum(counts["relations"].values())
    if name == "train" and counts["documents"] and not n:
        yield Finding("warning", topic, "train has no relations: only entities can be learned")
    across = counts["relations_across_sentences"]
    if across and window == "sentence":
        text = (
            f"{across:,} of {n:,} relations in {name} join two sentences: with window = "
            '"sentence" they are not learned and count as missed'
        )
        yield Finding("warning", topic, text)
    if x := counts["relations_too_far"]:
        text = (
            f"{x:,} of {n:,} relations in {name} have more than max_distance tokens between their "
            "entities: they are not learned and count as missed"
        )
        yield Finding("warning", topic, text)
    if x := counts["relations_with_itself"]:
        text = f"{x:,} relations in {name} join an entity with itself: they are not learned"
        yield Finding("warning", topic, text)
    if x := counts["repeated_relations"]:
        text = f"{x:,} relations in {name} repeat another of the same two entities and label"
        yield Finding("warning", topic, text)
    for pair in counts["type_pairs"] if name == "train" else ():
        if pair["pairs"] == pair["related"] >= ALWAYS:
            text = (
                f"All {pair['pairs']:,} pairs {pair['head']} -> {pair['tail']} are related: "
                "there is nothing to learn from about pairs that are not"
            )
            yield Finding("info", topic, text)
    never = [f"{x['head']} -> {x['tail']}" for x in counts["type_pairs"] if not x["related"]]
    if name == "train" and n and never:
        text = f"Never related: {', '.join(never)}. A schema leaves such pairs out"
        yield Finding("info", topic, text)


def _labels(train: Counts) -> Iterator[Finding]:
    for topic in ("entities", "relations"):
        for label, n in train[topic].items():
            if _NOTHING.fullmatch(label.lower()):
                text = (
                    f"The label '{label}' of {n:,} {topic} in train seems to say that there are "
                    f"none. It is learned like any other: drop it (convert --map-labels {label}=)"
                )
                yield Finding("warning", topic, text)
            if n < FEW:
                text = f"Few examples of the label '{label}' in train: {n}"
                yield Finding("warning", topic, text)
    for label, n in train["documents_by_entity"].items():
        if n == train["documents"]:
            text = (
                f"Every document in train has an entity '{label}': there are none to learn "
                "from that it is missing"
            )
            yield Finding("info", "entities", text)


def _schema(train: Counts, schema: Schema) -> Iterator[Finding]:
    """Find what the component refuses when it is initialized."""
    topic = "relations"
    if not schema:
        return
    for label in train["relations"]:
        if label not in schema:
            text = f"The schema does not mention the relation label '{label}' of train"
            yield Finding("error", topic, text)
    for x in train["directions"]:
        label, head, tail = x["relation"], x["head"], x["tail"]
        if label in schema and not schema[label].allows(head, tail):
            n = x["relations"]
            text = f"The schema does not allow '{label}' from {head} to {tail}: {n:,} in train"
            yield Finding("error", topic, text)
    for label, rule in schema.items():
        named = {"relations": [label], "entities": [*(rule.head or ()), *(rule.tail or ())]}
        for key, labels in named.items():
            for unknown in sorted(set(labels) - set(train[key])):
                text = f"The schema of '{label}' names '{unknown}', which train does not have"
                yield Finding("error", topic, text)


def _splits(train: Counts, dev: Counts, leaked: int) -> Iterator[Finding]:
    topic = "splits"
    if leaked:
        text = (
            f"{leaked:,} of {dev['documents']:,} documents in dev have a text that train has, "
            "too: scores will be too good"
        )
        yield Finding("warning", topic, text)
    kinds: Dict[str, str] = {"entities": "entity", "relations": "relation"}
    for key, kind in kinds.items():
        for label in train[key]:
            if dev["documents"] and label not in dev[key]:
                text = f"The {kind} label '{label}' is missing in dev: it will have no score"
                yield Finding("warning", topic, text)
        for label in dev[key]:
            if label not in train[key]:
                text = f"The {kind} label '{label}' of dev is missing in train: it can't be learned"
                yield Finding("warning", topic, text)
