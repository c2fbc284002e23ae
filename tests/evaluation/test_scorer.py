from itertools import pairwise

import pytest
import spacy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_jere.evaluation.error_analysis import RIGHT, analyze
from spacy_jere.evaluation.scorer import compare_relations, score_joint, score_relations
from spacy_jere.models.types import Extraction
from spacy_jere.pipeline.presets import annotate

WORDS = "Ada Bo Acme Rome Oslo 1815 ."
GOLD_ENTS = [(0, 1, "PER"), (1, 2, "PER"), (2, 3, "ORG"), (3, 4, "LOC"), (5, 6, "DATE")]
GOLD_RELS = [(0, 2, "WORKS"), (1, 2, "WORKS"), (0, 3, "LIVES")]
# Bo has the wrong type, Rome and 1815 are missed, Oslo is too much.
FOUND_ENTS = [(0, 1, "PER"), (1, 2, "ORG"), (2, 3, "ORG"), (4, 5, "LOC")]
# Right; right but for Bo's type; wrong tail; wrong direction.
FOUND_RELS = [(0, 2, "WORKS"), (1, 2, "WORKS"), (0, 3, "LIVES"), (2, 0, "WORKS")]
PAIR = [(0, 1, "PER"), (1, 2, "PER")]


@pytest.fixture(scope="module")
def vocab():
    return spacy.blank("en").vocab


@pytest.fixture
def example(vocab, annotate):
    def _example(found, gold, words=WORDS):
        return Example(annotate(vocab, words, *found), annotate(vocab, words, *gold))

    return _example


@pytest.mark.parametrize(
    "key, p, r, f",
    [
        ("ents", 2 / 4, 2 / 5, 4 / 9),
        ("ents_macro", 1.5 / 4, 1.5 / 4, 1 / 3),
        ("rels", 1 / 4, 1 / 3, 2 / 7),
        ("rels_macro", 1 / 6, 1 / 4, 1 / 5),
        ("rels_boundary", 2 / 4, 2 / 3, 4 / 7),
    ],
)
def test_scores_worked_out_by_hand(example, key, p, r, f):
    scores = score_joint([example((FOUND_ENTS, FOUND_RELS), (GOLD_ENTS, GOLD_RELS))])
    assert [scores[f"{key}_{x}"] for x in "prf"] == pytest.approx([p, r, f])


def test_scores_per_label_and_joint(example):
    scores = score_joint([example((FOUND_ENTS, FOUND_RELS), (GOLD_ENTS, GOLD_RELS))])
    assert scores["rels_per_type"] == {
        "LIVES": pytest.approx({"p": 0, "r": 0, "f": 0}),
        "WORKS": pytest.approx({"p": 1 / 3, "r": 1 / 2, "f": 2 / 5}),
    }
    assert scores["ents_per_type"] == {
        "PER": pytest.approx({"p": 1, "r": 1 / 2, "f": 2 / 3}),
        "ORG": pytest.approx({"p": 1 / 2, "r": 1, "f": 2 / 3}),
        "LOC": pytest.approx({"p": 0, "r": 0, "f": 0}),
        "DATE": pytest.approx({"p": 0, "r": 0, "f": 0}),
    }
    assert scores["joint_f"] == pytest.approx((4 / 9 + 2 / 7) / 2)


def test_counts_add_up_over_examples(example):
    right = example((GOLD_ENTS, GOLD_RELS), (GOLD_ENTS, GOLD_RELS))
    half = example((FOUND_ENTS, FOUND_RELS), (GOLD_ENTS, GOLD_RELS))
    scores = score_joint(x for x in (right, half))
    assert [scores[f"rels_{x}"] for x in "prf"] == pytest.approx([4 / 7, 4 / 6, 8 / 13])
    assert [scores[f"ents_{x}"] for x in "prf"] == pytest.approx([7 / 9, 7 / 10, 14 / 19])


@pytest.mark.parametrize(
    "found, recall",
    [
        (([], []), 0),
        (([], None), 0),
        ((GOLD_ENTS[:1], []), 0),
        ((GOLD_ENTS[:3], GOLD_RELS[:1]), 1 / 3),
        ((GOLD_ENTS, GOLD_RELS), 1),
    ],
)
def test_relations_of_missed_entities_count_in_recall(example, found, recall):
    scores = score_joint([example(found, (GOLD_ENTS, GOLD_RELS))])
    assert scores["rels_r"] == pytest.approx(recall)
    assert scores["rels_boundary_r"] == pytest.approx(recall)


