"""Token vectors from a transformer: a tiny random BERT, made in a temporary folder."""

import numpy
import pytest
import spacy
import torch
from spacy.tokens import DocBin
from spacy.training import Example
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from thinc.api import Adam, Config, Model, reduce_mean

pytest.importorskip("spacy_transformers")

from spacy_jere.models.joint import context_width
from spacy_jere.models.tok2vec.transformer_listener import build_transformer_listener_v1

TEXTS = ["Ada lives in New Oslo .", "Rome", "Nothing happens here , or is " * 8]
POOLING = {"@layers": "reduce_mean.v1"}


def listener_config(**settings):
    name = "spacy-jere.TransformerListener.v1"
    return {"@architectures": name, "pooling": POOLING, **settings}


@pytest.fixture
def make_trf(transformer_config, model_config, make_examples):
    """(nlp, examples) with a transformer and the component that listens to it."""

    def _make_trf(listener=None, transformer=transformer_config, features=None, **settings):
        spacy.util.fix_random_seed(0)
        nlp = spacy.blank("en")
        nlp.add_pipe("transformer", config=transformer)
        tok2vec = listener or listener_config(**settings)
        if features is not None:
            name = "spacy-jere.TokenFeatures.v1"
            tok2vec = {"@architectures": name, "contextual": tok2vec, **features}
        nlp.add_pipe("joint_ner_re", config={"model": model_config(tok2vec=tok2vec)})
        examples = make_examples(nlp)
        nlp.initialize(lambda: examples)
        return nlp, examples

    return _make_trf


def tok2vec_of(nlp):
    return nlp.get_pipe("joint_ner_re").model.get_ref("tok2vec")


def mixing_of(model):
    return next(node for node in model.walk() if node.name == "layer_mean")


def set_mixing(model, weights, scale):
    mixing = mixing_of(model)
    mixing.set_param("W", numpy.asarray(weights, dtype="f"))
    mixing.set_param("scale", numpy.asarray([scale], dtype="f"))


def read(nlp, texts=TEXTS):
    docs = [nlp.make_doc(text) for text in texts]
    for doc in docs:
        nlp.get_pipe("transformer")(doc)
    return docs


def plain_torch(nlp, doc, layers, weights, scale):
    """γ Σ softmax(w)_k H_k, mean over each token's word pieces. RETURNS: [n_tokens, width]."""
    data = doc._.trf_data
    bert = nlp.get_pipe("transformer").model.transformer.eval()
    output = bert(
        input_ids=torch.as_tensor(data.wordpieces.input_ids).long(),
        attention_mask=torch.as_tensor(data.wordpieces.attention_mask),
        output_hidden_states=True,
    )
    states = torch.stack([output.hidden_states[i] for i in layers]).detach()
    mixed = scale * (torch.softmax(weights, 0).view(-1, 1, 1, 1) * states).sum(0)
    pieces = mixed.reshape(-1, mixed.shape[-1])
    ends = numpy.cumsum(data.align.lengths)
    rows = [data.align.dataXd[end - n : end] for end, n in zip(ends, data.align.lengths)]
    return torch.stack([pieces[torch.as_tensor(row.reshape(-1)).long()].mean(0) for row in rows])


