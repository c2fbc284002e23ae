"""Faults of many records: listed in one run, or left out."""

import json
import warnings

import pytest
import spacy

from spacy_jere.formats import FORMATS, SourceError, align, read_records
from spacy_jere.formats._faults import as_one, collect_faults, difference, list_faults, report

GOOD = {"text": "Ada in Rome", "label": [[0, 3, "PER"]]}
WRONG = [
    {"text": "Bo", "label": [[0, 9, "PER"]]},
    {"text": "", "label": []},
    {"text": "Cy", "label": [[0, 2, ""]]},
]


def lines(*items):
    return "\n".join(x if isinstance(x, str) else json.dumps(x) for x in items)


def test_all_faults_of_a_file_are_listed(save):
    path = save(lines(GOOD, WRONG[0], "{", WRONG[1], GOOD, WRONG[2]), "data.jsonl")
    with pytest.raises(SourceError) as error:
        read_records(path)
    message = str(error.value)
    assert message.startswith("[E360] 4 faults:") and "--on-error skip" in message
    places = [f"data.jsonl, line {line}: " in message for line in range(1, 7)]
    assert places == [False, True, True, True, False, True]


def test_single_fault_is_told_as_such(save):
    with pytest.raises(SourceError, match=r"^\[E301\] .*line 2: entity 'PER'"):
        read_records(save(lines(GOOD, WRONG[0])))


def test_list_is_bounded_and_counted(save):
    with pytest.raises(SourceError, match=r"1,234 faults") as error:
        read_records(save(lines(GOOD, *WRONG[:1] * 1234)))
    assert "and 1,214 more" in str(error.value)
    assert len(str(error.value).split("\n")) < 25


def test_faulty_records_are_left_out_on_request(save):
    path = save(lines(GOOD, WRONG[0], GOOD))
    with pytest.warns(UserWarning, match=r"W361.*1 faulty texts"):
        records = read_records(path, on_error="skip")
    assert [x.text for x in records] == ["Ada in Rome"] * 2
    assert [str(x) for x in records.faults] == [
        f"[E301] {path}, line 2: entity 'PER' has characters 0:9, but the text has 2 characters"
    ]


def test_what_a_faulty_record_counted_is_forgotten(save):
    rejected = {"text": "Ada", "answer": "reject"}
    unlabelled = {"head_span": {"start": 0, "end": 3}, "child_span": {"start": 0, "end": 3}}
    faulty = {"text": "Ada", "relations": [{**unlabelled, "label": "R"}, {}], "answer": "accept"}
    path = save(lines({"text": "Ada", "answer": "accept"}, rejected, faulty))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        records = read_records(path, on_error="skip")
    assert records.skipped == {"texts with the answer 'reject'": 1} and len(records.faults) == 1


def test_file_of_which_nothing_is_left(save):
    with pytest.raises(SourceError, match=r"E304.*Left out: 3 faulty texts"):
        read_records(save(lines(*WRONG)), "doccano", on_error="skip")


def test_option_has_known_values(save):
    with pytest.raises(SourceError, match=r"E314.*on_error is one of stop, skip, not 'go on'"):
        read_records(save(lines(GOOD)), on_error="go on")


@pytest.mark.parametrize("on_error", ["stop", "skip"])
def test_wrong_option_is_no_fault_of_a_record(save, on_error):
    with pytest.raises(SourceError, match=r"E314.*ends is one of"):
        read_records(save('{"tokens": ["a"], "ner": []}'), ends="x", on_error=on_error)


TWICE = {
    "label_studio": lambda x: x.replace('"end": 10', '"end": 99'),
    "spert": lambda x: x.replace('"start": 2', '"start": 9'),
    "dygie": lambda x: x.replace("[[0, 0,", "[[0, 9,"),
    "hf": lambda x: x.replace("[[0, 1,", "[[0, 9,", 1),
    "prodigy": lambda x: x.replace('"end": 10', '"end": 99'),
    "doccano": lambda x: x.replace('"end_offset": 10', '"end_offset": 99'),
    "conll04": lambda x: x.replace("[1]", "[7]", 1),
    "ade": lambda x: x.replace("rash|112|116", "rash|0|4", 1),
    "conll_columns": lambda x: x.replace("B-", "X-", 1),
}


