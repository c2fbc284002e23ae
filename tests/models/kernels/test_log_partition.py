"""The log-partition function of the CRF against pytorch-crf's, whose gradient torch records step by
step."""

import pytest
import torch
from torchcrf import CRF

from spacy_jere.models.kernels.log_partition import log_partition

N_TAGS = 4


def make_chain(lengths, spread=1.0):
    """RETURNS: The CRF, emissions and mask, in double precision."""
    torch.manual_seed(0)
    crf = CRF(N_TAGS).double()
    with torch.no_grad():
        for weights in crf.parameters():
            weights.normal_(0, spread)
    steps = max(lengths)
    emissions = torch.randn(steps, len(lengths), N_TAGS, dtype=torch.double) * spread
    mask = torch.arange(steps).unsqueeze(1) < torch.tensor(lengths)
    return crf, emissions.requires_grad_(), mask


def ours(crf, emissions, mask):
    scores = crf.start_transitions, crf.transitions, crf.end_transitions
    return log_partition(emissions, *scores, mask)


def with_gradients(run, crf, emissions, mask):
    found = run(crf, emissions, mask)
    weights = torch.arange(1, len(found) + 1, dtype=torch.double)
    learned = [emissions, *crf.parameters()]
    total = (found * weights).sum()
    return [found, *torch.autograd.grad(total, learned, materialize_grads=True)]


@pytest.mark.parametrize("lengths", [[1], [1, 1], [5], [5, 1, 3, 5, 2]])
def test_value_and_gradients_are_those_of_recorded_log_sums(lengths):
    chain = make_chain(lengths)
    recorded = with_gradients(lambda crf, *rest: crf._compute_normalizer(*rest), *chain)
    for found, expected in zip(with_gradients(ours, *chain), recorded):
        assert torch.allclose(found, expected, rtol=0, atol=1e-12)


def test_gradients_are_differences():
    crf, emissions, mask = make_chain([3, 1])
    assert torch.autograd.gradcheck(lambda x: ours(crf, x, mask), emissions)


def test_long_windows_and_large_scores():
    chain = make_chain([3000, 2], spread=30.0)
    found, *gradients = with_gradients(ours, *chain)
    expected = chain[0]._compute_normalizer(*chain[1:])
    assert torch.allclose(found, expected, rtol=1e-9)
    assert all(x.isfinite().all() for x in gradients)


def test_a_window_without_a_possible_path_has_no_gradient():
    crf, emissions, mask = make_chain([3, 2])
    with torch.no_grad():
        crf.end_transitions.fill_(-1e4)
    found, *gradients = with_gradients(ours, crf, emissions, mask)
    assert found.isfinite().all() and (found < -600).all()
    assert all(x.isfinite().all() for x in gradients)


def test_padding_is_not_read():
    crf, emissions, mask = make_chain([4, 2])
    found = ours(crf, emissions, mask)
    with torch.no_grad():
        emissions[2:, 1] = 1e6
    assert torch.equal(ours(crf, emissions, mask), found)
