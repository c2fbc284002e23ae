import json

import pytest
import spacy
import srsly
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, Span

from spacy_jere.formats import (
    Record,
    RecordRelation,
    SourceError,
    read_records,
    to_docs,
)
from spacy_jere.formats._reading import Head
from spacy_jere.formats.spert_json import read, sniff, write

FILE = """[
{"tokens": ["Ada", "lives", "in", "New", "Oslo", "."],
 "entities": [{"type": "PER", "start": 0, "end": 1}, {"type": "LOC", "start": 3, "end": 5}],
 "relations": [{"type": "LIVES_IN", "head": 0, "tail": 1}],
 "text": "Ada lives in New Oslo.", "orig_id": "a-1", "further": null},
{"tokens": ["Bo", "\u2028", "sleeps"],
 "entities": [{"type": "PER", "start": 0, "end": 1}], "relations": []},
{"tokens": ["עדה", "🏠"], "entities": []}
]
"""
RECORDS = [
    Record.from_words(
        ["Ada", "lives", "in", "New", "Oslo", "."],
        [(0, 1, "PER"), (3, 5, "LOC")],
        [RecordRelation(0, 1, "LIVES_IN")],
        text="Ada lives in New Oslo.",
        meta={"orig_id": "a-1"},
    ),
    Record.from_words(["Bo", "\u2028", "sleeps"], [(0, 1, "PER")], []),
    Record.from_words(["עדה", "🏠"]),
]
# Sentences, tokens, entities and relations of the public files
COUNTS = {
    "conll04/spert/conll04_train.json": (922, 26525, 3377, 1283),
    "conll04/spert/conll04_dev.json": (231, 6993, 893, 343),
    "conll04/spert/conll04_test.json": (288, 8336, 1079, 422),
    "ade/spert/ade_full.json": (4272, 90714, 10839, 6821),
    "scierc/spert/scierc_train.json": (1861, 45412, 5598, 3219),
    "scierc/spert/scierc_dev.json": (275, 6521, 811, 455),
    "scierc/spert/scierc_test.json": (551, 13401, 1685, 974),
}
GOOD = '{"tokens": ["Ada", "met", "Bo"], "entities": [{"type": "PER", "start": 0, "end": 1}]}'


@pytest.fixture(scope="module")
def vocab():
    return spacy.blank("en").vocab


def as_json(doc):
    return srsly.json_loads(srsly.json_dumps(doc.to_json(underscore=["relations"])))


def item(**changes):
    return json.dumps({"tokens": ["Ada", "met", "Bo"], "entities": [], "relations": [], **changes})


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\r"),
        lambda text: "\ufeff" + text,
        lambda text: "\n  " + text.replace("\n", ""),
        lambda text: text.encode("utf8"),
    ],
    ids=["as-is", "windows", "old-mac", "bom", "one-line", "bytes"],
)
def test_read(save, change):
    path = save(change(FILE), "data.json")
    assert sniff(Head.of(path))
    assert read(path) == read(str(path)) == RECORDS


@pytest.mark.parametrize(
    "text, line, reason",
    [
        ("{}", 1, "'tokens' must be a list"),
        ("7", 1, "expected an object, found 7"),
        ("[\n", 2, "']' is missing"),
        (f"[\n{GOOD}\n{GOOD}]", 2, "expected ',' or ']' after item 1"),
        (f"[{GOOD},,\n{GOOD}]", 1, "broken JSON in item 2"),
        (f"[\n{GOOD},\n", 3, "']' is missing"),
        (f"[\n{GOOD},\n\n{GOOD[:-20]}", 4, "broken JSON in item 2"),
        (f"[\n{GOOD},\n{{'tokens': 1}}]", 3, "broken JSON in item 2"),
        ('[\n{"tokens":\n\n ["Ada" "met"]}]', 4, "broken JSON in item 1"),
        (f"[\n{GOOD}\n]\n[\n{GOOD}\n]", 3, "more after the end"),
        (f"[\n{GOOD},\n7]", 3, "expected an object"),
        (f"[\n{GOOD},\n\n[]]", 4, "expected an object"),
    ],
)
def test_broken_json_is_named_with_its_line(save, text, line, reason):
    path = save(text, "data.json")
    with pytest.raises(SourceError, match=rf"E301.*data\.json, line {line}: .*{reason}"):
        read(path)


