"""Settings that the data decides, on data of every kind: each with a reason, and it trains."""

import json
from functools import cache

import pytest
from spacy.language import Language
from thinc.api import Config

from spacy_jere.cli.init_config import config_text, init_config
from spacy_jere.init_config import init_config as init_config_from_docs

# Words; entities as first token, end, label; relations as head, tail (indices into the entities),
# label.
ADA = ("Ada lives in New Oslo .", [(0, 1, "PER"), (3, 5, "LOC")], [(0, 1, "LIVES_IN")])
CY = (
    "Cy works for Acme in Rome .",
    [(0, 1, "PER"), (3, 4, "ORG"), (5, 6, "LOC")],
    [(0, 1, "WORKS_FOR")],
)
NOTHING = ("Nothing happens here .", [], [])
NESTED = ("University of New Oslo .", [(0, 4, "ORG"), (2, 4, "LOC")], [(0, 1, "IN")])
ACROSS = ("Ada came . She is in Oslo .", [(0, 1, "PER"), (6, 7, "LOC")], [(0, 1, "IN")])
MET = ("Ada met Bo .", [(0, 1, "PER"), (2, 3, "PER")], [(0, 1, "org:met"), (1, 0, "org:met")])
ODD = ("Ada is in Rome .", [(0, 1, "a.b]"), (3, 4, "x = ${y}")], [(0, 1, "per:lives.in;#")])
LONG = (" ".join([ADA[0], CY[0]] * 170), ADA[1], ADA[2])  # more than 2,000 tokens
NO_END = (" ".join(["Ada", "met"] * 1100), [(0, 1, "PER"), (90, 91, "PER")], [(0, 1, "MET")])

CORPORA = {
    "one sentence": [ADA],
    "twenty sentences": [ADA, CY, NOTHING, ADA] * 5,
    "one token": [("Ada", [(0, 1, "PER")], [])],
    "relations not annotated": [(*ADA[:2], None), (*CY[:2], None)],
    "no relations": [(*ADA[:2], []), (*CY[:2], [])],
    "overlapping": [NESTED] * 4 + [ADA],
    "same words, two labels": [("Ada left .", [(0, 1, "PER"), (0, 1, "CEO")], [(0, 1, "IS")])] * 3,
    "across sentences": [ACROSS] * 4,
    "long texts": [LONG] * 2,
    "no boundaries": [NO_END] * 2,
    "symmetric": [MET, ADA] * 6,
    "odd labels": [ODD, NOTHING],
    "emoji, right to left": [("😀 عدا في روما .", [(1, 2, "PER"), (3, 4, "LOC")], [(0, 1, "IN")])],
    "with an empty text": [ADA, ("", [], [])],
}
REFUSED = {
    "E480": [],
    "E481": [NOTHING],
}


def component_of(made):
    return made.config["components"]["joint_ner_re"]


def choices_of(made):
    return {choice.name: choice.value for choice in made.choices}


@pytest.fixture(scope="session")
def made_for(make_quickly):
    """The config for a kind of data, made once."""
    return cache(lambda name: make_quickly(CORPORA[name]))


@pytest.mark.parametrize("name", CORPORA)
def test_every_setting_has_a_reason_in_one_line(made_for, name):
    made = made_for(name)
    for choice in made.choices:
        assert choice.reason and "\n" not in choice.reason and json.dumps(choice.value)
    lines = config_text(made).partition("\n\n")[0].split("\n")
    assert len(lines) == len(made.choices) + 2
    assert all(line.startswith("#") for line in lines)


@pytest.mark.slow
@pytest.mark.parametrize("name", CORPORA)
def test_config_is_complete_and_the_same_when_it_is_read(make, name):
    made = make(CORPORA[name])
    again = Config().from_str(config_text(made), interpolate=False)
    assert again == Config().from_str(made.config.to_str(), interpolate=False)
    assert again["components"]["joint_ner_re"]["schema"] == component_of(made)["schema"]


