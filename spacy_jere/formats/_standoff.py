"""Reading brat's standoff files: which files there are, and what their lines say."""

import os
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, NoReturn, Optional, Tuple

from ._faults import Place, SourceError, difference, report, shorten
from ._offsets import Units, characters, utf16
from ._reading import decode, read_lines

TEXT_SUFFIX = ".txt"
# Annotations stand in .ann, or, as BioNLP's tasks give them, entities in .a1 and the rest in .a2.
SUFFIXES = (".ann", ".a1", ".a2")
# The two ends of an equivalence have no names.
EQUIVALENT = ("", "")
SKIPPED = {
    "A": "attributes",
    "M": "modifications",
    "N": "normalizations",
    "#": "notes",
}
_KINDS = ("T", "R", "*", "E", *SKIPPED)
_MOST_DIGITS = 9


class Entity(NamedTuple):
    """fragments: In the order of the line, in which its text has them."""

    place: Place
    label: str
    fragments: List[Tuple[int, int]]
    text: str


class Link(NamedTuple):
    """A relation. Its ends are names of entities or events."""

    place: Place
    label: str
    head: str
    tail: str
    arguments: Tuple[str, str]


class Event(NamedTuple):
    """trigger: The name of an entity; None if the line can't be read.
    arguments: Their roles and the names of entities or events."""

    place: Place
    line: str
    trigger: Optional[str]
    arguments: List[Tuple[str, str]]


class Annotations(NamedTuple):
    """What the lines of a text say. is_sound: Whether all of them could be read."""

    entities: Dict[str, Entity]
    links: List[Link]
    events: Dict[str, Event]
    is_sound: bool


class Source(NamedTuple):
    """A text and its annotations. name: Of the text, in its folder."""

    name: str
    text: Path
    annotations: List[Path]


def find_sources(folder: Path) -> Tuple[List[Source], List[Path]]:
    """Find the texts of a folder and of the folders in it. Hidden ones are left out.

    RETURNS (Tuple[List[Source], List[Path]]): The annotated texts, and texts without annotations.
    """
    found, bare = [], []
    for inner, files in _folders(folder):
        names: Dict[str, Dict[str, Path]] = {}
        for file in files:
            if file.suffix.lower() in (TEXT_SUFFIX, *SUFFIXES):
                names.setdefault(file.stem, {})[file.suffix.lower()] = file
        for stem, by_suffix in names.items():
            annotations = _annotations(by_suffix)
            if annotations:
                name = (inner / stem).relative_to(folder).as_posix()
                text = by_suffix.get(TEXT_SUFFIX) or inner / f"{stem}{TEXT_SUFFIX}"
                found.append(Source(name, text, annotations))
            else:
                bare.append(by_suffix[TEXT_SUFFIX])
    return found, bare


def find_source(path: Path) -> Optional[Source]:
    """RETURNS (Optional[Source]): The text to which a file belongs; None if it isn't annotated."""
    siblings = {}
    for suffix in (TEXT_SUFFIX, *SUFFIXES):
        for written in (suffix.upper(), suffix):
            if path.with_suffix(written).is_file():
                siblings[suffix] = path.with_suffix(written)
    annotations = _annotations(siblings)
    text = siblings.get(TEXT_SUFFIX) or path.with_suffix(TEXT_SUFFIX)
    return Source(path.stem, text, annotations) if annotations else None


def holds_texts(folder: Path, nested: bool = True) -> bool:
    """RETURNS (bool): Whether a folder holds annotated texts.

    nested (bool): Whether those of folders in it count.
    """
    for _, files in _folders(folder):
        if any(file.suffix.lower() in SUFFIXES for file in files):
            return True
        if not nested:
            return False
    return False


def _folders(folder: Path) -> Iterator[Tuple[Path, List[Path]]]:
    """RETURNS (Iterator[Tuple[Path, List[Path]]]): The folder and all in it, with their files."""
    for name, inner, files in os.walk(folder):
        inner[:] = sorted(x for x in inner if not x.startswith("."))
        yield Path(name), [Path(name, x) for x in sorted(files) if not x.startswith(".")]


def _annotations(by_suffix: Dict[str, Path]) -> List[Path]:
    found = [by_suffix[suffix] for suffix in SUFFIXES if suffix in by_suffix]
    return found[:1] if ".ann" in by_suffix else found


def parse(files: List[Path], skipped: "Counter[str]") -> Annotations:
    """Parse the lines of a text. Lines that can't be read are reported."""
    found = Annotations({}, [], {}, True)
    is_sound = True
    for file in files:
        for place, line in read_lines(file):
            try:
                _parse_line(place, line, found, skipped)
            except SourceError as fault:
                report(fault)
                is_sound = False
    return found._replace(is_sound=is_sound)


def _parse_line(place: Place, line: str, found: Annotations, skipped: "Counter[str]") -> None:
    kind = line[:1]
    if kind == "T":
        name, entity = _entity(place, line)
        if name in found.entities:
            place.fail(f"there are two entities {shorten(name)}")
        found.entities[name] = entity
    elif kind == "R":
        found.links.append(_relation(place, line))
    elif kind == "*":
        found.links.extend(_equivalence(place, line))
    elif kind == "E":
        name, event = _event(place, line)
        found.events[name] = event
    elif kind in SKIPPED:
        skipped[SKIPPED[kind]] += 1
    elif line.strip():
        place.fail(f"expected a line that begins with {', '.join(_KINDS)}")


