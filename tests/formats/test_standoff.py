"""brat's files as other people keep them: nested, incomplete, with events, from other tools."""

import pytest
import spacy

from spacy_jere.formats import SourceError, guess_format, read_records, to_docs
from spacy_jere.formats.brat import read

TEXT = "Ada met Bo in Rome, then left."


@pytest.fixture
def write(tmp_path):
    """Write files by their names in a folder."""

    def _write(**files):
        for name, content in files.items():
            path = tmp_path / name.replace("__", "/").replace("_dot_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            data = content if isinstance(content, bytes) else content.encode("utf8")
            path.write_bytes(data)
        return tmp_path

    return _write


def found(record):
    texts = [record.text[x.start : x.end] for x in record.entities]
    return texts, [(texts[x.head], x.label, texts[x.tail]) for x in record.relations]


@pytest.mark.parametrize(
    "offsets, text, cover",
    [
        ("14 18;0 3", "Rome Ada", (0, 18)),
        ("0 3;14 18", "Ada Rome", (0, 18)),
        ("8 10;0 3;14 18", "Bo Ada Rome", (0, 18)),
        ("25 29;14 18;20 24", "left Rome then", (14, 29)),
    ],
)
def test_parts_are_compared_in_the_order_of_the_line(write, offsets, text, cover):
    path = write(a_dot_txt=TEXT, a_dot_ann=f"T1\tX {offsets}\t{text}\n")
    (record,) = read(path)
    assert record.entities == [(*cover, "X")]
    (first,) = read(path, discontinuous="first")
    assert first.entities[0].start == cover[0] and first.entities[0].end < cover[1]
    write(a_dot_ann=f"T1\tX {offsets}\t{' '.join(sorted(text.split()))}x\n")
    with pytest.raises(SourceError, match="E301"):
        read(path)


def test_texts_of_nested_folders_are_read(write):
    files = {f"{name}_dot_{x}": y for name in ("b", "x__a", "x__y__a", "z") for x, y in PAIR}
    path = write(**files, **{"_dot_hidden__c_dot_ann": "", "_dot_hidden__c_dot_txt": "Cy"})
    records = read(path)
    assert [x.meta["orig_id"] for x in records] == ["b", "z", "x/a", "x/y/a"]
    assert len(read(path / "x")) == 2 and not records.skipped
    assert guess_format(path / "x" / "y") == "brat"


PAIR = [("txt", TEXT), ("ann", "T1\tPER 0 3\tAda\n")]


def test_folder_with_nothing_but_folders(write):
    path = write(x__y__a_dot_txt=TEXT, x__y__a_dot_ann="")
    assert guess_format(path) == "brat" and len(read_records(path)) == 1


def test_texts_without_annotations_are_counted(write):
    path = write(a_dot_txt=TEXT, a_dot_ann="", b_dot_txt="Bo", x__c_dot_txt="Cy", d_dot_conf="x")
    records = read(path)
    assert len(records) == 1
    assert records.skipped == {"texts without annotations beside them": 2}


def test_annotations_of_shared_tasks_lie_in_two_files(write):
    entities = "T1\tPER 0 3\tAda\nT2\tPER 8 10\tBo\n"
    rest = "T3\tLOC 14 18\tRome\nR1\tIN Arg1:T1 Arg2:T3\n"
    path = write(
        a_dot_txt=TEXT, a_dot_a1=entities, a_dot_a2=rest, b_dot_txt=TEXT, b_dot_a1=entities
    )
    both, first = read(path)
    assert found(both) == (["Ada", "Bo", "Rome"], [("Ada", "IN", "Rome")])
    assert found(first) == (["Ada", "Bo"], [])
    for name in ("a.a1", "a.a2", "a.txt"):
        assert read(path / name) == [both]
    write(a_dot_a2="T3\tLOC 14 18\tBo\n")
    with pytest.raises(SourceError, match=r"a\.a2, line 1: the text has 'Rome' there"):
        read(path)


def test_names_in_capitals(write):
    path = write(A_dot_TXT=TEXT, A_dot_ANN="T1\tPER 0 3\tAda\n")
    (record,) = read(path)
    assert read(path / "A.ANN") == read(path / "A.TXT") == [record]


EVENTS = """T1	PER 0 3	Ada
T2	PER 8 10	Bo
T3	LOC 14 18	Rome
T4	MEET 4 7	met
T5	LEAVE 25 29	left
E1	MEET:T4 Who:T1 Who2:T2 Where:T3
E2	LEAVE:T5 After:E1
R1	PLACE Arg1:E1 Arg2:T3
R2	THEN Arg1:E1 Arg2:E2
R3	KNOWS Arg1:T1 Arg2:T2
"""
OF_EVENTS = [("met", "PLACE", "Rome"), ("met", "THEN", "left")]
ARGUMENTS = [
    ("met", "Who", "Ada"), ("met", "Who", "Bo"), ("met", "Where", "Rome"), ("left", "After", "met")
]  # fmt: skip
KNOWS = [("Ada", "KNOWS", "Bo")]


@pytest.mark.slow
@pytest.mark.parametrize(
    "events, relations, skipped, changed",
    [
        ("trigger", [*OF_EVENTS, *KNOWS], {"events": 2}, 3),
        ("arguments", [*OF_EVENTS, *KNOWS, *ARGUMENTS], {}, 3),
        ("skip", KNOWS, {"events": 2, "relations that end at an event": 2}, 0),
    ],
)
def test_events(write, events, relations, skipped, changed):
    records = read(write(a_dot_txt=TEXT, a_dot_ann=EVENTS), events=events)
    assert found(records[0])[1] == relations
    assert records.skipped == skipped
    counted = {"ends of relations at an event taken to be its trigger": changed} if changed else {}
    assert records.changed == counted
    (doc,) = to_docs(records, spacy.blank("en"))
    assert len(doc._.relations) == len(relations)


def test_trigger_is_what_is_expected(write):
    path = write(a_dot_txt=TEXT, a_dot_ann=EVENTS)
    assert read(path) == read(path, events="trigger")
    with pytest.raises(SourceError, match=r"E314.*events is one of trigger, arguments, skip"):
        read(path, events="all")


@pytest.mark.parametrize(
    "line, reason",
    [
        ("E9\tMEET:T4 Who", "expected E1<tab>TYPE:T1 ROLE:T2"),
        ("E9\tMEET", "expected E1<tab>TYPE:T1 ROLE:T2"),
        ("E9\tMEET:T77", "names 'T77', which is no entity"),
    ],
)
def test_broken_events_matter_where_something_ends_at_them(write, line, reason):
    path = write(a_dot_txt=TEXT, a_dot_ann=f"{EVENTS}{line}\n")
    assert len(read(path)) == 1
    write(a_dot_ann=f"{EVENTS}{line}\nR9\tX Arg1:E9 Arg2:T1\n")
    with pytest.raises(SourceError, match=reason):
        read(path)


@pytest.mark.parametrize("text", ["🏠 Ada 🏠🏠 Bo", "🏠\r\nAda 🏠🏠 Bo", "\ufeff🏠 Ada 🏠🏠 Bo"])
def test_offsets_of_a_browser_are_understood(write, text):
    lines = []
    for i, word in enumerate(("Ada", "Bo"), 1):
        start = len(text[: text.index(word)].encode("utf-16-le")) // 2
        lines.append(f"T{i}\tPER {start} {start + len(word)}\t{word}")
    (record,) = read(write(a_dot_txt=text, a_dot_ann="\n".join(lines)))
    assert found(record)[0] == ["Ada", "Bo"]


def test_message_shows_where_the_texts_differ(write):
    text = "The growth factor of the one receptor binds to most of the other things today"
    wrong = text.replace("things", "items!")
    path = write(a_dot_txt=text, a_dot_ann=f"T1\tX 0 {len(text)}\t{wrong}\n")
    with pytest.raises(SourceError, match=r"has '….*things today' there, not '….*items! today'"):
        read(path)


def test_number_of_further_differences_is_told(write):
    lines = "".join(f"T{i}\tX 0 3\tBo\n" for i in range(1, 5))
    with pytest.raises(SourceError, match=r"line 1: .*\(3 more entities of this text differ\)"):
        read(write(a_dot_txt=TEXT, a_dot_ann=lines))
