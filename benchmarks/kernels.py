"""What the kernels of spacy_jere/models/kernels save beside the plain torch formulas they equal.

    python benchmarks/kernels.py [--rounds 15] [KERNEL …]

Forward and backward on the CPU, one thread, as a ratio within one run. Windows have 5 to 40 tokens.
"""

import argparse
import random
import statistics
import time
from typing import Any, Callable, Dict, Iterator, List, Sequence, Tuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence
from wasabi import msg

from spacy_jere.models.kernels.gru import bidirectional_gru
from spacy_jere.models.kernels.log_partition import log_partition
from spacy_jere.models.kernels.range_maximum import range_maximum
from spacy_jere.models.layers.birnn import make_packing

SHORTEST, LONGEST = 5, 40
# Windows, width of the input, units of each direction: first and later layers of the configs
GRU_SHAPES = [(16, 200, 192), (16, 384, 192), (8, 1600, 256), (8, 512, 256), (64, 512, 256)]
# Windows, tags: BIO and BILUO tags of four entity labels, BILUO tags of twelve
CRF_SHAPES = [(16, 9), (8, 17), (64, 17), (16, 49)]
# Windows, width of a token, the widest span, share of all spans: those of a prediction, those of a
# step of training
SPAN_SHAPES = [(8, 384, 10, 1.0), (8, 768, 10, 1.0), (8, 384, 10, 0.4), (1, 384, 40, 1.0)]

Run = Callable[[], Tensor]
Case = Tuple[str, Run, Run]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kernels", nargs="*", default=list(KERNELS), metavar="KERNEL")
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    random.seed(0)
    rows = []
    for kernel in args.kernels:
        make_case, shapes = KERNELS[kernel]
        for shape in shapes:
            name, plain, ours = make_case(*shape)
            rows.append((kernel, name, *compare(plain, ours, args.rounds)))
    header = ("kernel", "shape", "torch, ms", "ours, ms", "ratio")
    msg.table(rows, header=header, aligns=["l", "l", "r", "r", "r"], divider=True, max_col=80)


def gru_case(n_windows: int, width: int, hidden: int) -> Case:
    """RETURNS (Case): `torch.nn.GRU` beside `bidirectional_gru`."""
    layer = nn.GRU(width, hidden, bidirectional=True)
    packing = make_packing(window_lengths(n_windows))
    rows = torch.randn(len(packing.order), width, requires_grad=True)
    sizes = packing.batch_sizes.tolist()
    return (
        f"{n_windows} windows, {width:,} to 2 x {hidden}",
        lambda: layer(PackedSequence(rows, packing.batch_sizes))[0].data,
        lambda: bidirectional_gru(layer, rows, packing.reverse, sizes),
    )


def log_partition_case(n_windows: int, n_tags: int) -> Case:
    """RETURNS (Case): The recorded forward recursion beside `log_partition`."""
    lengths = window_lengths(n_windows)
    mask = torch.arange(int(lengths.max())).unsqueeze(1) < lengths
    emissions = torch.randn(*mask.shape, n_tags, requires_grad=True)
    sizes = [(n_tags,), (n_tags, n_tags), (n_tags,)]
    start, transitions, end = (torch.randn(size, requires_grad=True) for size in sizes)
    chain = (emissions, start, transitions, end, mask)
    return (
        f"{n_windows} windows, {n_tags} tags",
        lambda: forward_recursion(*chain),
        lambda: log_partition(*chain),
    )


def range_maximum_case(n_windows: int, width: int, widest: int, share: float) -> Case:
    """RETURNS (Case): The maximum of each range, one by one, beside `range_maximum`."""
    lengths = window_lengths(n_windows).tolist()
    ranges = list(spans(lengths, widest))
    ranges = random.sample(ranges, int(share * len(ranges)))
    vectors = torch.randn(sum(lengths), width, requires_grad=True)
    start, end = torch.tensor(ranges).T
    return (
        f"{len(ranges):,} spans of up to {widest} in {sum(lengths)} tokens of {width}",
        lambda: torch.stack([vectors[i:j].max(0).values for i, j in ranges]),
        lambda: range_maximum(vectors, start, end),
    )


KERNELS: Dict[str, Tuple[Callable[..., Case], Sequence[Tuple[Any, ...]]]] = {
    "gru": (gru_case, GRU_SHAPES),
    "log_partition": (log_partition_case, CRF_SHAPES),
    "range_maximum": (range_maximum_case, SPAN_SHAPES),
}


def forward_recursion(
    emissions: Tensor, start: Tensor, transitions: Tensor, end: Tensor, mask: Tensor
) -> Tensor:
    """RETURNS (Tensor): The log-partition functions, in double precision. Shape [n_windows]."""
    emissions, transitions = emissions.double(), transitions.double()
    alpha = start.double() + emissions[0]
    for x, is_token in zip(emissions[1:], mask[1:].unsqueeze(2)):
        following = torch.logsumexp(alpha.unsqueeze(2) + transitions, 1) + x
        alpha = torch.where(is_token, following, alpha)
    return torch.logsumexp(alpha + end.double(), 1)


def spans(lengths: List[int], widest: int) -> Iterator[Tuple[int, int]]:
    """YIELDS (Tuple[int, int]): Start and end of each span of a window."""
    first = 0
    for length in lengths:
        for i in range(length):
            yield from ((first + i, first + j) for j in range(i + 1, min(i + widest, length) + 1))
        first += length


def window_lengths(n_windows: int) -> Tensor:
    """RETURNS (Tensor): Tokens of each window; a window alone has the longest."""
    lengths = torch.randint(SHORTEST, LONGEST + 1, (n_windows,))
    lengths[0] = LONGEST
    return lengths


def compare(plain: Run, ours: Run, n_rounds: int) -> Tuple[str, ...]:
    """RETURNS (Tuple[str, ...]): Milliseconds of both and their ratio, medians of the rounds."""
    seconds(plain), seconds(ours)  # warm up
    rounds = [(seconds(plain), seconds(ours)) for _ in range(n_rounds)]
    before, after = (1000 * statistics.median(x) for x in zip(*rounds))
    ratio = statistics.median(y / x for x, y in rounds)
    return f"{before:.1f}", f"{after:.1f}", f"{ratio:.2f}"


def seconds(run: Run) -> float:
    """RETURNS (float): How long going forward and backward takes."""
    start = time.perf_counter()
    run().sum().backward()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
