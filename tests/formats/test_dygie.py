import json

import pytest
from spacy.vocab import Vocab

from spacy_jere.formats import Record, RecordRelation, SourceError, read_records, to_docs
from spacy_jere.formats._reading import Head
from spacy_jere.formats.dygie import read, sniff

ITEM = {
    "doc_key": "a",
    "sentences": [["Ada", "slept", "."], ["She", "likes", "New", "Oslo🏠"]],
    "ner": [[[0, 0, "PER"]], [[3, 3, "PER"], [5, 6, "LOC"], [6, 6, "LOC"]]],
    "relations": [[], [[3, 3, 5, 6, "LIKES"], [6, 6, 5, 6, "PART-OF"]]],
}
# Documents, sentences, tokens, entities and relations of the public files
COUNTS = {
    "train": (350, 1861, 45412, 5598, 3219),
    "dev": (50, 275, 6521, 811, 455),
    "test": (100, 551, 13401, 1685, 974),
}
RELATIONS = {
    "train": {"COMPARE": 166, "CONJUNCTION": 400, "EVALUATE-FOR": 313, "FEATURE-OF": 173,
              "HYPONYM-OF": 298, "PART-OF": 179, "USED-FOR": 1690},
    "dev": {"COMPARE": 29, "CONJUNCTION": 59, "EVALUATE-FOR": 50, "FEATURE-OF": 32,
            "HYPONYM-OF": 44, "PART-OF": 27, "USED-FOR": 214},
    "test": {"COMPARE": 38, "CONJUNCTION": 123, "EVALUATE-FOR": 91, "FEATURE-OF": 59,
             "HYPONYM-OF": 67, "PART-OF": 63, "USED-FOR": 533},
}  # fmt: skip


def lines(*items):
    return "\n".join(json.dumps(item) for item in items)


def changed(**changes):
    return {key: value for key, value in {**ITEM, **changes}.items() if value != "left out"}


def test_document_becomes_a_record_with_sentences(save):
    (record,) = read(save(lines(ITEM)))
    assert record == Record.from_words(
        [*ITEM["sentences"][0], *ITEM["sentences"][1]],
        [(0, 1, "PER"), (3, 4, "PER"), (5, 7, "LOC"), (6, 7, "LOC")],
        [RecordRelation(1, 2, "LIKES"), RecordRelation(3, 2, "PART-OF")],
        sentences=[0, 3],
        meta={"orig_id": "a"},
    )
    (doc,) = to_docs([record], Vocab())
    assert [x.text for x in doc.sents] == ["Ada slept .", "She likes New Oslo🏠"]
    assert [x.text for x in doc] == record.words
    assert [(x.head.text, x.tail.text) for x in doc._.relations] == [
        ("She", "New Oslo🏠"),
        ("Oslo🏠", "New Oslo🏠"),
    ]


def test_relations_are_optional(save):
    (record,) = read(save(lines(changed(relations="left out", doc_key="left out"))))
    assert record.relations is None and record.meta == {}


def test_what_is_not_read_is_counted(save):
    item = changed(clusters=[[[0, 0], [3, 3]]], events=[[[1], [2]], [[3]]])
    assert read(save(lines(item, item))).skipped == {"coreference clusters": 2, "events": 6}


@pytest.mark.parametrize(
    "changes, reason",
    [
        ({"sentences": []}, "'sentences' is empty"),
        ({"sentences": ["Ada"]}, "'sentences' must be a list of strings"),
        ({"sentences": [["Ada"], []]}, "'sentences' must be a list of strings"),
        ({"ner": "left out"}, "'ner' must be a list"),
        ({"ner": [[]]}, "'ner' must hold one list for each of the 2 sentences"),
        ({"ner": [[], [[0, 7, "PER"]]]}, "entity 'PER' has tokens 0:8, but the sentence has 7"),
        ({"ner": [[], [[2, 1, "PER"]]]}, "entity 'PER' has tokens 2:2"),
        ({"ner": [[], [[2, "PER"]]]}, "an entity is [start, end, type], found [2, 'PER']"),
        ({"ner": [[], [["2", 2, "PER"]]]}, "start and end must be whole numbers"),
        ({"ner": [[], [[2, 2, ""]]]}, "an entity needs a label"),
        ({"relations": [[]]}, "'relations' must hold one list"),
        ({"relations": [[], [[3, 3, 5, 5, "X"]]]}, "relation 'X' names (5, 5), which is no entity"),
        ({"relations": [[], [[3, 3, 5, "X"]]]}, "a relation is [head start"),
        ({"relations": [[], [[3, 3, 5, 6, None]]]}, "a relation needs a label"),
    ],
)
def test_faults_are_named_with_their_line(save, changes, reason):
    path = save(f"{lines(ITEM)}\n\n{lines(changed(**changes))}", "data.json")
    with pytest.raises(SourceError) as error:
        read(path)
    assert f"{path}, line 3: " in str(error.value) and reason in str(error.value)


@pytest.mark.parametrize(
    "text, sniffed", [(lines(ITEM), True), ("{}", False), ("[]", False), ("", False)]
)
def test_sniff(save, text, sniffed):
    assert sniff(Head.of(save(text))) is sniffed


@pytest.mark.corpora
@pytest.mark.parametrize("split", COUNTS)
def test_public_corpus_has_its_published_counts(corpus_file, split):
    records = read_records(corpus_file(f"scierc/dygie/{split}.json"), "dygie")
    assert COUNTS[split] == (
        len(records),
        sum(len(x.sentences) for x in records),
        sum(len(x.words) for x in records),
        sum(len(x.entities) for x in records),
        sum(len(x.relations) for x in records),
    )
    labels = sorted(x.label for record in records for x in record.relations)
    assert {label: labels.count(label) for label in labels} == RELATIONS[split]


@pytest.mark.slow
@pytest.mark.corpora
@pytest.mark.parametrize("split, duplicates", [("train", 4), ("dev", 0), ("test", 0)])
def test_public_corpus_equals_its_spert_files(corpus_file, split, duplicates):
    """Sentence by sentence. SpERT's files write brackets as such and capitalize relation labels."""
    brackets = {"-LRB-": "(", "-RRB-": ")", "-LSB-": "[", "-RSB-": "]"}
    spert = iter(read_records(corpus_file(f"scierc/spert/scierc_{split}.json")))
    n_duplicates = 0
    for record in read_records(corpus_file(f"scierc/dygie/{split}.json")):
        places = [0]
        for word in record.words:
            places.append(places[-1] + len(word) + 1)
        # Tokens before each character, to compare where words differ in length
        index = {place: i for i, place in enumerate(places)}
        entities = [(index[x.start], index[x.end + 1], x.label) for x in record.entities]
        relations = [
            (entities[x.head], entities[x.tail], x.label.lower()) for x in record.relations
        ]
        n_duplicates += len(relations) - len(set(relations))
        found, first = [[], [], []], 0
        for _ in record.sentences:
            other = next(spert)
            inner = {0: 0}
            for i, word in enumerate(other.words):
                inner[list(inner)[-1] + len(word) + 1] = i + 1
            shifted = [
                (first + inner[x.start], first + inner[x.end + 1], x.label) for x in other.entities
            ]
            found[0] += other.words
            found[1] += shifted
            found[2] += [
                (shifted[x.head], shifted[x.tail], x.label.lower()) for x in other.relations
            ]
            first += len(other.words)
        assert found[0] == [brackets.get(word, word) for word in record.words]
        assert sorted(found[1]) == sorted(entities) and sorted(found[2]) == sorted(relations)
    assert next(spert, None) is None
    assert n_duplicates == duplicates
