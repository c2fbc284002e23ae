"""Offsets in other units than characters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_jere.formats._offsets import (
    characters,
    graphemes,
    solid_end,
    solid_start,
    unix_lines,
    utf16,
    utf16_unix_lines,
)

LETTERS = "aB \r\n🏠é\u0301👩🇩🇪각ᄀ\u2028ע😀🏽"
TEXTS = st.text(alphabet=f"{LETTERS}\u200d", max_size=20) | st.text(max_size=20)


@given(TEXTS)
def test_characters_are_counted_by_ones(text):
    assert not characters(text)
    assert [characters(text).character(i) for i in range(9)] == list(range(9))


@given(TEXTS)
def test_utf16(text):
    units = utf16(text)
    for i in range(len(text) + 1):
        assert units.character(len(text[:i].encode("utf-16-le")) // 2) == i
    assert bool(units) is any(ord(x) > 0xFFFF for x in text)


@given(TEXTS)
def test_lines_of_unix(text):
    units = unix_lines(text)
    for i in range(len(text) + 1):
        if text[i - 1 : i + 1] != "\r\n":
            assert units.character(len(text[:i].replace("\r\n", "\n"))) == i


@given(TEXTS)
def test_utf16_with_lines_of_unix(text):
    units = utf16_unix_lines(text)
    for i in range(len(text) + 1):
        if text[i - 1 : i + 1] != "\r\n":
            start = text[:i].replace("\r\n", "\n")
            assert units.character(len(start.encode("utf-16-le")) // 2) == i


@pytest.mark.parametrize(
    "text, ends",
    [
        ("abc", [1, 2, 3]),
        ("e\u0301a", [2, 3]),
        ("\r\na", [2, 3]),
        ("👩\u200d👩\u200d👧x", [5, 6]),
        ("👍🏽x", [2, 3]),
        ("🇩🇪🇫🇷🇩", [2, 4, 5]),
        ("❤\ufe0fx", [2, 3]),
        ("각각", [1, 2]),
        ("\u1112\u1161\u11abx", [3, 4]),
        ("नि", [2]),
        ("a\u200db", [2, 3]),
        ("\n\u0301", [1, 2]),
        ("", []),
    ],
)
def test_graphemes(text, ends):
    units = graphemes(text)
    assert [units.character(i) for i in range(1, len(ends) + 1)] == ends


@given(st.text(alphabet=LETTERS, max_size=20))
def test_graphemes_are_those_of_a_known_library(text):
    regex = pytest.importorskip("regex")
    ends = [match.end() for match in regex.finditer(r"\X", text)]
    units = graphemes(text)
    assert [units.character(i) for i in range(1, len(ends) + 1)] == ends


@given(st.text(alphabet="a \n\u2028\x1c🏠", max_size=12), st.integers(0, 12))
def test_white_space_is_skipped(text, position):
    position = min(position, len(text))
    rest, before = text[position:], text[:position]
    assert solid_start(text, position) == len(text) - len(rest.lstrip())
    assert solid_end(text, position) == len(before.rstrip())
