"""Crone's model: its formulas written out, windows together and alone, its settings."""

from itertools import permutations

import numpy
import pytest
import torch
from thinc.api import Model

from spacy_jere.models import joint
from spacy_jere.models.layers import pair_scores
from spacy_jere.models.layers.crf import EntityCRF
from spacy_jere.models.layers.task_birnn import create_task_birnn_v1
from spacy_jere.models.task_specific import (
    TaskSpecificBiRNN,
    build_task_specific_birnn_v1,
)
from spacy_jere.models.types import Entities, Limits, Targets

SETTINGS = {
    "width": 5,
    "n_entity_labels": 2,
    "n_relation_labels": 3,
    "ner_hidden": 6,
    "ner_activation": "tanh",
    "tag_scheme": "bio",
    "re_hidden": 7,
    "label_width": 3,
    "pair_context": None,
    "pair_dropout": 0.0,
    "re_loss_weight": 2.5,
    "ensemble_size": 1,
}
BIRNN = {"cell": "gru", "hidden": 4, "re_layers": 1, "dropout": 0.0}
LENGTHS = [4, 1, 6]
# Window, start, end (through all windows), label
ENTITIES = [(0, 0, 2, 1), (0, 3, 4, 0), (2, 5, 6, 0), (2, 7, 10, 1), (2, 10, 11, 0)]
RELATIONS = [(0, 1, 2), (2, 4, 0), (4, 2, 1), (4, 2, 2)]
PAIRS = [(i, j) for i, j in permutations(range(5), 2) if ENTITIES[i][0] == ENTITIES[j][0]]


def make_head(birnn=None, **changes):
    """birnn: Changes of the layers."""
    torch.manual_seed(0)
    layers = create_task_birnn_v1(**{**BIRNN, **(birnn or {})})
    return TaskSpecificBiRNN(**{**SETTINGS, "birnn": layers, **changes}).double()


def entities(rows=ENTITIES):
    return Entities(*torch.tensor(rows, dtype=torch.long).reshape(-1, 4).T)


def targets(known=True, relations_known=(True, True, True), rows=ENTITIES, relations=RELATIONS):
    flat = torch.ones(len(rows), dtype=torch.bool)
    tokens = torch.full((sum(LENGTHS),), known)
    relations = torch.tensor(relations, dtype=torch.long).reshape(-1, 3)
    one_way = torch.zeros(len(relations), dtype=torch.bool)
    return Targets(entities(rows), flat, tokens, relations, one_way, torch.tensor(relations_known))


def inputs():
    torch.manual_seed(1)
    return torch.randn(sum(LENGTHS), 5).double(), torch.tensor(LENGTHS)


def h_of(network, stack):
    """The output of the shared stack and one more, each window on its own."""
    parts = []
    for window in inputs()[0].split(LENGTHS):
        for layer in (*network.birnn.shared.layers, *getattr(network.birnn, stack).layers):
            window = layer(window)[0]
        parts.append(window)
    return torch.cat(parts)


def context(network, h, f, i, j):
    """What stands between two entities, 0, 1-2, 3-6, … tokens, in which order, and the two."""
    first, last = sorted((ENTITIES[i], ENTITIES[j]))
    between = h[first[2] : last[1]]
    apart = len(between)
    bucket = [0, 1, 1, 2, 2, 2, 2][apart] + (7 if i > j else 0)
    maxima = between.max(0).values if apart else torch.zeros(h.shape[1]).double()
    parts = [maxima, f[i], f[j], network.context.distance.weight[bucket]]
    return torch.relu(network.context.layer[0](torch.cat(parts)))


def pair_logits(network):
    """Section 3.3, one pair at a time."""
    h = h_of(network, "re")
    weight, bias = network.r1[0].weight, network.r1[0].bias
    g = [torch.cat([h[end - 1], network.label_embedding.weight[x]]) for _, _, end, x in ENTITIES]
    f = [torch.relu(weight @ x + bias) for x in g]
    rows = []
    for i, j in PAIRS:
        cosine = (f[i] @ f[j] / (f[i].norm() * f[j].norm())).reshape(1)
        distmult = torch.stack([(g[i] * w * g[j]).sum() for w in network.distmult.weight])
        parts = [f[i], f[j], cosine, distmult]
        if network.context is not None:
            parts.append(context(network, h, f, i, j))
        rows.append(network.r2.weight @ torch.cat(parts) + network.r2.bias)
    return torch.stack(rows)


