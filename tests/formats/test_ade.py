import pytest

from spacy_jere.formats import (
    Record,
    RecordEntity,
    RecordRelation,
    SourceError,
    align,
    read_records,
)
from spacy_jere.formats._reading import Head
from spacy_jere.formats.ade import read, sniff

FILE = """10|Zinc and 🏠 lead gave a rash.|rash|123|127|Zinc|100|104
10|Zinc and 🏠 lead gave a rash.|rash|123|127|lead|111|115
11|A rash.|rash|2|6|A|0|1
"""
RECORDS = [
    Record(
        "Zinc and 🏠 lead gave a rash.",
        [RecordEntity(23, 27, "Adverse-Effect"), RecordEntity(0, 4, "Drug"),
         RecordEntity(11, 15, "Drug")],
        [RecordRelation(0, 1, "Adverse-Effect"), RecordRelation(0, 2, "Adverse-Effect")],
        meta={"orig_id": "10"},
    ),
    Record(
        "A rash.",
        [RecordEntity(2, 6, "Adverse-Effect"), RecordEntity(0, 1, "Drug")],
        [RecordRelation(0, 1, "Adverse-Effect")],
        meta={"orig_id": "11"},
    ),
]  # fmt: skip


def test_lines_of_a_sentence_become_one_record(save):
    assert read(save(FILE)) == RECORDS


def test_lines_of_a_sentence_need_not_stand_together(save):
    first, second, third, _ = FILE.split("\n")
    assert read(save("\n".join([first, third, second]))) == RECORDS


def test_same_sentence_of_two_documents(save):
    line = "10|A rash.|rash|2|6|A|0|1\n"
    assert len(read(save(line + line.replace("10|", "11|")))) == 2


@pytest.mark.parametrize(
    "line, drug, effect",
    [
        # Only one of the two places of "rash" is 9 characters after the drug.
        ("rash, zinc, a rash|rash|114|118|zinc|106|110", 6, 14),
        ("rash, zinc, a rash|rash|100|104|zinc|106|110", 6, 0),
        # The drug inside the effect
        ("gave zinc rash|zinc rash|55|64|zinc|55|59", 5, 5),
        # Nothing tells which: the first
        ("ab ab|ab|10|12|ab|10|12", 0, 0),
    ],
)
def test_sentence_is_placed_where_all_offsets_fit(save, line, drug, effect):
    (record,) = read(save(f"1|{line}"))
    assert [x.start for x in record.entities] == [effect, drug]


def test_other_lines_tell_which_place_is_meant(save):
    first = "1|ab ab lead|ab|13|15|ab|13|15\n"
    second = "1|ab ab lead|ab|13|15|lead|16|20\n"
    (record,) = read(save(first + second))
    assert [x.start for x in record.entities] == [3, 3, 6]


@pytest.mark.parametrize(
    "line, reason",
    [
        ("1|a rash|rash|2|6|a|0", "expected 8 columns separated by '|', found 7"),
        ("1|a|b rash|rash|4|8|a|0|1", "expected 8 columns separated by '|', found 9"),
        ("1|a rash|rash|2|x|a|0|1", "begin and end of 'rash' must be whole numbers"),
        ("1|a rash|rash|-2|2|a|0|1", "begin and end of 'rash'"),
        (f"1|a rash|rash|{'9' * 5000}|2|a|0|1", "begin and end of 'rash'"),
        ("1|a rash|rash|2|5|a|0|1", "'rash' has 4 characters, but begins at 2 and ends at 5"),
        ("1|a rash||2|2|a|0|1", "'' has 0 characters"),
        ("1|a rash|itch|2|6|a|0|1", "'itch' is not in the sentence"),
        ("1|a rash|rash|2|6|a|5|6", "the offsets fit no place"),
    ],
)
def test_faults_are_named_with_their_line(save, line, reason):
    path = save(f"{FILE}\n{line}\n", "data.rel")
    with pytest.raises(SourceError) as error:
        read(path)
    assert f"{path}, line 5: " in str(error.value) and reason in str(error.value)


@pytest.mark.parametrize(
    "text, sniffed",
    [(FILE, True), ("\n" + FILE, True), ("1|a|b", False), ("a|b|c|d|e|f|g|h", False), ("", False)],
)
def test_sniff(save, text, sniffed):
    assert sniff(Head.of(save(text))) is sniffed


@pytest.fixture
def public(corpus_file):
    return read_records(corpus_file("ade/original/DRUG-AE.rel"))


@pytest.mark.corpora
def test_public_corpus_has_its_published_counts(public):
    assert len(public) == 4272
    labels = [entity.label for record in public for entity in record.entities]
    assert (len(labels), labels.count("Adverse-Effect"), labels.count("Drug")) == (
        10839,
        5776,
        5063,
    )
    assert sum(len(record.relations) for record in public) == 6821
    assert len({record.meta["orig_id"] for record in public}) == 1644


@pytest.mark.slow
@pytest.mark.corpora
def test_public_corpus_has_its_overlapping_entities(public):
    pairs = [
        (record, i, j)
        for record in public
        for i, left in enumerate(record.entities)
        for j, right in enumerate(record.entities)
        if i < j and left.start < right.end and right.start < left.end
    ]
    assert len(pairs) == 120 and len({id(record) for record, _, _ in pairs}) == 119
    for record, i, j in pairs:
        assert {(x.head, x.tail) for x in record.relations} & {(i, j), (j, i)}
        effect, drug = sorted((record.entities[i], record.entities[j]), key=lambda x: x.label)
        assert (
            effect.label == "Adverse-Effect"
            and effect.start <= drug.start <= drug.end <= effect.end
        )


@pytest.mark.slow
@pytest.mark.corpora
def test_public_corpus_equals_its_spert_files(public, corpus_file):
    """White space and the order in a sentence aside."""

    def solid(record):
        found = [
            (
                len("".join(record.text[: x.start].split())),
                "".join(record.text[x.start : x.end].split()),
                x.label,
            )
            for x in record.entities
        ]
        relations = [(found[x.head], found[x.tail], x.label) for x in record.relations]
        return "".join(record.text.split()), sorted(found), sorted(relations)

    spert = read_records(corpus_file("ade/spert/ade_full.json"))
    assert [solid(x) for x in public] == [solid(x) for x in spert]


@pytest.mark.slow
@pytest.mark.corpora
def test_public_corpus_cuts_few_tokens(public):
    import spacy

    _, cuts, lost = align(public, spacy.blank("en"))
    assert (len(cuts), lost) == (22, [])
