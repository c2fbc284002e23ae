"""Columns: a token a line, with its tag and the relations that begin at it.

    # id = 1
    Ada     B-PER   LIVES_IN:4
    lives   O       _
    in      O       _
    New     B-LOC   _
    Oslo    I-LOC   _

* Columns are separated by tabs, sentences by blank lines.
* Lines that begin with `# ` before the first token of a sentence are comments; `# id = …` names it.
* Tags are BIO, BIOES or BILOU, the same in all of the file, or IOB1 if the option `scheme` says so.
* The third column holds `_`, or relations as `LABEL:N` joined by `|`. Their head is the entity that
  begins at this token, their tail the entity that begins at token N. Tokens are counted from 1.
* The third column stands in every line or in none. A file without it is not annotated for
  relations.

Files of entities only, as CoNLL-2003 and annotation tools write them, may have their columns
separated by one space, and more of them: the first is the token, the last the tag. Lines that begin
with `-DOCSTART-` are left out.
"""

import re
from functools import partial
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple, Union

from ._reading import Head, Place, check_choice, read_lines, shorten
from .record import Record, RecordRelation, Records

NAME = "conll_columns"
SUFFIXES = (".conll", ".tsv", ".bio", ".iob")
SCHEMES = ("bio", "iob1", "bioes", "bilou")
_TAG = re.compile(r"O|[BIESLU]-\S+")
_COMMENT = re.compile(r"#(?: |$)(?:id ?= ?(.*))?")
_NONE = "_"
_DOCUMENT = "-DOCSTART-"
_PREFIXES = {"bio": "BI", "iob1": "BI", "bioes": "BIES", "bilou": "BILU"}
# BILOU's names of what BIOES calls E and S
_BIOES = {"L": "E", "U": "S"}
# How many lines a file of this format shows at its beginning
_N_SNIFFED = 20
_Line = Tuple[Place, str]


class _Layout(NamedTuple):
    """What the columns of a file hold.

    separator: A tab, or a space.
    n_columns: How many there are.
    with_relations: Whether the third column holds relations.
    is_own: Whether the tag is the second column, not the last of any number.
    """

    separator: str
    n_columns: int
    with_relations: bool
    is_own: bool


class _Row(NamedTuple):
    place: Place
    word: str
    tag: str
    relations: Optional[str]


def sniff(head: Head) -> bool:
    """RETURNS (bool): Whether the file looks like this format."""
    lines = [x for x in head.text.split("\n") if _is_token(x)]
    # The head may end inside a line.
    lines = lines[: None if head.is_whole else -1][:_N_SNIFFED] or lines[:1]
    layout = _layout(lines[0]) if lines else None
    if layout is None or layout.separator == "\t":
        return layout is not None
    rows = [line.split(" ") for line in lines]
    return all(len(x) == layout.n_columns and _TAG.fullmatch(x[-1]) for x in rows)


def read(path: Union[str, Path], scheme: Optional[str] = None) -> Records:
    """Read a file.

    scheme (Optional[str]): The tags: "bio", "iob1" (B- only where an entity follows another one of
        its label), "bioes" or "bilou". None tells them from the file, but never takes them for
        "iob1".
    RAISES (SourceError): Names file and line of what can't be read.
    """
    if scheme is not None:
        check_choice("scheme", scheme, SCHEMES)
    first = next((line for _, line in read_lines(path) if _is_token(line)), "")
    n_columns = first.count("\t") + 1
    layout = _layout(first) or _Layout("\t", n_columns, n_columns == 3, True)
    scheme = scheme or _scheme(path, layout)
    return Records.of(_sentences(path, layout), partial(_record, layout, scheme))


def _is_token(line: str) -> bool:
    return bool(line.strip()) and not line.startswith(("# ", _DOCUMENT))


def _layout(line: str) -> Optional[_Layout]:
    """RETURNS (Optional[_Layout]): The layout of a file with this first token; None for no such
    file."""
    separator = "\t" if "\t" in line else " "
    columns = line.split(separator)
    if separator == "\t" and len(columns) in (2, 3) and _TAG.fullmatch(columns[1]):
        return _Layout(separator, len(columns), len(columns) == 3, True)
    if len(columns) > 1 and _TAG.fullmatch(columns[-1]):
        return _Layout(separator, len(columns), False, False)
    return None


def _scheme(path: Union[str, Path], layout: _Layout) -> str:
    tag = 1 if layout.is_own else -1
    columns = (line.split(layout.separator) for _, line in read_lines(path) if _is_token(line))
    found = {x[tag][:2] for x in columns if len(x) > 1}
    return "bioes" if found & {"E-", "S-"} else "bilou" if found & {"L-", "U-"} else "bio"


def _sentences(
    path: Union[str, Path], layout: _Layout
) -> Iterator[Tuple[Optional[str], List[_Line]]]:
    """RETURNS (Iterator[Tuple[Optional[str], List[_Line]]]): Name and lines of each sentence."""
    name: Optional[str] = None
    lines: List[_Line] = []
    for place, line in read_lines(path):
        if line.startswith(_DOCUMENT):
            continue
        if not line.strip():
            if lines:
                yield name, lines
                name, lines = None, []
        elif not lines and (comment := _comment(line, layout)):
            name = comment.group(1) or name
        else:
            lines.append((place, line))
    if lines:
        yield name, lines


