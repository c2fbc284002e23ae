"""Settings: in force as the config says, checked wherever they are set, with labels of any text."""

import json
import pickle

import pytest
import spacy
from spacy.training import Example
from thinc.api import Config

from spacy_jere.pipeline.settings import CHECKS, holds

NAME = "joint_ner_re"
# Another value than the default, and one that is wrong, for each setting
OTHER = {
    "ent_threshold": 0.25,
    "rel_threshold": 0.95,
    "thresholds_by_relation": {"MET": 0.75},
    "overlap": False,
    "window": "doc",
    "max_distance": 0,
    "spans_key": "everything",
    "schema": {"MET": {"head": ["PER"], "symmetric": True}},
    "given_entities": True,
    "relations_attr": "facts",
    "learn_rate_factor": 3.0,
}
NAN = float("nan")
WRONG = {
    "ent_threshold": [-0.1, 1.1, "0.5", None, True, [0.5], NAN],
    "rel_threshold": [7, "high", None, False, {}, NAN],
    "thresholds_by_relation": [0.5, "MET", None, {"MET": 2}, {"MET": "0.5"}, [["MET"]], {"": 0.1}],
    "overlap": [1, "yes", None, 27],
    "window": ["paragraph", 27, None, ["doc"]],
    "max_distance": [-1, 1.5, "3", True, [3], NAN],
    "spans_key": ["", 3],
    "relations_attr": ["", 3, "two words"],
    "schema": ["learned", 3, {"MET": 1}, {"MET": {"heads": []}}, [{"head": []}], [3]],
    "given_entities": [0, "no", None],
    "learn_rate_factor": [0, -1.0, "2", None, float("inf"), NAN],
}
# What config.cfg can't have as a key or as the name of a section, or only by luck
ODD_LABELS = [
    "org:founded_by", "a=b", "per.title", "[z]", "; c", "#x", " a", "a ", "a b", "Ä ß", "работает",
    "'q'", '"q"', "a\nb", "\u2028", "@layers", "*", "${paths.train}", "a%b", "\\", "none]", "😀",
]  # fmt: skip


def test_every_setting_is_tried():
    assert set(OTHER) == set(WRONG) == set(CHECKS)


def pipe_of(nlp):
    return nlp.get_pipe(NAME)


def in_force(nlp):
    return {key: pipe_of(nlp).cfg[key] for key in CHECKS}


def said(nlp):
    config = nlp.config["components"][NAME]
    return {key: config[key] for key in CHECKS}


def change_saved(folder, key, value):
    file = folder / NAME / "cfg"
    saved = json.loads(file.read_text(encoding="utf8"))
    file.write_text(json.dumps({**saved, key: value}), encoding="utf8")


def relabelled(annotate, nlp, label):
    doc = annotate(nlp.vocab, "Ada met Bo .", [(0, 1, "PER"), (2, 3, "PER")], [(0, 1, label)])
    return [Example(nlp.make_doc(doc.text), doc)]


# The config and the component say the same


@pytest.mark.slow
@pytest.mark.parametrize("key", OTHER)
def test_an_override_at_loading_is_in_force(trained, tmp_path, key):
    trained[0].to_disk(tmp_path)
    value = OTHER[key]
    if key == "schema":  # no section can stand in for a null
        value = [{"relation": label, **rule} for label, rule in value.items()]
    nlp = spacy.load(tmp_path, config={"components": {NAME: {key: value}}})
    others = {x: y for x, y in in_force(trained[0]).items() if x != key}
    assert in_force(nlp)[key] == OTHER[key]
    assert {x: y for x, y in in_force(nlp).items() if x != key} == others


@pytest.mark.slow
@pytest.mark.parametrize("key", OTHER)
def test_an_edit_of_the_config_is_in_force(trained, tmp_path, key):
    trained[0].to_disk(tmp_path)
    config = Config().from_disk(tmp_path / "config.cfg", interpolate=False)
    config["components"][NAME][key] = OTHER[key]
    config.to_disk(tmp_path / "config.cfg")
    assert in_force(spacy.load(tmp_path))[key] == OTHER[key]


