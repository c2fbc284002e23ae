"""What a joint model costs beyond its encoder, for an encoder of each family.

    python benchmarks/encoder_families.py [--rounds 15] [FAMILY ...]

Each encoder has 6 layers of 384 and random weights, and a tokenizer of 8,000 word pieces that is
trained on the embedded corpus. The head is that of configs/published/spert.cfg. Ours and bare are
what `encoder_cost.py` says, on batches of 8 and 16 sentences.
"""

import argparse
import runpy
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import List, Sequence, Tuple

import spacy
import torch
from encoder_cost import blank, costs
from spacy.language import Language
from spacy.training import Example
from wasabi import msg

from spacy_jere.formats import read_records
from spacy_jere.formats.record import Record
from spacy_jere.formats.to_docs import to_docs

ROOT = Path(__file__).parent.parent
BATCH_SIZES = (8, 16)
FAMILIES = (
    "bert",
    "distilbert",
    "electra with padding last",
    "mpnet",
    "albert",
    "roberta",
    "xlm-roberta",
    "camembert",
    "deberta",
    "deberta-v2",
    "modernbert",
)
SIZE = {
    "hidden_size": 384,
    "num_hidden_layers": 6,
    "num_attention_heads": 12,
    "intermediate_size": 1536,
    "max_position_embeddings": 514,
    "initializer_range": 0.02,
}
# Settings that some families call by other names, and those that made the tests' encoders small.
OWN = {
    "distilbert": {"hidden_dim": 1536},
    "electra with padding last": {"embedding_size": 128},
    "albert": {"embedding_size": 128},
    "deberta-v2": {"position_buckets": 256},
    "modernbert": {"local_attention": 128, "global_attn_every_n_layers": 3},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("families", nargs="*", default=list(FAMILIES))
    parser.add_argument("--rounds", type=int, default=15, help="Batches of each size")
    args = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")

    records = read_records(ROOT / "assets/embedded/train.json")
    texts = [doc.text for doc in to_docs(records, spacy.blank("en"))]
    make_encoder = runpy.run_path(str(ROOT / "tests/models/tok2vec/conftest.py"))["make_encoder"]
    rows = []
    for family in args.families:
        with TemporaryDirectory() as folder:
            make_encoder(folder, family, texts, 8_000, **SIZE, **OWN.get(family, {}))
            nlp, examples = pipeline(folder, records)
        numbers = [x for size in BATCH_SIZES for x in costs(nlp, examples, size, args.rounds)]
        rows.append((family.split()[0], *(f"{x:.2f}" for x in numbers)))
        msg.text(" ".join(rows[-1]))
    header = ("family", *(f"{what}, {n}" for n in BATCH_SIZES for what in ("train", "predict")))
    msg.table(rows, header=header, aligns=("l", "r", "r", "r", "r"), divider=True)


def pipeline(encoder: str, records: Sequence[Record]) -> Tuple[Language, List[Example]]:
    """RETURNS: A pipeline as configs/published/spert.cfg has it, and what it is measured with."""
    overrides = {"paths.encoder": encoder, "system.gpu_allocator": None}
    config = spacy.util.load_config(ROOT / "configs/published/spert.cfg", overrides=overrides)
    nlp = spacy.util.load_model_from_config(config, auto_fill=True)
    examples = [Example(blank(nlp, doc), doc) for doc in to_docs(records, nlp)]
    nlp.initialize(lambda: examples)
    return nlp, examples


if __name__ == "__main__":
    main()
