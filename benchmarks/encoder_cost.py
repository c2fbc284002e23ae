"""What a fine-tuned joint model costs beyond its bare encoder, as ratios within one run.

    python benchmarks/encoder_cost.py MODEL DATA.spacy [--rounds 30] [--bfloat16]

MODEL is a trained pipeline of `transformer` and `joint_ner_re`. Ours: all that the pipeline does
with a batch of Docs, in training and in prediction: word pieces, alignment, head, decoding and
annotation. Bare: the encoder's forward (and backward) pass on the same padded word pieces. Both
take turns, batch by batch. At the end `nlp.pipe` reads raw text, against the bare encoder on the
same texts, sorted by length as `nlp.pipe` sorts them.
"""

import argparse
import statistics
import time
from pathlib import Path
from typing import Any, Callable, List

import spacy.util
import torch
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from wasabi import msg

from spacy_jere.training.corpus import JointCorpus

BATCH_SIZES = (2, 8, 16)
PIPE_BATCH = 64


class BareEncoder:
    """The encoder of a pipeline, on word pieces that are made outside of the measured time."""

    def __init__(self, nlp: Language):
        self.nlp = nlp
        self.model = nlp.get_pipe("transformer").model

    def inputs(self, docs: List[Doc]) -> dict:
        pieces = self.model.predict([blank(self.nlp, doc) for doc in docs]).wordpieces
        mask = torch.as_tensor(pieces.attention_mask)
        inputs = {"input_ids": torch.as_tensor(pieces.input_ids), "attention_mask": mask}
        if pieces.token_type_ids is not None:
            inputs["token_type_ids"] = torch.as_tensor(pieces.token_type_ids)
        return inputs

    def forward(self, inputs: dict) -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=self.model.attrs["bfloat16"]):
            return self.model.transformer(**inputs).last_hidden_state

    def predict(self, inputs: dict) -> None:
        self.model.transformer.eval()
        with torch.no_grad():
            self.forward(inputs)

    def train(self, inputs: dict) -> None:
        self.model.transformer.train()
        output = self.forward(inputs)
        output.backward(torch.ones_like(output))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("data", type=Path)
    parser.add_argument("--rounds", type=int, default=30, help="Batches of each size")
    parser.add_argument("--bfloat16", action="store_true", help="Encoder and head in bfloat16")
    args = parser.parse_args()
    torch.set_num_threads(1)

    nlp = spacy.util.load_model(args.model)
    for name in nlp.pipe_names:
        nlp.get_pipe(name).model.attrs["bfloat16"] = args.bfloat16
    examples = list(JointCorpus(args.data)(nlp))
    rows = [(size, *costs(nlp, examples, size, args.rounds)) for size in BATCH_SIZES]
    table = [(size, f"{training:.2f}", f"{prediction:.2f}") for size, training, prediction in rows]
    msg.table(
        table, header=("batch", "training", "prediction"), aligns=("r", "r", "r"), divider=True
    )
    msg.info("Times as long as the bare encoder (median over batches, one thread)")
    ours, bare = throughput(nlp, [example.reference for example in examples])
    msg.info(
        f"nlp.pipe on raw text: {ours:,.0f} words/s, bare encoder {bare:,.0f}: {ours / bare:.2f}"
    )


def costs(nlp: Language, examples: List[Example], size: int, rounds: int) -> List[float]:
    """RETURNS: How many times as long as the bare encoder training and prediction take."""
    encoder = BareEncoder(nlp)
    batches = [
        [example.reference for example in examples[i : i + size]]
        for i in range(0, len(examples), size)
    ]
    # Training before prediction: nobody switches with each batch. The first batch warms up.
    return [
        statistics.median([measure(nlp, encoder, docs) for docs in batches[: rounds + 1]][1:])
        for measure in (training_cost, prediction_cost)
    ]


def training_cost(nlp: Language, encoder: BareEncoder, docs: List[Doc]) -> float:
    inputs, examples = encoder.inputs(docs), [Example(blank(nlp, doc), doc) for doc in docs]
    return seconds(update, nlp, examples) / seconds(encoder.train, inputs)


def prediction_cost(nlp: Language, encoder: BareEncoder, docs: List[Doc]) -> float:
    inputs, blanks = encoder.inputs(docs), [blank(nlp, doc) for doc in docs]
    return seconds(predict, nlp, blanks) / seconds(encoder.predict, inputs)


def throughput(nlp: Language, references: List[Doc]) -> List[float]:
    """RETURNS: Words per second of nlp.pipe and of the bare encoder, medians of three rounds."""
    encoder = BareEncoder(nlp)
    texts = [doc.text for doc in references]
    n_words = sum(len(nlp.make_doc(text)) for text in texts)
    by_length = sorted(references, key=len)
    batches = [
        encoder.inputs(by_length[i : i + PIPE_BATCH]) for i in range(0, len(texts), PIPE_BATCH)
    ]
    rounds = []
    for _ in range(3):
        ours = seconds(lambda: list(nlp.pipe(texts, batch_size=4 * PIPE_BATCH)))
        bare = seconds(lambda: [encoder.predict(x) for x in batches])
        rounds.append((n_words / ours, n_words / bare))
    return [statistics.median(x) for x in zip(*rounds)]


def update(nlp: Language, examples: List[Example]) -> None:
    nlp.update(examples, sgd=False, drop=0.1)


def predict(nlp: Language, docs: List[Doc]) -> None:
    for _, component in nlp.pipeline:
        docs = list(component.pipe(docs, batch_size=len(docs)))


def blank(nlp: Language, doc: Doc) -> Doc:
    return Doc(nlp.vocab, words=[x.text for x in doc], spaces=[bool(x.whitespace_) for x in doc])


def seconds(run: Callable[..., Any], *args: Any) -> float:
    """RETURNS: Of the processor: with one thread it is what the work takes, whatever else runs."""
    start = time.process_time()
    run(*args)
    return time.process_time() - start


if __name__ == "__main__":
    main()
