"""Frozen components are initialized; epochs become steps, as `spacy train` counts them."""

import pytest
import spacy
from spacy.tokens import Doc, DocBin
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from thinc.api import Config, Optimizer, registry, warmup_linear

from spacy_jere.training.callbacks import create_epochs_to_steps_v1, create_initialize_frozen_v1

CONFIG = """
[paths]
train = null

[nlp]
lang = "en"
pipeline = ["tagger"]

[components]

[components.tagger]
factory = "tagger"

[components.tagger.model]
@architectures = "spacy.Tagger.v2"

[components.tagger.model.tok2vec]
@architectures = "spacy.HashEmbedCNN.v2"
width = 8
depth = 1
embed_size = 50
window_size = 1
maxout_pieces = 2
subword_features = false
pretrained_vectors = null

[corpora]

[corpora.train]
@readers = "spacy.Corpus.v1"
path = ${paths.train}

[corpora.dev]
@readers = "spacy.Corpus.v1"
path = ${paths.train}

[training]
seed = 0
gpu_allocator = null
max_epochs = 4
max_steps = 0
accumulate_gradient = 1

[training.batcher]
@batchers = "spacy.batch_by_sequence.v1"
size = 2

[training.logger]
@loggers = "spacy_jere_tests.record.v1"

[training.optimizer]
@optimizers = "spacy_jere_tests.record.v1"

[training.optimizer.learn_rate]
@schedules = "spacy-jere.warmup_linear.v1"
initial_rate = 0.01
warmup_epochs = 1.3

[initialize]

[initialize.after_init]
@callbacks = "spacy-jere.epochs_to_steps.v1"
"""
PADDED = {"@batchers": "spacy.batch_by_padded.v1", "buffer": 256, "discard_oversize": False}
rates, rows = [], []


class RecordingOptimizer(Optimizer):
    def step_schedules(self):
        rates.append(self.learn_rate)
        super().step_schedules()


@registry.optimizers("spacy_jere_tests.record.v1")
def create_recording_optimizer(learn_rate):
    return RecordingOptimizer(learn_rate)


@spacy.registry.loggers("spacy_jere_tests.record.v1")
def create_recording_logger():
    def setup(nlp, stdout, stderr):
        return (lambda info: rows.append(info and info["step"])), (lambda: None)

    return setup


@pytest.fixture(autouse=True)
def empty_records():
    rates.clear()
    rows.clear()


@pytest.fixture
def write_corpus(tmp_path):
    """Write n Docs of 1 to 7 words; return the path."""

    def _write_corpus(n):
        nlp = spacy.blank("en")
        docs = DocBin(attrs=["TAG"])
        for i in range(n):
            words = ["a"] * (1 + 7 * i // n)
            docs.add(Doc(nlp.vocab, words=words, tags=["XY"[i % 2]] * len(words)))
        docs.to_disk(tmp_path / f"{n}.spacy")
        return str(tmp_path / f"{n}.spacy")

    return _write_corpus


@pytest.fixture
def initialize(write_corpus):
    def _initialize(n=5, overrides=None):
        overrides = {"paths.train": write_corpus(n), **(overrides or {})}
        return init_nlp(Config().from_str(CONFIG, interpolate=False, overrides=overrides))

    return _initialize


def training_of(nlp):
    training = nlp.config["training"]
    steps = training["optimizer"]["learn_rate"]["steps_per_epoch"]
    return steps, training["eval_frequency"], training["patience"]


def test_training_counts_in_epochs(initialize, tmp_path):
    """5 Docs in batches of 2 are 3 steps; the warm-up has 1.3 * 3, about 4, of 12."""
    nlp = initialize()
    assert training_of(nlp) == (3, 3, 0)
    (tmp_path / "out").mkdir()
    train(nlp, tmp_path / "out")
    schedule = warmup_linear(0.01, 4, 12)
    assert rates == [next(schedule) for _ in range(12)]
    assert [x for x in rows if x is not None] == [0, 3, 6, 9]
    assert len(rows) == 12
    saved = Config().from_disk(tmp_path / "out" / "model-last" / "config.cfg")["training"]
    assert saved["eval_frequency"] == 3
    assert saved["optimizer"]["learn_rate"] == {
        "@schedules": "spacy-jere.warmup_linear.v1",
        "initial_rate": 0.01,
        "warmup_epochs": 1.3,
        "total_epochs": None,
        "steps_per_epoch": 3,
        "max_epochs": 4,
    }


def test_each_initialization_counts_anew(initialize, write_corpus):
    config = initialize().config.copy()
    config["paths"]["train"] = write_corpus(11)
    config["training"]["max_epochs"] = 5
    nlp = init_nlp(config)
    assert training_of(nlp) == (6, 6, 0)
    train(nlp)
    schedule = warmup_linear(0.01, 8, 30)
    assert rates == [next(schedule) for _ in range(30)]


@pytest.mark.slow
@pytest.mark.parametrize("total", [2, 6, "${training.max_epochs}"])
def test_the_rate_may_fall_over_another_number_of_epochs(initialize, total):
    train(initialize(5, {"training.optimizer.learn_rate.total_epochs": total}))
    schedule = warmup_linear(0.01, 4, {2: 6, 6: 18}.get(total, 12))
    assert rates == [next(schedule) for _ in range(12)]


def test_a_trained_pipeline_can_resume_in_python(initialize, tmp_path):
    """spaCy makes this optimizer from [training.optimizer] alone, without interpolation."""
    initialize().to_disk(tmp_path)
    optimizer = spacy.load(tmp_path).resume_training()
    for _ in range(4):
        optimizer.step_schedules()
    assert rates == [0.0, 0.0025, 0.005, 0.0075]


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings, expected",
    [
        ({}, (6, 6, 0)),
        ({"evaluate_every": 0.5, "patience": 2}, (6, 3, 12)),
        ({"evaluate_every": 2, "patience": 0.7}, (6, 12, 4)),
        ({"evaluate_every": 0.01, "patience": 0.01}, (6, 1, 1)),
    ],
)
def test_evaluation_and_patience(initialize, settings, expected):
    after_init = {f"initialize.after_init.{key}": value for key, value in settings.items()}
    assert training_of(initialize(11, after_init)) == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    "overrides",
    [
        {"training.accumulate_gradient": 2},
        {"training.seed": None},
        {"training.max_epochs": 0, "training.optimizer.learn_rate.total_epochs": 3},
        {"training.max_steps": 4},
    ],
)
def test_what_leaves_the_count_alone(initialize, overrides):
    assert training_of(initialize(11, overrides)) == (6, 6, 0)


