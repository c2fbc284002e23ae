"""SECURITY.md: a test, or several, for each sentence of its promises.

More cases of each are in `models/test_storage.py`, `models/tok2vec/test_transformer_shim.py`,
`models/test_checkpoint_faults.py`, `models/test_saved_fuzz.py` and the tests of the formats.
"""

import io
import json
import os
import pickle
import re
import shutil
import socket
import tempfile
from pathlib import Path

import pytest
import spacy
import srsly
import torch
from safetensors.torch import load as load_safetensors
from spacy.tokens import Doc, Span
from typer.testing import CliRunner

from spacy_jere.cli import app
from spacy_jere.export import WRITERS, write_docs
from spacy_jere.formats import FORMATS, read_records
from spacy_jere.models.storage import seal, unpack, unseal
from spacy_jere.visualize import render, to_svg

ROOT = Path(__file__).parent.parent
TINY = ROOT / "tests" / "fixtures" / "spert_tiny"
PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf8")
NAME = "joint_ner_re"
TEXT = "Ada lives in New Oslo ."
PROMISES = {}


def few(cases, n=2):
    """The first cases; the others are slow together."""
    cases = list(cases)
    return [*cases[:n], *(pytest.param(x, marks=pytest.mark.slow) for x in cases[n:])]


def promise(sentence):
    """Names the sentence that a test is of."""

    def decorate(test):
        PROMISES.setdefault(sentence, []).append(test.__name__)
        return test

    return decorate


def promised():
    part = PAGE.split("## What is promised")[1].split("## What is not promised")[0]
    bullets = re.findall(r"^\* (.*?)(?=\n\* |\n\n|\Z)", part, flags=re.M | re.S)
    return [" ".join(x.split()) for x in bullets]


def test_every_sentence_of_the_page_has_a_test():
    assert len(promised()) == 15
    assert sorted(PROMISES) == sorted(promised())
    assert all(test in globals() for tests in PROMISES.values() for test in tests)


@pytest.fixture(scope="module")
def saved(tiny_bert, make_examples, model_config, overfit, tmp_path_factory):
    """The folder of a pipeline with a transformer."""
    pytest.importorskip("spacy_transformers")
    nlp = spacy.blank("en")
    spans = {"@span_getters": "spacy-jere.window_spans.v1"}
    model = {"@architectures": "spacy-jere.TransformerModel.v1", "get_spans": spans}
    nlp.add_pipe("transformer", config={"model": {**model, "name": tiny_bert}})
    listener = {
        "@architectures": "spacy-jere.TransformerListener.v1",
        "pooling": {"@layers": "reduce_mean.v1"},
    }
    nlp.add_pipe(NAME, config={"model": model_config(tok2vec=listener)})
    nlp.initialize(lambda: make_examples(nlp))
    folder = tmp_path_factory.mktemp("saved")
    nlp.to_disk(folder)
    return folder


@pytest.fixture
def pipeline(saved, tmp_path):
    """A copy of the folder that a test may change."""
    return Path(shutil.copytree(saved, tmp_path / "pipeline"))


@pytest.fixture
def checkpoint(tmp_path):
    return Path(shutil.copytree(TINY, tmp_path / "checkpoint"))


class Harmful:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def pickled(path):
    file = io.BytesIO()
    torch.save({"a": Harmful(path)}, file)
    return file.getvalue()


def change(file, component, change_it, sealed=True):
    """Change what a saved model holds, and write it as somebody would who knows the format."""
    seal_it = seal if sealed else bytes
    msg = unpack(unseal(file.read_bytes()).payload)
    i = 0 if component == NAME else 1
    own = unpack(unseal(msg["shims"][i][0]).payload)
    change_it(own)
    msg["shims"][i] = [seal_it(srsly.msgpack_dumps(own))]
    file.write_bytes(seal_it(srsly.msgpack_dumps(msg)))


def load(folder):
    """RETURNS: The pipeline, or the error with a code."""
    try:
        return spacy.load(folder)
    except ValueError as error:
        assert re.match(r"\[E44\d\] [^\n]*\Z", str(error)), repr(error)
        return str(error)


def files_of(folder):
    return {x: x.read_bytes() for x in folder.rglob("*") if x.is_file()}


# Saved pipelines