@pytest.mark.slow
@pytest.mark.parametrize("layers", [[0, 1, 2], [-1], [-1, -3], [1]])
def test_the_mean_of_layers_and_its_gradient_equal_plain_torch(make_trf, layers):
    nlp, _ = make_trf(layers=layers)
    model, docs = tok2vec_of(nlp), read(nlp)
    weights = torch.linspace(-1, 2, len(layers), requires_grad=True)
    scale = torch.tensor(1.7, requires_grad=True)
    set_mixing(model, weights.detach().numpy(), 1.7)
    expected = [plain_torch(nlp, doc, layers, weights, scale) for doc in docs]
    assert len(docs[2]._.trf_data.wordpieces.strings) > 1  # strided
    for x, y in zip(model.predict(docs), expected):
        assert numpy.allclose(x, y.detach(), atol=1e-5)

    backprop = model.begin_update(docs)[1]
    torch.manual_seed(0)
    d_vectors = [torch.randn(x.shape) for x in expected]
    torch.autograd.backward(expected, d_vectors)
    backprop([x.numpy().copy() for x in d_vectors])
    assert numpy.allclose(mixing_of(model).get_grad("W"), weights.grad, atol=1e-3)
    assert numpy.allclose(mixing_of(model).get_grad("scale"), scale.grad, atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("layers, share", [([0, -1], 0.75), ([2, 1], 0.25), ([0, 1], 0.0)])
def test_other_transformers_get_the_gradient_of_the_last_layer_only(make_trf, layers, share):
    nlp, _ = make_trf(layers=layers)
    mixing = mixing_of(tok2vec_of(nlp))
    set_mixing(mixing, [0.0, numpy.log(3.0)], 2.0)
    inputs = [doc._.trf_data for doc in read(nlp)]
    mixed, backprop = mixing.begin_update(inputs)
    for d_input, d_mixed in zip(backprop(mixed), mixed):
        expected = 2 * share * d_mixed.model_output["last_hidden_state"]
        assert numpy.allclose(d_input.model_output["last_hidden_state"], expected, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    "listened", [[[0, 1, -1]], [[-3], [-2], [-1]], [[1, 2], [0, 1]], [[1]], [None, [-2, 0]]]
)
def test_gradient_of_all_layers_equals_plain_torch(
    make_trf, transformer_config, switch_off_dropout, listened
):
    """Of several listeners side by side, weights of layers alike; half of it is sent back."""
    nodes = {
        str(i): listener_config(layers=layers, grad_factor=0.5) for i, layers in enumerate(listened)
    }
    config = {**transformer_config["model"], "@architectures": "spacy-jere.TransformerModel.v1"}
    config["get_spans"] = {"@span_getters": "spacy-jere.window_spans.v1"}
    nlp, examples = make_trf({"@layers": "concatenate.v1", "*": nodes}, {"model": config})
    trf, docs = nlp.get_pipe("transformer"), [x.predicted for x in examples]
    bert = trf.model.transformer
    switch_off_dropout(bert)
    trf.update(examples)
    vectors, backprop = tok2vec_of(nlp).begin_update(docs)
    ramp = numpy.linspace(-1, 1, 37, dtype="f")
    d_vectors = [numpy.resize(ramp, x.shape) for x in vectors]
    backprop(d_vectors)
    names = dict(bert.named_parameters())
    found = {name: x.grad.clone() for name, x in names.items() if x.grad is not None}
    bert.zero_grad()
    for doc, d_vector in zip(docs, d_vectors):
        data = trf.predict([doc]).doc_data[0]
        states = bert(torch.as_tensor(data.wordpieces.input_ids).long()).hidden_states
        read = [torch.stack([states[i] for i in layers or [-1]]).mean(0)[0] for layers in listened]
        ends = numpy.cumsum(data.align.lengths)
        rows = [data.align.dataXd[end - n : end, 0] for end, n in zip(ends, data.align.lengths)]
        means = [torch.cat([x[row].mean(0) for x in read]) for row in rows]
        (0.5 * torch.stack(means) * torch.as_tensor(d_vector)).sum().backward()
    reached = {name for name, x in names.items() if x.grad is not None and x.grad.any()}
    assert reached and reached <= set(found)
    for name, gradient in found.items():
        wanted = torch.zeros_like(gradient) if names[name].grad is None else names[name].grad
        assert torch.allclose(gradient, wanted, rtol=1e-3, atol=1e-4), name


def scales_of(model):
    nodes = [node for node in model.walk() if node.name == "layer_concatenate"]
    return nodes or [node for node in model.walk() if node.name == "layer_mean"]


@pytest.mark.slow
@pytest.mark.parametrize("layers", [[0, 1, 2], [-1, -3], [1]])
@pytest.mark.parametrize("context", [False, True])
def test_concatenated_layers_equal_a_listener_for_each(
    make_trf, transformer_config, switch_off_dropout, layers, context
):
    """Vectors, the gradients of the factors, and what reaches the transformer."""
    config = {**transformer_config["model"], "@architectures": "spacy-jere.TransformerModel.v1"}
    config["get_spans"] = {"@span_getters": "spacy-jere.window_spans.v1"}
    nodes = {str(i): listener_config(layers=[layer]) for i, layer in enumerate(layers)}
    side_by_side = {"@layers": "concatenate.v1", "*": nodes}
    together = listener_config(layers=layers, combine="concatenate", context=context)
    factors, found = numpy.linspace(0.5, 2.0, len(layers)).astype("f"), []
    for listener in (side_by_side, together):
        nlp, examples = make_trf(listener, {"model": config})
        trf, model = nlp.get_pipe("transformer"), tok2vec_of(nlp)
        switch_off_dropout(trf.model.transformer)
        assert model.get_dim("nO") == 16 * len(layers) * (1 + (context and listener is together))
        nodes = scales_of(model)
        for node, own in zip(nodes, numpy.split(factors, len(nodes))):
            node.set_param("scale", own)
        trf.update(examples)
        vectors, backprop = model.begin_update([x.predicted for x in examples])
        vectors = [x[:, -16 * len(layers) :] for x in vectors]
        ramp = numpy.linspace(-1, 1, 37, dtype="f")
        d_vectors = [numpy.resize(ramp, x.shape) for x in vectors]
        pad = ((0, 0), (16 * len(layers) * (context and listener is together), 0))
        backprop([numpy.pad(x, pad) for x in d_vectors])
        d_factors = numpy.concatenate([node.get_grad("scale") for node in nodes])
        gradients = [x.grad for x in trf.model.transformer.parameters() if x.grad is not None]
        found.append((vectors, d_factors, gradients))
    (x, x_factors, x_gradients), (y, y_factors, y_gradients) = found
    assert all(numpy.allclose(a, b, atol=1e-6) for a, b in zip(x, y))
    assert numpy.allclose(x_factors, y_factors, atol=1e-4) and y_factors.any()
    assert len(x_gradients) == len(y_gradients) > 0
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(x_gradients, y_gradients))


