"""Label Studio's JSON export: tasks with text regions and relations between them, with characters.

Full export ("JSON"): `[{"id", "data": {"text"}, "annotations": [{"result": [{"id", "type": "labels", "value": {"start", "end",
"text", "labels"}}, {"type": "relation", "from_id", "to_id", "direction", "labels"}]}]}]`. Minimal export ("JSON-MIN"): `[{"id",
"text", "label": [{"start", "end", "text", "labels"}]}]`, in which Label Studio leaves relations out: its texts count as not
annotated for them.

A relation with the direction "right" goes from `from_id` to `to_id`, "left" the other way round, "bi" both ways.
"""

from collections import Counter
from itertools import product
from pathlib import Path
from typing import Any, Dict, Hashable, List, Optional, Tuple, Union

from .checks import check_entity, check_link, is_offset
from .record import Record, RecordEntity, RecordRelation, Records
from .source import Place, first_object, get_list, get_string, read_json_array, shorten

NAME = "label_studio"
SUFFIXES = (".json",)
_REGIONS = ("labels", "hypertextlabels")
_DIRECTIONS = ("right", "left", "bi")
# Texts of a minimal export that are not the text
_NOT_THE_TEXT = ("created_at", "updated_at", "file_upload", "source", "sentiment")


def sniff(path: Path) -> bool:
    """RETURNS (bool): Whether the file looks like this format."""
    item = first_object(path, "[")
    return {"data", "annotations"} <= set(item) or any(_is_regions(x) for x in item.values())


def read(path: Union[str, Path], text_key: Optional[str] = None) -> Records:
    """Read an export. Of several annotations of a text the ground truth is read, else the last one; others are counted.

    text_key (Optional[str]): Where a task has its text; None for "text", or the only string there is.
    RAISES (SourceError): Names file and line of what can't be read.
    """
    records = Records()
    for place, item in read_json_array(path):
        is_full = "annotations" in item
        record = (_full if is_full else _minimal)(place, item, text_key, records.skipped)
        if record is not None:
            records.append(record)
    return records


def _full(
    place: Place, item: Dict[str, Any], text_key: Optional[str], skipped: "Counter[str]"
) -> Optional[Record]:
    data = item.get("data")
    if not isinstance(data, dict):
        place.fail(f"'data' must be an object, found {shorten(repr(data))}")
    text = _text(place, data, text_key)
    result = _result(place, item, skipped)
    if result is None:
        return None
    regions: Dict[Hashable, List[int]] = {}
    entities: List[RecordEntity] = []
    links = []
    for value in result:
        if not isinstance(value, dict):
            place.fail(f"a result must be an object, found {shorten(repr(value))}")
        if value.get("type") == "relation":
            links.append(value)
        elif value.get("type") in _REGIONS:
            found = _entities(place, text, value.get("value"), skipped)
            identifier = value.get("id")
            if not isinstance(identifier, str) or identifier in regions:
                found_id = shorten(repr(identifier))
                place.fail(f"a region needs an 'id' of its own, found {found_id}")
            regions[identifier] = list(range(len(entities), len(entities) + len(found)))
            entities += found
        else:
            skipped[f"results of type {shorten(str(value.get('type')))}"] += 1
    relations = [x for link in links for x in _relations(place, regions, link, skipped)]
    return Record(text, entities, relations, meta=_meta(item), source=str(place))


def _minimal(
    place: Place, item: Dict[str, Any], text_key: Optional[str], skipped: "Counter[str]"
) -> Optional[Record]:
    keys = [key for key, value in item.items() if _is_regions(value)]
    data = {x: y for x, y in item.items() if x not in _NOT_THE_TEXT} if text_key is None else item
    text = _text(place, data, text_key)
    if not keys:
        skipped["texts without annotations"] += 1
        return None
    entities = [
        x for key in keys for value in item[key] for x in _entities(place, text, value, skipped)
    ]
    return Record(text, entities, None, meta=_meta(item), source=str(place))


def _is_regions(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(x, dict) and {"start", "end", "labels"} <= set(x) for x in value)
    )


def _meta(item: Dict[str, Any]) -> Dict[str, object]:
    return {"orig_id": item["id"]} if "id" in item else {}


