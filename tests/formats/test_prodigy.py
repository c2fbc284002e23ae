import json

import pytest
import spacy

from spacy_jere.formats import Record, RecordEntity, RecordRelation, SourceError, to_docs
from spacy_jere.formats._reading import Head
from spacy_jere.formats.prodigy import read, sniff

TEXT = "Ada-Marie likes 🏠 Oslo."
TOKENS = [(0, 3), (3, 9), (10, 15), (16, 17), (18, 22), (22, 23)]


def span(start, end, label="X"):
    return {"start": start, "end": end, "token_start": 0, "token_end": 0, "label": label}


def relation(head, child, label="R"):
    return {
        "head": 0,
        "child": 0,
        "head_span": head,
        "child_span": child,
        "color": "#fff",
        "label": label,
    }


ITEM = {
    "text": TEXT,
    "_input_hash": 1,
    "_task_hash": 7,
    "tokens": [{"text": TEXT[i:j], "start": i, "end": j, "id": n, "ws": False, "disabled": False}
               for n, (i, j) in enumerate(TOKENS)],
    "spans": [span(0, 9, "PER"), span(0, 3, "NAME"), span(18, 22, "LOC")],
    "relations": [relation(span(0, 9, "PER"), span(18, 22, "LOC"), "LIKES"),
                  relation(span(0, 3, "NAME"), span(0, 9, "PER"), "OF")],
    "answer": "accept",
    "_view_id": "relations",
}  # fmt: skip
RECORD = Record(
    TEXT,
    [RecordEntity(0, 9, "PER"), RecordEntity(0, 3, "NAME"), RecordEntity(18, 22, "LOC")],
    [RecordRelation(0, 2, "LIKES"), RecordRelation(1, 0, "OF")],
    words=["Ada", "-Marie", "likes", "🏠", "Oslo", "."],
    meta={"orig_id": 7},
)


def lines(*items):
    return "\n".join(json.dumps(item) for item in items)


def changed(**changes):
    return {key: value for key, value in {**ITEM, **changes}.items() if value != "left out"}


def test_read(save):
    assert read(save(lines(ITEM))) == [RECORD]


def test_tokens_are_kept(save):
    (doc,) = to_docs(read(save(lines(ITEM))), spacy.blank("en"))
    assert [x.text for x in doc] == RECORD.words and doc.text == TEXT


@pytest.mark.parametrize(
    "tokens, words",
    [
        ("left out", None),
        # Word pieces and special tokens of a transformer
        (
            [
                {"text": "[CLS]", "start": 0, "end": 0},
                {"text": "ada", "start": 0, "end": 3},
                {"text": "##-marie", "start": 3, "end": 9},
                {"text": "rest", "start": 10, "end": 23},
                {"text": "[SEP]", "start": 23, "end": 23},
            ],
            ["Ada", "-Marie", TEXT[10:]],
        ),
    ],
)
def test_tokens_may_be_missing_or_word_pieces(save, tokens, words):
    (record,) = read(save(lines(changed(tokens=tokens))))
    assert record.words == words


def test_entities_only(save):
    (record,) = read(save(lines(changed(relations="left out", _task_hash="left out"))))
    assert (record.entities, record.relations, record.meta) == (RECORD.entities, None, {})
    (record,) = read(save(lines({"text": TEXT})))
    assert (record.entities, record.relations) == ([], None)


def test_answers(save):
    items = [
        changed(answer=x, text=f"{TEXT} {x}", tokens="left out")
        for x in ("accept", "reject", "ignore", "ignore", "left out")
    ]
    path = save(lines(*items))
    accepted = read(path)
    assert [x.text[-6:] for x in accepted] == ["accept", "ft out"]
    assert accepted.skipped == {
        "texts with the answer 'reject'": 1,
        "texts with the answer 'ignore'": 2,
    }
    everything = read(path, ("accept", "reject", "ignore"))
    assert len(everything) == 5 and not everything.skipped
    with pytest.raises(SourceError, match=r"E314.*accept, reject, ignore, not 'yes'"):
        read(path, ["yes"])


