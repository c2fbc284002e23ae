"""Saved models: what is stored, what damage is found, and that old bytes still load."""

import gc
import io
import pickle
import random
import struct

import numpy
import pytest
import spacy
import srsly
import torch
from safetensors.torch import load, save
from thinc.api import Linear, Model, chain
from torch import nn

from spacy_jere.models.shim import TorchShim
from spacy_jere.models.storage import (
    LoadError,
    at_most,
    naming,
    reason_of,
    seal,
    unpack,
    unseal,
    weights_to_bytes,
)
from spacy_jere.models.stored_model import StoredModel

NAME = "joint_ner_re"
TEXTS = ["Ada lives in New Oslo .", "Cy works for Acme in Rome ."]


class Layers(nn.Module):
    def __init__(self, *, width, depth=1, rate=0.1):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.dropout = nn.Dropout(rate)
        self.register_buffer("steps", torch.zeros(1, dtype=torch.int64))


def make_shim(**settings):
    torch.manual_seed(0)
    shim = TorchShim(Layers)
    shim.build({"width": 3, **settings})
    return shim


def loaded(data):
    return TorchShim(Layers).from_bytes(data)


def message(**changes):
    """What a shim stores, changed and sealed anew: as somebody may have written it."""
    msg = unpack(unseal(make_shim().to_bytes()).payload)
    return seal(srsly.msgpack_dumps({**msg, **changes}))


def weights(change):
    state = load(unpack(unseal(make_shim().to_bytes()).payload)["weights"])
    change(state)
    return message(weights=save(state))


def old_bytes(state=None):
    """As saved before there were checksums: pickled weights in msgpack."""
    file, shim = io.BytesIO(), make_shim()
    torch.save(shim._model.state_dict() if state is None else state, file)
    return srsly.msgpack_dumps({"settings": shim.settings, "weights": file.getvalue()})


# What is stored


def test_weights_are_safetensors():
    msg = unpack(unseal(make_shim().to_bytes()).payload)
    assert set(msg) == {"settings", "weights"}
    state = load(msg["weights"])
    assert set(state) == {"layers.0.weight", "layers.0.bias", "steps"}
    assert b"\x80\x02" not in msg["weights"][:16]


def test_equal_models_give_equal_bytes():
    assert make_shim().to_bytes() == make_shim().to_bytes()
    assert loaded(make_shim().to_bytes()).to_bytes() == make_shim().to_bytes()


def test_weights_that_share_memory_are_stored_twice():
    module = nn.Module()
    module.one = nn.Linear(2, 2)
    module.two = nn.Linear(2, 2)
    module.two.weight = module.one.weight
    state = load(weights_to_bytes(module))
    assert torch.equal(state["one.weight"], state["two.weight"])


def test_old_bytes_load():
    again = loaded(old_bytes())
    assert torch.equal(again._model.layers[0].weight, make_shim()._model.layers[0].weight)
    assert again.settings == {"width": 3}
    assert loaded(srsly.msgpack_dumps(None)).is_built is False


def test_later_format():
    data = make_shim().to_bytes().replace(b"format 2", b"format 3", 1)
    with pytest.raises(LoadError, match=r"E443.*format 3.*format 2"):
        loaded(data)


# Damage


def test_every_damage_is_found():
    data, rng = make_shim().to_bytes(), random.Random(0)
    for place in [*range(150), *rng.sample(range(len(data)), 300)]:
        for damaged in (
            data[:place],
            data[:place] + data[place + 1 :],
            data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :],
        ):
            with pytest.raises(LoadError, match=r"\[E44[03]\] The saved model "):
                loaded(damaged)


@pytest.mark.slow
def test_damage_of_old_bytes_is_told_or_harmless():
    """They have no checksum, but torch's archive has: only what is between its parts is lost."""
    data, rng, told = old_bytes(), random.Random(0), 0
    expected = make_shim()._model.state_dict()
    for place in rng.sample(range(len(data)), 200):
        flipped = data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :]
        for damaged in (data[:place], flipped):
            try:
                state = loaded(damaged)._model.state_dict()
            except LoadError:
                told += 1
            else:
                assert all(torch.equal(state[key], x) for key, x in expected.items())
    assert told > 280


