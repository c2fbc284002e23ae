import json

import pytest
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab
from thinc.api import Config

from spacy_jere.debug_data import debug_data
from spacy_jere.relations import store_relations
from spacy_jere.schema import parse_schema

VOCAB = Vocab()
ADA, ACME, ROME = (0, 1, "PER"), (3, 4, "ORG"), (5, 6, "LOC")
WORDS = "Ada works for Acme in Rome ."


def doc(
    words=WORDS, ents=(ADA, ACME, ROME), relations=((0, 1, "WORKS_FOR"),), starts=None, group=()
):
    """Relations are head, tail (indices into entities and group) and label, or None."""
    made = Doc(VOCAB, words=words.split(" ") if words else [], sent_starts=starts)
    spans = [Span(made, *x) for x in (*(ents or ()), *group)]
    if ents is not None:
        made.set_ents(spans[: len(ents)])
    if group:
        made.spans["joint_ner_re"] = spans
    if relations is not None:
        made._.relations = [(spans[head], spans[tail], label) for head, tail, label in relations]
    return made


def schema_of(data):
    """The suggested schema, read as a part of a config."""
    parents = "[components]\n[components.joint_ner_re]\n"
    config = Config().from_str(parents + data["suggestions"]["schema"])
    return config["components"]["joint_ner_re"]["schema"]


def texts(data, level=None):
    return [x["text"] for x in data["findings"] if level in (None, x["level"])]


def has(data, level, *parts):
    """Whether there is exactly one finding of the level with all parts."""
    return sum(all(part in text for part in parts) for text in texts(data, level)) == 1


def many(n=60):
    """Docs about which there is nothing to say but what their few texts tell."""
    plain = [doc(f"Nothing {i} .", ents=[], relations=[]) for i in range(3)]
    return plain + [doc(WORDS.replace("works", f"works{i}")) for i in range(n)]


def test_counts_of_a_split():
    starts = [True, False, False, False, False, False, False]
    data = debug_data([doc(starts=starts), doc(ents=None, relations=None), doc("", [], [])])
    counts = data["splits"]["train"]
    assert list(data["splits"]) == ["train"]
    assert (counts["documents"], counts["tokens"]) == (3, 14)
    assert counts["documents_with_sentences"] == 1
    assert counts["entities"] == counts["documents_by_entity"] == {"LOC": 1, "ORG": 1, "PER": 1}
    assert counts["entity_widths"] == {1: 3}
    assert counts["relations"] == {"WORKS_FOR": 1}
    assert counts["documents_without_entity_annotation"] == 1
    assert counts["documents_without_relation_annotation"] == 1
    assert counts["documents_without_relations"] == 1


def test_result_is_plain_data():
    data = debug_data(many(), many(5))
    assert json.loads(json.dumps(data, sort_keys=True))["splits"]["dev"]["documents"] == 8


def test_good_data_has_nothing_but_what_is_never_related():
    data = debug_data(many())
    assert texts(data, "error") == texts(data, "warning") == []
    assert has(data, "info", "Never related", "PER -> LOC")
    assert not has(data, "info", "Never related", "PER -> ORG")


@pytest.mark.parametrize(
    "docs, level, parts",
    [
        ([], "error", ["train has no documents"]),
        ([doc("Rain .", [], [])], "error", ["train has no entities"]),
        ([doc(relations=[])], "warning", ["no relations"]),
        ([doc(ents=None, relations=None)], "info", ["1 of 1", "no entity annotation"]),
        ([doc(relations=None)], "info", ["1 of 1", "no relation annotation"]),
        ([doc(), doc(), doc()], "warning", ["2 of 3", "repeat"]),
        ([doc()], "warning", ["Few examples", "'PER'", "1"]),
        ([doc()], "warning", ["Few examples", "'WORKS_FOR'", "1"]),
        ([doc()], "info", ["Every document", "'PER'"]),
        ([doc("a b c d e f g h i j k", [(0, 11, "PER")], [])], "warning",
         ["1 entities", "more than 10"]),
        ([doc("Ada \n met", [(0, 2, "PER")], [])], "warning", ["white space"]),
        ([doc(starts=[True, False, False, False, True, False, False], relations=[(0, 2, "IN")])],
         "warning", ["1 of 1", "join two sentences"]),
        ([doc("New York . Times", [(0, 4, "ORG")], [], [True, False, False, True])], "warning",
         ["across a sentence"]),
        ([doc(relations=[(0, 0, "SELF")])], "warning", ["with itself"]),
        ([doc(group=[(0, 1, "ORG")])], "info", ["1 entities", "two labels"]),
        ([doc(group=[(3, 6, "ORG")])], "info", ["2 entities", "inside another"]),
        ([doc(ents=[(0, 2, "PER")], relations=[], group=[(1, 3, "PER")])], "info",
         ["1 entities", "in part"]),
        (many(10), "info", ["All 10 pairs PER -> ORG"]),
    ],
)  # fmt: skip
def test_findings(docs, level, parts):
    assert has(debug_data(docs), level, *parts)