@pytest.mark.slow
@promise("Loading runs no code that a saved model contains, names or asks for.")
@pytest.mark.parametrize("component, key", [("transformer", "state"), (NAME, "weights")])
@pytest.mark.parametrize("sealed", few([False, True], 1))
def test_pickled_code_is_not_run(pipeline, tmp_path, component, key, sealed):
    ran = tmp_path / "ran"
    file = pipeline / component / "model"
    change(file, component, lambda own: own.update({key: pickled(ran)}), sealed)
    assert "E440" in load(pipeline)
    assert not ran.exists()
    torch.load(io.BytesIO(pickled(ran)), weights_only=False)
    assert ran.exists()  # so it would have been run


@promise("Loading runs no code that a saved model contains, names or asks for.")
def test_code_that_is_named_is_not_run(pipeline, tmp_path):
    ran, code = tmp_path / "ran", tmp_path / "evil.py"
    code.write_text(f"from pathlib import Path\nPath({str(ran)!r}).touch()\n", encoding="utf8")

    def name_code(own):
        names = {"AutoConfig": "evil.X", "AutoModel": "evil.X", "AutoTokenizer": ["evil.X", None]}
        own["config"]["auto_map"] = names
        settings = {**json.loads(own["tokenizer"]["tokenizer_config.json"]), "auto_map": names}
        own["tokenizer"]["tokenizer_config.json"] = json.dumps(settings).encode("utf8")

    change(pipeline / "transformer" / "model", "transformer", name_code)
    assert load(pipeline)(TEXT).has_extension("relations")
    assert not ran.exists()


@promise("Loading runs no code that a saved model contains, names or asks for.")
@pytest.mark.parametrize("sealed", few([False, True], 1))
def test_code_that_is_asked_for_is_not_run(pipeline, tmp_path, sealed):
    def ask(own):
        own["tokenizer"]["kwargs"]["trust_remote_code"] = True
        own["tokenizer"]["evil.py"] = f"open({str(tmp_path / 'ran')!r}, 'w')".encode()

    change(pipeline / "transformer" / "model", "transformer", ask, sealed)
    assert "E444" in load(pipeline)
    assert not (tmp_path / "ran").exists()


@pytest.mark.slow
@promise(
    "Loading writes no files, except a tokenizer's into a new temporary folder that is removed "
    "again."
)
@pytest.mark.parametrize("name", few([None, "../evil", "/{folder}/evil", "a/b"]))
@pytest.mark.parametrize("sealed", few([False, True], 1))
def test_nothing_is_written(pipeline, tmp_path, monkeypatch, name, sealed):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    if name is not None:
        entry = {name.format(folder=tmp_path): b"x"}
        file = pipeline / "transformer" / "model"
        change(file, "transformer", lambda own: own["tokenizer"].update(entry), sealed)
    before = files_of(tmp_path)
    assert isinstance(load(pipeline), str) is (name is not None)
    assert files_of(tmp_path) == before
    assert os.listdir(tmp_path / "temporary") == []


