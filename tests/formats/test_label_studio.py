import copy
import json

import pytest

from spacy_jere.formats import Record, RecordEntity, RecordRelation, SourceError
from spacy_jere.formats._reading import Head
from spacy_jere.formats.label_studio import read, sniff

TEXT = "Ada 🏠 likes New Oslo"


def region(name, start, end, *labels, **value):
    value = {"start": start, "end": end, "text": TEXT[start:end], "labels": list(labels), **value}
    return {"id": name, "from_name": "label", "to_name": "text", "type": "labels", "value": value}


def link(head, tail, *labels, direction="right"):
    return {
        "type": "relation",
        "from_id": head,
        "to_id": tail,
        "direction": direction,
        "labels": list(labels),
    }


def task(*result, **changes):
    annotation = {"id": 9, "completed_by": 1, "was_cancelled": False, "result": list(result)}
    item = {"id": 5, "data": {"text": TEXT}, "annotations": [annotation], "predictions": []}
    return {key: value for key, value in {**item, **changes}.items() if value != "left out"}


ADA, TOWN, PART = region("a", 0, 3, "PER"), region("b", 12, 20, "LOC"), region("c", 16, 20, "LOC")
MINIMAL = {
    "id": 5,
    "text": TEXT,
    "label": [ADA["value"], TOWN["value"]],
    "annotator": 1,
    "annotation_id": 9,
    "created_at": "2021-03-09T21:52:49Z",
    "updated_at": "2021-03-09T21:52:49Z",
    "lead_time": 3.5,
}
RECORD = Record(
    TEXT,
    [RecordEntity(0, 3, "PER"), RecordEntity(12, 20, "LOC"), RecordEntity(16, 20, "LOC")],
    [RecordRelation(0, 1, "LIKES"), RecordRelation(2, 1, "PART_OF")],
    meta={"orig_id": 5},
)


@pytest.fixture
def read_items(save):
    def _read_items(*items, **options):
        return read(save(json.dumps(items, indent=1), "data.json"), **options)

    return _read_items


def test_full_export(read_items):
    # Relations may stand before the regions they join.
    item = task(link("a", "b", "LIKES"), ADA, TOWN, PART, link("c", "b", "PART_OF"))
    assert read_items(item) == [RECORD]


@pytest.mark.parametrize(
    "direction, relations",
    [
        ("right", [(0, 1, "R")]),
        ("left", [(1, 0, "R")]),
        ("bi", [(0, 1, "R"), (1, 0, "R")]),
        ("left out", [(0, 1, "R")]),
    ],
)
def test_direction(read_items, direction, relations):
    relation = link("a", "b", "R", direction=direction)
    if direction == "left out":
        del relation["direction"]
    (record,) = read_items(task(ADA, TOWN, relation))
    assert record.relations == relations


def test_several_labels(read_items):
    (record,) = read_items(task(region("a", 0, 3, "PER", "NAME"), TOWN, link("a", "b", "R", "S")))
    assert record.entities == [(0, 3, "PER"), (0, 3, "NAME"), (12, 20, "LOC")]
    assert record.relations == [(0, 2, "R"), (1, 2, "R"), (0, 2, "S"), (1, 2, "S")]


def test_minimal_export_has_no_relations(read_items):
    (record,) = read_items(MINIMAL)
    assert record == Record(TEXT, RECORD.entities[:2], None, meta={"orig_id": 5})


def test_minimal_export_without_annotations(read_items):
    records = read_items(MINIMAL, {"id": 6, "text": "Bo"})
    assert len(records) == 1 and records.skipped == {"texts without annotations": 1}


def test_which_annotation_is_read(read_items):
    def item(*annotations):
        return task(annotations=list(annotations))

    first, last, wrong = (
        {"result": [ADA]},
        {"result": [TOWN]},
        {"result": [PART], "was_cancelled": True},
    )
    records = read_items(
        item(first, last, wrong),
        item({**first, "ground_truth": True}, last),
        item(wrong),
        item(),
        item({"result": []}),
    )
    assert [[x.start for x in record.entities] for record in records] == [[12], [0], []]
    assert records[2].relations == []
    assert records.skipped == {"further annotations of a text": 2, "texts without annotations": 2}


def test_what_is_not_read_is_counted(read_items):
    choice = {"id": "x", "type": "choices", "value": {"choices": ["good"]}}
    unlabelled = region("d", 4, 5)
    result = [
        ADA,
        TOWN,
        choice,
        unlabelled,
        link("a", "b"),
        link("a", "d", "R"),
        link("a", "b", "R"),
    ]
    (record,) = records = read_items(task(*result))
    assert (len(record.entities), len(record.relations)) == (2, 1)
    assert records.skipped == {
        "results of type choices": 1,
        "regions without a label": 1,
        "relations without a label": 2,
    }


