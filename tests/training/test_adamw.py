"""AdamW against torch's own with the norm of all gradients clipped."""

import numpy
import pytest
import spacy
import torch
from thinc.api import Config, Linear, chain, decaying, registry

from spacy_jere.training.adamw import AdamW, create_adamw_v1

SHAPES = {(0, "W"): (3, 4), (0, "b"): (3,), (1, "W"): (2, 3, 2), (1, "scale"): ()}


def gradients(n, factor=1.0):
    rng = numpy.random.default_rng(0)
    return [
        {key: numpy.asarray(factor * rng.normal(size=x), dtype="f") for key, x in SHAPES.items()}
        for _ in range(n)
    ]


def start():
    rng = numpy.random.default_rng(1)
    return {key: numpy.asarray(rng.normal(size=x), dtype="f") for key, x in SHAPES.items()}


def step(optimizer, weights, found, **options):
    """What a model's finish_update and spaCy's training do."""
    for key, gradient in found.items():
        optimizer(key, weights[key], gradient.copy(), **options)
    optimizer.step_schedules()


def torch_optimizer(parameters, fused, lr=5e-5, weight_decay=0.01, **settings):
    matrices = [x for x in parameters.values() if x.ndim > 1]
    vectors = [x for x in parameters.values() if x.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=lr, fused=fused, **settings)


def largest_difference(weights, parameters):
    return max(numpy.abs(weights[key] - parameters[key].detach().numpy()).max() for key in weights)


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("factor", [0.01, 1.0, 1000.0])  # below and above what is clipped
@pytest.mark.parametrize(
    "settings, torch_settings",
    [
        ({}, {}),
        (
            {"learn_rate": 0.01, "weight_decay": 0.1, "beta1": 0.8, "beta2": 0.99, "eps": 1e-6},
            {"lr": 0.01, "weight_decay": 0.1, "betas": (0.8, 0.99), "eps": 1e-6},
        ),
    ],
)
def test_equals_torch(settings, torch_settings, factor, fused):
    optimizer, weights = create_adamw_v1(**settings), start()
    parameters = {key: torch.nn.Parameter(torch.tensor(x)) for key, x in start().items()}
    reference = torch_optimizer(parameters, fused, **torch_settings)
    for found in gradients(12, factor):
        for key, gradient in found.items():
            parameters[key].grad = torch.tensor(gradient)
        torch.nn.utils.clip_grad_norm_(parameters.values(), 1.0)
        reference.step()
        step(optimizer, weights, found)
        assert largest_difference(weights, parameters) <= 3e-7
    least = 0.1 * optimizer.learn_rate
    assert all(numpy.abs(x - y).max() > least for x, y in zip(weights.values(), start().values()))


def changes(found, **settings):
    weights = start()
    step(create_adamw_v1(**settings), weights, found)
    return {key: weights[key] - x for key, x in start().items()}


@pytest.mark.parametrize(
    "grad_clip, clipped", [(1.0, True), (0.5, True), (1e9, False), (0.0, False)]
)
def test_the_norm_of_all_gradients_is_clipped(grad_clip, clipped):
    """eps as large as the gradients makes the step depend on their size."""
    settings = {"learn_rate": 0.1, "weight_decay": 0.0, "eps": 1.0}
    found = gradients(1)[0]
    norm = numpy.sqrt(sum((x.astype("d") ** 2).sum() for x in found.values()))
    factor = min(1.0, grad_clip / norm) if grad_clip else 1.0
    assert bool(factor < 1) is clipped
    scaled = {key: numpy.asarray(factor * x, dtype="f") for key, x in found.items()}
    got = changes(found, grad_clip=grad_clip, **settings)
    expected = changes(scaled, grad_clip=0.0, **settings)
    assert all(numpy.allclose(got[key], expected[key], atol=1e-7) for key in SHAPES)
    assert all(numpy.abs(x).max() > 1e-3 for x in got.values())


