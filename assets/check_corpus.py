"""python assets/check_corpus.py FOLDER: check the embedded corpus and count its labels.

The reader checks offsets and references. Checked here are labels and the types they join,
duplicates, entities that overlap or cut a token of spaCy's tokenizer, and sentences that two splits
share.
"""

import sys
from itertools import pairwise
from pathlib import Path
from typing import List

import spacy

from spacy_jere.cli.convert import print_statistics
from spacy_jere.formats import Record, SourceError, read_records, to_docs

ENTITY_LABELS = {"PERSON", "ORG", "LOC", "DATE"}
# Relation label: labels of heads, labels of tails
RELATION_LABELS = {
    "WORKS_FOR": ({"PERSON"}, {"ORG"}),
    "LIVES_IN": ({"PERSON"}, {"LOC"}),
    "BASED_IN": ({"ORG"}, {"LOC"}),
    "LOCATED_IN": ({"LOC"}, {"LOC"}),
    "FOUNDED": ({"PERSON", "ORG"}, {"ORG"}),
    "ACQUIRED": ({"PERSON", "ORG"}, {"ORG"}),
}
SPLITS = ("train", "dev", "test")  # and others that the folder has


def check_record(record: Record, tokenizer: "spacy.tokenizer.Tokenizer") -> List[str]:
    """RETURNS (List[str]): What is wrong with a sentence."""
    faults = []
    if not record.spacing_known:
        faults.append("has no text")
    elif [token.text for token in tokenizer(record.text)] != record.words:
        faults.append("is tokenized differently by spaCy")
    entities = sorted(record.entities)
    faults += [f"has the label {x.label}" for x in entities if x.label not in ENTITY_LABELS]
    if any(left.end > right.start for left, right in pairwise(entities)):
        faults.append("has overlapping or double entities")
    relations = record.relations or []
    if len(set(relations)) < len(relations):
        faults.append("has a double relation")
    for head, tail, label in relations:
        heads, tails = RELATION_LABELS.get(label, (set(), set()))
        ends = record.entities[head].label, record.entities[tail].label
        if head == tail or ends[0] not in heads or ends[1] not in tails:
            faults.append(f"has {label} from {ends[0]} to {ends[1]}")
    return faults


def splits_of(folder: Path) -> List[str]:
    others = {path.stem for path in folder.glob("*.json")} - set(SPLITS)
    return [*SPLITS, *sorted(others)]


def check(folder: Path) -> List[str]:
    """RETURNS (List[str]): Every fault of the corpus, with its place."""
    tokenizer = spacy.blank("en").tokenizer
    corpora = {split: read_records(folder / f"{split}.json") for split in splits_of(folder)}
    faults, seen = [], {}
    for split, records in corpora.items():
        for number, record in enumerate(records, 1):
            place = f"{split}, sentence {number}"
            faults += [f"{place} {fault}" for fault in check_record(record, tokenizer)]
            key = " ".join(record.words).lower()
            if key in seen:
                faults.append(f"{place} stands also in {seen[key]}")
            seen[key] = place
    print_statistics({split: to_docs(x, tokenizer.vocab) for split, x in corpora.items()})
    return faults


if __name__ == "__main__":
    try:
        found = check(Path(sys.argv[1]))
    except SourceError as error:
        sys.exit(str(error))
    sys.exit("\n".join(found) or 0)
