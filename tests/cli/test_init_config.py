"""`init-config`: what it prints and writes, with which spaCy trains, and what it refuses."""

import re

import pytest
import spacy
from spacy.cli.init_config import fill_config, init_config
from spacy.cli.train import train
from spacy.tokens import DocBin
from spacy.training.initialize import init_nlp
from spacy.training.loop import train as train_nlp
from spacy.vocab import Vocab
from typer.testing import CliRunner

from spacy_jere.cli import app


@pytest.fixture
def corpus(corpus_bytes, tmp_path):
    (tmp_path / "data.spacy").write_bytes(corpus_bytes)
    return tmp_path / "data.spacy"


@pytest.fixture
def run(corpus):
    """Run the command on the tiny corpus."""

    def _run(output, *options, train=corpus, dev=corpus):
        command = ["init-config", str(output), "--train", str(train), "--dev", str(dev), *options]
        return CliRunner().invoke(app, command)

    return _run


def test_prints_reasons_and_the_next_commands(run, corpus, tmp_path):
    output = tmp_path / "new" / "my config.cfg"
    result = run(output)
    assert result.exit_code == 0, result.output
    reasons = dict(re.findall(r"^(\S[^=\n]*) = .*?  +(.*)$", result.output, flags=re.M))
    assert {"model", "overlap", "window", "sentencizer", "schema", "batch size"} <= set(reasons)
    assert all(len(reason) > 10 for reason in reasons.values())
    assert f"python -m spacy train '{output}' --output training" in result.output
    assert f"jere find-thresholds training/model-best {corpus}" in result.output
    assert "jere evaluate training/model-best" in result.output
    assert "5 texts of dev are in train" in " ".join(result.output.split())
    content = output.read_text(encoding="utf8")
    assert all(f"# {name} = " in content for name in reasons)


@pytest.mark.slow
def test_spacy_trains_with_it_and_nothing_else(run, corpus, tmp_path):
    output = tmp_path / "config.cfg"
    assert run(output).exit_code == 0
    train(output, tmp_path / "training", overrides={"training.max_steps": 4})
    best = str(tmp_path / "training" / "model-best")
    nlp = spacy.load(best)
    assert nlp.pipe_names == ["sentencizer", "joint_ner_re"]
    for command in ("find-thresholds", "evaluate"):
        result = CliRunner().invoke(app, [command, best, str(corpus)])
        assert result.exit_code == 0, result.output


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        ["--optimize", "speed"],
        ["--optimize", "accuracy"],
        ["--optimize", "accuracy", "--model", "birnn"],
        ["--model", "spert"],
        ["--model", "spert_mt"],
    ],
)
def test_trains_over_an_encoder(run, tiny_bert, tiny_vectors, tmp_path, options):
    output = tmp_path / "config.cfg"
    result = run(output, "--encoder", tiny_bert, "--vectors", tiny_vectors, *options)
    assert result.exit_code == 0, result.output
    train(output, tmp_path / "training", overrides={"training.max_steps": 2})
    nlp = spacy.load(tmp_path / "training" / "model-last")
    assert nlp("Ada lives in Rome .")._.relations is not None


@pytest.mark.slow
@pytest.mark.parametrize("minutes, cheaper", [("600", False), ("0.001", True)])
def test_minutes_are_measured(run, tiny_bert, tmp_path, minutes, cheaper):
    output = tmp_path / "config.cfg"
    options = ["--encoder", tiny_bert, "--optimize", "accuracy", "--minutes", minutes]
    result = run(output, *options)
    assert result.exit_code == 0, result.output
    assert re.search(r"An epoch takes about \d+ s here", result.output)
    config = spacy.util.load_config(output)
    assert config["training"]["max_epochs"] == (1 if cheaper else 50)
    init_nlp(spacy.util.load_config(output))  # the schedule fits the epochs


