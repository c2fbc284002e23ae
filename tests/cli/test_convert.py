import json
import re
import subprocess
import sys

import pytest
import spacy
from spacy.cli._util import app
from spacy.tokens import DocBin
from typer.testing import CliRunner

import spacy_jere.cli  # noqa: F401  (adds `jere` to spaCy's commands)

SPERT = json.dumps(
    [
        {
            "tokens": ["Ada", "lives", "in", "New", "Oslo", "."],
            "entities": [{"type": "PER", "start": 0, "end": 1}, {"type": "LOC", "start": 3, "end": 5}],
            "relations": [{"type": "LIVES_IN", "head": 0, "tail": 1}],
            "text": "Ada lives in New Oslo.",
        },
        {"tokens": ["Bo", "sleeps"], "entities": [{"type": "PER", "start": 0, "end": 1}]},
    ]
)  # fmt: skip
CONLL04 = "#doc 1\n0\tAda\tB-Peop\t['Live_In']\t[1]\n1\tRome\tB-Loc\t['N']\t[1]\n"


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "train.json").write_text(SPERT, encoding="utf8")
    (folder / "dev.txt").write_text(CONLL04, encoding="utf8")
    (folder / "README.md").write_text("not data", encoding="utf8")
    return folder


@pytest.fixture
def convert(tmp_path):
    def _convert(*args):
        out = tmp_path / "out"
        result = CliRunner().invoke(
            app, ["jere", "convert", *map(str, args[:1]), str(out), *args[1:]]
        )
        return result, {x.name: x for x in out.iterdir()} if out.exists() else None

    return _convert


def read(path):
    docs = list(DocBin().from_disk(path).get_docs(spacy.blank("en").vocab))
    return [
        (
            doc.text,
            [(x.text, x.label_) for x in doc.ents],
            doc._.relations and [repr(x) for x in doc._.relations],
        )
        for doc in docs
    ]


def table(output):
    """The numbers of the printed table by the first column."""
    rows = [re.split(r"\s{2,}", line.strip()) for line in output.splitlines()]
    return {row[0]: [int(x) for x in row[1:]] for row in rows if len(row) > 1 and row[1].isdigit()}


def test_file_becomes_a_corpus_with_relations(source, convert):
    result, files = convert(source / "train.json")
    assert result.exit_code == 0, result.output
    assert list(files) == ["train.spacy"]
    assert read(files["train.spacy"]) == [
        ("Ada lives in New Oslo.", [("Ada", "PER"), ("New Oslo", "LOC")], ["(Ada [PER])-LIVES_IN->(New Oslo [LOC])"]),
        ("Bo sleeps ", [("Bo", "PER")], None),
    ]  # fmt: skip
    assert table(result.output) == {
        "texts": [2],
        "tokens": [8],
        "entities": [3],
        "LOC": [1],
        "PER": [2],
        "relations": [1],
        "LIVES_IN": [1],
    }


def test_folder_becomes_a_corpus_for_each_file(source, convert):
    result, files = convert(source)
    assert result.exit_code == 0, result.output
    assert sorted(files) == ["dev.spacy", "train.spacy"]
    assert read(files["dev.spacy"]) == [
        ("Ada Rome ", [("Ada", "Peop"), ("Rome", "Loc")], ["(Ada [Peop])-Live_In->(Rome [Loc])"])
    ]
    assert len(read(files["train.spacy"])) == 2
    assert re.search(r"^\s*dev\s+train\s*$", result.output, re.MULTILINE)
    counts = table(result.output)
    assert (counts["texts"], counts["entities"], counts["relations"]) == ([1, 2], [2, 3], [1, 1])
    assert (counts["Peop"], counts["PER"]) == ([1, 0], [0, 2])


def test_big_numbers_are_easy_to_read(source, convert):
    (source / "train.json").write_text(json.dumps(json.loads(SPERT) * 500), encoding="utf8")
    assert re.search(r"tokens\s+4,000\b", convert(source / "train.json")[0].output)


@pytest.mark.parametrize(
    "broken, text, said",
    [
        ("train.json", SPERT[:-5], "train.json, line 1"),
        ("dev.txt", CONLL04 + "2\tOslo\n", "dev.txt, line 4"),
        ("test.json", "", "test.json"),
        ("train.txt", CONLL04, "train.spacy"),
    ],
)
def test_nothing_is_written_when_one_file_is_broken(source, convert, broken, text, said):
    (source / broken).write_text(text, encoding="utf8")
    result, files = convert(source)
    assert result.exit_code == 1
    assert files is None
    assert said in " ".join(result.output.split())


def test_folder_without_data(tmp_path, convert):
    (tmp_path / "source").mkdir()
    result, files = convert(tmp_path / "source")
    assert (result.exit_code, files) == (1, None)
    assert "E307" in result.output


@pytest.mark.parametrize("format, code", [("conll04", 0), ("spert", 1), ("brat", 1)])
def test_named_format_is_used(source, convert, format, code):
    result, files = convert(source / "dev.txt", "--format", format)
    assert result.exit_code == code
    assert (files is None) is (code == 1)


def test_missing_source_is_refused(tmp_path, convert):
    result, files = convert(tmp_path / "none.json")
    assert (result.exit_code, files) == (2, None)


def test_help_lists_the_commands():
    run = subprocess.run(
        [sys.executable, "-m", "spacy", "jere", "--help"], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    for command in ("convert", "debug-data", "evaluate", "export", "extract"):
        assert re.search(rf"^\W*{command}\s+\w+", run.stdout, re.MULTILINE)
