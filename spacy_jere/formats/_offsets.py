"""Offsets that count other things than characters, and where white space lies in a text."""

import re
import unicodedata
from bisect import bisect_right
from functools import lru_cache
from typing import Iterable, Iterator, List, Tuple

_SOLID = re.compile(r"\S+")
_BEYOND = re.compile("[\U00010000-\U0010ffff]")
_WINDOWS = re.compile("\r\n|[\U00010000-\U0010ffff]")
_JOINER = "\u200d"
_FLAGS = range(0x1F1E6, 0x1F200)
_TONES = range(0x1F3FB, 0x1F400)
# Hangul letters: those that begin a syllable, vowels, and those that end one
_LEADING, _VOWELS, _TRAILING = range(0x1100, 0x1160), range(0x1160, 0x11A8), range(0x11A8, 0x1200)
_SYLLABLES, _N_TRAILING = range(0xAC00, 0xD7A4), 28


class Units:
    """Translates offsets of one text into characters.

    pieces (Iterable[Tuple[int, int, int]]): All parts of the text that don't count one unit per
        character, in their order: first character, number of characters, number of units.
    """

    def __init__(self, pieces: Iterable[Tuple[int, int, int]] = ()):
        self._starts: List[int] = []  # in units
        self._ends: List[int] = []
        self._characters: List[int] = []  # the ends, in characters
        behind = 0
        for start, n_characters, n_units in pieces:
            self._starts.append(start + behind)
            self._ends.append(start + behind + n_units)
            self._characters.append(start + n_characters)
            behind += n_units - n_characters

    def __bool__(self) -> bool:
        """Whether units differ from characters anywhere."""
        return bool(self._starts)

    def character(self, offset: int) -> int:
        """RETURNS (int): The character at an offset; an offset in a piece is moved to its end."""
        i = bisect_right(self._ends, offset)
        if i < len(self._starts) and self._starts[i] < offset:
            return self._characters[i]
        return offset - (self._ends[i - 1] - self._characters[i - 1] if i else 0)


def characters(text: str) -> Units:
    """RETURNS (Units): Offsets that are characters already."""
    return Units()


def utf16(text: str) -> Units:
    """RETURNS (Units): Offsets as browsers count them: two for a character beyond U+FFFF."""
    return Units((match.start(), 1, 2) for match in _BEYOND.finditer(text))


def unix_lines(text: str) -> Units:
    """RETURNS (Units): Offsets that count one for a line end of two characters."""
    return Units((x.start(), 2, 1) for x in _WINDOWS.finditer(text) if x.group() == "\r\n")


def utf16_unix_lines(text: str) -> Units:
    """RETURNS (Units): Offsets of a browser that counts one for a line end of two characters."""
    return Units(
        (x.start(), 2, 1) if x.group() == "\r\n" else (x.start(), 1, 2)
        for x in _WINDOWS.finditer(text)
    )


def graphemes(text: str) -> Units:
    """RETURNS (Units): Offsets that count what is seen as one character (UAX 29)."""
    return Units((start, n, 1) for start, n in _clusters(text) if n > 1)


def has_beyond(text: str, end: int) -> bool:
    """RETURNS (bool): Whether a character beyond U+FFFF stands before a position."""
    return _BEYOND.search(text, 0, max(end, 0)) is not None


@lru_cache(maxsize=8)
def _solid(text: str) -> Tuple[List[int], List[int]]:
    """RETURNS (Tuple[List[int], List[int]]): Starts and ends of what is no white space."""
    runs = [match.span() for match in _SOLID.finditer(text)]
    return [start for start, _ in runs], [end for _, end in runs]


def solid_start(text: str, start: int) -> int:
    """RETURNS (int): The first character from `start` on that is no white space; the length of the
    text if there is none."""
    if start < len(text) and not text[start].isspace():
        return start
    starts, _ = _solid(text)
    i = bisect_right(starts, start - 1)
    return starts[i] if i < len(starts) else len(text)


def solid_end(text: str, end: int) -> int:
    """RETURNS (int): The end of the last character before `end` that is no white space; 0 if there
    is none."""
    if 0 < end <= len(text) and not text[end - 1].isspace():
        return end
    starts, ends = _solid(text)
    i = bisect_right(starts, end - 1)
    return min(ends[i - 1], end) if i else 0


def _clusters(text: str) -> Iterator[Tuple[int, int]]:
    """RETURNS (Iterator[Tuple[int, int]]): First character and length of each grapheme cluster."""
    start, n_flags = 0, 0
    for i in range(1, len(text) + 1):
        n_flags = n_flags + 1 if ord(text[i - 1]) in _FLAGS else 0
        if i == len(text) or not _joined(text, start, i, n_flags):
            yield start, i - start
            start, n_flags = i, 0


def _joined(text: str, start: int, i: int, n_flags: int) -> bool:
    """RETURNS (bool): Whether a character belongs to the cluster before it."""
    before, here = text[i - 1], text[i]
    if before == "\r" and here == "\n":
        return True
    if _is_control(before) or _is_control(here):
        return False
    code, category = ord(here), unicodedata.category(here)
    if category in ("Mn", "Me", "Mc") or here in (_JOINER, "\u200c") or code in _TONES:
        return True
    if before == _JOINER:
        return _is_picture(here) and _is_picture(text[start])
    if code in _FLAGS:
        return n_flags % 2 == 1
    return _is_hangul(ord(before), code)


def _is_control(character: str) -> bool:
    if character in (_JOINER, "\u200c"):
        return False
    category = unicodedata.category(character)
    is_arabic_sign = 0x600 <= ord(character) < 0x8E3
    return category in ("Cc", "Zl", "Zp") or (category == "Cf" and not is_arabic_sign)


def _is_picture(character: str) -> bool:
    return unicodedata.category(character) == "So" or 0x1F000 <= ord(character) < 0x1FB00


def _is_hangul(before: int, code: int) -> bool:
    bare = before in _SYLLABLES and (before - _SYLLABLES.start) % _N_TRAILING == 0
    if before in _LEADING:
        return code in _LEADING or code in _VOWELS or code in _SYLLABLES
    if before in _VOWELS or bare:
        return code in _VOWELS or code in _TRAILING
    return (before in _TRAILING or before in _SYLLABLES) and code in _TRAILING
