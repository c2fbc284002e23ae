"""Encoders that can't be loaded: one sentence that says why."""

import shutil
from pathlib import Path

import pytest
import torch

pytest.importorskip("spacy_transformers")

from spacy_jere.models.tok2vec.pretrained import load_pretrained


@pytest.fixture
def folder(encoder_families, tmp_path):
    """A copy of a tiny RoBERTa that a test may change."""
    return Path(shutil.copytree(encoder_families.folder("roberta"), tmp_path / "encoder"))


@pytest.fixture
def refused():
    """The message for a name."""

    def _refused(name, **tokenizer_config):
        with pytest.raises(ValueError) as error:
            load_pretrained(str(name), tokenizer_config, {})
        message = str(error.value)
        assert "\n" not in message and len(message) < 600 and f"'{name}'" in message
        return message

    return _refused


def pickled(folder, content=None):
    from transformers import AutoModel

    state = AutoModel.from_pretrained(folder).state_dict()
    (folder / "model.safetensors").unlink()
    torch.save(state if content is None else content, folder / "pytorch_model.bin")


class Code:
    def __reduce__(self):
        return print, ("run",)


def test_no_folder_and_no_name(refused, tmp_path):
    for name in (tmp_path / "nowhere", "./nowhere", "a/b/c", ""):
        assert "E445" in refused(name) and "no such folder" in refused(name)


@pytest.mark.parametrize("name", ["no-such-model", "nobody/no-such-model"])
def test_no_network(refused, monkeypatch, name):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert "hub can't be reached" in refused(name)


def test_no_model_of_this_name(refused, monkeypatch):
    def not_found(*args, **kwargs):
        raise OSError(
            "x is not a local folder and is not a valid model identifier listed on "
            "'https://huggingface.co/models'\nIf this is a private repository, …"
        )

    monkeypatch.setattr("transformers.AutoConfig.from_pretrained", not_found)
    assert "no model of this name" in refused("nobody/x")


def test_folder_without_weights(refused, folder, tmp_path):
    (folder / "model.safetensors").unlink()
    assert "no weights" in refused(folder)
    (folder / "tf_model.h5").write_bytes(b"x")
    assert "no weights" in refused(folder)
    (tmp_path / "empty").mkdir()
    assert "no config.json" in refused(tmp_path / "empty")


@pytest.mark.parametrize("content", [{"a": Code()}, None])
def test_weights_as_a_pickle_only(refused, folder, capsys, content):
    pickled(folder, content)
    if content is None:
        (folder / "pytorch_model.bin").write_bytes(b"damaged")
    message = refused(folder)
    assert "pickle" in message and "save_pretrained" in message
    assert "run" not in capsys.readouterr().out


def test_weights_as_a_pickle_that_needs_no_code(folder):
    expected = load_pretrained(str(folder), {}, {}).transformer.state_dict()
    pickled(folder)
    found = load_pretrained(str(folder), {}, {}).transformer.state_dict()
    assert all(torch.equal(x, expected[name]) for name, x in found.items())


def test_safetensors_come_first(folder):
    (folder / "pytorch_model.bin").write_bytes(b"damaged")
    assert load_pretrained(str(folder), {}, {}).transformer is not None


def test_folder_without_a_tokenizer(refused, folder):
    for path in folder.iterdir():
        if path.name not in ("config.json", "model.safetensors"):
            path.unlink()
    assert "E445" in refused(folder) and "tokenizer" in refused(folder)


@pytest.mark.parametrize("kind", ["T5", "ViT", "FNet"])
def test_models_that_are_no_encoders_of_texts(refused, folder, kind):
    import transformers

    small = {
        "T5": {"vocab_size": 330, "d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1},
        "FNet": {"vocab_size": 330, "hidden_size": 16, "num_hidden_layers": 1},
        "ViT": {"hidden_size": 16, "num_hidden_layers": 1, "intermediate_size": 16},
    }[kind]
    heads = {"T5": {"num_heads": 2}, "ViT": {"num_attention_heads": 2}}.get(kind, {})
    config = getattr(transformers, f"{kind}Config")(**small, **heads)
    getattr(transformers, f"{kind}Model")(config).save_pretrained(folder)
    assert "E457" in refused(folder) and kind.lower() in refused(folder)


def test_tokens_of_the_config_get_embeddings(folder):
    plain = load_pretrained(str(folder), {}, {})
    more = load_pretrained(str(folder), {"additional_special_tokens": ["[E1]", "[E2]"]}, {})
    n = len(plain.tokenizer)
    assert more.tokenizer.convert_tokens_to_ids(["[E1]", "[E2]"]) == [n, n + 1]
    rows = [x.transformer.get_input_embeddings().weight for x in (plain, more)]
    assert len(rows[1]) == n + 2 and torch.equal(rows[1][:n], rows[0])
