"""What several tests share: a tiny annotated corpus, pipelines with tiny models, a tiny BERT made
on the spot."""

import copy
import os
from pathlib import Path

import numpy
import pytest
import spacy
import torch
from spacy.tokens import Doc, Span
from spacy.training import Example
from thinc.api import Config

import spacy_jere  # (registers doc._.relations)

# The models are tiny: threads would only wait for each other, here and in the processes that tests
# start.
torch.set_num_threads(1)
os.environ["OMP_NUM_THREADS"] = "1"

CONFIGS = Path(__file__).parent.parent / "configs"

# Words; entities as first token, end, label; relations as head, tail (indices into the entities),
# label.
TRAIN = [
    ("Ada lives in New Oslo .", [(0, 1, "PER"), (3, 5, "LOC")], [(0, 1, "LIVES_IN")]),
    ("Rome is the home of Bo .", [(0, 1, "LOC"), (5, 6, "PER")], [(1, 0, "LIVES_IN")]),
    (
        "Cy works for Acme in Rome .",
        [(0, 1, "PER"), (3, 4, "ORG"), (5, 6, "LOC")],
        [(0, 1, "WORKS_FOR")],
    ),
    ("Dee met Bo at Acme .", [(0, 1, "PER"), (2, 3, "PER"), (4, 5, "ORG")], [(0, 1, "MET")]),
    ("Nothing happens here .", [], []),
]

TOKEN_FEATURES = {
    "@architectures": "spacy-jere.TokenFeatures.v1",
    "characters": 4,
    "contextual": {
        "@architectures": "spacy.HashEmbedCNN.v2",
        "pretrained_vectors": None,
        "width": 16,
        "depth": 1,
        "embed_size": 200,
        "window_size": 1,
        "maxout_pieces": 2,
        "subword_features": True,
    },
}
SMALL = {
    "ner_hidden": 12,
    "re_hidden": 12,
    "label_width": 4,
    "pair_dropout": 0.0,
    "birnn": {"@layers": "spacy-jere.TaskBiRNN.v1", "hidden": 12, "re_layers": 1, "dropout": 0.0},
}
# The other model families with settings that make them small.
SPERT = {
    "spans": {
        "@layers": "spacy-jere.SpanClassifier.v1",
        "max_span_width": 4,
        "width_embedding": 4,
        "dropout": 0.0,
        "classifier_hidden": 16,
    },
    "birnn": {
        "@layers": "spacy-jere.TaskBiRNN.v1",
        "hidden": 8,
        "ner_layers": 0,
        "re_layers": 0,
        "dropout": 0.0,
        "keep_tokens": True,
    },
}
SPERT_MT = {
    **SPERT,
    "entity_logits": True,
    "is_entity_weight": 1.0,
    "is_related_weight": 1.0,
    "iou_weight": 1.0,
    "hard_negatives": True,
}
FAMILIES = {"TaskSpecificBiRNN": SMALL, "SpERT": SPERT, "SpERTMT": SPERT_MT}


def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true", help="Run the slow tests too")


def pytest_collection_modifyitems(config, items):
    """Leave the slow tests out, unless --slow is given or a test is named."""
    if config.getoption("--slow") or any("::" in x for x in config.args):
        return
    slow = [x for x in items if x.get_closest_marker("slow") or x.get_closest_marker("corpora")]
    config.hook.pytest_deselected(items=slow)
    left_out = set(slow)
    items[:] = [x for x in items if x not in left_out]


def pytest_generate_tests(metafunc):
    """Tests with the mark each_family run with a model of every family."""
    marked = metafunc.definition.get_closest_marker("each_family")
    if marked and "family" in metafunc.fixturenames:
        metafunc.parametrize("family", list(FAMILIES), indirect=True, scope="session")


@pytest.fixture(scope="session")
def family(request):
    """The name of the model family."""
    return getattr(request, "param", "TaskSpecificBiRNN")


@pytest.fixture(scope="session")
def train_data():
    return TRAIN


@pytest.fixture(scope="session")
def annotate():
    """A Doc of words with entities and relations; None leaves either not annotated."""

    def _annotate(vocab, words, entities=None, relations=None, sent_starts=None):
        doc = Doc(vocab, words=words.split(), sent_starts=sent_starts)
        spans = [Span(doc, start, end, label) for start, end, label in entities or ()]
        if entities is not None:
            doc.set_ents(spans)
        if relations is not None:
            doc._.relations = [(spans[head], spans[tail], label) for head, tail, label in relations]
        return doc

    return _annotate


@pytest.fixture(scope="session")
def make_examples(annotate):
    """Examples of a pipeline; the predicted Docs have words only."""

    def _make_examples(nlp, data=TRAIN):
        golds = [annotate(nlp.vocab, *item) for item in data]
        return [Example(Doc(nlp.vocab, words=[x.text for x in gold]), gold) for gold in golds]

    return _make_examples


@pytest.fixture(scope="session")
def model_config(family):
    """The config of a tiny model; arguments change its settings, those of its parts one by one."""

    def _model_config(tok2vec=TOKEN_FEATURES, **settings):
        config = {"@architectures": f"spacy-jere.{family}.v1", "tok2vec": tok2vec}
        config.update(copy.deepcopy(FAMILIES[family]))
        for name, value in settings.items():
            is_part = isinstance(value, dict) and name in config
            config[name] = {**config[name], **value} if is_part else value
        return copy.deepcopy(config)

    return _model_config