@pytest.mark.parametrize("code", REFUSED)
def test_what_nothing_can_be_learned_from(make_quickly, code):
    with pytest.raises(ValueError, match=code):
        make_quickly(REFUSED[code], [ADA])


@pytest.mark.parametrize("dev, code", [([], "E480"), ([NOTHING], "E482")])
def test_what_nothing_can_be_chosen_by(make_quickly, dev, code):
    with pytest.raises(ValueError, match=code):
        make_quickly([ADA], dev)


@pytest.mark.parametrize(
    "items, model, overlap",
    [
        ([ADA, CY], "birnn", False),
        ([NESTED] * 2, "spert_mt", True),
        # One of 451 entities and one of 201 relations
        ([NESTED] + [ADA, CY] * 100, "birnn", False),
        ([NESTED] * 3 + [ADA, CY] * 20, "spert_mt", True),
    ],
)
def test_overlaps_ask_for_spans(make_quickly, items, model, overlap):
    made = make_quickly(items)
    assert choices_of(made)["model"] == model
    assert component_of(made)["overlap"] is overlap
    assert component_of(made)["model"].get("tag_weight", 0.0) == 0.0


def test_widest_span_is_that_of_nearly_all(make_quickly):
    wide = (" ".join(["x"] * 30), [(0, 25, "PER")], [])
    made = make_quickly([NESTED] * 4 + [ADA] * 400 + [wide], model="spert")
    assert choices_of(made)["max_span_width"] == 4
    assert component_of(made)["model"]["spans"]["max_span_width"] == 4
    (reason,) = (x.reason for x in made.choices if x.name == "max_span_width")
    assert "25 tokens" in reason and "1 wider ones are never found" in reason


@pytest.mark.parametrize(
    "items, window, sentencizer",
    [
        ([ADA] * 3, "sentence", "sentencizer"),
        # Of many relations one joins two sentences
        ([(f"{ADA[0]} {CY[0]}", *ADA[1:])] * 30 + [ACROSS], "sentence", "sentencizer"),
        # Single sentences, but a full stop inside some of them
        ([ADA] * 30 + [ACROSS], "sentence", "long_text_sentencizer"),
        ([ACROSS] * 3 + [ADA], "doc", None),
    ],
)
def test_windows(make, items, window, sentencizer):
    config = make(items).config
    assert config["components"]["joint_ner_re"]["window"] == window
    in_front = ["sentencizer"] if sentencizer else []
    assert config["nlp"]["pipeline"] == [*in_front, "joint_ner_re"]
    assert set(config["components"]) == {*in_front, "joint_ner_re"}
    assert all(config["components"][x]["factory"] == sentencizer for x in in_front)
    assert config["training"]["annotating_components"] == in_front
    # The best pipeline is chosen by entities and relations alone.
    weights = config["training"]["score_weights"]
    assert {name: x for name, x in weights.items() if x} == {"joint_f": 1.0}


def test_greatest_distance_where_windows_are_long(make_quickly, made_for):
    far = ("Ada x . x x x x x Oslo .", [(0, 1, "PER"), (8, 9, "LOC")], [(0, 1, "IN")])
    made = make_quickly([ACROSS] * 3, [far])
    assert choices_of(made)["max_distance"] == 7
    assert choices_of(made_for("no boundaries"))["max_distance"] == 89
    assert "max_distance" not in choices_of(make_quickly([ADA]))
    # The config has it if the component has it.
    has_setting = "max_distance" in Language.get_factory_meta("joint_ner_re").default_config
    assert ("max_distance" in component_of(made)) is has_setting


@pytest.mark.parametrize(
    "items, dev, schema",
    [
        ([ADA], [ADA], "learn"),
        ([ADA], [(ADA[0], [(0, 1, "PER"), (3, 5, "GPE")], [(0, 1, "LIVES_IN")])], None),
        ([(*ADA[:2], [])], None, None),
    ],
)
def test_schema_is_learned_unless_dev_contradicts(make_quickly, items, dev, schema):
    assert component_of(make_quickly(items, dev))["schema"] == schema


