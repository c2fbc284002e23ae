import json
import re
import shutil
import subprocess
import sys

import pytest
import spacy
from spacy.cli._util import app
from spacy.tokens import DocBin
from typer.testing import CliRunner

import spacy_jere.cli  # noqa: F401  (adds `jere` to spaCy's commands)
from spacy_jere.export import WRITERS

SPERT = json.dumps(
    [
        {
            "tokens": ["Ada", "lives", "in", "New", "Oslo", "."],
            "entities": [{"type": "PER", "start": 0, "end": 1},
                         {"type": "LOC", "start": 3, "end": 5}],
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


@pytest.mark.slow
def test_file_becomes_a_corpus_with_relations(source, convert):
    result, files = convert(source / "train.json")
    assert result.exit_code == 0, result.output
    assert list(files) == ["train.spacy"]
    assert read(files["train.spacy"]) == [
        ("Ada lives in New Oslo.", [("Ada", "PER"), ("New Oslo", "LOC")],
         ["(Ada [PER])-LIVES_IN->(New Oslo [LOC])"]),
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


@pytest.mark.slow
def test_prose_beside_the_data_is_left_out_and_named(source, convert):
    (source / "README.txt").write_text("Two corpora, and how they were made.", encoding="utf8")
    result, files = convert(source)
    assert result.exit_code == 0, result.output
    assert sorted(files) == ["dev.spacy", "train.spacy"]
    assert "README.txt left out: it looks like none of the formats" in flat(result.output)
    assert convert(source / "README.txt")[0].exit_code == 1
    assert convert(source, "--format", "conll04")[0].exit_code == 1


@pytest.mark.slow
def test_big_numbers_are_easy_to_read(source, convert):
    (source / "train.json").write_text(json.dumps(json.loads(SPERT) * 500), encoding="utf8")
    assert re.search(r"tokens\s+4,000\b", convert(source / "train.json")[0].output)


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize("format, code", [("conll04", 0), ("spert", 1), ("brat", 1)])
def test_named_format_is_used(source, convert, format, code):
    result, files = convert(source / "dev.txt", "--format", format)
    assert result.exit_code == code
    assert (files is None) is (code == 1)


def test_missing_source_is_refused(tmp_path, convert):
    result, files = convert(tmp_path / "none.json")
    assert (result.exit_code, files) == (2, None)


@pytest.mark.slow
def test_help_lists_the_commands():
    run = subprocess.run(
        [sys.executable, "-m", "spacy", "jere", "--help"], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    for command in ("convert", "debug-data", "error-analysis", "evaluate", "export", "extract"):
        assert re.search(rf"^\W*{command}\s+\w+", run.stdout, re.MULTILINE)


BRAT = (
    "Ada lives in NewOslo. Bo runs.",
    "T1\tPER 0 3\tAda\nT2\tLOC 16 20\tOslo\nR1\tLIVES_IN Arg1:T1 Arg2:T2\nE1\tRUN:T1\n",
)


@pytest.fixture
def brat(tmp_path):
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "a.txt").write_text(BRAT[0], encoding="utf8")
    (folder / "a.ann").write_text(BRAT[1], encoding="utf8")
    return folder


def flat(output):
    return " ".join(output.split())


@pytest.mark.slow
def test_brat_folder_becomes_one_corpus(brat, convert):
    result, files = convert(brat)
    assert result.exit_code == 0, result.output
    assert list(files) == ["notes.spacy"]
    assert read(files["notes.spacy"]) == [
        (BRAT[0], [("Ada", "PER"), ("Oslo", "LOC")], ["(Ada [PER])-LIVES_IN->(Oslo [LOC])"])
    ]
    assert "1 events left out" in flat(result.output)
    assert "1 entities don't begin and end where a token does" in flat(result.output)
    assert "a.ann: LOC 'Oslo' at 16:20: token split" in flat(result.output).replace("\n", "")


@pytest.mark.slow
def test_folder_of_brat_folders_and_files(brat, source, convert):
    brat.rename(source / "notes")
    result, files = convert(source)
    assert result.exit_code == 0, result.output
    assert sorted(files) == ["dev.spacy", "notes.spacy", "train.spacy"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "alignment, found, said",
    [
        ("split", ["Ada", "Oslo"], "token split"),
        ("expand", ["Ada", "NewOslo"], "now 'NewOslo'"),
        ("contract", ["Ada"], "left out"),
    ],
)
def test_alignment(brat, convert, alignment, found, said):
    result, files = convert(brat, "--alignment", alignment)
    assert result.exit_code == 0, result.output
    ((_, entities, relations),) = read(files["notes.spacy"])
    assert [text for text, _ in entities] == found
    assert len(relations) == len(found) - 1
    assert said in flat(result.output)
    lost = "LIVES_IN from 'Ada' at 0:3 to 'Oslo' at 16:20"
    assert (lost in flat(result.output)) is (alignment == "contract")
    assert table(result.output)["entities"] == [len(found)]


@pytest.mark.slow
@pytest.mark.parametrize(
    "options, code",
    [
        (["--alignment", "strict"], "E311"),
        (["--alignment", "exact"], "E314"),
        (["--sentences", "no_such_pipeline"], "E312"),
        (["--set", "discontinuous=join"], "E314"),
        (["--to", "word"], "E302"),
    ],
)
def test_settings_that_cannot_be_are_refused(brat, convert, options, code):
    result, files = convert(brat, *options)
    assert (result.exit_code, files) == (1, None)
    assert code in result.output


@pytest.mark.slow
@pytest.mark.parametrize("options, n_sentences", [([], None), (["--sentences", "sentencizer"], 2)])
def test_sentences(brat, convert, options, n_sentences):
    _, files = convert(brat, *options)
    (doc,) = DocBin().from_disk(files["notes.spacy"]).get_docs(spacy.blank("en").vocab)
    assert doc.has_annotation("SENT_START") is (n_sentences is not None)
    if n_sentences:
        assert len(list(doc.sents)) == n_sentences


@pytest.mark.slow
def test_options_reach_the_reader(brat, convert):
    (brat / "a.ann").write_text("T1\tX 0 3;7 9\tAda es\n", encoding="utf8")
    _, files = convert(brat, "--set", "discontinuous=first")
    assert read(files["notes.spacy"])[0][1] == [("Ada", "X")]


@pytest.mark.slow
@pytest.mark.parametrize("to", ["spert", "brat"])
def test_other_formats_are_written(source, convert, tmp_path, to):
    result, files = convert(source, "--to", to)
    assert result.exit_code == 0, result.output
    assert sorted(files) == (["dev", "train"] if to == "brat" else ["dev.json", "train.json"])
    result, again = convert(tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert {"dev.spacy", "train.spacy"} <= set(again)
    assert read(again["train.spacy"])[0][1:] == (
        [("Ada", "PER"), ("New Oslo", "LOC")],
        ["(Ada [PER])-LIVES_IN->(New Oslo [LOC])"],
    )


@pytest.mark.slow
@pytest.mark.parametrize("to", WRITERS)
def test_every_format_is_written_from_any_source(source, convert, tmp_path, to):
    """From annotations, and from the .spacy files made of them."""
    result, files = convert(source, "--to", to)
    assert result.exit_code == 0, result.output
    suffix = WRITERS[to].WRITES
    assert sorted(files) == [f"dev{suffix}", f"train{suffix}"]
    direct = contents(tmp_path / "out")
    shutil.rmtree(tmp_path / "out")
    _, files = convert(source)
    corpus = tmp_path / "out.spacy"
    (tmp_path / "out").rename(corpus)
    result, _ = convert(corpus, "--to", to, *(["-f", "spacy"] if to == "spacy" else []))
    assert result.exit_code == 0, result.output
    assert table(result.output)["relations"] == [1, 1]
    if to != "spacy":
        assert contents(tmp_path / "out") == direct


def contents(folder):
    return {str(x.relative_to(folder)): x.read_bytes() for x in folder.rglob("*") if x.is_file()}


@pytest.mark.slow
def test_one_spacy_file_is_a_source(source, convert, tmp_path):
    convert(source / "train.json")
    result, files = convert(tmp_path / "out" / "train.spacy", "--to", "csv")
    assert result.exit_code == 0, result.output
    assert files["train.csv"].read_text(encoding="utf8").count("LIVES_IN") == 1
    corpus = (tmp_path / "out" / "train.spacy").rename(tmp_path / "train.spacy")
    result, files = convert(corpus, "-s", "sentencizer", "-f", "spacy")
    assert result.exit_code == 0, result.output
    docs = DocBin().from_disk(files["train.spacy"]).get_docs(spacy.blank("en").vocab)
    assert all(doc.has_annotation("SENT_START") for doc in docs)


@pytest.mark.slow
def test_spacy_files_of_an_earlier_call_are_no_sources(source, convert, tmp_path):
    convert(source)
    for file in (tmp_path / "out").iterdir():
        file.rename(source / file.name)
    result, files = convert(source)
    assert result.exit_code == 0, result.output
    assert sorted(files) == ["dev.spacy", "train.spacy"]
    result, _ = convert(source, "--to", "csv")
    assert result.exit_code == 1 and "would both become dev.csv" in flat(result.output)
    result, files = convert(source, "--to", "csv", "-f", "spacy")
    assert result.exit_code == 0 and "dev.csv" in files


@pytest.mark.slow
def test_every_option_of_a_format_can_be_set(convert, tmp_path):
    lines = [
        {"text": text, "answer": answer}
        for text, answer in (("Ada", "accept"), ("Bo", "reject"), ("Cy", "ignore"))
    ]
    source = tmp_path / "texts.jsonl"
    source.write_text("\n".join(map(json.dumps, lines)), encoding="utf8")
    _, files = convert(source)
    assert [text for text, _, _ in read(files["texts.spacy"])] == ["Ada"]
    _, files = convert(source, "--set", "answers=reject,ignore")
    assert [text for text, _, _ in read(files["texts.spacy"])] == ["Bo", "Cy"]


def test_option_goes_to_the_reader_or_else_to_the_writer(brat, convert):
    (brat / "a.ann").write_text("T1\tX 0 3;7 9\tAda es\n", encoding="utf8")
    options = ["--set", "discontinuous=first", "--set", "base=urn:x:", "--to", "turtle"]
    result, files = convert(brat, *options)
    assert result.exit_code == 0, result.output
    assert "<urn:x:entity/X/Ada>" in files["notes.ttl"].read_text(encoding="utf8")


def test_each_file_of_a_folder_must_have_the_option(brat, source, convert):
    brat.rename(source / "notes")
    result, files = convert(source, "--set", "discontinuous=first")
    assert (result.exit_code, files) == (1, None)
    said = "E318] Unknown option 'discontinuous'. Reading conll04 takes: no options. Writing spacy"
    assert said in flat(result.output)


def test_help_lists_the_options(convert):
    result = CliRunner().invoke(app, ["jere", "convert", "--help"], env={"COLUMNS": "200"})
    shown = flat(re.sub(r"[│|]", " ", result.output))
    for option in ("answers (prodigy)", "base (turtle)", "discontinuous (brat)", "ends (hf)"):
        assert option in shown
    assert "key (" not in shown.replace("text_key (", "").replace("spans_key (", "")


def test_documents_of_graphs_have_their_ids(brat, convert):
    _, files = convert(brat, "--to", "triples")
    assert json.loads(files["notes.jsonl"].read_text(encoding="utf8"))["document"] == "a"


def test_options_reach_the_writer(brat, convert):
    _, files = convert(brat, "--to", "turtle", "--set", "base=urn:x:")
    assert "<urn:x:entity/PER/Ada>" in files["notes.ttl"].read_text(encoding="utf8")


@pytest.mark.slow
@pytest.mark.parametrize(
    "options, code",
    [
        (["--to", "csv", "--set", "base=urn:x:"], "E318"),
        (["--to", "turtle", "--set", "base=here"], "E321"),
        (["--to", "turtle", "--set", "key=str"], "E319"),
        (["--set", "base"], "E317"),
        (["-f", "spacy"], "E324"),
        (["-f", "spacy", "--set", "ends=inclusive"], "E318"),
    ],
)
def test_settings_of_writers_that_cannot_be_are_refused(source, convert, options, code):
    result, files = convert(source / "train.json", *options)
    assert (result.exit_code, files or {}) == (1, {})
    assert code in result.output


def test_missing_package_is_named(source, convert, monkeypatch):
    monkeypatch.setitem(sys.modules, "rdflib", None)
    result, _ = convert(source, "--to", "turtle")
    assert result.exit_code == 1 and "E320" in result.output


@pytest.mark.slow
def test_long_lists_are_cut(brat, convert):
    lines = (f"T{i}\tL{i} 16 20\tOslo\n" for i in range(1, 31))
    (brat / "a.ann").write_text("".join(lines), encoding="utf8")
    result, _ = convert(brat)
    assert "L20 'Oslo'" in flat(result.output) and "L21 'Oslo'" not in flat(result.output)
    assert "and 10 more; --verbose lists all" in flat(result.output)
    assert "L30 'Oslo'" in flat(convert(brat, "--verbose")[0].output)