@pytest.mark.slow
@pytest.mark.parametrize("key", OTHER)
def test_what_is_set_on_the_component_is_written_into_the_config(trained_copy, tmp_path, key):
    pipe_of(trained_copy).cfg[key] = OTHER[key]
    assert said(trained_copy)[key] == OTHER[key]
    trained_copy.to_disk(tmp_path)
    nlp = spacy.load(tmp_path)
    assert in_force(nlp)[key] == said(nlp)[key] == OTHER[key]
    again = spacy.blank("en").from_config(nlp.config).from_bytes(nlp.to_bytes())
    assert in_force(again) == in_force(nlp)


@pytest.mark.slow
def test_back_to_the_default_by_an_override(trained_copy, tmp_path):
    pipe_of(trained_copy).cfg["rel_threshold"] = 0.9
    trained_copy.to_disk(tmp_path)
    nlp = spacy.load(tmp_path, config={"components": {NAME: {"rel_threshold": 0.5}}})
    assert in_force(nlp)["rel_threshold"] == 0.5


@pytest.mark.slow
def test_a_renamed_and_a_sourced_component(trained_copy, tmp_path):
    trained_copy.rename_pipe(NAME, "mine")
    trained_copy.get_pipe("mine").cfg["rel_threshold"] = 0.9
    assert trained_copy.config["components"]["mine"]["rel_threshold"] == 0.9
    other = spacy.blank("en")
    other.add_pipe("mine", source=trained_copy)
    other.get_pipe("mine").cfg["rel_threshold"] = 0.8  # the config of `other` can't know
    other.to_disk(tmp_path)
    assert spacy.load(tmp_path).get_pipe("mine").cfg["rel_threshold"] == 0.8


@pytest.mark.slow
def test_a_value_changed_inside_a_setting_is_saved(trained_copy, tmp_path):
    pipe_of(trained_copy).cfg["thresholds_by_relation"]["MET"] = 0.75
    trained_copy.to_disk(tmp_path)
    assert in_force(spacy.load(tmp_path))["thresholds_by_relation"] == {"MET": 0.75}


@pytest.mark.slow
def test_settings_survive_pickling(trained_copy):
    settings = pipe_of(trained_copy).cfg
    settings["rel_threshold"] = 0.9
    again = pickle.loads(pickle.dumps(settings))
    assert again == settings and again.configured == settings.configured
    with pytest.raises(ValueError, match="E208"):
        again["rel_threshold"] = 7


# Wrong values


def wrong_values():
    return [(key, value) for key, values in WRONG.items() for value in values]


@pytest.mark.slow
@pytest.mark.parametrize("key, value", wrong_values())
def test_a_wrong_value_is_refused_where_it_is_set(make_nlp, key, value):
    settings = pipe_of(make_nlp(initialize=False)[0]).cfg
    before = dict(settings)
    with pytest.raises(ValueError, match=r"\[E(110|20[789]|211)\]"):
        settings[key] = value
    assert settings == before