@pytest.mark.parametrize("data", [None, 3, "text", [], bytearray(b"x")])
def test_no_bytes(data):
    with pytest.raises(LoadError, match="E440"):
        loaded(data)


@pytest.mark.parametrize(
    "data", [b"", b"\xc1", b"nothing", b"\x93\x01\x02\x03", b"\xdf\xff\xff\xff\xff", b"\xdd" * 9]
)
@pytest.mark.parametrize("wrap", [bytes, seal])
def test_no_model_in_the_bytes(data, wrap):
    with pytest.raises(LoadError, match=r"\[E440\]"):
        loaded(wrap(data))


def test_garbage_collection_stays_on():
    with pytest.raises(LoadError):
        unpack(b"\xc1")
    assert gc.isenabled()


# Contents that don't fit


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), -float("inf")], ids=["nan", "inf", "-inf"]
)
def test_weights_that_are_not_finite(value):
    shim = make_shim()
    with torch.no_grad():
        shim._model.layers[0].weight[0, 0] = value
    with pytest.raises(LoadError, match=r"E442.*layers\.0\.weight"):
        loaded(shim.to_bytes())


def test_old_weights_that_are_not_finite():
    state = make_shim()._model.state_dict()
    state["layers.0.bias"][:] = float("nan")
    with pytest.raises(LoadError, match="E442"):
        loaded(old_bytes(state))


@pytest.mark.parametrize(
    "change, told",
    [
        (lambda x: x.pop("layers.0.bias"), r"'layers\.0\.bias' are missing"),
        (lambda x: x.update(more=torch.zeros(2)), "'more' have no place"),
        (lambda x: x.update({"layers.0.bias": torch.zeros(4)}), r"shape \(4,\), not \(3,\)"),
        (lambda x: x.update({"layers.0.bias": torch.zeros(3).int()}), "type int32, not float32"),
        (lambda x: x.update({"layers.0.bias": torch.zeros(3).bool()}), "type bool"),
        (lambda x: x.update({"steps": torch.zeros(1)}), "type float32, not int64"),
        (lambda x: x.clear(), "are missing"),
    ],
)
def test_weights_that_do_not_fit(change, told):
    with pytest.raises(LoadError, match=f"E441.*{told}"):
        loaded(weights(change))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"width": "3"},
        {"width": None},
        {"width": -3},
        {"width": 4},
        {"width": 3, "depth": 2},
        {"width": 3, "rate": "much"},
        {"width": 3, "rate": 7.0},
        {"width": 3, "unknown": 1},
        {"width": 3.5},
        {3: 3},
        {"width": 10**9},
        {"width": 2**62},
        {"width": 3, "depth": 10**9},
    ],
    ids=str,
)
def test_settings_that_do_not_fit(settings):
    with pytest.raises(LoadError, match=r"\[E441\]"):
        loaded(message(settings=settings))


@pytest.mark.parametrize("changes", [{"settings": None}, {"settings": [3]}, {"weights": None}])
def test_parts_that_are_none(changes):
    with pytest.raises(LoadError, match=r"\[E440\]"):
        loaded(message(**changes))


@pytest.mark.parametrize("data", [b"", b"PK", b"x" * 100, struct.pack("<Q", 2**63)])
def test_weights_that_are_no_safetensors(data):
    with pytest.raises(LoadError, match=r"\[E440\]"):
        loaded(message(weights=data))


def test_other_precision_is_converted():
    again = loaded(weights(lambda x: x.update({"layers.0.bias": torch.ones(3).half()})))
    assert again._model.layers[0].bias.dtype == torch.float32


def test_a_failed_load_leaves_the_module_alone():
    shim = make_shim()
    before = shim.to_bytes()
    with pytest.raises(LoadError):
        shim.from_bytes(message(settings={"width": 4}))
    assert shim.to_bytes() == before


def test_at_most_counts_and_stops_counting():
    with pytest.raises(ValueError, match="more weights"), at_most(3, 100):
        Layers(width=2, depth=2)
    with at_most(4, 100):
        Layers(width=2, depth=2)
    assert len(Layers(width=9, depth=9).layers) == 9


