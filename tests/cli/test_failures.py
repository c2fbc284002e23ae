"""Whatever is wrong, a command says it in a sentence, exits with 1 and writes nothing."""

import os
import shutil
import subprocess
import sys
import zlib

import pytest
import spacy
import srsly
from spacy.cli._util import app
from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab
from typer.testing import CliRunner

import spacy_jere.cli  # noqa: F401  (adds `jere` to spaCy's commands)
from spacy_jere.cli import _util

# Commands with a model, and where their model stands
WITH_MODEL = {
    "extract": ["extract", "model", "text.txt"],
    "evaluate": ["evaluate", "model", "data.spacy", "-o", "out"],
    "error-analysis": ["error-analysis", "model", "data.spacy", "out"],
    "visualize": ["visualize", "model", "data.spacy", "out"],
    "visualize a text": ["visualize", "model", "text.txt", "out"],
    "find-thresholds": ["find-thresholds", "model", "data.spacy"],
    "find-thresholds -o": ["find-thresholds", "model", "data.spacy", "-o", "out"],
}
WITH_DATA = {
    **{name: x for name, x in WITH_MODEL.items() if "data.spacy" in x},
    "export": ["export", "data.spacy", "out.csv"],
    "debug-data": ["debug-data", "--train", "data.spacy"],
    "debug-data --dev": ["debug-data", "--train", "good.spacy", "--dev", "data.spacy"],
}
FAST = ("extract", "evaluate", "export")
WITH_TEXT = {name: x for name, x in WITH_MODEL.items() if "text.txt" in x}


def some(names):
    """Parameters: some commands in the fast tests, the others in the slow ones."""
    return [pytest.param(x, marks=() if x in FAST else pytest.mark.slow) for x in names]