@pytest.mark.slow
@pytest.mark.parametrize(
    "key, value", [(key, x) for key, x in wrong_values() if x not in (float("inf"), NAN)]
)
def test_a_wrong_value_in_a_saved_pipeline_is_refused(trained, tmp_path, key, value):
    trained[0].to_disk(tmp_path)
    change_saved(tmp_path, key, value)
    with pytest.raises(ValueError, match=r"\[E(110|20[789]|211)\]"):
        spacy.load(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("labels", [None, "PER", ["PER", "PER"], [1], [""]])
def test_wrong_labels_in_a_saved_pipeline_are_refused(trained, tmp_path, labels):
    trained[0].to_disk(tmp_path)
    change_saved(tmp_path, "relation_labels", labels)
    with pytest.raises(ValueError, match=r"\[E211\] relation_labels"):
        spacy.load(tmp_path)


@pytest.mark.slow
def test_thresholds_of_unknown_labels(make_nlp, make_examples, trained, tmp_path):
    nlp, examples = make_nlp(initialize=False, thresholds_by_relation={"MEET": 0.5})
    with pytest.raises(ValueError, match=r"E213.*'MEET'.*LIVES_IN"):
        nlp.initialize(lambda: examples)
    trained[0].to_disk(tmp_path)
    override = {"components": {NAME: {"thresholds_by_relation": {"MEET": 0.5}}}}
    with pytest.raises(ValueError, match=r"E213.*'MEET'"):
        spacy.load(tmp_path, config=override)


# Labels are any text


@pytest.mark.slow
@pytest.mark.parametrize("label", ODD_LABELS)
def test_labels_of_any_text_are_learned_and_stored(annotate, model_config, tmp_path, label):
    nlp = spacy.blank("en")
    nlp.add_pipe(NAME, config={"model": model_config(), "schema": "learn"})
    doc = annotate(nlp.vocab, "Ada met Bo .", [(0, 1, label), (2, 3, label)], [(0, 1, label)])
    nlp.initialize(lambda: [Example(nlp.make_doc(doc.text), doc)])
    pipe_of(nlp).cfg["thresholds_by_relation"] = {label: 0.125}
    nlp.to_disk(tmp_path)
    again = spacy.load(tmp_path)
    pipe = pipe_of(again)
    assert pipe.labels == (label, label)
    assert pipe.thresholds == {label: 0.125}
    assert pipe.schema[label].head == (label,)
    if "${" not in label:  # a variable, wherever it stands in a config
        assert dict(pipe.cfg["thresholds_by_relation"]) == {label: 0.125}
        assert again.config["components"][NAME]["thresholds_by_relation"] in (
            {label: 0.125},
            [[label, 0.125]],
        )


@pytest.mark.slow
@pytest.mark.parametrize("label", [x for x in ODD_LABELS if "${" not in x])
def test_a_schema_and_thresholds_in_lists_take_any_label(annotate, model_config, tmp_path, label):
    schema = [{"relation": label, "head": ["PER"], "symmetric": True}]
    config = {"model": model_config(), "schema": schema, "thresholds_by_relation": [[label, 0.25]]}
    nlp = spacy.blank("en")
    nlp.add_pipe(NAME, config=config)
    examples = relabelled(annotate, nlp, label)
    nlp.initialize(lambda: examples)
    nlp.to_disk(tmp_path)
    pipe = pipe_of(spacy.load(tmp_path))
    assert pipe.thresholds == {label: 0.25}
    assert pipe.schema[label].symmetric and pipe.schema[label].head == ("PER",)


@pytest.mark.slow
@pytest.mark.parametrize("label", ODD_LABELS)
@pytest.mark.parametrize("key", ["schema", "thresholds_by_relation"])
def test_a_section_that_a_config_can_not_hold_is_refused_with_the_way_out(label, key):
    value = {label: {"symmetric": True}} if key == "schema" else {label: 0.5}
    nlp = spacy.blank("en")
    if label.startswith("@"):  # spaCy takes it for a registered function
        with pytest.raises(Exception, match=r"registr|startswith"):
            nlp.add_pipe(NAME, config={key: value})
    elif holds({key: value}):
        nlp.add_pipe(NAME, config={key: value})
        assert spacy.util.load_config_from_str(nlp.config.to_str())
    else:
        with pytest.raises(ValueError, match=r"E212.*Write it in a list"):
            nlp.add_pipe(NAME, config={key: value})


def test_some_labels_need_the_list():
    refused = [x for x in ODD_LABELS if not holds({"thresholds_by_relation": {x: 0.5}})]
    assert {"org:founded_by", "a=b", "[z]", "@layers"} <= set(refused) < set(ODD_LABELS)