def test_ends_that_are_no_spans_become_entities_if_they_have_a_label(save):
    relations = [
        relation(span(10, 15, "VERB"), span(18, 22, "LOC")),
        relation(span(18, 22, "LOC"), span(10, 15, "VERB")),
        relation(span(10, 15, "VERB"), span(16, 17, None)),
        relation({"start": 16, "end": 17}, span(18, 22, "LOC")),
    ]
    (record,) = records = read(save(lines(changed(relations=relations))))
    assert record.entities == [*RECORD.entities, (10, 15, "VERB")]
    assert record.relations == [(3, 2, "R"), (2, 3, "R")]
    assert records.skipped == {"relations between tokens without a label": 2}


@pytest.mark.parametrize("label, head", [("PER", 0), ("AUTHOR", 1), (None, 0)])
def test_label_of_an_end_tells_which_of_several_spans_it_is(save, label, head):
    spans = [span(0, 9, "PER"), span(0, 9, "AUTHOR"), span(18, 22, "LOC")]
    link = relation(span(0, 9, label), span(18, 22, "LOC"))
    (record,) = read(save(lines(changed(spans=spans, relations=[link]))))
    assert record.relations == [(head, 2, "R")]
    wrong = relation(span(0, 9, "BOOK"), span(18, 22, "LOC"))
    with pytest.raises(SourceError, match="head_span is labelled 'BOOK', but the span there 'PER'"):
        read(save(lines(changed(spans=spans, relations=[wrong]))))


@pytest.mark.parametrize(
    "changes, reason",
    [
        ({"text": ""}, "'text' must be a string that is not empty"),
        ({"text": "left out"}, "'text' must be a string that is not empty, found None"),
        ({"answer": "yes"}, "'answer' must be one of accept, reject, ignore, found 'yes'"),
        ({"answer": []}, "'answer' must be one of"),
        ({"spans": None}, "'spans' must be a list"),
        ({"spans": [{"start": 0, "end": 3}]}, "a span needs 'start', 'end' and 'label'"),
        (
            {"spans": [span(0, 99)]},
            "entity 'X' has characters 0:99, but the text has 23 characters",
        ),
        ({"spans": [span(9, 10)]}, "entity 'X' has characters 9:10, which are white space"),
        ({"spans": [span(0, 3, "")]}, "an entity needs a label"),
        ({"relations": None}, "'relations' must be a list"),
        ({"relations": [{"head": 0, "child": 1, "label": "R"}]}, "a relation needs 'head_span'"),
        ({"relations": [relation(span(0, 3), None)]}, "child_span needs 'start' and 'end'"),
        ({"relations": [relation(span(0, 99), span(0, 3))]}, "entity 'X' has characters 0:99"),
        ({"relations": [relation(span(0, 3), span(18, 22), "")]}, "a relation needs a label"),
        ({"tokens": None}, "'tokens' must be a list"),
        ({"tokens": ["Ada"]}, "a token needs 'start' and 'end'"),
        ({"tokens": ITEM["tokens"][:-1]}, "the tokens end at character 22, before the text does"),
        ({"tokens": ITEM["tokens"][1:]}, "leave something out after character 0"),
        ({"tokens": [*ITEM["tokens"], ITEM["tokens"][0]]}, "the tokens overlap"),
    ],
)
def test_faults_are_named_with_their_line(save, changes, reason):
    path = save(f"\n{lines(ITEM, changed(**changes))}\n")
    with pytest.raises(SourceError) as error:
        read(path)
    assert f"{path}, line 3: " in str(error.value) and reason in str(error.value)


@pytest.mark.parametrize(
    "text, sniffed",
    [
        (lines(ITEM), True),
        ('{"text": "a", "answer": "accept"}', True),
        ('{"text": "a", "label": []}', False),
        ("", False),
    ],
)
def test_sniff(save, text, sniffed):
    assert sniff(Head.of(save(text))) is sniffed
