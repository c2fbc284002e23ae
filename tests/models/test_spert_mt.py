"""SpERT.MT's three additions written out, one span and one pair at a time."""

import pytest
import torch

from spacy_jere.models import spert
from spacy_jere.models.layers.tagging import find_tagged
from spacy_jere.models.spert import create_span_classifier_v1
from spacy_jere.models.spert_mt import SpERTMT, build_spert_mt_v1

OWN = {
    "entity_logits": True,
    "detach_logits": False,
    "is_entity_weight": 0.5,
    "is_related_weight": 0.25,
    "multiply_probabilities": False,
    "iou_weight": 3.0,
    "iou_loss": "smooth_l1",
    "hard_negatives": True,
    "tag_weight": 0.0,
}
# Each leaves out or changes one part.
CHANGES = [
    {},
    {"entity_logits": False},
    {"detach_logits": True},
    {"is_entity_weight": 0.0},
    {"is_related_weight": 0.0},
    {"multiply_probabilities": True},
    {"multiply_probabilities": True, "is_entity_weight": 0.0, "is_related_weight": 0.0},
    {"iou_weight": 0.0},
    {"iou_loss": "bce"},
    {"hard_negatives": False},
    {"classifier_hidden": 6},
]


@pytest.fixture
def make_head(spert_batch):
    def _make_head(**changes):
        return spert_batch.make_head(SpERTMT, **{**OWN, **changes})

    return _make_head


def label_logits(head, x_s):
    """z: the entity classifier is told what the regression says of the span."""
    if head.iou is not None:
        x_s = torch.cat([x_s, torch.sigmoid(head.iou(x_s))], -1)
    return head.entity_classifier(x_s)


def pair_vectors(head, batch, pairs, entity_logits=True):
    """x_r' = x_r ∘ z_1 ∘ z_2."""
    found = []
    for i, j in pairs:
        parts = [batch.pair_vector(head, batch.rows[i][1:3], batch.rows[j][1:3])]
        if entity_logits:
            parts += [
                label_logits(head, batch.span_vector(head, *batch.rows[k][:3])) for k in (i, j)
            ]
        found.append(torch.cat(parts))
    return torch.stack(found)


@pytest.mark.parametrize("changes", CHANGES)
def test_predictions_equal_the_formulas(make_head, spert_batch, changes):
    head = make_head(**changes).eval()
    multiply = changes.get("multiply_probabilities", False)
    spans = spert_batch.every_span()
    with torch.no_grad():
        x_s = torch.stack([spert_batch.span_vector(head, *span) for span in spans])
        probabilities = torch.softmax(label_logits(head, x_s), 1)
        if multiply and head.is_entity is not None:
            probabilities[:, 1:] *= torch.sigmoid(head.is_entity(x_s))
        x_r = pair_vectors(head, spert_batch, spert_batch.pairs, head.entity_logits)
        expected = torch.sigmoid(head.relation_classifier(x_r))
        if multiply and head.is_related is not None:
            expected *= torch.sigmoid(head.is_related(x_r))
        found = head.candidates(*spert_batch.inputs())
        given = head.candidates(*spert_batch.inputs(), given=spert_batch.entities())
    rows = [(*span, int(p.argmax()) - 1) for span, p in zip(spans, probabilities) if p.argmax()]
    assert list(zip(*(x.tolist() for x in found.entities))) == rows
    assert 0 < len(rows) < len(spans)
    scores = [float(p.max()) for p in probabilities if p.argmax()]
    assert found.entity_scores.tolist() == pytest.approx(scores, abs=1e-9)
    assert list(zip(given.heads.tolist(), given.tails.tolist())) == spert_batch.pairs
    assert torch.allclose(given.relation_scores, expected, atol=1e-9)


def best_iou(batch, span):
    """q(s), the best intersection over union with an entity."""
    best = 0.0
    for _, start, end, _ in batch.rows:
        tokens, gold = set(range(*span[1:])), set(range(start, end))
        best = max(best, len(tokens & gold) / len(tokens | gold))
    return best


def bce(logit, truth):
    p = torch.sigmoid(logit)
    return -(truth * p.log() + (1 - truth) * (1 - p).log())


def smooth_l1(found, wanted):
    return 0.5 * (found - wanted) ** 2 if abs(found - wanted) < 1 else abs(found - wanted) - 0.5


def mean(values):
    return sum(values).item() / len(values)