@pytest.fixture
def place(saved_model, corpus_bytes, tmp_path, monkeypatch):
    """A folder with all that commands read. It is the current one."""
    shutil.copytree(saved_model, tmp_path / "model")
    for name in ("data.spacy", "good.spacy"):
        (tmp_path / name).write_bytes(corpus_bytes)
    (tmp_path / "text.txt").write_text("Ada lives in New Oslo .\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(arguments, input=None):
    result = CliRunner().invoke(app, ["jere", *map(str, arguments)], input=input)
    return result, " ".join(result.output.split())


def check_failure(place, arguments, *said, input=None):
    """Run a command that can't do its work."""
    before = {x for x in place.rglob("*")}
    result, output = run(arguments, input)
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == 1
    for part in said:
        assert part in output
    assert "Traceback" not in output and len(output) < 1000
    assert {x for x in place.rglob("*")} == before


def changed(arguments, old, new):
    return [new if x == old else x for x in arguments]


# Models


@pytest.mark.parametrize("model", ["no_such_package", "no/such/folder", "json", "text.txt"])
@pytest.mark.parametrize("name", some(WITH_MODEL))
def test_missing_model_is_named(place, name, model):
    code = "E341" if name == "find-thresholds" else "E384"
    check_failure(place, changed(WITH_MODEL[name], "model", model), code, model)


@pytest.mark.slow
@pytest.mark.parametrize("pipes", [[], ["sentencizer"], ["entity_ruler"]])
@pytest.mark.parametrize("name", some(WITH_MODEL))
def test_pipeline_without_the_component_is_refused(place, name, pipes):
    nlp = spacy.blank("en")
    for pipe in pipes:
        nlp.add_pipe(pipe)
    nlp.to_disk(place / "other")
    check_failure(place, changed(WITH_MODEL[name], "model", "other"), "E342", *pipes)


def break_config(model):
    (model / "config.cfg").write_text("[nlp\nlang")


def remove_config(model):
    (model / "config.cfg").unlink()


def cut_weights(model):
    path = model / "joint_ner_re" / "model"
    path.write_bytes(path.read_bytes()[:100])


def empty_settings(model):
    (model / "joint_ner_re" / "cfg").write_text("")


def unknown_factory(model):
    path = model / "config.cfg"
    path.write_text(path.read_text().replace('factory = "joint_ner_re"', 'factory = "no_such"'))


@pytest.mark.slow
@pytest.mark.parametrize(
    "damage", [break_config, remove_config, cut_weights, empty_settings, unknown_factory]
)
@pytest.mark.parametrize("name", some(["extract", "evaluate", "find-thresholds"]))
def test_damaged_model_is_named(place, name, damage):
    damage(place / "model")
    check_failure(place, WITH_MODEL[name], "[E", "model")


# Data


@pytest.fixture(scope="session")
def bomb():
    """A small file that takes many times its size in memory."""
    packer = zlib.compressobj(1)
    zeros = bytes(2**20)
    return b"".join(packer.compress(zeros) for _ in range(300)) + packer.flush()


DAMAGED = {
    "empty": (b"", "it is empty"),
    "json": (b'{"text": "Ada"}', "not compressed"),
    "random": (bytes(range(256)) * 20, "not compressed"),
    "another archive": (b"PK\3\4" + bytes(100), "not compressed"),
    "no DocBin": (zlib.compress(b"Ada sleeps"), "something else"),
    "a list": (zlib.compress(srsly.msgpack_dumps([1, 2])), "something else"),
    "other keys": (zlib.compress(srsly.msgpack_dumps({"a": 1})), "something else"),
    "huge array": (zlib.compress(b"\xdd\xff\xff\xff\xff"), "E324"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", some(WITH_DATA))
@pytest.mark.parametrize("what", [*DAMAGED, "cut off", "changed", "missing", "folder"])
def test_data_that_is_none_is_named_with_its_cause(place, corpus_bytes, name, what):
    path = place / "data.spacy"
    if what in DAMAGED:
        content, cause = DAMAGED[what]
        path.write_bytes(content)
    elif what == "cut off":
        path.write_bytes(corpus_bytes[: len(corpus_bytes) // 2])
        cause = "its end is missing"
    elif what == "changed":
        middle = len(corpus_bytes) // 2
        path.write_bytes(corpus_bytes[:middle] + b"changed" + corpus_bytes[middle + 7 :])
        cause = "it is damaged"
    else:
        path.unlink()
        cause = "there is no such file"
        if what == "folder":
            path.mkdir()
            (path / "notes.txt").write_text("x")
            (path / ".hidden.spacy").write_bytes(corpus_bytes)
            (path / ".hidden").mkdir()
            (path / ".hidden" / "a.spacy").write_bytes(corpus_bytes)
            cause = "the folder has none"
    check_failure(place, WITH_DATA[name], "E324", "data.spacy", cause)


@pytest.mark.slow
@pytest.mark.parametrize("name", some(WITH_DATA))
def test_small_file_does_not_fill_the_memory(place, name, monkeypatch, bomb):
    monkeypatch.setattr(_util, "DocBin", None)  # which would take it all
    for file in ("data.spacy", "good.spacy"):
        (place / file).write_bytes(bomb)
    check_failure(place, WITH_DATA[name], "E324", "of memory")


@pytest.mark.slow
def test_repetitive_data_is_read(tmp_path):
    """Many texts that are the same are compressed as well as a bomb."""
    docs = [Doc(Vocab(), words=["Ada", "sleeps"])] * 5000
    DocBin(docs=docs, store_user_data=True).to_disk(tmp_path / "data.spacy")
    assert sum(1 for _ in _util.read_docs([tmp_path / "data.spacy"])) == 5000


def test_too_little_memory_is_told(place, monkeypatch):
    def from_disk(self, path):
        raise MemoryError

    monkeypatch.setattr(_util.DocBin, "from_disk", from_disk)
    check_failure(place, WITH_DATA["evaluate"], "E324", "not enough memory")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["evaluate", "error-analysis", "find-thresholds"])
def test_data_without_annotation_is_refused(place, name):
    DocBin(docs=[Doc(Vocab(), words=["Ada"])]).to_disk(place / "data.spacy")
    code = "E340" if name == "find-thresholds" else "E353"
    check_failure(place, WITH_DATA[name], code)


# Texts


@pytest.mark.parametrize(
    "content, code",
    [
        (b"\x89PNG\r\n\x1a\n\0\0", "E305"),
        (b"Ada\nsl\xe9eps\n", "line 2"),
        ("Ada sleeps.".encode("utf-16"), "E305"),
        ("Ada sleeps.".encode("utf-16-le"), "E385"),
        (b"Ada\n\0\0\0", "line 2"),
        (None, "E303"),
    ],
)
@pytest.mark.parametrize("name", some(WITH_TEXT))
def test_text_that_is_none_is_named(place, name, content, code):
    (place / "text.txt").unlink()
    if content is not None:
        (place / "text.txt").write_bytes(content)
    check_failure(place, WITH_TEXT[name], code, "text.txt")


@pytest.mark.parametrize("content", [b"\xff\xfe", b"Ada\nsl\xe9eps\n", b"Ada\0"])
def test_standard_input_that_is_no_text_is_named(place, content):
    check_failure(place, ["extract", "model", "-"], "[E3", input=content)


# Printing

# What a terminal would obey, and how it is shown
ESCAPES = {
    "\x1b[31mred": "\\x1b[31mred",
    "\x1b]0;title\x07": "\\x1b]0;title\\x07",
    "\x9b2J": "\\x9b2J",
    "\x08\x08": "\\x08",
    "\x7f": "\\x7f",
    "\u202emirrored": "\\u202emirrored",
    "\u2066x": "\\u2066",
}


def acts(text):
    """Whether a terminal would do more than print; wasabi's own colours are allowed."""
    for color in ("38;5;1", "38;5;2", "38;5;3", "38;5;4", "1", "0"):
        text = text.replace(f"\x1b[{color}m", "")
    return any(ord(x) < 32 and x not in "\n\t" for x in text) or any(
        0x7F <= ord(x) < 0xA0 or 0x202A <= ord(x) <= 0x202E or 0x2066 <= ord(x) <= 0x2069
        for x in text
    )


@pytest.mark.slow
@pytest.mark.parametrize("escape, shown", list(ESCAPES.items()))
@pytest.mark.parametrize("kind", ["text", "label", "file", "model"])
def test_texts_labels_and_names_only_print(make_nlp, annotate, place, kind, escape, shown):
    word = f"Ada{escape}".replace(" ", "") if kind == "text" else "Ada"
    label = f"MET{escape}" if kind == "label" else "MET"
    data = [(f"{word} met Bo", [(0, 1, label), (2, 3, "PER")], [(0, 1, label)])]
    nlp, _ = make_nlp(data)
    doc = annotate(nlp.vocab, *data[0])
    model = f"m{escape}" if kind == "model" else "m"
    file = f"f{escape}.spacy" if kind == "file" else "f.spacy"
    nlp.to_disk(place / model)
    DocBin(docs=[doc], store_user_data=True).to_disk(place / file)
    commands = [
        ["evaluate", model, file],
        ["error-analysis", model, file, "out.html"],
        ["debug-data", "--train", file, "--dev", file, "--verbose"],
        ["export", file, f"{file}.csv"],
        ["visualize", model, file, "out.html"],
        ["find-thresholds", model, file],
        ["extract", model, f"{file}.no"],
        ["extract", f"{model}.no", "text.txt"],
    ]
    printed = ""
    for arguments in commands:
        result, _ = run(arguments)
        assert not acts(result.output), (arguments, result.output)
        printed += result.output
    (place / "texts.txt").write_text(doc.text, newline="")
    result, _ = run(["extract", model, "texts.txt"])
    assert not acts(result.output), result.output
    assert shown in "".join((printed + result.output).split("\n"))


def test_visible():
    assert _util.visible("a\x1b\n\tb\x7f\x85\u2028\u202e\ud800") == (
        "a\\x1b\n\tb\\x7f\\x85\\u2028\\u202e\\ud800"
    )
    assert _util.visible("a\n\tb", lines=False) == "a\\n\\tb"
    assert _util.visible("Ünï עברית 🏠 \u200d\u200f") == "Ünï עברית 🏠 \u200d\u200f"


def test_what_the_terminal_can_not_show_is_escaped(monkeypatch):
    class Old:
        encoding = "ascii"

    monkeypatch.setattr(_util.sys, "stdout", Old())
    assert _util.visible("Zoë 🏠") == "Zo\\xeb \\U0001f3e0"


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX")
@pytest.mark.parametrize("many", [True, False])
def test_pipe_that_closes(place, many):
    (place / "text.txt").write_text("Ada lives in New Oslo .\n" * (2000 if many else 1))
    command = [sys.executable, "-m", "spacy", "jere", "extract", "model", "text.txt"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        if many:
            process.stdout.read(10)
        process.stdout.close()
        said = process.stderr.read().decode()
    assert process.returncode == 1
    assert "Traceback" not in said and "Exception ignored" not in said
    assert "E386" in said


@pytest.mark.slow
@pytest.mark.parametrize("name", ["extract", "evaluate", "export"])
def test_real_processes_end_without_a_traceback(place, name):
    (place / "data.spacy").write_bytes(b"no data")
    (place / "text.txt").write_bytes(b"\xff")
    command = [sys.executable, "-m", "spacy", "jere", *{**WITH_MODEL, **WITH_DATA}[name]]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr and "[E3" in done.stdout