# Thinc models


def make_model():
    model = StoredModel(
        "outer", forward, layers=[chain(Linear(4, 3), Linear(2, 4))], attrs={"scale": 1.0, "f": len}
    )
    model.layers[0].initialize(X=numpy.zeros((1, 3), dtype="f"))
    return model


def forward(model, X, is_train):
    return model.layers[0](X, is_train)


def stored(change):
    msg = unpack(unseal(make_model().to_bytes()).payload)
    change(msg)
    return seal(srsly.msgpack_dumps(msg))


def test_model_round_trip(tmp_path):
    model, X = make_model(), numpy.ones((2, 3), dtype="f")
    expected = model.predict(X)
    model.to_disk(tmp_path / "model")
    assert (make_model().from_disk(tmp_path / "model").predict(X) == expected).all()
    assert (make_model().from_bytes(Model.to_bytes(model)).predict(X) == expected).all()


@pytest.mark.parametrize(
    "change, code",
    [
        (lambda x: x.clear(), "E441"),
        (lambda x: x.update(nodes=[]), "E441"),
        (lambda x: x.update(shims=None), "E441"),
        (lambda x: x["shims"][0].append(b"x"), "E441"),
        (lambda x: x["nodes"].pop(), "E441"),
        (lambda x: x["nodes"][2].update(dims={"nO": 7}), "E441"),
        (lambda x: x["nodes"][2].update(dims={"nX": 7}), "E441"),
        (lambda x: x["nodes"][0].update(refs={"a": 10**6}), "E441"),
        (lambda x: x["attrs"][0].update(f=srsly.msgpack_dumps(3)), "E441"),
        (lambda x: x["attrs"][0].update(scale=srsly.msgpack_dumps("much")), "E441"),
        (lambda x: x["attrs"][0].update(scale=b"\xc1"), "E441"),
        (lambda x: x["params"][2].pop("W") is None or x["params"][2].update(W=None), "E441"),
        (lambda x: x["params"][2].update(V=x["params"][2]["W"]), "E441"),
        (lambda x: x["params"][2].update(W=x["params"][2]["W"].T.copy()), "E441"),
        (lambda x: x["params"][2].update(b=numpy.zeros(9, dtype="f")), "E441"),
        (lambda x: x["params"][2].update(b=numpy.zeros(4, dtype="i")), "E441"),
        (lambda x: x["params"][2].update(b=[1, 2]), "E441"),
        (lambda x: x["params"][2].update(b=numpy.full(4, numpy.nan, dtype="f")), "E442"),
        (lambda x: x["params"][3].update(W=numpy.full((2, 4), numpy.inf, dtype="f")), "E442"),
    ],
)
def test_models_that_do_not_fit(change, code):
    with pytest.raises(LoadError, match=rf"\[{code}\]"):
        make_model().from_bytes(stored(change))


# Components


def damage_file(path, place=0.7):
    data = bytearray(path.read_bytes())
    data[int(len(data) * place)] ^= 4
    path.write_bytes(data)


def spoil(nlp):
    """Make one number of the token vectors and none of the head infinite."""
    for node in nlp.get_pipe(NAME).model.walk():
        if node.name == "maxout":
            node.get_param("W")[0] = numpy.inf
            return


@pytest.mark.parametrize("place", [0.001, pytest.param(0.7, marks=pytest.mark.slow), 0.999])
def test_error_names_the_file(trained, tmp_path, place):
    trained[0].to_disk(tmp_path)
    path = tmp_path / NAME / "model"
    damage_file(path, place)
    with pytest.raises(ValueError, match=r"\[E440\]") as error:
        spacy.load(tmp_path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["missing", "folder", "empty", "cut off"])
def test_file_that_is_none(trained, tmp_path, kind):
    trained[0].to_disk(tmp_path)
    path = tmp_path / NAME / "model"
    data = path.read_bytes()
    path.unlink()
    if kind == "folder":
        path.mkdir()
    elif kind != "missing":
        path.write_bytes(data[: 5000 if kind == "cut off" else 0])
    with pytest.raises(ValueError, match=r"\[E440\]") as error:
        spacy.load(tmp_path)
    assert str(path) in str(error.value)