@pytest.fixture(scope="session")
def make_nlp(model_config, make_examples):
    """A blank pipeline with the component: (nlp, examples), initialized unless `initialize` is
    false."""

    def _make_nlp(data=TRAIN, initialize=True, model=None, **config):
        spacy.util.fix_random_seed(0)
        nlp = spacy.blank("en")
        nlp.add_pipe("joint_ner_re", config={"model": model or model_config(), **config})
        examples = make_examples(nlp, data)
        if initialize:
            nlp.initialize(lambda: examples)
        return nlp, examples

    return _make_nlp


@pytest.fixture(scope="session")
def overfit():
    """Train until the data is known by heart."""

    def _overfit(nlp, examples, steps=80, rate=0.01):
        optimizer = nlp.resume_training()
        optimizer.learn_rate = rate
        for _ in range(steps):
            losses = nlp.update(examples, sgd=optimizer)
        return losses

    return _overfit


@pytest.fixture(scope="session")
def trained(make_nlp, overfit):
    """(nlp, examples), overfitted. Shared: don't change it."""
    nlp, examples = make_nlp()
    overfit(nlp, examples)
    return nlp, examples


@pytest.fixture
def trained_copy(trained):
    """A copy of the overfitted pipeline that a test may change."""
    nlp = trained[0]
    return spacy.blank("en").from_config(nlp.config).from_bytes(nlp.to_bytes())


@pytest.fixture(scope="session")
def found():
    """What a pipeline wrote on a Doc, scores rounded: easy to compare."""

    def _found(doc, digits=4):
        relations = [
            (x.head.start, x.head.end, x.tail.start, x.tail.end, x.label_, round(x.score, digits))
            for x in doc._.relations
        ]
        scored = spacy_jere.scored_entities(doc)
        spans = [
            (x.start, x.end, x.label_, score if score is None else round(score, digits))
            for x, score in scored
        ]
        return [(x.start, x.end, x.label_) for x in doc.ents], spans, relations

    return _found


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory):
    """The folder of a random BERT with its tokenizer."""
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("spacy_transformers")
    folder = tmp_path_factory.mktemp("tiny_bert")
    letters = [chr(i) for i in range(33, 127)]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "in", *letters]
    pieces += [f"##{x}" for x in letters] + ["##me", "Ro", "Os", "##lo"]
    (folder / "vocab.txt").write_text("\n".join(pieces), encoding="utf8")
    tokenizer = transformers.BertTokenizerFast(str(folder / "vocab.txt"), do_lower_case=False)
    tokenizer.save_pretrained(folder)
    spacy.util.fix_random_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(pieces),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=256,
    )
    transformers.BertModel(config).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session")
def transformer_config(tiny_bert):
    """The config of a transformer component with the tiny BERT."""
    return {
        "model": {
            "@architectures": "spacy-transformers.TransformerModel.v3",
            "name": tiny_bert,
            "tokenizer_config": {"use_fast": True},
            "transformer_config": {"output_hidden_states": True},
            "mixed_precision": False,
            "get_spans": {
                "@span_getters": "spacy-transformers.strided_spans.v1",
                "window": 32,
                "stride": 24,
            },
        }
    }


@pytest.fixture(scope="session")
def tiny_vectors(tmp_path_factory):
    """The folder of a pipeline with a few word vectors."""
    folder = tmp_path_factory.mktemp("tiny_vectors")
    nlp = spacy.blank("en")
    rng = numpy.random.default_rng(0)
    for word in ("ada", "rome", "Oslo", "works", "lives"):
        nlp.vocab.set_vector(word, rng.normal(size=8).astype("f"))
    nlp.to_disk(folder)
    return str(folder)


@pytest.fixture(scope="session")
def load_config():
    """A config of configs/, such as "published/spert.cfg", with values set by their dotted paths.
    Not interpolated."""

    def _load_config(name, overrides):
        return spacy.util.load_config(CONFIGS / name, overrides=overrides, interpolate=False)

    return _load_config


@pytest.fixture(scope="session")
def small_overrides(request):
    """What makes a config of configs/ small and free of downloads."""

    def _small_overrides(name):
        config = Config().from_disk(CONFIGS / name, interpolate=False)
        settings = {"system.gpu_allocator": None}
        if "transformer" in config["nlp"]["pipeline"]:
            settings["paths.encoder"] = request.getfixturevalue("tiny_bert")
        if config["paths"].get("vectors"):
            settings["paths.vectors"] = request.getfixturevalue("tiny_vectors")
        model = config["components"]["joint_ner_re"]["model"]
        path = "components.joint_ner_re.model"
        if "TaskSpecificBiRNN" in model["@architectures"]:
            settings.update({f"{path}.{x}": SMALL[x] for x in SMALL if x != "birnn"})
        if "birnn" in model:
            settings.update({f"{path}.birnn.hidden": 12, f"{path}.birnn.dropout": 0.0})
        if "spans" in model:
            settings.update({f"{path}.spans.{x}": 4 for x in ("max_span_width", "width_embedding")})
        if "TokenFeatures" in model["tok2vec"]["@architectures"]:
            settings[f"{path}.tok2vec.characters"] = 4
        if "layers" in model["tok2vec"].get("contextual", {}):  # the tiny transformer has few
            settings[f"{path}.tok2vec.contextual.layers"] = [-3, -2, -1]
        return settings

    return _small_overrides
