"""What the tests of formats share: a small example of every format that is read, and Docs that are hard to write."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import strategies as st
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

# Also what the tests of several formats say: an emoji, a text from right to left, a line separator inside a line.
SPERT = '[{"tokens": ["Ada", "in", "Rome"], "entities": [{"type": "PER", "start": 0, "end": 1}, {"type": "LOC", "start": 2, "end": 3}],\n "relations": [{"type": "IN", "head": 0, "tail": 1}]},\n{"tokens": ["עדה", "🏠", "\u2028"], "entities": [], "relations": []}]'
CONLL04 = "#doc 1\n0\tAda\tB-PER\t['IN']\t[1]\n1\tRome\tB-LOC\t['N']\t[1]\n#doc 2\n0\tעדה🏠\u2028\tO\t['N']\t[0]\n"
ADE = "12|Zinc gave 🏠 rash.|rash|112|116|Zinc|100|104\n12|Zinc gave 🏠 rash.|rash|112|116|Zinc|100|104\n13|עדה ache Aspirin|ache|4|8|Aspirin|9|16\n"
DYGIE = (
    '{"doc_key": "a", "sentences": [["Ada", "slept", "."], ["She", "likes", "Rome"]], "ner": [[[0, 0, "PER"]], [[3, 3, "PER"], [5, 5, "LOC"]]], "relations": [[], [[3, 3, 5, 5, "LIKES"]]]}\n'
    '{"doc_key": "b", "sentences": [["עדה", "🏠\u2028"]], "ner": [[]], "relations": [[]]}\n'
)
BRAT = ("Ada lives in\nNew Oslo 🏠 with עדה.", "T1\tPER 0 3\tAda\nT2\tLOC 13 21\tNew Oslo\nT3\tPER 29 32\tעדה\nR1\tLIVES_IN Arg1:T1 Arg2:T2\n")  # fmt: skip
PRODIGY = (
    '{"text": "Ada 🏠 Rome", "spans": [{"start": 0, "end": 3, "label": "PER"}, {"start": 6, "end": 10, "label": "LOC"}], "relations": [{"head": 0, "child": 2, "head_span": {"start": 0, "end": 3, "label": "PER"}, "child_span": {"start": 6, "end": 10, "label": "LOC"}, "label": "IN"}], "answer": "accept"}\n'
    '{"text": "עדה\u2028", "spans": [], "relations": [], "answer": "accept"}\n'
)
LABEL_STUDIO = json.dumps(
    [
        {
            "id": 1,
            "data": {"text": "Ada 🏠 Rome"},
            "annotations": [
                {
                    "result": [
                        {"id": "a", "type": "labels", "value": {"start": 0, "end": 3, "text": "Ada", "labels": ["PER"]}},
                        {"id": "b", "type": "labels", "value": {"start": 6, "end": 10, "text": "Rome", "labels": ["LOC"]}},
                        {"type": "relation", "from_id": "a", "to_id": "b", "direction": "right", "labels": ["IN"]},
                    ]
                }
            ],
        },
        {"id": 2, "data": {"text": "עדה\u2028"}, "annotations": [{"result": []}]},
    ],
    ensure_ascii=False,
    indent=1,
)  # fmt: skip
DOCCANO = (
    '{"id": 1, "text": "Ada 🏠 Rome", "entities": [{"id": 7, "label": "PER", "start_offset": 0, "end_offset": 3}, {"id": 8, "label": "LOC", "start_offset": 6, "end_offset": 10}], "relations": [{"id": 1, "from_id": 7, "to_id": 8, "type": "IN"}]}\n'
    '{"id": 2, "text": "עדה\u2028", "entities": [], "relations": []}\n'
)
COLUMNS = "# id = 1\nAda\tB-PER\tIN:2\nRome\tB-LOC\t_\n\n# id = 2\nעדה🏠\u2028\tO\t_\n"
HF = (
    '{"id": 1, "tokens": ["Ada", "in", "Rome"], "ner": [[0, 1, "PER"], [2, 3, "LOC"]], "relations": [[0, 1, "IN"]]}\n'
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
    """A file of a public corpus, by one of its paths. The corpora are in the folder $SPACY_JERE_CORPORA, else in assets/."""
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


VOCAB = Vocab()


def make_doc(words, relations, ents=(), groups=(), starts=None, spaces=None, id=None):
    """Relations as ((start, end, label), (start, end, label), label, score) in tokens."""
    doc = Doc(VOCAB, words=words, spaces=spaces, sent_starts=starts)
    doc.ents = [Span(doc, *x) for x in ents]
    if groups:
        doc.spans["joint_ner_re"] = [Span(doc, *x) for x in groups]
    if relations is not None:
        doc._.relations = [(Span(doc, *h), Span(doc, *t), x, s) for h, t, x, s in relations]
    if id is not None:
        doc.user_data["id"] = id
    return doc


@pytest.fixture(scope="session")
def new_doc():
    return make_doc


@pytest.fixture
def hard_docs():
    """Quotes, commas, line breaks, emoji, right-to-left text, overlaps, two types, several relations, none, not annotated."""
    ada, oslo = (0, 1, "PER"), (3, 5, "LOC")
    return [
        make_doc(
            ["Ada", "lives", "in", "New", "Oslo", ".", "Bo", "too", "."],
            [(ada, oslo, "LIVES_IN", 0.5), (ada, oslo, "BORN_IN", None), ((6, 7, "PER"), oslo, "LIVES_IN", 1.0)],
            ents=[ada, oslo, (6, 7, "PER")],
            starts=[True, *[False] * 5, True, False, False],
            id="a/1#é",
        ),
        make_doc(
            ['"A, B"', "&", "<C>\r\n'D';", "owns", "עברית", "🏠\t\\n"],
            [((0, 3, "ORG;X"), (4, 5, "ORG"), "OWNS", 0.25), ((4, 5, "ORG"), (5, 6, ""), "עם/בית", 1e-7)],
            groups=[(0, 3, "ORG;X"), (2, 3, "PER"), (4, 5, "LOC")],
        ),
        make_doc(["Oslo"], None, ents=[(0, 1, "LOC")]),
        make_doc(["Ada", "sleeps"], [], ents=[ada]),
        make_doc([], None),
        make_doc(["Ada", "is", "Ada"], [(ada, (2, 3, "PER"), "SAME", None)]),
    ]  # fmt: skip


@pytest.fixture
def hard_rows():
    """The relations of `hard_docs` as rows: document, head, relation, tail, score, sentence."""
    company, hebrew = "\"A, B\" & <C>\r\n'D';", "עברית"
    text = f"{company} owns {hebrew} 🏠\t\\n"
    end = len(text)
    both = "Ada lives in New Oslo . Bo too ."
    ada, oslo = ("Ada", "PER", 0, 3), ("New Oslo", "LOC", 13, 21)
    org = (hebrew, "ORG", end - 10, end - 5)
    return [
        ("a/1#é", ada, "LIVES_IN", oslo, 0.5, "Ada lives in New Oslo ."),
        ("a/1#é", ada, "BORN_IN", oslo, None, "Ada lives in New Oslo ."),
        ("a/1#é", ("Bo", "PER", 24, 26), "LIVES_IN", oslo, 1.0, both),
        ("1", (company, "ORG;X", 0, len(company)), "OWNS", org, 0.25, text),
        ("1", org, "עם/בית", ("🏠\t\\n", "", end - 4, end), 1e-7, text),
        ("5", ada, "SAME", ("Ada", "PER", 7, 10), None, "Ada is Ada"),
    ]


@pytest.fixture
def hard_lone_entities():
    """Text and label of the entities of `hard_docs` whose text and label is in no relation."""
    return {("<C>\r\n'D';", "PER"), ("עברית", "LOC"), ("Oslo", "LOC")}


@pytest.fixture(scope="session")
def any_docs():
    """A hypothesis strategy: Docs with any text in words, labels and ids."""
    # Python 3.10 can't read a CSV file with a null character.
    letters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
    words = st.lists(st.text(letters, min_size=1, max_size=6), min_size=1, max_size=5)
    label = st.text(letters, min_size=1, max_size=5)

    @st.composite
    def docs(draw):
        found = []
        for _ in range(draw(st.integers(0, 3))):
            chosen = draw(words)
            place = st.integers(0, len(chosen) - 1)
            ends = st.builds(lambda i, j, x: (min(i, j), max(i, j) + 1, x), place, place, label)
            score = st.none() | st.floats(0, 1)
            relations = draw(st.lists(st.tuples(ends, ends, label, score), max_size=3))
            found.append(make_doc(chosen, relations, id=draw(st.none() | label)))
        return found

    return docs()


@pytest.fixture(scope="session")
def rows_of():
    """What a Doc says, as in `hard_rows`, for Docs without sentences."""

    def end(span):
        return span.text, span.label_, span.start_char, span.end_char

    def _rows_of(docs):
        return [
            (
                str(doc.user_data.get("id", i)),
                end(x.head),
                x.label_,
                end(x.tail),
                x.score,
                doc[:].text,
            )
            for i, doc in enumerate(docs)
            for x in doc._.relations or ()
        ]

    return _rows_of
