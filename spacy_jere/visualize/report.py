"""Error analysis as an HTML page: results, errors by label, confusions, sentences of each kind."""

from collections import Counter
from typing import Any, List, Mapping, NamedTuple, Sequence, Tuple, Union

from ..evaluation.error_analysis import (
    ENTITY_KINDS,
    RELATION_KINDS,
    RIGHT,
    Analysis,
    Comparison,
    Match,
    confusion,
    count_kinds,
    totals,
)
from ..evaluation.scorer import LabelledPair
from ..relations import Mention
from .html import escape, figure, legend, wrap
from .html import page as whole_page
from .picture import excerpt, picture_of_comparison, sentence_around
from .svg import draw_svg

_WIDTH = 900.0
_NOTHING = "nothing"


class Part(NamedTuple):
    """A part of the report: entities or relations.

    kinds (Mapping[str, str]): The kinds of errors, each with a sentence that explains it.
    matches (List[Tuple[int, Match[Any]]]): Each with the index of its text in the analysis.
    """

    name: str
    kinds: Mapping[str, str]
    matches: List[Tuple[int, Match[Any]]]

    @property
    def things(self) -> List[Match[Any]]:
        return [match for _, match in self.matches]

    def of_kind(self, kind: str) -> List[Tuple[int, Match[Any]]]:
        """RETURNS (List[Tuple[int, Match[Any]]]): The matches of a kind, most probable first."""
        found = [x for x in self.matches if x[1].kind == kind]
        return sorted(found, key=lambda x: -(x[1].score or 0.0))


def error_report(analysis: Analysis, *, title: str = "Errors", limit: int = 20) -> str:
    """Make an HTML page of the errors of a pipeline. It needs no outside resources.

    analysis (Analysis): The result of `spacy_jere.evaluation.error_analysis.analyze`.
    title (str): The title of the page.
    limit (int): The number of examples of each kind that are drawn.
    RETURNS (str): The page. Its totals are those of `nlp.evaluate`.
    """
    parts = report_parts(analysis)
    content = [f"<h1>{escape(title)}</h1>", _contents(parts), _results(analysis, parts), legend()]
    for part in parts:
        content.append(f'<h2 id="{_anchor(part.name)}">{part.name}</h2>')
        content += [_by_label(part), _confusion(part)]
        content += [_kind(analysis, part, kind, limit) for kind in part.kinds]
    return whole_page(wrap(content), title, "en")


def report_parts(analysis: Analysis) -> List[Part]:
    """RETURNS (List[Part]): Entities and relations."""
    numbered = list(enumerate(analysis.comparisons))
    return [
        Part("Entities", ENTITY_KINDS, [(i, x) for i, c in numbered for x in c.entities or ()]),
        Part("Relations", RELATION_KINDS, [(i, x) for i, c in numbered for x in c.relations or ()]),
    ]


# Tables


def _contents(parts: Sequence[Part]) -> str:
    items = ['<li><a href="#results">Results</a></li>']
    for part in parts:
        counts = Counter(x.kind for x in part.things)
        kinds = "".join(
            f'<li><a href="#{_anchor(part.name, kind)}">{kind}</a> {counts[kind]:,}</li>'
            for kind in part.kinds
        )
        anchor = _anchor(part.name)
        items.append(f'<li><a href="#{anchor}">{part.name}</a><ul>{kinds}</ul></li>')
    return f'<nav aria-label="Contents"><ul>{"".join(items)}</ul></nav>'


def _results(analysis: Analysis, parts: Sequence[Part]) -> str:
    rows = []
    for part in parts:
        score = totals(part.things)
        counts = (score.tp + score.fn, score.tp + score.fp, score.tp, score.fn, score.fp)
        fractions = (score.precision, score.recall, score.fscore)
        rows.append(
            [part.name, *(f"{x:,}" for x in counts), *(f"{100 * x:.2f}" for x in fractions)]
        )
    caption = (
        f"{len(analysis.comparisons):,} texts. An entity is right if its words and label are "
        "right. A relation is right if its label and both entities are right. A confusion counts "
        "as missed and as spurious."
    )
    header = ["", "Gold", "Found", "Right", "Missed", "Spurious", "P", "R", "F"]
    return f'<h2 id="results">Results</h2>{_table(caption, header, rows)}'


