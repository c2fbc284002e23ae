"""The layout of a picture: nothing lies on a text and nothing outside, whatever the text."""

import itertools
import unicodedata
from xml.etree import ElementTree

import pytest
import spacy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spacy.tokens import Span

from spacy_jere.relations import StoredRelation, mention, store_relations
from spacy_jere.visualize import to_svg
from spacy_jere.visualize.layout import lay_out
from spacy_jere.visualize.picture import picture_of

KEY = "joint_ner_re"
NLP = spacy.blank("xx")
NEAR = 0.05  # rounding


def make_doc(text, spans=(), relations=()):
    """A Doc of the tokens between white space. Spans are (first token, end, label)."""
    doc = NLP.make_doc(text)
    found = [Span(doc, *span) for span in spans]
    doc.spans[KEY] = found
    stored = [
        StoredRelation(mention(found[head]), mention(found[tail]), label, 0.5)
        for head, tail, label in relations
    ]
    store_relations(doc, dict.fromkeys(stored))
    return doc


def overlap(a, b):
    return (
        a.x < b.right - NEAR
        and b.x < a.right - NEAR
        and a.y < b.bottom - NEAR
        and b.y < a.bottom - NEAR
    )


def inside(a, b):
    return (
        b.x - NEAR <= a.x
        and a.right <= b.right + NEAR
        and b.y - NEAR <= a.y
        and a.bottom <= b.bottom + NEAR
    )


def mixed(text):
    """Whether a text runs in both directions."""
    kinds = {unicodedata.bidirectional(char) for char in text}
    return "L" in kinds and bool(kinds & {"R", "AL"})


def check(doc, width=600.0):
    """Assert all that is true of every picture."""
    picture = picture_of(doc, KEY)
    layout = lay_out(picture, width)
    last_bottom = 0.0
    for line in layout.lines:
        words = [x.box for x in line.words]
        cards = [x.box for x in line.cards]
        labels = [x.label for x in line.arcs]
        for box in words + cards + labels:
            assert box.x >= -NEAR and box.right <= layout.width + NEAR
            assert last_bottom - NEAR <= box.y and box.bottom <= layout.height + NEAR
        tags = [x.tag for x in line.cards if x.tag]
        if mixed(picture.text):
            tags = []  # an entity whose words stand apart may have others between them
        for group in (words, labels, tags):
            assert not any(overlap(a, b) for a, b in itertools.combinations(group, 2))
        assert not any(overlap(a, b) for a in labels for b in words + cards)
        assert not any(overlap(x.tag, b) for x in line.cards if x.tag for b in words)
        top = min(x.y for x in words)
        for arc in line.arcs:
            feet = [x for x in (arc.left_foot, arc.right_foot) if x is not None]
            assert 0 <= arc.left <= arc.right <= layout.width
            assert all(arc.y < foot <= top + NEAR for foot in feet)
            assert arc.y <= top and arc.y > last_bottom
            check_feet(picture.links[arc.link], arc, {x.mark: x.box for x in line.cards})
        last_bottom = max(x.bottom for x in words + cards)
    check_complete(picture, layout)
    return layout


def check_feet(link, arc, cards):
    """An arc ends on the frame of its entities, with its arrow on the tail's."""
    feet = [(x, y) for x, y in ((arc.left, arc.left_foot), (arc.right, arc.right_foot)) if y]
    assert len(feet) > 0 or not arc.arrow
    for x, y in feet:
        ends = [cards[mark] for mark in (link.head, link.tail) if mark in cards]
        assert any(box.x <= x <= box.right and box.y == pytest.approx(y) for box in ends)
    if arc.arrow:
        box = cards[link.tail]
        assert box.x <= (arc.left if arc.arrow == "left" else arc.right) <= box.right


def check_complete(picture, layout):
    """Every character is drawn once. Every entity has one label, every relation its two ends."""
    drawn = "".join(word.text for line in layout.lines for word in line.words)
    assert drawn == "".join(picture.text.split())
    tagged = [card.mark for line in layout.lines for card in line.cards if card.tag]
    assert sorted(tagged) == [
        i for i, x in enumerate(picture.marks) if picture.text[x.start : x.end].strip()
    ]
    arcs = [arc for line in layout.lines for arc in line.arcs]
    for i in {arc.link for arc in arcs}:
        own = [arc for arc in arcs if arc.link == i]
        feet = [x for arc in own for x in (arc.left_foot, arc.right_foot) if x is not None]
        assert len(feet) == 2
        assert [bool(arc.arrow) for arc in own].count(True) == 1


