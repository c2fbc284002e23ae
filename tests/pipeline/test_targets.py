"""Gold annotation on predicted tokens: what can't be aligned is masked, what isn't annotated isn't
learned."""

import numpy
import pytest
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_jere.models.types import Extraction
from spacy_jere.pipeline.presets import annotate
from spacy_jere.pipeline.targets import align_example, align_given, batch_windows, make_targets
from spacy_jere.relations import entity_mentions
from spacy_jere.windows import doc_windows

KEY = "joint_ner_re"
WORDS = "Ada Byron left Acme in Rome ."
ENTITIES = [(0, 2, "PER"), (3, 4, "ORG"), (5, 6, "LOC")]
RELATIONS = [(0, 1, "LEFT"), (2, 1, "HAS")]
CUT = "entities that cut a token"


@pytest.fixture
def align(annotate):
    def _align(gold, words=None, sent_starts=None, window="sentence"):
        gold = gold if isinstance(gold, Doc) else annotate(Vocab(), *gold)
        words = gold.text.split() if words is None else words.split("|")
        doc = Doc(gold.vocab, words=words, sent_starts=sent_starts)
        if "".join(words) != "".join(gold.text.split()):
            raise AssertionError("the texts differ")
        return align_example(Example(doc, gold), KEY, doc_windows(doc, window))

    return _align


def unknown(aligned):
    return numpy.flatnonzero(~aligned.known).tolist()


def test_same_tokens(align):
    aligned = align((WORDS, ENTITIES, RELATIONS))
    assert aligned.entities == ENTITIES
    assert aligned.relations == RELATIONS
    assert unknown(aligned) == [] and not aligned.lost


@pytest.mark.parametrize(
    "words, entities, relations, masked, lost",
    [
        ("Ada|Byron|left|Ac|me|in|Rome|.", [(0, 2), (3, 5), (6, 7)], RELATIONS, [], {}),
        ("AdaByron|left|Acme|in|Rome|.", [(0, 1), (2, 3), (4, 5)], RELATIONS, [], {}),
        (
            "Ada|Byronleft|Acme|in|Rome|.",
            [(2, 3), (4, 5)],
            [(1, 0, "HAS")],
            [0, 1],
            {CUT: 1, "relations of such entities": 1},
        ),
        (
            "Ada|Byron|left|Acmein|Rome|.",
            [(0, 2), (4, 5)],
            [],
            [3],
            {CUT: 1, "relations of such entities": 2},
        ),
        (
            "Ada|Byron|leftAcmeinRome|.",
            [(0, 2)],
            [],
            [2],
            {CUT: 2, "relations of such entities": 2},
        ),
        (
            "A|d|a|By|ron|left|Acme|in|Ro|me.",
            [(0, 5), (6, 7)],
            [(0, 1, "LEFT")],
            [8, 9],
            {CUT: 1, "relations of such entities": 1},
        ),
    ],
)
def test_other_tokens(align, words, entities, relations, masked, lost):
    aligned = align((WORDS, ENTITIES, RELATIONS), words)
    assert [x[:2] for x in aligned.entities] == entities
    assert aligned.relations == relations
    assert unknown(aligned) == masked
    assert aligned.lost == lost


def test_entities_not_annotated_and_none(align):
    assert unknown(align((WORDS,))) == list(range(7))
    assert unknown(align((WORDS, []))) == []
    assert unknown(align((WORDS,), "Ada|Byronleft|Acme|in|Rome|.")) == list(range(6))


@pytest.mark.parametrize(
    "words, masked",
    [
        (None, [3, 4]),
        ("Ada|Byron|left|Ac|me|in|Rome|.", [3, 4, 5]),
        ("Ada|Byron|leftAcme|in|Rome.", [2, 3]),
    ],
)
def test_tokens_without_entity_annotation(align, words, masked):
    tags = ["B-PER", "I-PER", "O", "", "", "B-LOC", "O"]
    gold = Doc(Vocab(), words=WORDS.split(), ents=tags)
    gold.set_ents([Span(gold, 0, 2, "PER")], missing=[gold[3:5]], default="outside")
    aligned = align(gold, words)
    assert aligned.entities == [(0, 2, "PER")]
    assert unknown(aligned) == masked


