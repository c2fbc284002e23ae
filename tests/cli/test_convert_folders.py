"""What `convert` does with folders, faults, labels and files that it read itself."""

import gzip
import json
import re

import pytest
import spacy
from spacy.cli._util import app
from spacy.tokens import Doc, DocBin, Span
from typer.testing import CliRunner

import spacy_jere.cli  # noqa: F401  (adds `jere` to spaCy's commands)

GOOD = {"text": "Ada in Rome", "label": [[0, 3, "PER"], [7, 11, "LOC"]]}
WRONG = {"text": "Bo", "label": [[0, 9, "PER"]]}
BRAT = {"txt": "Ada in Rome", "ann": "T1\tPER 0 3\tAda\n"}


@pytest.fixture
def convert(tmp_path):
    def _convert(*args, output="out"):
        out = tmp_path / output
        result = CliRunner().invoke(
            app, ["jere", "convert", *map(str, args[:1]), str(out), *args[1:]]
        )
        files = sorted(x.name for x in out.iterdir()) if out.exists() else None
        return result.exit_code, " ".join(result.output.split()), files

    return _convert


@pytest.fixture
def write(tmp_path):
    def _write(path, content):
        path = tmp_path / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf8"))
        return path

    return _write


@pytest.fixture
def write_brat(write):
    def _write_brat(*names):
        for name in names:
            for suffix, content in BRAT.items():
                write(f"{name}.{suffix}", content)

    return _write_brat


def lines(*items):
    return "\n".join(map(json.dumps, items))


def docs_of(path):
    return list(DocBin().from_disk(path).get_docs(spacy.blank("en").vocab))


def test_faults_of_all_files_are_listed_in_one_run(write, convert, tmp_path):
    write("in/a.jsonl", lines(GOOD, WRONG, WRONG))
    write("in/b.jsonl", lines(WRONG))
    write("in/c.jsonl", b"Ad\xe9")
    write("in/d.jsonl", lines(GOOD))
    write("in/e.json", "{}")
    code, output, files = convert(tmp_path / "in")
    assert (code, files) == (1, None)
    assert "5 faults" in output
    for place in ("a.jsonl, line 2", "a.jsonl, line 3", "b.jsonl, line 1", "c.jsonl", "e.json"):
        assert place in output.replace(" ", "") or place in output


@pytest.mark.slow
def test_faulty_texts_and_files_are_left_out_on_request(write, convert, tmp_path):
    write("in/a.jsonl", lines(GOOD, WRONG, GOOD))
    write("in/b.jsonl", lines(WRONG))
    write("in/c.jsonl", b"Ad\xe9")
    code, output, files = convert(tmp_path / "in", "--on-error", "skip")
    assert (code, files) == (0, ["a.spacy"])
    assert "3 faults: the texts or files were left out" in output and "line 2" in output
    assert len(docs_of(tmp_path / "out" / "a.spacy")) == 2


def test_nothing_is_left_to_skip(write, convert):
    code, output, files = convert(write("a.jsonl", lines(WRONG)), "--on-error", "skip")
    assert (code, files) == (1, None) and "E301" in output


@pytest.mark.slow
@pytest.mark.parametrize("args, n_listed", [([], 20), (["--verbose"], 30)])
def test_list_of_faults_is_bounded(write, convert, args, n_listed):
    source = write("a.jsonl", lines(*[WRONG] * 30))
    code, output, _ = convert(source, *args)
    assert code == 1 and "30 faults" in output
    assert len(re.findall(r"line \d+:", output)) == n_listed
    assert ("and 10 more" in output) is (n_listed == 20)


@pytest.mark.slow
def test_strict_alignment_lists_all_cut_entities(write, convert):
    cut = {"text": "Adas", "label": [[0, 3, "PER"]]}
    source = write("a.jsonl", lines(cut, GOOD, cut))
    code, output, _ = convert(source, "--alignment", "strict")
    assert code == 1 and "2 faults" in output and "E311" in output
    code, output, files = convert(source, "--alignment", "strict", "--on-error", "skip")
    assert (code, files) == (0, ["a.spacy"])


@pytest.mark.slow
def test_folders_of_brat_folders(write_brat, convert, tmp_path):
    write_brat("in/train/d1/x", "in/train/d2/x", "in/train/y", "in/dev/x")
    code, output, files = convert(tmp_path / "in")
    assert (code, files) == (0, ["dev.spacy", "train.spacy"]), output
    ids = [doc.user_data["id"] for doc in docs_of(tmp_path / "out" / "train.spacy")]
    assert sorted(ids) == ["d1/x", "d2/x", "y"]


def test_brat_folder_with_folders_in_it(write_brat, convert, tmp_path):
    write_brat("v1.2/x", "v1.2/a/y")
    code, _, files = convert(tmp_path / "v1.2")
    assert (code, files) == (0, ["v1.2.spacy"])
    assert len(docs_of(tmp_path / "out" / "v1.2.spacy")) == 2


def test_what_is_left_out_of_a_folder_is_named(write, write_brat, convert, tmp_path):
    write("in/a.jsonl", lines(GOOD))
    write("in/more/b.jsonl", lines(GOOD))
    write("in/.git/x", "")
    write_brat("in/notes/x")
    write("in/notes/y.txt", "Bo")
    code, output, files = convert(tmp_path / "in")
    assert (code, files) == (0, ["a.spacy", "notes.spacy"])
    assert "more left out: only brat folders are read" in output and ".git" not in output
    assert "1 texts without annotations beside them left out" in output
    write("in/notes/z.jsonl", lines(GOOD))
    _, output, _ = convert(tmp_path / "in" / "notes", output="other")
    assert "z.jsonl left out" in output and "is a brat folder" in output


