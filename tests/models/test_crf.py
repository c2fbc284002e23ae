"""Every number of the CRF against an enumeration of all tag sequences."""

from itertools import pairwise, product

import pytest
import torch

from spacy_jere.models.layers.crf import IMPOSSIBLE, BioCRF, n_bio_tags

N_LABELS = 2  # tags: O, B-0, I-0, B-1, I-1
LENGTHS = [1, 3, 4]


@pytest.fixture
def crf():
    torch.manual_seed(0)
    crf = BioCRF(N_LABELS).double()
    with torch.no_grad():
        for weights in crf.parameters():
            weights.copy_(torch.randn(weights.shape))
    crf.forbid()
    return crf


@pytest.fixture
def emissions():
    torch.manual_seed(1)
    return 2 * torch.randn(max(LENGTHS), len(LENGTHS), n_bio_tags(N_LABELS)).double()


@pytest.fixture
def mask():
    return torch.arange(max(LENGTHS)).unsqueeze(1) < torch.tensor(LENGTHS)


def is_bio(tags):
    """I-x follows B-x or I-x only."""
    before = (0, *tags[:-1])
    return all(not (y and y % 2 == 0) or x in (y - 1, y) for x, y in zip(before, tags))


def sequences(length):
    return [tags for tags in product(range(n_bio_tags(N_LABELS)), repeat=length) if is_bio(tags)]


def score(crf, emissions, tags):
    """Of one window, written out."""
    total = crf.start_transitions[tags[0]] + crf.end_transitions[tags[-1]]
    total = total + sum(emissions[i, tag] for i, tag in enumerate(tags))
    return total + sum(crf.transitions[x, y] for x, y in pairwise(tags))


def distribution(crf, emissions, length):
    tags = sequences(length)
    scores = torch.stack([score(crf, emissions, x) for x in tags])
    return tags, torch.softmax(scores, 0)