@pytest.mark.slow
def test_several_listeners_side_by_side_train_the_transformer_together(make_trf):
    """Two that read the last layer send back twice what one does."""
    several = {"@layers": "concatenate.v1", "*": {x: listener_config() for x in ("one", "two")}}
    gradients = []
    for listener in (None, several):
        nlp, examples = make_trf(listener)
        trf, docs = nlp.get_pipe("transformer"), [x.predicted for x in examples]
        torch.manual_seed(0)  # of the transformer's dropout
        trf.update(examples)
        vectors, backprop = tok2vec_of(nlp).begin_update(docs)
        ramp = numpy.linspace(-1, 1, 16, dtype="f")
        backprop([numpy.resize(ramp, x.shape) for x in vectors])
        (shim,) = [x for node in trf.model.walk() for x in node.shims]
        gradients.append([x.grad for x in shim._model.parameters() if x.grad is not None])
    assert gradients[0] and all(torch.allclose(2 * x, y, atol=1e-5) for x, y in zip(*gradients))


@pytest.mark.slow
@pytest.mark.parametrize("layers", [[3], [0, -4], [12]])
def test_layers_that_the_transformer_does_not_have(make_trf, layers):
    nlp, _ = make_trf(layers=layers)
    with pytest.raises(ValueError, match=r"E403.*gives 3.*between 0 and 2"):
        nlp("Rome")


@pytest.mark.slow
def test_layers_of_a_transformer_that_gives_none(make_trf, transformer_config):
    model = {**transformer_config["model"], "transformer_config": {}}
    nlp, _ = make_trf(layers=[-1], transformer={"model": model})
    with pytest.raises(ValueError, match=r"E403.*output_hidden_states"):
        nlp("Rome")


