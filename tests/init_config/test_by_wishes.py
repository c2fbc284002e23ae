"""Settings that the user's wishes decide, and what the shipped configs give."""

from pathlib import Path

import numpy
import pytest
import spacy

from spacy_jere.init_config.budget import Speed
from spacy_jere.init_config.build import FOLDER, build_config
from spacy_jere.init_config.encoders import Encoder, has_bfloat16
from spacy_jere.init_config.plan import Plan
from spacy_jere.vectors.compact import WordVectors, write_compact

CONFIGS = Path(__file__).parent.parent.parent / "configs"
BASES = ["cpu", "finetuned", "frozen"]
ADA = ("Ada lives in New Oslo .", [(0, 1, "PER"), (3, 5, "LOC")], [(0, 1, "LIVES_IN")])
CY = ("Cy works for Acme .", [(0, 1, "PER"), (3, 4, "ORG")], [(0, 1, "WORKS_FOR")])


@pytest.fixture
def encoder(monkeypatch):
    """A cased encoder that no folder is needed for; arguments change it."""

    def _encoder(**changed):
        found = Encoder("my-encoder", uncased=False, n_layers=12)._replace(**changed)
        monkeypatch.setattr("spacy_jere.init_config.read_encoder", lambda name: found)
        monkeypatch.setattr("spacy_jere.init_config.has_bfloat16", lambda: False)
        return found.name

    return _encoder


def component_of(made):
    return made.config["components"]["joint_ner_re"]


def choices_of(made):
    return {choice.name: choice.value for choice in made.choices}


# The shipped configs


def test_bases_are_the_shipped_configs():
    """The package has its own copies: an installed one has no folder configs/."""
    assert sorted(x.stem for x in FOLDER.glob("*.cfg")) == BASES
    for name in BASES:
        shipped = (CONFIGS / f"{name}.cfg").read_text(encoding="utf8")
        assert (FOLDER / f"{name}.cfg").read_text(encoding="utf8") == shipped, name


@pytest.mark.parametrize("source, model", [("none", "birnn")])
def test_without_choices_a_config_is_the_shipped_one(source, model):
    from spacy.util import load_config, load_model_from_config

    made = build_config(Plan(source, model, False, []), lang="en", train="a", dev="b")
    overrides = {"paths.train": "a", "paths.dev": "b"}
    shipped = load_config(CONFIGS / "cpu.cfg", overrides=overrides, interpolate=False)
    assert made == load_model_from_config(shipped, auto_fill=True).config


def test_nothing_that_was_fitted_is_taken_over(make, encoder):
    component = component_of(make([ADA], encoder=encoder(), vectors=None))
    assert component["ent_threshold"] == 0.0 and component["rel_threshold"] == 0.5
    assert component["thresholds_by_relation"] == {}


# By the wishes


@pytest.mark.parametrize(
    "wishes, source, model",
    [
        ({}, "frozen", "birnn"),
        ({"optimize": "speed"}, "frozen", "birnn"),
        ({"optimize": "accuracy"}, "finetuned", "spert_mt"),
        ({"gpu": True}, "finetuned", "spert_mt"),
        ({"gpu": True, "optimize": "speed"}, "frozen", "birnn"),
        ({"model": "spert"}, "frozen", "spert"),
        ({"model": "birnn", "optimize": "accuracy"}, "finetuned", "birnn"),
    ],
)
def test_encoder(make, encoder, wishes, source, model):
    made = make([ADA, CY], encoder=encoder(), **wishes)
    assert choices_of(made)["encoder"] == source and choices_of(made)["model"] == model
    config = made.config
    assert config["paths"]["encoder"] == "my-encoder"
    assert config["components"]["transformer"]["model"]["name"] == "${paths.encoder}"
    frozen = ["transformer"] if source == "frozen" else []
    assert config["training"]["frozen_components"] == frozen
    assert config["training"]["annotating_components"] == ["sentencizer", *frozen]
    assert config["system"]["gpu_allocator"] == ("pytorch" if wishes.get("gpu") else None)
    factor = component_of(made)["model"]["tok2vec"]["contextual"]["grad_factor"]
    assert factor == (0.0 if frozen else 1.0)
    names = {"birnn": "TaskSpecificBiRNN", "spert": "SpERT", "spert_mt": "SpERTMT"}
    assert component_of(made)["model"]["@architectures"] == f"spacy-jere.{names[model]}.v1"
    if "ensemble_size" in component_of(made)["model"] and frozen:
        speed = wishes.get("optimize") == "speed"
        assert component_of(made)["model"]["ensemble_size"] == (1 if speed else 2)


@pytest.mark.parametrize("model", ["birnn", "spert", "spert_mt"])
def test_model_without_an_encoder(make, model):
    made = make([ADA, CY], model=model)
    assert choices_of(made)["model"] == model and "transformer" not in made.config["components"]
    contextual = component_of(made)["model"]["tok2vec"]["contextual"]
    assert contextual["@architectures"] == "spacy.HashEmbedCNN.v2"


@pytest.mark.parametrize(
    "uncased, optimize, has_casing",
    [(True, "accuracy", True), (True, "speed", True), (False, "accuracy", False)],
)
def test_capitals_beside_an_encoder(make, encoder, uncased, optimize, has_casing):
    made = make([ADA], encoder=encoder(uncased=uncased), optimize=optimize)
    features = component_of(made)["model"]["tok2vec"]
    assert features["casing"] is has_casing
    assert features["characters"] == (32 if has_casing else None)


