import json
import shutil
from pathlib import Path

import pytest
import spacy
from spacy.cli._util import app
from spacy.tokens import Doc
from typer.testing import CliRunner

pytest.importorskip("spacy_transformers")

import spacy_jere.cli  # noqa: F401  (adds `jere` to spaCy's commands)

TINY = Path(__file__).parent.parent / "fixtures" / "spert_tiny"


@pytest.fixture
def run(tmp_path):
    def _run(*options, folder=TINY):
        args = ["jere", "import-spert", str(folder), str(tmp_path / "model"), *map(str, options)]
        return CliRunner().invoke(app, args)

    return _run


@pytest.fixture
def folder(tmp_path):
    """A copy of the checkpoint, without the original's predictions."""
    shutil.copytree(TINY, tmp_path / "checkpoint", ignore=lambda *_: ["predictions.json"])
    return tmp_path / "checkpoint"


def settings(nlp):
    pipe = nlp.get_pipe("joint_ner_re")
    tokenizer = nlp.get_pipe("transformer").model.tokenizer
    return {
        "lang": nlp.lang,
        "rel_threshold": pipe.cfg["rel_threshold"],
        "max_span_width": pipe.model.shims[0]._model.max_span_width,
        "lowercase": tokenizer.tokenize("Rome") == tokenizer.tokenize("rome"),
    }


@pytest.mark.slow
def test_pipeline_predicts_as_the_original(run, tmp_path):
    result = run()
    assert result.exit_code == 0, result.output
    assert "Loc, Org, Peop, Other" in result.output
    assert "Work_For, Kill, OrgBased_In, Live_In, Located_In" in result.output
    nlp = spacy.load(tmp_path / "model")
    expected = {"lang": "en", "rel_threshold": 0.4, "max_span_width": 10, "lowercase": False}
    assert settings(nlp) == expected
    sentence = json.loads((TINY / "predictions.json").read_text("utf8"))["sentences"][0]
    doc = nlp(Doc(nlp.vocab, words=sentence["tokens"]))
    found = {(x.head.start, x.tail.start, x.label_): x.score for x in doc._.relations}
    relations = {(x["head"][0], x["tail"][0], x["type"]): x["score"] for x in sentence["relations"]}
    assert found == pytest.approx(relations, abs=1e-4)
    assert len(found) == 4


@pytest.mark.slow
@pytest.mark.parametrize("lowercase, option", [(True, "--lowercase"), (False, "--cased")])
def test_every_option(run, folder, tmp_path, lowercase, option):
    types = shutil.move(folder / "types.json", tmp_path / "labels.json")
    others = ["-l", "de", "--rel-threshold", 0.75, "--max-span-width", 4, option]
    result = run("--types", types, *others, folder=folder)
    assert result.exit_code == 0, result.output
    expected = {"lang": "de", "rel_threshold": 0.75, "max_span_width": 4, "lowercase": lowercase}
    assert settings(spacy.load(tmp_path / "model")) == expected


@pytest.mark.parametrize(
    "name, content, code",
    [
        ("types.json", None, "E410"),
        ("types.json", b"{}", "E415"),
        ("types.json", b"{", "E415"),
        ("config.json", b"{", "config.json"),
        ("pytorch_model.bin", None, "E410"),
        ("pytorch_model.bin", b"no weights", "E414"),
    ],
)
def test_errors_are_told(run, folder, tmp_path, name, content, code):
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    result = run(folder=folder)
    assert result.exit_code == 1 and isinstance(result.exception, SystemExit)
    assert result.output.count("\n") < 20
    assert "Can't import the checkpoint" in result.output and code in result.output
    assert not (tmp_path / "model").exists()


def test_labels_that_do_not_fit_the_weights(run, folder):
    types = json.loads((folder / "types.json").read_text("utf8"))
    del types["relations"]["Kill"]
    (folder / "types.json").write_text(json.dumps(types), encoding="utf8")
    result = run(folder=folder)
    assert result.exit_code == 1
    assert "E413" in result.output and "rel_classifier.weight" in result.output


def test_no_such_folder(run, tmp_path):
    result = run(folder=tmp_path / "nowhere")
    assert result.exit_code == 2
    assert "nowhere" in result.output