@pytest.mark.parametrize("changes", CHANGES)
def test_losses_equal_the_formulas_over_what_was_sampled(make_head, spert_batch, record, changes):
    head, sampled = make_head(**changes), record(spert)
    losses = head.losses(*spert_batch.inputs(), spert_batch.targets())
    spans, labels = sampled["sample_spans"]
    spans = list(zip(*(x.tolist() for x in spans)))
    heads, tails, _ = sampled["sample_pairs"]
    pairs = list(zip(heads.tolist(), tails.tolist()))
    truth = [[(*pair, label) in spert_batch.relations for label in range(3)] for pair in pairs]
    with torch.no_grad():
        x_s = [spert_batch.span_vector(head, *span) for span in spans]
        x_r = pair_vectors(head, spert_batch, pairs, head.entity_logits)
        z = [label_logits(head, x).log_softmax(0) for x in x_s]
        expected = {"ner": mean([-row[label] for row, label in zip(z, labels)])}
        logits = [head.relation_classifier(x) for x in x_r]
        terms = [bce(row[i], y[i]) for row, y in zip(logits, truth) for i in range(3)]
        expected["re"] = 2.5 * mean(terms)
        if changes.get("is_entity_weight") != 0:
            terms = [bce(head.is_entity(x), bool(label)) for x, label in zip(x_s, labels)]
            expected["is_entity"] = 0.5 * mean(terms)
        if changes.get("is_related_weight") != 0:
            terms = [bce(head.is_related(x), any(y)) for x, y in zip(x_r, truth)]
            expected["is_related"] = 0.25 * mean(terms)
        if changes.get("iou_weight") != 0:
            q = [best_iou(spert_batch, span) for span in spans]
            assert any(0 < x < 1 for x in q)
            if changes.get("iou_loss") == "bce":
                terms = [bce(head.iou(x), y) for x, y in zip(x_s, q)]
            else:
                terms = [smooth_l1(torch.sigmoid(head.iou(x)), y) for x, y in zip(x_s, q)]
            expected["iou"] = 3.0 * mean(terms)
    assert {x: y.item() for x, y in losses.items()} == pytest.approx(expected, rel=1e-6)


def test_weights_of_zero_leave_no_parameters(make_head):
    head = make_head(is_entity_weight=0, is_related_weight=0, iou_weight=0, entity_logits=False)
    names = {name.split(".")[0] for name, _ in head.named_parameters()}
    assert names == {"encoder", "entity_classifier", "relation_classifier"}


@pytest.mark.parametrize("detach", [False, True])
def test_detached_logits_keep_the_loss_of_relations_from_the_entity_classifier(
    make_head, spert_batch, detach
):
    head = make_head(detach_logits=detach)
    losses = head.losses(*spert_batch.inputs(), spert_batch.targets())
    (losses["re"] + losses["is_related"]).backward()
    for part in (head.entity_classifier, head.iou):
        assert all((x.grad is None or not x.grad.any()) is detach for x in part.parameters())
    assert head.relation_classifier.weight.grad.any()


def test_hard_negatives_are_asked_for(make_head, spert_batch, monkeypatch):
    seen = []
    plain = spert.sample_spans
    monkeypatch.setattr(
        spert,
        "sample_spans",
        lambda *args, **options: seen.append(options["hard_negatives"]) or plain(*args, **options),
    )
    for hard_negatives in (True, False):
        head = make_head(hard_negatives=hard_negatives)
        head.losses(*spert_batch.inputs(), spert_batch.targets())
    assert seen == [True, False]


def test_tags_are_a_task_of_their_own(make_head, spert_batch):
    head = make_head(tag_weight=0.5)
    torch.manual_seed(1)
    without = make_head().losses(*spert_batch.inputs(), spert_batch.targets())
    vectors, lengths = spert_batch.inputs()
    targets = spert_batch.targets()
    losses = head.losses(vectors, lengths, targets)
    emissions = head.tagger(head.encoder(vectors, lengths).entities)
    expected = head.tagger.loss(emissions, lengths, targets.flat_entities, targets.known)
    assert set(losses) == {*without, "tags"}
    assert losses["tags"].item() == pytest.approx(0.5 * expected.item(), rel=1e-6)
    nothing_known = targets._replace(known=targets.known & False)
    assert "tags" not in head.losses(vectors, lengths, nothing_known)


def test_with_tags_the_entities_are_those_of_the_best_tags(make_head, spert_batch):
    head = make_head(tag_weight=0.5).eval()
    vectors, lengths = spert_batch.inputs()
    with torch.no_grad():
        head.tagger.emissions[-1].bias[0] -= 3.0  # few tokens are O
        found = head.candidates(vectors, lengths)
        emissions = head.tagger(head.encoder(vectors, lengths).entities)
        tagged, probability = find_tagged(head.tagger.crf, emissions, lengths)
        given = head.candidates(vectors, lengths, given=tagged)
    assert len(tagged.window) > 2
    assert all(torch.equal(x, y) for x, y in zip(found.entities, tagged))
    assert torch.equal(found.entity_scores, probability)
    assert torch.equal(found.relation_scores, given.relation_scores)


@pytest.mark.parametrize(
    "setting", ["is_entity_weight", "is_related_weight", "iou_weight", "tag_weight"]
)
def test_negative_weight(setting):
    with pytest.raises(ValueError, match=rf"E405.*{setting} must be 0 or more"):
        build_spert_mt_v1(None, create_span_classifier_v1(), **{setting: -0.5})