@pytest.mark.parametrize("n, layers", [(1, [-1]), (2, [-3, -1]), (3, [-4, -3, -1])])
def test_layers_that_an_encoder_has(make, encoder, n, layers):
    made = make([ADA], encoder=encoder(n_layers=n))
    assert component_of(made)["model"]["tok2vec"]["contextual"]["layers"] == layers


@pytest.mark.slow
def test_speed_reads_less(make):
    n = [make([ADA] * 2400, optimize=x).config["training"]["max_epochs"] for x in (None, "speed")]
    assert n[1] < n[0]


@pytest.mark.parametrize(
    "wishes", [{"model": "bert"}, {"optimize": "size"}, {"minutes": 0.0}, {"minutes": -1.0}]
)
def test_wishes_out_of_range(make, wishes):
    with pytest.raises(ValueError, match="E405"):
        make([ADA], **wishes)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["no/such-encoder", "/no/such/folder"])
def test_encoder_that_can_not_be_loaded(make, name):
    pytest.importorskip("spacy_transformers")
    with pytest.raises(ValueError, match="E483") as error:
        make([ADA], encoder=name)
    assert name in str(error.value) and "\n" not in str(error.value)


def test_vectors_that_can_not_be_loaded(make, tmp_path):
    spacy.blank("en").to_disk(tmp_path / "none")
    for name in ("en_no_such_vectors", str(tmp_path / "none")):
        with pytest.raises(ValueError, match="E484"):
            make([ADA], vectors=name)


@pytest.mark.slow
def test_vectors_and_their_language(make, tmp_path):
    nlp = spacy.blank("de")
    nlp.vocab.set_vector("ada", numpy.ones(4, dtype="f"))
    nlp.to_disk(tmp_path / "vectors")
    config = make([ADA], vectors=str(tmp_path / "vectors")).config
    assert config["nlp"]["lang"] == "de"
    assert config["initialize"]["before_init"]["path"] == "${paths.vectors}"
    assert config["components"]["joint_ner_re"]["model"]["tok2vec"]["static_vectors"] is True
    with pytest.raises(ValueError, match="E484"):
        make([ADA], vectors=str(tmp_path / "vectors"), lang="fr")
    assert make([ADA], lang="fr").config["nlp"]["lang"] == "fr"


def test_vectors_of_a_file(make, tmp_path):
    table = numpy.ones((1, 4), dtype="f")
    path = str(tmp_path / "vectors.npz")
    write_compact(path, WordVectors(["ada"], table, {}))
    config = make([ADA], vectors=path).config
    assert config["paths"]["vectors"] == path
    assert config["components"]["joint_ner_re"]["model"]["tok2vec"]["static_vectors"] is True
    config = make([ADA]).config
    assert config["paths"]["vectors"] is None
    assert config["components"]["joint_ner_re"]["model"]["tok2vec"]["static_vectors"] is False
    with pytest.raises(ValueError, match="E439"):
        make([ADA], vectors=str(tmp_path / "none.npz"))


@pytest.mark.slow
def test_vectors_of_a_file_are_refused_beside_an_encoder(make, tiny_bert, tmp_path):
    with pytest.raises(ValueError, match=r"E484.*make-vectors"):
        make([ADA], encoder=tiny_bert, vectors=str(tmp_path / "vectors.npz"))


def test_language_that_spacy_does_not_have(make):
    with pytest.raises(ValueError, match="E448"):
        make([ADA], lang="no-such")


@pytest.mark.parametrize("flags, expected", [("sse avx512_bf16", True), ("avx512f", False)])
def test_bfloat16_is_read_from_the_processor(tmp_path, flags, expected):
    (tmp_path / "cpuinfo").write_text(f"flags\t\t: {flags}\n", encoding="utf8")
    assert has_bfloat16(tmp_path / "cpuinfo") is expected
    assert has_bfloat16(tmp_path / "nothing") is False


# Time


@pytest.mark.parametrize(
    "minutes, wanted, n",
    [(100, 20, 20), (10, 20, 9), (1.9, 20, 1), (0.1, 20, 1), (4, 20, 3), (100, 3, 3)],
)
def test_epochs_that_fit(minutes, wanted, n):
    # Ten evaluations or more of 3 s each, 10 s for the start
    speed = Speed(start=10.0, epoch=60.0, evaluation=3.0)
    assert speed.epochs(minutes, wanted) == n
    assert n == 1 or speed.seconds(n) <= 60 * minutes


@pytest.mark.parametrize(
    "minutes, seconds, source, n, told",
    [
        (60, {"finetuned": 30, "frozen": 30}, "finetuned", 50, "have room for the epochs"),
        (30, {"finetuned": 40, "frozen": 4}, "finetuned", 43, "43 of 50"),
        (10, {"finetuned": 60, "frozen": 10}, "frozen", 50, "have room for the epochs"),
        (10, {"finetuned": 60, "frozen": 70}, "finetuned", 9, "9 of 50"),
        (1, {"finetuned": 600, "frozen": 600}, "finetuned", 1, "too short"),
    ],
)
def test_cheaper_models_where_time_is_short(
    make, encoder, monkeypatch, minutes, seconds, source, n, told
):
    def measure(config, facts, use_gpu):
        is_frozen = config["training"]["frozen_components"]
        return Speed(0.0, seconds["frozen" if is_frozen else "finetuned"], 1.0)

    monkeypatch.setattr("spacy_jere.init_config.budget.measure", measure)
    made = make([ADA], encoder=encoder(), optimize="accuracy", minutes=minutes)
    assert choices_of(made)["encoder"] == source
    assert made.config["training"]["max_epochs"] == n
    (reason,) = (x.reason for x in made.choices if x.name == "max_epochs")
    assert told in reason
