"""What the tests of formats share: a small example of every format that is read."""

import json
import os
from pathlib import Path

import pytest

# Some hold an emoji, a text from right to left or a line separator inside a line.
SPERT = (
    '[{"tokens": ["Ada", "in", "Rome"],'
    ' "entities": [{"type": "PER", "start": 0, "end": 1}, {"type": "LOC", "start": 2, "end": 3}],\n'
    ' "relations": [{"type": "IN", "head": 0, "tail": 1}]},\n'
    '{"tokens": ["עדה", "🏠", "\u2028"], "entities": [], "relations": []}]'
)
CONLL04 = (
    "#doc 1\n0\tAda\tB-PER\t['IN']\t[1]\n1\tRome\tB-LOC\t['N']\t[1]\n"
    "#doc 2\n0\tעדה🏠\u2028\tO\t['N']\t[0]\n"
)
ADE = (
    "12|Zinc gave 🏠 rash.|rash|112|116|Zinc|100|104\n"
    "12|Zinc gave 🏠 rash.|rash|112|116|Zinc|100|104\n"
    "13|עדה ache Aspirin|ache|4|8|Aspirin|9|16\n"
)
DYGIE = (
    '{"doc_key": "a", "sentences": [["Ada", "slept", "."], ["She", "likes", "Rome"]],'
    ' "ner": [[[0, 0, "PER"]], [[3, 3, "PER"], [5, 5, "LOC"]]],'
    ' "relations": [[], [[3, 3, 5, 5, "LIKES"]]]}\n'
    '{"doc_key": "b", "sentences": [["עדה", "🏠\u2028"]], "ner": [[]], "relations": [[]]}\n'
)
BRAT = (
    "Ada lives in\nNew Oslo 🏠 with עדה.",
    "T1\tPER 0 3\tAda\nT2\tLOC 13 21\tNew Oslo\nT3\tPER 29 32\tעדה\nR1\tLIVES_IN Arg1:T1 Arg2:T2\n",
)
PRODIGY = (
    '{"text": "Ada 🏠 Rome",'
    ' "spans": [{"start": 0, "end": 3, "label": "PER"}, {"start": 6, "end": 10, "label": "LOC"}],'
    ' "relations": [{"head": 0, "child": 2, "head_span": {"start": 0, "end": 3, "label": "PER"},'
    ' "child_span": {"start": 6, "end": 10, "label": "LOC"}, "label": "IN"}],'
    ' "answer": "accept"}\n'
    '{"text": "עדה\u2028", "spans": [], "relations": [], "answer": "accept"}\n'
)
LABEL_STUDIO_RESULT = [
    {
        "id": "a",
        "type": "labels",
        "value": {"start": 0, "end": 3, "text": "Ada", "labels": ["PER"]},
    },
    {
        "id": "b",
        "type": "labels",
        "value": {"start": 6, "end": 10, "text": "Rome", "labels": ["LOC"]},
    },
    {
        "type": "relation",
        "from_id": "a",
        "to_id": "b",
        "direction": "right",
        "labels": ["IN"],
    },
]
LABEL_STUDIO = json.dumps(
    [
        {
            "id": 1,
            "data": {"text": "Ada 🏠 Rome"},
            "annotations": [{"result": LABEL_STUDIO_RESULT}],
        },
        {"id": 2, "data": {"text": "עדה\u2028"}, "annotations": [{"result": []}]},
    ],
    ensure_ascii=False,
    indent=1,
)
DOCCANO = (
    '{"id": 1, "text": "Ada 🏠 Rome",'
    ' "entities": [{"id": 7, "label": "PER", "start_offset": 0, "end_offset": 3},'
    ' {"id": 8, "label": "LOC", "start_offset": 6, "end_offset": 10}],'
    ' "relations": [{"id": 1, "from_id": 7, "to_id": 8, "type": "IN"}]}\n'
    '{"id": 2, "text": "עדה\u2028", "entities": [], "relations": []}\n'
)
COLUMNS = "# id = 1\nAda\tB-PER\tIN:2\nRome\tB-LOC\t_\n\n# id = 2\nעדה🏠\u2028\tO\t_\n"
HF = (
    '{"id": 1, "tokens": ["Ada", "in", "Rome"], "ner": [[0, 1, "PER"], [2, 3, "LOC"]],'
    ' "relations": [[0, 1, "IN"]]}\n'
    '{"id": 2, "tokens": ["עדה", "🏠\u2028"], "ner": [], "relations": []}\n'
)
# Name of the format: name of the file, its text
EXAMPLES = {
    "brat": ("data.ann", BRAT[1]),
    "label_studio": ("data.json", LABEL_STUDIO),
    "spert": ("data.json", SPERT),
    "dygie": ("data.json", DYGIE),
    "hf": ("data.jsonl", HF),
    "prodigy": ("data.jsonl", PRODIGY),
    "doccano": ("data.jsonl", DOCCANO),
    "conll04": ("data.txt", CONLL04),
    "ade": ("data.rel", ADE),
    "conll_columns": ("data.conll", COLUMNS),
}


@pytest.fixture
def save(tmp_path):
    """Write a file, its line ends as they are."""

    def _save(content, name="data.txt"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf8"))
        return path

    return _save


@pytest.fixture(scope="session")
def examples():
    """Of each format the name of a file and its text."""
    return EXAMPLES


@pytest.fixture
def save_example(save):
    """Write the example of a format, changed by a function; a brat text stays as it is."""

    def _save_example(format, change=lambda text: text):
        name, text = EXAMPLES[format]
        if format == "brat":
            save(BRAT[0], "data.txt")
        return save(change(text), name)

    return _save_example


@pytest.fixture
def corpus_file():
    """A file of a public corpus, by one of its paths in $SPACY_JERE_CORPORA or in assets/."""
    folder = Path(os.environ.get("SPACY_JERE_CORPORA") or Path(__file__).parents[2] / "assets")

    def _corpus_file(*paths):
        for path in paths:
            if (folder / path).is_file():
                return folder / path
        pytest.skip(f"{paths[0]} is not in {folder}")

    return _corpus_file


@pytest.fixture(scope="session")
def annotated():
    """What a record says, with texts for offsets: easy to compare."""

    def _annotated(record):
        entities = [(record.text[x.start : x.end], x.label) for x in record.entities]
        relations = record.relations
        if relations is not None:
            relations = [(entities[x.head][0], x.label, entities[x.tail][0]) for x in relations]
        return entities, relations

    return _annotated