def test_offsets_of_a_browser_are_understood(read_items):
    # One more for each character beyond U+FFFF that stands before
    value = {"text": TEXT[12:20], "labels": ["LOC"]}
    (record,) = read_items(task(region("b", 13, 21, "LOC", **value)))
    assert record.entities == [(12, 20, "LOC")]
    (record,) = read_items(task(region("b", 4, 6, "HOME", text="🏠")))
    assert record.entities == [(4, 5, "HOME")]


@pytest.mark.parametrize("text", ["New\nOslo", "New\\nOslo", "New Oslo"])
def test_line_breaks_in_the_text_of_a_region(read_items, text):
    item = task(region("b", 0, 8, "LOC", text=text), data={"text": "New\nOslo"})
    assert read_items(item)[0].entities == [(0, 8, "LOC")]


def test_all_regions_of_a_text_count_alike(read_items):
    # Counted as characters, the first region would fit too.
    item = task(
        region("a", 5, 7, "X", text="aa"),
        region("b", 8, 9, "X", text="b"),
        data={"text": "🏠 xaaa b"},
    )
    assert read_items(item)[0].entities == [(4, 6, "X"), (7, 8, "X")]


def test_regions_of_html(read_items):
    offsets = {
        "start": "/p[1]/text()[1]",
        "startOffset": 0,
        "end": "/p[1]/text()[1]",
        "globalOffsets": {"start": 12, "end": 20},
    }
    value = {**offsets, "text": "New Oslo", "hypertextlabels": ["LOC"]}
    item = task({"id": "b", "type": "hypertextlabels", "value": value})
    assert read_items(item)[0].entities == [(12, 20, "LOC")]


@pytest.mark.parametrize(
    "data, text_key",
    [
        ({"text": TEXT, "title": "x"}, None),
        ({"body": TEXT, "number": 3}, None),
        ({"body": TEXT, "title": "x"}, "body"),
        ({"text": "x", "body": TEXT}, "body"),
    ],
)
def test_key_of_the_text(read_items, data, text_key):
    assert read_items(task(ADA, data=data), text_key=text_key)[0].text == TEXT
    assert read_items({**data, "label": [ADA["value"]]}, text_key=text_key)[0].text == TEXT


@pytest.mark.parametrize(
    "item, reason",
    [
        (task(data=None), "'data' must be an object"),
        (task(data={"a": "x", "b": "y"}),
         "there is no 'text': name the key of the text with text_key"),
        (task(data={"text": ""}), "'text' must be a string that is not empty"),
        (task(annotations=None), "'annotations' must be a list"),
        (task(annotations=[3]), "each of the 'annotations' must be an object"),
        (task(annotations=[{}]), "'result' must be a list"),
        (task(3), "a result must be an object"),
        (task({**ADA, "id": None}), "a region needs an 'id' of its own"),
        (task({**ADA, "value": None}), "a region needs 'start' and 'end'"),
        (task(region("a", None, 3, "X")), "start and end must be whole numbers"),
        (task(region("a", 0, 3, "X", text="Bo")), "characters 0:3 are 'Ada', not 'Bo'"),
        (task(region("a", 0, 99, "X", text=None)), "entity 'X' has characters 0:99"),
        (task(region("a", 0, 3, "")), "an entity needs a label"),
        (task(region("a", 0, 3, labels="X")), "'labels' must be a list"),
        (task(ADA, link("a", "z", "R")), "a relation names 'z', which is no region"),
        (task(ADA, link("a", ["z"], "R")), "a relation names ['z'], which is no region"),
        (task(ADA, TOWN, link("a", "b", "R", direction="up")),
         "direction of a relation is one of right, left, bi, found 'up'"),
        (task(ADA, TOWN, link("a", "b", 3)), "a relation needs a label"),
        (task(ADA, TOWN, {**link("a", "b"), "labels": "R"}), "'labels' must be a list"),
    ],
)  # fmt: skip
def test_faults_are_named_with_their_line(save, item, reason):
    path = save(f"[\n{json.dumps(task(ADA))},\n{json.dumps(item)}\n]", "data.json")
    with pytest.raises(SourceError) as error:
        read(path)
    assert f"{path}, line 3: " in str(error.value) and reason in str(error.value)


def test_region_labelled_by_several_tags(read_items):
    """It stands there once for each of them, with the same id."""
    role = {**region("a", 0, 3, "AUTHOR"), "from_name": "role"}
    (record,) = read_items(task(ADA, role, TOWN, link("a", "b", "R"), link("b", "a", "S")))
    assert record.entities == [(0, 3, "PER"), (0, 3, "AUTHOR"), (12, 20, "LOC")]
    assert record.relations == [(0, 2, "R"), (1, 2, "R"), (2, 0, "S"), (2, 1, "S")]


