"""Settings that suit the data."""

import json
from typing import Any, Dict, List, Optional, Tuple

from ..schema import Rule, learn_schema
from .counts import Counts

# The suggested width covers this share of the entities.
COVERED = 0.999
# With more relations across sentences than this share, the suggested window is the whole Doc,
# although it has many more pairs of entities.
MANY_ACROSS = 0.05
# Fewer relations of a label can't show whether it is symmetric.
ENOUGH = 10
# A label is symmetric if this share of its relations is annotated in both directions. The other
# directions count as forgotten.
MUTUAL = 0.9


def suggest(train: Counts) -> Dict[str, Any]:
    """Suggest settings.

    RETURNS (Dict[str, Any]): `window`, `max_span_width` (None without entities), `symmetric` and
        `maybe_symmetric` (relation labels), `schema` (config text).
    """
    symmetric, maybe = _symmetric_labels(train)
    return {
        "window": _window(train),
        "max_span_width": _span_width(train["entity_widths"]),
        "symmetric": symmetric,
        "maybe_symmetric": maybe,
        "schema": schema_text(train, symmetric, maybe),
    }


def learned_rules(counts: Counts) -> Dict[str, Rule]:
    """RETURNS (Dict[str, Rule]): For each relation label the entity labels that it joins."""
    return learn_schema((x["head"], x["relation"], x["tail"]) for x in counts["directions"])


def schema_text(train: Counts, symmetric: List[str], maybe: List[str]) -> str:
    """RETURNS (str): A section of a config for each relation label; empty without relations."""
    sections = ["[components.joint_ner_re.schema]\n"]
    for label, rule in learned_rules(train).items():
        if "." in label or "]" in label:
            sections.append(
                f"# {label!r} can't be written here: the name of a section has no '.' and ']'\n"
            )
            continue
        lines = [
            f"[components.joint_ner_re.schema.{label}]",
            f"head = {json.dumps(rule.head, ensure_ascii=False)}",
            f"tail = {json.dumps(rule.tail, ensure_ascii=False)}",
        ]
        if label in symmetric:
            lines.append("symmetric = true")
        elif label in maybe:
            lines += [
                "# The head always comes first in the text. If the order says nothing:",
                "# symmetric = true",
            ]
        sections.append("\n".join(lines) + "\n")
    return "\n".join(sections) if len(sections) > 1 else ""


def _window(train: Counts) -> str:
    n_relations = sum(train["relations"].values())
    across = train["relations_across_sentences"]
    if not train["documents_with_sentences"] or across > MANY_ACROSS * n_relations:
        return "doc"
    return "sentence"


def _span_width(widths: Dict[int, int]) -> Optional[int]:
    needed, covered = COVERED * sum(widths.values()), 0
    for width, n in sorted(widths.items()):
        covered += n
        if covered >= needed:
            return width
    return None


def _symmetric_labels(train: Counts) -> Tuple[List[str], List[str]]:
    symmetric, maybe = [], []
    rules = learned_rules(train)
    for label, n in train["relations"].items():
        if n < ENOUGH or rules[label].head != rules[label].tail:
            continue
        if train["relations_with_reverse"][label] >= MUTUAL * n:
            symmetric.append(label)
        elif train["relations_with_head_first"][label] == n:
            maybe.append(label)
    return symmetric, maybe