@pytest.mark.parametrize("relations, expected", [(None, None), ([], [])])
def test_relations_not_annotated_and_none(align, relations, expected):
    assert align((WORDS, ENTITIES, relations)).relations == expected


def test_ends_of_relations_are_entities_where_none_are_annotated(align):
    gold = Doc(Vocab(), words=WORDS.split())
    gold._.relations = [(Span(gold, 0, 2, "PER"), Span(gold, 3, 4, "ORG"), "LEFT")]
    aligned = align(gold)
    assert aligned.entities == ENTITIES[:2]
    assert aligned.relations == [(0, 1, "LEFT")]
    assert unknown(aligned) == [2, 4, 5, 6]


def test_across_sentences(align):
    starts = [True, False, False, False, True, False, False]
    aligned = align((WORDS, ENTITIES, RELATIONS), sent_starts=starts)
    assert aligned.relations == [(0, 1, "LEFT")]
    assert aligned.lost == {"relations across sentences": 1}
    whole = align((WORDS, ENTITIES, RELATIONS), sent_starts=starts, window="doc")
    assert whole.relations == RELATIONS and not whole.lost


def test_entity_across_sentences_is_masked(align):
    starts = [True, True, False, False, False, False, False]
    aligned = align((WORDS, ENTITIES, RELATIONS), sent_starts=starts)
    assert aligned.entities == ENTITIES[1:]
    assert aligned.relations == [(1, 0, "HAS")]
    assert unknown(aligned) == [0, 1]
    assert aligned.lost == {"entities across sentences": 1, "relations of such entities": 1}


def test_relation_of_an_entity_with_itself_is_lost(align):
    aligned = align((WORDS, ENTITIES, [(0, 0, "LEFT"), *RELATIONS]))
    assert aligned.relations == RELATIONS
    assert aligned.lost == {"relations of an entity with itself": 1}


def overlapping(vocab):
    """doc.ents has the outer name, the span group all."""
    gold = Doc(vocab, words=["New", "York", "Times", "of", "Rome"])
    outer, inner, rome = (Span(gold, *x) for x in ((0, 3, "ORG"), (0, 2, "LOC"), (4, 5, "LOC")))
    gold.set_ents([outer])
    gold.spans[KEY] = [inner, outer, rome]
    gold._.relations = [(outer, inner, "IN"), (inner, rome, "NEAR")]
    return gold


def test_overlapping_entities_come_from_the_span_group(align):
    aligned = align(overlapping(Vocab()))
    assert aligned.entities == [(0, 2, "LOC"), (0, 3, "ORG"), (4, 5, "LOC")]
    assert aligned.relations == [(1, 0, "IN"), (0, 2, "NEAR")]
    assert unknown(aligned) == []


def test_two_labels_on_one_span(align):
    gold = Doc(Vocab(), words=["Rome", "won"], ents=["B-LOC", "O"])
    gold._.relations = [(Span(gold, 0, 1, "ORG"), Span(gold, 0, 1, "LOC"), "IN")]
    aligned = align(gold)
    assert aligned.entities == [(0, 1, "LOC"), (0, 1, "ORG")]
    assert aligned.relations == [(1, 0, "IN")]


def test_gold_entities_once_each():
    gold = overlapping(Vocab())
    assert [x.label for x in entity_mentions(gold, KEY)] == ["LOC", "ORG", "LOC"]
    assert [x.label for x in entity_mentions(gold, "other key")] == ["LOC", "ORG", "LOC"]
    gold._.relations = None
    assert [x.label for x in entity_mentions(gold, "other key")] == ["ORG"]


@pytest.mark.parametrize("window", ["sentence", "doc"])
def test_windows_of_a_batch_pass_over_empty_docs(window):
    vocab = Vocab()
    docs = [Doc(vocab), Doc(vocab, words=["a", "b"]), Doc(vocab), Doc(vocab, words=["c"])]
    windows = batch_windows(docs, [doc_windows(doc, window) for doc in docs])
    assert windows.rows.tolist() == [[1, 0, 2], [3, 0, 1]]
    assert (windows.doc_starts, windows.starts) == ([0, 0, 2, 2], [0, 2])
    assert batch_windows(docs[:1], [[]]).rows.shape == (0, 3)


