"""Relations as an HTML table."""

from typing import List, Sequence

from .escaping import escape
from .html import MEANINGS, direction_of, lang_of
from .picture import SYMBOLS, Link, Mark, Picture, sentence_around


def draw_table(pictures: Sequence[Picture]) -> str:
    """One table with a row for each relation of each picture."""
    compared = any(picture.compared for picture in pictures)
    rows = [_row(picture, link, compared) for picture in pictures for link in picture.links]
    names = [*(["Comparison"] if compared else []), "Head", "Relation", "Tail", "Score", "Sentence"]
    header = "".join(
        f'<th scope="col"{" class=number" if name == "Score" else ""}>{name}</th>' for name in names
    )
    caption = f"{len(rows) or 'No'} relation{'' if len(rows) == 1 else 's'}"
    parts = ["<figure>", "<table>", f"<caption>{caption}</caption>"]
    if rows:
        parts += [f"<thead><tr>{header}</tr></thead>", "<tbody>", *rows, "</tbody>"]
    return "\n".join([*parts, "</table>", "</figure>"])


def _row(picture: Picture, link: Link, compared: bool) -> str:
    head, tail = picture.marks[link.head], picture.marks[link.tail]
    start, end = sentence_around(picture.doc, min(head.start, tail.start), max(head.end, tail.end))
    cells: List[str] = []
    if compared:
        meaning = MEANINGS[link.status].partition(":")[0]
        cells.append(f"<td>{SYMBOLS[link.status]} {meaning}</td>")
    cells += [
        _entity(picture, head),
        f"<td>{escape(link.label)}</td>",
        _entity(picture, tail),
        f'<td class="number">{"" if link.score is None else f"{link.score:.2f}"}</td>',
        _words(picture, picture.text[start:end], ""),
    ]
    return f"<tr>{''.join(cells)}</tr>"


def _entity(picture: Picture, mark: Mark) -> str:
    kind = f' <span class="kind">{escape(mark.label)}</span>'
    return _words(picture, picture.text[mark.start : mark.end], kind)


def _words(picture: Picture, text: str, after: str) -> str:
    return f"<td{lang_of(picture)}{direction_of(text)}>{escape(' '.join(text.split()))}{after}</td>"