@pytest.mark.slow
def test_shared_task_files_beside_json(write, convert, tmp_path):
    write("in/d.txt", BRAT["txt"])
    write("in/d.a1", BRAT["ann"])
    write("in/d.a2", "")
    write("in/d.json", "{}")
    code, output, files = convert(tmp_path / "in")
    assert (code, files) == (0, ["in.spacy"]) and "d.json left out" in output


def test_compressed_file_keeps_its_name(write, convert):
    source = write("train.jsonl.gz", gzip.compress(lines(GOOD).encode()))
    assert convert(source)[::2] == (0, ["train.spacy"])


def test_compressed_files_of_a_folder(write, convert, tmp_path):
    write("in/train.jsonl.gz", gzip.compress(lines(GOOD).encode()))
    write("in/dev.jsonl", lines(GOOD))
    assert convert(tmp_path / "in")[::2] == (0, ["dev.spacy", "train.spacy"])
    write("in/train.conll", "a\tO\n")
    code, output, _ = convert(tmp_path / "in", output="other")
    assert code == 1 and "E308" in output


@pytest.mark.slow
def test_labels_are_mapped(write, convert, tmp_path):
    source = write("a.jsonl", lines(GOOD, GOOD))
    code, output, _ = convert(source, "--map-labels", "PER=P,LOC=", "-m", "X=Y")
    assert code == 0
    for doc in docs_of(tmp_path / "out" / "a.spacy"):
        assert [(x.text, x.label_) for x in doc.ents] == [("Ada", "P")]
    assert "2 entities labelled 'LOC' left out" in output
    assert "no entity or relation has the label 'X'" in output
    corpus = (tmp_path / "out" / "a.spacy").rename(tmp_path / "a.spacy")
    code, output, _ = convert(corpus, "--to", "brat", "-m", "P=PERSON")
    assert code == 0
    assert "PERSON 0 3" in (tmp_path / "out" / "a" / "000000.ann").read_text(encoding="utf8")


def test_label_that_brat_cannot_hold_can_be_mapped(write, convert):
    source = write("a.jsonl", lines({"text": "Ada", "label": [[0, 3, "PARTY NAME"]]}))
    code, output, _ = convert(source, "--to", "brat")
    assert code == 1 and "E315" in output and "--map-labels" in output
    assert convert(source, "--to", "brat", "-m", "PARTY NAME=PARTY_NAME")[0] == 0


@pytest.mark.parametrize("value, error", [("a", "E361"), ("a=b,a=c", "E362")])
def test_map_of_labels_is_checked(write, convert, value, error):
    code, output, files = convert(write("a.jsonl", lines(GOOD)), "--map-labels", value)
    assert (code, files) == (1, None) and error in output


def test_relations_of_the_tutorial_are_taken_along(tmp_path, convert):
    doc = Doc(spacy.blank("en").vocab, words=["Ada", "in", "Rome"])
    doc.ents = [Span(doc, 0, 1, "PER"), Span(doc, 2, 3, "LOC")]
    doc.user_data[("._.", "rel", None, None)] = {(0, 2): {"IN": 1.0}, (2, 0): {"IN": 0.0}}
    DocBin(docs=[doc], store_user_data=True).to_disk(tmp_path / "a.spacy")
    code, _, _ = convert(tmp_path / "a.spacy", "--to", "brat")
    assert code == 0
    lines = (tmp_path / "out" / "a" / "000000.ann").read_text(encoding="utf8").splitlines()
    assert lines[-1] == "R1\tIN Arg1:T1 Arg2:T2"


def test_identical_entities_are_counted(write, convert):
    twice = {"text": "Ada", "label": [[0, 3, "PER"], [0, 3, "PER"]]}
    _, output, _ = convert(write("a.jsonl", lines(twice)))
    assert "1 identical entities read as one" in output


def test_gaps_are_taken_in_not_left_out(write, convert, tmp_path):
    write("in/a.txt", "Ada and Bo Byron")
    write("in/a.ann", "T1\tPER 0 3;11 16\tAda Byron\n")
    _, output, _ = convert(tmp_path / "in")
    assert "1 gaps of discontinuous entities taken in" in output and "left out" not in output


@pytest.mark.slow
@pytest.mark.parametrize("to", ["spert", "brat"])
def test_source_is_never_the_output(write, write_brat, convert, tmp_path, to):
    spert = [{"tokens": ["Ada"], "entities": []}]
    if to == "spert":
        source = write("data/a.json", json.dumps(spert))
    else:
        write_brat("data/a/x")
        source = tmp_path / "data" / "a"
    before = {x: x.read_bytes() for x in (tmp_path / "data").rglob("*") if x.is_file()}
    code, output, _ = convert(source, "--to", to, output="data")
    assert code == 1 and "E380" in output
    assert before == {x: x.read_bytes() for x in (tmp_path / "data").rglob("*") if x.is_file()}


def test_files_appear_together_or_not_at_all(write, convert, tmp_path):
    write("in/a.jsonl", lines(GOOD))
    write("in/b.jsonl", lines({"text": "Ada", "label": [[0, 3, "TWO WORDS"]]}))
    code, _, files = convert(tmp_path / "in", "--to", "brat")
    assert (code, files) == (1, None)
