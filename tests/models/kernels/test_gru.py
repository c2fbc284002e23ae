"""The GRU layer of training on the CPU against torch's own."""

import pytest
import torch
from torch.nn.utils.rnn import PackedSequence

from spacy_jere.models.kernels.gru import bidirectional_gru
from spacy_jere.models.layers.birnn import BiRNNStack, make_packing

WIDTH, HIDDEN = 4, 3


def ours(layer, rows, packing):
    return bidirectional_gru(layer, rows, packing.reverse, packing.batch_sizes.tolist())


def torchs_own(layer, rows, packing):
    return layer(PackedSequence(rows, packing.batch_sizes))[0].data


def make_layer(dtype=torch.double):
    torch.manual_seed(0)
    return torch.nn.GRU(WIDTH, HIDDEN, bidirectional=True).to(dtype)


@pytest.mark.parametrize("lengths", [[1], [4], [1, 1], [3, 3], [5, 1, 2, 5, 3]])
def test_states_and_gradients_are_torchs(lengths):
    layer, packing = make_layer(), make_packing(torch.tensor(lengths))
    rows = torch.randn(sum(lengths), WIDTH, dtype=torch.double, requires_grad=True)
    weights = torch.randn(sum(lengths), 2 * HIDDEN, dtype=torch.double)
    results = []
    for run in (ours, torchs_own):
        states = run(layer, rows, packing)
        gradients = torch.autograd.grad((states * weights).sum(), [rows, *layer.parameters()])
        results.append([states, *gradients])
    for found, expected in zip(*results):
        assert torch.allclose(found, expected, rtol=0, atol=1e-12)


def test_gradients_are_differences():
    layer, packing = make_layer(), make_packing(torch.tensor([3, 1, 2]))
    rows = torch.randn(6, WIDTH, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: ours(layer, x, packing), rows)


def test_under_autocast_states_keep_their_digits():
    layer, packing = make_layer(torch.float), make_packing(torch.tensor([200]))
    rows = torch.randn(200, WIDTH)
    expected = ours(layer, rows, packing)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        states = ours(layer, rows, packing)
    states.sum().backward()
    assert states.dtype == torch.float
    assert torch.allclose(states, expected, atol=0.02)  # the input is multiplied in bfloat16
    assert all(x.grad.isfinite().all() for x in layer.parameters())


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_training_and_prediction_agree(cell):
    torch.manual_seed(0)
    stack = BiRNNStack(WIDTH, HIDDEN, 2, cell, dropout=0.0)
    packing = make_packing(torch.tensor([4, 2, 3]))
    rows = torch.randn(9, WIDTH)
    trained = stack.train()(rows, packing)
    with torch.no_grad():
        predicted = stack.eval()(rows, packing)
    assert trained.requires_grad
    assert torch.allclose(trained, predicted, atol=1e-6)
