import pytest
import spacy
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Corpus, Example
from spacy.training.augment import (
    create_combined_augmenter,
    create_lower_casing_augmenter,
    create_orth_variants_augmenter,
)

from spacy_jere.training.corpus import carry_relations, create_corpus_v1

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


# Augmenters

TAGS = ["NNP", "VBZ", "IN", "NNP", ".", "NNP", "VBZ", "IN", "NNP", "IN", "NNP", "."]
VARIANTS = {
    "single": [{"tags": ["."], "variants": [".", "…", "!!!"]}],
    "paired": [{"tags": ["NNP"], "variants": [["Ada", "Adelaide"], ["A", "B"]]}],
}
AUGMENTERS = {
    "lower case": create_lower_casing_augmenter(1.0),
    "spelling": create_orth_variants_augmenter(1.0, 0.0, VARIANTS),
    "spelling and lower case": create_orth_variants_augmenter(1.0, 1.0, VARIANTS),
    "all": create_combined_augmenter(1.0, 1.0, VARIANTS, 1.0, 0.5, [" ", "\n", "\t\t"]),
    "white space": create_combined_augmenter(0.0, 0.0, None, 1.0, 1.0, ["  ", "\n"]),
    "none": None,
}


@pytest.mark.parametrize("name", AUGMENTERS)
@pytest.mark.parametrize("spaces", [SPACES, None])
@pytest.mark.parametrize("seed", range(3))
def test_spacys_augmenters_keep_relations(nlp, write, name, spaces, seed):
    spacy.util.fix_random_seed(seed)
    doc = make_doc(nlp.vocab, spaces)
    for token, tag in zip(doc, TAGS):
        token.tag_ = tag
    (example,) = create_corpus_v1(write(doc), augmenter=AUGMENTERS[name])(nlp)
    gold = example.reference
    assert name == "spelling" or (name == "none") is (gold.text == doc.text)
    # Entities are spaCy's own affair: relations have the words that these have.
    expected = [(RELS[i][2], *(gold.ents[x].text for x in RELS[i][:2])) for i in range(len(RELS))]
    found = gold._.relations
    assert [(x.label_, x.head.text.strip(), x.tail.text.strip()) for x in found] == [
        (label, head.strip(), tail.strip()) for label, head, tail in expected
    ]
    assert all(x.head.text == x.head.text.strip() for x in found)
    assert example.predicted._.relations is None


@pytest.mark.parametrize("relations", [None, []])
def test_augmented_docs_keep_not_annotated_and_empty_apart(nlp, write, relations):
    path = write(make_doc(nlp.vocab, relations=relations))
    assert read(create_corpus_v1(path, augmenter=AUGMENTERS["lower case"])(nlp)) == [relations]


def test_relations_of_an_augmenter_are_left_alone(nlp, write):
    def change(nlp, example):
        other = Example(nlp.make_doc("Bo sings."), nlp.make_doc("Bo sings."))
        other.reference._.relations = [((0, 2, "PER"), (3, 8, "ACT"), "DOES")]
        yield other

    assert read(create_corpus_v1(write(make_doc(nlp.vocab)), augmenter=change)(nlp)) == [
        ["Bo DOES sings"]
    ]


def test_words_that_an_augmenter_adds_are_told(nlp, write):
    def change(nlp, example):
        text = "Yesterday " + example.text
        yield Example(nlp.make_doc(text), nlp.make_doc(text))

    with pytest.warns(UserWarning, match="W124.*Yesterday"):
        found = read(create_corpus_v1(write(make_doc(nlp.vocab)), augmenter=change)(nlp))
    assert found == [None]


# Gold entities


@pytest.mark.parametrize("settings", [{}, {"max_length": 12}, {"gold_preproc": True}])
@pytest.mark.parametrize("spaces", [SPACES, None])
def test_gold_entities_are_given(nlp, write, settings, spaces):
    path = write(make_doc(nlp.vocab, spaces))
    examples = list(create_corpus_v1(path, gold_entities=True, **settings)(nlp))
    found = [(x.text, x.label_) for eg in examples for x in eg.predicted.ents]
    assert found == [("Ada", "PER"), ("New-Oslo", "LOC"), ("Bo", "PER"), ("Acme-Rome", "ORG")]
    assert not any(eg.predicted.ents for eg in create_corpus_v1(path, **settings)(nlp))


def test_gold_entities_that_are_not_annotated_are_not_given(nlp, write):
    path = write(Doc(nlp.vocab, words=WORDS))
    (example,) = create_corpus_v1(path, gold_entities=True)(nlp)
    assert not example.predicted.has_annotation("ENT_IOB")


@pytest.mark.slow
def test_relations_of_gold_entities_are_scored(nlp, write, make_nlp, overfit):
    relating, _ = make_nlp(initialize=False, given_entities=True, window="doc")
    corpus = create_corpus_v1(write(make_doc(relating.vocab)), gold_entities=True)
    examples = list(corpus(relating))
    relating.initialize(lambda: examples)
    overfit(relating, examples)
    assert relating.evaluate(list(corpus(relating)))["rels_f"] == 1


@pytest.mark.parametrize(
    "words, spaces, texts",
    [
        (["ADA", "BYRON", "MET", "BO"], [1, 1, 1, 0], ["ADA BYRON", "BO"]),
        (["\n", "Ada", " ", "B.", "met", "\t", "Bobby"], [0] * 7, ["Ada B.", "Bobby"]),
    ],
)
def test_ends_of_several_words_are_carried_over(nlp, words, spaces, texts):
    source = nlp.make_doc("Ada Byron met Bo")
    source._.relations = [((0, 9, "PER"), (14, 16, "PER"), "MET")]
    target = Doc(nlp.vocab, words=words, spaces=[bool(x) for x in spaces])
    carry_relations(source, target)
    (found,) = target._.relations
    assert ["".join(x.text.split()) for x in (found.head, found.tail)] == [
        "".join(x.split()) for x in texts
    ]
    target._.relations = []
    carry_relations(source, target)
    assert target._.relations == ()
