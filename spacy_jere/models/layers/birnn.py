"""Stacks of bidirectional recurrent layers over packed windows."""

from typing import List, Literal, NamedTuple, Optional

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from ..kernels.gru import bidirectional_gru
from ..shim import Dropout

Cell = Literal["gru", "lstm"]
CELLS = {"gru": nn.GRU, "lstm": nn.LSTM}


class Packing(NamedTuple):
    """How flat tokens are laid out for a recurrent layer, longest window first.

    order: for each packed row the flat token it holds. Shape [n_tokens].
    inverse: for each flat token its packed row. Shape [n_tokens].
    reverse: for each packed row the row of its window as many steps from the end. [n_tokens].
    window: for each packed row its window, the longest being 0. Shape [n_tokens].
    batch_sizes: how many windows are still running at each time step. Shape [n_steps], on the CPU.
    """

    order: Tensor
    inverse: Tensor
    reverse: Tensor
    window: Tensor
    batch_sizes: Tensor


def make_packing(lengths: Tensor) -> Packing:
    """Lay out windows that follow each other in a flat array of tokens.

    lengths (Tensor): Tokens in each window, all positive. Shape [n_windows].
    RETURNS (Packing): Indices from flat to packed rows and back.
    """
    starts = torch.cumsum(lengths, 0) - lengths
    by_length = torch.argsort(lengths, descending=True, stable=True)
    steps = torch.arange(int(lengths.max()) if len(lengths) else 0, device=lengths.device)
    running = lengths[by_length].unsqueeze(0) > steps.unsqueeze(1)  # [n_steps, n_windows]
    order = (starts[by_length].unsqueeze(0) + steps.unsqueeze(1))[running]
    inverse = torch.empty_like(order)
    inverse[order] = torch.arange(len(order), device=order.device)
    window = running.nonzero()[:, 1]
    first, last = starts[by_length][window], (starts + lengths - 1)[by_length][window]
    return Packing(order, inverse, inverse[first + last - order], window, running.sum(1).cpu())


class BiRNNStack(nn.Module):
    """Bidirectional recurrent layers, dropout before each; without layers the identity.

    Dropout hides the same features at all steps of a window (Gal and Ghahramani 2016, arXiv
    1512.05287).

    width (int): Width of the input vectors.
    hidden (int): Units of each direction.
    depth (int): Number of layers, 0 or more.
    cell (str): "gru" or "lstm".
    dropout (Optional[float]): Dropout rate before each layer; None follows [training].
    """

    def __init__(self, width: int, hidden: int, depth: int, cell: Cell, dropout: Optional[float]):
        super().__init__()
        widths: List[int] = [width] + [2 * hidden] * depth
        self.layers = nn.ModuleList(
            CELLS[cell](n_in, hidden, bidirectional=True) for n_in in widths[:-1]
        )
        self.dropout = Dropout(dropout)
        self.width = widths[-1]

    def forward(self, packed: Tensor, packing: Packing) -> Tensor:
        """packed: [n_tokens, width], rows in packed order. RETURNS: [n_tokens, self.width]."""
        learns_on_cpu = torch.is_grad_enabled() and packed.device.type == "cpu"
        for layer in self.layers:
            packed = self._drop(packed, packing)
            if learns_on_cpu and isinstance(layer, nn.GRU):
                sizes = packing.batch_sizes.tolist()
                packed = bidirectional_gru(layer, packed, packing.reverse, sizes)
            else:
                packed = layer(PackedSequence(packed, packing.batch_sizes))[0].data
        return packed

    def _drop(self, packed: Tensor, packing: Packing) -> Tensor:
        if not self.training or not self.dropout.p:
            return packed
        n_windows = int(packing.batch_sizes[0])
        kept = self.dropout(packed.new_ones(n_windows, packed.shape[1]))
        return packed * kept[packing.window]
