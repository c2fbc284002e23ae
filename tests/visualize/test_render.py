"""The output of `render` and `to_svg`: well-formed, complete, accessible, without outside files."""

import re
import sys
import types
from xml.etree import ElementTree

import pytest
import spacy
from spacy.displacy.render import DEFAULT_LABEL_COLORS
from spacy.training import Example

from spacy_jere.evaluation.error_analysis import analyze
from spacy_jere.visualize import error_report, render, to_svg

SVG = "{http://www.w3.org/2000/svg}"


def svg_of(html):
    return ElementTree.fromstring(html).find(f".//{SVG}svg")


def group(root, kind):
    return [x for x in root.iter(f"{SVG}g") if (x.get("class") or "").split()[:1] == [kind]]


def texts(root, kind):
    return [x.text for x in root.iter(f"{SVG}text") if x.get("class") == kind]


def test_draws_words_entities_and_relations(found):
    root = svg_of(render(found))
    assert texts(root, "word") == [
        "Ada",
        "Byrne",
        "runs",
        "Keller",
        "&",
        "Sons",
        "in",
        "Ghent",
        ".",
        "Bo",
        "sleeps.",
    ]
    assert sorted(texts(root, "tag")) == ["ORG", "ORG", "PERSON"]
    assert sorted(texts(root, "label")) == ["BASED_IN", "WORKS_FOR"]


def test_entities_have_the_colours_of_displacy(found):
    colors = [x.get("style") for x in group(svg_of(render(found)), "jere-entity")]
    assert set(colors) == {f"--c:{DEFAULT_LABEL_COLORS[x]}" for x in ("ORG", "PERSON")}
    other = render(found, options={"colors": {"org": "rgb(1 2 3)"}})
    assert "--c:rgb(1 2 3)" in other and DEFAULT_LABEL_COLORS["ORG"] not in other


def test_every_label_has_a_colour_of_its_own(annotate):
    doc = annotate(spacy.blank("en").vocab, "a b c", [(i, i + 1, x) for i, x in enumerate("XYZ")])
    first, again = (re.findall('--c:(#[^"]+)', render(doc)) for _ in range(2))
    assert first == again and len(set(first)) == 3


def test_scores_are_told_on_hover_and_to_screen_readers(found):
    root = svg_of(render(found))
    for thing in group(root, "jere-entity") + group(root, "jere-relation"):
        assert thing.find(f"{SVG}title").text == thing.get("aria-label")
    said = [x.get("aria-label") for x in group(root, "jere-relation")]
    assert "Ada Byrne → WORKS_FOR → Keller & Sons, score 0.98" in said
    assert "Ghent: ORG, score 0.55" in [x.get("aria-label") for x in group(root, "jere-entity")]


def test_keyboard_reaches_every_entity_and_relation(found):
    root = svg_of(render(found))
    reached = [x for x in root.iter() if x.get("tabindex") == "0"]
    assert len(reached) == 5
    assert all(x.get("role") == "img" and x.get("aria-label") for x in reached)
    assert root.get("role") == "group" and "3 entities and 2 relations" in root.get("aria-label")
    assert "focus-visible" in render(found)


def test_comparison_has_three_colours(found, gold):
    root = svg_of(render(found, options={"gold": [gold]}))
    status = [x.get("class").split()[-1] for x in group(root, "jere-relation")]
    assert sorted(status) == ["missed", "right", "spurious"]
    assert sorted(texts(root, "label")) == ["○ BASED_IN", "✓ WORKS_FOR", "✕ BASED_IN"]
    entities = {
        (x.get("class").split()[-1], x.get("aria-label")) for x in group(root, "jere-entity")
    }
    assert entities == {
        ("right", "Ada Byrne: PERSON, score 0.99, right"),
        ("right", "Keller & Sons: ORG, score 0.90, right"),
        ("missed", "Ghent: GPE, missed"),
        ("spurious", "Ghent: ORG, score 0.55, spurious"),
        ("missed", "Bo: PERSON, missed"),
    }
    assert "legend" not in render(found).split("</style>")[1]


@pytest.mark.slow
def test_an_example_can_be_the_gold(found, gold):
    of_doc, of_example = (
        render(found, options={"gold": [x]}) for x in (gold, Example(found, gold))
    )
    assert of_doc == of_example


def test_symmetric_labels_are_right_either_way(found, gold):
    gold._.relations = [(gold.ents[1], gold.ents[0], "WORKS_FOR")]
    found._.relations = [(found.ents[0], found.ents[1], "WORKS_FOR")]
    for symmetric, right in (((), 0), (("WORKS_FOR",), 1)):
        root = svg_of(render(found, options={"gold": [gold], "symmetric": symmetric}))
        assert texts(root, "label").count("✓ WORKS_FOR") == right


def test_table(found, gold):
    root = ElementTree.fromstring(render(found, style="table"))
    rows = [["".join(cell.itertext()) for cell in row] for row in root.iter("tr")]
    assert rows[0] == ["Head", "Relation", "Tail", "Score", "Sentence"]
    assert rows[1] == ["Ada Byrne PERSON", "WORKS_FOR", "Keller & Sons ORG", "0.98", found.text]
    assert rows[2] == ["Keller & Sons ORG", "BASED_IN", "Ghent ORG", "0.61"]  # the same sentence
    root = ElementTree.fromstring(render(found, style="table", options={"gold": [gold]}))
    first = [row[0].text for row in root.iter("tr")]
    assert first == ["Comparison", "✓ right", "○ missed", "✕ spurious"]


