import json

import pytest

from spacy_jere.schema import (
    Rule,
    check_labels,
    learn_schema,
    parse_schema,
    schema_config,
    symmetric_labels,
)

CONFIG = {
    "LIVES_IN": {"head": ["PER"], "tail": ["LOC", "GPE"]},
    "MET": {"head": ["PER"], "symmetric": True},
    "ANY": {},
}
RULES = {
    "LIVES_IN": Rule(("PER",), ("LOC", "GPE"), False),
    "MET": Rule(("PER",), None, True),
    "ANY": Rule(None, None, False),
}


@pytest.mark.parametrize("config, rules", [(CONFIG, RULES), (None, {}), ("learn", {}), ({}, {})])
def test_parse(config, rules):
    assert parse_schema(config) == rules


@pytest.mark.parametrize(
    "wrong, said",
    [
        ("lern", "lern"),
        (["LIVES_IN"], "LIVES_IN"),
        ({"LIVES_IN": None}, "LIVES_IN"),
        ({"LIVES_IN": ["PER", "LOC"]}, "LIVES_IN"),
        ({"LIVES_IN": {"heads": ["PER"]}}, "heads"),
        ({"LIVES_IN": {"head": "PER"}}, "head"),
        ({"LIVES_IN": {"tail": [1]}}, "tail"),
        ({"LIVES_IN": {"symmetric": "yes"}}, "symmetric"),
    ],
)
def test_parse_refuses_and_names_what_is_wrong(wrong, said):
    with pytest.raises(ValueError, match=f"E110.*{said}"):
        parse_schema(wrong)


def test_config_round_trip():
    config = json.loads(json.dumps(schema_config(RULES)))
    assert config["LIVES_IN"] == {"symmetric": False, "head": ["PER"], "tail": ["LOC", "GPE"]}
    assert parse_schema(config) == RULES


@pytest.mark.parametrize(
    "label, head, tail, allowed",
    [
        ("LIVES_IN", "PER", "LOC", True),
        ("LIVES_IN", "PER", "GPE", True),
        ("LIVES_IN", "LOC", "PER", False),
        ("LIVES_IN", "PER", "PER", False),
        ("MET", "PER", "ORG", True),
        ("MET", "ORG", "PER", True),
        ("MET", "ORG", "ORG", False),
        ("ANY", "ORG", "LOC", True),
    ],
)
def test_allows(label, head, tail, allowed):
    assert RULES[label].allows(head, tail) is allowed


def test_empty_list_allows_nothing():
    rule = parse_schema({"L": {"head": []}})["L"]
    assert not rule.allows("PER", "LOC")
    assert parse_schema(schema_config({"L": rule})) == {"L": rule}


def test_learn_allows_what_was_seen():
    triples = [("PER", "LIVES_IN", "LOC"), ("ORG", "BASED_IN", "LOC"), ("PER", "LIVES_IN", "GPE")]
    learned = learn_schema(triples)
    assert learned == {
        "BASED_IN": Rule(("ORG",), ("LOC",)),
        "LIVES_IN": Rule(("PER",), ("GPE", "LOC")),
    }
    assert list(learned) == list(learn_schema(reversed(triples))) == ["BASED_IN", "LIVES_IN"]
    assert learn_schema([]) == {}


def test_symmetric_labels():
    assert symmetric_labels(RULES) == ["MET"]


def test_check_labels_accepts_known_labels():
    check_labels(RULES, ["PER", "LOC", "GPE"], ["LIVES_IN", "MET", "ANY", "OTHER"])


@pytest.mark.parametrize(
    "entities, relations, said",
    [
        (["PER", "LOC"], ["LIVES_IN", "MET", "ANY"], "entity label 'GPE'"),
        (["LOC", "GPE"], ["LIVES_IN", "MET", "ANY"], "entity label 'PER'"),
        (["PER", "LOC", "GPE"], ["LIVES_IN", "ANY"], "relation label 'MET'"),
    ],
)
def test_check_labels_names_the_unknown(entities, relations, said):
    with pytest.raises(ValueError, match=f"E111.*{said}"):
        check_labels(RULES, entities, relations)
