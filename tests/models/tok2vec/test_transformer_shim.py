"""A transformer that is loaded: by name, and from bytes that anybody may have written."""

import io
import json
import os
import random
import shutil
import warnings
from pathlib import Path

import pytest
import spacy
import srsly
import torch
from spacy.tokens import Doc

pytest.importorskip("spacy_transformers")

from spacy_jere.models.storage import LoadError, seal, unpack, unseal

WORDS = ["Rome", "is", "the", "home", "of", "Bo", "."]
CODE = "from pathlib import Path\nPath({path!r}).touch()\n"
KIND = "spacy-jere.TransformerModel.v1"


def few(cases, n=2):
    """The first cases; the others are slow together."""
    cases = list(cases)
    return [*cases[:n], *(pytest.param(x, marks=pytest.mark.slow) for x in cases[n:])]


@pytest.fixture(scope="module")
def make_trf(tiny_bert):
    def _make_trf(name=None, initialize=True, **settings):
        nlp = spacy.blank("en")
        spans = {"@span_getters": "spacy-jere.window_spans.v1"}
        model = {"@architectures": KIND, "name": name or tiny_bert, "get_spans": spans, **settings}
        nlp.add_pipe("transformer", config={"model": model})
        if initialize:
            nlp.initialize()
        return nlp

    return _make_trf


@pytest.fixture(scope="module")
def trf(make_trf):
    """Shared: don't change it."""
    return make_trf()


@pytest.fixture
def make_bytes(trf):
    """The bytes of the model with a change that somebody made, sealed anew."""

    def _make_bytes(change):
        msg = unpack(unseal(trf.get_pipe("transformer").model.to_bytes()).payload)
        own = unpack(unseal(msg["shims"][1][0]).payload)
        change(own)
        msg["shims"][1] = [seal(srsly.msgpack_dumps(own))]
        return seal(srsly.msgpack_dumps(msg))

    return _make_bytes


@pytest.fixture
def load(make_trf):
    def _load(data):
        nlp = make_trf(initialize=False)
        nlp.get_pipe("transformer").model.from_bytes(data)
        return nlp

    return _load


@pytest.fixture
def old_bytes(trf):
    """The bytes as spacy-transformers itself writes them: a pickle, and any file and argument."""

    def _old_bytes(change=lambda msg: None):
        model = trf.get_pipe("transformer").model
        msg = unpack(unseal(model.to_bytes()).payload)
        own = unpack(unseal(msg["shims"][1][0]).payload)
        file = io.BytesIO()
        torch.save(model.transformer.state_dict(), file)
        own.update(state=file.getvalue(), _init_tokenizer_config={}, _init_transformer_config={})
        change(own)
        msg["shims"][1] = [srsly.msgpack_dumps(own)]
        return srsly.msgpack_dumps(msg)

    return _old_bytes


def vectors(nlp):
    doc = nlp(Doc(nlp.vocab, words=WORDS))
    return torch.as_tensor(doc._.trf_data.model_output.last_hidden_state)


def changed_json(own, name, **changes):
    content = json.loads(own["tokenizer"][name])
    own["tokenizer"][name] = json.dumps({**content, **changes}).encode("utf8")


# What is stored


@pytest.mark.slow
def test_round_trip(trf, load, tmp_path):
    again = load(trf.get_pipe("transformer").model.to_bytes())
    assert torch.equal(vectors(again), vectors(trf))
    trf.to_disk(tmp_path)
    assert torch.equal(vectors(spacy.load(tmp_path)), vectors(trf))
    twice = load(again.get_pipe("transformer").model.to_bytes())
    assert torch.equal(vectors(twice), vectors(trf))


def test_nothing_pickled_and_no_code_is_stored(trf):
    msg = unpack(unseal(trf.get_pipe("transformer").model.to_bytes()).payload)
    own = unpack(unseal(msg["shims"][1][0]).payload)
    assert set(own) == {"config", "tokenizer", "state"}
    assert own["tokenizer"].pop("kwargs") == {"use_fast": True}
    assert set(own["tokenizer"]) >= {"vocab.txt", "tokenizer.json", "tokenizer_config.json"}
    assert "auto_map" not in own["config"]
    assert own["state"][8:9] == b"{"  # the header of safetensors


