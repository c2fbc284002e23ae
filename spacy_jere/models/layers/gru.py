"""A bidirectional GRU layer on the CPU with a gradient that costs little more than its forward pass.

Torch records every step of a GRU and goes back through the records one by one; on the CPU that takes three times as long
as going forward. Here a step back is one matrix product: the gradients of all gates are the gradient of the state times
slopes, and the slopes of all steps are computed at once, as are the gradients of the weights.

Cho et al. 2014, arXiv 1406.1078, in the form of torch.nn.GRU:
    r = σ(x_r + W_r h + b_r),  z = σ(x_z + W_z h + b_z),  n = tanh(x_n + r (W_n h + b_n)),  h' = (1 - z) n + z h
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
    """The states of both directions, each [n_rows, hidden]. Directions are the first dimension of what follows.

    inputs: W x + b of the gates r, z, n. Shape [2, n_rows, 3 * hidden].
    weight, bias: From the state to the gates. Shapes [2, 3 * hidden, hidden] and [2, 1, 3 * hidden].
    """

    @staticmethod
    @torch.amp.custom_fwd(device_type="cpu", cast_inputs=torch.float32)
    def forward(
        ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor, reverse: Tensor, sizes: List[int]
    ) -> Tensor:
        inputs = _turned(inputs, reverse)
        width = weight.shape[2]
        h = inputs.new_zeros(2, sizes[0], width)
        to_gates = weight.transpose(1, 2).contiguous()
        steps = []
        for x in inputs.split(sizes, 1):
            h = h[:, : x.shape[1]]
            gates = torch.baddbmm(bias, h, to_gates)
            r, z = torch.sigmoid(x[..., : 2 * width] + gates[..., : 2 * width]).chunk(2, 2)
            from_state = gates[..., 2 * width :]
            n = torch.tanh(torch.addcmul(x[..., 2 * width :], r, from_state))
            h = torch.lerp(n, h, z)
            steps.append((h, r, z, n, from_state))
        states, *gates_of_steps = (torch.cat(x, 1) for x in zip(*steps))
        ctx.save_for_backward(weight, reverse, states, *gates_of_steps)
        ctx.sizes = sizes
        return _turned(states, reverse)

    @staticmethod
    @once_differentiable
    @torch.amp.custom_bwd(device_type="cpu")
    def backward(  # type: ignore[override]  # once_differentiable hides the arguments
        ctx: Any, d_states: Tensor
    ) -> Tuple[Tensor, Tensor, Tensor, None, None]:
        weight, reverse, states, r, z, n, from_state = ctx.saved_tensors
        sizes = ctx.sizes
        d_states = _turned(d_states, reverse)
        before = _states_before(states, sizes)
        # Slopes: of h' by what n is the tanh of, and by what each gate gets from the state.
        slope_n = (1 - z) * (1 - n * n)
        slope_r = slope_n * from_state * r * (1 - r)
        slope_z = (before - n) * z * (1 - z)
        slopes = torch.stack([slope_r, slope_z, slope_n * r], 2)  # [2, n_rows, 3, hidden]

        carried = states.new_zeros(2, sizes[-1], states.shape[2])
        d_steps = []
        each = zip(d_states.split(sizes, 1), slopes.split(sizes, 1), z.split(sizes, 1))
        for d_step, slope, kept in reversed(list(each)):
            d_h = d_step + F.pad(carried, (0, 0, 0, d_step.shape[1] - carried.shape[1]))
            carried = torch.baddbmm(d_h * kept, (d_h.unsqueeze(2) * slope).flatten(2), weight)
            d_steps.append(d_h)
        d_h = torch.cat(d_steps[::-1], 1)

        d_gates = (d_h.unsqueeze(2) * slopes).flatten(2)
        d_inputs = torch.cat([d_gates[..., : 2 * states.shape[2]], d_h * slope_n], 2)
        d_weight = torch.bmm(d_gates.transpose(1, 2), before)
        return _turned(d_inputs, reverse), d_weight, d_gates.sum(1, keepdim=True), None, None


def _turned(both: Tensor, reverse: Tensor) -> Tensor:
    """RETURNS: The rows of the second direction from the end of each window. Its own inverse, and so its own gradient."""
    return torch.stack([both[0], both[1, reverse]])


def _states_before(states: Tensor, sizes: List[int]) -> Tensor:
    """RETURNS: For each row the state of the same window one step before, zeros at the first. Like the states."""
    n_rows, size = states.shape[1], torch.tensor(sizes)
    rows = torch.arange(sizes[0], n_rows) - torch.repeat_interleave(size[:-1], size[1:])
    return torch.cat([states.new_zeros(2, sizes[0], states.shape[2]), states[:, rows]], 1)
