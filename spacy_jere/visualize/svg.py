"""A picture as SVG: entities, then text, then relations. The title of a group says it in words."""

from typing import Dict, List, Mapping, Optional, Sequence

from .html import escape
from .layout import Arc, Box, Card, Layout, lay_out
from .line_breaking import shown_label
from .picture import Link, Mark, Picture

_ROUND = 5.0
_BEND = 8.0
_DOTS = (4.0, 9.0, 14.0)  # distances from the edge, where an arc continues above another line


def draw_svg(
    picture: Picture, colors: Mapping[str, str], width: float, style: Optional[str] = None
) -> str:
    """Draw a picture.

    colors (Mapping[str, str]): By entity label.
    width (float): The greatest width.
    style (Optional[str]): CSS for a file of its own.
    """
    layout = lay_out(picture, width)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="jere-arcs{" jere" if style else ""}" '
        f'role="group" aria-label="{escape(_summary(picture))}" width="{_n(layout.width)}" '
        f'height="{_n(layout.height)}" viewBox="0 0 {_n(layout.width)} {_n(layout.height)}">'
    )
    parts = [head, f"<desc>{escape(_description(picture))}</desc>"]
    if style:
        parts += [
            f"<style>{style}</style>",
            '<rect class="jere-ground" width="100%" height="100%"/>',
        ]
    parts += _entities(picture, layout, colors)
    parts += _words(picture, layout)
    parts += _relations(picture, layout)
    return "\n".join([*parts, "</svg>"])


def entity_text(picture: Picture, mark: Mark) -> str:
    """RETURNS (str): An entity in words."""
    return f"{_said(picture, mark)}: {mark.label}{_details(mark)}"


def relation_text(picture: Picture, link: Link) -> str:
    """RETURNS (str): A relation in words."""
    head, tail = picture.marks[link.head], picture.marks[link.tail]
    return f"{_said(picture, head)} → {link.label} → {_said(picture, tail)}{_details(link)}"


def _details(thing: "Mark | Link") -> str:
    score = "" if thing.score is None else f", score {thing.score:.2f}"
    return f"{score}, {thing.status}" if thing.status else score


def _said(picture: Picture, mark: Mark) -> str:
    return " ".join(picture.text[mark.start : mark.end].split())


def _summary(picture: Picture) -> str:
    counts = [_count(len(picture.marks), "entity", "entities")]
    counts.append(_count(len(picture.links), "relation", "relations"))
    return f"Text with {counts[0]} and {counts[1]}"


def _count(number: int, one: str, many: str) -> str:
    return f"{number or 'no'} {one if number == 1 else many}"


def _description(picture: Picture) -> str:
    relations = [relation_text(picture, link) for link in picture.links]
    return "; ".join(relations) or "No relations"


# Entities


def _entities(picture: Picture, layout: Layout, colors: Mapping[str, str]) -> List[str]:
    cards: Dict[int, List[Card]] = {}
    for card in (card for line in layout.lines for card in line.cards):
        cards.setdefault(card.mark, []).append(card)
    # Outer frames first: the inner ones are drawn over them.
    order = sorted(cards, key=lambda i: (-cards[i][0].box.height, cards[i][0].box.y, i))
    parts = []
    for index in order:
        mark = picture.marks[index]
        color = f' style="--c:{escape(colors[mark.label])}"' if not picture.compared else ""
        parts.append(_group_start(f"jere-entity {mark.status}", entity_text(picture, mark), color))
        for card in cards[index]:
            parts.append(f'<path class="card" d="{_frame(card, closed=True)}"/>')
            parts.append(f'<path class="edge" d="{_frame(card, closed=False)}"/>')
            if card.tag is not None:
                parts.append(_text("tag", shown_label(mark.caption), card.tag, card.tag.y + 11))
        parts.append("</g>")
    return parts


def _frame(card: Card, closed: bool) -> str:
    """RETURNS (str): The path of a rectangle with round corners.

    The side where the entity continues on another line is straight, and open unless `closed`.
    """
    x, y, right, bottom = card.box.x, card.box.y, card.box.right, card.box.bottom
    r = min(_ROUND, card.box.width / 2)
    a, b = (0.0 if card.open_left else r), (0.0 if card.open_right else r)
    path = f"M{_n(x + a)} {_n(y)}H{_n(right - b)}"
    move_right = "V" if closed or not card.open_right else f"M{_n(right)} "
    path += f"a{b} {b} 0 0 1 {b} {b}" if b else ""
    path += f"{move_right}{_n(bottom - b)}" + (f"a{b} {b} 0 0 1 {-b} {b}" if b else "")
    path += f"H{_n(x + a)}" + (f"a{a} {a} 0 0 1 {-a} {-a}" if a else "")
    if closed or not card.open_left:
        path += f"V{_n(y + a)}" + (f"a{a} {a} 0 0 1 {a} {-a}" if a else "")
    return path + ("Z" if closed else "")