@pytest.mark.parametrize("contradicts", [False, True])
def test_symmetric_labels_of_any_name(make_quickly, contradicts):
    dev = [(ADA[0], [(0, 1, "PER"), (3, 5, "GPE")], [(0, 1, "LIVES_IN")])]
    made = make_quickly([MET, ADA] * 6, dev if contradicts else None)
    assert choices_of(made)["symmetric"] == "org:met"
    rules = {rule["relation"]: rule for rule in component_of(made)["schema"]}
    assert set(rules) == {"org:met", "LIVES_IN"}
    assert rules["org:met"]["symmetric"] and not rules["LIVES_IN"]["symmetric"]
    assert rules["LIVES_IN"].get("tail") == (None if contradicts else ["LOC"])


def test_symmetric_labels_that_a_config_can_not_hold(make_quickly):
    met = (MET[0], [(0, 1, "${a}"), (2, 3, "${a}")], MET[2])
    assert component_of(make_quickly([met] * 6))["schema"] == "learn"


def test_label_whose_head_comes_first_is_told_and_not_decided(make_quickly):
    made = make_quickly([(*MET[:2], [(0, 1, "MET")])] * 12)
    (reason,) = (x.reason for x in made.choices if x.name == "symmetric")
    assert "MET" in reason and component_of(made)["schema"] == "learn"


@pytest.mark.parametrize(
    "n, size, epochs, patience",
    [
        (1, 2, 50, 25.0),
        (20, 2, 50, 25.0),
        (400, 16, 50, 25.0),
        pytest.param(2400, 16, 38, 19.0, marks=pytest.mark.slow),
    ],
)
def test_small_data_is_read_often_in_small_batches(make_quickly, n, size, epochs, patience):
    config = make_quickly([ADA] * n).config
    assert config["training"]["batcher"]["size"] == size
    assert config["training"]["max_epochs"] == epochs
    assert config["initialize"]["after_init"]["patience"] == patience
    rate = config["training"]["optimizer"]["learn_rate"]
    assert rate["warmup_epochs"] == pytest.approx(0.0655 * epochs)


@pytest.mark.slow
def test_large_data_is_read_seldom_and_evaluated_often(make_docs):
    (doc,) = make_docs([(f"{ADA[0]} {CY[0]} " * 2, *ADA[1:])])
    paths = {"train_path": "train", "dev_path": "dev"}
    config = init_config_from_docs((doc for _ in range(100_000)), [doc], **paths).config
    assert config["training"]["max_epochs"] == 3
    assert config["initialize"]["after_init"]["evaluate_every"] == pytest.approx(0.3, abs=1e-3)
    assert config["training"]["batcher"]["size"] < 16


@pytest.mark.parametrize("n", [1, 3, 20, 200, pytest.param(2400, marks=pytest.mark.slow)])
def test_the_end_of_the_training_is_evaluated(make_quickly, n):
    """spaCy evaluates after steps 0, f, 2 f, …, and not after the last step."""
    config = make_quickly([ADA] * n).config
    training, steps = config["training"], -(-n // config["training"]["batcher"]["size"])
    every = max(1, round(config["initialize"]["after_init"]["evaluate_every"] * steps))
    total = training["max_epochs"] * steps
    last = (total - 1) // every * every
    assert total - last <= training["max_epochs"] + 1


def test_paths(save_docs):
    path = save_docs([ADA])
    config = init_config(path, path).config
    assert config["paths"]["train"] == config["paths"]["dev"] == str(path)


@pytest.mark.slow
@pytest.mark.parametrize("name", CORPORA)
def test_trains(name, save_docs, train_briefly, tmp_path):
    path = save_docs(CORPORA[name])
    (tmp_path / "out").mkdir()
    made = init_config(path, path)
    written = Config().from_str(config_text(made), interpolate=False)
    nlp = train_briefly(written, tmp_path / "out")
    assert (tmp_path / "out" / "model-best").is_dir()
    assert nlp("Ada lives in Rome .")._.relations is not None
