"""NAdam against torch's own."""

import numpy
import pytest
import torch
from thinc.api import Config, Linear, decaying, registry

from spacy_jere.training.nadam import NAdam, create_nadam_v1

KEY = (0, "W")


def gradients(n, shape=(3, 4)):
    rng = numpy.random.default_rng(0)
    return [rng.normal(size=shape).astype("f") for _ in range(n)]


def start(shape=(3, 4)):
    return numpy.linspace(-1, 1, numpy.prod(shape), dtype="f").reshape(shape)


@pytest.mark.parametrize(
    "settings",
    [{}, {"learn_rate": 0.05, "beta1": 0.8, "beta2": 0.99, "eps": 1e-6, "momentum_decay": 0.05}],
)
def test_equals_torch(settings):
    optimizer = create_nadam_v1(grad_clip=0.0, **settings)
    weights, parameter = start(), torch.nn.Parameter(torch.tensor(start()))
    reference = torch.optim.NAdam(
        [parameter],
        lr=settings.get("learn_rate", 5e-4),
        betas=(settings.get("beta1", 0.9), settings.get("beta2", 0.999)),
        eps=settings.get("eps", 1e-8),
        momentum_decay=settings.get("momentum_decay", 4e-3),
    )
    for gradient in gradients(20):
        parameter.grad = torch.tensor(gradient)
        reference.step()
        weights, rest = optimizer(KEY, weights, gradient.copy())
        assert not rest.any()
        assert numpy.abs(weights - parameter.detach().numpy()).max() < 1e-6
    assert numpy.abs(weights - start()).max() > 1e-3


@pytest.mark.parametrize("shape", [(1,), (50_000,), (70, 700), (2, 40_000), (3, 0)])
def test_large_arrays_in_blocks_equal_torch(shape):
    optimizer = create_nadam_v1(grad_clip=0.0, use_averages=True, average_power=0.0)
    weights, parameter = start(shape), torch.nn.Parameter(torch.tensor(start(shape)))
    reference, seen = torch.optim.NAdam([parameter], lr=5e-4), []
    for gradient in gradients(3, shape):
        parameter.grad = torch.tensor(gradient)
        reference.step()
        weights, _ = optimizer(KEY, weights, gradient.copy())
        seen.append(weights.copy())
    assert numpy.allclose(weights, parameter.detach().numpy(), atol=1e-6)
    assert numpy.allclose(optimizer.averages[KEY], numpy.mean(seen, 0), atol=1e-6)


def test_each_parameter_has_its_own_state():
    together, alone = create_nadam_v1(grad_clip=0.0), create_nadam_v1(grad_clip=0.0)
    mine, other, expected = start(), start(), start()
    for i, gradient in enumerate(gradients(6)):
        together(KEY, mine, gradient.copy())
        if i % 2:
            together((1, "W"), other, -gradient)
        alone(KEY, expected, gradient.copy())
    assert numpy.array_equal(mine, expected)


def test_gradients_are_clipped():
    large, small = start(), start()
    for weights, factor in ((large, 1000), (small, 1)):
        optimizer = create_nadam_v1(grad_clip=0.5)
        gradient = factor * gradients(1)[0]
        assert numpy.linalg.norm(gradient) > 0.5
        optimizer(KEY, weights, gradient)
    assert numpy.allclose(large, small)


def test_weight_decay():
    plain, decayed = start(), start()
    create_nadam_v1(learn_rate=0.1)(KEY, plain, gradients(1)[0])
    create_nadam_v1(learn_rate=0.1, L2=0.01)(KEY, decayed, gradients(1)[0])
    assert numpy.allclose(decayed, plain * (1 - 0.1 * 0.01))


def test_averages_are_kept():
    optimizer = create_nadam_v1(use_averages=True)
    weights = start()
    for gradient in gradients(5):
        optimizer(KEY, weights, gradient)
    assert numpy.abs(optimizer.averages[KEY] - weights).max() > 0
    assert create_nadam_v1().averages is None


def test_learn_rate_follows_a_schedule():
    optimizer = create_nadam_v1(learn_rate=decaying(0.1, 1.0))
    rates = []
    for _ in range(3):
        rates.append(float(optimizer.learn_rate))
        optimizer.step_schedules()
    assert rates == pytest.approx([0.1, 0.05, 0.1 / 3])


def test_trains_a_model():
    X, optimizer = numpy.ones((2, 3), dtype="f"), create_nadam_v1(learn_rate=0.05)
    model = Linear(nO=2, nI=3).initialize()
    losses = []
    for _ in range(50):
        Y, backprop = model.begin_update(X)
        backprop(Y - 1)
        model.finish_update(optimizer)
        losses.append(((Y - 1) ** 2).sum())
    assert losses[-1] < 0.01 * losses[0]


def test_config():
    text = '[optimizer]\n@optimizers = "spacy-jere.NAdam.v1"\nmomentum_decay = 0.1'
    optimizer = registry.resolve(Config().from_str(text))["optimizer"]
    assert isinstance(optimizer, NAdam)
    assert optimizer.momentum_decay == 0.1
