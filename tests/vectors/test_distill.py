"""Vectors of single words equal what the transformer itself says of them."""

import numpy
import pytest
import torch
from tokenizers.decoders import ByteLevel

from spacy_jere.vectors.distill import (
    load_encoder,
    reduced,
    vocabulary_words,
    word_vectors,
)

WORDS = ["the", "Rome", "Oslo", "x", "", "é", "a-very-long-word-with-many-pieces-indeed"]


@pytest.fixture(scope="module")
def encoder(tiny_bert):
    return load_encoder(tiny_bert)


@pytest.mark.parametrize("layers", [[0], [2, 0], [-1]])
def test_equals_a_plain_call_for_each_word(encoder, layers):
    table = word_vectors(encoder, WORDS, layers)
    assert table.shape == (len(WORDS), 16 * len(layers))
    for word, found in zip(WORDS, table):
        inputs = encoder.tokenizer(word or "[UNK]", return_tensors="pt")
        with torch.no_grad():
            states = encoder.transformer(**inputs).hidden_states
        last = min(inputs["input_ids"].shape[1] - 1, 25)
        if last == 25:
            continue  # longer words are cut
        wanted = torch.cat([states[i][0, 1:last].mean(0) for i in layers])
        numpy.testing.assert_allclose(found, wanted, atol=1e-5)


def test_batches_do_not_matter(encoder, monkeypatch):
    together = word_vectors(encoder, WORDS, [0, 2])
    monkeypatch.setattr("spacy_jere.vectors.distill._PIECES_AT_ONCE", 1)
    numpy.testing.assert_allclose(word_vectors(encoder, WORDS, [0, 2]), together, atol=1e-5)


def test_no_words(encoder):
    assert word_vectors(encoder, [], [0]).shape == (0, 16)


@pytest.mark.parametrize("layer", [3, -4])
def test_layer_that_is_not_there(encoder, layer):
    with pytest.raises(ValueError, match="layers must be between 0 and 2"):
        word_vectors(encoder, WORDS, [0, layer])


def test_whole_words_of_the_vocabulary(encoder):
    words = vocabulary_words(encoder)
    assert {"the", "in", "Ro", "Os", "!"} <= set(words)
    assert not any(x.startswith(("##", "[PAD", "[UNK", "[CLS")) for x in words)
    assert len(set(words)) == len(words)


class Marked:
    """A tokenizer that marks where a word begins."""

    all_special_tokens = ("<s>",)

    def __init__(self, mark):
        self.mark = mark

    def convert_tokens_to_string(self, pieces):
        return ByteLevel().decode(pieces)

    def get_vocab(self):
        pieces = ["<s>", f"{self.mark}Rome", "lo", f"{self.mark}", f"{self.mark}in", "!"]
        return {piece: i for i, piece in enumerate(pieces)}


def test_words_spelled_in_bytes_are_decoded(encoder):
    tokenizer = Marked("Ġ")
    tokenizer.get_vocab = lambda: {"ĠcafÃ©": 0, "ĠÃ": 1, "ĠRome": 2}
    assert vocabulary_words(encoder._replace(tokenizer=tokenizer)) == ["café", "Rome"]


@pytest.mark.parametrize("mark", ["Ġ", "▁"])
def test_whole_words_where_their_beginning_is_marked(encoder, mark):
    assert vocabulary_words(encoder._replace(tokenizer=Marked(mark))) == ["Rome", "in"]


# Fewer dimensions


@pytest.fixture
def table():
    """Twenty words in a plane of a space of six dimensions, with something in common."""
    rng = numpy.random.default_rng(0)
    plane = rng.normal(size=(20, 2)) @ rng.normal(size=(2, 6))
    return (plane + 7).astype("f")


def test_what_differs_is_kept(table):
    small = reduced(table, 2)
    centred = table - table.mean(0)
    cosines = centred @ centred.T
    lengths = numpy.sqrt(numpy.diag(cosines))
    numpy.testing.assert_allclose(small @ small.T / 0.5, cosines / lengths / lengths[:, None],
                                  atol=1e-3)  # fmt: skip


@pytest.mark.parametrize("n", [1, 2, 5])
def test_vectors_have_one_length(table, n):
    small = reduced(table + numpy.random.default_rng(1).normal(size=table.shape), n)
    assert small.shape == (20, n)
    numpy.testing.assert_allclose((small**2).mean(1) ** 0.5, 0.5, rtol=1e-4)


def test_strongest_components_can_be_left_out():
    rng = numpy.random.default_rng(0)
    table = rng.normal(size=(50, 4)) * [100, 10, 1, 0.1]
    both = reduced(table.astype("f"), 2, n_common=1)
    strongest = table[:, 0] - table[:, 0].mean()
    correlations = numpy.corrcoef(numpy.column_stack([strongest, both]), rowvar=False)[0, 1:]
    assert numpy.abs(correlations).max() < 0.3


@pytest.mark.parametrize("n, n_common", [(0, 0), (7, 0), (6, 1), (-1, 0)])
def test_dimensions_that_are_not_there(table, n, n_common):
    with pytest.raises(ValueError, match="E438"):
        reduced(table, n, n_common)
