from dataclasses import replace

import pytest
import spacy
from spacy.tokens import Doc, DocBin, Span
from spacy.vocab import Vocab

from spacy_jere.formats import (
    RecordRelation,
    SourceError,
    align,
    read_records,
    to_docs,
)
from spacy_jere.formats._reading import Head
from spacy_jere.formats.brat import read, sniff, write

TEXT = "Ada and Bo Byron\nlive in New Oslo 🏠 with עדה."
ANNOTATIONS = """T1\tPER 0 3;11 16\tAda Byron
T2\tPER 8 16\tBo Byron
T3\tLOC 25 33\tNew Oslo
T4\tPER 41 44\tעדה
R1\tLIVES_IN Arg1:T1 Arg2:T3
R2\tLIVES_IN Person:T2 Place:T3
*\tWITH T1 T2 T4
E1\tLIVE:T2 Place:T3
E2\tLIVE:T1
A1\tNegated E1
M1\tSpeculation E2
N1\tReference T1 Wikidata:Q7259\tAda Lovelace
#1\tAnnotatorNotes T1\tsure
"""
PARTS = {
    "cover": [(0, 16, "PER"), (8, 16, "PER"), (25, 33, "LOC"), (41, 44, "PER")],
    "first": [(0, 3, "PER"), (8, 16, "PER"), (25, 33, "LOC"), (41, 44, "PER")],
    "skip": [(8, 16, "PER"), (25, 33, "LOC"), (41, 44, "PER")],
}
COUNTED = {"events": 2, "attributes": 1, "modifications": 1, "normalizations": 1, "notes": 1}
GAPS = {
    "cover": {},
    "first": {"later parts of discontinuous entities": 1},
    "skip": {"discontinuous entities": 1, "relations of discontinuous entities": 2},
}


@pytest.fixture
def pair(save):
    """Write a text and its annotations; the path of the annotations."""

    def _pair(text=TEXT, annotations=ANNOTATIONS, name="data"):
        save(text, f"{name}.txt")
        return save(annotations, f"{name}.ann")

    return _pair


@pytest.mark.parametrize("discontinuous", PARTS)
def test_read(pair, discontinuous):
    path = pair()
    records = read(path, discontinuous)
    (record,) = records
    assert record.text == TEXT
    assert record.entities == PARTS[discontinuous]
    assert records.skipped == {**COUNTED, **GAPS[discontinuous]}
    taken_in = {"gaps of discontinuous entities taken in": 1}
    assert records.changed == (taken_in if discontinuous == "cover" else {})
    relations = [(0, 2, "LIVES_IN"), (1, 2, "LIVES_IN"), (0, 1, "WITH"), (1, 3, "WITH")]
    arguments = [("Arg1", "Arg2"), ("Person", "Place"), ("", ""), ("", "")]
    if discontinuous == "skip":
        relations, arguments = [(0, 1, "LIVES_IN"), (0, 2, "WITH")], [arguments[1], arguments[3]]
    assert record.relations == relations
    assert record.meta == {"orig_id": "data", "arguments": arguments}


def test_how_gaps_are_read_has_known_names(pair):
    with pytest.raises(SourceError, match=r"E314.*cover, first, skip, not 'join'"):
        read(pair(), "join")


def test_file_or_folder(pair, tmp_path):
    pair("Ada", "T1\tPER 0 3\tAda\n", "b")
    pair("Bo", "", "a.1")
    folder = read(tmp_path)
    assert [(x.meta["orig_id"], x.text) for x in folder] == [("a.1", "Bo"), ("b", "Ada")]
    assert read(tmp_path / "b.ann") == read(str(tmp_path / "b.txt")) == folder[1:]
    assert read_records(tmp_path) == folder


@pytest.mark.parametrize("name", ["other.ann", "other"])
def test_text_without_annotations_is_no_file_of_brat(save, tmp_path, name):
    save("Ada", "data.txt")
    with pytest.raises(SourceError, match="E303"):
        read(tmp_path / name)
    with pytest.raises(SourceError, match=r"E303.*data\.ann"):
        read(tmp_path / "data.txt")
    with pytest.raises(SourceError, match=r"E303.*\*\.ann"):
        read(tmp_path)
    save("", "lone.ann")
    with pytest.raises(SourceError, match=r"E303.*lone\.txt"):
        read(tmp_path / "lone.ann")


