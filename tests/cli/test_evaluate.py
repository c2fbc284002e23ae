import json

import pytest
import spacy
from spacy.cli._util import app
from spacy.tokens import DocBin
from typer.testing import CliRunner

from spacy_jere.cli.evaluate import print_scores
from spacy_jere.evaluation.scorer import score_joint


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


def test_nothing_annotated_prints_dashes(capsys):
    print_scores({**score_joint([]), "parameters": {}, "speed": 0.0})
    printed = capsys.readouterr().out
    assert "100.00" not in printed
    assert "joint_f" in printed and "-" in printed


def test_unknown_model_is_an_error(tmp_path):
    DocBin(docs=[spacy.blank("en")("x")]).to_disk(tmp_path / "data.spacy")
    arguments = ["jere", "evaluate", str(tmp_path / "none"), str(tmp_path / "data.spacy")]
    assert CliRunner().invoke(app, arguments).exit_code != 0
