"""Representations of spans and pairs, written out with masks and loops, against the module."""

from itertools import permutations

import pytest
import torch

from spacy_jere.models.layers.classifier import expect_none, make_classifier
from spacy_jere.models.layers.settings import require_at_least, require_rate
from spacy_jere.models.layers.span_encoder import SpanEncoder
from spacy_jere.models.types import Entities, Spans

SETTINGS = {
    "width": 5,
    "context_width": 0,
    "n_widths": 4,
    "width_embedding": 2,
    "relations": True,
    "span_ends": False,
}
BIRNN = {
    "cell": "gru",
    "hidden": 3,
    "shared_layers": 0,
    "ner_layers": 0,
    "re_layers": 0,
    "dropout": 0.0,
    "word_dropout": 0.0,
    "keep_tokens": True,
}
LENGTHS = [4, 1, 7]
# Window, start, end: alone, overlapping, nested, the same, next to each other, apart, wider than
# the table
SPANS = [
    (0, 0, 2),
    (0, 1, 3),
    (0, 3, 4),
    (1, 4, 5),
    (2, 5, 12),
    (2, 6, 7),
    (2, 6, 7),
    (2, 7, 8),
    (2, 10, 12),
]
PAIRS = [(i, j) for i, j in permutations(range(len(SPANS)), 2) if SPANS[i][0] == SPANS[j][0]]
LAYERS = [
    {},
    {"shared_layers": 1},
    {"ner_layers": 1},
    {"re_layers": 2, "cell": "lstm"},
    {"shared_layers": 1, "ner_layers": 1, "re_layers": 1},
]


def make_encoder(**changes):
    torch.manual_seed(0)
    birnn = {x: changes.pop(x, y) for x, y in BIRNN.items()}
    return SpanEncoder(**{**SETTINGS, "birnn": birnn, **changes}).double()


def inputs():
    torch.manual_seed(1)
    return torch.randn(sum(LENGTHS), 5).double(), torch.tensor(LENGTHS)


def columns(rows):
    return torch.tensor(rows, dtype=torch.long).T


def tokens_of(encoder, stack):
    """Token vectors and the output of the BiRNN layers, each window on its own."""
    tokens = inputs()[0][:, encoder.context_width :]
    layers = [*encoder.birnn.shared.layers, *getattr(encoder.birnn, stack).layers]
    if not layers:
        return tokens
    parts = []
    for window in tokens.split(LENGTHS):
        hidden = window
        for layer in layers:
            hidden = layer(hidden)[0]
        parts.append(torch.cat([window, hidden], 1) if encoder.birnn.keep_tokens else hidden)
    return torch.cat(parts)


def maximum(tokens, mask):
    """Max-pooling as the original writes it: what is outside gets a number below all others."""
    if not any(mask):
        return torch.zeros(tokens.shape[1]).double()
    outside = ~torch.tensor(mask)
    return tokens.masked_fill(outside.unsqueeze(1), -1e30).max(0).values


def inside(*ranges):
    return [any(start <= i < end for start, end in ranges) for i in range(sum(LENGTHS))]


def width_vector(encoder, span):
    return encoder.width_embedding.weight[min(span[2] - span[1], 3)]


def context_of(encoder, window):
    first = sum(LENGTHS[:window])
    if encoder.context_width:
        return inputs()[0][first, : encoder.context_width]
    return maximum(tokens_of(encoder, "ner"), inside((first, first + LENGTHS[window])))


def pooled(encoder, tokens, span):
    ends = [tokens[span[1]], tokens[span[2] - 1]] if encoder.span_ends else []
    return torch.cat([maximum(tokens, inside(span[1:])), *ends])


def expected_spans(encoder):
    tokens = tokens_of(encoder, "ner")
    return torch.stack(
        [
            torch.cat(
                [
                    context_of(encoder, span[0]),
                    pooled(encoder, tokens, span),
                    width_vector(encoder, span),
                ]
            )
            for span in SPANS
        ]
    )


def expected_pairs(encoder):
    tokens, rows = tokens_of(encoder, "re"), []
    for i, j in PAIRS:
        first, last = sorted([SPANS[i][1:], SPANS[j][1:]], key=lambda x: (x[1], x[0]))
        between = maximum(tokens, inside((first[1], last[0])))
        spans = [pooled(encoder, tokens, SPANS[k]) for k in (i, j)]
        widths = [width_vector(encoder, SPANS[k]) for k in (i, j)]
        rows.append(torch.cat([between, *spans, *widths]))
    return torch.stack(rows)


def entities():
    window, start, end = columns(SPANS)
    return Entities(window, start, end, torch.zeros_like(window))


def run(encoder):
    encoded = encoder(*inputs())
    pairs = encoder.pairs(encoded, entities(), *columns(PAIRS))
    return encoder.spans(encoded, entities().spans), pairs


@pytest.mark.slow
@pytest.mark.parametrize("layers", LAYERS)
@pytest.mark.parametrize("context_width", [0, 2])
@pytest.mark.parametrize("keep_tokens", [True, False])
@pytest.mark.parametrize("span_ends", [True, False])
def test_spans_and_pairs_equal_the_formulas(layers, context_width, keep_tokens, span_ends):
    changes = {"context_width": context_width, "keep_tokens": keep_tokens, "span_ends": span_ends}
    encoder = make_encoder(**changes, **layers)
    spans, pairs = run(encoder)
    assert torch.allclose(spans, expected_spans(encoder), atol=1e-9)
    assert torch.allclose(pairs, expected_pairs(encoder), atol=1e-9)
    assert (spans.shape[1], pairs.shape[1]) == (encoder.span_width, encoder.pair_width)


