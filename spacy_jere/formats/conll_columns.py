"""Columns: a token a line, with its tag and the relations that begin at it.

    # id = 1
    Ada     B-PER   LIVES_IN:4
    lives   O       _
    in      O       _
    New     B-LOC   _
    Oslo    I-LOC   _

* Columns are separated by tabs, sentences by blank lines.
* Lines that begin with `# ` before the first token of a sentence are comments; `# id = …` names it.
* Tags are BIO or BIOES, the same in all of the file.
* The third column holds `_`, or relations as `LABEL:N` joined by `|`. Their head is the entity that
  begins at this token, their tail the entity that begins at token N. Tokens are counted from 1.
* The third column stands in every line or in none. A file without it is not annotated for
  relations.
"""

import re
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Tuple, Union

from ._reading import Head, Place, read_lines, shorten
from .record import Record, RecordRelation, Records

NAME = "conll_columns"
SUFFIXES = (".conll", ".tsv", ".bio", ".iob")
_TAG = re.compile(r"O|[BIES]-\S+")
_COMMENT = re.compile(r"#(?: |$)(?:id ?= ?(.*))?")
_NONE = "_"


class _Row(NamedTuple):
    place: Place
    word: str
    tag: str
    relations: Optional[str]


class _Sentence(NamedTuple):
    name: Optional[str]
    rows: List[_Row]


def sniff(head: Head) -> bool:
    """RETURNS (bool): Whether the file looks like this format."""
    lines = (x for x in head.text.split("\n") if x.strip() and not x.startswith("# "))
    columns = next(lines, "").split("\t")
    return len(columns) in (2, 3) and _TAG.fullmatch(columns[1]) is not None


def read(path: Union[str, Path]) -> Records:
    """RAISES (SourceError): Names file and line of what can't be read."""
    sentences: List[_Sentence] = []
    name: Optional[str] = None
    rows: List[_Row] = []
    for place, line in read_lines(path):
        if not line.strip():
            if rows:
                sentences.append(_Sentence(name, rows))
                name, rows = None, []
        elif not rows and "\t" not in line and (comment := _COMMENT.match(line)):
            name = comment.group(1) or name
        else:
            rows.append(_row(place, line))
    if rows:
        sentences.append(_Sentence(name, rows))
    _check_columns(sentences)
    bioes = any(row.tag[0] in "ES" for sentence in sentences for row in sentence.rows)
    return Records(_record(sentence, bioes) for sentence in sentences)


def _row(place: Place, line: str) -> _Row:
    columns = line.split("\t")
    if len(columns) not in (2, 3):
        place.fail(f"expected 2 or 3 columns separated by tabs, found {len(columns)}")
    word, tag = columns[:2]
    if not word.strip():
        place.fail("the token is empty")
    if _TAG.fullmatch(tag) is None:
        place.fail(f"expected O, or B-, I-, E- or S- and a label, found {shorten(repr(tag))}")
    return _Row(place, word, tag, columns[2] if len(columns) == 3 else None)


def _check_columns(sentences: List[_Sentence]) -> None:
    rows = [row for sentence in sentences for row in sentence.rows]
    for row in rows:
        if (row.relations is None) is not (rows[0].relations is None):
            row.place.fail("a line has another number of columns than the first one")


def _record(sentence: _Sentence, bioes: bool) -> Record:
    rows = sentence.rows
    entities = _entities(rows, bioes)
    relations = None
    if rows[0].relations is not None:
        first_tokens = {start: i for i, (start, _, _) in enumerate(entities)}
        relations = []
        for token, row in enumerate(rows):
            relations += _relations(row, token, first_tokens)
    meta = {} if sentence.name is None else {"orig_id": sentence.name}
    words = [row.word for row in rows]
    return Record.from_words(words, entities, relations, meta=meta, source=str(rows[0].place))


def _entities(rows: List[_Row], bioes: bool) -> List[Tuple[int, int, str]]:
    entities: List[Tuple[int, int, str]] = []
    opened: Optional[Tuple[int, str]] = None  # first token and label of an entity that may go on
    for token, row in enumerate(rows):
        prefix, label = row.tag[0], row.tag[2:]
        goes_on = prefix in "IE"
        if goes_on and (opened is None or opened[1] != label):
            before = f"after {rows[token - 1].tag}" if token else "at the beginning of a sentence"
            row.place.fail(f"{row.tag} can't stand {before}: an entity begins with B-{label}")
        if opened is not None and not goes_on:
            _close(entities, rows, opened, token, bioes)
        if prefix in "BS":
            opened = token, label
        if prefix in "ES" and opened is not None:
            entities.append((opened[0], token + 1, label))
        if prefix in "OES":
            opened = None
    if opened is not None:
        _close(entities, rows, opened, len(rows), bioes)
    return entities


def _close(
    entities: List[Tuple[int, int, str]],
    rows: List[_Row],
    opened: Tuple[int, str],
    end: int,
    bioes: bool,
) -> None:
    start, label = opened
    if bioes:
        reason = "as the file has E- or S- tags, an entity ends with one"
        rows[end - 1].place.fail(f"the entity '{label}' doesn't end: {reason}")
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
            row.place.fail(f"relation '{label}': no entity begins at token {number}")
        relations.append(RecordRelation(first_tokens[token], first_tokens[tail], label))
    return relations