@pytest.mark.slow
def test_error_names_the_component(trained_copy):
    pipe = trained_copy.get_pipe(NAME)
    data = bytearray(pipe.to_bytes())
    place = data.index(b"spacy-jere model") + 200
    data[place] ^= 1
    with pytest.raises(ValueError, match=rf"\[E440\] The saved model of '{NAME}'"):
        pipe.from_bytes(bytes(data))


@pytest.mark.slow
def test_token_vectors_are_checked_too(trained_copy, tmp_path):
    spoil(trained_copy)
    trained_copy.to_disk(tmp_path)
    with pytest.raises(ValueError, match=r"E442.*maxout"):
        spacy.load(tmp_path)


@pytest.mark.slow
@pytest.mark.each_family
def test_head_is_checked(trained_copy, tmp_path):
    module = trained_copy.get_pipe(NAME).model.shims[0]._model
    with torch.no_grad():
        next(module.parameters()).view(-1)[0] = float("nan")
    trained_copy.to_disk(tmp_path)
    with pytest.raises(ValueError, match=r"\[E442\]") as error:
        spacy.load(tmp_path)
    assert str(tmp_path / NAME / "model") in str(error.value)


def as_before(model):
    """The bytes of a joint model as they were saved before there were checksums."""
    msg = unpack(unseal(model.to_bytes()).payload)
    file = io.BytesIO()
    torch.save(model.shims[0]._model.state_dict(), file)
    old = {"settings": model.shims[0].settings, "weights": file.getvalue()}
    msg["shims"][0] = [srsly.msgpack_dumps(old)]
    return srsly.msgpack_dumps(msg)


@pytest.mark.slow
@pytest.mark.each_family
def test_old_pipelines_load(trained, found, tmp_path):
    nlp = trained[0]
    nlp.to_disk(tmp_path)
    (tmp_path / NAME / "model").write_bytes(as_before(nlp.get_pipe(NAME).model))
    again = spacy.load(tmp_path)
    assert [found(x) for x in again.pipe(TEXTS)] == [found(x) for x in nlp.pipe(TEXTS)]


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings, fits", [({"ner_hidden": 24}, False), ({"pair_dropout": 0.5}, True)]
)
def test_settings_of_the_model_are_those_of_the_config(trained, found, tmp_path, settings, fits):
    trained[0].to_disk(tmp_path)
    config = {f"components.{NAME}.model.{key}": value for key, value in settings.items()}
    if not fits:
        with pytest.raises(ValueError, match=r"E441.*config\.cfg"):
            spacy.load(tmp_path, config=config)
        return
    nlp = spacy.load(tmp_path, config=config)
    (network,) = nlp.get_pipe(NAME).model.shims[0]._model.networks
    assert network.pair_dropout.p == 0.5
    assert found(nlp(TEXTS[0])) == found(trained[0](TEXTS[0]))


@pytest.mark.slow
@pytest.mark.parametrize("family", ["SpERT"], indirect=True, scope="session")
def test_bfloat16_of_the_config_counts(trained, tmp_path):
    trained[0].to_disk(tmp_path)
    config = {f"components.{NAME}.model.bfloat16": True}
    assert spacy.load(tmp_path, config=config).get_pipe(NAME).model.attrs["bfloat16"] is True


# Messages


def test_reasons_are_one_line():
    error = RuntimeError("Unpack failed. Set weights_only=False.\nMore.")
    assert reason_of(error) == "RuntimeError: Unpack failed"
    assert reason_of(KeyError()) == "KeyError"
    assert len(reason_of(ValueError("x" * 9999))) < 400


def test_errors_reach_other_processes():
    error = LoadError("[E000] {file}: {reason}", reason="{'a': 1}").of("model")
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == "[E000] model: {'a': 1}"
    assert str(again.of("other")) == "[E000] other: {'a': 1}"


def test_files_that_cannot_be_opened_are_named(tmp_path):
    with pytest.raises(LoadError, match=r"E440.*nowhere"), naming(tmp_path / "nowhere"):
        (tmp_path / "nowhere").read_bytes()
