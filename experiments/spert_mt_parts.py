"""What each part of SpERT.MT is worth: the same model and seeds, one part switched on at a time.

    python experiments/spert_mt_parts.py FOLDER --encoder ENCODER --vectors VECTORS
        [--seeds 0 1 2] [--epochs 12] [--symmetric Compare Conjunction]

FOLDER has train.spacy, dev.spacy and test.spacy; --symmetric names relation labels without a
direction. To make many trainings affordable, the transformer is frozen: it reads the corpus once,
and every training starts from what it said. The rest is the component as users train it, over the
token features of configs/finetuned.cfg, with one smaller BiRNN layer for both tasks. Scores are
those of the last epoch.
"""

import argparse
import random
import statistics
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Tuple

import spacy
import torch
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import fix_random_seed
from spacy.vocab import Vocab
from thinc.api import Config, Model, reduce_mean, warmup_linear
from thinc.types import Floats2d
from wasabi import msg

from spacy_jere.models.tok2vec.transformer_listener import build_transformer_listener_v1
from spacy_jere.pipeline.component import JointEntityRelationExtractor
from spacy_jere.training.corpus import JointCorpus
from spacy_jere.training.nadam import create_nadam_v1

CONFIG = Path(__file__).parent.parent / "configs" / "finetuned.cfg"
LAYERS = [-4, -3, -1]
HIDDEN = 128
BATCH_SIZE = 16
LEARN_RATE = 1e-3

BINARY = {"is_entity_weight": 1.0, "is_related_weight": 1.0}
IOU = {"iou_weight": 1.0, "hard_negatives": True}
OFF = {
    "entity_logits": False,
    "is_entity_weight": 0.0,
    "is_related_weight": 0.0,
    "iou_weight": 0.0,
    "hard_negatives": False,
    "tag_weight": 0.0,
}
TAGS = {"tag_weight": 0.05}
SWITCHES: Dict[str, Dict[str, Any]] = {
    "SpERT": {},
    "entity logits": {"entity_logits": True},
    "entity logits, detached": {"entity_logits": True, "detach_logits": True},
    "is it an entity": {"is_entity_weight": 1.0},
    "are they related": {"is_related_weight": 1.0},
    "both binary tasks": BINARY,
    "both, multiplied": {**BINARY, "multiply_probabilities": True},
    "IoU": {"iou_weight": 1.0},
    "IoU, cross-entropy": {"iou_weight": 1.0, "iou_loss": "bce"},
    "hard negatives": {"hard_negatives": True},
    "IoU and hard negatives": IOU,
    "tags": {"tag_weight": 1.0},
    "tags, lighter": TAGS,
    "tags, lighter, and entity logits": {**TAGS, "entity_logits": True},
    "tags, lighter, IoU and hard negatives": {**TAGS, **IOU},
    "all": {"entity_logits": True, **BINARY, **IOU},
}
KEYS = ("ents_f", "rels_f", "rels_boundary_f")
Rows = List[Tuple[float, ...]]