# Text


def _words(picture: Picture, layout: Layout) -> List[str]:
    parts = []
    for line in layout.lines:
        parts.append('<g class="jere-words">')
        for word in line.words:
            parts.append(_text("word", word.text, word.box, line.baseline, word.rtl))
        parts.append("</g>")
    return parts


def _text(kind: str, text: str, box: Box, baseline: float, rtl: bool = False) -> str:
    # Letters are fitted to the estimated width: they stay in their frames, whatever the font.
    fitted = (
        f' textLength="{_n(box.width)}" lengthAdjust="spacingAndGlyphs"' if len(text) > 1 else ""
    )
    direction = ' direction="rtl"' if rtl else ""
    return (
        f'<text class="{kind}" x="{_n(box.middle)}" y="{_n(baseline)}" text-anchor="middle"'
        f"{direction}{fitted}>{escape(text)}</text>"
    )


# Relations


def _relations(picture: Picture, layout: Layout) -> List[str]:
    arcs: Dict[int, List[Arc]] = {}
    for line in layout.lines:
        for arc in line.arcs:
            arcs.setdefault(arc.link, []).append(arc)
    by_line = {arc: line.baseline - arc.y for line in layout.lines for arc in line.arcs}
    # High arcs first: the labels of lower ones are drawn over the feet of higher ones.
    order = sorted(arcs, key=lambda i: -max(by_line[arc] for arc in arcs[i]))
    parts = []
    for index in order:
        link = picture.links[index]
        parts.append(_group_start(f"jere-relation {link.status}", relation_text(picture, link)))
        for arc in arcs[index]:
            parts += _arc(arc, shown_label(link.caption), layout.width)
        parts.append("</g>")
    return parts


def _arc(arc: Arc, label: str, width: float) -> List[str]:
    path = _bracket(arc)
    parts = [f'<path class="touch" d="{path}"/>', f'<path class="line" d="{path}"/>']
    for side, x, foot in (("left", arc.left, arc.left_foot), ("right", arc.right, arc.right_foot)):
        if foot is None:
            parts += _dots(x, arc.y, inward=1 if side == "left" else -1)
        elif arc.arrow == side:
            points = f"{_n(x)},{_n(foot)} {_n(x - 4)},{_n(foot - 8)} {_n(x + 4)},{_n(foot - 8)}"
            parts.append(f'<polygon class="head" points="{points}"/>')
        else:
            parts.append(f'<circle class="foot" cx="{_n(x)}" cy="{_n(foot)}" r="2.5"/>')
    box = arc.label
    parts.append(
        f'<rect class="plate" x="{_n(box.x)}" y="{_n(box.y)}" width="{_n(box.width)}" '
        f'height="{_n(box.height)}" rx="4"/>'
    )
    inner = box._replace(x=box.x + 5, width=box.width - 10)
    return [*parts, _text("label", label, inner, box.bottom - 4.5)]


def _bracket(arc: Arc) -> str:
    """RETURNS (str): The path up from one foot, round a corner, along, and down to the other."""
    bend = min(_BEND, (arc.right - arc.left) / 2)
    if arc.left_foot is None:
        path = f"M{_n(arc.left + _DOTS[-1] + 4)} {_n(arc.y)}"
    else:
        foot = arc.left_foot - (6 if arc.arrow == "left" else 0)
        path = f"M{_n(arc.left)} {_n(foot)}V{_n(arc.y + bend)}"
        path += f"q0 {_n(-bend)} {_n(bend)} {_n(-bend)}"
    if arc.right_foot is None:
        return path + f"H{_n(arc.right - _DOTS[-1] - 4)}"
    foot = arc.right_foot - (6 if arc.arrow == "right" else 0)
    return path + f"H{_n(arc.right - bend)}q{_n(bend)} 0 {_n(bend)} {_n(bend)}V{_n(foot)}"


def _dots(x: float, y: float, inward: int) -> List[str]:
    return [
        f'<circle class="more" cx="{_n(x + inward * dot)}" cy="{_n(y)}" r="1.3"/>' for dot in _DOTS
    ]


def _group_start(kind: str, said: str, more: str = "") -> str:
    return (
        f'<g class="{kind.strip()}" tabindex="0" role="img" aria-label="{escape(said)}"{more}>'
        f"<title>{escape(said)}</title>"
    )


def _n(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")


__all__: Sequence[str] = ["draw_svg", "entity_text", "relation_text"]