@pytest.mark.parametrize(
    "label", ["No-rel", "NONE", "no_relation", "No Relation", "null", "NA", "O", "not_a_relation"]
)
def test_labels_that_say_there_is_nothing(label):
    (found,) = [
        x for x in texts(debug_data([doc(relations=[(0, 1, label)])]), "warning") if "none" in x
    ]
    assert f"'{label}' of 1 relations" in found and f"--map-labels {label}=" in found


@pytest.mark.parametrize("label", ["NOTE", "NATIONALITY", "Other", "NON_PROFIT", "NORP", "ON"])
def test_labels_that_say_something(label):
    found = texts(debug_data([doc(ents=[(0, 1, label)], relations=[])]), "warning")
    assert not any("--map-labels" in x for x in found)


@pytest.mark.parametrize("topic", ["documents", "entities", "relations"])
def test_findings_of_dev_name_it(topic):
    dev = [doc(ents=None, relations=None), doc("a \n b", [(0, 2, "PER")], [(0, 0, "WORKS_FOR")])]
    found = [x for x in debug_data(many(), dev)["findings"] if x["topic"] == topic]
    assert any("in dev" in x["text"] for x in found)


def test_splits_are_compared():
    train = [*many(), doc(ents=[ADA, (3, 4, "X")], relations=[(0, 1, "Y")])]
    dev = [
        doc(WORDS.replace(" works", " \n works1")),
        doc(ents=[(0, 1, "Z")], relations=[(0, 0, "W")]),
    ]
    data = debug_data(train, dev)
    assert data["leaked_documents"] == 2
    assert has(data, "warning", "2 of 2", "dev", "text that train has")
    for label in ("X", "Y"):
        assert has(data, "warning", f"label '{label}' is missing in dev")
    for label in ("Z", "W"):
        assert has(data, "warning", f"label '{label}' of dev is missing in train")


@pytest.mark.parametrize("max_distance, n", [(None, 0), (0, 3), (1, 2), (2, 2), (3, 0)])
def test_relations_too_far(max_distance, n):
    entities = [(0, 1, "X"), (2, 3, "X"), (6, 7, "X")]  # 1 and 3 tokens apart
    apart = doc("a b c d e f g", entities[:2], [(0, 1, "Y")])
    further = doc("a b c d e f g", entities[1:], [(1, 0, "Y"), (0, 1, "Z")])
    data = debug_data([apart, further], max_distance=max_distance)
    assert data["splits"]["train"]["relations_too_far"] == n
    assert has(data, "warning", f"{n} of 3 relations", "more than max_distance") is bool(n)


@pytest.mark.parametrize("limit, found", [(0, False), (1, True), (2, False)])
def test_limit_of_entity_width(limit, found):
    data = debug_data([doc("New Oslo", [(0, 2, "LOC")], [])], max_span_width=limit)
    assert has(data, "warning", f"max_span_width = {limit}") is found


@pytest.mark.parametrize(
    "schema, parts",
    [
        (None, None),
        ("learn", None),
        ({"WORKS_FOR": {"head": ["PER"]}}, None),
        ({"WORKS_FOR": {"head": ["ORG"]}}, ["'WORKS_FOR' from PER to ORG", "60"]),
        ({"WORKS_FOR": {}, "MET": {}}, ["'MET'", "which train does not have"]),
        ({"WORKS_FOR": {"head": ["PER"], "tail": ["COMPANY"]}}, ["not allow"]),
        ({"WORKS_FOR": {"head": ["PER", "DOG"]}}, ["'WORKS_FOR' names 'DOG'"]),
    ],
)
def test_schema_that_would_stop_training_is_an_error(schema, parts):
    data = debug_data(many(), schema=schema)
    assert texts(data, "error") == [] if parts is None else has(data, "error", *parts)


def test_label_that_the_schema_forgets_is_an_error():
    train = [*many(), doc(relations=[(1, 2, "IN"), (0, 2, "IN")])]
    assert has(debug_data(train, schema={"WORKS_FOR": {}}), "error", "not mention", "'IN'")


