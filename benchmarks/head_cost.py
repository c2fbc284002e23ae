"""What the joint model adds to its encoder in prediction, as a ratio within one run.

    python benchmarks/head_cost.py ENCODER VECTORS DATA.spacy [--config configs/birnn_tuned.cfg] [--rounds 5]

ENCODER is a transformer (hub name or folder), VECTORS a pipeline with word vectors, DATA annotated texts. The weights of the joint
model are as initialized, with a threshold that lets no relation through: its time depends on the texts, not on what it has learned.
Encoder: the `transformer` component from Docs to hidden states. Joint model: token features, head and decoding, on these.
"""

import argparse
import statistics
import time
from pathlib import Path
from typing import Callable, List

import spacy.util
import torch
from spacy.tokens import Doc
from thinc.api import Config
from wasabi import msg

from spacy_jere.corpus import JointCorpus
from spacy_jere.models.joint import n_trainable

CONFIGS = Path(__file__).parent.parent / "configs"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("encoder")
    parser.add_argument("vectors")
    parser.add_argument("data", type=Path)
    parser.add_argument("--config", type=Path, default=CONFIGS / "birnn_tuned.cfg")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=64)
    args = parser.parse_args()
    torch.set_num_threads(1)

    paths = {"encoder": args.encoder, "vectors": args.vectors}
    overrides = {f"paths.{key}": value for key, value in paths.items()}
    overrides |= {"paths.train": str(args.data), "paths.dev": str(args.data)}
    config = Config().from_disk(args.config, overrides=overrides)
    nlp = spacy.util.load_model_from_config(config, auto_fill=True)
    examples = list(JointCorpus(args.data)(nlp))
    nlp.initialize(lambda: examples)
    transformer, joint = nlp.get_pipe("transformer"), nlp.get_pipe("joint_ner_re")
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
