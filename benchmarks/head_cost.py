"""What the joint model adds to its encoder in prediction, as a ratio within one run.

    python benchmarks/head_cost.py MODEL DATA.spacy [--rounds 5]

MODEL is a trained pipeline with `transformer` and `joint_ner_re`. Encoder: the transformer
component, from Docs to hidden states. Joint model: token features, head, decoding and annotation.
"""

import argparse
import statistics
import time
from pathlib import Path
from typing import Callable, List

import spacy.util
import torch
from spacy.tokens import Doc
from wasabi import msg

from spacy_jere.models.joint import n_trainable
from spacy_jere.training.corpus import JointCorpus


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("data", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=64)
    args = parser.parse_args()
    torch.set_num_threads(1)

    nlp = spacy.util.load_model(args.model)
    transformer, joint = nlp.get_pipe("transformer"), nlp.get_pipe("joint_ner_re")
    examples = list(JointCorpus(args.data)(nlp))
    msg.info(f"joint_ner_re: {n_trainable(joint.model):,} trainable parameters")

    docs = [example.predicted for example in examples]
    n_words = sum(map(len, docs))
    size = args.batch_size
    encode = timed(lambda: list(transformer.pipe(docs, batch_size=size)))
    extract = timed(lambda: list(joint.pipe(docs, batch_size=size)))
    encode(), extract()  # warm up
    rounds = [(encode(), extract()) for _ in range(args.rounds)]
    ratio = statistics.median(head / encoder for encoder, head in rounds)
    rows = [
        ("encoder", f"{n_words / statistics.median(x[0] for x in rounds):,.0f}"),
        ("joint model", f"{n_words / statistics.median(x[1] for x in rounds):,.0f}"),
    ]
    msg.table(rows, header=("", "words/s"), aligns=("l", "r"), divider=True)
    msg.info(f"joint model / encoder: {ratio:.2f} (median of {args.rounds} rounds, one thread)")


def timed(run: Callable[[], List[Doc]]) -> Callable[[], float]:
    """RETURNS: A callable that runs once and gives the seconds it took."""

    def measure() -> float:
        start = time.perf_counter()
        run()
        return time.perf_counter() - start

    return measure


if __name__ == "__main__":
    main()
