"""The text around the ends of a relation: what is shown, and that it is never the whole of a long
text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_jere.export import WRITERS
from spacy_jere.export.facts import doc_facts

WITH_TEXT = ["triples", "csv", "parquet", "turtle", "graphml", "node_link", "neo4j"]


def words(n):
    return [f"w{i}" for i in range(n)]


def sentence(doc, context):
    (fact,) = doc_facts(doc, "0", context)
    return fact.sentence


@pytest.mark.parametrize(
    "head, tail, context, shown",
    [
        (4, 6, 0, "w4 … w6"),
        (4, 5, 0, "w4 w5"),
        (4, 4, 0, "w4"),
        (4, 6, 1, "w3 w4 w5 w6 w7"),
        (6, 4, 1, "w3 w4 w5 w6 w7"),
        (0, 9, 1, "w0 w1 … w8 w9"),
        (1, 5, 1, "w0 w1 w2 … w4 w5 w6"),
        (1, 4, 1, "w0 w1 w2 w3 w4 w5"),
        (0, 9, 100, " ".join(words(10))),
    ],
)
def test_without_sentences_the_words_around_are_shown(new_doc, head, tail, context, shown):
    ends = (head, head + 1, "A"), (tail, tail + 1, "B")
    assert sentence(new_doc(words(10), [(*ends, "R", None)]), context) == shown


@pytest.mark.parametrize(
    "head, tail, context, shown",
    [
        (4, 6, 100, "w3 w4 w5 w6"),
        (4, 6, 1, "w3 w4 w5 w6"),
        (3, 5, 1, "w3 w4 w5 w6"),
        (1, 4, 100, "w0 w1 w2 w3 w4 w5 w6"),
        (0, 8, 1, "w0 w1 … w7 w8 w9"),
        (8, 0, 2, "w0 w1 w2 … w6 w7 w8 w9"),
    ],
)
def test_sentences_end_what_is_shown(new_doc, head, tail, context, shown):
    starts = [i in (0, 3, 7) for i in range(10)]
    ends = (head, head + 1, "A"), (tail, tail + 1, "B")
    assert sentence(new_doc(words(10), [(*ends, "R", None)], starts=starts), context) == shown


def test_ends_inside_each_other(new_doc):
    doc = new_doc(words(20), [((2, 9, "A"), (4, 5, "B"), "R", None)])
    assert sentence(doc, 1) == " ".join(words(20)[1:10])


def test_long_words_count_as_many(new_doc):
    texts = ["x" * 10_000, "a", "met", "b", "y" * 10_000]
    doc = new_doc(texts, [((1, 2, "A"), (3, 4, "B"), "R", None)])
    assert sentence(doc, 100) == "a met b"


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_both_ends_are_always_shown_and_no_more_than_the_context(new_doc, data):
    n = data.draw(st.integers(1, 40))
    place = st.integers(0, n - 1)
    ends = []
    for label in "AB":
        first, last = sorted((data.draw(place), data.draw(place)))
        ends.append((first, last + 1, label))
    starts = data.draw(st.none() | st.lists(st.booleans(), min_size=n, max_size=n))
    starts = starts and [True, *starts[1:]]
    context = data.draw(st.integers(0, 12))
    doc = new_doc(words(n), [(*ends, "R", None)], starts=starts)
    (fact,) = doc_facts(doc, "0", context)
    shown = {token.i for span in fact.passages for token in span}
    for start, end, _ in ends:
        assert set(range(start, end)) <= shown
    near = {
        i for i in range(n) if any(start - context <= i < end + context for start, end, _ in ends)
    }
    assert shown <= near
    if starts is None:
        assert shown == near
    assert [span.text for span in fact.passages] == fact.sentence.split(" … ")


@pytest.mark.parametrize("name", WITH_TEXT)
def test_context_is_an_option(tmp_path, new_doc, name):
    doc = new_doc(words(50), [((20, 21, "A"), (22, 23, "B"), "R", None)])
    for context in (2, 30):
        out = tmp_path / f"{context}"
        WRITERS[name].write([doc], out, context=context)
        written = b"".join(x.read_bytes() for x in (out.rglob("*") if out.is_dir() else [out]))
        assert b"w20 w21 w22" in written
        assert (b" w10 " in written) is (context == 30)
    with pytest.raises(ValueError, match="E327"):
        WRITERS[name].write([doc], tmp_path / "no", context=-1)
    assert not (tmp_path / "no").exists()


@pytest.mark.slow
@pytest.mark.parametrize("boundaries", [True, False])
@pytest.mark.parametrize("name", WITH_TEXT)
def test_output_grows_with_the_text_not_with_its_square(tmp_path, new_doc, name, boundaries):
    """A text without sentences, or one long sentence, with a relation at every third word, some of
    them from one end of the text to the other."""
    sizes = []
    for n in (3000, 12_000):
        starts = [i == 0 for i in range(n)] if boundaries else None
        relations = [((i, i + 1, "A"), (i + 1, i + 2, "B"), "R", None) for i in range(0, n - 2, 3)]
        relations += [((0, 1, "A"), (n - 1, n, "B"), f"R{i}", None) for i in range(n // 30)]
        doc = new_doc(words(n), relations, starts=starts)
        WRITERS[name].write([doc], out := tmp_path / f"{n}")
        files = out.rglob("*") if out.is_dir() else [out]
        sizes.append(sum(x.stat().st_size for x in files))
    assert sizes[1] < 6 * sizes[0]  # four times the text
