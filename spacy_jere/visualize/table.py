"""Relations as an HTML table."""

from itertools import groupby
from typing import Iterator, List, Sequence, Tuple

from .html import MEANINGS, direction_of, escape, lang_of
from .picture import SYMBOLS, Link, Mark, Picture, sentence_around


def draw_table(pictures: Sequence[Picture]) -> str:
    """RETURNS (str): One table with a row for each relation of each picture."""
    compared = any(picture.compared for picture in pictures)
    rows = [row for picture in pictures for row in _rows(picture, compared)]
    names = [*(["Comparison"] if compared else []), "Head", "Relation", "Tail", "Score", "Sentence"]
    number = ' class="number"'
    header = "".join(
        f'<th scope="col"{number if name == "Score" else ""}>{name}</th>' for name in names
    )
    caption = f"{len(rows) or 'No'} relation{'' if len(rows) == 1 else 's'}"
    parts = ["<figure>", "<table>", f"<caption>{caption}</caption>"]
    if rows:
        parts += [f"<thead><tr>{header}</tr></thead>", "<tbody>", *rows, "</tbody>"]
    return "\n".join([*parts, "</table>", "</figure>"])


def _rows(picture: Picture, compared: bool) -> Iterator[str]:
    """RETURNS (Iterator[str]): The rows of a text. Rows of one sentence share its cell."""
    for (start, end), links in groupby(picture.links, lambda x: _sentence(picture, x)):
        same = list(links)
        sentence = _words(picture, picture.text[start:end], span=len(same))
        for i, link in enumerate(same):
            cells = [*_cells(picture, link, compared), *([] if i else [sentence])]
            yield f"<tr>{''.join(cells)}</tr>"


def _sentence(picture: Picture, link: Link) -> Tuple[int, int]:
    head, tail = picture.marks[link.head], picture.marks[link.tail]
    return sentence_around(picture.doc, min(head.start, tail.start), max(head.end, tail.end))


def _cells(picture: Picture, link: Link, compared: bool) -> List[str]:
    status = []
    if compared:
        meaning = MEANINGS[link.status].partition(":")[0]
        status.append(f"<td>{SYMBOLS[link.status]} {meaning}</td>")
    return [
        *status,
        _entity(picture, picture.marks[link.head]),
        f"<td>{escape(link.label)}</td>",
        _entity(picture, picture.marks[link.tail]),
        f'<td class="number">{"" if link.score is None else f"{link.score:.2f}"}</td>',
    ]


def _entity(picture: Picture, mark: Mark) -> str:
    kind = f' <span class="kind">{escape(mark.label)}</span>'
    return _words(picture, picture.text[mark.start : mark.end], kind)


def _words(picture: Picture, text: str, after: str = "", span: int = 1) -> str:
    rows = f' rowspan="{span}"' if span > 1 else ""
    return (
        f"<td{rows}{lang_of(picture)}{direction_of(text)}>{escape(' '.join(text.split()))}"
        f"{after}</td>"
    )
