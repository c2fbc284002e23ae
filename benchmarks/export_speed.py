"""How long each format takes to export relations.

    python benchmarks/export_speed.py [--relations 100000] [FORMAT …]

The Docs are made up: sentences of 20 words with four entities and five relations, names drawn from
20,000. They are made anew for each format, as if read from disk. `reading` is the time for that
alone, included in the others.
"""

import argparse
import random
import tempfile
import time
from pathlib import Path
from typing import Callable, Iterator

from spacy.tokens import Doc, Span
from spacy.vocab import Vocab
from wasabi import msg

from spacy_jere.export import WRITERS

ENTITIES = ((0, 2, "PERSON"), (5, 6, "ORG"), (9, 11, "LOC"), (15, 16, "DATE"))
RELATIONS = ((0, 1), (0, 2), (1, 2), (1, 3), (0, 3))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("formats", nargs="*", default=list(WRITERS))
    parser.add_argument("--relations", type=int, default=100_000)
    args = parser.parse_args()
    n_docs = args.relations // len(RELATIONS)
    rows = [("reading", f"{seconds(lambda: list(map(len, make_docs(n_docs)))):.1f}", "")]
    with tempfile.TemporaryDirectory() as folder:
        for name in args.formats:
            path = Path(folder) / name
            taken = seconds(lambda: WRITERS[name].write(make_docs(n_docs), path))  # noqa: B023
            files = path.iterdir() if path.is_dir() else [path]
            megabytes = sum(file.stat().st_size for file in files) / 1e6
            rows.append((name, f"{taken:.1f}", f"{megabytes:.0f}"))
    header = (f"{args.relations:,} relations", "seconds", "MB")
    msg.table(rows, header=header, aligns=("l", "r", "r"), divider=True)


def make_docs(n_docs: int) -> Iterator[Doc]:
    """RETURNS (Iterator[Doc]): The same Docs each time."""
    choice = random.Random(0).choice
    vocab = Vocab()
    names = [f"Name{i}" for i in range(20_000)]
    for _ in range(n_docs):
        words = ["word"] * 20
        for start, end, _label in ENTITIES:
            words[start:end] = [choice(names) for _ in range(start, end)]
        doc = Doc(vocab, words=words, sent_starts=[True] + [False] * 19)
        doc.ents = [Span(doc, *entity) for entity in ENTITIES]
        doc._.relations = [(doc.ents[x], doc.ents[y], "REL", 0.5) for x, y in RELATIONS]
        yield doc


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
