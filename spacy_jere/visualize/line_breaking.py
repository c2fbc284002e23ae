"""Line breaking: a text cut into pieces and lines, each piece with its place in its line."""

import re
import unicodedata
from dataclasses import dataclass, field
from typing import Dict, List, NamedTuple, Optional, Sequence

from .font_metrics import BOLD, continues, is_wide, text_width
from .picture import Mark

TEXT_SIZE = 16.0
TAG_SIZE = 11.0
PAD = 5.0  # on either side of an entity's text
LONGEST_LABEL = 32
_SPACE = text_width(" ", TEXT_SIZE)


@dataclass
class Piece:
    """A stretch of text that is drawn at once: a word, or a part of one at the edge of an entity.

    start, end (int): Its characters.
    gap (float): The space before it.
    glued (bool): Whether it belongs to the same word as the piece before.
    new_line (bool): Whether the text has a line break before it.
    before, after (float): Room for the entities that begin and end with it.
    """

    start: int
    end: int
    text: str
    width: float
    gap: float
    glued: bool
    new_line: bool
    before: float = 0.0
    after: float = 0.0

    @property
    def full_width(self) -> float:
        return self.before + self.width + self.after


@dataclass
class Extent:
    """The extent of an entity.

    first, last (int): Its pieces.
    level (int): 0 for an entity without others inside.
    before, after (float): The room of its frame beyond its text.
    """

    first: int
    last: int
    level: int
    before: float = 0.0
    after: float = 0.0


class PlacedPiece(NamedTuple):
    """A piece in its line.

    x (float): The left edge of its text.
    """

    piece: int
    x: float
    rtl: bool


@dataclass
class BrokenText:
    """A text in lines.

    extents (Dict[int, Extent]): By the index of the mark. Marks without a visible character have
        none.
    width (float): The width of the widest line.
    """

    pieces: List[Piece]
    extents: Dict[int, Extent]
    lines: List[List[PlacedPiece]] = field(default_factory=list)
    width: float = 0.0

    def line_of(self) -> Dict[int, int]:
        """RETURNS (Dict[int, int]): The line of each piece."""
        return {x.piece: i for i, line in enumerate(self.lines) for x in line}


def break_text(
    text: str, marks: Sequence[Mark], least: Sequence[float], limit: float, rtl: bool
) -> BrokenText:
    """Break a text into lines, between words and if possible not inside an entity.

    least (Sequence[float]): The least width of each mark: room for its label and its arcs.
    limit (float): The greatest width of a line.
    """
    pieces = _cut(text, marks, limit - 4 * PAD)
    extents = _extents(pieces, marks, least)
    broken = BrokenText(pieces, extents)
    lines = _fill(pieces, _atoms(pieces, list(extents.values()), limit), limit)
    widths = [sum(pieces[i].gap for i in line[1:]) + _full(pieces, line) for line in lines]
    broken.width = max(widths, default=0.0)
    broken.lines = [
        _place(pieces, line, width, broken.width, rtl) for line, width in zip(lines, widths)
    ]
    return broken


def shown_label(label: str) -> str:
    """RETURNS (str): A label as it is drawn. Very long ones are cut."""
    return label if len(label) <= LONGEST_LABEL else label[: LONGEST_LABEL - 1] + "…"


def tag_width(label: str) -> float:
    return text_width(shown_label(label), TAG_SIZE) * BOLD


# Pieces


def _cut(text: str, marks: Sequence[Mark], limit: float) -> List[Piece]:
    borders = {x for mark in marks for x in (mark.start, mark.end)}
    pieces: List[Piece] = []
    last_end = 0
    for word in re.finditer(r"\S+", text):
        between = text[last_end : word.start()]
        gap = _SPACE if between and pieces else 0.0
        new_line = "\n" in between and bool(pieces)
        start, width, glued = word.start(), 0.0, False
        for i in range(word.start(), word.end()):
            width += text_width(text[i], TEXT_SIZE)
            if i + 1 < word.end():
                breaks = _may_break(text, i + 1) or width > limit - TEXT_SIZE
                if continues(text, i + 1) or not (breaks or i + 1 in borders):
                    continue
            part = text[start : i + 1]
            pieces.append(
                Piece(start, i + 1, part, text_width(part, TEXT_SIZE), gap, glued, new_line)
            )
            start, width, gap, new_line = i + 1, 0.0, 0.0, False
            glued = i + 1 < word.end() and not breaks
        last_end = word.end()
    return pieces


def _may_break(text: str, position: int) -> bool:
    """RETURNS (bool): Whether a line may break inside a Chinese or Japanese text.

    It may not break before closing punctuation or after an opening bracket.
    """
    left, right = text[position - 1], text[position]
    if not (is_wide(left) or is_wide(right)):
        return False
    closing = unicodedata.category(right) in ("Pe", "Pf", "Po")
    return not closing and unicodedata.category(left) not in ("Ps", "Pi")


