import json

import pytest

from spacy_jere.formats import Record, RecordEntity, RecordRelation, SourceError, read_records
from spacy_jere.formats._reading import Head
from spacy_jere.formats.doccano import read, sniff

TEXT = "Ada 🏠 likes New Oslo"
ENTITIES = [
    {"id": 30, "label": "PER", "start_offset": 0, "end_offset": 3},
    {"id": 31, "label": "LOC", "start_offset": 12, "end_offset": 20},
    {"id": 32, "label": "LOC", "start_offset": 16, "end_offset": 20},
]
TRIPLES = [[0, 3, "PER"], [12, 20, "LOC"], [16, 20, "LOC"]]
RELATIONS = [
    {"id": 1, "from_id": 30, "to_id": 31, "type": "LIKES"},
    {"id": 2, "from_id": 32, "to_id": 31, "type": "PART_OF"},
]
ITEM = {"id": 5, "text": TEXT, "entities": ENTITIES, "relations": RELATIONS}
RECORD = Record(
    TEXT,
    [RecordEntity(0, 3, "PER"), RecordEntity(12, 20, "LOC"), RecordEntity(16, 20, "LOC")],
    [RecordRelation(0, 1, "LIKES"), RecordRelation(2, 1, "PART_OF")],
    meta={"orig_id": 5},
)


def lines(*items):
    return "\n".join(json.dumps(item) for item in items)


def changed(**changes):
    return {key: value for key, value in {**ITEM, **changes}.items() if value != "left out"}


def test_export_with_relations(save):
    assert read(save(lines(ITEM))) == [RECORD]


@pytest.mark.parametrize("key", ["label", "labels", "entities"])
@pytest.mark.parametrize("text_key", ["text", "data"])
@pytest.mark.parametrize("entities", [TRIPLES, ENTITIES])
def test_export_of_entities(save, key, text_key, entities):
    (record,) = read(save(lines({"id": 5, text_key: TEXT, key: entities, "Comments": []})))
    assert record == Record(TEXT, RECORD.entities, None, meta={"orig_id": 5})


def test_comments_are_counted(save):
    assert read(save(lines(changed(Comments=["a", "b"]), ITEM))).skipped == {"comments": 2}


@pytest.mark.parametrize(
    "changes, reason",
    [
        ({"text": "left out"}, "none of the keys text, data is there"),
        ({"text": 3}, "'text' must be a string"),
        ({"entities": "left out"}, "none of the keys entities, label, labels is there"),
        ({"entities": {}}, "'entities' must be a list"),
        ({"entities": [3]}, "an entity is [start, end, label], or an object with"),
        ({"entities": [[0, 3]]}, "an entity is [start, end, label], or an object with"),
        ({"entities": [{"id": 1, "label": "X"}]},
         "an entity is [start, end, label], or an object with"),
        ({"entities": [[0, 21, "X"]]}, "entity 'X' has characters 0:21, but the text has 20"),
        ({"entities": [[3, 3, "X"]]}, "entity 'X' has characters 3:3"),
        ({"entities": [[3, 4, "X"]]}, "which are white space"),
        ({"entities": [["0", 4, "X"]]}, "start and end must be whole numbers"),
        ({"entities": [[0, 4, None]]}, "an entity needs a label"),
        ({"entities": [ENTITIES[0], ENTITIES[0]]}, "two entities have the id 30"),
        ({"entities": [{**ENTITIES[0], "id": [1]}]}, "the id of an entity is a number"),
        ({"relations": None}, "'relations' must be a list"),
        ({"relations": [{"from_id": 30, "to_id": 31}]}, "a relation needs from_id, to_id and type"),
        ({"relations": [{**RELATIONS[0], "to_id": 99}]},
         "relation 'LIKES' names 99, which is no entity"),
        ({"relations": [{**RELATIONS[0], "to_id": [1]}]},
         "relation 'LIKES' names [1], which is no entity"),
        ({"relations": [{**RELATIONS[0], "to_id": None}]}, "names None, which is no entity"),
        ({"relations": [{**RELATIONS[0], "type": ""}]}, "a relation needs a label"),
    ],
)  # fmt: skip
def test_faults_are_named_with_their_line(save, changes, reason):
    path = save(f"{lines(ITEM)}\n\n{lines(changed(**changes))}")
    with pytest.raises(SourceError) as error:
        read(path)
    assert f"{path}, line 3: " in str(error.value) and reason in str(error.value)