PER = {"type": "PER", "start": 0, "end": 1}


@pytest.mark.parametrize(
    "changes, reason",
    [
        ({"tokens": []}, "'tokens'"),
        ({"tokens": None}, "'tokens'"),
        ({"tokens": "Ada met Bo"}, "'tokens'"),
        ({"tokens": ["Ada", ""]}, "'tokens'"),
        ({"tokens": ["Ada", 3]}, "'tokens'"),
        ({"entities": None}, "'entities' must be a list"),
        ({"entities": {}}, "'entities' must be a list"),
        ({"relations": None}, "'relations' must be a list"),
        ({"entities": [["PER", 0, 1]]}, "an entity needs"),
        ({"entities": [{"type": "PER", "start": 0}]}, "an entity needs"),
        ({"entities": [{**PER, "type": ""}]}, "an entity needs a label"),
        ({"entities": [{**PER, "end": "1"}]}, "must be whole numbers"),
        ({"entities": [PER, {**PER, "end": 4}]}, "'PER' has tokens 0:4, but the sentence has 3"),
        ({"entities": [{**PER, "start": 1}]}, "'PER' has tokens 1:1"),
        ({"entities": [{**PER, "start": -1}]}, "'PER' has tokens -1:1"),
        ({"tokens": ["\n", "Bo"], "entities": [PER]},
         "'PER' has tokens 0:1, which are white space"),
        ({"relations": [{"head": 0, "tail": 1}]}, "a relation needs"),
        ({"relations": [[0, 1, "MET"]]}, "a relation needs"),
        ({"entities": [PER], "relations": [{"type": "MET", "head": 0, "tail": 1}]},
         "'MET' names entity 1, but there are 1"),
        ({"entities": [PER], "relations": [{"type": "MET", "head": -1, "tail": 0}]},
         "'MET' names entity -1"),
        ({"text": "Ada met Cy"}, "'text' and 'tokens'"),
        ({"text": ""}, "'text' and 'tokens'"),
        ({"text": 7, "tokens": ["7"]}, "'text' and 'tokens'"),
        ({"text": "New  York", "tokens": ["New York"]}, "'text' and 'tokens'"),
    ],
)  # fmt: skip
def test_faults_are_named_with_their_line(save, changes, reason):
    path = save(f"[\n{GOOD},\n{item(**changes)}\n]", "data.json")
    with pytest.raises(SourceError, match=rf"E301.*data\.json, line 3: .*{reason}"):
        read(path)


@pytest.mark.parametrize(
    "text, sniffed", [(FILE, True), ('{"tokens": []}', False), ('["Ada"]', False), ("", False)]
)
def test_sniff(save, text, sniffed):
    assert sniff(Head.of(save(text, "data.json"))) is sniffed


def test_write_then_read_gives_the_same_records(vocab, tmp_path):
    path = tmp_path / "out.json"
    write(to_docs(RECORDS, vocab), path)
    for read_again, record in zip(read_records(path), RECORDS, strict=True):
        assert read_again == record
    assert "עדה" in path.read_text(encoding="utf8")


def test_write_then_read_gives_the_same_docs(vocab, tmp_path):
    docs = to_docs(RECORDS, vocab)
    write(docs, tmp_path / "out.json")
    again = to_docs(read(tmp_path / "out.json"), vocab)
    for doc, other in zip(docs, again, strict=True):
        assert as_json(other) == as_json(doc)
        assert other.has_unknown_spaces is doc.has_unknown_spaces


@pytest.mark.slow
@pytest.mark.parametrize(
    "text", ["Ada  met\n\nBo", " Ada met Bo\n", "Ada met Bo", "Ada met\u00a0Bo"]
)
def test_text_keeps_its_white_space(vocab, tmp_path, text):
    nlp = spacy.blank("en")
    doc = nlp.make_doc(text)
    spans = [doc.char_span(text.index(x), text.index(x) + len(x), "PER") for x in ("Ada", "Bo")]
    doc.set_ents(spans)
    doc._.relations = [(*spans, "MET")]
    write([doc], tmp_path / "out.json")
    (again,) = to_docs(read(tmp_path / "out.json"), vocab)
    assert as_json(again) == as_json(doc)


