"""What the tests of writers share: Docs that are hard to write."""

import pytest
from hypothesis import strategies as st
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from spacy_jere.relations import StoredRelation, mention, store_relations

VOCAB = Vocab()


def make_doc(words, relations, ents=(), groups=(), starts=None, spaces=None, id=None):
    """Relations as ((start, end, label), (start, end, label), label, score) in tokens."""
    doc = Doc(VOCAB, words=words, spaces=spaces, sent_starts=starts)
    doc.ents = [Span(doc, *x) for x in ents]
    if groups:
        doc.spans["joint_ner_re"] = [Span(doc, *x) for x in groups]
    if relations is not None:
        ends = ((mention(Span(doc, *h)), mention(Span(doc, *t)), x, s) for h, t, x, s in relations)
        store_relations(doc, [StoredRelation(*x) for x in ends])  # labels may be missing
    if id is not None:
        doc.user_data["id"] = id
    return doc


@pytest.fixture(scope="session")
def new_doc():
    return make_doc


@pytest.fixture
def hard_docs():
    """Docs that are hard to write.

    They have quotes, commas, line breaks, emoji, right-to-left text, overlaps, two types of one
    entity, several relations, no relations, no annotation.
    """
    ada, oslo = (0, 1, "PER"), (3, 5, "LOC")
    return [
        make_doc(
            ["Ada", "lives", "in", "New", "Oslo", ".", "Bo", "too", "."],
            [(ada, oslo, "LIVES_IN", 0.5), (ada, oslo, "BORN_IN", None),
             ((6, 7, "PER"), oslo, "LIVES_IN", 1.0)],
            ents=[ada, oslo, (6, 7, "PER")],
            starts=[True, *[False] * 5, True, False, False],
            id="a/1#é",
        ),
        make_doc(
            ['"A, B"', "&", "<C>\r\n'D';", "owns", "עברית", "🏠\t\\n"],
            [((0, 3, "ORG;X"), (4, 5, "ORG"), "OWNS", 0.25),
             ((4, 5, "ORG"), (5, 6, ""), "עם/בית", 1e-7)],
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
