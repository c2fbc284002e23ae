"""What is kept of a trained component on disk, in bytes, in other pipelines and in a package."""

import json
import os
import subprocess
import sys
from importlib.metadata import version

import pytest
import spacy
from spacy.cli import app
from spacy.cli.find_threshold import find_threshold
from spacy.cli.package import package
from spacy.tokens import Doc, DocBin
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from thinc.api import Config
from typer.testing import CliRunner

NAME = "joint_ner_re"
TEXTS = ["Ada lives in New Oslo .", "", "Cy works for Acme in Rome .", "Dee met Bo at Acme ."]


@pytest.fixture
def corpus(make_examples, tmp_path):
    """The training data as a .spacy file."""
    nlp = spacy.blank("en")
    golds = [example.reference for example in make_examples(nlp)]
    DocBin(docs=golds, store_user_data=True).to_disk(tmp_path / "train.spacy")
    return tmp_path / "train.spacy"


def disk(nlp, tmp_path):
    nlp.to_disk(tmp_path / "model")
    return spacy.load(tmp_path / "model")


def component_disk(nlp, tmp_path):
    nlp.get_pipe(NAME).to_disk(tmp_path / "pipe")
    again = spacy.blank("en").from_config(nlp.config)
    again.get_pipe(NAME).from_disk(tmp_path / "pipe")
    return again


def component_bytes(nlp, tmp_path):
    again = spacy.blank("en").from_config(nlp.config)
    again.get_pipe(NAME).from_bytes(nlp.get_pipe(NAME).to_bytes())
    return again


def sourced(nlp, tmp_path):
    again = spacy.blank("en")
    again.add_pipe("sentencizer")
    again.add_pipe(NAME, source=nlp)
    return again


def sourced_from_disk(nlp, tmp_path):
    nlp.to_disk(tmp_path / "model")
    config = {"nlp": {"lang": "en", "pipeline": ["mine"]}}
    config["components"] = {"mine": {"source": str(tmp_path / "model"), "component": NAME}}
    return spacy.util.load_model_from_config(Config(config), auto_fill=True)


def as_bytes(nlp, tmp_path):
    return spacy.blank("en").from_config(nlp.config).from_bytes(nlp.to_bytes())


@pytest.mark.slow
@pytest.mark.each_family
@pytest.mark.parametrize(
    "store", [disk, as_bytes, component_disk, component_bytes, sourced, sourced_from_disk]
)
def test_round_trip(trained, make_examples, found, tmp_path, store):
    nlp, _ = trained
    again = store(nlp, tmp_path)
    assert [found(x) for x in again.pipe(TEXTS)] == [found(x) for x in nlp.pipe(TEXTS)]
    assert again.evaluate(make_examples(again))["joint_f"] == 1.0
    pipe = again.get_pipe(again.pipe_names[-1])
    assert pipe.cfg == nlp.get_pipe(NAME).cfg
    assert pipe.label_data == nlp.get_pipe(NAME).label_data


@pytest.mark.slow
@pytest.mark.each_family
@pytest.mark.parametrize("store", [disk, as_bytes])
def test_round_trip_before_initialization(make_nlp, found, tmp_path, store):
    nlp, examples = make_nlp(initialize=False)
    nlp.get_pipe(NAME).add_label("ART")
    again = store(nlp, tmp_path)
    assert again.get_pipe(NAME).entity_labels == ("ART",)
    again.initialize(lambda: examples)
    assert again.get_pipe(NAME).entity_labels == ("ART", "LOC", "ORG", "PER")
    again("Rome")


@pytest.mark.slow
@pytest.mark.parametrize(
    "schema", ["learn", {"MET": {"symmetric": True}, "LIVES_IN": {}, "WORKS_FOR": {}}]
)
def test_schema_is_kept(make_nlp, tmp_path, schema):
    nlp, _ = make_nlp(schema=schema, given_entities=True, window="doc", rel_threshold=0.25)
    assert nlp.get_pipe(NAME).schema
    again = disk(nlp, tmp_path)
    assert again.get_pipe(NAME).cfg == nlp.get_pipe(NAME).cfg
    assert again.get_pipe(NAME).schema == nlp.get_pipe(NAME).schema


@pytest.mark.slow
def test_threshold_is_found_by_spacy(trained, corpus, tmp_path):
    """`spacy find-threshold` writes it into the cfg, by the name the config has."""
    trained[0].to_disk(tmp_path / "model")
    options = {"threshold_key": "rel_threshold", "scores_key": "rels_f", "n_trials": 3}
    best, score, scores = find_threshold(tmp_path / "model", corpus, NAME, **options)
    assert (best, score) == (0.5, 1.0)
    assert scores[0.0] < 1.0 and scores[1.0] == 0.0


@pytest.mark.slow
@pytest.mark.each_family
@pytest.mark.parametrize("kind", ["entity_labels", "relation_labels"])
def test_folder_with_other_labels(trained, tmp_path, kind):
    trained[0].to_disk(tmp_path)
    path = tmp_path / NAME / "cfg"
    cfg = json.loads(path.read_text(encoding="utf8"))
    cfg[kind][0] = "OTHER"
    path.write_text(json.dumps(cfg), encoding="utf8")
    with pytest.raises(ValueError, match=r"E206.*OTHER"):
        spacy.load(tmp_path)


@pytest.mark.slow
@pytest.mark.each_family
def test_bytes_of_a_component_with_other_labels(make_nlp, trained):
    data = [("A met B", [(0, 1, "X"), (2, 3, "X")], [(0, 1, "Y")])]
    nlp, pipe_bytes = make_nlp(data=data)[0], trained[0].get_pipe(NAME).to_bytes()
    with pytest.raises(ValueError, match="E206"):
        nlp.get_pipe(NAME).from_bytes(pipe_bytes, exclude=["cfg"])
    pipe = nlp.get_pipe(NAME).from_bytes(pipe_bytes)
    assert pipe.labels == trained[0].get_pipe(NAME).labels
    assert len(nlp(TEXTS[0])._.relations) == 1