@pytest.mark.parametrize("window, pairs", [("sentence", 2), ("doc", 6)])
def test_pairs_are_those_of_a_window(window, pairs):
    starts = [True, False, False, False, True, False, False]
    train = [doc(starts=starts, relations=[(0, 1, "WORKS_FOR"), (0, 2, "IN")])]
    data = debug_data(train, window=window)
    counts = data["splits"]["train"]["type_pairs"]
    assert sum(x["pairs"] for x in counts) == pairs
    assert sum(x["related"] for x in counts) == (1 if window == "sentence" else 2)
    assert has(data, "warning", "join two sentences") is (window == "sentence")


def test_pairs_of_one_type_are_counted_without_those_of_an_entity_with_itself():
    train = [
        doc(ents=[ADA, (3, 4, "PER"), (5, 6, "PER")], relations=[(0, 1, "MET"), (0, 1, "KNOWS")])
    ]
    (pair,) = debug_data(train)["splits"]["train"]["type_pairs"]
    assert pair == {"head": "PER", "tail": "PER", "pairs": 6, "related": 1}


def test_not_annotated_relations_say_nothing_of_pairs():
    assert debug_data([doc(relations=None)])["splits"]["train"]["type_pairs"] == []


@pytest.mark.parametrize(
    "starts, relations, window",
    [
        (None, [(0, 1, "A")], "doc"),
        ([True] + [False] * 6, [(0, 1, "A")], "sentence"),
        ([True, False, False, False, True, False, False], [(0, 1, "A")], "sentence"),
        ([True, False, False, False, True, False, False], [(0, 2, "A")], "doc"),
    ],
)
def test_suggested_window(starts, relations, window):
    data = debug_data([doc(starts=starts, relations=relations)])
    assert data["suggestions"]["window"] == window


def test_suggested_width_leaves_out_one_in_a_thousand():
    long = doc("a b c d e", [(0, 5, "PER")], [])
    short = [doc("New Oslo", [(0, 2, "LOC")], []) for _ in range(999)]
    assert debug_data([*short, long])["suggestions"]["max_span_width"] == 2
    assert debug_data([*short[1:], long])["suggestions"]["max_span_width"] == 5
    assert debug_data([])["suggestions"]["max_span_width"] is None


@pytest.mark.parametrize(
    "relations, symmetric, maybe",
    [
        ([[(0, 1)]] * 10, [], ["R"]),
        ([[(0, 1)]] * 9, [], []),
        ([[(0, 1)]] * 9 + [[(1, 0)]], [], []),
        ([[(0, 1), (1, 0)]] * 5, ["R"], []),
        ([[(0, 1), (1, 0)]] * 9 + [[(1, 0)]], ["R"], []),
        ([[(0, 1), (1, 0)]] * 5 + [[(0, 1)]] * 3, [], []),
        ([[(0, 2)]] * 10, [], []),
    ],
)
def test_labels_that_look_symmetric(relations, symmetric, maybe):
    ents = [ADA, (3, 4, "PER"), ROME]
    train = [doc(ents=ents, relations=[(*x, "R") for x in pairs]) for pairs in relations]
    data = debug_data(train)
    found = data["suggestions"]
    assert (found["symmetric"], found["maybe_symmetric"]) == (symmetric, maybe)
    assert parse_schema(schema_of(data))["R"].symmetric is bool(symmetric)
    assert ("# symmetric = true" in found["schema"]) is bool(maybe)


def test_suggested_schema_is_what_the_data_has():
    group = [(0, 1, "É [x]")]
    train = [
        doc(
            group=group, relations=[(0, 1, "per:works_for"), (3, 1, "per:works_for"), (1, 2, "a.b")]
        )
    ]
    data = debug_data(train)
    assert schema_of(data) == {"per:works_for": {"head": ["PER", "É [x]"], "tail": ["ORG"]}}
    assert "# 'a.b' can't be written here" in data["suggestions"]["schema"]
    assert debug_data([doc(relations=[])])["suggestions"]["schema"] == ""


def test_schema_that_cannot_be_read():
    with pytest.raises(ValueError, match="E110"):
        debug_data(many(), schema="all")


def test_repeated_relations_are_counted():
    """The setter of doc._.relations leaves doubles out; corpora that are converted have them."""
    found = doc()
    store_relations(found, [x.stored for x in found._.relations] * 3)
    data = debug_data([*many(), found])
    assert data["splits"]["train"]["repeated_relations"] == 2
    assert has(data, "warning", "2 relations in train repeat another")
    assert not has(debug_data(many()), "warning", "repeat another")
