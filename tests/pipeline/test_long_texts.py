"""`long_text_sentencizer`: divides long Docs without boundaries, and nothing else."""

import pickle

import pytest
import spacy
from spacy.tokens import Doc

NAME = "long_text_sentencizer"
TEXT = "Ada met Bo . Bo left . Cy stayed ."  # 10 tokens


def make_nlp(**config):
    nlp = spacy.blank("en")
    nlp.add_pipe(NAME, config=config)
    return nlp


def doc_of(nlp, words=TEXT, **settings):
    return Doc(nlp.vocab, words=words.split(), **settings)


def n_sentences(doc):
    """RETURNS: None without boundaries."""
    return len(list(doc.sents)) if doc.has_annotation("SENT_START") else None


@pytest.mark.parametrize("longer_than, n", [(0, 3), (9, 3), (10, None), (400, None)])
def test_divides_what_is_longer(longer_than, n):
    nlp = make_nlp(longer_than=longer_than)
    assert n_sentences(nlp(doc_of(nlp))) == n
    (doc,) = nlp.pipe([doc_of(nlp)])
    assert n_sentences(doc) == n
    assert n_sentences(nlp(Doc(nlp.vocab))) in (0, None)


@pytest.mark.parametrize("starts", [[True] + [False] * 9, [True] * 10, [True, False, *[None] * 8]])
def test_boundaries_that_are_set_stay(starts):
    nlp = make_nlp(longer_than=0)
    doc = doc_of(nlp, sent_starts=starts)
    before = [token.is_sent_start for token in doc]
    assert [token.is_sent_start for token in nlp(doc)] == before


def test_the_sentences_are_those_of_spacy():
    nlp, plain = make_nlp(longer_than=3), spacy.blank("en")
    plain.add_pipe("sentencizer")
    text = "Dr. Who left? “Yes.” (No.) 他来了。他走了。 ... End"
    assert [x.text for x in nlp(text).sents] == [x.text for x in plain(text).sents]


def test_own_characters():
    nlp = make_nlp(longer_than=0, punct_chars=["met"])
    assert n_sentences(nlp(doc_of(nlp))) == 2


def test_wrong_length():
    with pytest.raises(ValueError, match=r"E211.*longer_than must be a whole number"):
        make_nlp(longer_than=-1)


def test_is_saved_copied_and_loaded(tmp_path):
    nlp = make_nlp(longer_than=9, punct_chars=["."])
    nlp.to_disk(tmp_path)
    for pipe in (
        spacy.load(tmp_path).get_pipe(NAME),
        pickle.loads(pickle.dumps(nlp.get_pipe(NAME))),
    ):
        assert (pipe.longer_than, pipe.punct_chars, pipe.overwrite) == (9, {"."}, False)


def test_has_no_say_in_the_choice_of_the_best_pipeline():
    nlp = make_nlp()
    nlp.add_pipe("joint_ner_re")
    assert nlp.config["training"]["score_weights"]["joint_f"] == 1.0
    assert not [x for x in nlp.config["training"]["score_weights"] if x.startswith("sents")]
