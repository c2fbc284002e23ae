"""The parts of a token vector."""

import numpy
import pytest
import spacy
import torch
from spacy.tokens import Doc
from spacy.vocab import Vocab
from thinc.api import Adam

from spacy_jere.models.tok2vec.token_features import (
    CASINGS,
    _character_rows,
    build_token_features_v1,
    casing_class,
)

WORDS = ["Oslo", "rome", "42", "😀", "x" * 500, "\n", "שלום"]
VECTORS = {"oslo": [1.0, 2.0, 3.0], "Rome": [4.0, 5.0, 6.0], "rome": [7.0, 8.0, 9.0]}


def cnn(width=6):
    config = {"width": width, "depth": 1, "embed_size": 50, "window_size": 1, "maxout_pieces": 2}
    build = spacy.registry.get("architectures", "spacy.HashEmbedCNN.v2")
    return build(pretrained_vectors=None, subword_features=True, **config)


def vocab_with_vectors(width=3):
    vocab = spacy.blank("en").vocab
    for word, vector in VECTORS.items():
        vocab.set_vector(word, numpy.asarray(vector[:width], dtype="f"))
    return vocab


def one(vocab, *words):
    return Doc(vocab, words=words or WORDS)


@pytest.mark.parametrize(
    "word, casing",
    [
        ("1984", "all digits"),
        ("٣٤", "all digits"),
        ("12th", "all lower"),  # half is not most
        ("1990s", "mostly digits"),
        ("rome", "all lower"),
        ("a1b", "all lower"),
        ("NATO", "all upper"),
        ("B2B", "all upper"),
        ("Rome", "initial upper"),
        ("McRae", "initial upper"),
        ("iPhone7", "contains a digit"),
        ("iPhone", "other"),
        ("...", "other"),
        ("😀", "other"),
        ("\n", "other"),
        ("שלום", "other"),
        ("$5.", "contains a digit"),
    ],
)
def test_casing_table(word, casing):
    assert CASINGS[casing_class(word)] == casing


def test_casing_is_one_hot():
    model = build_token_features_v1(characters=None)
    vectors = model.predict([one(Vocab(), "Rome", "1984")])[0]
    assert model.get_dim("nO") == len(CASINGS) == vectors.shape[1]
    assert vectors.argmax(1).tolist() == [CASINGS.index("initial upper"), 0]
    assert vectors.sum(1).tolist() == [1.0, 1.0]


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings, width",
    [
        ({"characters": 4, "casing": False}, 8),
        ({"characters": None, "casing": True}, 7),
        ({"characters": None, "casing": False, "static_vectors": True}, 3),
        ({"characters": None, "casing": False, "contextual": 6}, 6),
        ({"characters": 4, "casing": True, "static_vectors": True, "contextual": 6}, 24),
    ],
)
def test_each_part_can_stand_alone_or_with_others(settings, width):
    if "contextual" in settings:
        settings = {**settings, "contextual": cnn(settings["contextual"])}
    vocab = vocab_with_vectors()
    docs = [one(vocab), one(vocab, "one"), Doc(vocab), one(vocab, "and", "three")]
    model = build_token_features_v1(**settings)
    model.initialize(X=docs)
    assert model.get_dim("nO") == width
    vectors, backprop = model.begin_update(docs)
    assert [x.shape for x in vectors] == [(7, width), (1, width), (0, width), (2, width)]
    assert all(x.dtype == "float32" and numpy.isfinite(x).all() for x in vectors)
    backprop(vectors)


def test_nothing_chosen():
    with pytest.raises(ValueError, match="E401"):
        build_token_features_v1(characters=None, casing=False)


def test_long_words_keep_both_ends():
    rows = _character_rows("a" * 30 + "m" * 100 + "z" * 30)
    assert rows.tolist() == [ord("a")] * 20 + [ord("z")] * 20
    assert _character_rows("a" * 39 + "b").tolist() == [ord("a")] * 39 + [ord("b")]


def test_rows_of_rare_characters_are_in_the_table():
    rows = _character_rows("é😀ש" + chr(0x10FFFF))
    assert rows[0] == ord("é")
    assert all(0x250 <= row < 0x350 for row in rows[1:])


def character_model(vocab, width=3):
    spacy.util.fix_random_seed(0)
    model = build_token_features_v1(characters=width, casing=False)
    model.initialize(X=[one(vocab)])
    return model


def torch_module(model):
    return next(shim for node in model.walk() for shim in node.shims)._model


def test_characters_equal_torch_on_each_word_alone():
    vocab = Vocab()
    model = character_model(vocab)
    module = torch_module(model)
    vectors = model.predict([one(vocab)])[0]
    for word, vector in zip(WORDS, vectors):
        embedded = module.embedding(torch.as_tensor(_character_rows(word)))
        _, last = module.birnn.layers[0](embedded)
        assert numpy.allclose(last.detach().flatten(), vector, atol=1e-6)


