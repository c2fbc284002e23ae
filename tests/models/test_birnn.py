"""Packed windows against torch run on each window alone."""

import pytest
import torch

from spacy_jere.models.layers.birnn import BiRNNStack, make_packing

LENGTHS = [3, 1, 5, 3, 2]


@pytest.mark.parametrize("lengths", [LENGTHS, [1], [1, 1, 1], [4, 4], [1, 2, 3]])
def test_packing_is_torchs_own(lengths):
    windows = [torch.arange(n) + 10 * i for i, n in enumerate(lengths)]
    flat = torch.cat(windows)
    packed = torch.nn.utils.rnn.pack_sequence(windows, enforce_sorted=False)
    packing = make_packing(torch.tensor(lengths))
    assert torch.equal(packing.batch_sizes, packed.batch_sizes)
    assert torch.equal(flat[packing.order], packed.data)
    assert torch.equal(packing.order[packing.inverse], torch.arange(len(flat)))
    longest_first = torch.argsort(torch.tensor(lengths), descending=True, stable=True)
    assert torch.equal(longest_first[packing.window], packed.data // 10)
    backwards = torch.cat([window.flip(0) for window in windows])
    assert torch.equal(flat[packing.order][packing.reverse], backwards[packing.order])


def test_packing_of_nothing():
    packing = make_packing(torch.zeros(0, dtype=torch.long))
    assert [len(x) for x in packing] == [0, 0, 0, 0, 0]


@pytest.mark.parametrize("cell, whole", [("gru", torch.nn.GRU), ("lstm", torch.nn.LSTM)])
@pytest.mark.parametrize("depth", [1, 2])
def test_windows_together_equal_torch_on_each_alone(cell, whole, depth):
    torch.manual_seed(0)
    stack = BiRNNStack(4, 3, depth, cell, dropout=0.0)
    torch_stack = whole(4, 3, num_layers=depth, bidirectional=True)
    for i, layer in enumerate(stack.layers):
        for name, weights in layer.named_parameters():
            getattr(torch_stack, name.replace("l0", f"l{i}")).data.copy_(weights)
    windows = [torch.randn(n, 4) for n in LENGTHS]
    packing = make_packing(torch.tensor(LENGTHS))
    output = stack(torch.cat(windows)[packing.order], packing)[packing.inverse]
    expected = torch.cat([torch_stack(window)[0] for window in windows])
    assert output.shape == (sum(LENGTHS), stack.width) == (sum(LENGTHS), 6)
    assert torch.allclose(output, expected, atol=1e-6)


def test_without_layers_the_identity():
    stack = BiRNNStack(4, 3, 0, "gru", dropout=0.9)
    vectors = torch.randn(sum(LENGTHS), 4)
    assert stack.width == 4
    assert torch.equal(stack(vectors, make_packing(torch.tensor(LENGTHS))), vectors)


@pytest.mark.parametrize("rate, same", [(0.0, True), (0.5, False)])
def test_dropout_before_each_layer_in_training_only(rate, same):
    torch.manual_seed(0)
    stack = BiRNNStack(4, 3, 1, "gru", rate)
    vectors, packing = torch.randn(5, 4), make_packing(torch.tensor([5]))
    evaluated = stack.eval()(vectors, packing)
    assert torch.equal(stack.eval()(vectors, packing), evaluated)
    assert torch.equal(stack.train()(vectors, packing), evaluated) is same


def test_dropout_hides_the_same_features_in_all_of_a_window(monkeypatch):
    torch.manual_seed(0)
    stack, seen = BiRNNStack(20, 3, 1, "lstm", 0.5), []
    monkeypatch.setattr(stack.layers[0], "forward", lambda x: seen.append(x.data) or [x])
    packing = make_packing(torch.tensor(LENGTHS))
    stack(torch.ones(sum(LENGTHS), 20), packing)
    masks = [{tuple(x) for x in w.tolist()} for w in seen[0][packing.inverse].split(LENGTHS)]
    assert all(len(mask) == 1 for mask in masks)
    assert len(set.union(*masks)) == len(LENGTHS)
    assert seen[0].unique().tolist() == [0.0, 2.0]