def test_only_matrices_decay():
    nothing = {key: numpy.zeros(x, dtype="f") for key, x in SHAPES.items()}
    found = changes(nothing, learn_rate=0.1, weight_decay=0.5)
    for key, x in start().items():
        assert numpy.allclose(found[key], -0.05 * x if x.ndim > 1 else 0.0, atol=1e-7)


@pytest.mark.parametrize("factor", [0.0, 0.5, 3.0])
def test_scale_of_the_learning_rate(factor):
    found = gradients(1)[0]
    optimizer, weights = create_adamw_v1(learn_rate=0.01), start()
    for key, gradient in found.items():
        optimizer(key, weights[key], gradient.copy(), lr_scale=factor if key[0] else 1.0)
    optimizer.step_schedules()
    plain, scaled = (changes(found, learn_rate=rate) for rate in (0.01, 0.01 * factor))
    for key, x in start().items():
        expected = (scaled if key[0] else plain)[key]
        assert numpy.allclose(weights[key] - x, expected, atol=1e-7)


def test_learn_rate_follows_a_schedule():
    optimizer, weights = create_adamw_v1(decaying(0.1, 1.0), weight_decay=0.5), start()
    rates, expected = [], start()[0, "W"]
    nothing = {(0, "W"): numpy.zeros((3, 4), dtype="f")}
    for i in range(3):
        rates.append(float(optimizer.learn_rate))
        step(optimizer, weights, nothing)
        expected = expected * (1 - 0.5 * 0.1 / (1 + i))
    assert rates == pytest.approx([0.1, 0.05, 0.1 / 3])
    assert numpy.allclose(weights[0, "W"], expected, atol=1e-6)


def test_weights_change_in_place_at_the_end_of_the_step():
    optimizer, weights, found = create_adamw_v1(learn_rate=0.1), start(), gradients(1)[0]
    before = {key: (id(x), x.copy()) for key, x in weights.items()}
    for key, gradient in found.items():
        same, rest = optimizer(key, weights[key], gradient)
        assert same is weights[key]
        assert rest is gradient and not rest.any()  # emptied
    assert all(numpy.array_equal(weights[key], x) for key, (_, x) in before.items())
    optimizer.step_schedules()
    assert all(not numpy.array_equal(weights[key], x) for key, (_, x) in before.items())
    after = {key: x.copy() for key, x in weights.items()}
    optimizer.step_schedules()  # nothing is waiting
    assert all(numpy.array_equal(weights[key], x) for key, x in after.items())


def test_a_forgotten_end_of_step_is_made_up_for():
    """The next gradient of the same weights ends the step before. The schedules don't move on."""
    forgetful, careful = (create_adamw_v1(decaying(0.1, 1.0)) for _ in range(2))
    forgotten, expected = start(), start()
    for found in gradients(4):
        for key, gradient in found.items():
            forgetful(key, forgotten[key], gradient.copy())
            careful(key, expected[key], gradient.copy())
        careful._update()
    assert not numpy.allclose(forgotten[0, "W"], expected[0, "W"], atol=1e-4)  # one step behind
    assert float(forgetful.learn_rate) == 0.1
    forgetful.step_schedules()
    assert all(numpy.array_equal(forgotten[key], expected[key]) for key in SHAPES)


def test_weights_without_a_gradient_in_a_step_are_left_alone():
    optimizer, weights = create_adamw_v1(learn_rate=0.1), start()
    first, second = gradients(2)
    step(optimizer, weights, first)
    before = weights[1, "W"].copy()
    step(optimizer, weights, {(0, "W"): second[0, "W"]})
    assert numpy.array_equal(weights[1, "W"], before)
    assert int(optimizer.steps[0, "W"]) == 2 and int(optimizer.steps[1, "W"]) == 1