def _by_label(part: Part) -> str:
    kinds = [RIGHT, *part.kinds]
    rows = [
        [label, *(f"{counts[kind] or ''}" for kind in kinds), f"{sum(counts.values()):,}"]
        for label, counts in count_kinds(part.things).items()
    ]
    sums = Counter(x.kind for x in part.things)
    rows.append(["All", *(f"{sums[kind]:,}" for kind in kinds), f"{len(part.things):,}"])
    caption = "By label: the gold label, or the found label of spurious ones"
    return _table(caption, ["", *kinds, "all"], rows)


def _confusion(part: Part) -> str:
    counts = confusion(part.things)
    golds = sorted({gold for gold, _ in counts if gold}) + [""]
    founds = sorted({found for _, found in counts if found}) + [""]
    rows = [
        [f"{gold or _NOTHING}", *(f"{counts[gold, found] or ''}" for found in founds)]
        for gold in golds
    ]
    same = "the same words" if part.kinds is ENTITY_KINDS else "the same pair"
    caption = f"Gold labels (rows) and the labels found for {same} (columns)"
    return _table(caption, ["", *(found or _NOTHING for found in founds)], rows)


def _table(caption: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(_cell(name, "col", bool(name)) for name in header)
    body = "\n".join(
        f"<tr>{_cell(row[0], 'row')}{''.join(_cell(x, number=True) for x in row[1:])}</tr>"
        for row in rows
    )
    return (
        f"<figure><table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>\n"
        f"<tbody>{body}</tbody></table></figure>"
    )


def _cell(text: str, scope: str = "", number: bool = False) -> str:
    kind = ' class="number"' if number else ""
    if scope:
        return f'<th scope="{scope}"{kind}>{escape(text)}</th>'
    return f"<td{kind}>{escape(text)}</td>"


# Sentences


def _kind(analysis: Analysis, part: Part, kind: str, limit: int) -> str:
    matches = part.of_kind(kind)
    shown = matches[:limit]
    number = f"{len(matches):,}"
    if 0 < len(shown) < len(matches):
        number += f", {len(shown):,} of them here"
    parts = [
        f'<h3 id="{_anchor(part.name, kind)}">{part.name}: {kind} ({number})</h3>',
        f'<p class="note">{part.kinds[kind]}</p>',
    ]
    parts += [_example(analysis.comparisons[i], i, match) for i, match in shown]
    return "\n".join(parts)


def _example(comparison: Comparison, number: int, match: Match[Any]) -> str:
    """Draw the sentence of an error, with the error and the right annotations around it."""
    sides = [x for x in (match.gold, match.found) if x is not None]
    said = [f"text {number + 1:,}"]
    for name, side in (("gold", match.gold), ("found", match.found)):
        if side is not None:
            score = (
                f", score {match.score:.2f}" if name == "found" and match.score is not None else ""
            )
            said.append(f"{name}: {_said(comparison, side)}{score}")
    note = f'<p class="note">{"; ".join(said)}</p>'
    ends = [end for side in sides for end in _ends(side)]
    start, stop = min(x.start for x in ends), max(x.end for x in ends)
    if start < 0:
        return note
    relation = isinstance(sides[0], LabelledPair)
    # Other errors of the sentence have examples of their own.
    entities = [
        x
        for x in comparison.entities or ()
        if x.kind == RIGHT or x is match or (relation and {x.gold, x.found} & set(ends))
    ]
    drawn = Comparison(comparison.doc, entities, [match] if relation else None)
    around = sentence_around(comparison.doc, start, stop)
    picture = excerpt(picture_of_comparison(drawn), *around)
    return note + figure(picture, draw_svg(picture, {}, _WIDTH))


def _ends(thing: Union[Mention, LabelledPair]) -> Tuple[Mention, ...]:
    return (thing.head, thing.tail) if isinstance(thing, LabelledPair) else (thing,)


def _said(comparison: Comparison, thing: Union[Mention, LabelledPair]) -> str:
    ends = [_entity(comparison, end) for end in _ends(thing)]
    return f" → {escape(thing.label)} → ".join(ends)


def _entity(comparison: Comparison, end: Mention) -> str:
    label = f' <span class="kind">{escape(end.label)}</span>'
    if end.start < 0:
        return f"words that the gold text has not got{label}"
    words = " ".join(comparison.doc.text[end.start : end.end].split())
    return f"<bdi>{escape(words)}</bdi>{label}"


def _anchor(*names: str) -> str:
    return "-".join(names).lower().replace(" ", "-")


__all__: List[str] = ["error_report", "report_parts"]
