"""Readers on texts of any characters: what was annotated is what is read."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spacy_jere.formats import FORMATS, RecordEntity, RecordRelation

SETTINGS = settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def prodigy(text, entities, relations):
    spans = [{"start": x.start, "end": x.end, "label": x.label} for x in entities]
    links = [
        {"head_span": spans[x.head], "child_span": spans[x.tail], "label": x.label}
        for x in relations
    ]
    return {"text": text, "spans": spans, "relations": links, "answer": "accept"}


def doccano(text, entities, relations):
    spans = [
        {"id": i, "start_offset": x.start, "end_offset": x.end, "label": x.label}
        for i, x in enumerate(entities)
    ]
    links = [{"from_id": x.head, "to_id": x.tail, "type": x.label} for x in relations]
    return {"text": text, "entities": spans, "relations": links}


def label_studio(text, entities, relations, browser=False):
    def offset(character):
        return len(text[:character].encode("utf-16-le")) // 2 if browser else character

    result = [
        {
            "id": str(i),
            "type": "labels",
            "value": {
                "start": offset(x.start),
                "end": offset(x.end),
                "text": text[x.start : x.end],
                "labels": [x.label],
            },
        }
        for i, x in enumerate(entities)
    ]
    result += [
        {
            "type": "relation",
            "from_id": str(x.head),
            "to_id": str(x.tail),
            "direction": "right",
            "labels": [x.label],
        }
        for x in relations
    ]
    return [{"id": 1, "data": {"text": text}, "annotations": [{"result": result}]}]


@st.composite
def annotated_texts(draw):
    text = draw(
        st.text(min_size=1, max_size=40)
        | st.text(alphabet="aB .-'\n\r\t🏠ע\u2028", min_size=1, max_size=40)
    )
    spots = [
        (i, j) for i in range(len(text)) for j in range(i + 1, len(text) + 1) if text[i:j].strip()
    ]
    chosen = draw(st.lists(st.sampled_from(spots), max_size=4, unique=True)) if spots else []
    entities = [RecordEntity(*spot, f"L{i}") for i, spot in enumerate(chosen)]
    return text, entities, relations_among(entities)


def relations_among(entities):
    return [RecordRelation(i, j, "R") for i in range(len(entities)) for j in range(len(entities))]


@pytest.mark.slow
@pytest.mark.parametrize("encode", [prodigy, doccano, label_studio])
@pytest.mark.parametrize("ascii", [True, False])
@SETTINGS
@given(annotated=annotated_texts())
def test_characters(save, encode, ascii, annotated):
    path = save(json.dumps(encode(*annotated), ensure_ascii=ascii))
    (record,) = FORMATS[encode.__name__].read(path)
    assert (record.text, record.entities, record.relations) == annotated


@SETTINGS
@given(annotated=annotated_texts())
def test_characters_as_a_browser_counts_them(save, annotated):
    (record,) = FORMATS["label_studio"].read(
        save(json.dumps(label_studio(*annotated, browser=True)))
    )
    text, entities, _ = annotated
    # The same text may stand at the characters that both ways of counting mean: then either is
    # right.
    assert [text[x.start : x.end] for x in record.entities] == [
        text[x.start : x.end] for x in entities
    ]


def dygie(words, entities, relations):
    links = [[*entities[x.head][:2], *entities[x.tail][:2], x.label] for x in relations]
    spans = [[start, end - 1, label] for start, end, label in entities]
    links = [[a, b - 1, c, d - 1, label] for a, b, c, d, label in links]
    return json.dumps({"sentences": [words], "ner": [spans], "relations": [links]})


def hf(words, entities, relations):
    return json.dumps({"tokens": words, "ner": entities, "relations": relations})


def conll_columns(words, entities, relations):
    rows = [[word, "O", []] for word in words]
    for start, end, label in entities:
        for i in range(start, end):
            rows[i][1] = f"{'B' if i == start else 'I'}-{label}"
    for head, tail, label in relations:
        rows[entities[head][0]][2].append(f"{label}:{entities[tail][0] + 1}")
    return "\n".join(f"{word}\t{tag}\t{'|'.join(links) or '_'}" for word, tag, links in rows)


@pytest.mark.slow
@pytest.mark.parametrize("encode", [dygie, hf, conll_columns])
@SETTINGS
@given(data=st.data())
def test_words(save, encode, data):
    letters = st.characters(exclude_categories=["Cs"], exclude_characters="\t\n\r")
    word = st.text(letters, min_size=1, max_size=5).filter(str.strip)
    words = data.draw(st.lists(word, min_size=1, max_size=8))
    words[0] = (
        words[0].removeprefix("\ufeff") or "w"
    )  # at the beginning of a file it is no part of the text
    edges = sorted(data.draw(st.sets(st.integers(0, len(words)), max_size=5)))
    entities = [(i, j, f"L{i}") for i, j in zip(edges[::2], edges[1::2])]
    relations = relations_among(entities)
    (record,) = FORMATS[encode.__name__].read(save(encode(words, entities, relations)))
    assert record.words == words and record.relations == relations
    found = [(record.text[x.start : x.end], x.label) for x in record.entities]
    assert found == [(" ".join(words[i:j]), label) for i, j, label in entities]
