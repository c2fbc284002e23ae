"""Multi-head CoNLL04: BIO tags and relations in columns (Bekoulis et al. 2018).

    #doc 1
    0<tab>Ada<tab>B-Peop<tab>['Live_In']<tab>[2]
    1<tab>in<tab>O<tab>['N']<tab>[1]
    2<tab>Rome<tab>B-Loc<tab>['N']<tab>[2]

`#doc ID` opens a sentence. Each line after it has the number of a token, the token, its BIO tag, a
list of relation labels and a list of the tokens that these relations point to. A relation stands at
the last token of its head and points to the last token of its tail. `['N']` means no relation.
"""

import ast
from pathlib import Path
from typing import Any, Iterator, List, NamedTuple, Optional, Tuple, Union

from ._checks import is_offset
from ._reading import Head, Place, read_lines, report, shorten
from .record import Record, RecordRelation, Records

NAME = "conll04"
SUFFIXES = (".txt",)
_NO_RELATION = "N"
_Line = Tuple[Place, str]


class _Row(NamedTuple):
    place: Place
    word: str
    tag: str
    labels: List[str]
    tails: List[int]


def sniff(head: Head) -> bool:
    """RETURNS (bool): Whether the file looks like this format."""
    return head.text.lstrip().startswith("#doc")


def read(path: Union[str, Path]) -> Records:
    """RAISES (SourceError): Names file and line of what can't be read."""
    return Records.of(_sentences(path), _record)


def _sentences(path: Union[str, Path]) -> Iterator[Tuple[str, Place, List[_Line]]]:
    """RETURNS (Iterator[Tuple[str, Place, List[_Line]]]): Of each sentence name, place, lines."""
    name: Optional[str] = None
    opened = Place(Path(path), 1)
    lines: List[_Line] = []
    for place, content in read_lines(path):
        if content.startswith("#doc"):
            if name is not None:
                yield name, opened, lines
            name, opened, lines = content[4:].strip(), place, []
        elif content.strip():
            if name is None:
                report(place.fault("expected '#doc', the beginning of a sentence"))
                continue
            lines.append((place, content))
    if name is not None:
        yield name, opened, lines


def _row(place: Place, content: str, expected: int) -> _Row:
    columns = content.split("\t")
    if len(columns) != 5:
        place.fail(f"expected 5 columns separated by tabs, found {len(columns)}")
    number, word, tag, labels, tails = columns
    if number.strip() != str(expected):
        place.fail(f"expected token number {expected}, found {shorten(repr(number))}")
    if not word.strip():
        place.fail("the token is empty")
    if tag != "O" and not (tag[:2] in ("B-", "I-") and len(tag) > 2):
        place.fail(f"expected O, B-label or I-label, found {shorten(repr(tag))}")
    label_list, tail_list = _literal(place, labels), _literal(place, tails)
    if len(label_list) != len(tail_list):
        place.fail(f"{len(label_list)} relation labels, but {len(tail_list)} tails")
    if not all(isinstance(x, str) and x for x in label_list):
        place.fail("relation labels must be strings that are not empty")
    if not all(map(is_offset, tail_list)):
        place.fail("the tails of relations must be token numbers")
    return _Row(place, word, tag, label_list, tail_list)


def _literal(place: Place, column: str) -> List[Any]:
    try:
        value = ast.literal_eval(column.strip())
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        value = None
    if not isinstance(value, list):
        place.fail(f"expected a list, found {shorten(repr(column))}")
    return value


def _record(name: str, place: Place, lines: List[_Line], counted: Records) -> Record:
    rows = [_row(*line, expected) for expected, line in enumerate(lines)]
    if not rows:
        place.fail(f"sentence {shorten(repr(name))} has no tokens")
    entities = _entities(rows)
    by_last_token = {end - 1: i for i, (_, end, _) in enumerate(entities)}
    relations = []
    for token, row in enumerate(rows):
        for label, tail in zip(row.labels, row.tails):
            if label == _NO_RELATION:
                continue
            for end in (token, tail):
                if end not in by_last_token:
                    row.place.fail(f"relation '{label}': no entity ends on token {end}")
            relations.append(RecordRelation(by_last_token[token], by_last_token[tail], label))
    words = [row.word for row in rows]
    meta = {"orig_id": name}
    return Record.from_words(words, entities, relations, meta=meta, source=str(place))


def _entities(rows: List[_Row]) -> List[Tuple[int, int, str]]:
    """Join tags to entities. As in conlleval, an I- that continues nothing opens an entity."""
    entities: List[Tuple[int, int, str]] = []
    previous = "O"
    for token, row in enumerate(rows):
        prefix, label = row.tag[:1], row.tag[2:]
        if prefix == "B" or (prefix == "I" and previous != label):
            entities.append((token, token + 1, label))
        elif prefix == "I":
            entities[-1] = (entities[-1][0], token + 1, label)
        previous = label if prefix != "O" else "O"
    return entities
