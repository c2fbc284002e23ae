"""Every number of the CRF against an enumeration of all tag sequences."""

from itertools import pairwise, product

import pytest
import torch

from spacy_jere.models.layers.crf import IMPOSSIBLE, EntityCRF, n_tags
from spacy_jere.models.types import Entities

N_LABELS = 2
TAGS = {
    "bio": ["O", "B-0", "I-0", "B-1", "I-1"],
    "biluo": ["O", "B-0", "I-0", "L-0", "U-0", "B-1", "I-1", "L-1", "U-1"],
}
GOLD = {"bio": ["B-1", "I-1", "O", "B-0"], "biluo": ["B-1", "L-1", "O", "U-0"]}
LENGTHS = [1, 3, 4]


@pytest.fixture(params=TAGS)
def scheme(request):
    return request.param


@pytest.fixture
def crf(scheme):
    torch.manual_seed(0)
    crf = EntityCRF(N_LABELS, scheme).double()
    with torch.no_grad():
        for weights in crf.parameters():
            weights.copy_(torch.randn(weights.shape))
    crf.forbid()
    return crf


@pytest.fixture
def emissions(crf):
    return random_emissions(crf, seed=1)


@pytest.fixture
def mask():
    return torch.arange(max(LENGTHS)).unsqueeze(1) < torch.tensor(LENGTHS)


def random_emissions(crf, seed):
    torch.manual_seed(seed)
    return 2 * torch.randn(max(LENGTHS), len(LENGTHS), crf.num_tags).double()


def names_of(crf, tags):
    """The tags by name, and the nothing that stands before and after them."""
    names = TAGS["bio" if crf.num_tags == 5 else "biluo"]
    return ["O", *(names[tag] for tag in tags), "O"]


def is_allowed(crf, tags):
    """I-x and L-x follow B-x or I-x only; where there is an L, nothing else follows those."""
    for x, y in pairwise(names_of(crf, tags)):
        goes_on = x[0] in "BI" and y[0] in "IL" and x[1:] == y[1:]
        if not goes_on and (y[0] in "IL" or (crf.num_tags == 9 and x[0] in "BI")):
            return False
    return True


def sequences(crf, length):
    return [tags for tags in product(range(crf.num_tags), repeat=length) if is_allowed(crf, tags)]


def score(crf, emissions, tags):
    """Of one window, written out."""
    total = crf.start_transitions[tags[0]] + crf.end_transitions[tags[-1]]
    total = total + sum(emissions[i, tag] for i, tag in enumerate(tags))
    return total + sum(crf.transitions[x, y] for x, y in pairwise(tags))


def distribution(crf, emissions, length):
    tags = sequences(crf, length)
    scores = torch.stack([score(crf, emissions, x) for x in tags])
    return tags, torch.softmax(scores, 0)


def spans_of(crf, tags):
    """Start, end and label of each run that B or U opens."""
    names = names_of(crf, tags)[1:]
    found = []
    for start, name in enumerate(names):
        if name[0] in "BU":
            end = start + 1
            while names[end][0] in "IL":
                end += 1
            found.append((start, end, int(name[2:])))
    return found


def one_hot(crf, tags, n_steps):
    allowed = torch.zeros(n_steps, crf.num_tags, dtype=torch.bool)
    allowed[torch.arange(len(tags)), torch.tensor(tags)] = True
    return allowed


def test_likelihood_of_each_sequence_equals_enumeration(crf, emissions, mask):
    for window, length in enumerate(LENGTHS):
        tags, probabilities = distribution(crf, emissions[:, window], length)
        for gold, probability in zip(tags, probabilities):
            allowed = one_hot(crf, gold, len(mask)).unsqueeze(1).expand(-1, len(LENGTHS), -1)
            loss = crf.negative_log_likelihood(emissions, allowed, mask)
            assert torch.isclose(loss[window], -probability.log())


