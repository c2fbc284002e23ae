import json

import pytest

from spacy_jere.formats import Record, RecordRelation, SourceError, read_records
from spacy_jere.formats._reading import Head
from spacy_jere.formats.hf_jsonl import read, sniff

WORDS = ["Ada", "likes", "New", "Oslo🏠"]
EXCLUSIVE = {"id": 1, "tokens": WORDS, "ner": [[0, 1, "PER"], [2, 4, "LOC"], [3, 4, "LOC"]]}
INCLUSIVE = {"id": 1, "tokens": WORDS, "ner": [[0, 0, "PER"], [2, 3, "LOC"], [3, 3, "LOC"]]}
RECORD = Record.from_words(
    WORDS,
    [(0, 1, "PER"), (2, 4, "LOC"), (3, 4, "LOC")],
    [RecordRelation(0, 1, "LIKES"), RecordRelation(2, 1, "IN")],
    meta={"orig_id": 1},
)


@pytest.mark.parametrize(
    "item, ends, relations",
    [
        (EXCLUSIVE, "exclusive", [[0, 1, "LIKES"], [2, 1, "IN"]]),
        (EXCLUSIVE, "exclusive", [[0, 1, 2, 4, "LIKES"], [3, 4, 2, 4, "IN"]]),
        (INCLUSIVE, "inclusive", [[0, 1, "LIKES"], [2, 1, "IN"]]),
        (INCLUSIVE, "inclusive", [[0, 0, 2, 3, "LIKES"], [3, 3, 2, 3, "IN"]]),
    ],
)
def test_read(save, item, ends, relations):
    path = save(json.dumps({**item, "relations": relations}))
    assert read(path, ends) == read_records(path, ends=ends) == [RECORD]


def test_exclusive_is_what_is_expected(save):
    (record,) = read(save(json.dumps(EXCLUSIVE)))
    assert record.relations is None and record.entities == RECORD.entities


@pytest.mark.parametrize(
    "item, ends, other",
    [(INCLUSIVE, "exclusive", "inclusive"), (EXCLUSIVE, "inclusive", "exclusive")],
)
def test_wrong_ends_are_noticed(save, item, ends, other):
    with pytest.raises(SourceError, match=rf"E301.*line 1: entity .*read with ends = '{other}'"):
        read(save(json.dumps(item)), ends)


def test_ends_have_known_names(save):
    with pytest.raises(SourceError, match=r"E314.*ends is one of exclusive, inclusive, not 'last'"):
        read(save(json.dumps(EXCLUSIVE)), "last")


@pytest.mark.parametrize(
    "changes, reason",
    [
        ({"tokens": []}, "'tokens' must be a list of strings"),
        ({"tokens": ["Ada", ""]}, "'tokens' must be a list of strings"),
        ({"ner": None}, "'ner' must be a list"),
        ({"ner": [{"start": 0}]}, "an entity is [start, end, label]"),
        ({"ner": [[0, 1.0, "X"]]}, "an entity is [start, end, label]"),
        ({"ner": [[0, True, "X"]]}, "an entity is [start, end, label]"),
        ({"ner": [[0, 5, "X"]]}, "entity 'X' has tokens 0:5, but the sentence has 4 tokens"),
        ({"ner": [[2, 1, "X"]]}, "entity 'X' has tokens 2:1"),
        ({"ner": [[0, 1, 3]]}, "an entity needs a label"),
        ({"relations": {}}, "'relations' must be a list"),
        ({"relations": [[0, 1]]}, "a relation is [head, tail, label]"),
        ({"relations": [[0, 3, "X"]]}, "relation 'X' names entity 3, but there are 3"),
        ({"relations": [[0, 1, 1, 2, "X"]]}, "relation 'X' names (1, 2), which is no entity"),
        ({"relations": [[0, 1, ""]]}, "a relation needs a label"),
    ],
)
def test_faults_are_named_with_their_line(save, changes, reason):
    path = save("\n".join(json.dumps(x) for x in (EXCLUSIVE, {**EXCLUSIVE, **changes})))
    with pytest.raises(SourceError) as error:
        read(path)
    assert f"{path}, line 2: " in str(error.value) and reason in str(error.value)


@pytest.mark.parametrize(
    "text, sniffed", [(json.dumps(EXCLUSIVE), True), ('{"tokens": []}', False), ("", False)]
)
def test_sniff(save, text, sniffed):
    assert sniff(Head.of(save(text))) is sniffed


@pytest.mark.parametrize(
    "ner, noted",
    [
        ([[0, 1, "X"]], True),  # maybe of two tokens
        ([[2, 3, "X"]], True),
        ([[2, 4, "X"]], False),  # the end of the text
        ([[0, 2, "X"], [2, 3, "X"]], False),  # one begins where the other ends
        ([], False),
    ],
)
def test_ends_that_nothing_shows_are_noted(save, ner, noted):
    path = save(json.dumps({"tokens": WORDS, "ner": ner}))
    assert bool(read(path).notes) is noted
    if noted:
        with pytest.warns(UserWarning, match=r"W360.*read as exclusive.*set ends to inclusive"):
            read_records(path)
    assert not read(path, ends="exclusive").notes


def test_entities_in_one_place_are_counted_where_relations_name_the_place(save):
    item = {"tokens": WORDS, "ner": [[0, 1, "A"], [0, 1, "B"], [2, 4, "C"]]}
    records = read(save(json.dumps({**item, "relations": [[0, 1, 2, 4, "R"], [1, 2, "R"]]})))
    assert records[0].relations == [(0, 2, "R"), (1, 2, "R")]
    assert sum(records.changed.values()) == 1
