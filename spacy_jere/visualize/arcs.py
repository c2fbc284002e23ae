"""The arcs of relations: their levels above the text, their ends, the places of their labels."""

from dataclasses import dataclass
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from .font_metrics import text_width
from .line_breaking import shown_label
from .picture import Link

LABEL_SIZE = 12.0
_LABEL_PAD = 5.0
_BETWEEN = 6.0  # the least distance of two arcs on one level, and of two ends
OPEN_END = 18.0  # the length of the dots where an arc continues above another line
_MOST_LINES = 4  # an arc over more lines is drawn only above its first and its last line


class Anchor(NamedTuple):
    """The line, and the two points between which the arcs of an entity may end."""

    line: int
    left: float
    right: float

    @property
    def middle(self) -> float:
        return (self.left + self.right) / 2


@dataclass
class Strand:
    """The part of an arc above one line.

    left, right (float): The two ends.
    left_mark, right_mark (Optional[int]): The entities at the ends; None if the arc continues above
        another line.
    level (int): 0 is the lowest.
    label_left, label_width (float): The place of its label.
    """

    link: int
    line: int
    left: float
    right: float
    left_mark: Optional[int]
    right_mark: Optional[int]
    label_width: float
    level: int = 0
    label_left: float = 0.0

    @property
    def span(self) -> Tuple[float, float]:
        """The stretch on which its label may stand."""
        return (
            self.left + (OPEN_END if self.left_mark is None else 0.0),
            self.right - (OPEN_END if self.right_mark is None else 0.0),
        )

    @property
    def hull(self) -> Tuple[float, float]:
        return (
            min(self.left, self.label_left),
            max(self.right, self.label_left + self.label_width),
        )

    @property
    def ends(self) -> List[float]:
        """The points at which it comes down to the text."""
        marks = ((self.left, self.left_mark), (self.right, self.right_mark))
        return [x for x, mark in marks if mark is not None]


def lay_arcs(
    links: Sequence[Link], anchors: Dict[int, Anchor], n_lines: int, width: float, rtl: bool
) -> List[List[Strand]]:
    """Lay the arcs of all relations whose two ends are drawn.

    anchors (Dict[int, Anchor]): By mark.
    RETURNS (List[List[Strand]]): The strands above each line.
    """
    ports = _ports(links, anchors, width, rtl)
    lines: List[List[Strand]] = [[] for _ in range(n_lines)]
    for index, link in enumerate(links):
        if (index, "head") not in ports:
            continue
        ends = [(anchors[x].line, ports[index, end], x) for end, x in _ends(link)]
        for strand in _strands(index, link, sorted(ends), width, rtl):
            lines[strand.line].append(strand)
    for strands in lines:
        _choose_levels(strands, width)
    return lines


def shown_width(caption: str) -> float:
    """RETURNS (float): The width of a relation's label with its plate."""
    return text_width(shown_label(caption), LABEL_SIZE) + 2 * _LABEL_PAD


def _ends(link: Link) -> Tuple[Tuple[str, int], Tuple[str, int]]:
    return ("head", link.head), ("tail", link.tail)


def _strands(
    index: int, link: Link, ends: List[Tuple[int, float, int]], width: float, rtl: bool
) -> List[Strand]:
    (first, start, start_mark), (last, stop, stop_mark) = ends
    label_width = shown_width(link.caption)
    if first == last:
        return [Strand(index, first, start, stop, start_mark, stop_mark, label_width)]
    strands = []
    for line in range(first, last + 1) if last - first < _MOST_LINES else (first, last):
        # In reading order; the ends of the line are open.
        begin, begin_mark = (start, start_mark) if line == first else (width if rtl else 0.0, None)
        finish, finish_mark = (stop, stop_mark) if line == last else (0.0 if rtl else width, None)
        if rtl:
            begin, begin_mark, finish, finish_mark = finish, finish_mark, begin, begin_mark
        strands.append(Strand(index, line, begin, finish, begin_mark, finish_mark, label_width))
    return strands