@pytest.mark.parametrize("name", TWICE)
def test_every_reader_leaves_out_the_faulty_record_only(save, save_example, examples, name):
    whole = FORMATS[name].read(save_example(name))
    path = save_example(name, TWICE[name])
    with collect_faults() as faults:
        records = FORMATS[name].read(path)
    assert len(faults) >= 1
    assert len(records) == len(whole) - 1
    assert all(record in whole for record in records)
    with pytest.raises(SourceError, match=r"E301"):
        FORMATS[name].read(path)


def test_all_lines_of_a_brat_text_are_checked_and_the_others_read(save, tmp_path):
    for name in "abc":
        save("Ada in Rome", f"{name}.txt")
        save("T1\tPER 0 3\tAda\n", f"{name}.ann")
    lines = ["T1\tPER 0 3\tAda", "stray", "T2 LOC 7 11 Rome", "R1\tIN Arg1:T1 Arg2:", ""]
    save("\n".join(lines), "b.ann")
    save("T1\tPER 0 3\tAda\nR1\tIN Arg1:T1 Arg2:T7\nR2\tIN Arg1:T8 Arg2:T1\n", "c.ann")
    with pytest.raises(SourceError) as error:
        read_records(tmp_path)
    for place in ("b.ann, line 2", "b.ann, line 3", "b.ann, line 4", "c.ann, line 2"):
        assert place in str(error.value)
    assert "[E360] 5 faults" in str(error.value)
    with pytest.warns(UserWarning, match="W361"):
        (record,) = read_records(tmp_path, on_error="skip")
    assert record.meta["orig_id"] == "a"


def test_text_that_is_not_there_or_not_utf8_leaves_the_others(save, tmp_path):
    for name, text in (("a", "Ada"), ("b", b"Ad\xe9")):
        save(text, f"{name}.txt")
        save("T1\tPER 0 3\tAda\n", f"{name}.ann")
    save("T1\tPER 0 3\tAda\n", "c.ann")
    with pytest.raises(SourceError, match=r"2 faults(?s:.*)E305(?s:.*)E303"):
        read_records(tmp_path)
    with pytest.warns(UserWarning):
        assert len(read_records(tmp_path, on_error="skip")) == 1


def test_strict_alignment_reports_each_text(save):
    path = save(lines(*({"text": f"Ada{i}", "label": [[0, 2, "X"]]} for i in range(3)), GOOD))
    records = read_records(path)
    with collect_faults() as faults:
        docs, _, _ = align(records, spacy.blank("en"), alignment="strict")
    assert len(faults) == 3 and [doc.text for doc in docs] == ["Ada in Rome"]


def test_faults_are_raised_where_nobody_collects_them():
    fault = SourceError("x")
    with pytest.raises(SourceError, match=r"^x$"):
        report(fault)
    with collect_faults() as faults:
        report(fault)
    assert faults == [fault] and as_one(faults) is fault
    with pytest.raises(SourceError):
        report(fault)


def test_list_faults():
    faults = [SourceError(str(i)) for i in range(5)]
    assert list_faults(faults, 3) == ["  0", "  1", "  2", "  and 2 more"]
    assert list_faults(faults, None) == ["  0", "  1", "  2", "  3", "  4"]


@pytest.mark.parametrize(
    "found, expected",
    [
        ("a" * 100 + "xy" + "c" * 100, "a" * 100 + "zy" + "c" * 100),
        ("a" * 100, "a" * 99),
        ("", "b" * 200),
        ("a" * 300 + "b", "a" * 300 + "c"),
    ],
)
def test_texts_are_shown_where_they_differ(found, expected):
    shown = difference(found, expected)
    assert shown[0] != shown[1] and all(len(x) <= 70 for x in shown)


def test_short_texts_are_shown_whole():
    assert difference("New Oslo", "New Rome") == ("New Oslo", "New Rome")