def test_label_counts_whether_or_not_types_do(example):
    other = example((PAIR, [(0, 1, "HIT")]), (PAIR, [(0, 1, "MET")]), "Ada Bo")
    scores = score_joint([other])
    assert scores["rels_f"] == scores["rels_boundary_f"] == 0
    assert scores["ents_f"] == pytest.approx(1)


@pytest.mark.parametrize(
    "symmetric, strict", [([], 0), (["MET"], 1), (("MET", "OTHER"), 1), (["OTHER"], 0)]
)
def test_ends_of_symmetric_labels_may_be_swapped(example, symmetric, strict):
    swapped = example((PAIR, [(1, 0, "MET")]), (PAIR, [(0, 1, "MET")]), "Ada Bo")
    for scores in (
        score_joint([swapped], symmetric=symmetric),
        score_relations([swapped], symmetric=symmetric),
    ):
        assert scores["rels_f"] == pytest.approx(strict)
        assert scores["rels_boundary_f"] == pytest.approx(strict)


def test_both_directions_of_a_symmetric_label_count_once(example):
    both = example((PAIR, [(0, 1, "MET"), (1, 0, "MET")]), (PAIR, [(0, 1, "MET")]), "Ada Bo")
    assert score_joint([both], symmetric=["MET"])["rels_p"] == pytest.approx(1)
    assert score_joint([both])["rels_p"] == pytest.approx(1 / 2)


def test_doubles_with_different_scores_count_once(example):
    double = example((PAIR, []), (PAIR, [(0, 1, "MET")]), "Ada Bo")
    ends = double.predicted.ents
    double.predicted._.relations = [(*ends, "MET", 0.5), (*ends, "MET", 0.6)]
    assert score_joint([double])["rels_p"] == pytest.approx(1)


@pytest.mark.parametrize(
    "gold, ents_f, rels_f, joint_f",
    [
        ((GOLD_ENTS, None), 4 / 9, None, 4 / 9),
        ((None, None), None, None, None),
        (([], None), 0, None, 0),
        ((GOLD_ENTS, []), 4 / 9, 0, 2 / 9),
    ],
)
def test_what_is_not_annotated_has_no_score(example, gold, ents_f, rels_f, joint_f):
    scores = score_joint([example((FOUND_ENTS, FOUND_RELS), gold)])
    for key, value in (("ents_f", ents_f), ("rels_f", rels_f), ("joint_f", joint_f)):
        assert scores[key] == (None if value is None else pytest.approx(value))
    if rels_f is None:
        assert {value for key, value in scores.items() if key.startswith("rels")} == {None}
    if ents_f is None:
        assert {value for key, value in scores.items() if key.startswith("ents")} == {None}


def test_relations_can_be_annotated_without_entities(example):
    annotated = example((FOUND_ENTS, FOUND_RELS), (None, []))
    relations = [
        (*((x.start_char, x.end_char, x.label_) for x in annotated.predicted.ents[:2]), "L")
    ]
    annotated.predicted._.relations = annotated.reference._.relations = relations
    scores = score_joint([annotated])
    assert scores["ents_f"] is None
    assert scores["rels_f"] == scores["joint_f"] == pytest.approx(1)


def test_no_examples():
    scores = score_joint([])
    assert set(scores.values()) == {None}
    assert len(scores) == 21


def test_examples_without_annotation_say_nothing(example):
    annotated = example((GOLD_ENTS, GOLD_RELS), (GOLD_ENTS, GOLD_RELS))
    bare = example((FOUND_ENTS, FOUND_RELS), (None, None))
    assert score_joint([annotated, bare])["rels_p"] == pytest.approx(1)
    assert score_joint([annotated, bare])["ents_p"] == pytest.approx(1)


def test_tokens_without_annotation_say_nothing_of_entities(vocab, annotate):
    gold = Doc(vocab, words=WORDS.split())
    gold.set_ents([Span(gold, 0, 1, "PER")], missing=[gold[2:5]], default="outside")
    found = annotate(vocab, WORDS, [(0, 1, "PER"), (2, 3, "ORG"), (6, 7, "DATE")])
    assert score_joint([Example(found, gold)])["ents_p"] == pytest.approx(1 / 2)


