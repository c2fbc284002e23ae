"""Every config of configs/: loads, is completed by spaCy, builds and trains."""

from pathlib import Path

import pytest
import spacy
from spacy.cli.debug_config import debug_config
from spacy.cli.debug_model import debug_model
from spacy.cli.init_config import fill_config
from spacy.schemas import ConfigSchemaTraining
from spacy.tokens import DocBin
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from thinc.api import Config

FOLDER = Path(__file__).parent.parent / "configs"
CONFIGS = sorted(x.relative_to(FOLDER).as_posix() for x in FOLDER.rglob("*.cfg"))


@pytest.fixture
def paths(make_examples, tmp_path):
    nlp = spacy.blank("en")
    golds = [example.reference for example in make_examples(nlp)]
    DocBin(docs=golds, store_user_data=True).to_disk(tmp_path / "train.spacy")
    return {f"paths.{part}": str(tmp_path / "train.spacy") for part in ("train", "dev")}


def test_there_are_configs_to_choose_from():
    chosen = ["cpu.cfg", "finetuned.cfg", "frozen.cfg"]
    assert chosen + ["published/crone_conll04.cfg", "published/spert.cfg"] == CONFIGS


@pytest.mark.parametrize("name", CONFIGS)
def test_says_what_it_is_for(name):
    lines = (FOLDER / name).read_text(encoding="utf8").splitlines()
    comment = lines[: lines.index("")]
    assert 2 <= len(comment) <= 4
    assert all(line.startswith("# ") for line in comment)
    assert all(len(line) <= 100 for line in lines)


@pytest.mark.parametrize("name", CONFIGS)
def test_long_texts_are_read_by_sentences_in_training_and_in_use(name):
    config = Config().from_disk(FOLDER / name, interpolate=False)
    assert config["nlp"]["pipeline"][0] == "sentencizer"
    assert config["components"]["sentencizer"]["factory"] == "long_text_sentencizer"
    assert "sentencizer" in config["training"]["annotating_components"]


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
def test_is_valid(name, load_config, small_overrides, paths):
    config = load_config(name, {**small_overrides(name), **paths})
    nlp = spacy.util.load_model_from_config(config, auto_fill=True, validate=True)
    assert nlp.pipe_names == config["nlp"]["pipeline"]
    again = spacy.util.load_config_from_str(nlp.config.to_str())
    assert again["components"] == nlp.config["components"]


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
def test_can_be_filled_in_and_debugged(name, small_overrides, paths, tmp_path, capsys):
    fill_config(tmp_path / "filled" / "config.cfg", FOLDER / name)
    overrides = {**small_overrides(name), **paths}
    debug_config(tmp_path / "filled" / "config.cfg", overrides=overrides)
    assert "Config is valid" in capsys.readouterr().out


@pytest.mark.slow
def test_model_can_be_debugged(load_config, small_overrides, paths, capsys):
    config = load_config("cpu.cfg", {**small_overrides("cpu.cfg"), **paths})
    nlp = spacy.util.load_model_from_config(config, auto_fill=True)
    config = nlp.config.interpolate()
    training = spacy.registry.resolve(config["training"], schema=ConfigSchemaTraining)
    pipe = nlp.get_pipe("joint_ner_re")
    debug_model(config, training, nlp, pipe, print_settings={"print_prediction": True})
    printed = capsys.readouterr().out
    assert "model looks good" in printed and "relation_scores" in printed


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
def test_trains(name, load_config, small_overrides, paths, tmp_path):
    settings = {
        "training.max_epochs": 2,
        "training.max_steps": 1,
        "initialize.after_init.evaluate_every": 0.001,
    }
    nlp = init_nlp(load_config(name, {**small_overrides(name), **paths, **settings}))
    (tmp_path / "out").mkdir()
    train(nlp, tmp_path / "out")
    loaded = spacy.load(tmp_path / "out" / "model-last")
    performance = loaded.meta["performance"]
    assert performance["joint_ner_re_loss"] > 0
    assert {"joint_f", "ents_f", "rels_f"} <= set(performance)
    assert loaded("Ada lives in Rome .")._.relations is not None


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("max_epochs", [2, 7])
def test_counts_in_epochs(name, load_config, small_overrides, paths, max_epochs):
    """Another number of epochs, or another corpus, is the only setting to change."""
    overrides = {**small_overrides(name), **paths, "training.max_epochs": max_epochs}
    training = init_nlp(load_config(name, overrides)).config["training"]
    steps = 3 if training["batcher"]["size"] == 2 else 1
    assert training["eval_frequency"] == steps
    assert training["patience"] == (10 * steps if name == "published/crone_conll04.cfg" else 0)
    rate = training["optimizer"]["learn_rate"]
    if isinstance(rate, dict):
        assert rate["steps_per_epoch"] == steps
        assert rate["max_epochs"] == max_epochs
    assert training["max_steps"] == 0


@pytest.mark.slow
def test_first_config_has_vectors_of_its_own(load_config, small_overrides, paths, monkeypatch):
    monkeypatch.chdir(FOLDER.parent)
    overrides = {**small_overrides("cpu.cfg"), **paths}
    del overrides["paths.vectors"]
    nlp = init_nlp(load_config("cpu.cfg", overrides))
    assert nlp.vocab["rome"].has_vector and nlp("Ada lives in Rome .").vocab.vectors_length == 96
