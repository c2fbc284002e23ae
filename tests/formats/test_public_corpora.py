"""The public corpora, converted as a user does it: the counts are those that their publishers or
their readers gave.

ADE's tokens are those of spaCy's English tokenizer where the file has none, so they are not
compared there.
"""

from collections import Counter

import pytest
import spacy
from spacy.tokens import DocBin

from spacy_jere.cli.convert import convert
from spacy_jere.debug_data.counts import count_labels
from spacy_jere.export import write_docs
from spacy_jere.formats import read_records, to_docs

pytestmark = pytest.mark.corpora

CONLL04 = (
    ("Loc", "Org", "Peop", "Other"),
    ("Kill", "Live_In", "Located_In", "OrgBased_In", "Work_For"),
)
ADE = ("Adverse-Effect", "Drug"), ("Adverse-Effect",)
SCIERC = (
    ("Generic", "Material", "Method", "Metric", "OtherScientificTerm", "Task"),
    ("Compare", "Conjunction", "Evaluate-for", "Feature-of", "Hyponym-of", "Part-of", "Used-for"),
)
DYGIE = SCIERC[0], tuple(x.upper() for x in SCIERC[1])
# Texts and tokens, entities in all and by label, relations in all and by label
CONLL04_TEST = (1079, 427, 198, 321, 133), (422, 47, 100, 94, 105, 76)
SCIERC_COUNTS = {
    "train": ((5598, 950, 542, 1445, 231, 1536, 894), (3219, 166, 400, 313, 173, 298, 179, 1690)),
    "dev": ((811, 147, 71, 216, 38, 212, 127), (455, 29, 59, 50, 32, 44, 27, 214)),
    "test": ((1685, 241, 158, 430, 71, 522, 263), (974, 38, 123, 91, 59, 67, 63, 533)),
}
COUNTS = {
    "conll04/multihead/train.txt": (CONLL04, (910, 26804), (3393, 1204, 596, 1145, 448),
                                    (1273, 203, 342, 245, 241, 242)),
    "conll04/multihead/dev.txt": (CONLL04, (243, 6975), (877, 337, 190, 225, 125),
                                  (353, 18, 79, 67, 106, 83)),
    "conll04/multihead/test.txt": (CONLL04, (288, 8408), *CONLL04_TEST),
    "conll04/spert/conll04_train.json": (CONLL04, (922, 26525), (3377, 1219, 616, 1087, 455),
                                         (1283, 179, 330, 247, 271, 256)),
    "conll04/spert/conll04_dev.json": (CONLL04, (231, 6993), (893, 322, 170, 283, 118),
                                       (343, 42, 91, 65, 76, 69)),
    "conll04/spert/conll04_test.json": (CONLL04, (288, 8336), *CONLL04_TEST),
    "ade/spert/ade_full.json": (ADE, (4272, 90714), (10839, 5776, 5063), (6821, 6821)),
    "ade/original/DRUG-AE.rel": (ADE, (4272, None), (10839, 5776, 5063), (6821, 6821)),
    "scierc/spert/scierc_train.json": (SCIERC, (1861, 45412), *SCIERC_COUNTS["train"]),
    "scierc/spert/scierc_dev.json": (SCIERC, (275, 6521), *SCIERC_COUNTS["dev"]),
    "scierc/spert/scierc_test.json": (SCIERC, (551, 13401), *SCIERC_COUNTS["test"]),
    "scierc/dygie/train.json": (DYGIE, (350, 45412), *SCIERC_COUNTS["train"]),
    "scierc/dygie/dev.json": (DYGIE, (50, 6521), *SCIERC_COUNTS["dev"]),
    "scierc/dygie/test.json": (DYGIE, (100, 13401), *SCIERC_COUNTS["test"]),
}  # fmt: skip
WITH_DOUBLES = ("scierc/spert/scierc_train.json", "scierc/dygie/train.json")
# Other places of a file
PLACES = {f"conll04/multihead/{x}.txt": (f"conll04/{x}.txt",) for x in ("train", "dev", "test")}
# Of each of ADE's ten splits: sentences of train; sentences, entities, relations and those with
# overlapping ends of test
SPLITS = [
    (3845, 427, 1070, 666, 12),
    (3845, 427, 1126, 724, 15),
    (3845, 427, 1091, 688, 7),
    (3845, 427, 1068, 657, 10),
    (3845, 427, 1054, 648, 13),
    (3845, 427, 1126, 732, 20),
    (3845, 427, 1071, 666, 10),
    (3845, 427, 1085, 704, 13),
    (3845, 427, 1079, 688, 11),
    (3843, 429, 1069, 648, 9),
]


