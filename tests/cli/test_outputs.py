"""Every command that writes: no source is lost, nothing half-written, nothing found out late."""

import os
import shutil

import pytest
import spacy
from spacy.cli._util import app
from spacy.tokens import Doc, DocBin, Span
from spacy.vocab import Vocab
from typer.testing import CliRunner

import spacy_jere.cli  # noqa: F401  (adds `jere` to spaCy's commands)
from spacy_jere.cli import _util
from spacy_jere.export import WRITERS
from spacy_jere.formats import _writing, brat

# Commands that write a file, with their output last
FILES = {
    "evaluate": ["evaluate", "model", "data.spacy", "-o"],
    "error-analysis": ["error-analysis", "model", "data.spacy"],
    "errors": ["errors", "model", "data.spacy"],
    "visualize": ["visualize", "model", "data.spacy"],
    "visualize a text": ["visualize", "model", "text.txt"],
    **{
        f"export {name}": ["export", "data.spacy", "--to", name]
        for name, writer in WRITERS.items()
        if writer.WRITES
    },
}
FOLDERS = {
    **{f"export {x}": ["export", "data.spacy", "--to", x] for x in ("brat", "neo4j")},
    "find-thresholds": ["find-thresholds", "model", "data.spacy", "-o"],
}
FAST = ("evaluate", "visualize a text", "export csv", "export brat")
WITH_MODEL = [x for x in FILES if not x.startswith("export")]
posix = pytest.mark.skipif(os.name != "posix", reason="links of POSIX")


def some(names):
    """Parameters: some commands in the fast tests, the others in the slow ones."""
    return [pytest.param(x, marks=() if x in FAST else pytest.mark.slow) for x in names]


