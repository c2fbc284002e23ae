"""A bidirectional GRU layer on the CPU whose gradient costs little more than its forward pass.

Equals what torch records:

    layer(PackedSequence(packed, torch.tensor(sizes)))[0].data

Torch goes back through the records of a GRU one by one, which takes three times as long on the CPU
as going forward. Here a step back is one matrix product: the gradients of all gates are the
gradient of the state times slopes, and the slopes of all steps are computed at once, as are the
gradients of the weights.

Cho et al. 2014, arXiv 1406.1078, in the form of torch.nn.GRU:
    r = σ(x_r + W_r h + b_r),  z = σ(x_z + W_z h + b_z)
    n = tanh(x_n + r (W_n h + b_n)),  h' = (1 - z) n + z h
"""

from typing import Any, List, Tuple, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F


def bidirectional_gru(layer: nn.GRU, packed: Tensor, reverse: Tensor, sizes: List[int]) -> Tensor:
    """What the layer itself gives for a PackedSequence.

    layer (nn.GRU): One bidirectional layer with biases.
    packed (Tensor): Rows step by step, [n_rows, width].
    reverse (Tensor): For each row that of the same window as many steps from its end, [n_rows].
    sizes (List[int]): Rows of each step, falling.
    RETURNS (Tensor): States of both directions, [n_rows, 2 * hidden].
    """
    (to_input, to_state, *biases), (to_input_back, to_state_back, *biases_back) = layer.all_weights
    inputs = torch.stack(
        [
            F.linear(packed, to_input, biases[0]),
            F.linear(packed, to_input_back, biases_back[0]),
        ]
    )
    weight = torch.stack([to_state, to_state_back])
    bias = torch.stack([biases[1], biases_back[1]]).unsqueeze(1)
    onward, back = cast(Any, _Recurrence).apply(inputs, weight, bias, reverse, sizes)
    return torch.cat([onward, back], 1)


class _Recurrence(torch.autograd.Function):
    """The states of both directions, each [n_rows, hidden]. Directions are the first dimension.

    inputs: W x + b of the gates r, z, n. Shape [2, n_rows, 3 * hidden].
    weight, bias: From the state to the gates. [2, 3 * hidden, hidden] and [2, 1, 3 * hidden].
    """

    @staticmethod
    @torch.amp.custom_fwd(device_type="cpu", cast_inputs=torch.float32)
    def forward(
        ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor, reverse: Tensor, sizes: List[int]
    ) -> Tensor:
        inputs = _turned(inputs, reverse)
        width, n_rows = weight.shape[2], inputs.shape[1]
        h = inputs.new_zeros(2, sizes[0], width)
        to_gates = weight.transpose(1, 2).contiguous()
        # Each step writes its rows of these: r, z and what n gets from the state; n; the states.
        gates = inputs.new_empty(2, n_rows, 3 * width)
        candidates, states = (inputs.new_empty(2, n_rows, width) for _ in range(2))
        each = zip(*(x.split(sizes, 1) for x in (inputs, gates, candidates, states)))
        for x, gate, n, state in each:
            h = h[:, : x.shape[1]]
            torch.baddbmm(bias, h, to_gates, out=gate)
            opened = gate[..., : 2 * width]
            opened.add_(x[..., : 2 * width]).sigmoid_()
            r, z, from_state = gate.chunk(3, 2)
            torch.addcmul(x[..., 2 * width :], r, from_state, out=n).tanh_()
            h = torch.lerp(n, h, z, out=state)
        ctx.save_for_backward(weight, reverse, states, candidates, gates)
        ctx.sizes = sizes
        return _turned(states, reverse)

    @staticmethod
    @once_differentiable
    @torch.amp.custom_bwd(device_type="cpu")
    def backward(  # type: ignore[override]  # once_differentiable hides the arguments
        ctx: Any, d_states: Tensor
    ) -> Tuple[Tensor, Tensor, Tensor, None, None]:
        weight, reverse, states, n, gates = ctx.saved_tensors
        sizes, width = ctx.sizes, states.shape[2]
        r, z, from_state = gates.chunk(3, 2)
        before = _states_before(states, sizes)
        # Slopes: of h' by what n is the tanh of, and by what each gate gets from the state.
        slope_n = (1 - z) * (1 - n * n)
        slopes = torch.empty_like(gates).unflatten(2, (3, width))  # [2, n_rows, 3, hidden]
        torch.mul(slope_n * from_state, r * (1 - r), out=slopes[:, :, 0])
        torch.mul(before - n, z * (1 - z), out=slopes[:, :, 1])
        torch.mul(slope_n, r, out=slopes[:, :, 2])

        # Starts as the gradient that comes from outside, and gets that from the step behind.
        d_h = _turned(d_states, reverse)
        carried = states.new_zeros(2, 0, width)
        d_gates = torch.empty_like(gates)
        each = zip(*(x.split(sizes, 1) for x in (d_h, slopes, z, d_gates)))
        for d_step, slope, kept, d_gate in reversed(list(each)):
            d_step[:, : carried.shape[1]] += carried
            torch.mul(d_step.unsqueeze(2), slope, out=d_gate.unflatten(2, (3, width)))
            carried = torch.baddbmm(d_step * kept, d_gate, weight)

        d_weight = torch.bmm(d_gates.transpose(1, 2), before)
        d_bias = d_gates.sum(1, keepdim=True)
        d_gates[..., 2 * width :] = d_h * slope_n  # n gets the input as it is, the state times r
        return _turned(d_gates, reverse), d_weight, d_bias, None, None


def _turned(both: Tensor, reverse: Tensor) -> Tensor:
    """RETURNS: The rows of the second direction from the end of each window. Its own inverse, and
    so its own gradient."""
    return torch.stack([both[0], both[1, reverse]])


def _states_before(states: Tensor, sizes: List[int]) -> Tensor:
    """RETURNS: For each row the state of its window one step before, zeros at the first step."""
    n_rows, size = states.shape[1], torch.tensor(sizes)
    rows = torch.arange(sizes[0], n_rows) - torch.repeat_interleave(size[:-1], size[1:])
    return torch.cat([states.new_zeros(2, sizes[0], states.shape[2]), states[:, rows]], 1)
