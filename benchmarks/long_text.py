r"""Time and memory of one text without sentence boundaries, by its length.

    python benchmarks/long_text.py MODEL DATA.spacy [--tokens 12500 25000] [--max-distance 30] \
        [--disable sentencizer]

MODEL is a trained pipeline with `joint_ner_re`. The text is the words of DATA one after the other,
repeated where there are not enough. Each length runs in a process of its own: the memory is the
peak of the whole process, the base is what it takes before the text is made.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
import warnings
from itertools import cycle, islice
from pathlib import Path
from typing import Dict, Optional, Sequence

import spacy.util
import torch
from spacy.tokens import Doc, DocBin
from wasabi import msg

LENGTHS = (12_500, 25_000, 50_000, 100_000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("data", type=Path)
    parser.add_argument("--tokens", type=int, nargs="+", default=LENGTHS)
    parser.add_argument("--max-distance", type=int, help="Of the component; by default as it is")
    parser.add_argument("--disable", nargs="+", default=(), help="Components to leave out")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        found = measure(args.model, args.data, args.one, args.max_distance, args.disable)
        sys.stdout.write(json.dumps(found))
        return
    rows = []
    for n_tokens in args.tokens:
        command = [sys.executable, *sys.argv, "--one", str(n_tokens)]
        found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        rows.append([f"{found[key]:,.{digits}f}" for key, digits in COLUMNS])
    header = [key for key, _ in COLUMNS]
    msg.table(rows, header=header, aligns=["r"] * len(header), divider=True)


COLUMNS = (
    ("tokens", 0),
    ("seconds", 1),
    ("base GB", 2),
    ("peak GB", 2),
    ("entities", 0),
    ("relations", 0),
)


def measure(
    model: str, data: Path, n_tokens: int, max_distance: Optional[int], disable: Sequence[str]
) -> Dict[str, float]:
    """RETURNS (Dict[str, float]): One row of the table."""
    torch.set_num_threads(1)
    nlp = spacy.util.load_model(model, disable=disable)
    if max_distance is not None:
        nlp.get_pipe("joint_ner_re").cfg["max_distance"] = max_distance
    golds = list(DocBin().from_disk(data).get_docs(nlp.vocab))
    words = [token.text for gold in golds for token in gold]
    list(nlp.pipe(Doc(nlp.vocab, words=[x.text for x in gold]) for gold in golds[:50]))
    base = peak_gb()
    doc = Doc(nlp.vocab, words=list(islice(cycle(words), n_tokens)))
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        doc = nlp(doc)
    seconds = time.perf_counter() - start
    counts = [n_tokens, seconds, base, peak_gb(), len(doc.ents), len(doc._.relations)]
    return dict(zip((key for key, _ in COLUMNS), counts))


def peak_gb() -> float:
    """RETURNS (float): The most memory that this process has had so far. (Linux counts in KiB.)"""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


if __name__ == "__main__":
    main()
