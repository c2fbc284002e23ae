import pytest

from spacy_jere.formats import Record, RecordRelation, SourceError, guess_format
from spacy_jere.formats._reading import Head
from spacy_jere.formats.conll_columns import read, sniff

FILE = """# made by hand
# id = a 1
Ada\tB-PER\tLIKES:3|AT:HOME:5
likes\tO\t_
New\tB-LOC\t_
Oslo\tI-LOC\t_
🏠\tB-LOC\tIN:3


# \tO\t_
עדה\tO\t_
"""
RECORDS = [
    Record.from_words(
        ["Ada", "likes", "New", "Oslo", "🏠"],
        [(0, 1, "PER"), (2, 4, "LOC"), (4, 5, "LOC")],
        [
            RecordRelation(0, 1, "LIKES"),
            RecordRelation(0, 2, "AT:HOME"),
            RecordRelation(2, 1, "IN"),
        ],
        meta={"orig_id": "a 1"},
    ),
    Record.from_words(["# ", "עדה"], [], []),
]


def rows(tags):
    return "".join(f"w\t{tag}\n" for tag in tags.split())


def test_read(save):
    assert read(save(FILE)) == RECORDS
    assert read(save(FILE.rstrip("\n"))) == RECORDS


def test_without_the_third_column_relations_are_not_annotated(save):
    (record,) = read(save("Ada\tB-PER\nslept\tO\n"))
    assert record == Record.from_words(["Ada", "slept"], [(0, 1, "PER")])


@pytest.mark.parametrize(
    "tags, entities",
    [
        ("B-A I-A O", [(0, 2, "A")]),
        ("B-A B-A I-A", [(0, 1, "A"), (1, 3, "A")]),
        ("B-A B-B", [(0, 1, "A"), (1, 2, "B")]),
        ("B-A E-A O", [(0, 2, "A")]),
        ("B-A I-A E-A S-A", [(0, 3, "A"), (3, 4, "A")]),
        ("S-A S-B O B-A E-A", [(0, 1, "A"), (1, 2, "B"), (3, 5, "A")]),
        ("B-I-A I-I-A", [(0, 2, "I-A")]),
        ("O O", []),
    ],
)
def test_tags(save, tags, entities):
    (record,) = read(save(rows(tags)))
    assert record == Record.from_words(["w"] * len(tags.split()), entities)


@pytest.mark.parametrize(
    "tags, line, reason",
    [
        ("I-A O", 1, "I-A can't stand at the beginning of a sentence: an entity begins with B-A"),
        ("O I-A", 2, "I-A can't stand after O"),
        ("B-A I-B", 2, "I-B can't stand after B-A"),
        ("O E-A", 2, "E-A can't stand after O"),
        ("B-A E-A I-A", 3, "I-A can't stand after E-A"),
        ("S-A E-A", 2, "E-A can't stand after S-A"),
        ("B-A O S-A", 1, "the entity 'A' doesn't end"),
        ("B-A I-A B-A E-A", 2, "the entity 'A' doesn't end"),
        ("S-A B-A I-A", 3, "the entity 'A' doesn't end"),
        ("B-A S-A", 1, "the entity 'A' doesn't end"),
        ("O X-A", 2, "expected O, or B-, I-, E- or S- and a label, found 'X-A'"),
        ("B-", 1, "expected O, or B-"),
        ("o", 1, "expected O, or B-"),
    ],
)
def test_invalid_tags_are_named_with_their_line(save, tags, line, reason):
    with pytest.raises(SourceError) as error:
        read(save(rows(tags), "data.conll"))
    assert f"data.conll, line {line}: {reason}" in str(error.value)


@pytest.mark.parametrize(
    "line, reason",
    [
        ("Ada", "expected 2 or 3 columns separated by tabs, found 1"),
        ("Ada O _", "expected 2 or 3 columns separated by tabs, found 1"),
        ("Ada\tO\t_\t_", "expected 2 or 3 columns separated by tabs, found 4"),
        ("Ada\tO", "a line has another number of columns than the first one"),
        (" \tO\t_", "the token is empty"),
        ("Ada\tO\tX:1", "relations stand at the first token of an entity, and none begins here"),
        ("Ada\tS-A\tX", "expected _ or LABEL:N, found 'X'"),
        ("Ada\tS-A\t:2", "expected _ or LABEL:N, found ':2'"),
        ("Ada\tS-A\tX:-1", "expected _ or LABEL:N, found 'X:-1'"),
        ("Ada\tS-A\tX:2|", "expected _ or LABEL:N, found ''"),
        ("Ada\tS-A\t", "expected _ or LABEL:N, found ''"),
        (f"Ada\tS-A\tX:{'9' * 5000}", "expected _ or LABEL:N"),
        ("Ada\tS-A\tX:0", "relation 'X': no entity begins at token 0"),
        ("Ada\tS-A\tX:9", "relation 'X': no entity begins at token 9"),
    ],
)
def test_faults_are_named_with_their_line(save, line, reason):
    with pytest.raises(SourceError) as error:
        read(save(f"w\tO\t_\n\nv\tO\t_\n{line}\n", "data.conll"))
    assert f"data.conll, line 4: {reason}" in str(error.value)


