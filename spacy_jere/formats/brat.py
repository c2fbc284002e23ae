"""brat's standoff files: a text in .txt, its annotations in .ann beside it (Stenetorp et al. 2012).

    T1<tab>PER 0 3<tab>Ada                   an entity
    T2<tab>PER 0 3;8 13<tab>Ada Byron        an entity with a gap
    R1<tab>LIVES_IN Arg1:T1 Arg2:T3          a relation
    *<tab>ALIAS T1 T2 T4                     equivalent entities: relations from each to the next

Offsets count characters (not bytes) of the .txt file. Events, attributes, modifications,
normalizations and notes are skipped and counted.
"""

import re
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Dict, Hashable, Iterable, Iterator, List, NamedTuple, Tuple, Union

from spacy.tokens import Doc

from ..errors import Errors
from ..relations import DEFAULT_SPANS_KEY, entity_mentions, stored_relations
from ._checks import check_entity, check_link
from ._reading import Head, Place, SourceError, decode, read_lines, shorten
from ._writing import whole_text
from .record import Record, RecordEntity, Records
from .user_data import ID_KEY, argument_names

NAME = "brat"
SUFFIXES = (".ann",)
WRITES = ""
# How entities with a gap are read, and what is counted as skipped
DISCONTINUOUS = {
    "cover": "gaps of discontinuous entities",
    "first": "later parts of discontinuous entities",
    "skip": "discontinuous entities",
}
_ENTITY = re.compile(
    r"(T[0-9]+\S*)\t(\S+) ([0-9]{1,9} [0-9]{1,9}(?:;[0-9]{1,9} [0-9]{1,9})*)\t(.*)"
)
_RELATION = re.compile(r"(R[0-9]+\S*)\t(\S+) (\S+?):(\S+) (\S+?):(\S+)\s*")
_EQUIVALENCE = re.compile(r"\*\t(\S+)((?: \S+){2,})\s*")
# The two ends of an equivalence have no names.
_EQUIVALENT = ("", "")
# Names that are valid on every system and don't hide the file
_FILE_NAME = re.compile(r"\w[\w.+ -]{0,99}(?<![. ])")
_SKIPPED = {
    "E": "events",
    "A": "attributes",
    "M": "modifications",
    "N": "normalizations",
    "#": "notes",
}


class _Entity(NamedTuple):
    place: Place
    label: str
    fragments: List[Tuple[int, int]]
    text: str


class _Link(NamedTuple):
    place: Place
    label: str
    head: str
    tail: str
    arguments: Tuple[str, str]


def sniff(head: Head) -> bool:
    """RETURNS (bool): Whether the path is a folder of such files, or one of them."""
    path = head.path
    if path.is_dir():
        return any(path.glob("*.ann"))
    return path.suffix == ".ann" or (path.suffix == ".txt" and path.with_suffix(".ann").is_file())


def read(path: Union[str, Path], discontinuous: str = "cover") -> Records:
    """Read a folder, or one text by its .ann or .txt file.

    discontinuous (str): How to read entities with a gap. "cover" includes the gap, "first" takes
        the first part, "skip" leaves the entity and its relations out. They are counted.
    RAISES (SourceError): Names file and line of what can't be read.
    """
    if discontinuous not in DISCONTINUOUS:
        known = ", ".join(DISCONTINUOUS)
        error = Errors.E314.format(option="discontinuous", known=known, value=discontinuous)
        raise SourceError(error)
    path = Path(path)
    if not path.exists():
        raise SourceError(Errors.E303.format(path=path))
    files = sorted(path.glob("*.ann")) if path.is_dir() else [path.with_suffix(".ann")]
    if not files:
        raise SourceError(Errors.E303.format(path=path / "*.ann"))
    records = Records()
    for file in files:
        records.append(_record(file, discontinuous, records.skipped))
    return records


def write(
    docs: Iterable[Doc], path: Union[str, Path], *, spans_key: str = DEFAULT_SPANS_KEY
) -> None:
    """Write a folder with a .txt and an .ann file for each Doc.

    Entities are those of doc.ents, of the span group and of relations. The arguments of relations
    keep the names that they had in brat's files. Equivalences are written as equivalences.

    The files have the names `doc.user_data["id"]` if all Docs have an id, every id can be a file's
    name, and no two are the same. Otherwise they are numbered from 0.

    spans_key (str): The key of `doc.spans` that holds entities beside doc.ents.
    RAISES (SourceError): A label of several words, or a folder that holds other texts already.
        Nothing is written then.
    """
    path = Path(path)
    texts = [(_name(doc), doc.text, list(_lines(doc, spans_key))) for doc in docs]
    names = {name.casefold() for name, _, _ in texts if name}
    if len(names) < len(texts):
        texts = [(f"{i:06}", text, lines) for i, (_, text, lines) in enumerate(texts)]
    files = {}
    for name, text, lines in texts:
        files[f"{name}.txt"] = text
        files[f"{name}.ann"] = "".join(f"{line}\n" for line in lines)
    # Other texts in the folder would be read together with ours.
    others = [x.name for x in path.glob("*.ann") if x.name not in files]
    if others:
        raise SourceError(Errors.E316.format(path=path, name=others[0]))
    path.mkdir(parents=True, exist_ok=True)
    for file, content in files.items():
        with whole_text(path / file) as opened:
            opened.write(content)


def _name(doc: Doc) -> str:
    """RETURNS (str): The id of a Doc, empty where it can't be a file's name."""
    name = str(doc.user_data.get(ID_KEY, ""))
    return name if _FILE_NAME.fullmatch(name) else ""


