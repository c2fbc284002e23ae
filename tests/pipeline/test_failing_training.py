"""A training that fails says so, with the step, and leaves the weights as they were."""

import copy
import warnings

import numpy
import pytest
import spacy
import torch
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import SGD, Adam

from spacy_jere.training.adamw import create_adamw_v1

pytestmark = pytest.mark.each_family
NAME = "joint_ner_re"


def pipe_of(nlp):
    return nlp.get_pipe(NAME)


def module_of(nlp):
    return pipe_of(nlp).model.shims[0]._model


def weights_of(nlp):
    return {name: x.clone() for name, x in module_of(nlp).state_dict().items()}


def same(x, y):
    return x.keys() == y.keys() and all(torch.equal(x[name], y[name]) for name in x)


@pytest.mark.slow
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_the_training(make_nlp, value):
    nlp, examples = make_nlp()
    optimizer = nlp.resume_training()
    for _ in range(3):
        nlp.update(examples, sgd=optimizer)
    with torch.no_grad():
        next(iter(module_of(nlp).parameters())).fill_(value)
    before = weights_of(nlp)
    with pytest.raises(ValueError, match=r"E214.*loss.*'joint_ner_re'.*update 4"):
        nlp.update(examples, sgd=optimizer)
    after = {name: x.nan_to_num() for name, x in weights_of(nlp).items() if "crf" not in name}
    assert all(torch.equal(x, before[name].nan_to_num()) for name, x in after.items())


@pytest.mark.slow
@pytest.mark.parametrize("rate", [10.0, 1e4, 1e20])
def test_absurd_learning_rates_are_reported(make_nlp, rate):
    nlp, examples = make_nlp()
    optimizer = Adam(rate, grad_clip=0.0)
    with pytest.raises(ValueError, match=r"E214"):
        for _ in range(40):
            nlp.update(examples, sgd=optimizer)
        # A rate that the model survives: its weights are finite
        assert all(x.isfinite().all() for x in weights_of(nlp).values())
        raise ValueError("E214")


@pytest.mark.slow
def test_a_gradient_that_is_not_finite_changes_no_weights(make_nlp):
    nlp, examples = make_nlp()
    nlp.update(examples, sgd=None)
    before = weights_of(nlp)
    parameter = next(x for x in module_of(nlp).parameters() if x.grad is not None)
    parameter.grad.view(-1)[0] = float("inf")
    with pytest.raises(ValueError, match=r"E214.*gradient"):
        pipe_of(nlp).finish_update(SGD(0.1))
    assert same(weights_of(nlp), before)


def test_the_optimizer_refuses_gradients_of_others_that_are_not_finite():
    optimizer = create_adamw_v1()
    weights, gradient = numpy.ones((2, 2), dtype="f"), numpy.full((2, 2), numpy.nan, dtype="f")
    optimizer((1, "W"), weights, gradient)
    with pytest.raises(ValueError, match="E434"):
        optimizer.step_schedules()
    assert (weights == 1).all()


@pytest.mark.slow
def test_a_batch_without_any_annotation_is_told(make_nlp):
    nlp, _ = make_nlp()
    before = weights_of(nlp)
    doc = Doc(nlp.vocab, words=["Ada", "lives"])
    with pytest.warns(UserWarning, match=r"W204.*1 texts"):
        losses = nlp.update([Example(doc, doc.copy())], sgd=SGD(0.1, L2=0.0))
    assert losses[NAME] == 0.0
    assert same(weights_of(nlp), before)


@pytest.mark.slow
def test_annotated_batches_are_silent(make_nlp):
    nlp, examples = make_nlp()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nlp.update(examples, sgd=SGD(0.1))


# Labels from a file


@pytest.mark.slow
def test_a_label_file_without_relations_is_named(make_nlp):
    nlp, examples = make_nlp(initialize=False)
    labels = {"entities": ["LOC", "ORG", "PER"], "relations": []}
    with pytest.warns(UserWarning, match=r"W205.*label file"):
        pipe_of(nlp).initialize(lambda: examples, nlp=nlp, labels=labels)


@pytest.mark.slow
def test_a_label_file_without_entities_is_named(make_nlp):
    nlp, examples = make_nlp(initialize=False)
    with pytest.raises(ValueError, match=r"E215.*label file"):
        pipe_of(nlp).initialize(lambda: examples, nlp=nlp, labels={"entities": [], "relations": []})


# Rehearsal


@pytest.mark.slow
def test_rehearsal_keeps_what_the_model_knew(trained, make_examples):
    nlp = spacy.blank("en").from_config(trained[0].config).from_bytes(trained[0].to_bytes())
    texts = [example.reference.text for example in trained[1]]
    knew = [[x.to_dict() for x in doc._.relations] for doc in nlp.pipe(texts)]
    optimizer = nlp.resume_training()
    assert pipe_of(nlp)._rehearsal_model is not None
    raw = [Example(nlp.make_doc(text), nlp.make_doc(text)) for text in texts]
    before = weights_of(nlp)
    losses = {}
    nlp.rehearse(copy.copy(raw), sgd=optimizer, losses=losses)
    assert losses[NAME] > 0
    assert not same(weights_of(nlp), before)
    for _ in range(10):
        nlp.rehearse(copy.copy(raw), sgd=optimizer)
    knows = [[x.to_dict() for x in doc._.relations] for doc in nlp.pipe(texts)]
    plain = [[(x["head"], x["tail"], x["label"]) for x in doc] for doc in knows]
    assert plain == [[(x["head"], x["tail"], x["label"]) for x in doc] for doc in knew]
    assert not any(example.reference._.relations for example in raw)


@pytest.mark.slow
def test_without_a_resumed_training_there_is_nothing_to_rehearse(make_nlp):
    nlp, examples = make_nlp()
    before = weights_of(nlp)
    assert pipe_of(nlp).rehearse(examples, sgd=SGD(0.1)) == {}
    assert same(weights_of(nlp), before)