@pytest.mark.parametrize("power", [0.0, 3.0])
def test_averages(power):
    """Each step's weights count with its share, less what the shares of later steps take."""
    optimizer, weights, seen = (
        create_adamw_v1(0.1, use_averages=True, average_power=power),
        start(),
        [],
    )
    plain, unaveraged = create_adamw_v1(0.1), start()
    for found in gradients(5):
        step(optimizer, weights, found)
        step(plain, unaveraged, found)
        seen.append({key: x.copy() for key, x in weights.items()})
    counts = numpy.array([1.0])
    for t in range(2, 6):
        share = (power + 1) / (power + t)
        counts = numpy.append(counts * (1 - share), share)
    for key in SHAPES:
        expected = sum(count * x[key] for count, x in zip(counts, seen))
        assert numpy.allclose(optimizer.averages[key], expected, atol=1e-6)
        assert numpy.array_equal(weights[key], unaveraged[key])  # training itself is the same


def test_averages_of_weights_without_a_gradient_in_a_step():
    optimizer, weights = create_adamw_v1(0.1, use_averages=True, average_power=0.0), start()
    first, second = gradients(2)
    step(optimizer, weights, first)
    once = weights[0, "W"].copy()
    step(optimizer, weights, {(0, "W"): second[0, "W"]})
    assert numpy.array_equal(optimizer.averages[1, "W"], weights[1, "W"])
    assert numpy.allclose(optimizer.averages[0, "W"], (once + weights[0, "W"]) / 2)


def test_negative_power_of_averages():
    with pytest.raises(ValueError, match=r"E405.*average_power must be 0 or more, not -1"):
        create_adamw_v1(average_power=-1)


def test_trains_a_model():
    X, optimizer = numpy.ones((2, 3), dtype="f"), create_adamw_v1(learn_rate=0.05)
    model = chain(Linear(nO=4, nI=3), Linear(nO=2, nI=4)).initialize()
    losses = []
    for _ in range(60):
        Y, backprop = model.begin_update(X)
        backprop(Y - 1)
        model.finish_update(optimizer)
        optimizer.step_schedules()
        losses.append(((Y - 1) ** 2).sum())
    assert losses[-1] < 0.01 * losses[0]


def test_config():
    text = '[optimizer]\n@optimizers = "spacy-jere.AdamW.v1"\nweight_decay = 0.2\ngrad_clip = 2.0'
    optimizer = registry.resolve(Config().from_str(text))["optimizer"]
    assert isinstance(optimizer, AdamW)
    assert (optimizer.L2, optimizer.grad_clip, optimizer.learn_rate) == (0.2, 2.0, 5e-5)
    assert optimizer.averages is None


@pytest.fixture
def make_trf(tiny_bert, make_examples):
    """SpERT over the tiny BERT: (nlp, examples)."""
    pytest.importorskip("spacy_transformers")

    def _make_trf(**config):
        spacy.util.fix_random_seed(0)
        nlp = spacy.blank("en")
        spans = {"@span_getters": "spacy-jere.window_spans.v1"}
        name = "spacy-jere.TransformerModel.v1"
        transformer = {"@architectures": name, "name": tiny_bert, "get_spans": spans}
        nlp.add_pipe("transformer", config={"model": transformer})
        name, pooling = "spacy-jere.TransformerListener.v1", {"@layers": "reduce_max.v1"}
        listener = {"@architectures": name, "pooling": pooling, "context": True}
        parts = {"tok2vec": listener, "spans": {"@layers": "spacy-jere.SpanClassifier.v1"}}
        model = {"@architectures": "spacy-jere.SpERT.v1", **parts}
        nlp.add_pipe("joint_ner_re", config={"model": model, **config})
        examples = make_examples(nlp)
        nlp.initialize(lambda: examples)
        return nlp, examples

    return _make_trf