REFERENCE = (
    ["Ada", "in", "New", "Oslo", "-", "West", "."],
    [True, True, True, False, False, False, False],
)
ADA_IN_OSLO = ("Ada", "New Oslo-West")


def make_doc(vocab, words, spaces, ends):
    doc = Doc(vocab, words=words, spaces=spaces)
    mentions = [(doc.text.index(x), doc.text.index(x) + len(x), "X") for x in ends]
    doc.set_ents([doc.char_span(*x) for x in mentions])
    doc._.relations = [(*mentions, "IN")]
    return doc


@pytest.mark.parametrize(
    "words, spaces, ends, f",
    [
        (*REFERENCE, ADA_IN_OSLO, 1),
        (*REFERENCE, ("Ada", "New Oslo"), 0),
        # The same text, other tokens
        (["Ada", "in", "New Oslo-West", "."], [1, 1, 0, 0], ADA_IN_OSLO, 1),
        (["Ada", "in", "New", "Oslo", "-West."], [1, 1, 1, 0, 0], ("Ada", "New Oslo"), 0),
        # Other white space, the same words
        (REFERENCE[0], [1] * 7, ("Ada", "New Oslo - West"), 1),
        (REFERENCE[0], [1] * 7, ("Ada", "Oslo - West"), 0),
        ([" ", *REFERENCE[0]], [1, *REFERENCE[1]], ADA_IN_OSLO, 1),
        (["Ada", " ", "in", "New", " ", "Oslo", "-", "West", "."], [1, 0, 1, 1, 0, 0, 0, 0, 0],
         ("Ada", "New  Oslo-West"), 1),
        (["Ada", "in", "New", "\n", "Oslo", "-", "West", "."], [1, 1, 0, 0, 0, 0, 0, 0],
         ("Ada", "New\nOslo-West"), 1),
        (["Ada", "in", "New", "\t", "Oslo", "-", "West", "."], [1, 1, 0, 0, 0, 0, 0, 0],
         ("Ada", "New"), 0),
        # Both
        (["Ada", "in", "NewOslo", "-West", "."], [0, 0, 0, 0, 0], ("Ada", "NewOslo-West"), 1),
        (["Adain", "New", "Oslo", "-", "West", "."], [0] * 6, ("Adain", "NewOslo-West"), 0),
    ],
)  # fmt: skip
def test_other_white_space_and_tokens_are_compared_by_text(vocab, words, spaces, ends, f):
    gold = make_doc(vocab, *REFERENCE, ADA_IN_OSLO)
    found = make_doc(vocab, words, [bool(x) for x in spaces], ends)
    for predicted, reference in ((found, gold), (gold, found)):
        scores = score_relations([Example(predicted, reference)])
        assert scores["rels_f"] == scores["rels_boundary_f"] == pytest.approx(f)


def test_overlapping_entities(vocab, annotate):
    """doc.ents holds one of two overlapping entities; the span group holds both."""
    found, gold = (annotate(vocab, WORDS, [(0, 2, "PER")], []) for _ in range(2))
    gold.spans["all"] = [Span(gold, 0, 2, "PER"), Span(gold, 1, 2, "PER"), Span(gold, 2, 4, "ORG")]
    found.spans["all"] = [
        Span(found, 0, 2, "PER"),
        Span(found, 1, 2, "LOC"),
        Span(found, 2, 4, "ORG"),
    ]
    scores = score_joint([Example(found, gold)], spans_key="all")
    assert [scores[f"spans_{x}"] for x in "prf"] == pytest.approx([2 / 3] * 3)
    assert scores["ents_f"] == 1


def test_entities_that_do_not_overlap_score_the_same_either_way(example):
    scores = score_joint([example((FOUND_ENTS, FOUND_RELS), (GOLD_ENTS, GOLD_RELS))])
    assert [scores[f"spans_{x}"] for x in "prf"] == [scores[f"ents_{x}"] for x in "prf"]


def test_entities_not_annotated_have_no_score(example):
    scores = score_joint([example((FOUND_ENTS, None), (None, None))])
    assert scores["spans_f"] is None and scores["ents_f"] is None


LENGTH = 6  # of a text without white space
CUTS = st.sets(st.integers(1, LENGTH - 1))