@pytest.mark.slow
def test_round_trip_before_initialization(make_trf, tmp_path):
    nlp = make_trf(initialize=False, tokenizer_config={"use_fast": False})
    nlp.to_disk(tmp_path)
    again = spacy.load(tmp_path)
    assert again.get_pipe("transformer").model.transformer is None
    again.initialize()
    assert not again.get_pipe("transformer").model.tokenizer.is_fast


@pytest.mark.slow
@pytest.mark.parametrize("use_fast", [True, False])
def test_slow_and_fast_tokenizers(make_trf, load, use_fast):
    nlp = make_trf(tokenizer_config={"use_fast": use_fast})
    model = nlp.get_pipe("transformer").model
    before = getattr(model.tokenizer, "vocab_file", None)
    again = load(model.to_bytes())
    assert again.get_pipe("transformer").model.tokenizer.is_fast is use_fast
    assert torch.equal(vectors(again), vectors(nlp))
    assert getattr(model.tokenizer, "vocab_file", None) == before


def test_old_bytes_load(trf, load, old_bytes):
    assert torch.equal(vectors(load(old_bytes())), vectors(trf))


def test_old_bytes_with_counted_positions(trf, load, old_bytes):
    def change(own):
        state = torch.load(io.BytesIO(own["state"]), weights_only=True)
        state["embeddings.position_ids"] = torch.arange(256)[None]
        file = io.BytesIO()
        torch.save(state, file)
        own["state"] = file.getvalue()

    assert torch.equal(vectors(load(old_bytes(change))), vectors(trf))


# What somebody may have written


@pytest.mark.slow
@pytest.mark.parametrize("old", few([True, False], 1))
@pytest.mark.parametrize(
    "name", few(["../evil.py", "{folder}/evil.py", "evil.py", "a/../b", "", "."])
)
def test_files_of_other_names_are_not_written(load, make_bytes, old_bytes, tmp_path, name, old):
    name = name.format(folder=tmp_path)
    make = old_bytes if old else make_bytes
    data = make(lambda own: own["tokenizer"].update({name: b"x"}))
    before = sorted(tmp_path.parent.rglob("*"))
    with pytest.raises(LoadError, match=r"\[E444\].*written"):
        load(data)
    assert sorted(tmp_path.parent.rglob("*")) == before


@pytest.mark.slow
@pytest.mark.parametrize("old", few([True, False], 1))
@pytest.mark.parametrize(
    "arguments",
    few(
        [
            {"use_fast": True, "trust_remote_code": True},
            {"use_fast": True, "subfolder": ".."},
            {"cache_dir": "/"},
            [],
            None,
            "use_fast",
        ]
    ),
    ids=str,
)
def test_other_arguments_are_refused(load, make_bytes, old_bytes, arguments, old):
    make = old_bytes if old else make_bytes
    with pytest.raises(LoadError, match=r"\[E444\]"):
        load(make(lambda own: own["tokenizer"].update(kwargs=arguments)))


@pytest.mark.parametrize("old", few([True, False], 1))
def test_names_of_code_are_passed_over(trf, load, make_bytes, old_bytes, tmp_path, old):
    """A model that once came with code of its own loads, and the code is not looked for."""
    code = tmp_path / "evil.py"
    code.write_text(CODE.format(path=str(tmp_path / "ran")), encoding="utf8")
    classes = {
        "AutoConfig": f"{tmp_path}--evil.X",
        "AutoModel": "evil.X",
        "AutoTokenizer": "evil.X",
    }

    def change(own):
        own["config"].update(auto_map=classes, trust_remote_code=True, custom_pipelines={"a": "b"})
        own["config"]["attn_implementation"] = "someone/kernel:run"
        own["config"]["_attn_implementation_internal"] = "someone/kernel:run"
        own["config"]["quantization_config"] = {"quant_method": "someones"}
        changed_json(own, "tokenizer_config.json", auto_map=classes, trust_remote_code=True)
        changed_json(own, "special_tokens_map.json", auto_map=classes)

    nlp = load((old_bytes if old else make_bytes)(change))
    assert torch.equal(vectors(nlp), vectors(trf))
    assert not (tmp_path / "ran").exists()
    assert not hasattr(nlp.get_pipe("transformer").model.transformer.config, "auto_map")


