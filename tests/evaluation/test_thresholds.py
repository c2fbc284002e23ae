"""Thresholds by relation label: what is chosen, and that it is saved with the pipeline."""

import threading

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import DocBin
from typer.testing import CliRunner

from spacy_jere.cli import app
from spacy_jere.evaluation.thresholds import (
    _best,
    _choose,
    _Found,
    _Relation,
    find_thresholds,
    set_thresholds,
)

TRAIN_DATA = [("Ada lives in New Oslo .", [(0, 1, "PER"), (3, 5, "LOC")], [(0, 1, "LIVES_IN")])]


@pytest.mark.parametrize(
    "ranked, n_gold, in_force, threshold, before, after",
    [
        # One right, one wrong below it: between the two.
        ([(0.8, True), (0.4, False)], 1, 0.3, 0.6, 2 / 3, 1),
        # A right one that the threshold in force leaves out.
        ([(0.9, True), (0.3, True)], 2, 0.5, 0.16, 2 / 3, 1),
        # Nothing better: the one in force stays.
        ([(0.9, True)], 1, 0.5, 0.5, 1, 1),
        ([(0.9, False)], 1, 0.5, 0.5, 0, 0),
        ([], 2, 0.5, 0.5, 0, 0),
        # Equal scores can't be parted.
        ([(0.7, True), (0.7, False), (0.2, True)], 2, 0.9, 0.11, 0, 0.8),
    ],
)
def test_best(ranked, n_gold, in_force, threshold, before, after):
    found = _best(ranked, n_gold, in_force)
    assert found.n_gold == n_gold
    assert (found.threshold, found.before, found.after) == pytest.approx((threshold, before, after))


def test_scores_are_those_of_the_scorer(trained_copy, make_examples):
    trained = trained_copy
    trained.get_pipe("joint_ner_re").cfg["rel_threshold"] = 0.9999
    before = trained.evaluate(make_examples(trained))["rels_per_type"]
    found = find_thresholds(trained, "joint_ner_re", make_examples(trained))
    assert trained.get_pipe("joint_ner_re").cfg["thresholds_by_relation"] == {}
    set_thresholds(trained, "joint_ner_re", found)
    after = trained.evaluate(make_examples(trained))["rels_per_type"]
    assert set(found) == set(before)
    for label, x in found.items():
        assert x.before == pytest.approx(before[label]["f"])
        assert x.after == pytest.approx(after[label]["f"])
        assert x.after >= x.before
    assert any(x.after > x.before for x in found.values())


def test_no_annotated_relations(trained):
    with pytest.raises(ValueError, match="E340"):
        find_thresholds(trained[0], "joint_ner_re", [])


@pytest.mark.slow
def test_command_saves_them(trained_copy, make_examples, tmp_path):
    trained_copy.to_disk(tmp_path / "model")
    golds = [x.reference for x in make_examples(trained_copy)]
    DocBin(docs=golds, store_user_data=True).to_disk(tmp_path / "dev.spacy")
    command = ["find-thresholds", str(tmp_path / "model"), str(tmp_path / "dev.spacy")]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0 and "LIVES_IN" in result.output
    loaded = spacy.load(tmp_path / "model")
    thresholds = loaded.get_pipe("joint_ner_re").cfg["thresholds_by_relation"]
    assert set(thresholds) == {"LIVES_IN", "MET", "WORKS_FOR"}
    assert loaded.config["components"]["joint_ner_re"]["thresholds_by_relation"] == thresholds


@pytest.mark.slow
@pytest.mark.parametrize(
    "options, message",
    [(["--component", "ner"], "E342"), ([], "E341")],
)
def test_what_can_not_be_tuned(trained_copy, make_examples, tmp_path, options, message):
    model = tmp_path / "model"
    trained_copy.to_disk(model)
    golds = [x.reference for x in make_examples(trained_copy)]
    DocBin(docs=golds, store_user_data=True).to_disk(tmp_path / "dev.spacy")
    name = str(model) if options else "en_no_folder"
    result = CliRunner().invoke(
        app, ["find-thresholds", name, str(tmp_path / "dev.spacy"), *options]
    )
    assert result.exit_code == 1 and message in result.output


@pytest.mark.slow
def test_settings_stay_while_thresholds_are_searched(trained_copy, make_examples):
    """Other threads may predict with the pipeline meanwhile."""
    component = trained_copy.get_pipe("joint_ner_re")
    component.cfg["rel_threshold"] = 0.9
    settings, config = dict(component.cfg), trained_copy.config.to_str()
    texts = [x.reference.text for x in make_examples(trained_copy)]
    expected = [list(doc._.relations) for doc in trained_copy.pipe(texts)]
    expected = [[x.to_dict() for x in relations] for relations in expected]
    wrong, ended = [], threading.Event()

    def predict():
        while not ended.is_set():
            found = [[x.to_dict() for x in doc._.relations] for doc in trained_copy.pipe(texts)]
            same = dict(component.cfg) == settings
            if not same or [len(x) for x in found] != [len(x) for x in expected]:
                wrong.append(found)

    thread = threading.Thread(target=predict)
    thread.start()
    try:
        for _ in range(10):
            find_thresholds(trained_copy, "joint_ner_re", make_examples(trained_copy))
    finally:
        ended.set()
        thread.join()
    assert not wrong
    assert dict(component.cfg) == settings and trained_copy.config.to_str() == config


@Language.component("drop_relations")
def drop_relations(doc):
    doc._.relations = []
    return doc


@pytest.mark.slow
@pytest.mark.parametrize("place", ["first", "last"])
def test_other_components_do_their_part(trained_copy, make_examples, place):
    trained_copy.add_pipe("drop_relations", **{place: True})
    found = find_thresholds(trained_copy, "joint_ner_re", make_examples(trained_copy))
    assert all((x.after > 0) is (place == "first") for x in found.values())


