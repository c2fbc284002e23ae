"""Joint models that listen to a component of spaCy, spacy-transformers or
spacy-curated-transformers: trained, frozen, sourced, and with the component missing."""

import warnings

import numpy
import pytest
import spacy
from spacy.tokens import DocBin
from spacy.training import Example
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from thinc.api import Adam, Config

UPSTREAMS = ["tok2vec", "transformer", "curated"]
TEXTS = ["Ada lives in Rome .", "", "Bo works for Acme in New Oslo ."]
MEAN = {"@layers": "reduce_mean.v1"}
LISTENERS = {
    "tok2vec": {"@architectures": "spacy.Tok2VecListener.v1", "width": 16},
    "transformer": {"@architectures": "spacy-jere.TransformerListener.v1", "pooling": MEAN},
    "curated": {
        "@architectures": "spacy-curated-transformers.LastTransformerLayerListener.v1",
        "width": 16,
        "pooling": MEAN,
    },
    "all layers": {
        "@architectures": "spacy-curated-transformers.ScalarWeightingListener.v1",
        "width": 16,
        "pooling": MEAN,
        "weighting": {
            "@architectures": "spacy-curated-transformers.ScalarWeight.v1",
            "num_layers": 2,
        },
    },
}


def few(*kinds):
    """The transformer; the others are slow together."""
    return [x if x == "transformer" else pytest.param(x, marks=pytest.mark.slow) for x in kinds]


@pytest.fixture(scope="module")
def byte_pieces(tmp_path_factory):
    """A vocabulary and merges, as RoBERTa has them."""
    tokenizers = pytest.importorskip("tokenizers")
    folder = tmp_path_factory.mktemp("byte_pieces")
    backend = tokenizers.Tokenizer(tokenizers.models.BPE())
    backend.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=300,
        show_progress=False,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>"],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
    )
    backend.train_from_iterator(TEXTS * 5, trainer)
    backend.model.save(str(folder))
    return folder


def add_curated(nlp, byte_pieces, all_layers):
    """A tiny RoBERTa, as that of en_core_web_trf is built."""
    pytest.importorskip("spacy_curated_transformers")
    name = "spacy-curated-transformers"
    model = {
        "@architectures": f"{name}.RobertaTransformer.v1",
        "vocab_size": 300,
        "hidden_width": 16,
        "intermediate_width": 24,
        "num_attention_heads": 2,
        "num_hidden_layers": 2,
        "max_position_embeddings": 64,
        "model_max_length": 60,
        "piece_encoder": {"@architectures": f"{name}.ByteBpeEncoder.v1"},
        "with_spans": {
            "@architectures": f"{name}.WithStridedSpans.v1",
            "stride": 12,
            "window": 16,
        },
    }
    nlp.add_pipe(
        "curated_transformer",
        name="transformer",
        config={"model": model, "all_layer_outputs": all_layers},
    )
    nlp.config["initialize"]["components"]["transformer"] = {
        "piecer_loader": {
            "@model_loaders": f"{name}.ByteBpeLoader.v1",
            "vocab_path": str(byte_pieces / "vocab.json"),
            "merges_path": str(byte_pieces / "merges.txt"),
        }
    }


@pytest.fixture
def make_upstream(byte_pieces, request):
    """A pipeline with the component alone, initialized; and its name."""

    def _make_upstream(kind):
        spacy.util.fix_random_seed(0)
        nlp = spacy.blank("en")
        if kind == "tok2vec":
            model = {"@architectures": "spacy.HashEmbedCNN.v2", "pretrained_vectors": None}
            sizes = {"width": 16, "depth": 1, "embed_size": 200, "window_size": 1}
            more = {"maxout_pieces": 2, "subword_features": True}
            nlp.add_pipe("tok2vec", config={"model": {**model, **sizes, **more}})
        elif kind == "transformer":
            pytest.importorskip("spacy_transformers")
            model = {
                "@architectures": "spacy-jere.TransformerModel.v1",
                "name": request.getfixturevalue("tiny_bert"),
                "get_spans": {"@span_getters": "spacy-jere.window_spans.v1"},
            }
            nlp.add_pipe("transformer", config={"model": model})
        else:
            add_curated(nlp, byte_pieces, kind == "all layers")
        doc = nlp.make_doc(TEXTS[0])
        nlp.initialize(lambda: [Example(doc, doc)])
        return nlp, nlp.pipe_names[0]

    return _make_upstream