def _comment(line: str, layout: _Layout) -> Optional["re.Match[str]"]:
    columns = line.split(" ")
    is_token = "\t" in line or (
        layout.separator == " " and len(columns) == layout.n_columns and _TAG.fullmatch(columns[-1])
    )
    return None if is_token else _COMMENT.match(line)


def _record(
    layout: _Layout, scheme: str, name: Optional[str], lines: List[_Line], counted: Records
) -> Record:
    rows = [_row(place, line, layout, scheme) for place, line in lines]
    if not layout.is_own:
        _check_words(rows)
    entities = _entities(rows, scheme)
    relations = None
    if layout.with_relations:
        first_tokens = {start: i for i, (start, _, _) in enumerate(entities)}
        relations = []
        for token, row in enumerate(rows):
            relations += _relations(row, token, first_tokens)
    meta = {} if name is None else {"orig_id": name}
    words = [row.word for row in rows]
    return Record.from_words(words, entities, relations, meta=meta, source=str(rows[0].place))


def _row(place: Place, line: str, layout: _Layout, scheme: str) -> _Row:
    columns = line.split(layout.separator)
    if layout.is_own and len(columns) not in (2, 3):
        place.fail(f"expected 2 or 3 columns separated by tabs, found {len(columns)}")
    if len(columns) != layout.n_columns:
        if layout.is_own:
            place.fail("a line has another number of columns than the first one")
        separated = "tabs" if layout.separator == "\t" else "one space"
        expected = f"{layout.n_columns} columns separated by {separated}"
        place.fail(f"expected {expected}, as in the first line, found {len(columns)}")
    word, tag = columns[0], columns[1 if layout.is_own else -1]
    if not word.strip():
        place.fail("the token is empty")
    if _TAG.fullmatch(tag) is None or tag[0] not in f"O{_PREFIXES[scheme]}":
        known = "B-, I-, L- or U-" if scheme == "bilou" else "B-, I-, E- or S-"
        place.fail(f"expected O, or {known} and a label, found {shorten(repr(tag))}")
    tag = _BIOES.get(tag[0], tag[0]) + tag[1:]
    return _Row(place, word, tag, columns[2] if layout.with_relations else None)


def _check_words(rows: List[_Row]) -> None:
    """Refuse a first column that numbers the tokens."""
    words = [row.word for row in rows]
    numbers = [[str(i + first) for i in range(len(rows))] for first in (0, 1)]
    if len(rows) > 1 and words in numbers:
        rows[0].place.fail("the first column numbers the tokens: take it out")


def _entities(rows: List[_Row], scheme: str) -> List[Tuple[int, int, str]]:
    entities: List[Tuple[int, int, str]] = []
    opened: Optional[Tuple[int, str]] = None  # first token and label of an entity that may go on
    for token, row in enumerate(rows):
        prefix, label = row.tag[0], row.tag[2:]
        continues = opened is not None and opened[1] == label
        if prefix in "IE" and not continues and scheme == "iob1":
            prefix = "B"
        goes_on = prefix in "IE"
        if goes_on and not continues:
            before = f"after {rows[token - 1].tag}" if token else "at the beginning of a sentence"
            reason = f"{row.tag} can't stand {before}: an entity begins with B-{label}"
            row.place.fail(f"{reason}. Set scheme to iob1 if it doesn't")
        if opened is not None and not goes_on:
            _close(entities, rows, opened, token, scheme)
        if prefix in "BS":
            opened = token, label
        if prefix in "ES" and opened is not None:
            entities.append((opened[0], token + 1, label))
        if prefix in "OES":
            opened = None
    if opened is not None:
        _close(entities, rows, opened, len(rows), scheme)
    return entities


def _close(
    entities: List[Tuple[int, int, str]],
    rows: List[_Row],
    opened: Tuple[int, str],
    end: int,
    scheme: str,
) -> None:
    start, label = opened
    if scheme in ("bioes", "bilou"):
        ends = "E- or S-" if scheme == "bioes" else "L- or U-"
        reason = f"as the file has {ends} tags, an entity ends with one"
        rows[end - 1].place.fail(f"the entity '{shorten(label)}' doesn't end: {reason}")
    entities.append((start, end, label))


def _relations(row: _Row, token: int, first_tokens: Dict[int, int]) -> List[RecordRelation]:
    if row.relations is None or row.relations == _NONE:
        return []
    if token not in first_tokens:
        row.place.fail("relations stand at the first token of an entity, and none begins here")
    relations = []
    for relation in row.relations.split("|"):
        label, _, number = relation.rpartition(":")
        if not label.strip() or not (number.isascii() and number.isdigit() and len(number) < 10):
            row.place.fail(f"expected _ or LABEL:N, found {shorten(repr(relation))}")
        tail = int(number) - 1
        if tail not in first_tokens:
            row.place.fail(f"relation '{shorten(label)}': no entity begins at token {number}")
        relations.append(RecordRelation(first_tokens[token], first_tokens[tail], label))
    return relations
