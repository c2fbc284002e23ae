"""ADE: drugs and their adverse effects, a relation a line (Gurulingappa et al. 2012).

    PubMed-ID|sentence|adverse effect|begin|end|drug|begin|end

The lines of a sentence become one record, with relations from the effect to the drug. Offsets count
characters of a document that is not in the file. The place of the sentence in its document follows
from its annotations: only from there do all offsets fall on their texts.
"""

from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Tuple, Union

from ._reading import Head, Place, read_lines, shorten
from .record import Record, RecordEntity, RecordRelation, Records

NAME = "ade"
SUFFIXES = (".rel",)
_EFFECT = "Adverse-Effect"
_DRUG = "Drug"
_N_COLUMNS = 8
# In how many places of its sentence a text is looked for
_MOST_PLACES = 1000


class _Mention(NamedTuple):
    text: str
    start: int
    label: str


class _Row(NamedTuple):
    place: Place
    effect: _Mention
    drug: _Mention


def sniff(head: Head) -> bool:
    """RETURNS (bool): Whether the file looks like this format."""
    columns = head.text.lstrip("\n").split("\n", 1)[0].split("|")
    return len(columns) == _N_COLUMNS and all(columns[i].strip().isdigit() for i in (0, 3, 4, 6, 7))


def read(path: Union[str, Path]) -> Records:
    """RAISES (SourceError): Names file and line of what can't be read."""
    sentences: Dict[Tuple[str, str], List[Tuple[Place, str]]] = {}
    for place, line in read_lines(path):
        if line.strip():
            document, _, rest = line.partition("|")
            key = document, rest.partition("|")[0]
            sentences.setdefault(key, []).append((place, line))
    return Records.of(((*key, lines) for key, lines in sentences.items()), _record)


def _row(place: Place, line: str) -> _Row:
    columns = line.split("|")
    if len(columns) != _N_COLUMNS:
        place.fail(f"expected {_N_COLUMNS} columns separated by '|', found {len(columns)}")
    effect = _mention(place, columns[2:5], _EFFECT)
    return _Row(place, effect, _mention(place, columns[5:], _DRUG))


def _mention(place: Place, columns: List[str], label: str) -> _Mention:
    text, *offsets = columns
    # Longer numbers are no offsets, and Python refuses to read very long ones.
    if not all(x.isascii() and x.isdigit() and len(x) < 10 for x in offsets):
        found = shorten(repr(offsets))
        place.fail(f"begin and end of '{shorten(text)}' must be whole numbers, found {found}")
    start, end = map(int, offsets)
    if not text.strip() or end - start != len(text):
        place.fail(
            f"'{shorten(text)}' has {len(text)} characters, but begins at {start} and ends at {end}"
        )
    return _Mention(text, start, label)


def _record(
    document: str, sentence: str, lines: List[Tuple[Place, str]], counted: Records
) -> Record:
    rows = [_row(place, line) for place, line in lines]
    begin = _begin(sentence, rows)
    index: Dict[RecordEntity, int] = {}
    relations = []
    for row in rows:
        effect, drug = _entity(row.effect, begin), _entity(row.drug, begin)
        head, tail = index.setdefault(effect, len(index)), index.setdefault(drug, len(index))
        relations.append(RecordRelation(head, tail, _EFFECT))
    source = str(rows[0].place)
    return Record(sentence, list(index), relations, meta={"orig_id": document}, source=source)


def _entity(mention: _Mention, begin: int) -> RecordEntity:
    start = mention.start - begin
    return RecordEntity(start, start + len(mention.text), mention.label)


def _begin(sentence: str, rows: List[_Row]) -> int:
    """RETURNS (int): Where the sentence begins in its document."""
    possible: Optional[List[int]] = None
    for row in rows:
        for mention in (row.effect, row.drug):
            if possible is None:
                possible = [mention.start - x for x in _occurrences(row.place, mention, sentence)]
            elif mention.text not in sentence:
                row.place.fail(f"{shorten(repr(mention.text))} is not in the sentence")
            else:
                possible = [x for x in possible if _fits(sentence, mention, x)]
        if not possible:
            row.place.fail("the offsets fit no place in the sentence: correct or remove the line")
    # A text that repeats itself at the same distance fits in several places: take the first.
    return max(possible or [0])


def _fits(sentence: str, mention: _Mention, begin: int) -> bool:
    start = mention.start - begin
    return start >= 0 and sentence.startswith(mention.text, start)


def _occurrences(place: Place, mention: _Mention, sentence: str) -> List[int]:
    found: List[int] = []
    text = shorten(repr(mention.text))
    position = sentence.find(mention.text)
    while position >= 0:
        found.append(position)
        if len(found) > _MOST_PLACES:
            place.fail(f"{text} stands in the sentence too often to place it")
        position = sentence.find(mention.text, position + 1)
    if not found:
        place.fail(f"{text} is not in the sentence")
    return found