def test_templates_do_not_become_files(load, make_bytes, tmp_path):
    """A tokenizer writes its chat templates under their names when it is saved."""
    template = [{"name": f"../../../../../..{tmp_path}/evil", "template": "x"}]

    def change(own):
        changed_json(own, "tokenizer_config.json", chat_template=template)
        changed_json(own, "special_tokens_map.json", chat_template=template)

    nlp = load(make_bytes(change))
    nlp.get_pipe("transformer").model.to_bytes()
    assert not nlp.get_pipe("transformer").model.tokenizer.chat_template
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("key", ["vocab_file", "tokenizer_file"])
def test_files_of_others_are_not_read(trf, load, make_bytes, tmp_path, key):
    secret = tmp_path / "secret.txt"
    secret.write_text("password\n", encoding="utf8")

    def change(own):
        changed_json(own, "tokenizer_config.json", **{key: str(secret)})
        changed_json(own, "special_tokens_map.json", **{key: str(secret)})

    nlp = load(make_bytes(change))
    assert b"password" not in nlp.get_pipe("transformer").model.to_bytes()
    assert torch.equal(vectors(nlp), vectors(trf))


class Harmful:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("forced", [True, False])
def test_pickled_code_is_not_run(load, old_bytes, tmp_path, monkeypatch, forced):
    if forced:
        monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    file = io.BytesIO()
    torch.save({"a": Harmful(tmp_path / "ran")}, file)
    with pytest.raises(LoadError, match=r"\[E440\]"):
        load(old_bytes(lambda own: own.update(state=file.getvalue())))
    assert not (tmp_path / "ran").exists()
    torch.load(io.BytesIO(file.getvalue()), weights_only=False)
    assert (tmp_path / "ran").exists()  # so it would have been run


def test_arguments_for_initialization_are_those_of_the_config(make_trf, load):
    own = {"_init_tokenizer_config": {"trust_remote_code": True}, "_init_transformer_config": {}}
    nlp = make_trf(initialize=False, tokenizer_config={"use_fast": True})
    model = nlp.get_pipe("transformer").model
    msg = unpack(unseal(model.to_bytes()).payload)
    msg["shims"][1] = [srsly.msgpack_dumps({"config": {}, "state": {}, "tokenizer": {}, **own})]
    model.from_bytes(srsly.msgpack_dumps(msg))
    assert model.layers[0].shims[0]._hfmodel._init_tokenizer_config == {"use_fast": True}


def test_a_folder_in_place_of_the_file(trf, tmp_path, tiny_bert):
    """The component of spacy-transformers would load it as a hub model."""
    trf.to_disk(tmp_path)
    (tmp_path / "transformer" / "model").unlink()
    shutil.copytree(tiny_bert, tmp_path / "transformer" / "model")
    with warnings.catch_warnings(), pytest.raises(ValueError, match=r"\[E440\].*folder"):
        warnings.simplefilter("ignore")
        spacy.load(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    few(
        [
            {"model_type": "timm_backbone"},
            {"model_type": "encoder-decoder"},
            {"model_type": "../bert"},
            {"model_type": None},
            {"model_type": ["bert"]},
            {"num_hidden_layers": 10**9},
            {"num_hidden_layers": "2"},
            {"num_hidden_layers": 1},
            {"hidden_size": 10**9},
            {"hidden_size": 32},
            {"num_attention_heads": 3},
            {"hidden_act": "eval"},
            {"vocab_size": -1},
            {"layer_norm_eps": "a"},
        ],
        5,
    ),
    ids=str,
)
def test_settings_that_do_not_fit(load, make_bytes, changes):
    with pytest.raises(LoadError, match=r"\[E44[01]\] .*transformer"):
        vectors(load(make_bytes(lambda own: own["config"].update(changes))))


@pytest.mark.parametrize("value", ["float128", "load", 3, ["float16"]], ids=str)
def test_unknown_types_of_numbers_are_passed_over(trf, load, make_bytes, value):
    nlp = load(make_bytes(lambda own: own["config"].update(torch_dtype=value)))
    assert torch.equal(vectors(nlp), vectors(trf))


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    few(
        [
            lambda own: own.update(config=[]) or own.update(config=["bert"]),
            lambda own: own.update(tokenizer=None),
            lambda own: own.update(state=None),
            lambda own: own.update(state=b"PK"),
            lambda own: own["tokenizer"].clear(),
            lambda own: own["tokenizer"].update({"vocab.txt": None}),
            lambda own: own["tokenizer"].update({"tokenizer.json": b"{"}),
            lambda own: own["tokenizer"].update({"tokenizer.json": b"[" * 10**5}),
            lambda own: own["tokenizer"].update({"tokenizer_config.json": b"[]"}),
            lambda own: own["tokenizer"].update({"tokenizer_config.json": b"[" * 10**5}),
            lambda own: changed_json(own, "tokenizer_config.json", tokenizer_class="pipeline"),
            lambda own: changed_json(own, "tokenizer_config.json", model_max_length="long"),
            lambda own: changed_json(own, "tokenizer_config.json", added_tokens_decoder=[1]),
        ],
        4,
    ),
)
def test_contents_that_do_not_fit(load, make_bytes, change):
    with pytest.raises(LoadError, match=r"\[E44[014]\] .*transformer"):
        load(make_bytes(change))


