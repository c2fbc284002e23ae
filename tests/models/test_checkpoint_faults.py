"""Checkpoints of SpERT with faults: each is told in one sentence with a code, or does no harm."""

import json
import pickle
import random
import re
import shutil
import struct
import zipfile
from pathlib import Path

import pytest
import torch
from spacy.tokens import Doc

pytest.importorskip("spacy_transformers")

from safetensors.torch import save_file
from typer.testing import CliRunner

from spacy_jere.cli import app
from spacy_jere.models.spert_checkpoint import import_spert, read_checkpoint

TINY = Path(__file__).parent.parent / "fixtures" / "spert_tiny"
NEEDED = ["config.json", "vocab.txt", "types.json", "tokenizer_config.json", "pytorch_model.bin"]
SENTENCE = json.loads((TINY / "predictions.json").read_text("utf8"))["sentences"][0]["tokens"]
WORDS = "bert.embeddings.word_embeddings.weight"
SIZES = "size_embeddings.weight"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "checkpoint").mkdir()
    for name in NEEDED:
        shutil.copy(TINY / name, tmp_path / "checkpoint")
    return tmp_path / "checkpoint"


def change_json(folder, name, change):
    content = json.loads((folder / name).read_text("utf8"))
    content = change(content) or content
    (folder / name).write_text(json.dumps(content), encoding="utf8")


def set_value(name, key, value):
    return lambda folder: change_json(folder, name, lambda x: x.update({key: value}))


def write(name, content):
    return lambda folder: (folder / name).write_bytes(content)


def change_weights(change):
    def _change(folder):
        weights = torch.load(folder / "pytorch_model.bin", weights_only=True)
        changed = change(weights)
        torch.save(weights if changed is None else changed, folder / "pytorch_model.bin")

    return _change


def replace(key, change):
    return change_weights(lambda x: x.update({key: change(x[key])}))


def cast(key, dtype):
    return replace(key, lambda x: x.to(dtype))


def spoil(key, value):
    def _spoil(weights):
        weights[key].view(-1)[0] = value

    return change_weights(_spoil)