@pytest.mark.slow
@pytest.mark.parametrize("text", ["Ada  met\n\nBo", " Ada met Bo\n", "AdametBo", "\tAda met Bo"])
def test_offsets_mean_the_tokens_whatever_white_space_the_text_has(vocab, text):
    entities = [(0, 1, "PER"), (1, 3, "X"), (2, 3, "PER")]
    relations = [RecordRelation(0, 2, "MET")]
    record = Record.from_words(["Ada", "met", "Bo"], entities, relations, text=text)
    (doc,) = to_docs([record], vocab)
    assert doc.text == text
    solid = [[x.text for x in span if not x.is_space] for span in doc.spans["joint_ner_re"]]
    assert solid == [["Ada"], ["met", "Bo"], ["Bo"]]
    assert [(x.head.text, x.tail.text) for x in doc._.relations] == [("Ada", "Bo")]


def test_overlapping_entities_are_kept(vocab, tmp_path):
    entities = [(0, 3, "ORG"), (2, 3, "LOC"), (4, 5, "PER")]
    relations = [RecordRelation(0, 1, "IN"), RecordRelation(2, 0, "OF")]
    record = Record.from_words(["Bank", "of", "Rome", "employs", "Bo"], entities, relations)
    (doc,) = to_docs([record], vocab)
    assert [(x.text, x.label_) for x in doc.ents] == [("Bank of Rome", "ORG"), ("Bo", "PER")]
    assert [(x.start, x.end, x.label_) for x in doc.spans["joint_ner_re"]] == entities
    write([doc], tmp_path / "out.json")
    (again,) = read(tmp_path / "out.json")
    assert again == record


def test_ends_of_relations_are_written_whether_or_not_they_are_entities(vocab, tmp_path):
    doc = Doc(vocab, words=["Ada", "met", "Bo"])
    doc.ents = [Span(doc, 0, 1, "PER")]
    doc._.relations = [(Span(doc, 2, 3, "PER"), doc.ents[0], "MET")]
    write([doc], tmp_path / "out.json")
    (record,) = read(tmp_path / "out.json")
    assert [record.text[x.start : x.end] for x in record.entities] == ["Ada", "Bo"]
    assert record.relations == [(1, 0, "MET")]


@pytest.mark.slow
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    data=st.data(), text=st.text(max_size=30) | st.text(alphabet="aB .-\n\t🏠ע\u2028", max_size=30)
)
def test_any_text_comes_back(tmp_path, data, text):
    nlp = spacy.blank("xx")
    doc = nlp(text)
    spots = [(i, j) for i in range(len(doc)) for j in range(i + 1, len(doc) + 1)]
    spots = [(i, j) for i, j in spots if not (doc[i].is_space or doc[j - 1].is_space)]
    chosen = data.draw(st.lists(st.sampled_from(spots), max_size=4, unique=True)) if spots else []
    doc.spans["joint_ner_re"] = [Span(doc, *spot, f"L{i}") for i, spot in enumerate(chosen)]
    doc._.relations = [
        (x, y, "R") for x in doc.spans["joint_ner_re"] for y in doc.spans["joint_ner_re"]
    ]
    write([doc], tmp_path / "out.json")
    again = to_docs(read(tmp_path / "out.json"), nlp)
    assert [x.text for x in again] == [x.text for x in [doc] if len(x)]
    for other in again:
        spans = other.spans.get("joint_ner_re", other.ents)
        assert {(x.start_char, x.end_char, x.label_) for x in spans} == {
            (x.start_char, x.end_char, x.label_) for x in doc.spans["joint_ner_re"]
        }
        assert [x.to_dict() for x in other._.relations] == [x.to_dict() for x in doc._.relations]


@pytest.mark.slow
@pytest.mark.corpora
@pytest.mark.parametrize("path", COUNTS)
def test_public_corpus_has_its_published_counts(corpus_file, path):
    records = read_records(corpus_file(path))
    assert COUNTS[path] == (
        len(records),
        sum(len(x.words) for x in records),
        sum(len(x.entities) for x in records),
        sum(len(x.relations) for x in records),
    )


@pytest.mark.parametrize("relations", [None, []])
def test_docs_keep_not_annotated_apart_from_empty(vocab, relations):
    (doc,) = to_docs([Record.from_words(["Ada"], [], relations)], vocab)
    assert doc._.relations == (None if relations is None else ())
    assert doc.has_annotation("ENT_IOB") and doc.has_unknown_spaces