WORDS = "a b c d e f g h i j k l"
EDGE_CASES = {
    "empty": ("", [], []),
    "white space": (" \n\t ", [], []),
    "no entities": (WORDS, [], []),
    "no relations": (WORDS, [(0, 1, "A"), (11, 12, "B")], []),
    "at the edges": (WORDS, [(0, 1, "A"), (11, 12, "B")], [(0, 1, "R")]),
    "whole text": (WORDS, [(0, 12, "A")], []),
    "nested": (WORDS, [(1, 6, "A"), (2, 4, "B"), (2, 3, "C")], [(0, 1, "R"), (2, 0, "S")]),
    "crossing": (WORDS, [(1, 4, "A"), (3, 6, "B"), (5, 8, "C")], [(0, 1, "R"), (1, 2, "S")]),
    "same words": (WORDS, [(1, 3, "A"), (1, 3, "B")], [(0, 1, "R"), (1, 0, "R")]),
    "with itself": (WORDS, [(1, 3, "A")], [(0, 0, "R")]),
    "many on one pair": (
        WORDS,
        [(1, 2, "A"), (4, 5, "B")],
        [(i % 2, 1 - i % 2, f"LABEL_{i}") for i in range(12)],
    ),
    "long labels": (WORDS, [(0, 1, "A" * 80), (1, 2, "B" * 80)], [(0, 1, "R" * 80)]),
    "one long word": ("x" * 500 + " y", [(0, 1, "A"), (1, 2, "B")], [(0, 1, "R"), (1, 0, "S")]),
    "emoji": ("👩‍👩‍👧 lives in 🇳🇴 with 👍🏽 🎉🎉", [(0, 1, "A"), (3, 4, "B")], [(0, 1, "R")]),
    "combining": ("e\u0301te\u0301 nai\u0308ve u\u0308ber", [(0, 1, "A"), (2, 3, "B")],
                  [(0, 1, "R")]),
    "lines and tabs": ("a\tb\n\nc d\r\ne", [(0, 1, "A"), (5, 6, "B")], [(0, 1, "R")]),
    "markup": ('<b>&amp; "x" </b>', [(0, 1, "<A>")], [(0, 0, "&\"'<")]),
    "controls": ("a\x00b \x1b c\x7f", [(0, 1, "A\x00")], [(0, 0, "R\x01")]),
    "Hebrew": ("דוד גר בתל אביב משנת 1906 .", [(0, 1, "A"), (2, 4, "B")], [(0, 1, "R")]),
    "Arabic": ("ولد محمد في القاهرة مع أخته من شركة Microsoft Corporation",
               [(1, 2, "A"), (3, 4, "B"), (8, 10, "C")], [(0, 1, "R"), (0, 2, "R")]),
    "Chinese": ("山田太郎 は 東京 の 会社", [(0, 1, "A"), (2, 3, "B")], [(0, 1, "R")]),
}  # fmt: skip


@pytest.mark.parametrize("width", [320.0, 900.0])
@pytest.mark.parametrize("name", EDGE_CASES)
def test_edge_cases(name, width):
    doc = make_doc(*EDGE_CASES[name])
    check(doc, width)
    ElementTree.fromstring(to_svg(doc, {"width": width}))


def long_doc(n=2000, step=5, reach=3):
    spans = [(i, i + 2, "PER") for i in range(0, n - 2, step)]
    relations = [(i, (i + reach) % len(spans), "KNOWS") for i in range(len(spans))]
    return make_doc(" ".join(f"word{i}" for i in range(n)), spans, relations)


def test_arcs_go_on_over_lines():
    layout = check(long_doc(40), 320.0)
    parts = {}
    for arc in (arc for line in layout.lines for arc in line.arcs):
        parts.setdefault(arc.link, []).append((arc.left_foot is None, arc.right_foot is None))
    assert parts[0][0] == (False, True) and parts[0][-1] == (True, False)
    assert set(parts[0][1:-1]) <= {(True, True)}


@pytest.mark.slow
@pytest.mark.parametrize("reach", [3, 199])
def test_long_text_is_drawn_whole(reach):
    layout = check(long_doc(reach=reach), 900.0)
    assert len(layout.lines) > 100


def test_pictures_keep_to_their_width():
    assert check(long_doc(200), 500.0).width <= 500
    assert check(make_doc("a b", [(0, 1, "A")]), 900.0).width < 100


def places(layout):
    return {word.text: word.box.x for line in layout.lines for word in line.words}


def test_text_from_right_to_left_begins_on_the_right():
    text, spans, relations = EDGE_CASES["Arabic"]
    layout = check(make_doc(text, spans, relations))
    place = places(layout)
    assert place["ولد"] > place["محمد"] > place["القاهرة"] > place["Corporation"]
    assert place["Microsoft"] < place["Corporation"]  # a run from left to right in it
    assert all(arc.arrow == "left" for arc in layout.lines[0].arcs)


@pytest.mark.parametrize("lang, first", [("he", "שלום"), ("en", "Microsoft")])
def test_a_mixed_text_begins_where_its_language_does(lang, first):
    doc = spacy.blank(lang)("שלום Microsoft" if lang == "he" else "Microsoft שלום Windows")
    place = places(lay_out(picture_of(doc, KEY), 600))
    assert (place[first] > min(place.values())) == (lang == "he")


LETTERS = st.sampled_from("abW m.,-\n\t  <&é\u0301שלםعمم東京👍🇳🇴\u200d1٣")


@st.composite
def docs(draw):
    doc = NLP.make_doc(draw(st.text(LETTERS, max_size=80)))
    if not len(doc):
        return doc
    tokens = st.integers(0, len(doc) - 1)
    bounds = draw(
        st.lists(
            st.tuples(tokens, st.integers(1, 6), st.sampled_from(["A", "LONG_LABEL"])), max_size=8
        )
    )
    spans = [Span(doc, i, min(len(doc), i + n), label) for i, n, label in bounds]
    doc.spans[KEY] = spans
    if spans:
        ends = st.sampled_from([mention(x) for x in spans])
        labels = st.sampled_from(["R", "A_RATHER_LONG_LABEL"])
        rows = draw(st.lists(st.tuples(ends, ends, labels), max_size=10, unique=True))
        store_relations(doc, [StoredRelation(*row, 0.5) for row in rows])
    return doc


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(docs(), st.sampled_from([320.0, 450.0, 900.0]))
def test_any_text(doc, width):
    check(doc, width)
    ElementTree.fromstring(to_svg(doc, {"width": width}))