def _lines(doc: Doc, spans_key: str) -> Iterator[str]:
    numbers = {mention: i for i, mention in enumerate(entity_mentions(doc, spans_key), 1)}
    for (start, end, label), number in numbers.items():
        text = re.sub(r"[\r\n]", " ", doc.text[start:end])
        yield f"T{number}\t{_one_word(label)} {start} {end}\t{text}"
    relations = stored_relations(doc) or []
    n_relations = 0
    for (head, tail, label, _), names in zip(relations, argument_names(doc, relations)):
        _one_word(label)
        if names == _EQUIVALENT:
            yield f"*\t{label} T{numbers[head]} T{numbers[tail]}"
            continue
        n_relations += 1
        first, second = names
        yield f"R{n_relations}\t{label} {first}:T{numbers[head]} {second}:T{numbers[tail]}"


def _one_word(label: str) -> str:
    if not label or len(label.split()) != 1 or label != label.strip():
        raise SourceError(Errors.E315.format(label=label))
    return label


def _record(file: Path, discontinuous: str, skipped: "Counter[str]") -> Record:
    found, links = _parse(file, skipped)
    text, shift = _text(file, found)
    index: Dict[Hashable, int] = {}
    entities: List[RecordEntity] = []
    for name, (place, label, fragments, _) in found.items():
        # brat itself divides an entity at a line break, which is no gap.
        gap = any(text[x[1] - shift : y[0] - shift].strip() for x, y in pairwise(fragments))
        if gap:
            skipped[DISCONTINUOUS[discontinuous]] += 1
            if discontinuous == "skip":
                continue
            if discontinuous == "first":
                fragments = fragments[:1]
        start, end = fragments[0][0] - shift, max(end for _, end in fragments) - shift
        index[name] = len(entities)
        entities.append(check_entity(place, text, max(start, 0), end, label))
    relations, arguments = [], []
    for place, label, head, tail, names in links:
        for end_name in (head, tail):
            if end_name not in found and not end_name.startswith("E"):
                place.fail(
                    f"relation '{label}' names {shorten(repr(end_name))}, which is no entity"
                )
        if head in index and tail in index:
            relations.append(check_link(place, index, head, tail, label))
            arguments.append(names)
        else:
            skipped["relations of events or of entities left out"] += 1
    meta: Dict[str, object] = {"orig_id": file.stem, "arguments": arguments}
    return Record(text, entities, relations, meta=meta, source=str(file))


def _parse(file: Path, skipped: "Counter[str]") -> Tuple[Dict[str, _Entity], List[_Link]]:
    entities: Dict[str, _Entity] = {}
    links: List[_Link] = []
    for place, line in read_lines(file):
        kind = line[:1]
        if kind == "T":
            name, entity = _entity(place, line)
            if name in entities:
                place.fail(f"there are two entities {name}")
            entities[name] = entity
        elif kind == "R":
            links.append(_relation(place, line))
        elif kind == "*":
            links += _equivalence(place, line)
        elif kind in _SKIPPED:
            skipped[_SKIPPED[kind]] += 1
        elif line.strip():
            place.fail(f"expected a line that begins with T, R, *, {', '.join(_SKIPPED)}")
    return entities, links


def _entity(place: Place, line: str) -> Tuple[str, _Entity]:
    match = _ENTITY.fullmatch(line)
    if match is None:
        place.fail(f"expected T1<tab>LABEL START END<tab>TEXT, found {shorten(repr(line))}")
    name, label, offsets, text = match.groups()
    pairs = (fragment.split(" ") for fragment in offsets.split(";"))
    fragments = sorted((int(start), int(end)) for start, end in pairs)
    for start, end in fragments:
        if start >= end:
            place.fail(f"entity '{label}' has characters {start}:{end}, which are none")
    return name, _Entity(place, label, fragments, text)


def _relation(place: Place, line: str) -> _Link:
    match = _RELATION.fullmatch(line)
    if match is None:
        place.fail(f"expected R1<tab>LABEL Arg1:T1 Arg2:T2, found {shorten(repr(line))}")
    _, label, first, head, second, tail = match.groups()
    return _Link(place, label, head, tail, (first, second))


def _equivalence(place: Place, line: str) -> List[_Link]:
    match = _EQUIVALENCE.fullmatch(line)
    if match is None:
        place.fail(f"expected *<tab>LABEL T1 T2, found {shorten(repr(line))}")
    label, names = match.group(1), match.group(2).split()
    return [_Link(place, label, head, tail, _EQUIVALENT) for head, tail in pairwise(names)]


def _text(file: Path, entities: Dict[str, _Entity]) -> Tuple[str, int]:
    """Read the text as its offsets count it.

    Tools disagree on whether a byte-order mark and the \\r of a line end are characters. The texts
    of the entities tell.

    RETURNS (Tuple[str, int]): The text, and the number to subtract from offsets.
    """
    raw = decode(file.with_suffix(".txt"))
    body = raw.removeprefix("\ufeff")
    mark = len(raw) - len(body)
    unix = body.replace("\r\n", "\n")
    for text, shift in ((body, mark), (body, 0), (unix, mark), (unix, 0)):
        if all(_fits(text, shift, entity) for entity in entities.values()):
            return text, shift
    wrong = next(x for x in entities.values() if not _fits(body, mark, x))
    for start, end in wrong.fragments:
        check_entity(wrong.place, raw, start, end, wrong.label)
    here = shorten(" ".join(raw[start:end] for start, end in wrong.fragments))
    wrong.place.fail(f"the text has {here!r} there, not {shorten(wrong.text)!r}")


def _fits(text: str, shift: int, entity: _Entity) -> bool:
    parts = [text[max(x - shift, 0) : max(y - shift, 0)] for x, y in entity.fragments]
    # White space is not compared: line breaks are written as spaces.
    return " ".join(parts).split() == entity.text.split()
