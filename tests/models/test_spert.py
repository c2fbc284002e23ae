"""SpERT's formulas written out, one span and one pair at a time."""

import pytest
import torch

from spacy_jere.models import spert
from spacy_jere.models.spert import SpERT


@pytest.fixture
def make_head(spert_batch):
    def _make_head(**changes):
        return spert_batch.make_head(SpERT, **changes)

    return _make_head


def span_probabilities(head, batch, spans):
    vectors = torch.stack([batch.span_vector(head, *span) for span in spans])
    return torch.softmax(head.entity_classifier(vectors), 1)


def pair_probabilities(head, batch, pairs):
    rows = [row[1:3] for row in batch.rows]
    vectors = torch.stack([batch.pair_vector(head, rows[i], rows[j]) for i, j in pairs])
    return torch.sigmoid(head.relation_classifier(vectors))


@pytest.mark.parametrize("classifier_hidden", [None, 6])
@pytest.mark.parametrize("max_span_width", [1, 3, 9])
def test_entities_are_the_spans_with_a_most_probable_label(
    make_head, spert_batch, classifier_hidden, max_span_width
):
    head = make_head(classifier_hidden=classifier_hidden, max_span_width=max_span_width).eval()
    spans = spert_batch.every_span(max_span_width)
    with torch.no_grad():
        found = head.candidates(*spert_batch.inputs())
        probabilities = span_probabilities(head, spert_batch, spans)
    expected = [
        (*span, int(row.argmax()) - 1) for span, row in zip(spans, probabilities) if row.argmax()
    ]
    assert list(zip(*(x.tolist() for x in found.entities))) == expected
    assert 0 < len(expected) < len(spans)
    scores = [float(row.max()) for row in probabilities if row.argmax()]
    assert found.entity_scores.tolist() == pytest.approx(scores, abs=1e-9)


@pytest.mark.parametrize("classifier_hidden", [None, 6])
def test_relation_scores_equal_the_formula(make_head, spert_batch, classifier_hidden):
    head = make_head(classifier_hidden=classifier_hidden).eval()
    with torch.no_grad():
        found = head.candidates(*spert_batch.inputs(), given=spert_batch.entities())
        expected = pair_probabilities(head, spert_batch, spert_batch.pairs)
    assert list(zip(found.heads.tolist(), found.tails.tolist())) == spert_batch.pairs
    assert torch.allclose(found.relation_scores, expected, atol=1e-9)
    assert found.entity_scores.tolist() == [1.0] * len(spert_batch.rows)


@pytest.mark.parametrize("seed", range(3))
def test_losses_equal_the_formulas_over_what_was_sampled(make_head, spert_batch, record, seed):
    """Equation 5: the cross-entropy of spans and 2.5 times the binary one of pairs, both as
    means."""
    head, sampled = make_head(), record(spert)
    torch.manual_seed(seed)
    losses = head.losses(*spert_batch.inputs(), spert_batch.targets())
    spans, labels = sampled["sample_spans"]
    spans = list(zip(*(x.tolist() for x in spans)))
    probabilities = span_probabilities(head, spert_batch, spans)
    ner = -sum(row[label].log() for row, label in zip(probabilities, labels)) / len(labels)
    heads, tails, _ = sampled["sample_pairs"]
    pairs = list(zip(heads.tolist(), tails.tolist()))
    re = 0
    for pair, row in zip(pairs, pair_probabilities(head, spert_batch, pairs)):
        for label, p in enumerate(row):
            re -= p.log() if (*pair, label) in spert_batch.relations else (1 - p).log()
    assert set(losses) == {"ner", "re"}
    assert losses["ner"].item() == pytest.approx(ner.item(), rel=1e-6)
    assert losses["re"].item() == pytest.approx(2.5 * re.item() / (3 * len(pairs)), rel=1e-6)


def test_negatives_of_each_window(make_head, spert_batch, record):
    head, sampled = make_head(), record(spert)
    head.losses(*spert_batch.inputs(), spert_batch.targets())
    spans, labels = sampled["sample_spans"]
    # The window of one token has one span, the first 9 with two gold ones among them.
    assert torch.bincount(spans.window[labels == 0]).tolist() == [5, 1, 5]
    assert labels[labels > 0].tolist() == [label + 1 for *_, label in spert_batch.rows]
    truth = sampled["sample_pairs"][2]
    assert truth.any(1).sum() == 3
    assert (~truth.any(1)).sum() == 1 + 2