def test_a_long_text_without_sentences_is_cut_in_the_table(annotate):
    words = " ".join(["word"] * 500)
    doc = annotate(
        spacy.blank("en").vocab, words, [(200, 201, "A"), (203, 204, "B")], [(0, 1, "R")]
    )
    root = ElementTree.fromstring(render(doc, style="table"))
    (sentence,) = [row[-1].text for row in root.iter("tr")][1:]
    assert 480 < len(sentence) < 530 and set(sentence.split()) == {"word"}


@pytest.mark.parametrize("style", ["arcs", "table"])
def test_nothing_comes_from_elsewhere(found, gold, style):
    page = render([found], style=style, page=True, options={"gold": [gold]})
    assert set(re.findall(r"https?://[^\"'\s<]+", page)) <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<script|<link|<img|url\(|@import| on\w+=", page)
    assert "prefers-color-scheme:dark" in page


@pytest.mark.parametrize("style", ["arcs", "table"])
def test_page_is_whole(found, style):
    page = render([found], style=style, page=True, options={"title": "A < B"})
    assert page.startswith('<!DOCTYPE html>\n<html lang="en">') and page.endswith("</html>\n")
    assert "<title>A &lt; B</title>" in page and 'charset="utf-8"' in page


@pytest.mark.slow
@pytest.mark.parametrize("style", ["arcs", "table"])
@pytest.mark.parametrize("docs", [[], [""], ["No entity here.", "", " \n"]])
def test_nothing_to_draw(docs, style):
    docs = [spacy.blank("en")(text) for text in docs]
    ElementTree.fromstring(render(docs, style=style))
    assert "<main>" in render(docs, style=style, page=True)


def test_markup_stays_text(annotate):
    doc = annotate(
        spacy.blank("en").vocab,
        "<b>&\"' <script>",
        [(0, 1, "<A>"), (1, 2, "\"'")],
        [(0, 1, "R<&\"'>")],
    )
    root = svg_of(render(doc))
    assert texts(root, "word") == ["<b>&\"'", "<script>"]
    assert texts(root, "label") == ["R<&\"'>"]
    assert "<script>" not in render(doc) + render(doc, style="table")


def test_an_svg_file_has_its_own_style(found):
    root = ElementTree.fromstring(to_svg(found))
    assert root.tag == f"{SVG}svg" and "prefers-color-scheme:dark" in root.find(f"{SVG}style").text
    assert root.get("viewBox") == f"0 0 {root.get('width')} {root.get('height')}"


def test_reading_a_doc_changes_nothing(found, gold):
    before = found.to_bytes(), gold.to_bytes()
    render(found, options={"gold": [gold]})
    assert (found.to_bytes(), gold.to_bytes()) == before


@pytest.mark.parametrize(
    "arguments, code",
    [
        ({"style": "dots"}, "E500"),
        ({"options": {"color": {}}}, "E501"),
        ({"options": {"colors": {"ORG": "red;}"}}}, "E502"),
        ({"options": {"gold": []}}, "E503"),
    ],
)
def test_errors_say_what_is_wrong(found, arguments, code):
    with pytest.raises(ValueError, match=code):
        render(found, **arguments)


@pytest.fixture
def notebook(monkeypatch):
    """What a notebook shows."""
    shown = []
    module = types.ModuleType("IPython.display")
    module.HTML, module.display = str, shown.append
    monkeypatch.setitem(sys.modules, "IPython", types.ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    return shown


def test_a_notebook_shows_it(found, notebook, monkeypatch):
    assert render(found, jupyter=True) is None
    monkeypatch.setattr("spacy_jere.visualize.is_in_jupyter", lambda: True)
    assert render(found) is None
    assert len(notebook) == 2 and all("tex2jax_ignore" in x for x in notebook)
    assert render(found, jupyter=False).startswith("<div")
    assert len(notebook) == 2


@pytest.mark.slow
@pytest.mark.parametrize("control", list("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"))
def test_controls_of_direction_stay_text(annotate, control):
    """They would turn what follows, also the labels and words of others."""
    words = f"{control}Ada met B{control}o {control}"
    doc = annotate(
        spacy.blank("en").vocab,
        words,
        [(0, 1, f"PER{control}"), (2, 3, "PER"), (3, 4, "OTHER")],
        [(0, 1, f"MET{control}"), (1, 2, "X")],
    )
    title = {"title": f"A{control}title"}
    drawn = [
        *(render(doc, style=x, page=True, options=title) for x in ("arcs", "table")),
        render(doc, options={"gold": [doc]}),
        to_svg(doc),
        error_report(analyze([Example(doc, doc)]), title=f"A{control}title"),
        error_report(analyze([Example(annotate(doc.vocab, words, [], []), doc)])),
    ]
    assert not any(control in page for page in drawn)
    assert all("\ufffdAda" in page for page in (*drawn[:4], drawn[5]))
    widths = re.findall(r'textLength="([^"]*)"', drawn[3])
    assert widths and all(float(x) > 0 for x in widths)


def test_marks_that_right_to_left_texts_need_stay(annotate):
    doc = annotate(spacy.blank("he").vocab, "דוד\u200f גר ב\u200eOslo", [(0, 1, "PER")], [])
    assert "\u200f" in to_svg(doc) and "\u200e" in to_svg(doc)