@pytest.mark.parametrize(
    "known",
    [
        pytest.param(x, marks=[] if x == (True, False, True, False) else pytest.mark.slow)
        for x in product([True, False], repeat=4)
    ],
)
def test_tokens_without_annotation_sum_over_all_their_tags(crf, scheme, emissions, mask, known):
    gold, window = [TAGS[scheme].index(name) for name in GOLD[scheme]], 2
    allowed = one_hot(crf, gold, 4) | ~torch.tensor(known).unsqueeze(1)
    tags, probabilities = distribution(crf, emissions[:, window], 4)
    fits = [all(x == y or not k for x, y, k in zip(tag, gold, known)) for tag in tags]
    loss = crf.negative_log_likelihood(
        emissions, allowed.unsqueeze(1).expand(-1, len(LENGTHS), -1), mask
    )
    assert torch.isclose(loss[window], -probabilities[torch.tensor(fits)].sum().log(), atol=1e-9)


@pytest.mark.slow
def test_best_entities_equal_the_best_of_all_sequences(crf, mask):
    for seed in range(20):
        emissions = random_emissions(crf, seed)
        found, _ = crf.best_entities(emissions, mask)
        expected = []
        for window, length in enumerate(LENGTHS):
            tags, probabilities = distribution(crf, emissions[:, window], length)
            expected += [(window, *span) for span in spans_of(crf, tags[probabilities.argmax()])]
        assert list(zip(*(x.tolist() for x in found))) == expected


def test_span_probability_equals_enumeration(crf, emissions, mask):
    rows, expected = [], []
    for window, length in enumerate(LENGTHS):
        tags, probabilities = distribution(crf, emissions[:, window], length)
        for span in {span for x in tags for span in spans_of(crf, x)}:
            has_it = torch.tensor([span in spans_of(crf, x) for x in tags])
            rows.append((window, *span))
            expected.append(probabilities[has_it].sum())
    found = crf._probabilities(emissions, mask, Entities(*torch.tensor(rows).T))
    assert len(rows) == 2 * (1 + 6 + 10)
    assert torch.allclose(found, torch.stack(expected))


def test_mean_of_several(crf, scheme):
    """Under the mean of weights and emissions a sequence is as likely as the geometric mean
    says."""
    crfs = [crf, EntityCRF(N_LABELS, scheme).double(), EntityCRF(N_LABELS, scheme).double()]
    before = [x.clone() for x in crf.parameters()]
    emissions = [random_emissions(crf, seed)[:, 0] for seed in range(3)]
    length = LENGTHS[0]
    each = [distribution(x, y, length)[1].log() for x, y in zip(crfs, emissions)]
    found = distribution(EntityCRF.mean(crfs), torch.stack(emissions).mean(0), length)[1]
    assert torch.allclose(found, torch.softmax(torch.stack(each).mean(0), 0))
    assert all(torch.equal(x, y) for x, y in zip(crf.parameters(), before))


def test_best_entities_carry_their_probability(crf, emissions, mask):
    found, probabilities = crf.best_entities(emissions, mask)
    assert len(found.window)
    assert torch.equal(probabilities, crf._probabilities(emissions, mask, found))


def test_padding_does_not_matter(crf, emissions, mask):
    garbage = torch.where(mask.unsqueeze(2), emissions, 50.0)
    garbage = torch.cat([garbage, torch.full((2, 3, crf.num_tags), -50.0)])
    longer = torch.cat([mask, torch.zeros(2, 3, dtype=torch.bool)])
    allowed = torch.zeros_like(garbage, dtype=torch.bool)
    allowed[:, :, 0] = True
    loss = crf.negative_log_likelihood(emissions, allowed[:4], mask)
    assert torch.allclose(crf.negative_log_likelihood(garbage, allowed, longer), loss)
    plain, padded = crf.best_entities(emissions, mask), crf.best_entities(garbage, longer)
    for x, y in zip([*plain[0], plain[1]], [*padded[0], padded[1]]):
        assert torch.allclose(x, y)


def test_forbidden_transitions_are_never_decoded(crf, scheme):
    torch.manual_seed(2)
    emissions = torch.randn(6, 50, crf.num_tags).double()
    inside = [i for i, name in enumerate(TAGS[scheme]) if name[0] == "I"]
    emissions[:, :, inside] += 20  # nothing but I
    mask = torch.ones(6, 50, dtype=torch.bool)
    with torch.no_grad():  # as a careless optimizer might leave them
        for weights in crf.parameters():
            weights.fill_(3.0)
    _, probabilities = crf.best_entities(emissions, mask)
    assert all(is_allowed(crf, path) for path in crf.decode(emissions, mask))
    assert (crf.transitions[0, inside] == IMPOSSIBLE).all()
    assert ((probabilities > 0) & (probabilities <= 1)).all()


