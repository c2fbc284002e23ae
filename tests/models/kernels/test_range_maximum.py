import pytest
import torch

from spacy_jere.models.kernels.range_maximum import range_maximum

N_TOKENS = 13
RANGES = [(i, j) for i in range(N_TOKENS) for j in range(i, N_TOKENS + 1)]
SHORT = [(i, j) for i, j in RANGES if 0 < j - i < 5]


@pytest.fixture
def vectors():
    torch.manual_seed(0)
    return torch.randn(N_TOKENS, 3, requires_grad=True)


def plain(vectors, start, end):
    return vectors[start:end].max(0).values if end > start else torch.zeros(vectors.shape[1])


@pytest.mark.parametrize("ranges", [RANGES, SHORT, SHORT[1:], RANGES[7:9], RANGES[::5]])
def test_equals_the_plain_maximum_of_each_range(vectors, ranges):
    start, end = torch.tensor(ranges).T
    expected = torch.stack([plain(vectors, *x) for x in ranges])
    assert torch.equal(range_maximum(vectors, start, end), expected)


@pytest.mark.parametrize("ranges", [RANGES, SHORT, RANGES[7:9], RANGES[::5]])
def test_gradient_equals_that_of_the_plain_maximum(vectors, ranges):
    weights = torch.randn(len(ranges), 3)
    start, end = torch.tensor(ranges).T
    (gradient,) = torch.autograd.grad((weights * range_maximum(vectors, start, end)).sum(), vectors)
    expected = torch.stack([plain(vectors, *x) for x in ranges])
    (wanted,) = torch.autograd.grad((weights * expected).sum(), vectors)
    assert torch.allclose(gradient, wanted, atol=1e-5)


@pytest.mark.parametrize("ranges", [[], [(4, 4)], [(6, 2)]])
def test_nothing_to_cover(vectors, ranges):
    start, end = torch.tensor(ranges, dtype=torch.long).reshape(-1, 2).T
    assert torch.equal(range_maximum(vectors, start, end), torch.zeros(len(ranges), 3))


def test_the_gradient_of_a_tie_goes_to_one_token():
    vectors = torch.zeros(N_TOKENS, 3, requires_grad=True)
    start, end = torch.tensor(RANGES).T
    (gradient,) = torch.autograd.grad(range_maximum(vectors, start, end).sum(), vectors)
    assert gradient.sum() == 3 * int((end > start).sum())