@pytest.fixture
def make_joint(make_upstream, model_config, make_examples):
    """(nlp, examples, name of the upstream component) with a joint component that listens."""

    def _make_joint(kind, source=None, **listener):
        base, upstream = make_upstream(kind)
        nlp = spacy.blank("en")
        nlp.add_pipe(upstream, source=base)
        tok2vec = {**LISTENERS[kind], **listener}
        joint = nlp.add_pipe("joint_ner_re", config={"model": model_config(tok2vec=tok2vec)})
        examples = make_examples(nlp)
        nlp.get_pipe(upstream).find_listeners(joint) if kind == "transformer" else None
        joint.initialize(lambda: examples, nlp=nlp)
        nlp._link_components()
        return nlp, examples, upstream

    return _make_joint


def weights_of(nlp, name):
    model, found = nlp.get_pipe(name).model, []
    for node in model.walk():
        found += [node.get_param(x).copy() for x in node.param_names if node.has_param(x)]
        for shim in node.shims:
            found += [x.detach().numpy().copy() for x in shim._model.parameters()]
    return found


def same(one, other):
    return all(numpy.array_equal(x, y) for x, y in zip(one, other, strict=True))


@pytest.mark.parametrize("kind", few(*UPSTREAMS, "all layers"))
def test_trained_together(make_joint, kind, found, tmp_path):
    nlp, examples, upstream = make_joint(kind)
    before, optimizer, losses = weights_of(nlp, upstream), Adam(0.01), []
    for _ in range(15):
        losses.append(nlp.update(examples, sgd=optimizer)["joint_ner_re"])
    assert losses[-1] < 0.8 * losses[0]
    assert not same(before, weights_of(nlp, upstream))
    expected = [found(doc) for doc in nlp.pipe(TEXTS)]
    nlp.to_disk(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        again = spacy.load(tmp_path)
    assert [found(doc) for doc in again.pipe(TEXTS)] == expected


@pytest.mark.parametrize("kind", few(*UPSTREAMS, "all layers"))
def test_sourced_and_frozen(make_joint, kind):
    """As `frozen_components` and `annotating_components` of [training] have it."""
    nlp, examples, upstream = make_joint(kind)
    before, optimizer, losses = weights_of(nlp, upstream), Adam(0.01), []
    for _ in range(15):
        for example in examples:
            example.predicted = nlp.get_pipe(upstream)(example.predicted)
        found = nlp.update(examples, sgd=optimizer, exclude=[upstream])
        losses.append(found["joint_ner_re"])
    assert losses[-1] < 0.8 * losses[0]
    assert same(before, weights_of(nlp, upstream))


@pytest.mark.parametrize("kind", few(*UPSTREAMS))
def test_frozen_and_trained_read_the_same(make_joint, kind):
    """The loss of one batch does not depend on the way in which the vectors come."""
    nlp, examples, upstream = make_joint(kind)
    model = nlp.get_pipe(upstream).model
    for shim in (x for node in model.walk() for x in node.shims):
        for module in shim._model.modules():
            if type(module).__name__ == "Dropout":
                module.p = 0.0
    losses = []
    for frozen in (False, True):
        spacy.util.fix_random_seed(1)
        for example in examples:
            if frozen:
                example.predicted = nlp.get_pipe(upstream)(example.predicted)
        exclude = [upstream] if frozen else []
        losses.append(nlp.update(examples, sgd=False, exclude=exclude)["joint_ner_re"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


TRAINING = """
[nlp]
lang = "en"
pipeline = ["{upstream}", "joint_ner_re"]

[components]

[components.{upstream}]
source = "{source}"

[components.joint_ner_re]
factory = "joint_ner_re"

[corpora]

[corpora.train]
@readers = "spacy-jere.Corpus.v1"
path = "{data}"

[corpora.dev]
@readers = "spacy-jere.Corpus.v1"
path = "{data}"

[training]
seed = 0
gpu_allocator = null
max_steps = 60
eval_frequency = 30
dropout = 0.0
frozen_components = {frozen}
annotating_components = {frozen}

[training.optimizer]
@optimizers = "Adam.v1"
learn_rate = 0.01
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", UPSTREAMS)
@pytest.mark.parametrize("is_frozen", [True, False])
def test_sourced_in_a_config(make_upstream, make_examples, model_config, kind, is_frozen, tmp_path):
    """As docs/token_vectors.md tells it for en_core_web_trf."""
    base, upstream = make_upstream(kind)
    base.to_disk(tmp_path / "base")
    golds = [example.reference for example in make_examples(base)]
    DocBin(docs=golds, store_user_data=True).to_disk(tmp_path / "train.spacy")
    text = TRAINING.format(
        upstream=upstream,
        source=tmp_path / "base",
        data=tmp_path / "train.spacy",
        frozen=f'["{upstream}"]' if is_frozen else "[]",
    )
    config = Config().from_str(text)
    config["components"]["joint_ner_re"]["model"] = model_config(LISTENERS[kind])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nlp = init_nlp(config)
        (tmp_path / "out").mkdir()
        train(nlp, tmp_path / "out")
        best = spacy.load(tmp_path / "out" / "model-best")
    assert best.meta["performance"]["joint_f"] > 0.3
    before, after = weights_of(base, upstream), weights_of(best, upstream)
    assert same(before, after) is is_frozen


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["tok2vec", "curated"])
def test_replaced_listeners(make_joint, kind, found):
    """The model has its own copy then, and needs no upstream component."""
    nlp, examples, upstream = make_joint(kind)
    optimizer = Adam(0.01)
    for _ in range(15):
        nlp.update(examples, sgd=optimizer)
    expected = [found(doc) for doc in nlp.pipe(TEXTS)]
    nlp.replace_listeners(upstream, "joint_ner_re", ["model.tok2vec"])
    nlp.remove_pipe(upstream)
    assert [found(doc) for doc in nlp.pipe(TEXTS)] == expected
    assert nlp.update(examples, sgd=False)["joint_ner_re"] > 0


# Without it


@pytest.mark.parametrize("kind", UPSTREAMS)
@pytest.mark.parametrize("named", [False, True])
def test_disabled_in_use(make_joint, kind, named):
    nlp, _, upstream = make_joint(kind, **({"upstream": "*"} if not named else {}))
    match = rf"E456.*'{upstream}'.*Ada lives in Rome"
    with nlp.select_pipes(disable=[upstream]), pytest.raises(ValueError, match=match):
        nlp(TEXTS[0])
    with pytest.raises(ValueError, match=match):
        list(nlp.pipe(TEXTS, disable=[upstream]))
    with pytest.raises(ValueError, match=match):
        nlp.get_pipe("joint_ner_re").predict([nlp.make_doc(TEXTS[0])])
    assert nlp(TEXTS[0])._.relations is not None


@pytest.mark.parametrize("kind", few(*UPSTREAMS))
def test_excluded_when_loaded(make_joint, kind, tmp_path):
    nlp, _, upstream = make_joint(kind)
    nlp.to_disk(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for left_out in ({"exclude": [upstream]}, {"disable": [upstream]}):
            again = spacy.load(tmp_path, **left_out)
            with pytest.raises(ValueError, match=rf"E456.*'{upstream}'"):
                again(TEXTS[0])
            assert not again("").ents


@pytest.mark.parametrize("kind", UPSTREAMS)
def test_forgotten_when_sourced(make_joint, make_examples, kind):
    nlp, _, upstream = make_joint(kind)
    other = spacy.blank("en")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other.add_pipe("joint_ner_re", source=nlp)
    with pytest.raises(ValueError, match=rf"E456.*'{upstream}'"):
        other(TEXTS[0])
    with pytest.raises(ValueError, match=rf"E456.*'{upstream}'"):
        other.update(make_examples(other), sgd=False)


@pytest.mark.parametrize("kind", UPSTREAMS)
def test_disabled_in_training(make_joint, make_examples, kind):
    nlp, examples, upstream = make_joint(kind)
    for _ in range(2):
        with pytest.raises(ValueError, match=rf"E456.*'{upstream}'.*annotating_components"):
            nlp.update(make_examples(nlp), sgd=False, exclude=[upstream])
        nlp.update(examples[:3], sgd=False)  # what a listener got before is of no use


@pytest.mark.parametrize("kind", few(*UPSTREAMS))
def test_annotating_in_training(make_joint, kind):
    """spaCy lets components annotate right after their own update."""
    nlp, examples, upstream = make_joint(kind)
    with pytest.raises(ValueError, match=rf"E456.*'{upstream}'.*joint component is named"):
        nlp.update(examples, sgd=False, annotates=["joint_ner_re"])
    losses = nlp.update(examples, sgd=False, annotates=[upstream, "joint_ner_re"])
    assert losses["joint_ner_re"] > 0


@pytest.mark.parametrize("upstream", ["*", "encoder"])
def test_not_there_at_initialization(model_config, make_examples, upstream):
    pytest.importorskip("spacy_transformers")
    nlp = spacy.blank("en")
    tok2vec = {**LISTENERS["transformer"], "upstream": upstream}
    nlp.add_pipe("joint_ner_re", config={"model": model_config(tok2vec=tok2vec)})
    wanted = "transformer" if upstream == "*" else upstream
    with pytest.raises(ValueError, match=rf"E455.*'{wanted}'.*before"):
        nlp.initialize(lambda: make_examples(nlp))


def test_of_another_library(make_upstream, make_joint):
    """The transformers of two libraries leave different things on the Doc."""
    curated, _ = make_upstream("curated")
    nlp, _, upstream = make_joint("transformer")
    nlp.remove_pipe(upstream)
    nlp.add_pipe("transformer", source=curated, first=True)
    with pytest.raises(ValueError, match="E456"):
        nlp(TEXTS[0])
