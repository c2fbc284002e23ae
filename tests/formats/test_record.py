import pytest

from spacy_jere.formats import Record, RecordEntity, RecordRelation, Records
from spacy_jere.formats.record import word_offsets


@pytest.mark.parametrize(
    "words, text, offsets",
    [
        (["Ada", "met", "Bo"], None, [(0, 3), (4, 7), (8, 10)]),
        (["Ada", " ", "Bo"], None, [(0, 3), (4, 5), (6, 8)]),
        (["Ada", "met", "Bo"], "Ada  met\nBo ", [(0, 3), (5, 8), (9, 11)]),
        (["Ada", "\n", "Bo"], "Ada\nBo", [(0, 3), None, (4, 6)]),
        (["Ada", "\n", "Bo"], "Ada Bo", [(0, 3), None, (4, 6)]),
        (["New York", "!"], "New York!", [(0, 8), (8, 9)]),
        ([" Ada", "Bo"], " AdaBo", [(0, 4), (4, 6)]),
        (["a", "a", "aa"], "aaaa", [(0, 1), (1, 2), (2, 4)]),
        (["🏠", "עדה"], "🏠 עדה", [(0, 1), (2, 5)]),
        ([], "  ", []),
    ],
)
def test_words_are_found_in_their_text(words, text, offsets):
    assert word_offsets(words, text) == offsets


@pytest.mark.parametrize(
    "words, text, position",
    [
        (["Ada", "Bo"], "Ada", 3),
        (["Ada"], "Ada Bo", 3),
        (["Ada"], "Bo", 0),
        (["Ada", "Bo"], "Ada and Bo", 3),
        (["New York"], "New  York", 0),
    ],
)
def test_words_of_another_text_are_refused(words, text, position):
    with pytest.raises(ValueError, match=rf"E310.* not at character {position} "):
        word_offsets(words, text)


def test_record_of_words():
    record = Record.from_words(
        ["Ada", "\n", "Bo", "met"],
        [(0, 2, "A"), (1, 3, "B")],
        [(0, 1, "MET")],
        text="Ada\nBo met",
        sentences=[0, 1, 2],
        meta={"orig_id": 1},
    )
    assert record.entities == [RecordEntity(0, 3, "A"), RecordEntity(4, 6, "B")]
    assert record.relations == [RecordRelation(0, 1, "MET")]
    assert record.sentences == [0, 4]
    assert record.spacing_known


def test_record_of_words_without_a_text():
    record = Record.from_words(["Ada", "met", "Bo"], [(1, 3, "A")], sentences=[0, 2])
    assert record == Record(
        "Ada met Bo",
        [RecordEntity(4, 10, "A")],
        words=["Ada", "met", "Bo"],
        spacing_known=False,
        sentences=[0, 8],
    )


@pytest.mark.parametrize("start, end", [(0, 1), (1, 1), (5, 6)])
def test_entity_without_characters_is_refused(start, end):
    with pytest.raises(ValueError, match=r"E309.*'X'"):
        Record.from_words(["\n", "Ada"], [(start, end, "X")], text="\nAda")


def test_records_say_what_was_skipped():
    records = Records([Record("a")])
    assert records == [Record("a")] and not records.skipped
    assert Records().skipped is not Records().skipped


def test_where_a_record_comes_from_is_not_part_of_it():
    assert Record("a", source="x, line 1") == Record("a")
