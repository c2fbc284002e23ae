"""A torch module in Thinc: storage, averaged parameters, dropout."""

import copy
import pickle

import numpy
import pytest
import torch
from thinc.api import Adam, Model, set_dropout_rate
from torch import nn

from spacy_jere.models.shim import Dropout, TorchShim


class TwoLayers(nn.Module):
    def __init__(self, *, width, rate=None):
        super().__init__()
        self.first = nn.Linear(width, 3)
        self.second = nn.Linear(3, 1)
        self.following = Dropout(rate)
        self.fixed = Dropout(0.25)
        self.register_buffer("count", torch.zeros(1))

    def forward(self, x):
        return self.second(self.first(x))


def forward(model, X, is_train):
    from thinc.api import ArgsKwargs, torch2xp, xp2torch

    shim = model.shims[0]
    output, backprop = shim(ArgsKwargs((xp2torch(X),), {}), is_train)
    return torch2xp(output), lambda dY: backprop(
        ArgsKwargs(([output],), {"grad_tensors": [xp2torch(dY)]})
    )


def make_model(build=True):
    model = Model("two_layers", forward, shims=[TorchShim(TwoLayers)])
    if build:
        torch.manual_seed(0)
        model.shims[0].build({"width": 2})
    return model


X = numpy.asarray([[1.0, 2.0], [-3.0, 0.5]], dtype="f")


def disk(model, tmp_path):
    model.to_disk(tmp_path / "model")
    return make_model(build=False).from_disk(tmp_path / "model")


ROUND_TRIPS = {
    "disk": disk,
    "bytes": lambda model, _: make_model(build=False).from_bytes(model.to_bytes()),
    "onto another": lambda model, _: make_model().from_bytes(model.to_bytes()),
    "copy": lambda model, _: model.copy(),
    "pickle": lambda model, _: pickle.loads(pickle.dumps(model)),
    "deepcopy": lambda model, _: copy.deepcopy(model),
}


def train(model, steps=3, **options):
    optimizer = Adam(0.1, **options)
    for _ in range(steps):
        Y, backprop = model.begin_update(X)
        backprop(Y - 5)
        model.finish_update(optimizer)
    return optimizer


@pytest.mark.parametrize("name", list(ROUND_TRIPS))
def test_round_trip_gives_equal_numbers_and_shares_nothing(name, tmp_path):
    model = make_model()
    train(model)
    expected = model.predict(X)
    again = ROUND_TRIPS[name](model, tmp_path)
    assert (again.predict(X) == expected).all()
    assert again.shims[0].settings == {"width": 2}
    train(again)
    assert (again.predict(X) != expected).all()
    assert (model.predict(X) == expected).all()


@pytest.mark.parametrize("name", list(ROUND_TRIPS)[:2] + list(ROUND_TRIPS)[3:])
def test_round_trip_before_it_is_built(name, tmp_path):
    again = ROUND_TRIPS[name](make_model(build=False), tmp_path)
    assert not again.shims[0].is_built
    with pytest.raises(ValueError, match="E203"):
        again.predict(X)


def test_averaged_parameters_are_swapped_in_and_out():
    model = make_model()
    optimizer = train(model, steps=5, use_averages=True)
    trained = {x: y.clone() for x, y in model.shims[0]._model.state_dict().items()}
    expected = model.predict(X)
    with model.use_params(optimizer.averages):
        for name, weights in model.shims[0]._model.named_parameters():
            average = optimizer.averages[(model.shims[0].id, name)]
            assert numpy.allclose(weights.detach(), average)
            assert not torch.allclose(weights, trained[name])
        averaged = model.predict(X)
    assert not numpy.allclose(averaged, expected)
    assert (model.predict(X) == expected).all()


def test_averaged_parameters_are_swapped_out_after_an_error():
    model = make_model()
    optimizer = train(model, use_averages=True)
    expected = model.predict(X)
    with pytest.raises(RuntimeError, match="inside"), model.use_params(optimizer.averages):
        raise RuntimeError("inside")
    assert (model.predict(X) == expected).all()


@pytest.mark.parametrize("build", [True, False])
def test_use_params_without_own_parameters_changes_nothing(build):
    model = make_model(build)
    with model.use_params({(-1, "first.weight"): numpy.zeros((3, 2), dtype="f")}):
        if build:
            assert model.shims[0]._model.first.weight.abs().sum() > 0


def test_training_goes_on_after_averages():
    model = make_model()
    optimizer = train(model, use_averages=True)
    with model.use_params(optimizer.averages):
        model.predict(X)
    before = model.predict(X)
    Y, backprop = model.begin_update(X)
    backprop(Y - 5)
    model.finish_update(optimizer)
    assert numpy.abs(model.predict(X) - 5).sum() < numpy.abs(before - 5).sum()


@pytest.mark.parametrize("rate, expected", [(None, 0.6), (0.1, 0.1), (0.0, 0.0)])
def test_dropout_of_training_reaches_modules_without_a_rate(rate, expected):
    model = make_model(build=False)
    model.shims[0].build({"width": 2, "rate": rate})
    module = model.shims[0]._model
    assert (module.following.p, module.fixed.p) == (rate or 0.0, 0.25)
    model.shims[0].set_dropout(0.6)
    assert (module.following.p, module.fixed.p) == (expected, 0.25)


def test_dropout_reaches_the_joint_model(make_nlp, model_config):
    nlp, examples = make_nlp(model=model_config(birnn={"dropout": None}, pair_dropout=0.5))
    model = nlp.get_pipe("joint_ner_re").model
    (module,) = model.shims[0]._model.networks
    for drop in (0.3, 0.0):
        nlp.update(examples, drop=drop)
        rates = module.birnn.shared.dropout.p, module.birnn.ner.dropout.p, module.pair_dropout.p
        assert rates == (drop, drop, 0.5)
    set_dropout_rate(model, 0.2)
    assert module.birnn.shared.dropout.p == 0.0  # takes effect in the next update