def compress(folder):
    path = folder / "pytorch_model.bin"
    with zipfile.ZipFile(path) as archive:
        parts = {x.filename: archive.read(x) for x in archive.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def labels(kind, label, said=None):
    def _labels(types):
        types[kind] = {**types[kind], label: said if said is not None else {}}

    return lambda folder: change_json(folder, "types.json", _labels)


def unlink(name):
    return lambda folder: (folder / name).unlink()


def as_folder(name):
    def _as_folder(folder):
        (folder / name).unlink()
        (folder / name).mkdir()

    return _as_folder


NOT_UTF8 = "Tromsø".encode("latin-1")
NESTED = b"[" * 100_000
POSITIONS = "position_embedding_type"
TWICE = (TINY / "vocab.txt").read_bytes().replace(b"\nthe\n", b"\nof\n")
NUMBERS = ["hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"]
NUMBERS += ["vocab_size", "max_position_embeddings", "type_vocab_size"]
FAULTS = {
    "labels as lists": ("E415", write("types.json", b'{"entities": ["A"], "relations": ["B"]}')),
    "labels of labels as text": ("E415", labels("entities", "Loc", "Loc")),
    "labels as a number": ("E415", set_value("types.json", "relations", 5)),
    "no entity labels": ("E415", set_value("types.json", "entities", {})),
    "no relation labels": ("E415", set_value("types.json", "relations", {})),
    "symmetric as text": ("E415", labels("relations", "Kill", {"symmetric": "no"})),
    "symmetric as a list": ("E415", labels("relations", "Kill", {"symmetric": []})),
    "empty label": ("E446", labels("relations", "")),
    "blank label": ("E446", labels("entities", " ")),
    "half a character": ("E446", labels("entities", "\ud83d")),
    "a label too many": ("E413", labels("relations", "Owns")),
    "an entity label too many": ("E413", labels("entities", "Ship")),
    "labels not UTF-8": ("E415", write("types.json", b'{"entities": {"' + NOT_UTF8 + b'": {}}}')),
    "labels nested deeply": ("E415", write("types.json", NESTED)),
    "labels cut off": ("E415", write("types.json", b'{"entities": {"Loc": {')),
    "no labels file": ("E410", unlink("types.json")),
    "labels file is a folder": ("E410", as_folder("types.json")),
    "config as a list": ("E447", write("config.json", b"[]")),
    "config empty": ("E447", write("config.json", b"")),
    "config not UTF-8": ("E447", write("config.json", b'{"a": "' + NOT_UTF8 + b'"}')),
    "config nested deeply": ("E447", write("config.json", b'{"a": ' + NESTED)),
    "config is a folder": ("E410", as_folder("config.json")),
    "another model": ("E446", set_value("config.json", "model_type", "roberta")),
    "no whole number of heads": ("E447", set_value("config.json", "num_attention_heads", 7)),
    "unknown activation": ("E446", set_value("config.json", "hidden_act", "os.system")),
    "dropout of 7": ("E446", set_value("config.json", "hidden_dropout_prob", 7)),
    "dropout as text": ("E446", set_value("config.json", "attention_probs_dropout_prob", "0.1")),
    "epsilon as text": ("E446", set_value("config.json", "layer_norm_eps", "1e-12")),
    "epsilon not a number": ("E446", set_value("config.json", "layer_norm_eps", float("nan"))),
    "epsilon of a million": ("E446", set_value("config.json", "layer_norm_eps", 1e6)),
    "padding beyond the table": ("E446", set_value("config.json", "pad_token_id", 1500)),
    "a decoder": ("E446", set_value("config.json", "is_decoder", True)),
    "relative positions": (
        "E412",
        set_value("config.json", "position_embedding_type", "relative_key"),
    ),
    "unknown positions": ("E446", set_value("config.json", "position_embedding_type", "none")),
    "vocabulary not UTF-8": ("E447", write("vocab.txt", b"[PAD]\n" + NOT_UTF8)),
    "vocabulary empty": ("E446", write("vocab.txt", b"")),
    "vocabulary cut off": ("E446", lambda folder: cut(folder / "vocab.txt", 4000)),
    "a word piece twice": ("E446", write("vocab.txt", TWICE)),
    "no vocabulary": ("E410", unlink("vocab.txt")),
    "tokenizer as a list": ("E447", write("tokenizer_config.json", b"[1]")),
    "tokenizer cut off": ("E447", write("tokenizer_config.json", b'{"do_lower')),
    "lower case as text": ("E446", set_value("tokenizer_config.json", "do_lower_case", "yes")),
    "accents as a number": ("E446", set_value("tokenizer_config.json", "strip_accents", 3)),
    "unknown special token": ("E446", set_value("tokenizer_config.json", "cls_token", "<s>")),
    "special token as a list": ("E446", set_value("tokenizer_config.json", "pad_token", [0])),
    "length as text": ("E446", set_value("tokenizer_config.json", "model_max_length", "512")),
    "no weights": ("E410", unlink("pytorch_model.bin")),
    "weights empty": ("E414", write("pytorch_model.bin", b"")),
    "weights as a list": ("E414", change_weights(lambda x: list(x.values()))),
    "weights as a tensor": ("E414", change_weights(lambda x: torch.zeros(3))),
    "weights as a number": ("E414", lambda f: torch.save(3, f / "pytorch_model.bin")),
    "a number among weights": ("E414", change_weights(lambda x: x.update(step=3))),
    "a number as a name": ("E414", change_weights(lambda x: x.update({3: torch.zeros(1)}))),
    "weights one level down": ("E414", change_weights(lambda x: {"state_dict": x})),
    "weights compressed": ("E414", compress),
    "plain pickle": ("E414", write("pytorch_model.bin", pickle.dumps({"a": 1}, protocol=2))),
    "complex weights": ("E451", cast(WORDS, torch.complex64)),
    "whole numbers as weights": ("E451", cast("rel_classifier.bias", torch.int64)),
    "truth values as weights": ("E451", cast("entity_classifier.weight", torch.bool)),
    "sparse weights": ("E451", replace(WORDS, torch.Tensor.to_sparse)),
    "NaN in the encoder": ("E452", spoil(WORDS, float("nan"))),
    "infinity in the head": ("E452", spoil("entity_classifier.weight", float("inf"))),
    "NaN in the sizes": ("E452", spoil(SIZES, float("nan"))),
    "too large for 32 bits": ("E452", replace(WORDS, lambda x: x.double() + 1e300)),
    "no size embeddings": ("E412", change_weights(lambda x: {k: x[k] for k in x if k != SIZES})),
    "size embeddings of one axis": ("E413", replace(SIZES, lambda x: x[0])),
    "size embeddings without rows": ("E413", replace(SIZES, lambda x: x[:0])),
    "a scalar as a table": ("E413", replace(WORDS, lambda x: x.sum())),
    "a huge view of one number": ("E413", replace(WORDS, lambda x: x[0, :1].expand(10**9, 10**9))),
    **{
        f"{name} = {value!r}": (code, set_value("config.json", name, value))
        for name in NUMBERS
        for value, code in (
            (0, "E446"),
            (-1, "E446"),
            ("12", "E446"),
            (2.5, "E446"),
            (True, "E446"),
            (None, "E446"),
            ([2], "E446"),
            (10**6, "E4(13|46|47)"),
            (10**100, "E446"),
        )
    },
}


def cut(path, size):
    path.write_bytes(path.read_bytes()[:size])


def fails_with_a_code(folder):
    """The sentence that tells what is wrong; None if the checkpoint is imported. Any other
    exception comes through."""
    try:
        nlp = import_spert(read_checkpoint(folder))
    except ValueError as error:
        assert re.match(r"\[E(41|44|45)\d\] ", str(error)), repr(error)
        assert "\n" not in str(error) and len(str(error)) < 1000
        return str(error)
    doc = nlp(Doc(nlp.vocab, words=SENTENCE))
    assert doc._.relations is not None
    return None


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(x, marks=pytest.mark.slow if x.partition(" = ")[0] in NUMBERS[2:] else ())
        for x in FAULTS
    ],
)
def test_fault_is_told(folder, name):
    code, spoil_it = FAULTS[name]
    spoil_it(folder)
    told = fails_with_a_code(folder)
    assert told is not None and re.match(rf"\[{code}\]", told), told


