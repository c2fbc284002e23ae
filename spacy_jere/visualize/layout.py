"""The layout of a picture: lines of text, frames of entities around it, arcs of relations above."""

from collections import Counter
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from .arcs import Anchor, Strand, lay_arcs, shown_width
from .line_breaking import PAD, TEXT_SIZE, BrokenText, Extent, PlacedPiece, break_text, tag_width
from .picture import Picture

MARGIN = 12.0
_SIDE = 26.0  # the margin on the left and right, in which arcs continue to another line
_UP, _DOWN = 15.0, 5.0  # the height of letters above and below the baseline
_GROW = 3.0  # the height that a frame adds to the frames inside it
_TAG_ROW = 17.0
_LEVEL = 22.0
_LABEL_HEIGHT = 17.0
_ARROW_ROOM = 13.0
_END_ROOM = 10.0  # the room of the end of an arc, on the frame of an entity
_LINE_GAP = 12.0
_BENDS = 20.0  # the room of the two bends of a bracket


class Box(NamedTuple):
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height

    @property
    def middle(self) -> float:
        return self.x + self.width / 2

    def moved(self, dx: float, dy: float) -> "Box":
        return self._replace(x=self.x + dx, y=self.y + dy)


class Word(NamedTuple):
    """A piece of text."""

    text: str
    box: Box
    rtl: bool


class Card(NamedTuple):
    """The frame of an entity, or of its part on one line.

    tag (Optional[Box]): Its label; only one part of an entity has one.
    open_left, open_right (bool): Whether the entity continues there, on another line.
    """

    mark: int
    box: Box
    tag: Optional[Box]
    open_left: bool
    open_right: bool


class Arc(NamedTuple):
    """The part of a relation above one line: a bracket with a label.

    y (float): The height of the bracket.
    left_foot, right_foot (Optional[float]): The heights to which it comes down; None if it
        continues above another line.
    arrow (str): The foot with the arrowhead: "left", "right" or "".
    label (Box): Stands on the bracket, or above it if the label is wider.
    """

    link: int
    left: float
    right: float
    y: float
    left_foot: Optional[float]
    right_foot: Optional[float]
    arrow: str
    label: Box


class Line(NamedTuple):
    """A line of text with its entities and relations."""

    baseline: float
    words: List[Word]
    cards: List[Card]
    arcs: List[Arc]


class Layout(NamedTuple):
    """A whole picture."""

    width: float
    height: float
    lines: List[Line]


class _Draft(NamedTuple):
    """A picture whose horizontal places are known, and whose heights are not."""

    broken: BrokenText
    cards: List[List[Card]]
    strands: List[List[Strand]]
    left: float
    width: float


def lay_out(picture: Picture, width: float) -> Layout:
    """Lay out a picture.

    width (float): The greatest width of the picture. It is narrower if the text is short.
    """
    draft = _draft(picture, width)
    lines: List[Line] = []
    top = MARGIN
    for i in range(len(draft.cards)):
        line, bottom = _line(picture, draft, i, top)
        lines.append(line)
        top = bottom + _LINE_GAP
    return Layout(draft.width, top - (_LINE_GAP if lines else 0) + MARGIN, lines)


def _draft(picture: Picture, width: float) -> _Draft:
    ends = Counter(mark for link in picture.links for mark in (link.head, link.tail))
    tag_widths = [tag_width(mark.caption) for mark in picture.marks]
    least = [max(own, _END_ROOM * ends[i]) for i, own in enumerate(tag_widths)]
    rtl = picture.rtl
    broken = break_text(picture.text, picture.marks, least, width - 2 * _SIDE, rtl)
    widest = max((shown_width(link.caption) for link in picture.links), default=0.0)
    full_width = max(broken.width + 2 * _SIDE, widest)
    tag_lines = _tag_lines(broken)
    margin = full_width - broken.width - _SIDE if rtl else _SIDE
    cards = [_cards(broken, tag_widths, i, tag_lines, rtl) for i in range(len(broken.lines))]
    cards = [[_moved(card, margin, 0.0) for card in line] for line in cards]
    anchors = _anchors(cards, broken.extents)
    strands = lay_arcs(picture.links, anchors, len(cards), full_width, rtl)
    return _Draft(broken, cards, strands, margin, full_width)


def _line(picture: Picture, draft: _Draft, index: int, top: float) -> Tuple[Line, float]:
    """RETURNS (Tuple[Line, float]): A line, moved to its height, and its lower edge."""
    strands, cards = draft.strands[index], draft.cards[index]
    n_levels = max((x.level for x in strands), default=-1) + 1
    over = max((-card.box.y for card in cards), default=_UP)
    under = max((card.box.bottom for card in cards), default=_DOWN)
    text_top = top + (n_levels * _LEVEL + _ARROW_ROOM if n_levels else 0.0)
    baseline = text_top + over
    words = []
    # In reading order, for people who copy the words or listen to them
    for number, x, rtl in sorted(draft.broken.lines[index]):
        piece = draft.broken.pieces[number]
        box = Box(draft.left + x, baseline - _UP, piece.width, _UP + _DOWN)
        words.append(Word(piece.text, box, rtl))
    moved = [_moved(card, 0.0, baseline) for card in cards]
    tops = {card.mark: card.box.y for card in moved}
    arcs = [_arc(picture, strand, text_top, tops) for strand in strands]
    return Line(baseline, words, moved, arcs), baseline + under