def _entity(place: Place, line: str) -> Tuple[str, Entity]:
    # Not by a regular expression: those that fit are quadratic in lines of nothing but digits.
    name, _, rest = line.partition("\t")
    middle, tab, text = rest.partition("\t")
    label, space, offsets = middle.partition(" ")
    fragments = [_fragment(x) for x in offsets.split(";")]
    if not (_is_name(name) and tab and _is_word(label) and space and all(fragments)):
        place.fail(f"expected T1<tab>LABEL START END<tab>TEXT, found {shorten(repr(line))}")
    known = [x for x in fragments if x is not None]
    for start, end in known:
        if start >= end:
            place.fail(f"entity '{shorten(label)}' has characters {start}:{end}, which are none")
    return name, Entity(place, label, known, text)


def _fragment(text: str) -> Optional[Tuple[int, int]]:
    numbers = text.split(" ")
    are_numbers = all(x.isascii() and x.isdigit() and len(x) <= _MOST_DIGITS for x in numbers)
    return (int(numbers[0]), int(numbers[1])) if len(numbers) == 2 and are_numbers else None


def _relation(place: Place, line: str) -> Link:
    name, _, rest = line.partition("\t")
    label, *ends = rest.rstrip().split(" ")
    pairs = [end.partition(":") for end in ends]
    are_ends = len(pairs) == 2 and all(_is_word(x) and _is_word(y) for x, _, y in pairs)
    if not (_is_name(name) and _is_word(label) and are_ends):
        place.fail(f"expected R1<tab>LABEL Arg1:T1 Arg2:T2, found {shorten(repr(line))}")
    (first, _, head), (second, _, tail) = pairs
    return Link(place, label, head, tail, (first, second))


def _equivalence(place: Place, line: str) -> List[Link]:
    star, _, rest = line.partition("\t")
    label, *names = rest.rstrip().split(" ")
    if star != "*" or not _is_word(label) or len(names) < 2 or not all(map(_is_word, names)):
        place.fail(f"expected *<tab>LABEL T1 T2, found {shorten(repr(line))}")
    return [Link(place, label, head, tail, EQUIVALENT) for head, tail in pairwise(names)]


def _event(place: Place, line: str) -> Tuple[str, Event]:
    name, _, rest = line.partition("\t")
    pairs = [part.partition(":") for part in rest.split()]
    if not pairs or not all(_is_word(x) and _is_word(y) for x, _, y in pairs):
        return name, Event(place, line, None, [])
    return name, Event(place, line, pairs[0][2], [(role, end) for role, _, end in pairs[1:]])


def _is_name(name: str) -> bool:
    """RETURNS (bool): Whether it is a letter, a digit, and no space."""
    digit = name[1:2]
    return digit.isascii() and digit.isdigit() and _is_word(name)


def _is_word(text: str) -> bool:
    return bool(text) and not any(x.isspace() for x in text)


def read_body(path: Path, entities: Dict[str, Entity]) -> Tuple[str, Units, int]:
    """Read the text as its offsets count it.

    Tools disagree on whether a byte-order mark and the \\r of a line end are characters, and some
    count a character beyond U+FFFF as two. The texts of the entities tell.

    RETURNS (Tuple[str, Units, int]): The text, what its offsets count, and the number to subtract
        from them before.
    """
    raw = decode(path)
    body = raw.removeprefix("\ufeff")
    mark = len(raw) - len(body)
    unix = body.replace("\r\n", "\n")
    for counting in (characters, utf16):
        for text, shift in ((body, mark), (body, 0), (unix, mark), (unix, 0)):
            units = counting(text)
            if all(_fits(text, units, shift, entity) for entity in entities.values()):
                return text, units, shift
    _fail(raw, body, mark, entities)


def _fail(raw: str, body: str, mark: int, entities: Dict[str, Entity]) -> NoReturn:
    wrong = [x for x in entities.values() if not _fits(body, Units(), mark, x)]
    place, label, fragments, text = wrong[0]
    more = f" ({len(wrong) - 1:,} more entities of this text differ)" if len(wrong) > 1 else ""
    for start, end in fragments:
        if end > len(raw):
            reason = f"has characters {start}:{end}, but the text has {len(raw)} characters"
            place.fail(f"entity '{shorten(label)}' {reason}{more}")
    here, there = difference(" ".join(raw[start:end] for start, end in fragments), text)
    place.fail(f"the text has {here!r} there, not {there!r}{more}")


def _fits(text: str, units: Units, shift: int, entity: Entity) -> bool:
    places = [(units.character(x - shift), units.character(y - shift)) for x, y in entity.fragments]
    # White space may differ, but not by whole pages.
    if sum(y - x for x, y in places) > 4 * len(entity.text) + 100:
        return False
    parts = [text[max(x, 0) : max(y, 0)] for x, y in places]
    # White space is not compared: line breaks are written as spaces.
    return " ".join(parts).split() == entity.text.split()