# Entities


@pytest.mark.parametrize(
    "entities, in_force, threshold",
    [
        # Two wrong entities below the right ones
        ([(0.9, True), (0.8, True), (0.4, False), (0.3, False)], 0.0, 0.6),
        # Nothing better: the one in force stays, whatever it is.
        ([(0.9, True), (0.8, True)], 0.0, 0.0),
        ([(0.9, True), (0.8, True)], 0.5, 0.5),
        # The one in force leaves right entities out.
        ([(0.9, True), (0.4, True)], 0.5, 0.0),
        ([], 0.2, 0.2),
    ],
)
def test_threshold_of_entities(entities, in_force, threshold):
    found = _choose(_Found(entities, 2, {}, {}), [], in_force, {})
    assert found == {} and found.entities.threshold == pytest.approx(threshold)
    assert found.entities.after >= found.entities.before


def test_relations_have_a_say_in_the_threshold_of_entities():
    """Entities alone would lose the improbable one: a right relation has it as its end."""
    entities = [(0.9, True), (0.3, True), (0.2, False), (0.1, False)]
    relations = {"MET": [_Relation(0.9, 0.3, True), _Relation(0.8, 0.1, False)]}
    found = _choose(_Found(entities, 3, relations, {"MET": 1}), ["MET"], 0.0, {"MET": 0.95})
    assert found.entities.threshold == pytest.approx(0.25)
    assert found["MET"].before == 0 and found["MET"].after == 1
    # A relation between entities that are left out does not count.
    relations = {"MET": [_Relation(0.9, 0.95, True), _Relation(0.8, 0.1, False)]}
    found = _choose(_Found(entities, 2, relations, {"MET": 1}), ["MET"], 0.0, {"MET": 0.5})
    assert found.entities.threshold == pytest.approx(0.25)
    assert (found["MET"].threshold, found["MET"].after) == (0.5, 1)


def test_many_entities_are_not_all_tried():
    entities = [(i / 10_000, i > 4_000) for i in range(1, 10_000)]
    found = _choose(_Found(entities, 6_000, {}, {}), [], 0.0, {})
    assert found.entities.threshold == pytest.approx(0.4, abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("threshold", [0.0, 0.9, 1.0])
@pytest.mark.each_family
def test_scores_of_all_are_those_of_the_scorer(trained_copy, make_examples, threshold):
    component = trained_copy.get_pipe("joint_ner_re")
    component.cfg.update(ent_threshold=threshold, rel_threshold=0.97)
    before = trained_copy.evaluate(make_examples(trained_copy))
    found = find_thresholds(trained_copy, "joint_ner_re", make_examples(trained_copy))
    assert component.cfg["ent_threshold"] == threshold
    set_thresholds(trained_copy, "joint_ner_re", found)
    assert component.cfg["ent_threshold"] == found.entities.threshold
    after = trained_copy.evaluate(make_examples(trained_copy))
    assert found.entities.before == pytest.approx(before["ents_f"])
    assert found.entities.after == pytest.approx(after["ents_f"])
    for label, x in found.items():
        assert x.before == pytest.approx(before["rels_per_type"][label]["f"])
        assert x.after == pytest.approx(after["rels_per_type"][label]["f"])
    assert after["joint_f"] >= before["joint_f"]


def test_data_with_entities_only(trained, make_examples):
    nlp = trained[0]
    examples = make_examples(nlp, [(words, entities, None) for words, entities, _ in TRAIN_DATA])
    found = find_thresholds(nlp, "joint_ner_re", examples)
    assert found == {} and found.entities.n_gold == 2


def test_given_entities_have_no_threshold(trained_copy, make_examples):
    component = trained_copy.get_pipe("joint_ner_re")
    component.cfg["given_entities"] = True
    examples = make_examples(trained_copy)
    for example in examples:
        example.predicted.ents = example.get_aligned_spans_y2x(example.reference.ents)
    found = find_thresholds(trained_copy, "joint_ner_re", examples)
    assert found.entities is None and set(found) == {"LIVES_IN", "MET", "WORKS_FOR"}
    set_thresholds(trained_copy, "joint_ner_re", found)
    assert component.cfg["ent_threshold"] == 0.0


@pytest.mark.slow
def test_command_saves_the_threshold_of_entities(trained_copy, make_examples, tmp_path):
    trained_copy.get_pipe("joint_ner_re").cfg["ent_threshold"] = 1.0
    trained_copy.to_disk(tmp_path / "model")
    golds = [x.reference for x in make_examples(trained_copy)]
    DocBin(docs=golds, store_user_data=True).to_disk(tmp_path / "dev.spacy")
    command = ["find-thresholds", str(tmp_path / "model"), str(tmp_path / "dev.spacy")]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0 and "all entities" in result.output
    loaded = spacy.load(tmp_path / "model")
    threshold = loaded.get_pipe("joint_ner_re").cfg["ent_threshold"]
    assert threshold < 1.0
    assert loaded.config["components"]["joint_ner_re"]["ent_threshold"] == threshold


def test_a_peak_between_two_scores_is_no_threshold():
    """One relation more or less makes a narrow peak: other texts don't have it there."""
    peak = [(0.95, True), (0.94, True), (0.93, True), (0.92, False)]
    plateau = [(0.7, True), (0.69, True), (0.68, False), (0.3, True), (0.29, False), (0.2, False)]
    found = _best(peak + plateau, 6, 0.99)
    assert 0.3 <= found.threshold <= 0.68 and found.after > found.before
