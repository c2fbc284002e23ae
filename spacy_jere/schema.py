"""Which entity types a relation label may join, and which labels have no direction."""

from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

from .errors import Errors

LEARN = "learn"
SchemaConfig = Union[None, str, Dict[str, Dict[str, Any]], List[Dict[str, Any]]]
_KEYS = {"head", "tail", "symmetric"}


class Rule(NamedTuple):
    """What one relation label allows.

    head, tail: Entity labels of the two ends; None allows all.
    symmetric: The order of the ends says nothing; it is stored with the end that comes first as
        head.
    """

    head: Optional[Tuple[str, ...]] = None
    tail: Optional[Tuple[str, ...]] = None
    symmetric: bool = False

    def allows(self, head: str, tail: str) -> bool:
        """RETURNS (bool): Whether the label may join these entity labels, in this order."""
        forward = self._fits(head, tail)
        return forward or (self.symmetric and self._fits(tail, head))

    def _fits(self, head: str, tail: str) -> bool:
        return (self.head is None or head in self.head) and (self.tail is None or tail in self.tail)


Schema = Mapping[str, Rule]


def parse_schema(config: SchemaConfig) -> Dict[str, Rule]:
    """Read the setting `schema` of the component.

    config: None and "learn" have no rules of their own; else for each relation label `head`, `tail`
        and `symmetric`, each optional. A list of such rules has the label under `relation`, for
        labels that can't be the name of a section.
    RETURNS (Dict[str, Rule]): A rule for each label that is mentioned.
    RAISES (ValueError): Anything else.
    """
    if config is None or config == LEARN:
        return {}
    if isinstance(config, (list, tuple)):
        config = _rows_by_label(config)
    if not isinstance(config, Mapping):
        raise ValueError(Errors.E110.format(reason=f"found {config!r}"))
    return {label: _parse_rule(label, rule) for label, rule in config.items()}


def schema_config(schema: Schema) -> Dict[str, Dict[str, Any]]:
    """RETURNS (Dict[str, Dict[str, Any]]): What `parse_schema` reads back; JSON."""
    config: Dict[str, Dict[str, Any]] = {}
    for label, rule in schema.items():
        config[label] = {"symmetric": rule.symmetric}
        if rule.head is not None:
            config[label]["head"] = list(rule.head)
        if rule.tail is not None:
            config[label]["tail"] = list(rule.tail)
    return config


def schema_rows(schema: Schema) -> List[Dict[str, Any]]:
    """RETURNS (List[Dict[str, Any]]): The same as a list, with labels as values."""
    return [{"relation": label, **rule} for label, rule in schema_config(schema).items()]


def learn_schema(triples: Iterable[Tuple[str, str, str]]) -> Dict[str, Rule]:
    """Allow what was seen.

    triples (Iterable[Tuple[str, str, str]]): Head label, relation label and tail label of each
        relation.
    RETURNS (Dict[str, Rule]): For each relation label the head and the tail labels that occurred.
    """
    heads: Dict[str, Dict[str, None]] = {}
    tails: Dict[str, Dict[str, None]] = {}
    for head, label, tail in triples:
        heads.setdefault(label, {})[head] = None
        tails.setdefault(label, {})[tail] = None
    return {x: Rule(tuple(sorted(heads[x])), tuple(sorted(tails[x]))) for x in sorted(heads)}


def check_labels(
    schema: Schema, entity_labels: Sequence[str], relation_labels: Sequence[str]
) -> None:
    """RAISES (ValueError): The schema names a label that the component doesn't have."""
    for label, rule in schema.items():
        if label not in relation_labels:
            raise ValueError(
                Errors.E111.format(kind="relation", label=label, labels=list(relation_labels))
            )
        for entity_label in (*(rule.head or ()), *(rule.tail or ())):
            if entity_label not in entity_labels:
                raise ValueError(
                    Errors.E111.format(
                        kind="entity", label=entity_label, labels=list(entity_labels)
                    )
                )


def symmetric_labels(schema: Schema) -> List[str]:
    """RETURNS (List[str]): The labels whose ends may be swapped."""
    return [label for label, rule in schema.items() if rule.symmetric]


def _rows_by_label(rows: Sequence[Any]) -> Dict[str, Dict[str, Any]]:
    rules: Dict[str, Dict[str, Any]] = {}
    for row in rows:
        if not isinstance(row, Mapping) or "relation" not in row:
            raise ValueError(Errors.E110.format(reason=f"{row!r} has no 'relation'"))
        rule = dict(row)
        label = rule.pop("relation")
        if not isinstance(label, str) or not label:
            reason = f"a relation label is a string, not {label!r}"
            raise ValueError(Errors.E110.format(reason=reason))
        if label in rules:
            raise ValueError(Errors.E110.format(reason=f"'{label}' has two rules"))
        rules[label] = rule
    return rules


def _parse_rule(label: str, rule: Any) -> Rule:
    if not isinstance(rule, Mapping):
        raise ValueError(Errors.E110.format(reason=f"'{label}' has {rule!r}"))
    unknown = set(rule) - _KEYS
    if unknown:
        reason = f"'{label}' has the unknown key '{sorted(unknown)[0]}'"
        raise ValueError(Errors.E110.format(reason=reason))
    symmetric = rule.get("symmetric", False)
    if not isinstance(symmetric, bool):
        raise ValueError(Errors.E110.format(reason=f"'{label}' has symmetric = {symmetric!r}"))
    ends = []
    for key in ("head", "tail"):
        labels = rule.get(key)
        listed = isinstance(labels, (list, tuple)) and all(isinstance(x, str) for x in labels)
        if labels is not None and not listed:
            raise ValueError(Errors.E110.format(reason=f"'{label}' has {key} = {labels!r}"))
        ends.append(None if labels is None else tuple(labels))
    return Rule(ends[0], ends[1], symmetric)