@pytest.mark.slow
def test_gpu_can_not_be_measured_without_one(run, tmp_path):
    result = run(tmp_path / "config.cfg", "--gpu", "--minutes", "5")
    assert result.exit_code == 1 and "E485" in result.output
    assert not (tmp_path / "config.cfg").exists()


def test_dev_without_relations_is_told(run, corpus, tmp_path):
    docs = DocBin().from_disk(corpus).get_docs(Vocab())
    only_entities = DocBin()  # without user data, which relations are kept in
    for doc in docs:
        only_entities.add(doc)
    only_entities.to_disk(tmp_path / "dev.spacy")
    result = run(tmp_path / "config.cfg", dev=tmp_path / "dev.spacy")
    assert result.exit_code == 0 and "dev has no relations" in result.output


def test_gpu(run, tmp_path):
    result = run(tmp_path / "config.cfg", "--gpu")
    assert result.exit_code == 0 and "--output training --gpu-id 0" in result.output
    config = spacy.util.load_config(tmp_path / "config.cfg")
    assert config["system"]["gpu_allocator"] == "pytorch"


def test_file_that_is_there_stays(run, tmp_path):
    output = tmp_path / "config.cfg"
    output.write_text("mine", encoding="utf8")
    result = run(output)
    assert result.exit_code == 1 and "E354" in result.output
    assert output.read_text(encoding="utf8") == "mine"
    assert run(output, "--force").exit_code == 0
    assert output.read_text(encoding="utf8") != "mine"


@pytest.mark.parametrize("what, code", [("data", "E380"), ("missing", "E324"), ("vectors", "E484")])
def test_refused_in_a_sentence(run, corpus, tmp_path, what, code):
    output, options, paths = tmp_path / "config.cfg", [], {}
    if what == "data":
        output, options = corpus, ["--force"]
    elif what == "missing":
        paths["dev"] = tmp_path / "none.spacy"
    else:
        options = ["--vectors", "en_no_such_vectors"]
    before = corpus.read_bytes()
    result = run(output, *options, **paths)
    assert result.exit_code == 1 and code in result.output
    assert "Traceback" not in result.output and corpus.read_bytes() == before
    assert output == corpus or not output.exists()


@pytest.mark.slow
@pytest.mark.parametrize("optimize", ["efficiency", "accuracy"])
def test_config_of_spacy_itself_trains(corpus, tmp_path, optimize):
    """`spacy init config --pipeline joint_ner_re`, as it is and filled in once more."""
    config = init_config(pipeline=["joint_ner_re"], optimize=optimize)
    config.to_disk(tmp_path / "base.cfg")
    fill_config(tmp_path / "config.cfg", tmp_path / "base.cfg")
    paths = {f"paths.{split}": str(corpus) for split in ("train", "dev")}
    settings = {"training.max_steps": 2, "training.eval_frequency": 1, "paths.vectors": None}
    settings["initialize.vectors"] = None
    overrides = {**paths, **settings}
    nlp = init_nlp(spacy.util.load_config(tmp_path / "config.cfg", overrides=overrides))
    (tmp_path / "out").mkdir()
    train_nlp(nlp, tmp_path / "out")
    trained = spacy.load(tmp_path / "out" / "model-last")
    assert {"joint_f", "rels_f"} <= set(trained.meta["performance"])
    assert trained.get_pipe("joint_ner_re").relation_labels


@pytest.mark.slow
def test_config_of_spacy_itself_fits(corpus, tmp_path):
    """The whole training with spaCy's own settings finds what it has seen."""
    config = init_config(pipeline=["joint_ner_re"])
    paths = {f"paths.{split}": str(corpus) for split in ("train", "dev")}
    settings = {"training.max_steps": 120, "training.eval_frequency": 40}
    overrides = {**paths, **settings}
    nlp = init_nlp(spacy.util.load_config_from_str(config.to_str(), overrides=overrides))
    nlp, _ = train_nlp(nlp, tmp_path)
    assert spacy.load(tmp_path / "model-best").meta["performance"]["joint_f"] > 0.5