def mean(tensors):
    return torch.stack(list(tensors)).mean(0)


@pytest.mark.parametrize("ensemble_size", [1, 3])
@pytest.mark.parametrize("pair_context", [None, 4])
def test_relation_scores_equal_the_formula(pair_context, ensemble_size):
    head = make_head(pair_context=pair_context, ensemble_size=ensemble_size)
    with torch.no_grad():
        candidates = head.candidates(*inputs(), given=entities())
        expected = mean(torch.sigmoid(pair_logits(network)) for network in head.networks)
    assert list(zip(candidates.heads.tolist(), candidates.tails.tolist())) == PAIRS
    assert torch.allclose(candidates.relation_scores, expected, atol=1e-9)
    assert candidates.entity_scores.tolist() == [1.0] * len(ENTITIES)


@pytest.mark.parametrize("ensemble_size", [1, 3])
def test_entities_are_those_of_the_mean_scores(ensemble_size):
    head = make_head(ensemble_size=ensemble_size)
    with torch.no_grad():
        for network in head.networks:
            network.tagger.emissions[-1].bias[0] -= 3.0  # few tokens are O
        found = head.candidates(*inputs())
        emissions = mean(
            network.tagger.emissions(h_of(network, "ner")) for network in head.networks
        )
        crf = EntityCRF.mean([network.tagger.crf for network in head.networks])
        spans, start = [], 0
        for scores in emissions.split(LENGTHS):
            mask = torch.ones(len(scores), 1, dtype=torch.bool)
            here, probability = crf.best_entities(scores.unsqueeze(1), mask)
            spans += zip(here.start + start, here.end + start, here.label, probability)
            start += len(scores)
    rows = (found.entities.start, found.entities.end, found.entities.label, found.entity_scores)
    assert len(spans) > 2
    assert torch.allclose(torch.stack(rows, 1).double(), torch.tensor(spans).double())


def test_networks_learn_each_for_itself():
    dropout = {"word_dropout": 0.3, "dropout": 0.2}
    head = make_head(ensemble_size=2, pair_context=4, birnn=dropout)
    vectors, lengths = inputs()
    torch.manual_seed(1)
    together = head.losses(vectors, lengths, targets())
    torch.manual_seed(1)
    each = [network.losses(vectors, lengths, targets()) for network in head.networks]
    for task, loss in together.items():
        assert torch.equal(loss, each[0][task] + each[1][task])
    sum(each[0].values()).backward()
    has_gradient = [[x.grad is not None for x in network.parameters()] for network in head.networks]
    assert all(has_gradient[0]) and not any(has_gradient[1])


def bce(logits, truth):
    p = torch.sigmoid(logits)
    return -torch.where(truth, p.log(), (1 - p).log()).mean()


@pytest.mark.parametrize(
    "relations_known, windows", [((1, 1, 1), (0, 2)), ((1, 1, 0), (0,)), ((0, 0, 1), (2,))]
)
def test_relation_loss_is_over_the_pairs_of_annotated_windows(relations_known, windows):
    head = make_head()
    truth = torch.tensor([[(i, j, label) in RELATIONS for label in range(3)] for i, j in PAIRS])
    counted = torch.tensor([ENTITIES[i][0] in windows for i, _ in PAIRS])
    known = tuple(bool(x) for x in relations_known)
    losses = head.losses(*inputs(), targets(relations_known=known))
    expected = 2.5 * bce(pair_logits(*head.networks)[counted], truth[counted])
    assert losses["re"].item() == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize(
    "changes",
    [
        {"relations_known": (False, False, False)},
        {"rows": [(0, 0, 1, 0), (2, 5, 6, 0)], "relations": []},
        {"rows": [], "relations": []},
    ],
)
def test_nothing_to_learn_about_relations(changes):
    assert make_head().losses(*inputs(), targets(**changes))["re"].item() == 0


@pytest.mark.parametrize(
    "tag_scheme, tags",
    [("bio", [3, 4, 0, 1, 0, 1, 0, 3, 4, 4, 1]), ("biluo", [5, 7, 0, 4, 0, 4, 0, 5, 6, 7, 4])],
)
def test_entity_loss_is_the_mean_over_windows(tag_scheme, tags):
    head = make_head(tag_scheme=tag_scheme)
    (network,) = head.networks
    emissions = network.tagger.emissions(h_of(network, "ner")).split(LENGTHS)
    tags = torch.tensor(tags).split(LENGTHS)
    masks = [torch.ones(n, 1, dtype=torch.bool) for n in LENGTHS]
    windows = zip(emissions, tags, masks)
    each = [-network.tagger.crf(x.unsqueeze(1), y.unsqueeze(1), mask) for x, y, mask in windows]
    loss = head.losses(*inputs(), targets())["ner"]
    assert loss.item() == pytest.approx((sum(each) / len(each)).item(), rel=1e-6)