def test_accumulated_gradients_are_one_step(initialize):
    train(initialize(5, {"training.accumulate_gradient": 2}))
    assert len(rates) == 12


@pytest.mark.slow
def test_batches_by_length_are_those_of_a_shuffled_corpus(initialize):
    """Sorted by length, the corpus would make batches of its own."""
    config = initialize(60).config.copy()
    config["training"]["max_epochs"] = 8
    config["training"]["batcher"] = {**PADDED, "size": 12, "buffer": 5}
    counts = []
    for seed in (0, 1):
        rates.clear()
        config["training"]["seed"] = seed
        nlp = init_nlp(config)
        train(nlp)
        counts.append(training_of(nlp)[0])
        assert len(rates) / 8 == pytest.approx(counts[-1], rel=0.05)
    assert counts[0] == counts[1]


def test_every_schedule_of_the_training_is_told(initialize):
    schedule = {
        "@schedules": "spacy-jere.warmup_linear.v1",
        "initial_rate": 0.1,
        "warmup_epochs": 0,
        "total_epochs": 4,
    }
    nlp = initialize()
    nlp.config["training"]["dropout"] = schedule
    nlp.config["training"]["batcher"]["size"] = {"@schedules": "constant.v1", "rate": 2}
    create_epochs_to_steps_v1()(nlp)
    assert nlp.config["training"]["dropout"]["steps_per_epoch"] == 3
    assert "steps_per_epoch" not in nlp.config["training"]["batcher"]["size"]


def test_a_pipeline_without_a_corpus_is_left_alone(initialize):
    nlp = initialize()
    nlp.config["paths"]["train"] = None
    before = nlp.config.copy()
    nlp.initialize()
    assert nlp.config == before


def test_a_stream_has_no_epochs(initialize):
    with pytest.raises(ValueError, match=r"E433.*max_epochs"):
        initialize(5, {"training.max_epochs": -1})


def test_training_without_an_end_needs_a_number_of_epochs(initialize):
    nlp = initialize(5, {"training.max_epochs": 0})
    with pytest.raises(ValueError, match=r"E431.*total_epochs"):
        train(nlp)


def test_a_corpus_that_gives_no_batches(initialize):
    nlp = initialize()
    nlp.config["training"]["batcher"] = {**PADDED, "size": 1, "discard_oversize": True}
    with pytest.raises(ValueError, match="E986"):
        create_epochs_to_steps_v1()(nlp)


@pytest.mark.parametrize(
    "settings", [{"evaluate_every": 0}, {"evaluate_every": -1}, {"patience": 0}]
)
def test_settings_that_make_no_sense(settings):
    with pytest.raises(ValueError, match=r"E405.*larger than 0"):
        create_epochs_to_steps_v1(**settings)


@pytest.mark.parametrize(
    "name, frozen, ready",
    [("tagger", ["tagger"], True), ("tagger", [], False), ("transformer", ["tagger"], False)],
)
def test_only_frozen_components_are_initialized(name, frozen, ready):
    config = Config().from_str(CONFIG, interpolate=False)
    config["training"]["frozen_components"] = frozen
    nlp = spacy.util.load_model_from_config(config, auto_fill=True)
    nlp.get_pipe("tagger").add_label("X")
    assert create_initialize_frozen_v1(name)(nlp) is nlp
    assert bool(nlp.get_pipe("tagger").model.has_dim("nO")) is ready
