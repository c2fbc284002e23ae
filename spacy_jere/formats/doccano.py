"""doccano's JSON lines: a text a line.

With relations:

    {"id", "text", "entities": [{"id", "label", "start_offset", "end_offset"}],
     "relations": [{"id", "from_id", "to_id", "type"}]}

Entities only:

    {"id", "text", "label": [[start, end, label]]}

Versions differ: an entity of either form may stand under `entities`, `label` or `labels`, and the
text under `text` or `data`. A text without `relations` is not annotated for relations.

What offsets count depends on a setting of the doccano project: characters, the UTF-16 units of a
browser, or grapheme clusters. They differ in texts with characters beyond U+FFFF, such as emoji.
"""

from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, Hashable, List, Optional, Tuple, Union

from ._checks import check_entity, check_link, is_offset
from ._offsets import Units, characters, graphemes, has_beyond, utf16
from ._reading import Head, Place, check_choice, get_list, get_string, read_json, shorten
from .record import Record, RecordEntity, RecordRelation, Records

NAME = "doccano"
SUFFIXES = (".jsonl",)
_TEXT_KEYS = ("text", "data")
_ENTITY_KEYS = ("entities", "label", "labels")
# Keys that hold annotation: without a word it would be lost under a misspelt one
_KEYS = ("relations",)
OFFSETS: Dict[str, Callable[[str], Units]] = {
    "characters": characters,
    "utf16": utf16,
    "graphemes": graphemes,
}
_ASSUMED = "texts with characters beyond U+FFFF before an entity: offsets read as characters"
_HOW = "set offsets to utf16 or graphemes if the entities are shifted, to characters if not"


def sniff(head: Head) -> bool:
    """RETURNS (bool): Whether the file looks like this format."""
    return any(map(_is_text, head.objects()))


def read(path: Union[str, Path], offsets: Optional[str] = None) -> Records:
    """Read a file.

    offsets (Optional[str]): What the project's offsets count: "characters", "utf16" or "graphemes".
        None reads them as characters, and notes the texts in which that may be wrong.
    RAISES (SourceError): Names file and line of what can't be read.
    """
    if offsets is not None:
        check_choice("offsets", offsets, list(OFFSETS))
    records = Records.of(read_json(path, _KEYS), partial(_record, offsets))
    if n_assumed := records.changed.pop(_ASSUMED, 0):
        records.notes.append(f"{n_assumed:,} {_ASSUMED}; {_HOW}")
    return records


def _is_text(item: Dict[str, Any]) -> bool:
    has_text = any(isinstance(item.get(key), str) for key in _TEXT_KEYS)
    return has_text and any(isinstance(item.get(key), list) for key in _ENTITY_KEYS)


def _record(offsets: Optional[str], place: Place, item: Dict[str, Any], counted: Records) -> Record:
    text = get_string(place, item, _one_of(place, item, _TEXT_KEYS))
    found = get_list(place, item, _one_of(place, item, _ENTITY_KEYS))
    units = OFFSETS[offsets or "characters"](text)
    entities: List[RecordEntity] = []
    index: Dict[Hashable, int] = {}
    for value in found:
        identifier, start, end, label = _entity(place, value)
        if offsets is None and is_offset(end) and end > len(text) and has_beyond(text, len(text)):
            reason = f"has characters {shorten(repr(start))}:{end}, but the text has {len(text)}"
            place.fail(f"entity '{shorten(str(label))}' {reason} characters: {_HOW}")
        if is_offset(start) and is_offset(end):
            start, end = units.character(start), units.character(end)
        if identifier is not None and index.setdefault(identifier, len(entities)) < len(entities):
            place.fail(f"two entities have the id {shorten(repr(identifier))}")
        entities.append(check_entity(place, text, start, end, label))
    if offsets is None and has_beyond(text, max((x.end for x in entities), default=0)):
        counted.changed[_ASSUMED] += 1
    relations = None
    if "relations" in item:
        relations = [_relation(place, index, x) for x in get_list(place, item, "relations")]
    for key in ("Comments", "comments"):
        if isinstance(item.get(key), list) and item[key]:
            counted.skipped["comments"] += len(item[key])
    meta = {"orig_id": item["id"]} if "id" in item else {}
    return Record(text, entities, relations, meta=meta, source=str(place))


def _one_of(place: Place, item: Dict[str, Any], keys: Tuple[str, ...]) -> str:
    """RETURNS (str): The first of the keys that the item has."""
    for key in keys:
        if key in item:
            return key
    place.fail(f"none of the keys {', '.join(keys)} is there")


def _entity(place: Place, item: Any) -> Tuple[Hashable, Any, Any, Any]:
    """RETURNS (Tuple[Hashable, Any, Any, Any]): Id, start, end and label."""
    if isinstance(item, list) and len(item) == 3:
        return None, item[0], item[1], item[2]
    if not isinstance(item, dict) or not {"start_offset", "end_offset", "label"} <= set(item):
        expected = "[start, end, label], or an object with start_offset, end_offset and label"
        place.fail(f"an entity is {expected}, found {shorten(repr(item))}")
    identifier = item.get("id")
    if not isinstance(identifier, Hashable):
        place.fail(f"the id of an entity is a number, found {shorten(repr(identifier))}")
    return identifier, item["start_offset"], item["end_offset"], item["label"]


def _relation(place: Place, index: Dict[Hashable, int], item: Any) -> RecordRelation:
    if not isinstance(item, dict) or not {"from_id", "to_id", "type"} <= set(item):
        place.fail(f"a relation needs from_id, to_id and type, found {shorten(repr(item))}")
    return check_link(place, index, item["from_id"], item["to_id"], item["type"])