@pytest.mark.parametrize("labels", [[], None, "left out"])
def test_label_of_relations_without_one(read_items, labels):
    bare = {key: value for key, value in link("a", "b").items() if key != "labels"}
    bare.update({} if labels == "left out" else {"labels": labels})
    item = task(ADA, TOWN, bare, link("b", "a", "R"))
    (record,) = records = read_items(item)
    assert record.relations == [(1, 0, "R")]
    assert records.skipped == {"relations without a label": 1}
    (record,) = records = read_items(item, relation_label="REL")
    assert record.relations == [(0, 1, "REL"), (1, 0, "R")] and not records.skipped


def test_relations_of_many_labels_are_bounded(read_items):
    labels = [str(i) for i in range(10)]
    regions = [region("a", 0, 3, *labels), region("b", 12, 20, *labels)]
    (record,) = read_items(task(*regions, link("a", "b", "R", direction="bi")))
    assert len(record.relations) == 200
    with pytest.raises(SourceError, match=r"2 labels .* of 10 and 10 labels: 200 relations"):
        read_items(task(*regions, link("a", "b", "R", "S")))


@pytest.mark.parametrize("crlf, units", [(2, 1), (1, 1), (2, 2), (1, 2)])
def test_windows_line_ends(read_items, crlf, units):
    """A line end counts one or two, an emoji one or two; the text stays as it is."""
    text = "Ada 🏠.\r\nBo\r\nread."
    start = 5 + units + crlf
    regions = [
        region("a", 0, 3, "PER", text="Ada"),
        region("b", start, start + 2, "PER", text="Bo"),
    ]
    (record,) = read_items(task(*regions, data={"text": text}))
    assert record.text == text
    assert [text[x.start : x.end] for x in record.entities] == ["Ada", "Bo"]


@pytest.mark.parametrize("key", ["body", "title"])
def test_text_is_the_string_in_which_the_regions_lie(read_items, key):
    data = {"id": "7", "title": "A note", "body": "Another", key: TEXT}
    assert read_items(task(ADA, TOWN, data=data))[0].text == TEXT
    assert read_items({**data, "label": [ADA["value"]]})[0].text == TEXT
    bare = region("a", 0, 3, "PER", text=None)
    with pytest.raises(
        SourceError, match=r"text_key \(--set text_key=KEY\). Strings: id, title, body"
    ):
        read_items(task(bare, data=data))


def test_dialogue_is_read_as_one_text(read_items):
    def part(name, start, start_offset, end, end_offset, text):
        value = {"start": start, "startOffset": start_offset, "end": end, "endOffset": end_offset}
        value = {**value, "text": text, "paragraphlabels": ["X"]}
        return {"id": name, "type": "paragraphlabels", "value": value}

    dialogue = [{"author": "Bo", "text": "Ada wrote Iris"}, {"author": "Cy", "text": "Nice 🏠!"}]
    parts = [part("a", "0", 10, "0", 14, "Iris"), part("b", "1", 0, "1", 4, "Nice")]
    item = task(*parts, link("a", "b", "R"), data={"dialogue": dialogue, "title": "x"})
    (record,) = read_items(item)
    assert record.text == "Ada wrote Iris\nNice 🏠!"
    assert [record.text[x.start : x.end] for x in record.entities] == ["Iris", "Nice"]
    assert record.relations == [(0, 1, "R")]
    for wrong in (part("a", "2", 0, "2", 1, "x"), part("a", "x", 0, "0", 1, "A")):
        with pytest.raises(SourceError, match=r"in one of the 2 paragraphs"):
            read_items(task(wrong, data={"dialogue": dialogue}))


def test_older_exports_and_predictions(read_items):
    old = task(ADA)
    old["completions"] = old.pop("annotations")
    predicted = {"id": 1, "data": {"text": TEXT}, "predictions": [{"result": [ADA]}]}
    (record,) = records = read_items(old, predicted)
    assert record.entities == [(0, 3, "PER")]
    assert records.skipped == {"texts with predictions only": 1}


def test_misspelt_key_of_an_annotation(read_items):
    with pytest.raises(SourceError, match=r"unknown key 'ground_trut': is it 'ground_truth'"):
        read_items(task(annotations=[{"result": [], "ground_trut": True}]))


@pytest.mark.parametrize(
    "item, sniffed",
    [
        ([task(ADA)], True),
        ([MINIMAL], True),
        ([{"tokens": ["a"], "entities": []}], False),
        (task(ADA), True),
        ([], False),
    ],
)
def test_sniff(save, item, sniffed):
    assert sniff(Head.of(save(json.dumps(copy.deepcopy(item))))) is sniffed
