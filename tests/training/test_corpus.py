import pytest
import spacy
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Corpus

from spacy_jere.training.corpus import create_corpus_v1

# Two sentences, each with a relation, and one relation from the first into the second
WORDS = [
    "Ada",
    "lives",
    "in",
    "New-Oslo",
    ".",
    "Bo",
    "works",
    "for",
    "Acme-Rome",
    "since",
    "May",
    ".",
]
SPACES = [True, True, True, False, True, True, True, True, True, True, False, False]
ENTS = [(0, 1, "PER"), (3, 4, "LOC"), (5, 6, "PER"), (8, 9, "ORG")]
RELS = [(0, 1, "LIVES_IN"), (2, 3, "WORKS_FOR"), (0, 2, "MET")]
FIRST, SECOND = "Ada LIVES_IN New-Oslo", "Bo WORKS_FOR Acme-Rome"


@pytest.fixture(scope="module")
def nlp():
    return spacy.blank("en")


def make_doc(vocab, spaces=SPACES, relations=RELS, sentences=True):
    starts = [i in (0, 5) for i in range(len(WORDS))] if sentences else None
    doc = Doc(vocab, words=WORDS, spaces=spaces, sent_starts=starts)
    doc.ents = [Span(doc, *x) for x in ENTS]
    if relations is not None:
        doc._.relations = [(doc.ents[x], doc.ents[y], label) for x, y, label in relations]
    return doc


@pytest.fixture
def write(tmp_path):
    def _write(*docs, name="corpus"):
        path = tmp_path / f"{name}.spacy"
        DocBin(docs=docs, store_user_data=True).to_disk(path)
        return path

    return _write


def read(examples):
    found = []
    for eg in examples:
        relations = eg.reference._.relations
        rows = relations and [f"{x.head.text} {x.label_} {x.tail.text}" for x in relations]
        found.append(None if relations is None else list(rows))
        assert eg.predicted._.relations is None
    return found


@pytest.mark.parametrize(
    "settings, relations",
    [
        ({}, [[FIRST, SECOND, "Ada MET Bo"]]),
        ({"max_length": 13}, [[FIRST, SECOND, "Ada MET Bo"]]),
        ({"max_length": 12}, [[FIRST], [SECOND]]),
        ({"max_length": 6}, [[FIRST]]),
        ({"max_length": 5}, []),
        ({"gold_preproc": True}, [[FIRST], [SECOND]]),
        ({"gold_preproc": True, "max_length": 6}, [[FIRST], [SECOND]]),
    ],
)
@pytest.mark.parametrize("spaces", [SPACES, None])
def test_relations_are_kept_where_docs_are_split(nlp, write, settings, relations, spaces):
    path = write(make_doc(nlp.vocab, spaces))
    assert read(create_corpus_v1(path, **settings)(nlp)) == relations


@pytest.mark.parametrize("settings", [{}, {"max_length": 12}, {"max_length": 6}, {"limit": 1}])
@pytest.mark.parametrize("gold_preproc", [True, False])
@pytest.mark.parametrize("sentences", [True, False])
def test_examples_are_those_of_spacy(nlp, write, settings, gold_preproc, sentences):
    docs = [make_doc(nlp.vocab, sentences=sentences), Doc(nlp.vocab), make_doc(nlp.vocab)]
    path = write(*docs)
    settings = {**settings, "gold_preproc": gold_preproc}
    ours, theirs = create_corpus_v1(path, **settings)(nlp), Corpus(path, **settings)(nlp)
    ours, theirs = list(ours), list(theirs)
    assert [x.to_dict() for x in ours] == [x.to_dict() for x in theirs]
    for side in ("predicted", "reference"):
        tokens = [
            [[token.text_with_ws for token in getattr(x, side)] for x in y] for y in (ours, theirs)
        ]
        assert tokens[0] == tokens[1]


@pytest.mark.parametrize("settings", [{}, {"max_length": 12}, {"gold_preproc": True}])
@pytest.mark.parametrize("relations", [None, []])
def test_not_annotated_and_empty_stay_different(nlp, write, settings, relations):
    found = read(create_corpus_v1(write(make_doc(nlp.vocab, relations=relations)), **settings)(nlp))
    assert found and all(x == relations for x in found)


def test_limit_keeps_relations(nlp, write):
    path = write(*(make_doc(nlp.vocab, relations=RELS[:i]) for i in range(4)))
    assert read(create_corpus_v1(path, limit=2)(nlp)) == [[], [FIRST]]


def test_folder_is_read_in_order_of_names(nlp, write):
    write(make_doc(nlp.vocab, relations=RELS[:1]), name="b")
    path = write(make_doc(nlp.vocab, relations=[]), name="a")
    assert read(create_corpus_v1(path.parent)(nlp)) == [[], [FIRST]]


@pytest.mark.parametrize(
    "spaces, settings, gold_tokens",
    [
        (SPACES, {}, False),
        (SPACES, {"max_length": 12}, False),
        (SPACES, {"gold_preproc": True}, True),
        (None, {}, True),
        (None, {"max_length": 12}, True),
        (None, {"gold_preproc": True}, True),
    ],
)
def test_gold_tokens_are_used_where_spaces_are_unknown(nlp, write, spaces, settings, gold_tokens):
    for eg in create_corpus_v1(write(make_doc(nlp.vocab, spaces)), **settings)(nlp):
        same = [x.text for x in eg.predicted] == [x.text for x in eg.reference]
        assert same is gold_tokens  # spaCy's tokenizer splits New-Oslo and Acme-Rome


def test_augmenter_sees_relations(nlp, write):
    def only_second(nlp, example):
        if "WORKS_FOR" in {x.label_ for x in example.reference._.relations}:
            yield from (example, example)

    path = write(make_doc(nlp.vocab))
    assert read(create_corpus_v1(path, max_length=12, augmenter=only_second)(nlp)) == [[SECOND]] * 2


def test_corpus_without_path_is_refused():
    with pytest.raises(ValueError, match="E306"):
        create_corpus_v1(None)