def test_transitions_of_allowed_sequences_are_possible_and_no_others(crf):
    tags = sequences(crf, 4)
    seen = {pair for path in tags for pair in pairwise(path)}
    for x, y in product(range(crf.num_tags), repeat=2):
        assert (crf.transitions[x, y] > IMPOSSIBLE) == ((x, y) in seen)
    for x in range(crf.num_tags):
        assert (crf.start_transitions[x] > IMPOSSIBLE) == any(path[0] == x for path in tags)
        assert (crf.end_transitions[x] > IMPOSSIBLE) == any(path[-1] == x for path in tags)


def test_tags_of_spans(crf, scheme):
    rows = [(0, 0, 3, 1), (0, 4, 5, 0), (0, 5, 7, 0)]
    tags = crf.tags_of(Entities(*torch.tensor(rows).T), 8)
    expected = {
        "bio": ["B-1", "I-1", "I-1", "O", "B-0", "B-0", "I-0", "O"],
        "biluo": ["B-1", "I-1", "L-1", "O", "U-0", "B-0", "L-0", "O"],
    }
    assert names_of(crf, tags)[1:-1] == expected[scheme]


def test_gradient_reaches_emissions_and_weights(crf, scheme, emissions, mask):
    emissions.requires_grad_()
    gold = [TAGS[scheme].index(name) for name in GOLD[scheme]]
    allowed = one_hot(crf, gold, 4).unsqueeze(1).expand(-1, 3, -1)

    def loss(values):
        return crf.negative_log_likelihood(values, allowed, mask).sum()

    assert torch.autograd.gradcheck(loss, (emissions,))
    loss(emissions).backward()
    assert all(weights.grad.abs().sum() > 0 for weights in crf.parameters())
    assert crf.transitions.grad[crf.forbidden].abs().max() == 0
    assert emissions.grad[~mask].abs().max() == 0


def test_no_spans_where_everything_is_outside(crf, mask):
    emissions = torch.zeros(4, 3, crf.num_tags).double()
    emissions[:, :, 0] = 100
    found, probabilities = crf.best_entities(emissions, mask)
    assert all(len(x) == 0 for x in (*found, probabilities))


@pytest.mark.parametrize(
    "n_labels, scheme, number",
    [(0, "bio", 1), (1, "bio", 3), (4, "bio", 9), (0, "biluo", 1), (4, "biluo", 17)],
)
def test_number_of_tags(n_labels, scheme, number):
    assert n_tags(n_labels, scheme) == number == EntityCRF(n_labels, scheme).num_tags


def test_probabilities_in_a_long_window_have_all_their_digits(crf):
    """What stands thousands of tokens before makes no difference."""
    torch.manual_seed(0)
    emissions = torch.randn(5000, 1, crf.num_tags)
    mask = torch.ones(5000, 1, dtype=torch.bool)
    whole, scores = crf.best_entities(emissions, mask)
    last, alone = crf.best_entities(emissions[-300:], mask[-300:])
    n = int((last.start >= 200).sum())
    assert n > 20
    assert torch.equal(whole.start[-n:] - 4700, last.start[-n:])
    assert torch.allclose(scores[-n:], alone[-n:], atol=1e-6)


def test_a_window_without_a_possible_sequence_has_a_finite_loss(crf, emissions, mask):
    """The first token may only continue an entity."""
    allowed = torch.ones(*emissions.shape, dtype=torch.bool)
    allowed[0] = crf.continues
    assert crf.negative_log_likelihood(emissions, allowed, mask).isfinite().all()


def test_the_best_sequence_of_a_long_window_has_all_its_digits(crf):
    """Single precision can't tell 50,010 from 50,010.001."""
    with torch.no_grad():
        for weights in crf.parameters():
            weights.zero_()
    crf = crf.float()
    emissions = torch.zeros(5001, 1, crf.num_tags)
    emissions[..., 0] = 10.0
    emissions[-1, 0, crf.roles.unit] = 10.001
    found, _ = crf.best_entities(emissions, torch.ones(5001, 1, dtype=torch.bool))
    assert [x.tolist() for x in found] == [[0], [5000], [5001], [0]]