def test_vectors_do_not_depend_on_the_batch():
    vocab = vocab_with_vectors()
    docs = [one(vocab), one(vocab, "Rome"), Doc(vocab), one(vocab, "rome", "Rome", "42")]
    model = build_token_features_v1(characters=4, static_vectors=True)
    model.initialize(X=docs)
    for doc, vectors in zip(docs, model.predict(docs)):
        if len(doc):
            assert numpy.allclose(model.predict([doc])[0], vectors, atol=1e-6)


def test_gradient_of_characters_equals_finite_differences():
    vocab = Vocab()
    docs = [one(vocab, "ab", "b"), one(vocab, "ab", "Cab")]
    model = character_model(vocab)
    module = torch_module(model).double()
    rng = numpy.random.default_rng(0)
    weights = [rng.normal(size=(2, 6)), rng.normal(size=(2, 6))]

    def loss():
        return sum(float((w * x).sum()) for w, x in zip(weights, model.predict(docs)))

    model.begin_update(docs)[1](weights)
    for parameter in module.parameters():
        index = parameter.grad.abs().argmax()
        flat, step = parameter.data.view(-1), 1e-5
        flat[index] += step
        above = loss()
        flat[index] -= 2 * step
        below = loss()
        flat[index] += step
        assert parameter.grad.view(-1)[index].item() == pytest.approx(
            (above - below) / (2 * step), rel=1e-4
        )


@pytest.mark.slow
def test_training_changes_characters_and_contextual():
    vocab = Vocab()
    docs = [one(vocab), one(vocab, "a", "b")]
    spacy.util.fix_random_seed(0)
    model = build_token_features_v1(contextual=cnn(), characters=4)
    model.initialize(X=docs)
    optimizer = Adam(0.01)

    def step():
        """Learn to give zeros in the parts that have weights."""
        vectors, backprop = model.begin_update(docs)
        goal = [numpy.hstack([0 * x[:, :-7], x[:, -7:]]) for x in vectors]
        backprop([x - y for x, y in zip(vectors, goal)])
        model.finish_update(optimizer)
        flat = numpy.concatenate(vectors)
        return (flat[:, :6] ** 2).sum(), (flat[:, 6:-7] ** 2).sum()

    losses = [step() for _ in range(30)]
    assert losses[-1][0] < losses[0][0] / 2  # contextual
    assert losses[-1][1] < losses[0][1] / 2  # characters


def static_model(vocab, **settings):
    settings = {"static_vectors": True, "characters": None, "casing": False, **settings}
    model = build_token_features_v1(**settings)
    model.initialize(X=[one(vocab)])
    return model


@pytest.mark.slow
@pytest.mark.parametrize(
    "word, vector",
    [
        ("oslo", VECTORS["oslo"]),
        ("OSLO", VECTORS["oslo"]),
        ("Rome", VECTORS["Rome"]),
        ("ROME", VECTORS["rome"]),
        ("Paris", [0.0, 0.0, 0.0]),
    ],
)
def test_static_vectors_look_up_the_word_then_its_lower_case(word, vector):
    vocab = vocab_with_vectors()
    docs = [one(vocab, "Paris", word), Doc(vocab)]
    assert static_model(vocab).predict(docs)[0].tolist() == [[0.0, 0.0, 0.0], vector]


def test_normalized_vectors_have_one_length_and_zeros_stay_zeros():
    vocab = vocab_with_vectors()
    docs = [one(vocab, "Paris", "Rome", "oslo"), Doc(vocab)]
    (plain, _), (found, empty) = (
        static_model(vocab, normalize_vectors=x).predict(docs) for x in (False, True)
    )
    assert empty.shape == (0, 3) and not found[0].any()
    for before, after in zip(plain[1:], found[1:]):
        scale = 0.5 * 3**0.5 / numpy.linalg.norm(before)
        assert after.tolist() == pytest.approx([scale * x for x in before])


@pytest.mark.slow
@pytest.mark.parametrize("normalize", [False, True])
def test_looking_up_leaves_the_table_alone(normalize):
    vocab = vocab_with_vectors()
    before = vocab.vectors.data.copy()
    static_model(vocab, normalize_vectors=normalize).predict([one(vocab, "unknown", "oslo")])
    assert (vocab.vectors.data == before).all()


def test_no_vectors():
    with pytest.raises(ValueError, match="E400"):
        static_model(Vocab())


@pytest.mark.slow
@pytest.mark.parametrize("other", [Vocab(), vocab_with_vectors(width=2)])
def test_other_vectors_than_in_training(other):
    model = static_model(vocab_with_vectors())
    with pytest.raises(ValueError, match="E402"):
        model.predict([one(other)])