@pytest.mark.slow
@pytest.mark.parametrize("layers", LAYERS)
@pytest.mark.parametrize("context_width", [0, 2])
@pytest.mark.parametrize("span_ends", [True, False])
@pytest.mark.parametrize("hidden", [None, 6])
@pytest.mark.parametrize("others", [[], [1], [1, 3]])
def test_classifying_without_the_vectors_of_spans_equals_the_formula(
    layers, context_width, span_ends, hidden, others
):
    encoder = make_encoder(context_width=context_width, span_ends=span_ends, **layers)
    classifier = make_classifier(encoder.span_width + sum(others), 4, hidden, 0.0).double()
    more = [torch.randn(len(SPANS), width).double() for width in others]
    found = encoder.classify(encoder(*inputs()), entities().spans, classifier, *more)
    whole = torch.cat([expected_spans(encoder), *more], 1)
    assert torch.allclose(found, classifier(whole), atol=1e-9)


def test_nothing_between_is_a_zero_vector():
    encoder = make_encoder()
    between = {pair: row[:5] for pair, row in zip(PAIRS, run(encoder)[1])}
    empty = {pair for pair, row in between.items() if not row.any()}
    apart = {(0, 2), (2, 0), *((i, 8) for i in (5, 6, 7)), *((8, i) for i in (5, 6, 7))}
    assert empty == set(PAIRS) - apart
    assert torch.equal(between[0, 2], inputs()[0][2])


def test_the_order_of_a_pair_matters():
    rows = dict(zip(PAIRS, run(make_encoder())[1]))
    assert torch.equal(rows[0, 2][:5], rows[2, 0][:5])
    assert torch.equal(rows[0, 2][5:10], rows[2, 0][10:15])
    assert not torch.equal(rows[0, 2], rows[2, 0])


@pytest.mark.parametrize("layers", LAYERS)
def test_windows_together_equal_windows_alone(layers):
    encoder = make_encoder(context_width=2, **layers)
    together = run(encoder)[0]
    vectors, first = inputs()[0], 0
    for window, length in enumerate(LENGTHS):
        encoded = encoder(vectors[first : first + length], torch.tensor([length]))
        rows = [i for i, span in enumerate(SPANS) if span[0] == window]
        start, end = columns([SPANS[i][1:] for i in rows]) - first
        alone = encoder.spans(encoded, Spans(torch.zeros_like(start), start, end))
        assert torch.allclose(alone, together[rows], atol=1e-9)
        first += length


def test_all_parameters_get_a_gradient():
    encoder = make_encoder(shared_layers=1, ner_layers=1, re_layers=1)
    vectors, lengths = inputs()
    vectors.requires_grad_()
    encoded = encoder(vectors, lengths)
    total = encoder.spans(encoded, entities().spans).sum()
    total = total + encoder.pairs(encoded, entities(), *columns(PAIRS)).sum()
    total.backward()
    assert all(x.grad is not None and x.grad.any() for x in encoder.parameters())
    assert vectors.grad.any(1).all()


@pytest.mark.parametrize("layers, hides", [({}, False), ({"ner_layers": 1}, True)])
def test_word_dropout_is_for_the_birnn_layers(layers, hides):
    encoder, plain = (make_encoder(word_dropout=rate, **layers) for rate in (0.9, 0.0))
    torch.manual_seed(2)
    found, expected = encoder(*inputs()), plain(*inputs())
    assert torch.equal(found.entities[:, :5], expected.entities[:, :5])
    assert torch.equal(found.relations, expected.relations)
    assert torch.allclose(found.entities, expected.entities) is not hides
    assert torch.equal(encoder.eval()(*inputs()).entities, expected.entities)


# Classifiers and settings


def test_classifier():
    assert type(make_classifier(4, 3, None, 0.1)) is torch.nn.Linear
    torch.manual_seed(0)
    classifier, x = make_classifier(4, 3, 6, 0.5), torch.randn(2, 4)
    first, _, dropout, last = classifier
    assert (first.out_features, dropout.p, dropout.follows_training) == (6, 0.5, False)
    assert make_classifier(4, 3, 6, None)[2].follows_training
    hidden = (x @ first.weight.T + first.bias).clamp(min=0)
    expected = hidden @ last.weight.T + last.bias
    assert torch.allclose(classifier.eval()(x), expected, atol=1e-6)
    assert not torch.allclose(classifier.train()(x), expected, atol=1e-6)


@pytest.mark.parametrize("hidden", [None, 6])
def test_expect_none(hidden):
    torch.manual_seed(0)
    classifier, x = make_classifier(4, 3, hidden, 0.0), torch.randn(50, 4)
    before = classifier(x)
    expect_none(classifier)
    odds = (classifier(x)[:, :1] - before[:, :1]).exp()
    assert torch.allclose(odds, torch.full_like(odds, 100.0), rtol=1e-4)
    assert torch.equal(classifier(x)[:, 1:], before[:, 1:])
    assert (classifier(x).softmax(1)[:, 1:] < 0.1).all()


def test_checks_of_settings():
    settings = {"a": None, "b": 2, "c": 0.5}
    require_at_least(settings, 2, "a", "b")
    require_rate(settings, "a", "c")
    with pytest.raises(ValueError, match=r"E405.*b must be 3 or more, not 2"):
        require_at_least(settings, 3, "a", "b")
    with pytest.raises(ValueError, match=r"E405.*b must be null or from 0 to below 1, not 2"):
        require_rate(settings, "a", "b")
