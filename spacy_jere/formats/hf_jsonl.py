"""JSON lines of many Hugging Face data sets: a text a line, with tokens, entities and relations.

    {"id", "tokens": [token, …], "ner": [[start, end, label], …],
     "relations": [[head, tail, label], …]}

Offsets count tokens. Data sets differ in whether the end is the last token or the one after it: the
option `ends` says so. Head and tail are indices into `ner`, or starts and ends of entities: `[head
start, head end, tail start, tail end, label]`. `id` is optional. A text without `relations` is not
annotated for relations.
"""

from pathlib import Path
from typing import Any, Dict, Hashable, List, Tuple, Union

from ..errors import Errors
from ._checks import check_link, check_relation, check_word_entity, index_by_place, is_offset
from ._reading import (
    Head,
    Place,
    SourceError,
    get_list,
    get_words,
    read_json_lines,
    shorten,
)
from .record import Record, RecordRelation, Records

NAME = "hf"
SUFFIXES = (".jsonl",)
ENDS = ("exclusive", "inclusive")


def sniff(head: Head) -> bool:
    """RETURNS (bool): Whether the file looks like this format."""
    return {"tokens", "ner"} <= set(head.first_object())


def read(path: Union[str, Path], ends: str = "exclusive") -> Records:
    """Read a file.

    ends (str): "exclusive" if the end of an entity is the token after its last one, "inclusive" if
        it is the last one.
    RAISES (SourceError): Names file and line of the fault, such as ends that contradict `ends`.
    """
    if ends not in ENDS:
        raise SourceError(Errors.E314.format(option="ends", known=", ".join(ENDS), value=ends))
    extra = int(ends == "inclusive")
    return Records(_record(place, item, extra) for place, item in read_json_lines(path))


def _record(place: Place, item: Dict[str, Any], extra: int) -> Record:
    words = get_words(place, item, "tokens")
    entities = [_entity(place, words, x, extra) for x in get_list(place, item, "ner")]
    relations = None
    if "relations" in item:
        by_place = index_by_place((start, end - extra, label) for start, end, label in entities)
        found = get_list(place, item, "relations")
        relations = [_relation(place, by_place, len(entities), x) for x in found]
    meta = {"orig_id": item["id"]} if "id" in item else {}
    return Record.from_words(words, entities, relations, meta=meta, source=str(place))


def _entity(place: Place, words: List[str], item: Any, extra: int) -> Tuple[int, int, str]:
    if not isinstance(item, list) or len(item) != 3 or not all(map(is_offset, item[:2])):
        place.fail(f"an entity is [start, end, label], found {shorten(repr(item))}")
    start, end, label = item
    if not extra and start == end:
        place.fail(
            f"entity {item} is empty. If ends are the last token, read with ends = 'inclusive'"
        )
    if extra and end == len(words):
        reason = f"entity {item} ends after the last of {len(words)} tokens"
        place.fail(f"{reason}. If ends are the token after it, read with ends = 'exclusive'")
    return check_word_entity(place, words, start, end + extra, label)


def _relation(
    place: Place, by_place: Dict[Hashable, int], n_entities: int, item: Any
) -> RecordRelation:
    if not isinstance(item, list) or len(item) not in (3, 5) or not all(map(is_offset, item[:-1])):
        forms = "[head, tail, label] or [head start, head end, tail start, tail end, label]"
        place.fail(f"a relation is {forms}, found {shorten(repr(item))}")
    *offsets, label = item
    if len(offsets) == 2:
        return check_relation(place, n_entities, offsets[0], offsets[1], label)
    return check_link(place, by_place, tuple(offsets[:2]), tuple(offsets[2:]), label)
