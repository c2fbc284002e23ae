"""brat's standoff files: a text in .txt, its annotations in .ann beside it (Stenetorp et al. 2012).

    T1<tab>PER 0 3<tab>Ada                   an entity
    T2<tab>PER 0 3;8 13<tab>Ada Byron        an entity with a gap
    R1<tab>LIVES_IN Arg1:T1 Arg2:T3          a relation
    *<tab>ALIAS T1 T2 T4                     equivalent entities: relations from each to the next
    E1<tab>MOVE:T4 Who:T1 Where:T3           an event: its trigger and its arguments

Offsets count characters (not bytes) of the .txt file. Attributes, modifications, normalizations and
notes are skipped and counted, and so are events, apart from their triggers and, as an option, their
arguments.
"""

import re
import unicodedata
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Dict, Hashable, Iterable, Iterator, List, Optional, Tuple, Union

from spacy.tokens import Doc

from ..errors import Errors
from ..relations import DEFAULT_SPANS_KEY, entity_mentions, stored_relations
from . import _standoff
from ._checks import check_entity, check_link
from ._reading import Head, SourceError, check_choice, report, shorten
from ._writing import whole_folder
from .record import Record, RecordEntity, RecordRelation, Records
from .user_data import ID_KEY, USUAL_ARGUMENTS, argument_names

NAME = "brat"
SUFFIXES = _standoff.SUFFIXES
WRITES = ""
# How entities with a gap are read
DISCONTINUOUS = ("cover", "first", "skip")
# What becomes of events
EVENTS = ("trigger", "arguments", "skip")
# Names that are valid on every system and don't hide the file
_FILE_NAME = re.compile(r"\w[\w.+ -]{0,99}(?<![. ])")
_LONGEST_NAME = 200  # bytes; most systems take 255 with the suffix
# What Windows takes for a device, whatever follows the first dot
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])[ ]*(?:\.|$)", flags=re.I)
# The kinds of lines that are written
_WRITTEN = (b"T", b"R", b"*")


def sniff(head: Head) -> bool:
    """RETURNS (bool): Whether the path is a folder of such files, or one of them."""
    path = head.path
    if path.is_dir():
        return _standoff.holds_texts(path)
    suffix = path.suffix.lower()
    return suffix in SUFFIXES or (
        suffix == _standoff.TEXT_SUFFIX and _standoff.find_source(path) is not None
    )


def read(path: Union[str, Path], discontinuous: str = "cover", events: str = "trigger") -> Records:
    """Read a folder with the folders in it, or one text by one of its files.

    discontinuous (str): How to read entities with a gap. "cover" includes the gap, "first" takes
        the first part, "skip" leaves the entity and its relations out. They are counted.
    events (str): What to do with relations that end at an event. "trigger" takes its trigger as
        the end, "arguments" does and makes each argument a relation from the trigger, "skip" leaves
        these relations out.
    RAISES (SourceError): Names file and line of what can't be read.
    """
    check_choice("discontinuous", discontinuous, DISCONTINUOUS)
    check_choice("events", events, EVENTS)
    path = Path(path)
    if not path.exists():
        raise SourceError(Errors.E303.format(path=path))
    bare: List[Path] = []
    if path.is_dir():
        sources, bare = _standoff.find_sources(path)
    else:
        source = _standoff.find_source(path)
        sources = [] if source is None else [source]
    if not sources:
        missing = path / "*.ann" if path.is_dir() else path.with_suffix(".ann")
        raise SourceError(Errors.E303.format(path=missing))
    records = Records.of(zip(sources), partial(_record, discontinuous, events))
    if bare:
        records.skipped["texts without annotations beside them"] += len(bare)
    return records


def write(
    docs: Iterable[Doc],
    path: Union[str, Path],
    *,
    spans_key: str = DEFAULT_SPANS_KEY,
    force: bool = False,
) -> None:
    """Write a folder with a .txt and an .ann file for each Doc. All appear together.

    Entities are those of doc.ents, of the span group and of relations. The arguments of relations
    keep the names that they had in brat's files. Equivalences are written as equivalences.

    The files have the names `doc.user_data["id"]` if all Docs have an id, every id can be a file's
    name on every system, and no two are the same. Otherwise they are numbered from 0.

    spans_key (str): The key of `doc.spans` that holds entities beside doc.ents.
    force (bool): Write into a folder that holds other things, which stay.
    RAISES (SourceError): A label of several words; or, unless it is forced, a folder that holds
        other texts, other files, or annotations that are never written here. Nothing is written
        then.
    """
    path = Path(path)
    texts = [(_name(doc), doc.text, list(_lines(doc, spans_key))) for doc in docs]
    names = {unicodedata.normalize("NFC", name).casefold() for name, _, _ in texts if name}
    if len(names) < len(texts):
        texts = [(f"{i:06}", text, lines) for i, (_, text, lines) in enumerate(texts)]
    files = {}
    for name, text, lines in texts:
        files[f"{name}.txt"] = text
        files[f"{name}.ann"] = "".join(f"{line}\n" for line in lines)
    # Other texts in the folder would be read together with ours.
    others = [x.name for x in path.glob("*.ann") if x.name not in files]
    if others and not force:
        raise SourceError(Errors.E316.format(path=path, name=others[0]))
    with whole_folder(path, own=is_own, force=force) as part:
        for file, content in files.items():
            with (part / file).open("w", encoding="utf8", newline="") as opened:
                opened.write(content)


def is_own(path: Path) -> bool:
    """RETURNS (bool): Whether `write` may have written a file: an .ann file with nothing but
    entities, relations and equivalences, or a text."""
    if path.suffix == ".ann":
        lines = path.read_bytes().splitlines()
        return all(not line.strip() or line[:1] in _WRITTEN for line in lines)
    return path.suffix == ".txt"