@pytest.mark.slow
@pytest.mark.each_family
def test_copy_trains_on_its_own(trained, overfit, make_examples, found, tmp_path):
    nlp, _ = trained
    expected = [found(doc) for doc in nlp.pipe(TEXTS)]
    copy = as_bytes(nlp, tmp_path)
    other = [("Cy likes Rome .", [(0, 1, "ORG")], [])]
    overfit(copy, make_examples(copy, other), steps=20)
    assert [found(doc) for doc in copy.pipe(TEXTS)] != expected
    assert [found(doc) for doc in nlp.pipe(TEXTS)] == expected


def test_annotated_docs_can_be_stored(trained, found, tmp_path):
    nlp, _ = trained
    docs = list(nlp.pipe(TEXTS))
    DocBin(docs=docs, store_user_data=True).to_disk(tmp_path / "docs.spacy")
    again = list(DocBin().from_disk(tmp_path / "docs.spacy").get_docs(nlp.vocab))
    again_bytes = [Doc(nlp.vocab).from_bytes(doc.to_bytes()) for doc in docs]
    assert [found(doc) for doc in again] == [found(doc) for doc in docs]
    assert [found(doc) for doc in again_bytes] == [found(doc) for doc in docs]


# Configs that start from a trained pipeline or from labels


def with_corpus(nlp, corpus, **training):
    """The config of a pipeline, completed for training."""
    reader = {"@readers": "spacy-jere.Corpus.v1", "path": str(corpus)}
    config = nlp.config.copy()
    config["corpora"] = {"train": reader, "dev": reader}
    config["training"].update({"max_steps": 2, "eval_frequency": 1, **training})
    return config


@pytest.mark.slow
@pytest.mark.each_family
def test_sourced_and_frozen(trained, corpus, found, tmp_path):
    trained[0].to_disk(tmp_path / "model")
    nlp = spacy.blank("en")
    nlp.add_pipe(NAME, source=trained[0])
    nlp.add_pipe("ner", name="other")
    config = with_corpus(nlp, corpus, frozen_components=[NAME])
    config["components"][NAME] = {"source": str(tmp_path / "model")}
    nlp, _ = train(init_nlp(Config(config)))
    assert nlp.get_pipe("other").labels == ("LOC", "ORG", "PER")
    for text in TEXTS:
        doc = nlp.get_pipe(NAME)(nlp.make_doc(text))
        assert found(doc) == found(trained[0](text))


@pytest.mark.slow
def test_sourced_and_trained_further(trained, corpus, tmp_path):
    trained[0].to_disk(tmp_path / "model")
    config = with_corpus(trained[0], corpus)
    config["components"][NAME] = {"source": str(tmp_path / "model")}
    nlp = init_nlp(Config(config))
    assert nlp(TEXTS[0])._.relations[0].label_ == "LIVES_IN"
    nlp, _ = train(nlp)
    assert nlp(TEXTS[0])._.relations[0].label_ == "LIVES_IN"


@pytest.mark.slow
def test_labels_written_by_init_labels(make_nlp, corpus, tmp_path):
    nlp, _ = make_nlp(initialize=False, schema="learn")
    config = with_corpus(nlp, corpus)
    Config(config).to_disk(tmp_path / "config.cfg")
    command = ["init", "labels", str(tmp_path / "config.cfg"), str(tmp_path / "labels")]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    path = tmp_path / "labels" / f"{NAME}.json"
    reader = {"@readers": "spacy.read_labels.v1", "path": str(path)}
    config["initialize"]["components"] = {NAME: {"labels": reader}}
    pipe = init_nlp(Config(config)).get_pipe(NAME)
    assert pipe.label_data == json.loads(path.read_text(encoding="utf8"))
    assert pipe.entity_labels == ("LOC", "ORG", "PER")
    assert set(pipe.schema) == set(pipe.relation_labels) == {"LIVES_IN", "MET", "WORKS_FOR"}


# Packages

LOAD = """
import json, sys, en_tiny
nlp = en_tiny.load()
doc = nlp(sys.argv[1])
print(json.dumps([x.to_dict() for x in doc._.relations]))
"""


@pytest.mark.slow
def test_package(trained, tmp_path):
    """Built as a wheel, installed, and loaded where only spaCy is imported."""
    nlp, _ = trained
    nlp.to_disk(tmp_path / "model")
    (tmp_path / "out").mkdir()
    package(
        tmp_path / "model",
        tmp_path / "out",
        name="tiny",
        version="1.2.3",
        create_sdist=False,
        create_wheel=True,
    )
    meta = json.loads(next((tmp_path / "out").glob("en_tiny-1.2.3/meta.json")).read_text("utf8"))
    requirement = next(x for x in meta["requirements"] if x.startswith("spacy-jere"))
    assert ".".join(version("spacy-jere").split(".")[:2]) in requirement
    wheel = next((tmp_path / "out").glob("*/dist/*.whl"))
    install = ["pip", "install", "--no-deps", "--quiet", "--target", str(tmp_path / "site")]
    subprocess.run([sys.executable, "-m", *install, str(wheel)], check=True)
    done = subprocess.run(
        [sys.executable, "-c", LOAD, TEXTS[0]],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    relations = json.loads(done.stdout)
    expected = [x.to_dict() for x in nlp(TEXTS[0])._.relations]
    for relation, other in zip(relations, expected, strict=True):
        assert relation.pop("score") == pytest.approx(other.pop("score"), abs=1e-4)
        assert relation == other