def test_given_entities_are_those_inside_a_window_with_a_known_label():
    vocab = Vocab()
    empty, doc = Doc(vocab), Doc(vocab, words=list("abcd"), sent_starts=[True, False, True, False])
    doc.ents = [Span(doc, 0, 1, "PER"), Span(doc, 1, 3, "PER"), Span(doc, 3, 4, "GPE")]
    windows = batch_windows([empty, doc, doc], [[], [(0, 2), (2, 4)], [(0, 4)]])
    given = align_given([empty, doc, doc], windows, {"LOC": 0, "PER": 1})
    rows = list(zip(*(x.tolist() for x in given.entities)))
    assert rows == [(0, 0, 1, 1), (2, 4, 5, 1), (2, 5, 7, 1)]
    assert (given.unknown, given.n_across) == (["GPE"], 1)


def test_empty_doc(align):
    aligned = align_example(Example(Doc(Vocab()), Doc(Vocab())), KEY, [])
    assert (aligned.entities, len(aligned.known), aligned.relations) == ([], 0, None)


@pytest.mark.parametrize("pair", [(0, 1), (1, 0)])
def test_targets_of_a_batch(align, pair):
    first = align(overlapping(Vocab()))
    second = align(("Bo met Ada", [(0, 1, "PER"), (2, 3, "PER")], [(*pair, "MET")]))
    third = align(("Ada", [(0, 1, "PER")]))
    vocab = Vocab()
    docs = [Doc(vocab, words=["x"] * n) for n in (5, 3, 1)]
    windows = batch_windows(docs, [[(0, 4), (4, 5)], [(0, 3)], [(0, 1)]])
    labels = {"LOC": 0, "ORG": 1, "PER": 2}
    targets = make_targets(
        [first, second, third], windows, labels, {"IN": 0, "MET": 1, "NEAR": 2}, {"MET"}
    )
    # window, start and end in the batch, label
    assert list(zip(*(x.tolist() for x in targets.entities))) == [
        (0, 0, 2, 0),
        (0, 0, 3, 1),
        (1, 4, 5, 0),
        (2, 5, 6, 2),
        (2, 7, 8, 2),
        (3, 8, 9, 2),
    ]
    flat = list(zip(*(x.tolist() for x in targets.flat_entities)))
    assert flat == [(0, 0, 3, 1), (1, 4, 5, 0), (2, 5, 6, 2), (2, 7, 8, 2), (3, 8, 9, 2)]
    assert targets.flat.tolist() == [False, True, True, True, True, True]
    # A symmetric relation has the entity that comes first as its head, however it is annotated.
    assert targets.relations.tolist() == [[1, 0, 0], [0, 2, 2], [3, 4, 1]]
    assert targets.symmetric.tolist() == [False, False, True]
    assert targets.relations_known.tolist() == [True, True, True, False]
    assert targets.known.all() and len(targets.known) == 9


def test_targets_without_entities(align):
    windows = batch_windows([Doc(Vocab(), words=["a", "b"])], [[(0, 2)]])
    targets = make_targets([align(("a b", [], []))], windows, {}, {}, set())
    assert [x.shape for x in targets.entities] == [(0,)] * 4 and targets.relations.shape == (0, 3)
    assert targets.relations_known.tolist() == [True]
    assert targets.symmetric.tolist() == []


SPACED = ["\n", "Ada", "\t", "met", " ", " ", "Bo", " "]


