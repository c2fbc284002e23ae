"""The page of errors: every kind with its count and its sentences."""

import re
from xml.etree import ElementTree

import pytest
import spacy
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_jere.evaluation.error_analysis import ENTITY_KINDS, RELATION_KINDS, analyze
from spacy_jere.visualize import error_report


def body(page):
    """The page's content as XML."""
    return ElementTree.fromstring(page[page.index("<main>") : page.index("</main>") + 7])


def rows(table):
    return [["".join(cell.itertext()) for cell in row] for row in table.iter("tr")]


@pytest.fixture
def page(found, gold):
    return error_report(analyze([Example(found, gold)]), title="Errors & more")


def test_has_every_kind_in_its_contents(page):
    root = body(page)
    links = {x.get("href")[1:] for x in root.iter("a")}
    assert links == {x.get("id") for x in root.iter() if x.get("id")}
    assert len(links) == 3 + len(ENTITY_KINDS) + len(RELATION_KINDS)
    assert root.find(".//h1").text == "Errors & more"


def test_counts_and_totals(page):
    results, entities, _, relations, confused = (rows(x) for x in body(page).iter("table"))
    assert results[1][:6] == ["Entities", "4", "3", "2", "2", "1"]
    assert results[2] == ["Relations", "2", "2", "1", "1", "1", "50.00", "50.00", "50.00"]
    assert entities[-1][:3] == ["All", "2", "1"] and entities[-1][-1] == "4"
    assert relations[-1] == ["All", "1", "0", "0", "1", "0", "0", "0", "0", "2"]
    assert confused[1] == ["BASED_IN", "1", "", ""]


def test_errors_are_drawn_with_their_sentence(page):
    assert "Relations: wrong type (1)" in page
    example = page.split('id="relations-wrong-type"')[1].split("<h3")[0]
    content = example.split(">", 1)[1].split("</h3>")[1]
    said = " ".join("".join(ElementTree.fromstring(f"<p>{content}</p>").itertext()).split())
    assert "gold: Keller & Sons ORG → BASED_IN → Ghent GPE" in said
    assert "found: Keller & Sons ORG → BASED_IN → Ghent ORG, score 0.61" in said
    assert example.count("<svg") == 1 and example.count("jere-relation") == 2


def test_limit(found, gold):
    analysis = analyze([Example(found, gold)] * 5)
    page = error_report(analysis, limit=2)
    assert "Entities: missed (5, 2 of them here)" in page
    assert page.count("<svg") < error_report(analysis).count("<svg")
    assert "jere-arcs" not in error_report(analysis, limit=0).split("</style>")[-1]


def test_one_sentence_of_a_long_text():
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    gold = nlp(" ".join(f"Word{i} sleeps." for i in range(50)))
    gold.ents = [Span(gold, 30, 31, "X")]
    found = gold.copy()
    found.ents = []
    page = error_report(analyze([Example(found, gold)]))
    assert set(re.findall(r"Word\d+", page)) == {"Word10"}


def test_a_relation_whose_words_are_not_in_the_text():
    vocab = spacy.blank("en").vocab
    gold, found = (Doc(vocab, words) for words in (["ab", "c"], ["a", "b", "c"]))
    gold._.relations = []
    found._.relations = [((0, 1, "A"), (4, 5, "B"), "R", 0.5)]
    page = error_report(analyze([Example(found, gold)]))
    assert "words that the gold text has not got" in page
    body(page)


def test_nothing_to_report():
    root = body(error_report(analyze([])))
    assert rows(next(root.iter("table")))[1][1:6] == ["0"] * 5


@pytest.mark.slow
def test_nothing_comes_from_elsewhere(page):
    assert set(re.findall(r"https?://[^\"'\s<]+", page)) <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<script|<link|<img|url\(|@import| on\w+=", page)
