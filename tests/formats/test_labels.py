"""Labels renamed and dropped on the way in."""

import json

import pytest
import spacy
from spacy.tokens import DocBin

from spacy_jere.formats import (
    Record,
    RecordEntity,
    RecordRelation,
    Records,
    SourceError,
    read_records,
    to_docs,
)
from spacy_jere.formats._labels import map_docs, map_records, parse_label_map, unused_labels

ENTITIES = [RecordEntity(0, 3, "PER"), RecordEntity(7, 11, "LOC"), RecordEntity(0, 11, "S")]
RELATIONS = [RecordRelation(0, 1, "IN"), RecordRelation(2, 1, "OF"), RecordRelation(1, 0, "No-rel")]
MAPS = [
    ({}, "PER LOC S", "IN OF No-rel"),
    ({"PER": "P", "IN": "LIVES_IN"}, "P LOC S", "LIVES_IN OF No-rel"),
    ({"No-rel": "", "OF": ""}, "PER LOC S", "IN"),
    ({"S": ""}, "PER LOC", "IN No-rel"),
    ({"LOC": "", "PER": "X"}, "X S", ""),
    ({"PER": "LOC", "LOC": "PER"}, "LOC PER S", "IN OF No-rel"),
    ({"PER": "LOC", "LOC": ""}, "LOC S", ""),
    ({"IN": "OF", "OF": "IN"}, "PER LOC S", "OF IN No-rel"),
]


def record():
    names = [("A", "B"), ("C", "D"), ("E", "F")]
    return Record("Ada in Rome", list(ENTITIES), list(RELATIONS), meta={"arguments": names})


@pytest.mark.parametrize("labels, entities, relations", MAPS)
def test_records(labels, entities, relations):
    records = Records([record()])
    assert map_records(records, labels) == set(labels)
    assert [x.label for x in records[0].entities] == entities.split()
    assert [x.label for x in records[0].relations] == relations.split()
    for relation, (first, _) in zip(records[0].relations, records[0].meta["arguments"]):
        before = RELATIONS["ACE".index(first)]
        assert records[0].entities[relation.head][:2] == ENTITIES[before.head][:2]
    lost = 6 - len(entities.split()) - len(relations.split())
    assert sum(records.skipped.values()) == lost


@pytest.mark.slow
@pytest.mark.parametrize("labels, entities, relations", MAPS)
def test_docs_are_mapped_as_records_are(labels, entities, relations):
    records = Records([record()])
    docs = to_docs(records, spacy.blank("en"))
    used = map_docs(docs, labels, records.skipped)
    assert used == set(labels)
    mapped = Records([record()])
    map_records(mapped, labels)
    (expected,) = to_docs(mapped, spacy.blank("en"))
    stored = DocBin(docs=docs, store_user_data=True).to_bytes()
    (doc,) = DocBin().from_bytes(stored).get_docs(spacy.blank("en").vocab)
    assert found(doc) == found(expected)
    assert [repr(x) for x in doc._.relations] == [repr(x) for x in expected._.relations]
    assert records.skipped == mapped.skipped


def found(doc):
    return {(x.text, x.label_) for x in [*doc.ents, *doc.spans.get("joint_ner_re", ())]}


def test_docs_without_annotation_stay_so():
    doc = spacy.blank("en")("Ada in Rome")
    map_docs([doc], {"PER": ""}, Records().skipped)
    assert doc._.relations is None and not doc.has_annotation("ENT_IOB")


@pytest.mark.parametrize(
    "given, labels",
    [
        ([], {}),
        (["a=b"], {"a": "b"}),
        (["a=b,c=", "d=e f"], {"a": "b", "c": "", "d": "e f"}),
        (["PARTY NAME=PARTY_NAME,"], {"PARTY NAME": "PARTY_NAME"}),
        (["a= b"], {"a": " b"}),
        ([r"a\,b=c\=d,\\=x:y"], {"a,b": "c=d", "\\": "x:y"}),
        (["per:city=lives"], {"per:city": "lives"}),
    ],
)
def test_map_is_parsed(given, labels):
    assert parse_label_map(given) == labels


@pytest.mark.parametrize("given", ["a", "=b", "a=b=c", "a=b,c"])
def test_map_that_cannot_be_parsed(given):
    with pytest.raises(SourceError, match=rf"E361.*{given!r}"):
        parse_label_map([given])


def test_label_with_two_new_names():
    with pytest.raises(SourceError, match=r"E362.*'a'.*both 'b' and 'c'"):
        parse_label_map(["a=b", "a=c"])


def test_labels_that_nothing_has_are_noted(save):
    path = save(json.dumps({"text": "Ada", "label": [[0, 3, "PER"]]}))
    with pytest.warns(UserWarning, match=r"W360.*no entity or relation has the label 'LOC'"):
        (found,) = read_records(path, map_labels={"PER": "P", "LOC": "L"})
    assert found.entities == [(0, 3, "P")]
    assert unused_labels({"a": "", "b": ""}, {"a"})[0].count("'b'") == 1