def _name(doc: Doc) -> str:
    """RETURNS (str): The id of a Doc, empty where it can't be a file's name."""
    name = str(doc.user_data.get(ID_KEY, ""))
    is_short = len(name.encode("utf8", "surrogatepass")) <= _LONGEST_NAME
    return name if is_short and _FILE_NAME.fullmatch(name) and not _RESERVED.match(name) else ""


def _lines(doc: Doc, spans_key: str) -> Iterator[str]:
    numbers = {mention: i for i, mention in enumerate(entity_mentions(doc, spans_key), 1)}
    for (start, end, label), number in numbers.items():
        text = re.sub(r"[\r\n]", " ", doc.text[start:end])
        yield f"T{number}\t{_one_word(label)} {start} {end}\t{text}"
    relations = stored_relations(doc) or []
    n_relations = 0
    for (head, tail, label, _), names in zip(relations, argument_names(doc, relations)):
        _one_word(label)
        if names == _standoff.EQUIVALENT:
            yield f"*\t{label} T{numbers[head]} T{numbers[tail]}"
            continue
        n_relations += 1
        first, second = names
        yield f"R{n_relations}\t{label} {first}:T{numbers[head]} {second}:T{numbers[tail]}"


def _one_word(label: str) -> str:
    if not label or len(label.split()) != 1 or label != label.strip():
        raise SourceError(Errors.E315.format(label=label))
    return label


def _record(
    discontinuous: str, events: str, source: _standoff.Source, counted: Records
) -> Optional[Record]:
    found = _standoff.parse(source.annotations, counted.skipped)
    text, units, shift = _standoff.read_body(source.text, found.entities)
    if not found.is_sound:
        return None
    ends = _Ends(found, events)
    entities: List[RecordEntity] = []
    for name, entity in found.entities.items():
        fragments = sorted(
            (units.character(max(start - shift, 0)), units.character(end - shift))
            for start, end in entity.fragments
        )
        # brat itself divides an entity at a line break, which is no gap.
        if any(text[x[1] : y[0]].strip() for x, y in pairwise(fragments)):
            if discontinuous == "cover":
                counted.changed["gaps of discontinuous entities taken in"] += 1
            elif discontinuous == "first":
                counted.skipped["later parts of discontinuous entities"] += 1
                fragments = fragments[:1]
            else:
                counted.skipped["discontinuous entities"] += 1
                continue
        start, end = fragments[0][0], max(end for _, end in fragments)
        ends.index[name] = len(entities)
        entities.append(check_entity(entity.place, text, start, end, entity.label))
    relations, arguments = ends.relations(counted)
    if relations is None:
        return None
    meta: Dict[str, object] = {"orig_id": source.name, "arguments": arguments}
    return Record(text, entities, relations, meta=meta, source=str(source.annotations[0]))


class _Ends:
    """Finds the ends of relations.

    found (Annotations): The lines of a text.
    events (str): One of EVENTS.
    """

    def __init__(self, found: _standoff.Annotations, events: str):
        self.index: Dict[Hashable, int] = {}
        self._found = found
        self._events = events

    def relations(
        self, counted: Records
    ) -> Tuple[Optional[List[RecordRelation]], List[Tuple[str, str]]]:
        """RETURNS (Tuple[Optional[List[RecordRelation]], List[Tuple[str, str]]]): Relations, None
        if one has a fault, and the names of their arguments."""
        if self._events != "arguments" and self._found.events:
            counted.skipped["events"] += len(self._found.events)
        relations, arguments = [], []
        is_sound = True
        # Of arguments it goes without saying that they end at a trigger.
        links = [(link, counted) for link in self._found.links]
        for link, ends in [*links, *((x, Records()) for x in self._arguments())]:
            try:
                relation = self._relation(link, ends)
            except SourceError as fault:
                report(fault)
                is_sound = False
                continue
            if relation is not None:
                relations.append(relation)
                arguments.append(link.arguments)
        return (relations if is_sound else None), arguments

    def _arguments(self) -> Iterator[_standoff.Link]:
        for name, event in self._found.events.items() if self._events == "arguments" else ():
            for role, end in event.arguments:
                # A second argument of one role has a number: Theme, Theme2.
                label = role.rstrip("0123456789") or role
                yield _standoff.Link(event.place, label, name, end, USUAL_ARGUMENTS)

    def _relation(self, link: _standoff.Link, counted: Records) -> Optional[RecordRelation]:
        """RETURNS (Optional[RecordRelation]): None if the relation is left out."""
        if self._events == "skip" and any(x in self._found.events for x in (link.head, link.tail)):
            counted.skipped["relations that end at an event"] += 1
            return None
        head, tail = (self._entity(link, name, counted) for name in (link.head, link.tail))
        if head not in self.index or tail not in self.index:
            counted.skipped["relations of discontinuous entities"] += 1
            return None
        return check_link(link.place, self.index, head, tail, link.label)

    def _entity(self, link: _standoff.Link, name: str, counted: Records) -> str:
        """RETURNS (str): The name of the entity at an end; the trigger if it is an event."""
        event = self._found.events.get(name)
        if event is not None:
            if event.trigger is None:
                event.place.fail(
                    f"expected E1<tab>TYPE:T1 ROLE:T2, found {shorten(repr(event.line))}"
                )
            name = event.trigger
            counted.changed["ends of relations at an event taken to be its trigger"] += 1
        if name not in self._found.entities:
            end = shorten(repr(name))
            link.place.fail(f"relation '{shorten(link.label)}' names {end}, which is no entity")
        return name