@pytest.mark.slow
def test_without_layers_equals_the_listener_of_spacy_transformers(make_trf):
    own, examples = make_trf()
    name = "spacy-transformers.TransformerListener.v1"
    other, _ = make_trf({"@architectures": name, "pooling": POOLING, "grad_factor": 1.0})
    other.get_pipe("joint_ner_re").from_bytes(own.get_pipe("joint_ner_re").to_bytes())
    for x, y in zip(*(tok2vec_of(nlp).predict(read(nlp)) for nlp in (own, other))):
        assert numpy.array_equal(x, y)
    losses = []
    for nlp in (own, other):
        torch.manual_seed(0)  # the transformer has dropout
        losses.append(nlp.update(examples)["joint_ner_re"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


@pytest.mark.slow
def test_last_layer_alone_equals_no_layers(make_trf):
    plain, mixed = make_trf()[0], make_trf(layers=[-1])[0]
    for x, y in zip(*(tok2vec_of(nlp).predict(read(nlp)) for nlp in (plain, mixed))):
        assert numpy.allclose(x, y, atol=1e-6)


@pytest.mark.slow
@pytest.mark.each_family
@pytest.mark.parametrize(
    "settings", [{}, {"layers": [1, -1]}, {"layers": [1, -1], "combine": "concatenate"}]
)
@pytest.mark.parametrize("features", [None, {"characters": 4}])
def test_empty_docs_among_others(make_trf, settings, features):
    nlp, examples = make_trf(features=features, **settings)
    docs = list(nlp.pipe(["", TEXTS[0], "", TEXTS[1]]))
    assert [doc._.relations is not None for doc in docs] == [True] * 4
    assert tok2vec_of(nlp).predict([docs[1], docs[3]])[1].shape[0] == 1
    for i in (0, 2, len(examples)):
        empty = Example(nlp.make_doc(""), nlp.make_doc(""))
        batch = [*examples[:i], empty, *examples[i:]]
        assert nlp.update(batch, sgd=nlp.resume_training())["joint_ner_re"] > 0


def snapshot(nlp):
    bert = nlp.get_pipe("transformer").model.transformer
    return {name: weights.clone() for name, weights in bert.state_dict().items()}


@pytest.mark.slow
@pytest.mark.each_family
@pytest.mark.parametrize(
    "settings, trains",
    [
        ({}, True),
        ({"context": True}, True),
        ({"layers": [0, -1]}, True),
        ({"layers": [0, 1]}, False),
        ({"grad_factor": 0.0}, False),
    ],
)
def test_training_reaches_the_transformer(make_trf, settings, trains):
    nlp, examples = make_trf(**settings)
    before, optimizer = snapshot(nlp), Adam(0.01)
    losses = [nlp.update(examples, sgd=optimizer)["joint_ner_re"] for _ in range(15)]
    assert losses[-1] < 0.7 * losses[0]
    name = "encoder.layer.0.attention.self.query.weight"
    assert (not torch.allclose(snapshot(nlp)[name], before[name])) is trains


@pytest.mark.slow
@pytest.mark.parametrize("grad_factor", [1.0, 0.0])
def test_weights_of_layers_are_trained_and_stored(make_trf, grad_factor):
    nlp, examples = make_trf(layers=[0, 1, 2], grad_factor=grad_factor)
    optimizer = nlp.resume_training()
    for _ in range(3):
        nlp.update(examples, sgd=optimizer)
    mixing = mixing_of(tok2vec_of(nlp))
    assert mixing.get_param("W").any() and mixing.get_param("scale")[0] != 1
    again = spacy.blank("en").from_config(nlp.config).from_bytes(nlp.to_bytes())
    for name in ("W", "scale"):
        loaded = mixing_of(tok2vec_of(again)).get_param(name)
        assert numpy.array_equal(loaded, mixing.get_param(name))


@pytest.mark.slow
@pytest.mark.parametrize(
    "path, settings",
    [
        ("model.tok2vec", {}),
        ("model.tok2vec", {"layers": [0, -1]}),
        ("model.tok2vec", {"layers": [0, -1], "combine": "concatenate"}),
        ("model.tok2vec", {"context": True}),
        ("model.tok2vec.contextual", {"features": {"characters": 4}}),
    ],
)
def test_replace_listeners(make_trf, overfit, found, path, settings):
    nlp, examples = make_trf(**settings)
    overfit(nlp, examples, steps=40)
    expected = [found(doc) for doc in nlp.pipe(TEXTS)]
    assert any(spans for _, spans, _ in expected)
    nlp.replace_listeners("transformer", "joint_ner_re", [path])
    nlp.remove_pipe("transformer")
    assert [found(doc) for doc in nlp.pipe(TEXTS)] == expected
    assert nlp.update(examples)["joint_ner_re"] > 0


@pytest.mark.slow
@pytest.mark.each_family
def test_replaced_listeners_can_be_stored(make_trf, overfit, found, tmp_path):
    """Where spaCy can write their config: directly under model.tok2vec, and without `layers` and
    `context`."""
    nlp, examples = make_trf()
    overfit(nlp, examples, steps=40)
    expected = [found(doc) for doc in nlp.pipe(TEXTS)]
    assert any(spans for _, spans, _ in expected)
    nlp.replace_listeners("transformer", "joint_ner_re", ["model.tok2vec"])
    nlp.remove_pipe("transformer")
    nlp.to_disk(tmp_path)
    assert [found(doc) for doc in spacy.load(tmp_path).pipe(TEXTS)] == expected


@pytest.mark.slow
@pytest.mark.each_family
@pytest.mark.parametrize("upstream", ["*", "transformer"])
def test_disk_round_trip(make_trf, overfit, found, tmp_path, upstream):
    nlp, examples = make_trf(
        layers=[-2, -1], features={"characters": 4}, upstream=upstream, context=True
    )
    overfit(nlp, examples, steps=40)
    expected = [found(doc) for doc in nlp.pipe(TEXTS)]
    assert any(spans for _, spans, _ in expected)
    nlp.to_disk(tmp_path)
    assert [found(doc) for doc in spacy.load(tmp_path).pipe(TEXTS)] == expected


def test_listener_can_be_found():
    model = build_transformer_listener_v1(reduce_mean(), upstream="bert")
    assert isinstance(model, Model)
    assert model.get_ref("listener").upstream_name == "bert"


# The vector of the sequence


def pooled_of(nlp):
    return next(node for node in tok2vec_of(nlp).walk() if node.name == "trfs2arrays")


def in_torch(data):
    """What the node makes of one Doc. RETURNS: The last hidden state, and [n_tokens, 2 * width]."""
    state = torch.tensor(data.model_output.last_hidden_state, requires_grad=True)
    n_pieces, width = state.shape[1:]
    flat, rows, place, sequence = state.reshape(-1, width), [], 0, 0
    places = data.align.dataXd.reshape(-1).tolist()
    for n in data.align.lengths.tolist():
        own = places[place : place + n]
        place += n
        if own:
            sequence = own[0] // n_pieces
        pooled = flat[own].mean(0) if own else torch.zeros(width)
        rows.append(torch.cat([state[sequence, 0], pooled]))
    return state, torch.stack(rows)


SPACES = "Ada  lives in \n Oslo . " * 5


@pytest.mark.slow
@pytest.mark.parametrize("grad_factor", [1.0, 0.5])
def test_context_and_its_gradient_equal_plain_torch(make_trf, grad_factor):
    nlp, _ = make_trf(context=True, grad_factor=grad_factor)
    docs = read(nlp, [*TEXTS, "", SPACES])
    inputs = [doc._.trf_data for doc in docs]
    assert [len(x.wordpieces.strings) > 1 for x in inputs[:3]] == [False, False, True]  # strided
    assert not inputs[4].align.lengths.all()  # spaces have no word pieces
    found, backprop = pooled_of(nlp).begin_update(inputs)
    assert found[3].shape == (0, 32)
    states, expected = zip(*(in_torch(x) for x in inputs if len(x.align.lengths)))
    found = [x for x in found if len(x)]
    for x, y in zip(found, expected, strict=True):
        assert numpy.allclose(x, y.detach(), atol=1e-6)
    d_vectors = [torch.randn(x.shape) for x in expected]
    torch.autograd.backward(expected, d_vectors)
    arrays = [x.numpy().copy() for x in d_vectors]
    d_inputs = backprop([*arrays[:3], numpy.zeros((0, 32), dtype="f"), arrays[3]])
    for d_input, state in zip(d_inputs, states, strict=True):
        d_state = d_input.model_output.last_hidden_state
        assert numpy.allclose(d_state, grad_factor * state.grad, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("layers", [None, [0, -1]])
def test_context_stands_in_front_of_the_tokens(make_trf, layers):
    nlp, _ = make_trf(layers=layers, context=True)
    plain, _ = make_trf(layers=layers)
    docs = read(nlp)
    for x, y in zip(tok2vec_of(nlp).predict(docs), tok2vec_of(plain).predict(read(plain))):
        assert numpy.allclose(x[:, 16:], y, atol=1e-5)
    assert tok2vec_of(nlp).get_dim("nO") == 32 and tok2vec_of(plain).get_dim("nO") == 16


@pytest.mark.slow
@pytest.mark.each_family
@pytest.mark.parametrize("features", [None, {"characters": 4}, {"characters": None}])
@pytest.mark.parametrize("context", [False, True])
def test_heads_are_told_of_the_context(family, make_trf, features, context):
    nlp, _ = make_trf(context=context, features=features)
    model = nlp.get_pipe("joint_ner_re").model
    width = 16 if context else 0
    assert context_width(tok2vec_of(nlp)) == width
    found = tok2vec_of(nlp).predict(read(nlp))
    own = 16 if features is None else 16 + 7 + 2 * (features["characters"] or 0)
    assert found[0].shape[1] == model.get_dim("nI") == width + own
    if context:
        assert (found[0][:, :16] == found[0][:1, :16]).all()  # one sequence
    settings = model.shims[0].settings
    if family == "TaskSpecificBiRNN":
        assert "context_width" not in settings
    else:
        assert settings["context_width"] == model.shims[0]._model.encoder.context_width == width


@pytest.mark.slow
@pytest.mark.each_family
def test_sourced_and_frozen(make_trf, overfit, make_examples, found):
    nlp, examples = make_trf(context=True)
    overfit(nlp, examples, steps=40)
    expected = [found(doc) for doc in nlp.pipe(TEXTS)]
    assert any(spans for _, spans, _ in expected)
    other = spacy.blank("en")
    for name in ("transformer", "joint_ner_re"):
        other.add_pipe(name, source=nlp)
    assert [found(doc) for doc in other.pipe(TEXTS)] == expected
    other.add_pipe("ner")
    examples = make_examples(other)
    other.get_pipe("ner").initialize(lambda: examples)
    before = snapshot(other)
    for _ in range(2):
        losses = other.update(examples, exclude=["transformer", "joint_ner_re"], sgd=Adam(0.01))
    assert losses["ner"] > 0 and "joint_ner_re" not in losses
    assert all(torch.equal(x, before[name]) for name, x in snapshot(other).items())
    other.remove_pipe("ner")
    assert [found(doc) for doc in other.pipe(TEXTS)] == expected


@pytest.mark.slow
def test_frozen_from_the_start(load_config, small_overrides, tiny_bert, make_examples, tmp_path):
    """configs/published/crone_conll04.cfg, made small, trained as `spacy train` does."""
    blank = spacy.blank("en")
    golds = [example.reference for example in make_examples(blank)]
    DocBin(docs=golds, store_user_data=True).to_disk(tmp_path / "train.spacy")
    config = load_config(
        "published/crone_conll04.cfg",
        {
            **small_overrides("published/crone_conll04.cfg"),
            "paths.train": str(tmp_path / "train.spacy"),
            "paths.dev": str(tmp_path / "train.spacy"),
            "components.joint_ner_re.rel_threshold": 0.5,
            "training.max_steps": 100,
            "training.max_epochs": 0,
            "training.dropout": 0.0,
            "training.optimizer.learn_rate": 0.01,
        },
    )
    nlp = init_nlp(Config(config))
    before = snapshot(nlp)
    assert before["encoder.layer.0.attention.self.query.weight"].abs().sum() > 0
    (tmp_path / "out").mkdir()
    nlp, _ = train(nlp, tmp_path / "out")
    after = snapshot(nlp)
    assert all(torch.equal(before[name], after[name]) for name in before)
    loaded = spacy.load(tmp_path / "out" / "model-best")
    assert loaded.meta["performance"]["joint_f"] > 0.5
    examples = make_examples(loaded)
    score = loaded.evaluate(examples)["joint_f"]
    assert score == pytest.approx(loaded.meta["performance"]["joint_f"])