@pytest.mark.parametrize(
    "text, line, reason",
    [
        ('{"text": "a", ', 1, "broken JSON: .*Each line must hold one object"),
        ("\n[1]", 2, "expected an object, found 1"),
        ('{"text": "a", "label": []}\n[1]', 2, r"expected an object, found \[1\]"),
        ('{"text": "\\ud83c Ada", "label": []}', 1, r"half a character \('\\ud83c'\)"),
    ],
)
def test_broken_json_is_named_with_its_line(save, text, line, reason):
    with pytest.raises(SourceError, match=rf"E301.*line {line}: .*{reason}"):
        read(save(text))


def test_escaped_emoji(save):
    (record,) = read(save('{"text": "\\ud83c\\udfe0 Ada", "label": [[2, 5, "PER"]]}'))
    assert record == Record("🏠 Ada", [RecordEntity(2, 5, "PER")])


@pytest.mark.parametrize(
    "text, sniffed",
    [
        (lines(ITEM), True),
        ('{"data": "a", "label": []}', True),
        ('{"text": "a"}', False),
        ("", False),
    ],
)
def test_sniff(save, text, sniffed):
    assert sniff(Head.of(save(text))) is sniffed


EMOJI = "🏠 Ada e\u0301crit 👩\u200d👧 Iris."


def counted(unit, word):
    before = EMOJI[: EMOJI.index(word)]
    if unit == "utf16":
        return len(before.encode("utf-16-le")) // 2
    return len(before) - (before.count("\u0301") + 2 * before.count("👩")) * (unit == "graphemes")


@pytest.mark.parametrize("unit", ["characters", "utf16", "graphemes"])
def test_what_offsets_count_is_an_option(save, unit):
    starts = [(counted(unit, word), len(word)) for word in ("Ada", "Iris")]
    path = save(json.dumps({"text": EMOJI, "label": [[x, x + n, "X"] for x, n in starts]}))
    (record,) = records = read(path, offsets=unit)
    assert [EMOJI[x.start : x.end] for x in record.entities] == ["Ada", "Iris"]
    assert not records.notes and not records.changed
    assert read_records(path, offsets=unit) == [record]


@pytest.mark.parametrize(
    "text, label, noted",
    [
        ("🏠 Ada", [[2, 5, "X"]], True),
        ("🏠 Ada", [[0, 1, "X"]], True),
        ("Ada 🏠", [[0, 3, "X"]], False),
        ("🏠 Ada", [], False),
        ("é\u0301 Ada", [[3, 6, "X"]], False),
    ],
)
def test_offsets_that_may_be_others_are_noted(save, text, label, noted):
    path = save(lines({"text": text, "label": label}, {"text": "Bo", "label": [[0, 2, "X"]]}))
    assert bool(read(path).notes) is noted
    if noted:
        with pytest.warns(UserWarning, match=r"W360.*1 texts with .* set offsets to utf16"):
            read_records(path)
    assert not read(path, offsets="characters").notes


def test_offsets_after_the_text_may_be_others(save):
    path = save(json.dumps({"text": "🏠 Ada", "label": [[3, 6, "X"]]}))
    with pytest.raises(SourceError, match=r"0?3:6, but the text has 5 characters: set offsets to"):
        read(path)
    assert read(path, offsets="utf16")[0].entities == [(2, 5, "X")]
    with pytest.raises(SourceError, match=r"E314.*offsets is one of characters, utf16, graphemes"):
        read(path, offsets="bytes")