def test_advice_to_run_code_is_not_passed_on(folder):
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"a": Path}, protocol=2))
    told = fails_with_a_code(folder)
    assert "weights_only" not in told and "E414" in told


@pytest.mark.parametrize("name", ["labels as lists", "NaN in the sizes", "hidden_size = 1000000"])
def test_command_ends_with_one_sentence(folder, tmp_path, name):
    FAULTS[name][1](folder)
    result = CliRunner().invoke(app, ["import-spert", str(folder), str(tmp_path / "model")])
    assert result.exit_code == 1 and isinstance(result.exception, SystemExit)
    assert len(re.findall(r"\[E4\d\d\]", result.output)) == 1
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("lang", ["", "xx-none", "../en", "english", "é"])
def test_unknown_language(lang):
    with pytest.raises(ValueError, match="E448"):
        import_spert(read_checkpoint(TINY), lang=lang)


@pytest.mark.parametrize("option", [{"rel_threshold": 7.0}, {"max_span_width": 0}])
def test_options_out_of_range(option):
    with pytest.raises(ValueError, match=r"\[E\d\d\d\]"):
        import_spert(read_checkpoint(TINY), **option)


def test_padded_table_is_accepted(folder):
    def pad(weights):
        weights[WORDS] = torch.cat([weights[WORDS], torch.zeros(36, 48)])

    change_weights(pad)(folder)
    set_value("config.json", "vocab_size", 1536)(folder)
    assert fails_with_a_code(folder) is None


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_are_accepted(folder, dtype):
    change_weights(lambda x: {key: y.to(dtype) for key, y in x.items()})(folder)
    assert fails_with_a_code(folder) is None


# Damaged bytes


def mutate(content, rng):
    """A copy with some bytes flipped, cut off, left out, doubled or zeroed."""
    data = bytearray(content)
    place = rng.randrange(len(data))
    kind = rng.choice(["flip", "flip", "cut", "leave out", "double", "zero"])
    size = min(rng.choice([1, 4, 100, 5000]), len(data) - place)
    if kind == "flip":
        data[place] ^= 1 << rng.randrange(8)
    elif kind == "cut":
        del data[place:]
    elif kind == "leave out":
        del data[place : place + size]
    elif kind == "double":
        data[place:place] = data[place : place + size]
    else:
        data[place : place + size] = bytes(size)
    return bytes(data), kind


def damage(folder, name, n, seed):
    """RETURNS: How often the damage was told, made no difference, or changed the weights."""
    rng, original = random.Random(seed), (folder / name).read_bytes()
    counts = {"told": 0, "imported": 0}
    for _ in range(n):
        (folder / name).write_bytes(mutate(original, rng)[0])
        counts["told" if fails_with_a_code(folder) else "imported"] += 1
    (folder / name).write_bytes(original)
    return counts


@pytest.mark.slow
@pytest.mark.parametrize("name", NEEDED)
def test_damaged_file(folder, name):
    counts = damage(folder, name, 40, name)
    assert sum(counts.values()) == 40
    if name == "pytorch_model.bin":
        # Its archive has checksums. Padding between the parts is nobody's.
        assert counts["told"] >= 35


@pytest.mark.slow
def test_damaged_safetensors(folder):
    weights = torch.load(folder / "pytorch_model.bin", weights_only=True)
    save_file({key: x.contiguous() for key, x in weights.items()}, folder / "model.safetensors")
    (folder / "pytorch_model.bin").unlink()
    assert damage(folder, "model.safetensors", 40, 1)["told"] > 10


@pytest.mark.parametrize("size", [0, 10**6, 2**62, 2**64 - 1])
def test_safetensors_with_a_wrong_header(folder, size):
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", size) + b"{}")
    assert "E414" in fails_with_a_code(folder)


def test_a_flipped_bit_in_the_weights_is_found(folder):
    path = folder / "pytorch_model.bin"
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        largest = max(archive.infolist(), key=lambda x: x.file_size)
    content[largest.header_offset + largest.file_size // 2] ^= 1
    path.write_bytes(content)
    assert "checksum" in fails_with_a_code(folder)
