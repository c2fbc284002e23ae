import numpy
import pytest
import spacy
from spacy.cli._util import app
from typer.testing import CliRunner

from spacy_jere.cli.make_vectors import read_words
from spacy_jere.vectors.compact import read_compact


@pytest.fixture
def make(tiny_bert, tmp_path, monkeypatch):
    """Run the command in a folder of its own, with few dimensions."""
    monkeypatch.chdir(tmp_path)

    def _make(*arguments, source=tiny_bert):
        standard = ["--layers", "0,2", "--dimensions", "5"]
        return CliRunner().invoke(app, ["jere", "make-vectors", source, *standard, *arguments])

    return _make


def test_makes_a_small_file_and_a_pipeline_of_it(make, tmp_path):
    result = make("small.npz")
    assert result.exit_code == 0, result.output
    assert "5 dimensions" in result.output
    found = read_compact(tmp_path / "small.npz")
    assert found.table.shape == (len(found.words), 5)
    assert found.about["layers"] == [0, 2]
    assert make("vectors", source="small.npz").exit_code == 0
    nlp = spacy.load(tmp_path / "vectors")
    numpy.testing.assert_allclose(nlp.vocab["Ro"].vector, found.table[found.words.index("Ro")],
                                  atol=1e-6)  # fmt: skip


def test_reads_words_of_a_file(make, tmp_path):
    words = ["Rome", "Oslo", "the", "in", "x", "y", "z"]
    (tmp_path / "words.txt").write_text("\n".join([*words, "", "Rome "]))
    assert make("made/small.npz", "--words", "words.txt").exit_code == 0
    assert read_compact(tmp_path / "made" / "small.npz").words == words
    assert read_words(tmp_path / "words.txt") == words


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["x.npz", "--layers", "0,9"], "between 0 and 2"),
        (["x.npz", "--layers", "all"], "numbers separated by commas"),
        (["x.npz", "--dimensions", "500"], "E438"),
        (["x.npz", "--words", "empty.txt"], "E438"),
        (["x.npz", "--words", "none.txt"], "none.txt"),
        (["empty.txt"], "E383"),
        (["here"], "E381"),
    ],
)
def test_says_what_is_wrong_and_writes_nothing(make, arguments, said, tmp_path):
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "mine.txt").write_text("")
    before = sorted(tmp_path.rglob("*"))
    result = make(*arguments)
    assert result.exit_code == 1
    assert said in result.output and "Traceback" not in result.output
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("source", ["no/such/folder", "none.npz"])
def test_source_that_is_not_there(make, source):
    result = make("x.npz", source=source)
    assert result.exit_code == 1 and source in result.output