def test_relations_of_events_are_counted(pair):
    annotations = "T1\tPER 0 3\tAda\nE1\tRUN:T1\nR1\tX Arg1:E1 Arg2:T1\nR2\tX Arg1:T1 Arg2:T1\n"
    (record,) = records = read(pair("Ada", annotations), events="skip")
    assert record.relations == [(0, 0, "X")]
    assert records.skipped == {"events": 1, "relations that end at an event": 1}


def test_parts_may_lie_inside_each_other(pair):
    (record,) = records = read(pair("New Oslo", "T1\tLOC 0 8;4 6\tNew Oslo Os\n"))
    assert record.entities == [(0, 8, "LOC")] and not records.skipped


@pytest.mark.parametrize("text", ["New\nOslo", "New\r\nOslo", "New \n Oslo"])
def test_line_break_in_an_entity_is_no_gap(pair, text):
    end = len(text)
    for offsets in (f"0 {end}", f"0 3;{end - 4} {end}"):
        (record,) = records = read(pair(text, f"T1\tLOC {offsets}\tNew Oslo\n"), "skip")
        assert record.entities == [(0, end, "LOC")] and not records.skipped


@pytest.mark.parametrize(
    "text, offsets, as_read",
    [
        # Line ends that count one or two characters
        ("Bo\r\nAda", "4 7", "Bo\r\nAda"),
        ("Bo\r\nAda", "3 6", "Bo\nAda"),
        # A byte-order mark that counts or doesn't
        ("\ufeffBo Ada", "3 6", "Bo Ada"),
        ("\ufeffBo Ada", "4 7", "Bo Ada"),
        ("\ufeffBo\r\nAda", "4 7", "Bo\r\nAda"),
        ("\ufeffBo\r\nAda", "5 8", "Bo\r\nAda"),
        ("Bo\rAda", "3 6", "Bo\rAda"),
    ],
)  # fmt: skip
def test_what_counts_is_told_by_the_entities(pair, text, offsets, as_read):
    (record,) = read(pair(text, f"T1\tPER {offsets}\tAda\n"))
    (entity,) = record.entities
    assert record.text[entity.start : entity.end] == "Ada"
    # Where the mark and a line end could each be what counts, the first that fits is taken.
    assert record.text in (as_read, as_read.replace("\r\n", "\n"))


def test_line_ends_of_the_annotations_do_not_matter(pair):
    expected = read(pair())
    for change in ("\r\n", "\r"):
        assert read(pair(annotations="\ufeff" + ANNOTATIONS.replace("\n", change))) == expected


@pytest.mark.parametrize(
    "line, reason",
    [
        ("T9 PER 0 3 Ada", "expected T1<tab>LABEL START END<tab>TEXT"),
        ("T9\tPER 0 3", "expected T1<tab>LABEL START END<tab>TEXT"),
        ("T9\tPER 0-3\tAda", "expected T1<tab>LABEL START END<tab>TEXT"),
        ("T9\tPER 0 ３\tAda", "expected T1<tab>LABEL START END<tab>TEXT"),
        (f"T9\tPER 0 {'9' * 5000}\tAda", "expected T1<tab>LABEL START END<tab>TEXT"),
        ("T9\tPER 0 3\tBo", "the text has 'Ada' there, not 'Bo'"),
        ("T9\tPER 0 99\tAda", "entity 'PER' has characters 0:99, but the text has 45"),
        ("T9\tPER 3 0\tAda", "entity 'PER' has characters 3:0, which are none"),
        ("T9\tPER 0 3;9 7\tAda", "entity 'PER' has characters 9:7, which are none"),
        ("T9\tPER 3 4\t ", "entity 'PER' has characters 3:4, which are white space"),
        ("T1\tPER 0 3\tAda", "there are two entities T1"),
        ("R9\tX Arg1:T1", "expected R1<tab>LABEL Arg1:T1 Arg2:T2"),
        ("R9\tX T1 T2", "expected R1<tab>LABEL Arg1:T1 Arg2:T2"),
        ("R9\tX Arg1:T1 Arg2:T77", "relation 'X' names 'T77', which is no entity"),
        ("*\tX T1 T77", "relation 'X' names 'T77', which is no entity"),
        ("*\tX", "expected *<tab>LABEL T1 T2"),
        ("*\tX T1", "expected *<tab>LABEL T1 T2"),
        ("Ada", "expected a line that begins with T, R, *, E, A, M, N, #"),
    ],
)  # fmt: skip
def test_faults_are_named_with_their_line(pair, line, reason):
    if line == "Ada":
        line = "X1\tAda"
    path = pair(annotations=f"{ANNOTATIONS}{line}\n")
    with pytest.raises(SourceError) as error:
        read(path)
    assert f"{path}, line 14: " in str(error.value) and reason in str(error.value)