@promise("Loading opens no network connection.")
def test_nothing_is_connected(pipeline, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a connection")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert not isinstance(load(pipeline), str)


@promise("What is saved holds no pickles: weights are safetensors.")
@pytest.mark.parametrize("component, key", [("transformer", "state"), (NAME, "weights")])
def test_saved_weights_are_safetensors(pipeline, component, key):
    file = pipeline / component / "model"
    found = {}
    change(file, component, found.update)
    assert len(load_safetensors(found[key])) > 3
    # Pickles by torch are archives; those by Python end in a stop after a protocol.
    content = file.read_bytes()
    assert b"PK\x03\x04" not in content and b"data.pkl" not in content
    assert b"\x80\x02}q" not in content and b"\x80\x04\x95" not in content


@pytest.mark.slow
@promise("A saved model that was cut off or changed by accident does not load: it has a checksum.")
@pytest.mark.parametrize("component", few([NAME, "transformer"], 1))
@pytest.mark.parametrize("place", few([0.5, 0.0001, 0.2, 0.8, 0.9999]))
def test_damage_is_found(pipeline, component, place):
    file = pipeline / component / "model"
    data = file.read_bytes()
    i = int(len(data) * place)
    for damaged in (data[:i], data[:i] + bytes([data[i] ^ 16]) + data[i + 1 :]):
        file.write_bytes(damaged)
        assert re.match(r"\[E44[03]\]", load(pipeline))


@promise("Weights that are NaN or infinite, or of a wrong shape or type, do not load.")
@pytest.mark.parametrize("component", few([NAME, "transformer"], 1))
@pytest.mark.parametrize(
    "spoil, code",
    [
        (lambda x: setattr(x, "data", x.data[:1].clone()), "E441"),
        (lambda x: x.data.view(-1)[:1].fill_(float("nan")), "E442"),
        (lambda x: x.data.view(-1)[:1].fill_(float("inf")), "E442"),
        pytest.param(
            lambda x: setattr(x, "data", x.data.to(torch.complex64)),
            "E441",
            marks=pytest.mark.slow,
        ),
    ],
    ids=["shape", "nan", "infinite", "type"],
)
def test_weights_are_checked(pipeline, component, spoil, code):
    nlp = load(pipeline)
    model = nlp.get_pipe(component).model
    shim = model.shims[0] if component == NAME else model.layers[0].shims[0]
    spoil(max(shim._model.parameters(), key=lambda x: x.numel()))
    model.to_disk(pipeline / component / "model")
    assert code in load(pipeline)


@pytest.mark.slow
@promise("No settings in a saved model can make it larger than the weights that come with it.")
@pytest.mark.parametrize(
    "component, part, name",
    [
        (NAME, "settings", "ner_hidden"),
        (NAME, "settings", "ensemble_size"),
        ("transformer", "config", "num_hidden_layers"),
        ("transformer", "config", "hidden_size"),
        ("transformer", "config", "vocab_size"),
    ],
)
def test_settings_are_bounded(pipeline, component, part, name):
    file = pipeline / component / "model"
    change(file, component, lambda own: own[part].update({name: 10**8}))
    assert "E441" in load(pipeline)


@pytest.mark.slow
@promise(
    "Whatever is wrong with a saved model is told in one error with a code, and the damaged file "
    "is named."
)
@pytest.mark.parametrize("component", few([NAME, "transformer"], 1))
@pytest.mark.parametrize(
    "content", few([b"x", seal(b"\x90"), b"", b"\xc1", b"\x80", pickle.dumps([1])])
)
def test_one_error_that_names_the_file(pipeline, component, content):
    (pipeline / component / "model").write_bytes(content)
    told = load(pipeline)
    assert ("transformer component (its file 'model')" if component != NAME else NAME) in told


# Transformers by name, and checkpoints


@promise(
    "Code that comes with a transformer runs only if your own config says `trust_remote_code`."
)
def test_code_of_a_transformer_is_not_run(tiny_bert, tmp_path):
    encoder = Path(shutil.copytree(tiny_bert, tmp_path / "encoder"))
    ran = tmp_path / "ran"
    (encoder / "evil.py").write_text(f"open({str(ran)!r}, 'w')\n", encoding="utf8")
    config = json.loads((encoder / "config.json").read_text("utf8"))
    config.update(model_type="own", auto_map={"AutoConfig": "evil.X", "AutoModel": "evil.X"})
    (encoder / "config.json").write_text(json.dumps(config), encoding="utf8")
    with pytest.raises(ValueError, match="E445"):
        initialized(encoder)
    assert not ran.exists()


@promise("Pickled code in `pytorch_model.bin` is not run, and `model.safetensors` is preferred.")
@pytest.mark.parametrize("preferred", [True, False])
def test_pickles_of_a_transformer(tiny_bert, tmp_path, preferred):
    encoder = Path(shutil.copytree(tiny_bert, tmp_path / "encoder"))
    (encoder / "pytorch_model.bin").write_bytes(pickled(tmp_path / "ran"))
    if preferred:
        assert initialized(encoder)(TEXT)._.trf_data is not None
    else:
        (encoder / "model.safetensors").unlink()
        with pytest.raises(ValueError, match="E445"):
            initialized(encoder)
    assert not (tmp_path / "ran").exists()


def initialized(encoder):
    pytest.importorskip("spacy_transformers")
    nlp = spacy.blank("en")
    spans = {"@span_getters": "spacy-jere.window_spans.v1"}
    model = {"@architectures": "spacy-jere.TransformerModel.v1", "get_spans": spans}
    nlp.add_pipe("transformer", config={"model": {**model, "name": str(encoder)}})
    nlp.initialize()
    return nlp


def run_import(checkpoint, tmp_path):
    pytest.importorskip("spacy_transformers")
    return CliRunner().invoke(app, ["import-spert", str(checkpoint), str(tmp_path / "imported")])


@promise("`import-spert` runs no code of a checkpoint.")
@pytest.mark.parametrize("kind", ["archive", "pickle", "named"])
def test_code_of_a_checkpoint_is_not_run(checkpoint, tmp_path, kind):
    ran = tmp_path / "ran"
    if kind == "named":
        (checkpoint / "evil.py").write_text(f"open({str(ran)!r}, 'w')\n", encoding="utf8")
        for name in ("config.json", "tokenizer_config.json"):
            content = json.loads((checkpoint / name).read_text("utf8"))
            names = {"AutoConfig": "evil.X", "AutoTokenizer": ["evil.X", "evil.X"]}
            content.update(auto_map=names, trust_remote_code=True)
            (checkpoint / name).write_text(json.dumps(content), encoding="utf8")
    else:
        content = pickled(ran) if kind == "archive" else pickle.dumps(Harmful(ran), protocol=2)
        (checkpoint / "pytorch_model.bin").write_bytes(content)
    assert run_import(checkpoint, tmp_path).exit_code == (0 if kind == "named" else 1)
    assert not ran.exists()


@promise(
    "`import-spert` ends with one sentence and exit code 1 if something is wrong with a checkpoint."
)
@pytest.mark.parametrize("name", ["config.json", "types.json", "vocab.txt", "pytorch_model.bin"])
@pytest.mark.parametrize("content", few([None, b'{"hidden_size": 1e99}', b"", b"[1]", b"\xff\xfe"]))
def test_faulty_checkpoints(checkpoint, tmp_path, name, content):
    (checkpoint / name).unlink()
    if content is not None:
        (checkpoint / name).write_bytes(content)
    result = run_import(checkpoint, tmp_path)
    assert result.exit_code == 1 and isinstance(result.exception, SystemExit)
    assert len(re.findall(r"\[E4\d\d\]", result.output)) == 1
    assert not (tmp_path / "imported").exists()


# Texts and annotations


@promise("Reading annotations runs no code that is in them.")
@pytest.mark.parametrize("format", FORMATS)
def test_reading_runs_no_code(tmp_path, format):
    ran = tmp_path / "ran"
    code = f"!!python/object/apply:builtins.open [{ran}, w]\n__import__('os').mknod({str(ran)!r})\n"
    (tmp_path / "data").mkdir()
    for content in (pickle.dumps(Harmful(ran)), pickled(ran), code.encode("utf8")):
        for suffix in FORMATS[format].SUFFIXES:
            (tmp_path / "data" / f"a{suffix}").write_bytes(content)
        try:
            list(read_records(tmp_path / "data", format=format))
        except ValueError as error:
            assert str(error).startswith("[E")
    assert not ran.exists()


@pytest.mark.slow
@promise("Names inside annotations never become paths outside the output folder.")
@pytest.mark.parametrize(
    "name", few(["../evil", "/{folder}/evil", "a/../../evil", "..", "C:\\evil"])
)
@pytest.mark.parametrize("format", few(sorted(WRITERS, key=lambda x: x != "brat")))
def test_names_do_not_become_paths(tmp_path, annotate, format, name):
    doc = annotate(spacy.blank("en").vocab, TEXT, [(0, 1, "PER"), (3, 5, "LOC")], [(0, 1, "IN")])
    doc.user_data["id"] = name.format(folder=tmp_path)
    (tmp_path / "output").mkdir()
    try:
        write_docs([doc], tmp_path / "output" / "written", format)
    except (ValueError, ImportError) as error:
        assert str(error).startswith("[E")
    assert [x.name for x in tmp_path.iterdir()] == ["output"]
    assert {x.name for x in (tmp_path / "output").iterdir()} <= {"written"}


@promise("Texts and labels cannot become markup in pictures and pages.")
@pytest.mark.parametrize("markup", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>'])
def test_markup_is_escaped(markup):
    doc = Doc(spacy.blank("en").vocab, words=[markup, "met", "Bo"])
    doc.ents = [Span(doc, 0, 1, markup), Span(doc, 2, 3, "PER")]
    doc._.relations = [(doc.ents[0], doc.ents[1], markup)]
    for page in (render(doc), to_svg(doc)):
        assert "<script" not in page.replace("<script>/*", "") and "<img" not in page
        assert "&lt;" in page