def _extents(
    pieces: Sequence[Piece], marks: Sequence[Mark], least: Sequence[float]
) -> Dict[int, Extent]:
    """Find the pieces of each entity, small ones first, and make room for frames and labels."""
    extents: Dict[int, Extent] = {}
    for index, mark in sorted(enumerate(marks), key=lambda x: (x[1].end - x[1].start, x[1].start)):
        inside = [i for i, x in enumerate(pieces) if x.start < mark.end and mark.start < x.end]
        if not inside:
            continue
        first, last = inside[0], inside[-1]
        below = [x.level for x in extents.values() if x.first <= last and first <= x.last]
        extent = Extent(first, last, max(below, default=-1) + 1)
        width = _full(pieces, range(first, last + 1))
        width += sum(x.gap for x in pieces[first + 1 : last + 1])
        missing = max(0.0, least[index] - width)
        pieces[first].before += PAD + missing / 2
        pieces[last].after += PAD + missing / 2
        extent.before, extent.after = pieces[first].before - 1, pieces[last].after - 1
        extents[index] = extent
    return extents


# Lines


def _atoms(pieces: Sequence[Piece], extents: List[Extent], limit: float) -> List[List[int]]:
    """Group pieces that stay on one line.

    A group that is wider than a line comes apart, the outermost entities first.
    """
    kept = sorted(extents, key=lambda x: x.last - x.first)
    while True:
        joined = [piece.glued for piece in pieces]
        for extent in kept:
            joined[extent.first + 1 : extent.last + 1] = [True] * (extent.last - extent.first)
        atoms: List[List[int]] = []
        for i, is_joined in enumerate(joined):
            if is_joined:
                atoms[-1].append(i)
            else:
                atoms.append([i])
        wide = [x for x in atoms if len(x) > 1 and _width(pieces, x) > limit]
        if not wide:
            return atoms
        outer = next((x for x in reversed(kept) if any(x.first in atom for atom in wide)), None)
        if outer is None:  # one long word
            return [y for x in atoms for y in ([[i] for i in x] if x in wide else [x])]
        kept.remove(outer)


def _fill(pieces: Sequence[Piece], atoms: List[List[int]], limit: float) -> List[List[int]]:
    lines: List[List[int]] = []
    width = 0.0
    for atom in atoms:
        gap, own = pieces[atom[0]].gap, _width(pieces, atom)
        if not lines or pieces[atom[0]].new_line or width + gap + own > limit:
            lines.append([])
            width, gap = 0.0, 0.0
        lines[-1] += atom
        width += gap + own
    return lines


def _width(pieces: Sequence[Piece], atom: Sequence[int]) -> float:
    return _full(pieces, atom) + sum(pieces[i].gap for i in atom[1:])


def _full(pieces: Sequence[Piece], indices: Sequence[int]) -> float:
    return sum(pieces[i].full_width for i in indices)


# Places: a small form of the Unicode bidirectional algorithm. Its unit is the piece.


def _place(
    pieces: Sequence[Piece], line: List[int], width: float, room: float, rtl: bool
) -> List[PlacedPiece]:
    """Put the pieces of a line side by side, from the side at which the text begins."""
    directions = _directions([pieces[i].text for i in line], rtl)
    runs: List[List[int]] = []
    for k in range(len(line)):
        if runs and directions[k] == directions[runs[-1][-1]]:
            runs[-1].append(k)
        else:
            runs.append([k])
    placed: List[PlacedPiece] = []
    x = 0.0
    for run in runs:
        first = run[0]
        for k in run if directions[first] == rtl else reversed(run):
            piece = pieces[line[k]]
            # The gap to the piece before it in the text. In a turned run it is on the other side.
            turned = directions[first] != rtl
            gap_of = first if k == (run[-1] if turned else first) else k + turned
            x += pieces[line[gap_of]].gap if placed else 0.0
            left = room - x - piece.full_width if rtl else x
            placed.append(
                PlacedPiece(
                    line[k], left + (piece.after if directions[k] else piece.before), directions[k]
                )
            )
            x += piece.full_width
    return placed


def _directions(texts: Sequence[str], rtl: bool) -> List[bool]:
    """RETURNS (List[bool]): Whether each piece runs from right to left."""
    strong: List[Optional[bool]] = []
    last = rtl
    for text in texts:
        own = _direction(text)
        if own is None and any(char.isdigit() for char in text):
            own = last  # numbers follow the words before them
        last = last if own is None else own
        strong.append(own)
    directions = []
    for i, own in enumerate(strong):
        if own is None:
            before = next((x for x in reversed(strong[:i]) if x is not None), rtl)
            after = next((x for x in strong[i:] if x is not None), rtl)
            own = before if before == after else rtl
        directions.append(own)
    return directions


def _direction(text: str) -> Optional[bool]:
    for char in text:
        kind = unicodedata.bidirectional(char)
        if kind in ("L", "R", "AL"):
            return kind != "L"
    return None
