"""A picture as plain data: a Doc's text, entities and relations, each compared with the gold."""

import unicodedata
from typing import Any, Dict, List, NamedTuple, Optional, Tuple, Union

from spacy.tokens import Doc
from spacy.training import Example

from ..evaluation.error_analysis import (
    MISSED,
    RIGHT,
    SPURIOUS,
    Comparison,
    Match,
    compare,
    entity_scores,
)
from ..relations import Mention, mention, stored_relations

SYMBOLS = {RIGHT: "✓", MISSED: "○", SPURIOUS: "✕"}  # for people who don't see the colours
_AROUND = 240  # characters on either side, if there are no sentence boundaries
# They turn the direction of what follows, also of what doesn't belong to the text.
BIDI_CONTROLS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_REPLACED = str.maketrans(dict.fromkeys(BIDI_CONTROLS, "\ufffd"))
_RTL_CLASSES, _STRONG_CLASSES = {"R", "AL"}, {"L", "R", "AL"}


class Mark(NamedTuple):
    """An entity: characters `start` to `end` of the text.

    status (str): "right", "missed" or "spurious"; empty if nothing is compared.
    """

    start: int
    end: int
    label: str
    score: Optional[float] = None
    status: str = ""

    @property
    def caption(self) -> str:
        """Its label as it is drawn."""
        return _caption(self.label, self.status)


class Link(NamedTuple):
    """A relation between two marks, which are indices into the picture's list.

    status (str): As for a mark.
    """

    head: int
    tail: int
    label: str
    score: Optional[float] = None
    status: str = ""

    @property
    def caption(self) -> str:
        """Its label as it is drawn."""
        return _caption(self.label, self.status)


class Picture(NamedTuple):
    """Everything that is drawn.

    compared (bool): Whether its marks and links are compared with a reference.
    """

    doc: Doc
    text: str
    marks: List[Mark]
    links: List[Link]
    compared: bool = False

    @property
    def rtl(self) -> bool:
        """Whether the text begins on the right, as its language or most of its letters do."""
        if self.doc.vocab.writing_system.get("direction") == "rtl":
            return any(unicodedata.bidirectional(char) in _RTL_CLASSES for char in self.text)
        return is_rtl(self.text)


def shown_text(text: str) -> str:
    """RETURNS (str): The text as it is drawn, of the same length: characters that turn the
    direction become U+FFFD. Right-to-left text needs none of them."""
    return text.translate(_REPLACED)


def is_rtl(text: str) -> bool:
    """RETURNS (bool): Whether most letters are of a script written from right to left."""
    classes = [unicodedata.bidirectional(char) for char in text]
    strong = [x for x in classes if x in _STRONG_CLASSES]
    return 2 * sum(x in _RTL_CLASSES for x in strong) > len(strong)


def picture_of(doc: Doc, spans_key: str) -> Picture:
    """Picture a Doc: doc.ents, the spans under the key, and relations with their ends."""
    scores: Dict[Mention, Optional[float]] = {mention(span): None for span in doc.ents}
    scores.update(entity_scores(doc, spans_key))
    relations = stored_relations(doc) or []
    for relation in relations:
        for end in (relation.head, relation.tail):
            scores.setdefault(end, None)
    ends = sorted(scores)
    marks = [Mark(*end, scores[end]) for end in ends]
    place = {end: i for i, end in enumerate(ends)}
    links = [Link(place[x.head], place[x.tail], x.label, x.score) for x in relations]
    return Picture(doc, shown_text(doc.text), marks, links)


def compared_picture(
    doc: Doc, gold: Union[Doc, Example], symmetric: Tuple[str, ...], spans_key: str
) -> Picture:
    """Picture a Doc compared with its reference, on the text of the reference."""
    reference = gold.reference if isinstance(gold, Example) else gold
    return picture_of_comparison(
        compare(Example(doc, reference), symmetric=symmetric, spans_key=spans_key)
    )


def picture_of_comparison(comparison: Comparison) -> Picture:
    """Picture gold and predicted annotation side by side.

    Ends of relations that weren't judged as entities have no status.
    """
    text = shown_text(comparison.doc.text)
    marks = [Mark(*thing, *more) for thing, *more in _sides(comparison.entities or [])]
    place = {Mention(*mark[:3]): i for i, mark in enumerate(marks)}
    links = []
    for pair, score, status in _sides(comparison.relations or []):
        if min(pair.head.start, pair.tail.start) < 0:
            continue  # a predicted relation whose words are not in the reference
        for end in (pair.head, pair.tail):
            if end not in place:
                place[end] = len(marks)
                marks.append(Mark(*end))
        links.append(Link(place[pair.head], place[pair.tail], pair.label, score, status))
    return Picture(comparison.doc, text, marks, links, compared=True)


def excerpt(picture: Picture, start: int, end: int) -> Picture:
    """RETURNS (Picture): A stretch of the text, with the entities and relations inside it."""
    kept = [i for i, x in enumerate(picture.marks) if start <= x.start and x.end <= end]
    place = {old: new for new, old in enumerate(kept)}
    marks = [
        mark._replace(start=mark.start - start, end=mark.end - start)
        for mark in (picture.marks[i] for i in kept)
    ]
    links = [
        link._replace(head=place[link.head], tail=place[link.tail])
        for link in picture.links
        if link.head in place and link.tail in place
    ]
    return picture._replace(text=picture.text[start:end], marks=marks, links=links)


def sentence_around(doc: Doc, start: int, end: int) -> Tuple[int, int]:
    """Find the sentences of a stretch of text, or the words around it without boundaries.

    RETURNS (Tuple[int, int]): Their first character and end.
    """
    if doc.has_annotation("SENT_START"):
        touched = [x for x in doc.sents if x.start_char < end and start < x.end_char]
        if touched:
            return touched[0].start_char, touched[-1].end_char
    length = len(doc.text)
    around = doc.char_span(
        max(0, start - _AROUND), min(length, end + _AROUND), alignment_mode="expand"
    )
    return (around.start_char, around.end_char) if around is not None else (0, length)


def _caption(label: str, status: str) -> str:
    return f"{SYMBOLS[status]} {label}" if status else label


def _sides(matches: List[Match[Any]]) -> List[Tuple[Any, Optional[float], str]]:
    """List what to draw of matches, with score and status. An error may be missed and spurious."""
    sides: List[Tuple[Any, Optional[float], str]] = []
    for match in matches:
        if match.kind == RIGHT:
            sides.append((match.gold, match.score, RIGHT))
            continue
        if match.gold is not None:
            sides.append((match.gold, None, MISSED))
        if match.found is not None:
            sides.append((match.found, match.score, SPURIOUS))
    return sides
