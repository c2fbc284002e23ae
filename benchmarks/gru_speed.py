"""What training costs in a bidirectional GRU layer on the CPU, beside torch's own, as a ratio within one run.

    python benchmarks/gru_speed.py [--rounds 15]

Forward and backward over windows of 5 to 40 tokens, one thread; the gradients of the input and of all weights.
"""

import argparse
import statistics
import time
from typing import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence
from wasabi import msg

from spacy_jere.models.layers.birnn import make_packing
from spacy_jere.models.layers.gru import bidirectional_gru

# Windows in a batch, width of the input, units of each direction: the first and the later layers of the configs.
SHAPES = [(16, 200, 192), (16, 384, 192), (8, 1600, 256), (8, 512, 256), (64, 512, 256)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    header = ("windows", "input", "hidden", "torch, ms", "ours, ms", "ratio")
    rows = [compare(*shape, args.rounds) for shape in SHAPES]
    msg.table(rows, header=header, aligns=["r"] * len(header), divider=True)


def compare(n_windows: int, width: int, hidden: int, n_rounds: int) -> "tuple[str, ...]":
    """RETURNS: A row of the table; times and ratio are medians of the rounds."""
    layer = nn.GRU(width, hidden, bidirectional=True)
    packing = make_packing(torch.randint(5, 41, (n_windows,)))
    rows = torch.randn(len(packing.order), width, requires_grad=True)
    sizes = packing.batch_sizes.tolist()
    torchs = timed(lambda: layer(PackedSequence(rows, packing.batch_sizes))[0].data)
    ours = timed(lambda: bidirectional_gru(layer, rows, packing.reverse, sizes))
    torchs(), ours()  # warm up
    rounds = [(torchs(), ours()) for _ in range(n_rounds)]
    before, after = (1000 * statistics.median(x) for x in zip(*rounds))
    ratio = statistics.median(y / x for x, y in rounds)
    shape = (str(x) for x in (n_windows, width, hidden))
    return (*shape, f"{before:.1f}", f"{after:.1f}", f"{ratio:.2f}")


def timed(run: Callable[[], Tensor]) -> Callable[[], float]:
    """RETURNS: A callable that goes forward and backward once and gives the seconds it took."""

    def measure() -> float:
        start = time.perf_counter()
        run().sum().backward()
        return time.perf_counter() - start

    return measure


if __name__ == "__main__":
    main()