class Text(NamedTuple):
    """An annotated text and what the transformer says of its tokens.

    vectors: The layers side by side. Shape [n_tokens, n_layers * width].
    """

    words: List[str]
    spaces: List[bool]
    vectors: Floats2d
    reference: Doc


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--encoder", required=True, help="Folder or name of a transformer")
    parser.add_argument(
        "--vectors", required=True, help="Folder or name of a pipeline with vectors"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--symmetric", nargs="+", default=[])
    parser.add_argument("--switches", nargs="+", choices=SWITCHES, default=list(SWITCHES))
    args = parser.parse_args()
    torch.set_num_threads(1)

    reader = make_reader(args.encoder, args.vectors)
    data = {
        split: read(reader, args.folder / f"{split}.spacy") for split in ("train", "dev", "test")
    }
    schema = make_schema(data["train"], args.symmetric) if args.symmetric else "learn"
    found: Dict[str, Rows] = {name: [] for name in args.switches}
    # Seed by seed, so that what is there after an interruption compares like with like.
    for seed in args.seeds:
        for name in args.switches:
            start = time.perf_counter()
            head = {**OFF, **SWITCHES[name]}
            scores = train_and_score(reader.vocab, data, head, schema, seed, args.epochs)
            found[name].append(scores)
            numbers = " ".join(f"{score:.2f}" for score in scores)
            seconds = time.perf_counter() - start
            msg.text(f"seed {seed} {name}: {numbers} ({seconds:.0f} s)")
    header = ("switched on", *(f"{split} {key}" for split in ("dev", "test") for key in KEYS))
    msg.table(
        [(name, *map(mean_and_spread, zip(*rows))) for name, rows in found.items()],
        header=header,
        divider=True,
    )


def make_reader(encoder: str, vectors: str) -> Language:
    """RETURNS (Language): The transformer, with the word vectors in its vocabulary."""
    nlp = spacy.blank("en", vocab=spacy.load(vectors).vocab)
    model = {
        "@architectures": "spacy-jere.TransformerModel.v1",
        "name": encoder,
        "get_spans": {"@span_getters": "spacy-jere.window_spans.v1"},
        "tokenizer_config": {"use_fast": True},
        "transformer_config": {"output_hidden_states": True},
    }
    nlp.add_pipe("transformer", config={"model": model}).model.initialize()
    return nlp


def read(reader: Language, path: Path) -> List[Text]:
    """RETURNS (List[Text]): Read by the transformer, once."""
    examples = list(JointCorpus(path)(reader))
    docs = [example.predicted for example in examples]
    listener = listen(reader)
    texts = []
    for doc, example in zip(reader.get_pipe("transformer").pipe(docs, batch_size=32), examples):
        words, spaces = [token.text for token in doc], [bool(token.whitespace_) for token in doc]
        (vectors,) = listener.predict([doc])
        doc._.trf_data = None
        texts.append(Text(words, spaces, vectors, example.reference))
    return texts


def listen(reader: Language) -> Model[List[Doc], List[Floats2d]]:
    """RETURNS (Model): Reads layers, side by side, of Docs that the transformer has read."""
    model = build_transformer_listener_v1(reduce_mean(), layers=LAYERS, combine="concatenate")
    width = reader.get_pipe("transformer").model.transformer.config.hidden_size
    model.get_ref("listener").set_dim("nO", width)
    model.initialize()
    return model


@spacy.registry.architectures("experiments.DocTensor.v1")
def build_doc_tensor(width: int) -> Model[List[Doc], List[Floats2d]]:
    """Token vectors that are there already."""
    return Model("doc_tensor", read_tensors, dims={"nO": width})


def read_tensors(
    model: Model, docs: List[Doc], is_train: bool
) -> Tuple[List[Floats2d], Callable[[Any], List[Doc]]]:
    return [doc.tensor for doc in docs], lambda d_vectors: []


def make_schema(texts: List[Text], symmetric: List[str]) -> Dict[str, Any]:
    """RETURNS (Dict[str, Any]): Any types for each relation label; some have no direction."""
    labels = {relation.label_ for text in texts for relation in text.reference._.relations}
    return {label: {"symmetric": label in symmetric} for label in sorted(labels)}


def train_and_score(
    vocab: Vocab,
    data: Dict[str, List[Text]],
    head: Dict[str, Any],
    schema: Any,
    seed: int,
    epochs: int,
) -> Tuple[float, ...]:
    """RETURNS (Tuple[float, ...]): Scores on dev and test in percent, those of KEYS each."""
    fix_random_seed(seed)
    nlp = spacy.blank("en", vocab=vocab)
    width = data["train"][0].vectors.shape[1]
    component = nlp.add_pipe("joint_ner_re", config=settings(head, schema, width))
    nlp.initialize(lambda: [blank(vocab, text) for text in data["train"]])
    n_steps = epochs * -(-len(data["train"]) // BATCH_SIZE)
    optimizer = create_nadam_v1(warmup_linear(LEARN_RATE, 0, n_steps), grad_clip=0.0)
    for batch in batches(data["train"], epochs, random.Random(seed)):
        examples = [blank(vocab, text) for text in batch]
        component.update(examples, drop=0.1, sgd=optimizer)
        optimizer.step_schedules()
    scores = [score(component, data[split]) for split in ("dev", "test")]
    return tuple(100 * found[key] for found in scores for key in KEYS)


def settings(head: Dict[str, Any], schema: Any, width: int) -> Dict[str, Any]:
    """RETURNS (Dict[str, Any]): The component's settings: those of the config with other parts, and
    with smaller layers in bfloat16."""
    config = Config().from_disk(CONFIG, interpolate=False)["components"]["joint_ner_re"]
    model = config["model"]
    doc_tensor = {"@architectures": "experiments.DocTensor.v1", "width": width}
    size = {"hidden": HIDDEN, "shared_layers": 1, "ner_layers": 0, "re_layers": 0}
    model.update(
        tok2vec={**model["tok2vec"], "contextual": doc_tensor},
        birnn={**model["birnn"], **size},
        bfloat16=True,
        **head,
    )
    kept = {key: value for key, value in config.items() if key != "factory"}
    return {**kept, "schema": schema, "learn_rate_factor": 1.0}


def batches(texts: List[Text], epochs: int, rng: random.Random) -> Iterator[List[Text]]:
    for _ in range(epochs):
        shuffled = rng.sample(texts, len(texts))
        for start in range(0, len(shuffled), BATCH_SIZE):
            yield shuffled[start : start + BATCH_SIZE]


def blank(vocab: Vocab, text: Text) -> Example:
    """RETURNS (Example): With nothing predicted yet."""
    doc = Doc(vocab, words=text.words, spaces=text.spaces)
    doc.tensor = text.vectors
    return Example(doc, text.reference)


def score(component: JointEntityRelationExtractor, texts: List[Text]) -> Dict[str, Any]:
    examples = [blank(component.vocab, text) for text in texts]
    docs = component.pipe((example.predicted for example in examples), batch_size=64)
    for example, doc in zip(examples, docs):
        example.predicted = doc
    return component.score(examples)


def mean_and_spread(numbers: Tuple[float, ...]) -> str:
    spread = statistics.stdev(numbers) if len(numbers) > 1 else 0.0
    return f"{statistics.mean(numbers):.1f} ± {spread:.1f}"


if __name__ == "__main__":
    main()