def counts(docs):
    """As in COUNTS, without the labels."""
    found = count_labels(docs)
    labels = [[x for kind, x in found if kind == wanted] for wanted in ("entities", "relations")]
    return found, {label for label in labels[0] if label}, {label for label in labels[1] if label}


def doubles_of(records):
    """By label the relations that a text names again. A Doc has them once."""
    found = Counter()
    for record in records:
        ends = [
            (record.entities[x.head], record.entities[x.tail], x.label) for x in record.relations
        ]
        found.update(label for _, _, label in ends)
        found.subtract(label for _, _, label in set(ends))
    found[""] = sum(found.values())
    return found


@pytest.mark.parametrize("path", COUNTS)
def test_converted_corpus_has_its_published_counts(corpus_file, tmp_path, path):
    file = corpus_file(path, *PLACES.get(path, ()))
    (written,) = convert(file, tmp_path)
    docs = list(DocBin().from_disk(written).get_docs(spacy.blank("en").vocab))
    (entity_labels, relation_labels), (n_texts, n_tokens), entities, relations = COUNTS[path]
    found, *labels = counts(docs)
    assert labels == [set(entity_labels), set(relation_labels)]
    assert found["texts", ""] == n_texts
    assert n_tokens in (None, found["tokens", ""])
    assert tuple(found["entities", x] for x in ("", *entity_labels)) == entities
    doubles = doubles_of(read_records(file))
    kept = [found["relations", x] + doubles[x] for x in ("", *relation_labels)]
    assert tuple(kept) == relations
    assert doubles[""] == (4 if path in WITH_DOUBLES else 0)


@pytest.mark.parametrize("split", range(10))
def test_split_of_ade_has_its_published_counts(corpus_file, split):
    train, test = (
        read_records(corpus_file(f"ade/spert/ade_split_{split}_{part}.json"))
        for part in ("train", "test")
    )
    relations = [
        (record.entities[x.head], record.entities[x.tail])
        for record in test
        for x in record.relations
    ]
    n_overlapping = sum(head.start < tail.end and tail.start < head.end for head, tail in relations)
    n_entities = sum(len(record.entities) for record in test)
    assert SPLITS[split] == (len(train), len(test), n_entities, len(relations), n_overlapping)
    full = read_records(corpus_file("ade/spert/ade_full.json"))
    ids = sorted(record.meta["orig_id"] for record in (*train, *test))
    assert ids == [record.meta["orig_id"] for record in full]


def said(doc):
    """All of a Doc that both formats hold."""
    entities = {
        (x.start_char, x.end_char, x.label_) for x in doc.spans.get("joint_ner_re", doc.ents)
    }
    return doc.text, sorted(entities), [x.stored for x in doc._.relations]


@pytest.mark.parametrize("path", COUNTS)
@pytest.mark.parametrize("format", ["spert", "brat"])
def test_written_corpus_is_read_again(corpus_file, tmp_path, path, format):
    docs = to_docs(read_records(corpus_file(path, *PLACES.get(path, ()))), spacy.blank("en"))
    write_docs(docs, tmp_path / "out", format)
    again = to_docs(read_records(tmp_path / "out", format), spacy.blank("en"))
    if format == "brat":  # its files are read in the order of their names
        docs, again = (sorted(x, key=said) for x in (docs, again))
    assert list(map(said, again)) == list(map(said, docs))