@pytest.mark.parametrize("suffix", [".txt", ".ann"])
def test_other_encodings_are_refused(pair, suffix):
    path = pair().with_suffix(suffix)
    path.write_bytes(b"Ad\xe9")
    with pytest.raises(SourceError, match=rf"E305.*data\{suffix}"):
        read(path)


def test_every_truncated_text_is_read_or_refused(pair):
    data = TEXT.encode("utf8")
    for length in range(len(data) - 1):  # the last character is in no entity
        path = pair(text=data[:length])
        with pytest.raises(SourceError, match=r"data\.(ann|txt)"):
            read(path)


def test_sniff(pair, tmp_path):
    path = pair()
    (tmp_path / "other.txt").write_text("Ada")
    (tmp_path / "folder").mkdir()
    assert all(sniff(Head.of(x)) for x in (path, path.with_suffix(".txt"), tmp_path))
    assert not any(sniff(Head.of(tmp_path / x)) for x in ("other.txt", "folder"))


def test_write(tmp_path):
    doc = Doc(Vocab(), words=["Ada", "lives", "in", "New", "\n", "Oslo"])
    doc.ents = [Span(doc, 3, 6, "LOC")]
    doc.spans["joint_ner_re"] = [Span(doc, 0, 1, "PER"), doc.ents[0]]
    doc._.relations = [(Span(doc, 0, 1, "PER"), Span(doc, 5, 6, "CITY"), "LIVES_IN")]
    write([doc, Doc(Vocab())], tmp_path / "new" / "folder")
    files = {x.name: x.read_bytes() for x in (tmp_path / "new" / "folder").iterdir()}
    assert files == {
        "000000.txt": b"Ada lives in New \n Oslo ",
        "000000.ann": (
            b"T1\tPER 0 3\tAda\nT2\tLOC 13 23\tNew   Oslo\nT3\tCITY 19 23\tOslo\n"
            b"R1\tLIVES_IN Arg1:T1 Arg2:T3\n"
        ),
        "000001.txt": b"",
        "000001.ann": b"",
    }


