"""Every config of configs/: loads, is complete, builds and trains."""

from pathlib import Path

import pytest
import spacy
from spacy.tokens import DocBin
from spacy.training.initialize import init_nlp
from spacy.training.loop import train

CONFIGS = sorted(x.name for x in (Path(__file__).parent.parent / "configs").glob("*.cfg"))


@pytest.fixture
def paths(make_examples, tmp_path):
    nlp = spacy.blank("en")
    golds = [example.reference for example in make_examples(nlp)]
    DocBin(docs=golds, store_user_data=True).to_disk(tmp_path / "train.spacy")
    return {f"paths.{part}": str(tmp_path / "train.spacy") for part in ("train", "dev")}


def test_there_are_configs():
    assert {"birnn_cpu.cfg", "birnn_transformer.cfg"} <= set(CONFIGS)


@pytest.mark.parametrize("name", CONFIGS)
def test_is_valid(name, load_config, small_overrides, paths):
    config = load_config(name, {**small_overrides(name), **paths})
    nlp = spacy.util.load_model_from_config(config, auto_fill=True, validate=True)
    assert nlp.pipe_names == config["nlp"]["pipeline"]
    again = spacy.util.load_config_from_str(nlp.config.to_str())
    assert again["components"] == nlp.config["components"]


@pytest.mark.parametrize("name", CONFIGS)
def test_trains(name, load_config, small_overrides, paths, tmp_path):
    steps = {"training.max_steps": 2, "training.max_epochs": 0, "training.eval_frequency": 1}
    nlp = init_nlp(load_config(name, {**small_overrides(name), **paths, **steps}))
    (tmp_path / "out").mkdir()
    train(nlp, tmp_path / "out")
    loaded = spacy.load(tmp_path / "out" / "model-last")
    performance = loaded.meta["performance"]
    assert performance["joint_ner_re_loss"] > 0
    assert {"joint_f", "ents_f", "rels_f"} <= set(performance)
    assert loaded("Ada lives in Rome .")._.relations is not None