WORDS = ["Ada", "Byrne", "likes", "Oslo"]
SCHEMES = {
    "bio": "B-PER I-PER O B-LOC",
    "bioes": "B-PER E-PER O S-LOC",
    "bilou": "B-PER L-PER O U-LOC",
    "iob1": "I-PER I-PER O I-LOC",
}
FORMS = {
    "tabs": ("\t", []),
    "spaces": (" ", []),
    "four tabs": ("\t", ["NNP", "B-NP"]),
    "four spaces": (" ", ["-X-", "_"]),
    "three spaces": (" ", ["NNP"]),
}


@pytest.mark.slow
@pytest.mark.parametrize("scheme, tags", SCHEMES.items())
@pytest.mark.parametrize("separator, between", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("document", ["", "-DOCSTART- -X- O O\n", "-DOCSTART-\tO\n\n"])
def test_columns_of_other_tools(save, scheme, tags, separator, between, document):
    rows = [separator.join([x, *between, tag]) for x, tag in zip(WORDS, tags.split())]
    path = save(document + "\n".join(rows) + "\n\n\n" + document + "\n".join(rows[:2]))
    expected = Record.from_words(WORDS, [(0, 2, "PER"), (3, 4, "LOC")])
    assert read(path, scheme=scheme) == [expected, Record.from_words(WORDS[:2], [(0, 2, "PER")])]
    assert guess_format(path) == "conll_columns"
    if scheme != "iob1":
        assert read(path) == read(path, scheme=scheme)
    else:
        with pytest.raises(SourceError, match="begins with B-PER"):
            read(path)


@pytest.mark.parametrize(
    "tags, entities",
    [
        ("I-A B-A I-A", [(0, 1, "A"), (1, 3, "A")]),
        ("I-A I-B O I-B", [(0, 1, "A"), (1, 2, "B"), (3, 4, "B")]),
        ("B-A I-A", [(0, 2, "A")]),
    ],
)
def test_iob1(save, tags, entities):
    (record,) = read(save(rows(tags)), scheme="iob1")
    assert record == Record.from_words(["w"] * len(tags.split()), entities)


@pytest.mark.parametrize(
    "text, line, reason",
    [
        ("1\tAda\tB-PER\n2\tin\tO\n", 1, "the first column numbers the tokens: take it out"),
        ("Ada NN B-PER\nin O\n", 2, "expected 3 columns separated by one space, as in the first"),
        ("Ada\tN\tB\tO\nin\tO\n", 2, "expected 4 columns separated by tabs, as in the first"),
        ("Ada B-A\nBo L-A\nCy I-A\n", 3, "I-A can't stand after E-A"),
        ("Ada U-A\nBo S-A\n", 1, "expected O, or B-, I-, E- or S- and a label, found 'U-A'"),
    ],
)
def test_faults_of_other_columns(save, text, line, reason):
    with pytest.raises(SourceError, match=rf"line {line}: {reason}"):
        read(save(text))


def test_scheme_has_a_known_name(save):
    with pytest.raises(SourceError, match=r"E314.*scheme is one of bio, iob1, bioes, bilou"):
        read(save(FILE), scheme="iob2")


@pytest.mark.parametrize(
    "text, sniffed",
    [
        (FILE, True),
        ("Ada\tB-PER\n", True),
        ("Ada\tPER\n", False),
        ("Ada B-PER\n", True),
        ("Ada B-PER\nlives\n", False),
        ("Ada went to gate B-12\nand boarded\n", False),
        ("Ada PER\n", False),
        ("#doc 1\n0\tAda\tO\t['N']\t[0]\n", False),
        ("", False),
    ],
)
def test_sniff(save, text, sniffed):
    assert sniff(Head.of(save(text))) is sniffed
