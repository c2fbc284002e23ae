"""doccano's JSON lines: a text a line. Offsets count characters.

With relations:

    {"id", "text", "entities": [{"id", "label", "start_offset", "end_offset"}],
     "relations": [{"id", "from_id", "to_id", "type"}]}

Entities only:

    {"id", "text", "label": [[start, end, label]]}

Versions differ: an entity of either form may stand under `entities`, `label` or `labels`, and the
text under `text` or `data`. A text without `relations` is not annotated for relations.
"""

from pathlib import Path
from typing import Any, Dict, Hashable, List, Tuple, Union

from ._checks import check_entity, check_link
from ._reading import Head, Place, get_list, get_string, read_json_lines, shorten
from .record import Record, RecordEntity, RecordRelation, Records

NAME = "doccano"
SUFFIXES = (".jsonl",)
_TEXT_KEYS = ("text", "data")
_ENTITY_KEYS = ("entities", "label", "labels")


def sniff(head: Head) -> bool:
    """RETURNS (bool): Whether the file looks like this format."""
    item = head.first_object()
    has_text = any(isinstance(item.get(key), str) for key in _TEXT_KEYS)
    return has_text and any(isinstance(item.get(key), list) for key in _ENTITY_KEYS)


def read(path: Union[str, Path]) -> Records:
    """RAISES (SourceError): Names file and line of what can't be read."""
    records = Records()
    for place, item in read_json_lines(path):
        records.append(_record(place, item))
        for key in ("Comments", "comments"):
            if isinstance(item.get(key), list) and item[key]:
                records.skipped["comments"] += len(item[key])
    return records


def _record(place: Place, item: Dict[str, Any]) -> Record:
    text = get_string(place, item, _one_of(place, item, _TEXT_KEYS))
    found = get_list(place, item, _one_of(place, item, _ENTITY_KEYS))
    entities: List[RecordEntity] = []
    index: Dict[Hashable, int] = {}
    for value in found:
        identifier, entity = _entity(place, text, value)
        if identifier is not None and index.setdefault(identifier, len(entities)) < len(entities):
            place.fail(f"two entities have the id {identifier!r}")
        entities.append(entity)
    relations = None
    if "relations" in item:
        relations = [_relation(place, index, x) for x in get_list(place, item, "relations")]
    meta = {"orig_id": item["id"]} if "id" in item else {}
    return Record(text, entities, relations, meta=meta, source=str(place))


def _one_of(place: Place, item: Dict[str, Any], keys: Tuple[str, ...]) -> str:
    """RETURNS (str): The first of the keys that the item has."""
    for key in keys:
        if key in item:
            return key
    place.fail(f"none of the keys {', '.join(keys)} is there")


def _entity(place: Place, text: str, item: Any) -> Tuple[Hashable, RecordEntity]:
    if isinstance(item, list) and len(item) == 3:
        return None, check_entity(place, text, *item)
    if not isinstance(item, dict) or not {"start_offset", "end_offset", "label"} <= set(item):
        expected = "[start, end, label], or an object with start_offset, end_offset and label"
        place.fail(f"an entity is {expected}, found {shorten(repr(item))}")
    identifier = item.get("id")
    if not isinstance(identifier, Hashable):
        place.fail(f"the id of an entity is a number, found {shorten(repr(identifier))}")
    entity = check_entity(place, text, item["start_offset"], item["end_offset"], item["label"])
    return identifier, entity


def _relation(place: Place, index: Dict[Hashable, int], item: Any) -> RecordRelation:
    if not isinstance(item, dict) or not {"from_id", "to_id", "type"} <= set(item):
        place.fail(f"a relation needs from_id, to_id and type, found {shorten(repr(item))}")
    return check_link(place, index, item["from_id"], item["to_id"], item["type"])
