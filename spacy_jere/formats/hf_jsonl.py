"""JSON of many Hugging Face data sets: a text a line, with tokens, entities and relations.

    {"id", "tokens": [token, …], "ner": [[start, end, label], …],
     "relations": [[head, tail, label], …]}

Offsets count tokens. Data sets differ in whether the end is the last token or the one after it: the
option `ends` says so. Head and tail are indices into `ner`, or starts and ends of entities: `[head
start, head end, tail start, tail end, label]`. `id` is optional. A text without `relations` is not
annotated for relations.
"""

from functools import partial
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple, Union

from ._checks import ByPlace, check_link, check_relation, check_word_entity, is_offset
from ._reading import Head, Place, check_choice, get_list, get_words, read_json, shorten
from .record import Record, RecordRelation, Records

NAME = "hf"
SUFFIXES = (".jsonl",)
ENDS = ("exclusive", "inclusive")
# Keys that hold annotation: without a word it would be lost under a misspelt one
_KEYS = ("tokens", "ner", "relations")
_EXCLUSIVE = "texts that show exclusive ends"
_ASSUMED = (
    "ends of entities read as exclusive, though none ends after the last token of a text or where "
    "another entity begins; set ends to inclusive if they are the last token, to exclusive if not"
)


def sniff(head: Head) -> bool:
    """RETURNS (bool): Whether the file looks like this format."""
    return any({"tokens", "ner"} <= set(item) for item in head.objects())


def read(path: Union[str, Path], ends: Optional[str] = None) -> Records:
    """Read a file.

    ends (Optional[str]): "exclusive" if the end of an entity is the token after its last one,
        "inclusive" if it is the last one. None for exclusive, with a note if nothing in the file
        shows that they are.
    RAISES (SourceError): Names file and line of the fault, such as ends that contradict `ends`.
    """
    if ends is not None:
        check_choice("ends", ends, ENDS)
    records = Records.of(read_json(path, _KEYS), partial(_record, int(ends == "inclusive")))
    shown = records.changed.pop(_EXCLUSIVE, 0)
    if ends is None and not shown and any(record.entities for record in records):
        records.notes.append(_ASSUMED)
    return records


def _record(extra: int, place: Place, item: Dict[str, Any], counted: Records) -> Record:
    words = get_words(place, item, "tokens")
    entities = [_entity(place, words, x, extra) for x in get_list(place, item, "ner")]
    if not extra and _is_exclusive(len(words), entities):
        counted.changed[_EXCLUSIVE] += 1
    relations = None
    if "relations" in item:
        by_place = ByPlace((start, end - extra, label) for start, end, label in entities)
        found = get_list(place, item, "relations")
        relations = [_relation(place, by_place, len(entities), x, counted) for x in found]
    meta = {"orig_id": item["id"]} if "id" in item else {}
    return Record.from_words(words, entities, relations, meta=meta, source=str(place))


def _is_exclusive(n_words: int, entities: List[Tuple[int, int, str]]) -> bool:
    """RETURNS (bool): Whether an entity ends after the last token, or where another one begins: an
    inclusive end can't do the first and hardly does the second."""
    starts = {start for start, _, _ in entities}
    return any(end == n_words or end in starts for _, end, _ in entities)


def _entity(place: Place, words: List[str], item: Any, extra: int) -> Tuple[int, int, str]:
    if not isinstance(item, list) or len(item) != 3 or not all(map(is_offset, item[:2])):
        place.fail(f"an entity is [start, end, label], found {shorten(repr(item))}")
    start, end, label = item
    if not extra and start == end:
        reason = f"entity {shorten(repr(item))} is empty"
        place.fail(f"{reason}. If ends are the last token, read with ends = 'inclusive'")
    if extra and end == len(words):
        reason = f"entity {shorten(repr(item))} ends after the last of {len(words)} tokens"
        place.fail(f"{reason}. If ends are the token after it, read with ends = 'exclusive'")
    return check_word_entity(place, words, start, end + extra, label)


def _relation(
    place: Place, by_place: ByPlace, n_entities: int, item: Any, counted: Records
) -> RecordRelation:
    if not isinstance(item, list) or len(item) not in (3, 5) or not all(map(is_offset, item[:-1])):
        forms = "[head, tail, label] or [head start, head end, tail start, tail end, label]"
        place.fail(f"a relation is {forms}, found {shorten(repr(item))}")
    *offsets, label = item
    if len(offsets) == 2:
        return check_relation(place, n_entities, offsets[0], offsets[1], label)
    head, tail = tuple(offsets[:2]), tuple(offsets[2:])
    by_place.count(counted.changed, head, tail)
    return check_link(place, by_place, head, tail, label)