@pytest.fixture
def place(saved_model, corpus_bytes, tmp_path, monkeypatch):
    """A folder with all that commands read. It is the current one."""
    shutil.copytree(saved_model, tmp_path / "model")
    (tmp_path / "data.spacy").write_bytes(corpus_bytes)
    (tmp_path / "text.txt").write_text("Ada lives in New Oslo .\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def no_work(monkeypatch):
    """Makes commands fail that begin to work."""

    def work(*args, **kwargs):
        raise AssertionError("the work has begun")

    for name in ("load_model", "load_model_from_path"):
        monkeypatch.setattr(spacy.util, name, work)
    monkeypatch.setattr(_util, "_read_file", work)


def run(arguments, output=None):
    given = arguments if output is None else [*arguments, output]
    result = CliRunner().invoke(app, ["jere", *map(str, given)])
    crashed = result.exception is not None and not isinstance(result.exception, SystemExit)
    assert not crashed, result.exception
    return result.exit_code, " ".join(result.output.split())


def content(folder):
    return {
        x.relative_to(folder).as_posix(): x.read_bytes() for x in folder.rglob("*") if x.is_file()
    }


def by_name(place, source):
    return source


def by_another_path(place, source):
    return place / "model" / ".." / source


def by_a_link(place, source):
    (place / "link").symlink_to(place / source)
    return "link"


def by_a_hard_link(place, source):
    os.link(place / source, place / "hard")
    return "hard"


def by_a_link_to_the_folder(place, source):
    (place / "again").symlink_to(place, target_is_directory=True)
    return place / "again" / source


@pytest.mark.slow
@posix
@pytest.mark.parametrize(
    "name_of", [by_name, by_another_path, by_a_link, by_a_hard_link, by_a_link_to_the_folder]
)
@pytest.mark.parametrize("name", some(FILES))
def test_output_that_is_a_source_is_refused(place, no_work, name, name_of):
    source = "text.txt" if "text.txt" in FILES[name] else "data.spacy"
    output = name_of(place, source)
    before = content(place)
    code, said = run(FILES[name], output)
    assert (code, "E380" in said) == (1, True)
    assert content(place) == before


@pytest.mark.slow
@pytest.mark.parametrize("file", ["config.cfg", "meta.json", "joint_ner_re/model", "vocab/key2row"])
@pytest.mark.parametrize("name", some(WITH_MODEL))
def test_output_that_is_part_of_the_model_is_refused(place, no_work, name, file):
    (place / "model" / file).touch()
    before = content(place)
    code, said = run(FILES[name], f"model/{file}")
    assert (code, "E380" in said) == (1, True)
    assert content(place) == before


@pytest.mark.slow
@pytest.mark.parametrize("name", some(FILES))
def test_file_of_a_folder_that_is_read_is_refused(place, no_work, name):
    (place / "corpus").mkdir()
    for file in ("a.spacy", "b.spacy"):
        shutil.copy(place / "data.spacy", place / "corpus" / file)
    arguments = ["corpus" if x == "data.spacy" else x for x in FILES[name]]
    if arguments == FILES[name]:
        return
    before = content(place)
    code, said = run(arguments, "corpus/b.spacy")
    assert (code, "E380" in said) == (1, True)
    assert content(place) == before


def test_export_that_would_be_read_the_next_time_is_refused(place, no_work):
    (place / "corpus").mkdir()
    shutil.move(place / "data.spacy", place / "corpus" / "a.spacy")
    code, said = run(["export", "corpus", "corpus/all.spacy"])
    assert (code, "E382" in said) == (1, True)


@pytest.mark.slow
@pytest.mark.parametrize(
    "output", ["text.txt/out", "text.txt/far/out", "model", "x" * 300, "new/" + "x" * 300 + "/out"]
)
@pytest.mark.parametrize("name", some(FILES))
def test_output_that_can_not_be_written_is_found_before_the_work(place, no_work, name, output):
    before = content(place)
    code, said = run(FILES[name], output)
    assert code == 1
    assert "E383" in said or (output == "model" and "E380" in said)
    assert content(place) == before and not (place / "new").exists()


@pytest.mark.parametrize("output", ["text.txt", "text.txt/out", "x" * 300])
@pytest.mark.parametrize("name", some(FOLDERS))
def test_folder_that_can_not_be_written_is_found_before_the_work(place, no_work, name, output):
    before = content(place)
    code, said = run(FOLDERS[name], output)
    assert (code, "E383" in said) == (1, True)
    assert content(place) == before


@pytest.mark.slow
@pytest.mark.parametrize("name", some(FOLDERS))
def test_folder_with_other_things_is_refused_and_can_be_forced(place, name):
    (place / "out" / "sub").mkdir(parents=True)
    (place / "out" / "mine.doc").write_text("mine")
    (place / "out" / "sub" / "mine").write_text("mine")
    before = content(place)
    code, said = run(FOLDERS[name], "out")
    assert (code, "E381" in said, "--force" in said) == (1, True, True)
    assert content(place) == before
    code, said = run([*FOLDERS[name][:1], "--force", *FOLDERS[name][1:]], "out")
    assert code == 0, said
    after = content(place)
    assert {x: after[x] for x in before} == before
    assert len(after) > len(before)


@pytest.mark.slow
@pytest.mark.parametrize("name", some(FOLDERS))
def test_own_folder_is_replaced(place, name):
    assert run(FOLDERS[name], "out")[0] == 0
    first = content(place)
    assert run(FOLDERS[name], "out")[0] == 0
    assert content(place) == first


@pytest.mark.slow
@pytest.mark.parametrize("name", some([*FILES, *FOLDERS]))
@pytest.mark.parametrize("old", [True, False])
def test_after_an_error_in_the_middle_the_old_is_there(place, name, old, monkeypatch):
    arguments = {**FILES, **FOLDERS}[name]
    if old:
        assert run(arguments, "new/out")[0] == 0
    before = content(place)

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_writing, "flush", full)
    monkeypatch.setattr(_writing, "flush_all", full)
    code, said = run(arguments, "new/out")
    assert (code, "No space left" in said) == (1, True)
    assert content(place) == before
    assert (place / "new").exists() is old


@pytest.mark.slow
@posix
@pytest.mark.parametrize("name", some(FILES))
def test_mode_and_link_of_the_output_are_kept(place, name):
    (place / "real").touch()
    (place / "real").chmod(0o640)
    (place / "out").symlink_to(place / "real")
    code, said = run(FILES[name], "out")
    assert code == 0, said
    assert (place / "out").is_symlink() and (place / "real").read_bytes()
    assert (place / "real").stat().st_mode & 0o777 == 0o640


@pytest.mark.slow
@pytest.mark.parametrize("name", some(FILES))
def test_missing_folders_are_made(place, name):
    code, said = run(FILES[name], "new/far/out")
    assert code == 0, said
    assert [x.name for x in (place / "new" / "far").iterdir()] == ["out"]


# brat


@pytest.mark.slow
@pytest.mark.parametrize(
    "line",
    ["E1\tWork:T1", "A1\tNegated T1", "#1\tAnnotatorNotes T1\tunsure", "N1\tReference T1 Q1"],
)
def test_annotations_that_are_never_written_are_not_replaced(place, line):
    assert run(FOLDERS["export brat"], "out")[0] == 0
    with next((place / "out").glob("*.ann")).open("a") as file:
        file.write(f"{line}\n")
    before = content(place)
    code, said = run(FOLDERS["export brat"], "out")
    assert (code, "E381" in said) == (1, True)
    assert content(place) == before


