import json
from collections import Counter

import pytest
import spacy
from spacy.cli._util import app
from spacy.tokens import DocBin
from typer.testing import CliRunner

from spacy_jere.cli.evaluate import evaluate, print_scores
from spacy_jere.evaluation.scorer import score_joint
from spacy_jere.formats._labels import map_docs


@pytest.fixture
def model_and_data(trained, tmp_path):
    """A saved pipeline that has learned the tiny corpus by heart, and the corpus."""
    nlp, examples = trained
    nlp.to_disk(tmp_path / "model")
    docs = [example.reference for example in examples]
    DocBin(docs=docs, store_user_data=True).to_disk(tmp_path / "data.spacy")
    return tmp_path / "model", tmp_path / "data.spacy"


@pytest.mark.slow
def test_prints_every_table_and_writes_every_score(model_and_data, tmp_path):
    model, data = model_and_data
    output = tmp_path / "made" / "scores.json"
    result = CliRunner().invoke(app, ["jere", "evaluate", str(model), str(data), "-o", str(output)])
    assert result.exit_code == 0, result.output
    for part in (
        "trainable parameters",
        "strict (micro)",
        "boundaries",
        "macro",
        "LIVES_IN",
        "100.00",
    ):
        assert part in result.output
    scores = json.loads(output.read_text())
    assert scores["joint_f"] == 1.0
    assert set(score_joint([])) <= set(scores)


RENAMED = {"PER": "Human", "LOC": "Place", "LIVES_IN": "home", "MET": "met"}


@pytest.fixture
def other_corpus(model_and_data, tmp_path):
    """The corpus with other labels, beside the pipeline that knows the old ones."""
    model, data = model_and_data
    docs = list(DocBin().from_disk(data).get_docs(spacy.blank("en").vocab))
    map_docs(docs, RENAMED, Counter())
    DocBin(docs=docs, store_user_data=True).to_disk(tmp_path / "other.spacy")
    return str(model), tmp_path / "other.spacy"


BACK = {new: old for old, new in RENAMED.items()}


@pytest.mark.slow
@pytest.mark.parametrize(
    "labels, entities, relations",
    [
        (BACK, {"PER", "LOC", "ORG"}, {"LIVES_IN", "WORKS_FOR", "MET"}),
        ({**BACK, "ORG": ""}, {"PER", "LOC"}, {"LIVES_IN", "MET"}),
        ({**BACK, "WORKS_FOR": "", "met": "", "MET": ""}, {"PER", "LOC", "ORG"}, {"LIVES_IN"}),
        ({"Human": "x", "PER": "x", "Place": "", "LOC": "", "home": ""}, {"x", "ORG"}, None),
    ],
)
def test_other_labels_are_mapped_on_both_sides(other_corpus, labels, entities, relations):
    scores = evaluate(*other_corpus, labels)
    assert set(scores["ents_per_type"]) == entities
    assert scores["ents_f"] == 1.0
    if relations is not None:
        assert set(scores["rels_per_type"]) == relations
        assert scores["rels_f"] == 1.0


@pytest.mark.slow
def test_overlapping_entities_are_mapped_on_both_sides(other_corpus, tmp_path):
    model, data = other_corpus
    nlp = spacy.load(model)
    nlp.get_pipe("joint_ner_re").cfg["spans_key"] = "all"
    nlp.to_disk(tmp_path / "spans")
    assert evaluate(str(tmp_path / "spans"), data, BACK)["spans_f"] == 1.0
    assert evaluate(str(tmp_path / "spans"), data)["spans_f"] < 1.0


@pytest.mark.slow
def test_labels_that_are_nowhere_are_named(other_corpus):
    arguments = ["jere", "evaluate", *map(str, other_corpus), "--map", "Human=PER,NOPE=X"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0
    assert "'NOPE'" in result.output and "'Human'" not in result.output


def test_nothing_annotated_prints_dashes(capsys):
    print_scores({**score_joint([]), "parameters": {}, "speed": 0.0})
    printed = capsys.readouterr().out
    assert "100.00" not in printed
    assert "joint_f" in printed and "-" in printed


def test_unknown_model_is_an_error(tmp_path):
    DocBin(docs=[spacy.blank("en")("x")]).to_disk(tmp_path / "data.spacy")
    arguments = ["jere", "evaluate", str(tmp_path / "none"), str(tmp_path / "data.spacy")]
    assert CliRunner().invoke(app, arguments).exit_code != 0