@pytest.mark.parametrize(
    "entities, expected, n_trimmed, lost",
    [
        ([(1, 2, "PER"), (6, 7, "PER")], [(1, 2, "PER"), (6, 7, "PER")], 0, {}),
        ([(0, 2, "PER"), (4, 8, "PER")], [(1, 2, "PER"), (6, 7, "PER")], 2, {}),
        ([(0, 7, "ALL")], [(1, 7, "ALL")], 1, {}),
        ([(1, 2, "PER"), (4, 6, "GAP")], [(1, 2, "PER")], 1, {"entities of white space": 1}),
    ],
)
@pytest.mark.parametrize("words", [SPACED, ["Ada", "met", "Bo"]])
def test_white_space_at_the_ends_of_entities_is_left_out(
    words, entities, expected, n_trimmed, lost
):
    vocab = Vocab()
    gold = Doc(vocab, words=SPACED, spaces=[False] * len(SPACED))
    gold.ents = [Span(gold, *x) for x in entities]
    gold._.relations = [(x, y, "MET") for x in gold.ents for y in gold.ents if x.start < y.start]
    doc = Doc(vocab, words=words, spaces=[False] * len(words))
    aligned = align_example(Example(doc, gold), KEY, [(0, len(doc))])
    assert ["".join(doc[x[0] : x[1]].text.split()) for x in aligned.entities] == [
        "".join(gold[x[0] : x[1]].text.split()) for x in expected
    ]
    assert all(not doc[i].text.isspace() for x in aligned.entities for i in (x[0], x[1] - 1))
    assert len(aligned.relations) == (len(expected) == 2)
    if words is SPACED:
        assert (aligned.entities, aligned.trimmed) == (expected, n_trimmed)
        assert {x: n for x, n in aligned.lost.items() if "relations" not in x} == lost
        assert unknown(aligned) == []


def test_white_space_is_told_at_initialization(make_nlp):
    nlp, _ = make_nlp(initialize=False)
    gold = Doc(nlp.vocab, words=SPACED, spaces=[False] * len(SPACED))
    gold.ents = [Span(gold, 0, 2, "PER"), Span(gold, 6, 8, "PER")]
    gold._.relations = []
    with pytest.warns(UserWarning, match="W122.* 2 entities"):
        nlp.initialize(lambda: [Example(gold.copy(), gold)])


def test_texts_without_relations_among_others_are_told(make_nlp, make_examples):
    nlp, _ = make_nlp(initialize=False)
    examples = make_examples(nlp)
    examples[1].reference._.relations = None
    with pytest.warns(UserWarning, match="W121.* 1 of 5 texts.*spacy-jere.Corpus.v1"):
        nlp.initialize(lambda: examples)


def test_given_entities_that_nobody_gives_are_told(make_nlp):
    nlp, examples = make_nlp(given_entities=True)
    with pytest.warns(UserWarning, match="W123.*gold_entities"):
        nlp.evaluate(examples)


def test_predicted_relations_count_while_their_entities_are_there():
    gold = Doc(Vocab(), words=WORDS.split())
    found = Extraction([(*x, 0.9) for x in ENTITIES], [(0, 1, "LEFT", 0.8), (2, 1, "HAS", 0.7)])
    annotate(gold, found, "joint", spans_key=KEY, given_entities=False)
    for kept, expected in ((ENTITIES, RELATIONS), (ENTITIES[:2], RELATIONS[:1]), ([], [])):
        gold.ents = [Span(gold, *x) for x in kept]
        example = Example(Doc(gold.vocab, words=WORDS.split()), gold)
        aligned = align_example(example, KEY, [(0, len(gold))])
        assert (aligned.entities, aligned.relations) == (list(kept), expected)
        assert sum(aligned.lost.values()) == len(RELATIONS) - len(expected)
        assert unknown(aligned) == []


def test_a_predicted_group_says_nothing_of_tokens_without_annotation():
    gold = Doc(Vocab(), words=WORDS.split())
    found = Extraction([(0, 2, "PER", 0.9), (1, 2, "LOC", 0.5)], [])
    annotate(gold, found, "joint", spans_key=KEY, given_entities=False)
    gold.set_ents(list(gold.ents), missing=[gold[3:5]], default="outside")
    assert len(gold.spans[KEY]) == 2
    example = Example(Doc(gold.vocab, words=WORDS.split()), gold)
    assert unknown(align_example(example, KEY, [(0, len(gold))])) == [3, 4]