def spans_of(tags):
    """Start, end and label of each run B I … I."""
    starts = [i for i, tag in enumerate(tags) if tag % 2 == 1]
    found = []
    for start in starts:
        end = start + 1
        while end < len(tags) and tags[end] == tags[start] + 1:
            end += 1
        found.append((start, end, tags[start] // 2))
    return found


def one_hot(tags, n_steps):
    allowed = torch.zeros(n_steps, n_bio_tags(N_LABELS), dtype=torch.bool)
    allowed[torch.arange(len(tags)), torch.tensor(tags)] = True
    return allowed


def test_likelihood_of_each_sequence_equals_enumeration(crf, emissions, mask):
    for window, length in enumerate(LENGTHS):
        tags, probabilities = distribution(crf, emissions[:, window], length)
        for gold, probability in zip(tags, probabilities):
            allowed = one_hot(gold, len(mask)).unsqueeze(1).expand(-1, len(LENGTHS), -1)
            loss = crf.negative_log_likelihood(emissions, allowed, mask)
            assert torch.isclose(loss[window], -probability.log())


@pytest.mark.parametrize("known", list(product([True, False], repeat=4)))
def test_tokens_without_annotation_sum_over_all_their_tags(crf, emissions, mask, known):
    gold, window = (3, 4, 0, 1), 2
    allowed = one_hot(gold, 4) | ~torch.tensor(known).unsqueeze(1)
    tags, probabilities = distribution(crf, emissions[:, window], 4)
    fits = [all(x == y or not k for x, y, k in zip(tag, gold, known)) for tag in tags]
    loss = crf.negative_log_likelihood(
        emissions, allowed.unsqueeze(1).expand(-1, len(LENGTHS), -1), mask
    )
    assert torch.isclose(loss[window], -probabilities[torch.tensor(fits)].sum().log(), atol=1e-9)


def test_best_spans_equal_the_best_of_all_sequences(crf, mask):
    for seed in range(20):
        torch.manual_seed(seed)
        emissions = 2 * torch.randn(4, 3, 5).double()
        spans = crf.best_spans(emissions, mask)
        expected = []
        for window, length in enumerate(LENGTHS):
            tags, probabilities = distribution(crf, emissions[:, window], length)
            expected += [(window, *span) for span in spans_of(tags[probabilities.argmax()])]
        assert list(zip(*(x.tolist() for x in spans[:4]))) == expected


def test_span_probability_equals_enumeration(crf, emissions, mask):
    rows, expected = [], []
    for window, length in enumerate(LENGTHS):
        tags, probabilities = distribution(crf, emissions[:, window], length)
        for span in {span for x in tags for span in spans_of(x)}:
            has_it = torch.tensor([span in spans_of(x) for x in tags])
            rows.append((window, *span))
            expected.append(probabilities[has_it].sum())
    window, start, end, label = torch.tensor(rows).T
    found = crf._span_probability(emissions, mask, window, start, end, label)
    assert len(rows) == 2 * (1 + 6 + 10)
    assert torch.allclose(found, torch.stack(expected))


def test_best_spans_carry_their_probability(crf, emissions, mask):
    spans = crf.best_spans(emissions, mask)
    assert len(spans.window)
    assert torch.equal(spans.probability, crf._span_probability(emissions, mask, *spans[:4]))


def test_padding_does_not_matter(crf, emissions, mask):
    garbage = torch.where(mask.unsqueeze(2), emissions, 50.0)
    garbage = torch.cat([garbage, torch.full((2, 3, 5), -50.0)])
    longer = torch.cat([mask, torch.zeros(2, 3, dtype=torch.bool)])
    allowed = torch.zeros_like(garbage, dtype=torch.bool)
    allowed[:, :, 0] = True
    loss = crf.negative_log_likelihood(emissions, allowed[:4], mask)
    assert torch.allclose(crf.negative_log_likelihood(garbage, allowed, longer), loss)
    for plain, padded in zip(crf.best_spans(emissions, mask), crf.best_spans(garbage, longer)):
        assert torch.allclose(plain, padded)


def test_forbidden_transitions_are_never_decoded(crf):
    torch.manual_seed(2)
    emissions = torch.randn(6, 50, 5).double()
    emissions[:, :, [2, 4]] += 20  # nothing but I
    mask = torch.ones(6, 50, dtype=torch.bool)
    with torch.no_grad():  # as a careless optimizer might leave them
        crf.transitions.fill_(3.0)
        crf.start_transitions.fill_(3.0)
    spans = crf.best_spans(emissions, mask)
    assert all(is_bio(path) for path in crf.decode(emissions, mask))
    assert (crf.transitions[0, [2, 4]] == IMPOSSIBLE).all()
    assert ((spans.probability > 0) & (spans.probability <= 1)).all()


def test_gradient_reaches_emissions_and_weights(crf, emissions, mask):
    emissions.requires_grad_()
    allowed = one_hot((1, 2, 0, 0), 4).unsqueeze(1).expand(-1, 3, -1)

    def loss(values):
        return crf.negative_log_likelihood(values, allowed, mask).sum()

    assert torch.autograd.gradcheck(loss, (emissions,))
    loss(emissions).backward()
    assert all(weights.grad.abs().sum() > 0 for weights in crf.parameters())
    assert crf.transitions.grad[crf.forbidden].abs().max() == 0
    assert emissions.grad[~mask].abs().max() == 0


def test_no_spans_where_everything_is_outside(crf, mask):
    emissions = torch.zeros(4, 3, 5).double()
    emissions[:, :, 0] = 100
    assert all(len(x) == 0 for x in crf.best_spans(emissions, mask))


@pytest.mark.parametrize("n_labels, n_tags", [(0, 1), (1, 3), (4, 9)])
def test_number_of_tags(n_labels, n_tags):
    assert n_bio_tags(n_labels) == n_tags == BioCRF(n_labels).num_tags