@pytest.mark.slow
@pytest.mark.parametrize("forgets", [False, True])
def test_trains_a_pipeline_in_a_loop_of_ones_own(make_trf, forgets):
    nlp, examples = make_trf()
    bert = nlp.get_pipe("transformer").model.transformer
    before = bert.encoder.layer[0].output.dense.weight.detach().clone()
    optimizer, losses = create_adamw_v1(learn_rate=0.003), []
    for _ in range(25):
        losses.append(nlp.update(examples, sgd=optimizer)["joint_ner_re"])
        if not forgets:
            optimizer.step_schedules()
    assert losses[-1] < 0.5 * losses[0]
    assert not torch.equal(bert.encoder.layer[0].output.dense.weight, before)


@pytest.mark.parametrize("factor", [1.0, 10.0])
def test_trains_a_pipeline_with_a_transformer_as_torch_would(make_trf, monkeypatch, factor):
    """Every parameter of the transformer, and the head's with a learning rate of its own, after
    each step."""
    nlp, examples = make_trf(learn_rate_factor=factor)
    modules = [
        (1.0, nlp.get_pipe("transformer").model.transformer),
        (factor, nlp.get_pipe("joint_ner_re").model.shims[0]._model),
    ]
    optimizer = create_adamw_v1(learn_rate=1e-3)
    found = {}
    plain = AdamW._clip

    def clip(self, gradients):
        found.update({key: x.clone() for key, x in self.gradients.items()})
        plain(self, gradients)

    monkeypatch.setattr(AdamW, "_clip", clip)
    copies = {
        id(x): torch.nn.Parameter(x.detach().clone())
        for _, module in modules
        for x in module.parameters()
    }
    groups = [
        {
            "params": [copies[id(x)] for x in module.parameters() if (x.ndim > 1) is is_matrix],
            "weight_decay": 0.01 if is_matrix else 0.0,
            "lr": 1e-3 * scale,
        }
        for scale, module in modules
        for is_matrix in (True, False)
    ]
    reference = torch.optim.AdamW(groups)
    for _ in range(3):
        nlp.update(examples, sgd=False)
        for _, pipe in nlp.pipeline:  # as `spacy train` does
            pipe.finish_update(optimizer)
        optimizer.step_schedules()
        by_place = {optimizer.weights[key].data_ptr(): x for key, x in found.items()}
        for _, module in modules:
            for x in module.parameters():
                copies[id(x)].grad = by_place.get(x.data_ptr())
        assert len([x for x in copies.values() if x.grad is not None]) == len(found) > 30
        torch.nn.utils.clip_grad_norm_(copies.values(), 1.0)
        reference.step()
        found.clear()
        for _, module in modules:
            for x in module.parameters():
                assert torch.allclose(x.detach(), copies[id(x)], atol=1e-6)
                assert x.grad is None or not x.grad.any()


def test_averages_of_a_transformer_are_swapped_in_and_out(make_trf):
    nlp, examples = make_trf()
    bert = nlp.get_pipe("transformer").model.transformer
    optimizer = create_adamw_v1(learn_rate=1e-3, use_averages=True)
    for _ in range(3):
        nlp.update(examples, sgd=optimizer)
        optimizer.step_schedules()
    shim = nlp.get_pipe("transformer").model.layers[0].shims[0]
    trained = {name: x.clone() for name, x in bert.state_dict().items()}
    with nlp.use_params(optimizer.averages):
        averaged = dict(nlp.get_pipe("transformer").model.transformer.named_parameters())
        differ = [name for name, x in averaged.items() if not torch.equal(x, trained[name])]
        for name in differ:
            found = averaged[name].detach().numpy()
            assert numpy.array_equal(found, optimizer.averages[shim.id, name])
        stored = nlp.to_bytes()
    assert "encoder.layer.0.output.dense.weight" in differ
    assert all(torch.equal(x, trained[name]) for name, x in bert.state_dict().items())
    again = spacy.util.load_model_from_config(nlp.config).from_bytes(stored)
    doc, other = nlp("Ada lives in Oslo ."), again("Ada lives in Oslo .")
    states = [x._.trf_data.model_output.last_hidden_state for x in (doc, other)]
    assert not numpy.allclose(*states)