def _ports(
    links: Sequence[Link], anchors: Dict[int, Anchor], width: float, rtl: bool
) -> Dict[Tuple[int, str], float]:
    """Spread the ends of arcs over their entities so that few arcs cross.

    From left to right: arcs that go to the left, the shortest first, then arcs that go to the
    right, the longest first.
    """
    by_mark: Dict[int, List[Tuple[bool, float, int, str]]] = {}
    for index, link in enumerate(links):
        if link.head not in anchors or link.tail not in anchors:
            continue
        for end, mark in _ends(link):
            here = anchors[mark]
            there = anchors[link.tail if end == "head" else link.head]
            goal = there.middle
            if there.line != here.line:
                goal = 2 * width if (there.line > here.line) != rtl else -width
            by_mark.setdefault(mark, []).append((goal > here.middle, -goal, index, end))
    ports: Dict[Tuple[int, str], float] = {}
    for mark, ends in by_mark.items():
        left = anchors[mark].left
        step = (anchors[mark].right - left) / (len(ends) + 1)
        for i, (_, _, index, end) in enumerate(sorted(ends)):
            ports[index, end] = left + (i + 1) * step
    return _apart(ports, links, anchors)


def _apart(
    ports: Dict[Tuple[int, str], float], links: Sequence[Link], anchors: Dict[int, Anchor]
) -> Dict[Tuple[int, str], float]:
    """Move ends apart that fall on one point, as the ends of nested entities do."""
    last: Dict[int, float] = {}
    moved = {}
    for (index, end), x in sorted(ports.items(), key=lambda item: item[1]):
        anchor = anchors[links[index].head if end == "head" else links[index].tail]
        least = last.get(anchor.line, x - _BETWEEN) + _BETWEEN
        moved[index, end] = last[anchor.line] = max(x, min(least, max(x, anchor.right - 2)))
    return moved


def _choose_levels(strands: List[Strand], width: float) -> None:
    """Put short arcs low, and each above those that it overlaps, where its label stands free."""
    placed: List[Strand] = []
    waiting = sorted(strands, key=lambda x: (max(x.right - x.left, x.label_width), x.left, x.link))
    while waiting:
        strand = waiting.pop(0)
        below = [x.level for x in placed if x.left < strand.right and strand.left < x.right]
        base = max(below, default=-1) + 1
        best: Optional[Tuple[float, int, float]] = None
        top = max((x.level for x in placed), default=-1) + 1
        for level in range(base, max(base, top) + 1):
            if best is not None and best[0] <= level - base:
                break
            for shift, label_left in _label_places(strand, width):
                strand.level, strand.label_left = level, label_left
                if _free(strand, placed):
                    cost = level - base + shift / 10 + 2 * _crossed(strand, placed, waiting)
                    best = min(best or (cost, level, label_left), (cost, level, label_left))
        assert best is not None  # nothing lies on the topmost level
        strand.level, strand.label_left = best[1:]
        placed.append(strand)


def _label_places(strand: Strand, width: float) -> List[Tuple[float, float]]:
    """RETURNS: The distance from the middle of the arc, from 0 to 1, and a place for the label."""
    start, stop = strand.span
    middle = (start + stop) / 2
    room = (stop - start - strand.label_width) / 2 - 2 * _BETWEEN
    reach = room if room > 0 else strand.label_width / 2
    places = []
    for shift in (0.0, -0.25, 0.25, -0.5, 0.5, -0.75, 0.75, -1.0, 1.0):
        left = middle + shift * reach - strand.label_width / 2
        places.append((abs(shift), max(0.0, min(left, width - strand.label_width))))
    return places


def _free(strand: Strand, placed: Sequence[Strand]) -> bool:
    left, right = strand.hull
    return all(
        right + _BETWEEN <= other.hull[0] or other.hull[1] + _BETWEEN <= left
        for other in placed
        if other.level == strand.level
    )


def _crossed(strand: Strand, placed: Sequence[Strand], waiting: Sequence[Strand]) -> int:
    """RETURNS (int): The number of arcs that come, or may come, down through the label."""
    higher = [*waiting, *(x for x in placed if x.level > strand.level)]
    left, right = strand.label_left - 2, strand.label_left + strand.label_width + 2
    return sum(left < x < right for other in higher for x in other.ends)