@pytest.mark.parametrize(
    "id",
    [
        "CON", "nul", "Aux", "prn", "com1", "COM9", "lpt1", "LPT¹", "aux.txt", "nul.tar.gz",
        "con .x", "..", "../x", "a/b", "a\\b", "C:x", "x.", "x ", " x", "-x", ".x", "x*", "x?",
        "x\0y", "x\ny", "é" * 101, "山" * 90, "", "x" * 300, "\ud800",
    ],
)  # fmt: skip
def test_ids_that_some_system_refuses_are_no_file_names(tmp_path, id):
    doc = Doc(Vocab(), words=["Ada", "met", "Bo"])
    doc._.relations = [(Span(doc, 0, 1, "PER"), Span(doc, 2, 3, "PER"), "MET")]
    doc.user_data["id"] = id
    brat.write([doc], tmp_path / "out")
    assert sorted(x.name for x in (tmp_path / "out").iterdir()) == ["000000.ann", "000000.txt"]


@pytest.mark.parametrize("id", ["conan", "auxiliary", "nullable", "com", "com10", "lpt", "é" * 90])
def test_ids_that_only_look_like_devices_are_file_names(tmp_path, id):
    doc = Doc(Vocab(), words=["Ada"])
    doc.user_data["id"] = id
    brat.write([doc], tmp_path / "out")
    assert (tmp_path / "out" / f"{id}.txt").is_file()


def test_ids_that_are_the_same_to_some_systems_are_numbered(tmp_path):
    docs = [Doc(Vocab(), words=["Ada"]) for _ in range(2)]
    docs[0].user_data["id"], docs[1].user_data["id"] = "\u00e9", "e\u0301"
    brat.write(docs, tmp_path / "out")
    assert len(list((tmp_path / "out").iterdir())) == 4


# find-thresholds


@pytest.mark.slow
def test_settings_alone_are_changed(place):
    before = content(place / "model")
    modes = {x: (place / "model" / x).stat().st_ino for x in before}
    code, said = run(["find-thresholds", "model", "data.spacy"])
    assert code == 0, said
    after = content(place / "model")
    changed = {x for x in before if after[x] != before[x]}
    assert changed == {"config.cfg", "joint_ner_re/cfg"} and after.keys() == before.keys()
    touched = {x for x, number in modes.items() if (place / "model" / x).stat().st_ino != number}
    assert touched == changed


@pytest.mark.slow
def test_config_keeps_what_else_was_edited(place):
    path = place / "model" / "config.cfg"
    path.write_text(path.read_text().replace("seed = 0", "seed = 7"))
    assert run(["find-thresholds", "model", "data.spacy"])[0] == 0
    assert "seed = 7" in path.read_text()
    spacy.load(place / "model")


@pytest.mark.slow
@pytest.mark.parametrize("output", ["model", "model/.", "again"])
def test_output_may_be_the_model_itself(place, output):
    if output == "again":
        (place / "again").symlink_to(place / "model", target_is_directory=True)
    weights = (place / "model" / "joint_ner_re" / "model").stat().st_ino
    code, said = run(FOLDERS["find-thresholds"], output)
    assert code == 0, said
    assert (place / "model" / "joint_ner_re" / "model").stat().st_ino == weights


@pytest.mark.parametrize("output", ["model/new", "model/vocab"])
def test_output_inside_the_model_is_refused(place, no_work, output):
    before = content(place)
    code, said = run(FOLDERS["find-thresholds"], output)
    assert (code, "E382" in said or "E380" in said) == (1, True)
    assert content(place) == before


def test_another_model_is_not_replaced(place):
    """One with the same files, but other weights: a day's training."""
    shutil.copytree(place / "model", place / "other")
    with (place / "other" / "joint_ner_re" / "model").open("ab") as file:
        file.write(b"x")
    before = content(place)
    code, said = run(FOLDERS["find-thresholds"], "other")
    assert (code, "E381" in said) == (1, True)
    assert content(place) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    "label", ["a:b", "a=b", "[z]", "; c", "a.b", "# d", " e ", "ü\"'", "%x", "$y"]
)
def test_labels_may_be_any_text(make_nlp, annotate, overfit, tmp_path, label):
    data = [("Ada met Bo", [(0, 1, "PER"), (2, 3, "PER")], [(0, 1, label)])]
    nlp, _ = make_nlp(data)
    nlp.to_disk(tmp_path / "model")
    doc = annotate(nlp.vocab, *data[0])
    DocBin(docs=[doc], store_user_data=True).to_disk(tmp_path / "data.spacy")
    code, said = run(["find-thresholds", tmp_path / "model", tmp_path / "data.spacy"])
    assert code == 0, said
    loaded = spacy.load(tmp_path / "model")
    assert set(loaded.get_pipe("joint_ner_re").cfg["thresholds_by_relation"]) == {label}
    loaded.to_disk(tmp_path / "again")
    again = spacy.load(tmp_path / "again")
    assert set(again.get_pipe("joint_ner_re").cfg["thresholds_by_relation"]) == {label}
