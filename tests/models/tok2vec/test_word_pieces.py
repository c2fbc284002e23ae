"""Tokenizers that have a sign for the space, each in its own way."""

import pytest
import spacy
from spacy.tokens import Doc

pytest.importorskip("spacy_transformers")

import tokenizers
import transformers
from tokenizers import models, normalizers, pre_tokenizers

from spacy_jere.models.tok2vec.word_pieces import Splitter

ALPHABET = "abcdefghijklmnopqrstuvwxyz.▁ĠĊ"
SPLIT = pre_tokenizers.WhitespaceSplit()


def metaspace(scheme):
    return pre_tokenizers.Sequence([SPLIT, pre_tokenizers.Metaspace(prepend_scheme=scheme)])


def replaced(*more):
    return normalizers.Sequence([*more, normalizers.Replace(" ", "▁")])


# Normalizer, pre-tokenizer, sign of a space, what stands before a text
KINDS = {
    "words": (None, pre_tokenizers.Whitespace(), "", ""),
    "bytes": (None, pre_tokenizers.ByteLevel(add_prefix_space=False), " ", ""),
    "bytes with a prefix": (None, pre_tokenizers.ByteLevel(add_prefix_space=True), " ", " "),
    "always": (normalizers.Strip(), metaspace("always"), "▁", "▁"),
    "first": (None, pre_tokenizers.Metaspace(prepend_scheme="first"), "▁", "▁"),
    "never": (None, pre_tokenizers.Metaspace(prepend_scheme="never"), "▁", ""),
    "prepended": (replaced(normalizers.Prepend("▁")), None, "▁", "▁"),
    "replaced": (replaced(), pre_tokenizers.Split("▁", "merged_with_next"), "▁", ""),
}


@pytest.fixture
def make_splitter():
    def _make_splitter(kind, **special):
        normalizer, pre_tokenizer, _, _ = KINDS[kind]
        backend = tokenizers.Tokenizer(
            models.BPE({x: i for i, x in enumerate([*ALPHABET, "?"])}, [], unk_token="?")
        )
        if normalizer is not None:
            backend.normalizer = normalizer
        if pre_tokenizer is not None:
            backend.pre_tokenizer = pre_tokenizer
        if kind.endswith("prefix"):
            special["add_prefix_space"] = True
        tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=backend, **special)
        return Splitter(tokenizer), tokenizer

    return _make_splitter


def said(splitter, doc):
    return ["".join(x.strings) for x in splitter.of_span(doc[:])]


@pytest.mark.parametrize("kind", KINDS)
def test_the_sign_of_a_space(make_splitter, kind):
    splitter, tokenizer = make_splitter(kind, unk_token="?")
    space, start = KINDS[kind][2:]
    assert (splitter.space, splitter.start) == (space, start)
    doc = Doc(spacy.blank("en").vocab, words=["ab", "cd", "."], spaces=[True, False, False])
    sign = {"": "", " ": "Ġ"}.get(space, space)
    first = sign if start else ""
    assert said(splitter, doc) == [f"{first}ab", f"{sign}cd", "."]
    assert said(splitter, doc[1:].as_doc()) == [f"{first}cd", "."]
    whole = tokenizer.backend_tokenizer.encode(doc.text, add_special_tokens=False).tokens
    assert "".join(said(splitter, doc)) == "".join(whole)


@pytest.mark.parametrize("kind", ["always", "prepended", "replaced", "words"])
def test_white_space_is_unknown_or_a_sign(make_splitter, kind):
    splitter, _ = make_splitter(kind, unk_token="?")
    vocab = spacy.blank("en").vocab
    doc = Doc(vocab, words=["ab", " ", "cd", "\n", "ef"], spaces=[True, False, False, False, False])
    found = said(splitter, doc)
    sign = splitter.space
    assert found[0::2] == [f"{splitter.start}ab", f"{sign}cd", f"{sign}ef"]
    assert all(x in ("?", "▁") for x in found[1::2])


@pytest.mark.parametrize(
    "special, expected",
    [
        ({"unk_token": "a", "pad_token": "b"}, "a"),
        ({"sep_token": "c", "pad_token": "b"}, "c"),
        ({"pad_token": "b"}, "b"),
        ({}, "a"),
    ],
)
def test_what_stands_for_a_token_without_pieces(make_splitter, special, expected):
    """Tokenizers need not have an unknown token."""
    splitter, _ = make_splitter("words", **special)
    assert splitter["\n"] == ([ALPHABET.index(expected)], [expected])