def cut(vocab, letters, cuts, spaces, gaps):
    """A Doc of letters, cut into tokens, with spaces and tokens of white space between; and the
    letters of each token."""
    bounds = [0, *sorted(cuts), LENGTH]
    words, places = [], []
    for i, (start, end) in enumerate(pairwise(bounds)):
        if gaps[i]:
            words.append(gaps[i])
            places.append(None)
        words.append(letters[start:end])
        places.append((start, end))
    return Doc(vocab, words=words, spaces=(spaces * len(words))[: len(words)]), places


def draw_end(data, doc, places):
    """Some tokens that begin and end with a word, and their letters."""
    words = [i for i, x in enumerate(places) if x]
    first = data.draw(st.sampled_from(words))
    last = data.draw(st.sampled_from([i for i in words if i >= first]))
    return Span(doc, first, last + 1, "X"), (places[first][0], places[last][1])


@pytest.mark.slow
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_relation_is_right_if_its_ends_have_the_same_letters(vocab, data):
    """And if they lie nowhere in the reference it is not, whatever their offsets and words are."""
    letters = data.draw(st.sampled_from(["aaaaaa", "ababab", "abcdef"]))
    sides = []
    for _ in range(2):
        gaps = data.draw(st.lists(st.sampled_from(["", "", " ", "\n"]), min_size=6, max_size=6))
        spaces = data.draw(st.lists(st.booleans(), min_size=1, max_size=4))
        doc, places = cut(vocab, letters, data.draw(CUTS), spaces, gaps)
        ends = [draw_end(data, doc, places) for _ in range(2)]
        doc._.relations = [(*(span for span, _ in ends), "R")]
        doc.ents = [ends[0][0]]
        sides.append((doc, [place for _, place in ends]))
    (found, found_places), (gold, gold_places) = sides
    example = Example(found, gold)
    right = found_places == gold_places
    assert score_relations([example])["rels_f"] == right
    either = right or found_places == gold_places[::-1]
    assert score_relations([example], symmetric=["R"])["rels_boundary_f"] == either
    match = next(analyze([example]).relations())
    assert (match.kind == RIGHT) is right


def test_nowhere_is_not_where_gold_is(vocab):
    """The predicted text begins with a space: its offsets are those of other gold words."""
    gold = Doc(vocab, words=["xAda", "met", "Bo"], spaces=[True, True, False])
    gold._.relations = [((0, 4, "X"), (5, 8, "X"), "R")]
    found = Doc(vocab, words=["x", "Ada", "met", "Bo"], spaces=[False, True, True, False])
    found._.relations = [((0, 4, "X"), (5, 8, "X"), "R")]
    assert score_relations([Example(found, gold)])["rels_f"] == 1
    found = Doc(vocab, words=["x", "Ad", "amet", "Bo"], spaces=[False, False, True, False])
    found._.relations = [((0, 3, "X"), (3, 7, "X"), "R")]
    gold._.relations = [((0, 3, "X"), (3, 7, "X"), "R")]
    assert score_relations([Example(found, gold)])["rels_f"] == 0
    assert score_joint([Example(found, gold)])["rels_boundary_f"] == 0


@pytest.mark.parametrize("symmetric", [[], ["R"]])
def test_two_that_lie_nowhere_are_two(vocab, symmetric):
    gold = Doc(vocab, words=["Ada", "met", "Bo"])
    gold._.relations = []
    found = Doc(vocab, words=["A", "dam", "etB", "o"], spaces=[False] * 4)
    found._.relations = [((0, 1, "X"), (1, 4, "X"), "R"), ((0, 1, "X"), (4, 7, "X"), "R")]
    predicted, _ = compare_relations(Example(found, gold), symmetric)
    assert len(predicted) == 2
    assert all(x.start < 0 for pair in predicted for x in (pair.head, pair.tail))


def test_predicted_groups_are_no_gold(vocab):
    """A reference that a component wrote counts by doc.ents, not by the group."""
    found, gold = (Doc(vocab, words=WORDS.split()) for _ in range(2))
    nested = Extraction([(0, 2, "PER", 0.9), (1, 2, "LOC", 0.8)], [(0, 1, "IN", 0.9)])
    for doc in (found, gold):
        annotate(doc, nested, "joint", spans_key="joint_ner_re", given_entities=False)
    scores = score_joint([Example(found, gold)])
    assert (scores["spans_p"], scores["spans_r"]) == (0.5, 1)
    assert scores["rels_p"] == 0