@pytest.mark.slow
@pytest.mark.parametrize("old", few([True, False], 1))
def test_weights_that_are_not_finite(trf, load, old_bytes, old):
    nlp = load(trf.get_pipe("transformer").model.to_bytes())
    model = nlp.get_pipe("transformer").model
    with torch.no_grad():
        model.transformer.encoder.layer[1].output.dense.weight[0, 0] = float("nan")

    def change(own):
        file = io.BytesIO()
        torch.save(model.transformer.state_dict(), file)
        own["state"] = file.getvalue()

    with pytest.raises(LoadError, match=r"\[E442\].*layer\.1\.output\.dense\.weight"):
        load(old_bytes(change) if old else model.to_bytes())


def test_every_damage_is_found(trf, make_trf):
    model = make_trf(initialize=False).get_pipe("transformer").model
    data, rng = trf.get_pipe("transformer").model.to_bytes(), random.Random(0)
    for place in [*range(0, 100, 9), *rng.sample(range(len(data)), 40)]:
        flipped = data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :]
        for damaged in (data[:place], flipped):
            with pytest.raises(LoadError, match=r"\[E44[03]\] .*transformer"):
                model.from_bytes(damaged)


# By name


@pytest.fixture
def encoder(tiny_bert, tmp_path):
    """A copy of the tiny BERT that a test may change."""
    return Path(shutil.copytree(tiny_bert, tmp_path / "encoder"))


def unlink(*names):
    return lambda folder: [(folder / name).unlink() for name in names]


def write(name, content):
    return lambda folder: (folder / name).write_bytes(content)


def set_config(**changes):
    def _set_config(folder):
        content = json.loads((folder / "config.json").read_text("utf8"))
        (folder / "config.json").write_text(json.dumps({**content, **changes}), encoding="utf8")

    return _set_config


@pytest.mark.slow
@pytest.mark.parametrize(
    "spoil",
    few(
        [
            unlink("config.json"),
            unlink("model.safetensors"),
            unlink(
                "vocab.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"
            ),
            write("model.safetensors", b""),
            write("model.safetensors", b"x" * 99),
            write("config.json", b"{"),
            write("config.json", b"[]"),
            write("config.json", b'{"model_type": "unknown"}'),
            write("tokenizer.json", b"{"),
            set_config(num_hidden_layers=3),
            set_config(num_hidden_layers=10**6),
            set_config(hidden_size=32),
            set_config(num_attention_heads=5),
        ],
        4,
    ),
)
def test_folders_with_faults(make_trf, encoder, spoil):
    spoil(encoder)
    with pytest.raises(ValueError, match=r"\[E445\] The transformer '.*encoder'") as error:
        make_trf(str(encoder))
    assert "\n" not in str(error.value) and len(str(error.value)) < 900


