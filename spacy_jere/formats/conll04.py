"""Multi-head CoNLL04: BIO tags and relations in columns (Bekoulis et al. 2018).

`#doc ID` opens a sentence; then a line for each token with its number, the token, its BIO tag, a list of relation labels and a
list of the tokens they point to, separated by tabs. A relation stands on the last token of its head and points to the last
token of its tail; `['N']` says none.
"""

import ast
from pathlib import Path
from typing import Any, List, NamedTuple, Tuple, Union

from .record import Record, RecordEntity, RecordRelation
from .source import fail, read_text

NAME = "conll04"
_NO_RELATION = "N"


class _Row(NamedTuple):
    line: int
    word: str
    tag: str
    labels: List[str]
    tails: List[int]


def sniff(path: Path) -> bool:
    """RETURNS (bool): Whether the file looks like this format."""
    return read_text(path)[:1000].lstrip().startswith("#doc")


def read(path: Union[str, Path]) -> List[Record]:
    """RAISES (SourceError): Names file and line of what can't be read."""
    path = Path(path)
    sentences: List[Tuple[str, int, List[_Row]]] = []
    for line, content in enumerate(read_text(path).split("\n"), 1):
        if content.startswith("#doc"):
            sentences.append((content[4:].strip(), line, []))
        elif content.strip():
            if not sentences:
                fail(path, line, "expected '#doc', the beginning of a sentence")
            rows = sentences[-1][2]
            rows.append(_row(path, line, content, len(rows)))
    for name, line, rows in sentences:
        if not rows:
            fail(path, line, f"sentence '{name}' has no tokens")
    return [_record(path, name, rows) for name, _, rows in sentences]


def _row(path: Path, line: int, content: str, expected: int) -> _Row:
    columns = content.split("\t")
    if len(columns) != 5:
        fail(path, line, f"expected 5 columns separated by tabs, found {len(columns)}")
    number, word, tag, labels, tails = columns
    if number.strip() != str(expected):
        fail(path, line, f"expected token number {expected}, found {number!r}")
    if not word.strip():
        fail(path, line, "the token is empty")
    if tag != "O" and not (tag[:2] in ("B-", "I-") and len(tag) > 2):
        fail(path, line, f"expected O, B-label or I-label, found {tag!r}")
    label_list, tail_list = _literal(path, line, labels), _literal(path, line, tails)
    if len(label_list) != len(tail_list):
        fail(path, line, f"{len(label_list)} relation labels, but {len(tail_list)} tails")
    if not all(isinstance(x, str) for x in label_list) or not all(
        isinstance(x, int) for x in tail_list
    ):
        fail(path, line, "relation labels must be strings and tails token numbers")
    return _Row(line, word, tag, label_list, tail_list)


def _literal(path: Path, line: int, column: str) -> List[Any]:
    try:
        value = ast.literal_eval(column.strip())
    except (ValueError, SyntaxError, TypeError):
        value = None
    if not isinstance(value, list):
        fail(path, line, f"expected a list, found {column!r}")
    return value


def _record(path: Path, name: str, rows: List[_Row]) -> Record:
    entities = _entities(rows)
    by_last_token = {entity.end - 1: i for i, entity in enumerate(entities)}
    relations = []
    for token, row in enumerate(rows):
        for label, tail in zip(row.labels, row.tails):
            if label == _NO_RELATION:
                continue
            for end in (token, tail):
                if end not in by_last_token:
                    fail(path, row.line, f"relation '{label}': no entity ends on token {end}")
            relations.append(RecordRelation(by_last_token[token], by_last_token[tail], label))
    return Record([row.word for row in rows], entities, relations, meta={"orig_id": name})


def _entities(rows: List[_Row]) -> List[RecordEntity]:
    """An I- that continues nothing opens an entity, as conlleval has it."""
    entities: List[RecordEntity] = []
    previous = "O"
    for token, row in enumerate(rows):
        prefix, label = row.tag[:1], row.tag[2:]
        if prefix == "B" or (prefix == "I" and previous != label):
            entities.append(RecordEntity(token, token + 1, label))
        elif prefix == "I":
            entities[-1] = entities[-1]._replace(end=token + 1)
        previous = label if prefix != "O" else "O"
    return entities