@pytest.mark.parametrize("label", ["NEW TOWN", "A\tB", "A\n"])
def test_label_that_brat_cannot_hold_is_refused(tmp_path, label):
    doc = Doc(Vocab(), words=["Ada"])
    doc._.relations = [((0, 3, label), (0, 3, "PER"), "X")]
    with pytest.raises(SourceError, match="E315"):
        write([Doc(Vocab(), words=["Bo"]), doc], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_folder_with_other_texts_is_refused(pair, tmp_path):
    docs = [Doc(Vocab(), words=["Ada"])]
    write(docs, tmp_path)
    write(docs, tmp_path)  # over the same
    pair("Bo", "", "other")
    with pytest.raises(SourceError, match=r"E316.*such as other\.ann"):
        write(docs, tmp_path)


NAMED = """T1\tPER 0 3\tAda
T2\tPER 8 16\tBo Byron
T3\tLOC 25 33\tNew Oslo
R1\tLIVES_IN Person:T1 Place:T3
R2\tLIVES_IN Person:T1 Home:T3
*\tWITH T1 T2
R3\tMET Arg1:T2 Arg2:T1
"""


def same(record):
    """A record with its entities in the order of their places, as they are written."""
    order = sorted(range(len(record.entities)), key=lambda i: record.entities[i])
    relations = [
        RecordRelation(order.index(x), order.index(y), label) for x, y, label in record.relations
    ]
    return replace(record, entities=sorted(record.entities), relations=relations)


@pytest.mark.slow
@pytest.mark.parametrize("annotations", [ANNOTATIONS, NAMED, "", NAMED.replace("MET", "LIVES_IN")])
def test_read_written_and_read_again(pair, tmp_path, annotations):
    pair("Bo", "", "a.1")
    pair(annotations=annotations, name="b c")
    records = read(tmp_path)
    docs = to_docs(records, spacy.blank("en"))
    stored = DocBin(docs=docs, store_user_data=True).to_bytes()
    for source in (docs, DocBin().from_bytes(stored).get_docs(Vocab())):
        write(source, tmp_path / "again")
        again = read(tmp_path / "again")
        assert again == list(map(same, records)) and not again.skipped


def test_what_is_written_of_arguments_is_what_was_read(pair, tmp_path):
    write(to_docs(read(pair(annotations=NAMED)), spacy.blank("en")), tmp_path / "again")
    assert (tmp_path / "again" / "data.ann").read_text(encoding="utf8") == NAMED


def test_names_of_arguments_stay_with_their_relations(pair, tmp_path):
    (doc,) = to_docs(read(pair(annotations=NAMED)), spacy.blank("en"))
    first, *_, last = doc._.relations
    doc._.relations = [last, (last.head, last.tail, "LIKES"), first]
    write([doc], tmp_path / "again")
    lines = (tmp_path / "again" / "data.ann").read_text(encoding="utf8").splitlines()
    assert [x for x in lines if x.startswith("R")] == [
        "R1\tMET Arg1:T2 Arg2:T1",
        "R2\tLIKES Arg1:T2 Arg2:T1",
        "R3\tLIVES_IN Person:T1 Place:T3",
    ]


def test_lost_relations_leave_the_names_of_the_others(pair, tmp_path):
    annotations = NAMED.replace("PER 0 3\tAda", "PER 1 2\td")
    docs, _, lost = align(
        read(pair(annotations=annotations)), spacy.blank("en"), alignment="contract"
    )
    assert len(lost) == 4
    annotations = NAMED.replace("PER 8 16\tBo Byron", "PER 11 12\tB")
    docs, _, lost = align(
        read(pair(annotations=annotations)), spacy.blank("en"), alignment="contract"
    )
    assert len(lost) == 2
    write(docs, tmp_path / "again")
    assert read(tmp_path / "again")[0].meta["arguments"] == [
        ("Person", "Place"),
        ("Person", "Home"),
    ]


@pytest.mark.parametrize(
    "ids, names",
    [
        (["b", "a.1"], ["b", "a.1"]),
        (["é-1", 7], ["é-1", "7"]),
        ([7, 8], ["7", "8"]),
        ([None, None], ["000000", "000001"]),
        (["a", None], ["000000", "000001"]),
        (["a", "A"], ["000000", "000001"]),
        (["a", "b/c"], ["000000", "000001"]),
        (["a", ".."], ["000000", "000001"]),
        (["a", "b."], ["000000", "000001"]),
        (["a", "x" * 200], ["000000", "000001"]),
    ],
)
def test_files_have_the_names_of_their_docs(tmp_path, ids, names):
    docs = [Doc(Vocab(), words=[str(i)]) for i in range(2)]
    for doc, id in zip(docs, ids):
        if id is not None:
            doc.user_data["id"] = id
    write(docs, tmp_path)
    texts = {x.stem: x.read_text(encoding="utf8") for x in tmp_path.glob("*.txt")}
    assert texts == {names[0]: "0 ", names[1]: "1 "}
    assert len(list(tmp_path.glob("*.ann"))) == 2