def _text(place: Place, data: Dict[str, Any], key: Optional[str]) -> str:
    if key is None:
        strings = [x for x, value in data.items() if isinstance(value, str) and value]
        key = "text" if "text" in strings or len(strings) != 1 else strings[0]
    if key not in data:
        place.fail(f"there is no '{key}': name the key of the text with text_key")
    return get_string(place, data, key)


def _result(place: Place, item: Dict[str, Any], skipped: "Counter[str]") -> Optional[List[Any]]:
    """RETURNS (Optional[List[Any]]): What one annotator found; None where nobody has annotated the text."""
    annotations = get_list(place, item, "annotations")
    if not all(isinstance(x, dict) for x in annotations):
        place.fail("each of the 'annotations' must be an object")
    valid = [x for x in annotations if not x.get("was_cancelled")]
    if not valid:
        skipped["texts without annotations"] += 1
        return None
    if len(valid) > 1:
        skipped["further annotations of a text"] += len(valid) - 1
    chosen = [x for x in valid if x.get("ground_truth")] or valid
    return get_list(place, chosen[-1], "result")


def _entities(place: Place, text: str, value: Any, skipped: "Counter[str]") -> List[RecordEntity]:
    """RETURNS (List[RecordEntity]): One for each label of a region."""
    if not isinstance(value, dict) or not {"start", "end"} <= set(value):
        place.fail(f"a region needs 'start' and 'end', found {shorten(repr(value))}")
    offsets = value.get("globalOffsets", value)
    if not isinstance(offsets, dict) or not all(
        is_offset(offsets.get(x)) for x in ("start", "end")
    ):
        place.fail(f"start and end must be whole numbers, found {shorten(repr(offsets))}")
    start, end = _characters(place, text, offsets["start"], offsets["end"], value.get("text"))
    labels = value.get(next((x for x in _REGIONS if x in value), "labels"))
    if not labels:
        skipped["regions without a label"] += 1
        return []
    if not isinstance(labels, list):
        place.fail(f"'labels' must be a list, found {shorten(repr(labels))}")
    return [check_entity(place, text, start, end, label) for label in labels]


def _characters(place: Place, text: str, start: int, end: int, expected: Any) -> Tuple[int, int]:
    """Browsers count a character beyond U+FFFF, such as an emoji, as two; newer versions correct that, older ones don't."""
    if not isinstance(expected, str) or not 0 <= start <= end:
        return start, end
    units = text.encode("utf-16-le")
    first, last = (len(units[: 2 * x].decode("utf-16-le", errors="replace")) for x in (start, end))
    for view in (str, _words):
        for found in ((start, end), (first, last)):
            if view(text[slice(*found)]) == view(expected):
                return found
    here = shorten(text[start:end])
    place.fail(f"characters {start}:{end} are '{here}', not '{shorten(expected)}'")


def _words(text: str) -> List[str]:
    # Line breaks may have become spaces, or a backslash and an n.
    return text.replace("\\n", "\n").split()


def _relations(
    place: Place, regions: Dict[Hashable, List[int]], item: Dict[str, Any], skipped: "Counter[str]"
) -> List[RecordRelation]:
    """RETURNS (List[RecordRelation]): One for each label of a relation and each pair of its regions' labels."""
    direction = item.get("direction", "right")
    if direction not in _DIRECTIONS:
        known = ", ".join(_DIRECTIONS)
        place.fail(
            f"the direction of a relation is one of {known}, found {shorten(repr(direction))}"
        )
    labels = item.get("labels") or []
    if not isinstance(labels, list):
        place.fail(f"'labels' must be a list, found {shorten(repr(labels))}")
    ends = item.get("from_id"), item.get("to_id")
    for end in ends:
        if not isinstance(end, str) or end not in regions:
            place.fail(f"a relation names {shorten(repr(end))}, which is no region")
    if not labels or not all(regions[end] for end in ends):
        skipped["relations without a label"] += 1
        return []
    relations = []
    for label, head, tail in product(labels, *(regions[end] for end in ends)):
        pairs = {
            "right": [(head, tail)],
            "left": [(tail, head)],
            "bi": [(head, tail), (tail, head)],
        }
        index: Dict[Hashable, int] = {head: head, tail: tail}
        relations += [check_link(place, index, *pair, label) for pair in pairs[direction]]
    return relations
