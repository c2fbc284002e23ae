import re

import pytest
from spacy.vocab import Vocab

from spacy_jere.formats import (
    Record,
    RecordRelation,
    SourceError,
    read_records,
    spert_json,
    to_docs,
)
from spacy_jere.formats._reading import Head
from spacy_jere.formats.conll04 import read, sniff

FILE = """#doc 12
0\tAda\tB-Peop\t['N']\t[0]
1\tByron\tI-Peop\t['Work_For', 'Live_In']\t[3, 6]
2\tof\tO\t['N']\t[2]
3\tAcme\tB-Org\t['N']\t[3]
4\t,\tO\t['N']\t[4]
5\tNew\tB-Loc\t['N']\t[5]
6\tOslo\tI-Loc\t['N']\t[6]

#doc 13
0\tRain\u2028\tO\t['N']\t[0]
"""
RECORDS = [
    Record.from_words(
        ["Ada", "Byron", "of", "Acme", ",", "New", "Oslo"],
        [(0, 2, "Peop"), (3, 4, "Org"), (5, 7, "Loc")],
        [RecordRelation(0, 1, "Work_For"), RecordRelation(0, 2, "Live_In")],
        meta={"orig_id": "12"},
    ),
    Record.from_words(["Rain\u2028"], [], [], meta={"orig_id": "13"}),
]
ADA = "0\tAda\tB-Peop\t['N']\t[0]"
# Sentences, tokens, entities and relations of the public files
COUNTS = {
    "train": (910, 26804, 3393, 1273),
    "dev": (243, 6975, 877, 353),
    "test": (288, 8408, 1079, 422),
}


def sentence(*tags):
    return "#doc 1\n" + "".join(f"{i}\tw\t{x}\t['N']\t[{i}]\n" for i, x in enumerate(tags))


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\r"),
        lambda text: "\ufeff" + text,
        lambda text: "\n\n" + text.rstrip(),
        lambda text: text.replace("\n\n", "\n"),
        lambda text: re.sub(r"\['N'\]\t\[\d\]", "[]\t[]", text),
    ],
    ids=["as-is", "windows", "old-mac", "bom", "blank-lines", "no-blank-lines", "empty-lists"],
)  # fmt: skip
def test_read(save, change):
    path = save(change(FILE))
    assert sniff(Head.of(path))
    assert read(path) == read(str(path)) == RECORDS


@pytest.mark.parametrize(
    "tags, entities",
    [
        ("B-A I-A O", [(0, 2, "A")]),
        ("O I-A I-A", [(1, 3, "A")]),
        ("I-A O I-A", [(0, 1, "A"), (2, 3, "A")]),
        ("B-A I-B I-B", [(0, 1, "A"), (1, 3, "B")]),
        ("B-A B-A I-A", [(0, 1, "A"), (1, 3, "A")]),
        ("I-A B-A O", [(0, 1, "A"), (1, 2, "A")]),
        ("O O O", []),
        ("B-I-A I-I-A O", [(0, 2, "I-A")]),
    ],
)
def test_tags_become_entities_as_in_conlleval(save, tags, entities):
    (record,) = read(save(sentence(*tags.split())))
    assert record == Record.from_words(
        ["w"] * len(tags.split()), entities, [], meta={"orig_id": "1"}
    )


@pytest.mark.parametrize(
    "text, line, reason",
    [
        (f"{ADA}\n", 1, "expected '#doc'"),
        (f"#doc 1\n{ADA}\n1\tmet\tO\t['N']\n", 3, "expected 5 columns separated by tabs, found 4"),
        (f"#doc 1\n{ADA}\n\n1 met O ['N'] [1]\n", 4,
         "expected 5 columns separated by tabs, found 1"),
        (f"#doc 1\n{ADA}\n2\tmet\tO\t['N']\t[2]\n", 3, "expected token number 1, found '2'"),
        (f"#doc 1\n{ADA}\n#doc 2\n1\tmet\tO\t['N']\t[1]\n", 4,
         "expected token number 0, found '1'"),
        ("#doc 1\nx\tAda\tO\t['N']\t[0]\n", 2, "expected token number 0, found 'x'"),
        ("#doc 1\n0\t \tO\t['N']\t[0]\n", 2, "token is empty"),
        ("#doc 1\n0\tAda\tPeop\t['N']\t[0]\n", 2, "expected O, B-label or I-label, found 'Peop'"),
        ("#doc 1\n0\tAda\tB-\t['N']\t[0]\n", 2, "expected O, B-label or I-label, found 'B-'"),
        ("#doc 1\n0\tAda\tO\tN\t[0]\n", 2, "expected a list, found 'N'"),
        ("#doc 1\n0\tAda\tO\t['N']\t0\n", 2, "expected a list, found '0'"),
        ("#doc 1\n0\tAda\tO\t['N'\t[0]\n", 2, "expected a list"),
        ("#doc 1\n0\tAda\tO\t[{[]: 1}]\t[0]\n", 2, "expected a list"),
        ("#doc 1\n0\tAda\tO\t['N', 'Kill']\t[0]\n", 2, "2 relation labels, but 1 tails"),
        ("#doc 1\n0\tAda\tO\t[1]\t[0]\n", 2, "labels must be strings"),
        ("#doc 1\n0\tAda\tO\t['N']\t['0']\n", 2, "tails of relations must be token numbers"),
        (f"#doc 1\n{ADA}\n1\tBo\tB-Peop\t['Kill']\t[2]\n2\t.\tO\t['N']\t[2]\n", 3,
         "'Kill': no entity ends on token 2"),
        (f"#doc 1\n{ADA}\n1\tBo\tB-Peop\t['Kill']\t[9]\n", 3, "'Kill': no entity ends on token 9"),
        (f"#doc 1\n{ADA}\n1\tmet\tO\t['Kill']\t[0]\n", 3, "'Kill': no entity ends on token 1"),
        (f"#doc 1\n{ADA}\n#doc 2\n\n#doc 3\n{ADA}\n", 3, "sentence '2' has no tokens"),
        ("#doc 1", 1, "sentence '1' has no tokens"),
    ],
)  # fmt: skip
def test_faults_are_named_with_their_line(save, text, line, reason):
    path = save(text)
    with pytest.raises(SourceError, match=rf"E301.*data\.txt, line {line}: .*{reason}"):
        read(path)


@pytest.mark.parametrize(
    "text, sniffed", [(FILE, True), ("\n #doc 1", True), ("doc", False), ("[]", False), ("", False)]
)
def test_sniff(save, text, sniffed):
    assert sniff(Head.of(save(text))) is sniffed


def test_written_as_spert_json_the_records_stay(save, tmp_path):
    path = tmp_path / "out.json"
    spert_json.write(to_docs(read(save(FILE)), Vocab()), path)
    for again, record in zip(read_records(path), RECORDS, strict=True):
        assert again.words == record.words
        assert again.entities == record.entities
        assert again.relations == record.relations


@pytest.mark.slow
@pytest.mark.corpora
@pytest.mark.parametrize("split", COUNTS)
def test_public_corpus_has_its_published_counts(corpus_file, split):
    records = read_records(corpus_file(f"conll04/{split}.txt", f"conll04/multihead/{split}.txt"))
    words = sum(len(x.words) for x in records)
    entities = sum(len(x.entities) for x in records)
    relations = sum(len(x.relations) for x in records)
    assert (len(records), words, entities, relations) == COUNTS[split]