def _cards(
    broken: BrokenText, tag_widths: Sequence[float], line: int, tag_lines: Dict[int, int], rtl: bool
) -> List[Card]:
    """RETURNS (List[Card]): The frames on a line whose baseline is at 0, outer ones first."""
    places = {x.piece: x for x in broken.lines[line]}
    cards = []
    for mark, extent in broken.extents.items():
        inside = [places[i] for i in range(extent.first, extent.last + 1) if i in places]
        if not inside:
            continue
        edges = [_edges(broken, extent, x) for x in inside]
        left, right = min(x for x, _ in edges), max(x for _, x in edges)
        top = _UP + _GROW * (extent.level + 1)
        height = top + _DOWN + _TAG_ROW * (extent.level + 1) + 2
        box = Box(left, -top, right - left, height)
        begins, ends = extent.first in places, extent.last in places
        open_left, open_right = (not ends, not begins) if rtl else (not begins, not ends)
        tag = None
        if tag_lines[mark] == line:
            # The label is narrowed if a line break leaves too little of the entity.
            size = min(tag_widths[mark], box.width - 2)
            tag = Box(box.middle - size / 2, box.bottom - _TAG_ROW, size, _TAG_ROW - 2)
        cards.append(Card(mark, box, tag, open_left, open_right))
    return sorted(cards, key=lambda card: -broken.extents[card.mark].level)


def _edges(broken: BrokenText, extent: Extent, placed: PlacedPiece) -> Tuple[float, float]:
    """RETURNS (Tuple[float, float]): The left and right edge of a frame around one piece."""
    piece = broken.pieces[placed.piece]
    before = extent.before if placed.piece == extent.first else piece.before
    after = extent.after if placed.piece == extent.last else piece.after
    left, right = (after, before) if placed.rtl else (before, after)
    return placed.x - left, placed.x + piece.width + right


def _tag_lines(broken: BrokenText) -> Dict[int, int]:
    """Choose for each mark the line with most of it: there its label stands and its arcs end."""
    line_of = broken.line_of()
    lines = {}
    for mark, extent in broken.extents.items():
        widths: Counter[int] = Counter()
        for piece in range(extent.first, extent.last + 1):
            widths[line_of[piece]] += round(broken.pieces[piece].full_width)
        lines[mark] = widths.most_common(1)[0][0]
    return lines


def _anchors(cards: List[List[Card]], extents: Dict[int, Extent]) -> Dict[int, Anchor]:
    """Let arcs end on the upper edge of an entity's frame, beside the frames that lie on it."""
    anchors = {}
    for line, on_line in enumerate(cards):
        for card in on_line:
            if card.tag is None:
                continue
            level = extents[card.mark].level
            inner = [x.box for x in on_line if extents[x.mark].level < level]
            left, right = _free_stretch(card.box, inner)
            anchors[card.mark] = Anchor(line, left, right)
    return anchors


def _free_stretch(box: Box, inner: List[Box]) -> Tuple[float, float]:
    """Find the widest part of the upper edge without other frames, if it has room for an arc."""
    stretches, left = [], box.x
    for other in sorted(inner):
        stretches.append((left, min(other.x, box.right)))
        left = max(left, other.right)
    stretches.append((left, box.right))
    widest = max(stretches, key=lambda x: x[1] - x[0])
    return widest if widest[1] - widest[0] >= 3 * PAD else (box.x, box.right)


def _moved(card: Card, dx: float, dy: float) -> Card:
    return card._replace(box=card.box.moved(dx, dy), tag=card.tag and card.tag.moved(dx, dy))


def _arc(picture: Picture, strand: Strand, text_top: float, tops: Dict[int, float]) -> Arc:
    bottom = text_top - _ARROW_ROOM - _LEVEL * strand.level
    label = Box(strand.label_left, bottom - _LABEL_HEIGHT, strand.label_width, _LABEL_HEIGHT)
    start, stop = strand.span
    on_arc = strand.label_width + _BENDS <= stop - start
    y = bottom - _LABEL_HEIGHT / 2 if on_arc else bottom + 2
    left, right = strand.left_mark, strand.right_mark
    tail = picture.links[strand.link].tail
    arrow = "right" if right == tail else "left" if left == tail else ""
    feet = [None if mark is None else tops[mark] for mark in (left, right)]
    return Arc(strand.link, strand.left, strand.right, y, feet[0], feet[1], arrow, label)


__all__ = ["TEXT_SIZE", "Arc", "Box", "Card", "Layout", "Line", "Word", "lay_out"]
