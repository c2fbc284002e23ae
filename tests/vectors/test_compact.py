"""Vectors in a small file, and in a pipeline."""

import numpy
import pytest
import spacy
from spacy.tokens import Doc

from spacy_jere.vectors.compact import WordVectors, read_compact, write_compact
from spacy_jere.vectors.spacy_vectors import create_read_vectors_v1, pipeline_of

WORDS = ["Rome", "in", "😀", "naïve", "שלום", "a b"]


@pytest.fixture
def vectors():
    table = numpy.random.default_rng(0).normal(size=(len(WORDS), 5)).astype("f")
    return WordVectors(WORDS, table, {"name": "tiny", "layers": [0, 2]})


@pytest.fixture
def path(vectors, tmp_path):
    write_compact(tmp_path / "made" / "vectors.npz", vectors)
    return tmp_path / "made" / "vectors.npz"


def test_comes_back_rounded(vectors, path):
    found = read_compact(path)
    assert (found.words, found.about) == (vectors.words, vectors.about)
    largest = numpy.abs(vectors.table).max(0)
    assert (numpy.abs(found.table - vectors.table) <= largest / 254 + 1e-6).all()


def test_written_twice_is_the_same_again(path, tmp_path):
    write_compact(tmp_path / "again.npz", read_compact(path))
    numpy.testing.assert_array_equal(
        read_compact(tmp_path / "again.npz").table, read_compact(path).table
    )


def test_zeros_stay_zeros(tmp_path):
    write_compact(tmp_path / "x.npz", WordVectors(["a"], numpy.zeros((1, 3), dtype="f"), {}))
    assert not read_compact(tmp_path / "x.npz").table.any()


@pytest.mark.parametrize("fault", ["missing", "text", "cut", "pickled", "other", "words", "folder"])
def test_other_files_are_named(path, fault, tmp_path):
    if fault == "missing":
        path = tmp_path / "none.npz"
    elif fault == "text":
        path.write_text("Rome 0.1 0.2")
    elif fault == "cut":
        path.write_bytes(path.read_bytes()[:-40])
    elif fault == "pickled":
        numpy.savez(path, words=numpy.asarray([{}], dtype=object))
    elif fault == "other":
        numpy.savez(path, x=numpy.zeros(3))
    elif fault == "words":
        with numpy.load(path) as arrays:
            changed = {**arrays, "words": arrays["words"][:3]}
        numpy.savez(path, **changed)
    else:
        path = tmp_path
    with pytest.raises(ValueError, match="E439"):
        read_compact(path)


def test_gives_a_pipeline_its_vectors(path, tmp_path):
    nlp = create_read_vectors_v1(path)(spacy.blank("en"))
    doc = Doc(nlp.vocab, words=["Rome", "nowhere", "😀"])
    assert [x.has_vector for x in doc] == [True, False, True]
    numpy.testing.assert_allclose(doc[0].vector, read_compact(path).table[0], atol=1e-6)
    nlp.to_disk(tmp_path / "saved")
    assert spacy.load(tmp_path / "saved").vocab.vectors_length == 5


def test_gives_a_pipeline_the_vectors_of_another(path, vectors, tmp_path):
    pipeline_of(read_compact(path)).to_disk(tmp_path / "other")
    nlp = create_read_vectors_v1(str(tmp_path / "other"))(spacy.blank("en"))
    numpy.testing.assert_allclose(nlp.vocab["Rome"].vector, read_compact(path).table[0], atol=1e-6)


def test_no_path_leaves_the_pipeline_as_it_is():
    nlp = spacy.blank("en")
    assert create_read_vectors_v1(None)(nlp).vocab.vectors_length == 0


def test_pipeline_of_an_unknown_language(vectors):
    with pytest.raises(ValueError, match=r"E448.*qq"):
        pipeline_of(vectors, "qq")


@pytest.mark.slow
def test_pipeline_trains_with_them(path, make_examples, tmp_path):
    nlp = spacy.blank("en")
    features = {"@architectures": "spacy-jere.TokenFeatures.v1", "static_vectors": True}
    nlp.add_pipe("joint_ner_re", config={"model": {"tok2vec": features}})
    nlp.config["initialize"]["before_init"] = {
        "@callbacks": "spacy-jere.read_vectors.v1",
        "path": str(path),
    }
    examples = make_examples(nlp)
    optimizer = nlp.initialize(lambda: examples)
    nlp.update(examples, sgd=optimizer)
    nlp.to_disk(tmp_path / "saved")
    docs = [spacy.load(tmp_path / "saved")(x.text) for x in examples]
    assert [[y.label_ for y in x.ents] for x in docs] == [
        [y.label_ for y in nlp(x.text).ents] for x in examples
    ]