def test_tokens_without_annotation_teach_nothing():
    losses = make_head().losses(*inputs(), targets(known=False, rows=[], relations=[]))
    assert "ner" not in losses


def test_without_relation_labels():
    head = make_head(n_relation_labels=0)
    assert list(head.losses(*inputs(), targets(relations=[]))) == ["ner"]
    candidates = head.candidates(*inputs(), given=entities())
    assert candidates.relation_scores.shape == (len(PAIRS), 0)


@pytest.mark.parametrize("at_once", [1, 3, len(PAIRS), 100])
def test_pairs_in_chunks(monkeypatch, at_once):
    head = make_head()
    (network,) = head.networks
    whole = head.candidates(*inputs(), given=entities()).relation_scores
    calls = []
    plain = network._pair_logits
    monkeypatch.setattr(pair_scores, "_PAIRS_AT_ONCE", at_once)
    monkeypatch.setattr(network, "_pair_logits", lambda *x: calls.append(1) or plain(*x))
    assert torch.allclose(head.candidates(*inputs(), given=entities()).relation_scores, whole)
    assert len(calls) == -(-len(PAIRS) // at_once)


@pytest.mark.parametrize("pair_context", [None, 4])
@pytest.mark.parametrize("at_once", [1, 3])
@pytest.mark.parametrize("max_distance", [None, 0, 2])
def test_losses_and_gradients_in_parts(monkeypatch, pair_context, at_once, max_distance):
    limits = Limits(max_distance)

    def learn():
        head = make_head(pair_context=pair_context)
        loss = head.losses(*inputs(), targets(), limits)["re"]
        loss.backward()
        return loss, [(name, x.grad) for name, x in head.named_parameters() if x.grad is not None]

    loss, gradients = learn()
    monkeypatch.setattr(pair_scores, "_PAIRS_AT_ONCE", at_once)
    loss_of_parts, gradients_of_parts = learn()
    assert torch.allclose(loss_of_parts, loss)
    assert [name for name, _ in gradients_of_parts] == [name for name, _ in gradients]
    assert len(gradients) > 8
    for (_, found), (name, expected) in zip(gradients_of_parts, gradients):
        assert torch.allclose(found, expected, atol=1e-9), name


@pytest.mark.parametrize("max_distance, counted", [(0, [5, 7]), (1, [0, 1, 2, 4, 5, 7])])
def test_relation_loss_is_over_the_pairs_within_the_distance(max_distance, counted):
    head = make_head()
    truth = torch.tensor([[(i, j, label) in RELATIONS for label in range(3)] for i, j in PAIRS])
    losses = head.losses(*inputs(), targets(), Limits(max_distance))
    expected = 2.5 * bce(pair_logits(*head.networks)[counted], truth[counted])
    assert losses["re"].item() == pytest.approx(expected.item(), rel=1e-6)


def test_the_gradient_of_many_pairs_needs_the_memory_of_one_part(monkeypatch):
    """What torch keeps of 40 × 39 pairs in parts of 100."""
    rows = [(0, 3 * i, 3 * i + 1, 0) for i in range(40)]
    vectors, lengths = torch.randn(120, 5).double(), torch.tensor([120])
    goal = targets(rows=rows, relations=[], relations_known=(True,))
    goal = goal._replace(known=torch.ones(120, dtype=torch.bool))
    kept = {}
    for at_once in (100, 1 << 14):
        kept[at_once] = 0
        monkeypatch.setattr(pair_scores, "_PAIRS_AT_ONCE", at_once)

        def note(x, at_once=at_once):
            kept[at_once] = max(kept[at_once], x.numel())
            return x

        with torch.autograd.graph.saved_tensors_hooks(note, lambda x: x):
            make_head(pair_context=4).losses(vectors, lengths, goal)
    assert kept[1 << 14] >= 1560 * 20 and kept[100] < 100 * 40


@pytest.mark.parametrize("cell, activation", [("lstm", "relu"), ("gru", "gelu")])
@pytest.mark.parametrize("layers", [{"ner_layers": 0, "re_layers": 0}, {"shared_layers": 2}])
@pytest.mark.parametrize("pair_context, tag_scheme", [(None, "bio"), (4, "biluo")])
def test_other_settings(cell, activation, layers, pair_context, tag_scheme):
    settings = {"pair_context": pair_context, "tag_scheme": tag_scheme}
    head = make_head({"cell": cell, **layers}, ner_activation=activation, **settings)
    losses = head.losses(*inputs(), targets())
    sum(losses.values()).backward()
    assert all(x.grad is not None and x.grad.isfinite().all() for x in head.parameters())
    assert len(head.networks[0].birnn.ner.layers) == layers.get("ner_layers", 1)


def test_word_dropout_hides_whole_tokens_in_training(monkeypatch):
    head, seen = make_head({"word_dropout": 0.5}, ensemble_size=2), []
    for stack in [network.birnn.shared for network in head.networks]:
        plain = stack.forward
        monkeypatch.setattr(
            stack, "forward", lambda x, packing, plain=plain: seen.append(x) or plain(x, packing)
        )
    head.losses(*inputs(), targets())
    hidden = [(x == 0).all(1) for x in seen]
    assert not torch.equal(*hidden)  # each network misses others
    for vectors, rows in zip(seen, hidden):
        assert 0 < rows.sum() < sum(LENGTHS)
        assert not (vectors[~rows] == 0).any()
    seen.clear()
    head.eval().candidates(*inputs(), given=entities())
    assert len(seen) == 2 and not any((x == 0).any() for x in seen)


@pytest.mark.slow
@pytest.mark.parametrize("at_once", [1, 7, 4096])
def test_docs_together_equal_docs_alone(make_nlp, overfit, monkeypatch, at_once):
    nlp, examples = make_nlp(rel_threshold=0.0)
    overfit(nlp, examples, steps=20)
    nlp.add_pipe("sentencizer", first=True)
    texts = [example.reference.text for example in examples]
    texts += ["", "Rome", " ".join(texts), "Ada lives in Rome . " * 9]
    docs = [nlp.get_pipe("sentencizer")(nlp.make_doc(text)) for text in texts]
    pipe = nlp.get_pipe("joint_ner_re")
    alone = [pipe.predict([doc])[0] for doc in docs]
    monkeypatch.setattr(joint, "_TOKENS_AT_ONCE", at_once)
    n_relations = 0
    for doc, expected, found in zip(docs, alone, pipe.predict(docs)):
        for x, y in ((expected.entities, found.entities), (expected.relations, found.relations)):
            assert [item[:3] for item in x] == [item[:3] for item in y], doc
            assert numpy.allclose([item[3] for item in x], [item[3] for item in y], atol=1e-5)
        n_relations += len(found.relations)
    assert n_relations > 20


@pytest.mark.slow
def test_an_ensemble_in_a_pipeline(make_nlp, model_config, overfit, found):
    model = model_config(ensemble_size=2, tag_scheme="biluo")
    nlp, examples = make_nlp(model=model)
    overfit(nlp, examples)
    assert nlp.evaluate(examples)["joint_f"] == 1.0
    other, _ = make_nlp(model=model)
    other.from_bytes(nlp.to_bytes())
    for example in examples:
        text = example.reference.text
        assert found(other(text)) == found(nlp(text))


def tok2vec():
    return Model("nothing", lambda model, X, is_train: (X, lambda dY: dY), dims={"nO": 5})


def test_without_layers_both_tasks_read_the_token_vectors():
    torch.manual_seed(0)
    head = TaskSpecificBiRNN(**{**SETTINGS, "birnn": None}).double()
    (network,) = head.networks
    vectors, lengths = inputs()
    states = network.birnn(vectors, lengths)
    assert torch.equal(network.tag_scores(states), network.tagger(vectors))
    with torch.no_grad():
        found = head.candidates(vectors, lengths, given=entities()).relation_scores
    assert torch.allclose(found, torch.sigmoid(pair_logits(network)), atol=1e-9)


@pytest.mark.parametrize(
    "setting, value",
    [
        ("ner_hidden", 0),
        ("re_hidden", -1),
        ("label_width", 0),
        ("ensemble_size", 0),
        ("re_loss_weight", -0.1),
        ("pair_dropout", -0.1),
    ],
)
def test_setting_out_of_range(setting, value):
    with pytest.raises(ValueError, match=f"E405.*{setting} must be .*not {value}"):
        build_task_specific_birnn_v1(tok2vec(), None, **{setting: value})