@pytest.mark.slow
def test_empty_folder_and_unknown_name(make_trf, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for name in (str(tmp_path), "no-such/model-of-anybody", str(tmp_path / "nowhere"), ""):
        with pytest.raises(ValueError, match=r"\[E445\]"):
            nlp = make_trf(initialize=False)
            nlp.get_pipe("transformer").model.attrs["name"] = name
            nlp.initialize()


def test_weights_of_a_folder_that_are_not_finite(make_trf, encoder):
    from transformers import AutoModel

    model = AutoModel.from_pretrained(encoder)
    with torch.no_grad():
        model.embeddings.word_embeddings.weight[3, 3] = float("inf")
    model.save_pretrained(encoder)
    with pytest.raises(ValueError, match=r"\[E445\].*word_embeddings\.weight.*infinite"):
        make_trf(str(encoder))


def test_safetensors_come_before_pickles(make_trf, encoder, trf):
    (encoder / "pytorch_model.bin").write_bytes(b"nothing")
    assert torch.equal(vectors(make_trf(str(encoder))), vectors(trf))


def test_pickled_code_in_a_folder_is_not_run(make_trf, encoder, tmp_path):
    (encoder / "model.safetensors").unlink()
    torch.save({"a": Harmful(tmp_path / "ran")}, encoder / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"\[E445\]"):
        make_trf(str(encoder))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("asked", [True, False])
def test_code_in_a_folder_runs_only_where_the_config_asks_for_it(
    make_trf, encoder, tmp_path, monkeypatch, asked
):
    from transformers import dynamic_module_utils

    for name in ("HF_MODULES_CACHE",):
        monkeypatch.setattr(dynamic_module_utils, name, str(tmp_path / "modules"))
    monkeypatch.syspath_prepend(str(tmp_path / "modules"))
    ran = CODE.format(path=str(tmp_path / "ran"))
    (encoder / "evil.py").write_text(
        f"from transformers import BertConfig\n{ran}class X(BertConfig):\n    pass\n",
        encoding="utf8",
    )
    set_config(model_type="unknown", auto_map={"AutoConfig": "evil.X"})(encoder)
    settings = {"transformer_config": {"trust_remote_code": True}} if asked else {}
    with pytest.raises(ValueError, match=r"\[E445\]"):
        make_trf(str(encoder), **settings)
    assert (tmp_path / "ran").exists() is asked


def test_temporary_folders_are_removed(trf, load, make_bytes, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    load(trf.get_pipe("transformer").model.to_bytes())
    with pytest.raises(LoadError):
        load(make_bytes(lambda own: own["tokenizer"].update({"tokenizer.json": b"{"})))
    assert os.listdir(tmp_path) == []


# A transformer of spacy-transformers inside the model


@pytest.fixture(scope="module")
def inside(tiny_bert, model_config, make_examples):
    nlp = spacy.blank("en")
    spans = {"@span_getters": "spacy-transformers.doc_spans.v1"}
    tok2vec = {
        "@architectures": "spacy-transformers.Tok2VecTransformer.v3",
        "name": tiny_bert,
        "get_spans": spans,
        "tokenizer_config": {"use_fast": True},
        "pooling": {"@layers": "reduce_mean.v1"},
    }
    nlp.add_pipe("joint_ner_re", config={"model": model_config(tok2vec=tok2vec)})
    nlp.initialize(lambda: make_examples(nlp)[:4])
    return nlp


def change_inside(data, change):
    msg = unpack(unseal(data).payload)
    (i,) = [i for i, x in enumerate(msg["shims"]) if i and x]
    own = srsly.msgpack_loads(msg["shims"][i][0])
    change(own["tokenizer"])
    msg["shims"][i] = [srsly.msgpack_dumps(own)]
    return seal(srsly.msgpack_dumps(msg))


@pytest.mark.slow
def test_transformer_inside_the_model(inside, tmp_path):
    inside.to_disk(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        again = spacy.load(tmp_path)
    assert again.get_pipe("joint_ner_re").is_initialized


@pytest.mark.slow
@pytest.mark.parametrize(
    "entry",
    [{"../x": b""}, {"/etc/x": b""}, {"x.py": b""}, {"kwargs": {"trust_remote_code": True}}],
    ids=str,
)
def test_transformer_inside_the_model_is_checked(inside, entry):
    model = inside.get_pipe("joint_ner_re").model
    again = spacy.blank("en").from_config(inside.config).get_pipe("joint_ner_re").model
    with pytest.raises(LoadError, match=r"\[E444\]"):
        again.from_bytes(change_inside(model.to_bytes(), lambda x: x.update(entry)))


@pytest.mark.slow
def test_weights_inside_the_model_are_checked(inside):
    config, data = inside.config, inside.get_pipe("joint_ner_re").to_bytes()
    spoiled, again = (spacy.blank("en").from_config(config) for _ in range(2))
    model = spoiled.get_pipe("joint_ner_re").from_bytes(data).model
    (shim,) = [x for node in model.walk() for x in node.shims if type(x).__name__ == "HFShim"]
    with torch.no_grad():
        shim._model.embeddings.word_embeddings.weight[0] = float("inf")
    with pytest.raises(LoadError, match=r"E442.*word_embeddings"):
        again.get_pipe("joint_ner_re").model.from_bytes(model.to_bytes())
