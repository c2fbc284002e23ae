"""Label Studio's JSON exports: tasks with regions of a text and relations between regions.

Full export ("JSON"):

    [{"id", "data": {"text"}, "annotations": [{"result": [
      {"id", "type": "labels", "value": {"start", "end", "text", "labels"}},
      {"type": "relation", "from_id", "to_id", "direction", "labels"}]}]}]

Minimal export ("JSON-MIN"), in which Label Studio leaves relations out. Its texts are not annotated
for relations:

    [{"id", "text", "label": [{"start", "end", "text", "labels"}]}]

Offsets count characters. A relation with the direction "right" goes from `from_id` to `to_id`,
"left" the other way round, "bi" both ways.
"""

from collections import Counter
from itertools import product
from pathlib import Path
from typing import Any, Callable, Dict, Hashable, List, Optional, Tuple, Union

from ._checks import check_entity, check_link, is_offset
from ._reading import Head, Place, get_list, get_string, read_json_array, shorten
from .record import Record, RecordEntity, RecordRelation, Records

NAME = "label_studio"
SUFFIXES = (".json",)
_REGIONS = ("labels", "hypertextlabels")
_DIRECTIONS = ("right", "left", "bi")
# Strings of a minimal export that are not the text
_NOT_THE_TEXT = ("created_at", "updated_at", "file_upload", "source", "sentiment")


def sniff(head: Head) -> bool:
    """RETURNS (bool): Whether the file looks like this format."""
    item = head.first_object("[")
    return {"data", "annotations"} <= set(item) or any(_is_regions(x) for x in item.values())


def read(path: Union[str, Path], text_key: Optional[str] = None) -> Records:
    """Read an export.

    Of several annotations of a text the ground truth is read, or else the last one. The others are
    counted.

    text_key (Optional[str]): The key of the text of a task. None for "text", or the key of the only
        string there is.
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
    found = [x for x in result if x.get("type") in _REGIONS]
    links = [x for x in result if x.get("type") == "relation"]
    others = (x.get("type") for x in result if x.get("type") not in (*_REGIONS, "relation"))
    skipped.update(f"results of type {shorten(str(x))}" for x in others)
    regions: Dict[Hashable, List[int]] = {}
    entities: List[RecordEntity] = []
    of_regions = _entities(place, text, [x.get("value") for x in found], skipped)
    for region, labelled in zip(found, of_regions):
        name = region.get("id")
        if not isinstance(name, str) or name in regions:
            place.fail(f"a region needs an 'id' of its own, found {shorten(repr(name))}")
        regions[name] = list(range(len(entities), len(entities) + len(labelled)))
        entities += labelled
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
    values = [value for key in keys for value in item[key]]
    entities = [x for labelled in _entities(place, text, values, skipped) for x in labelled]
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


def _result(
    place: Place, item: Dict[str, Any], skipped: "Counter[str]"
) -> Optional[List[Dict[str, Any]]]:
    """Choose one annotation of a text.

    RETURNS (Optional[List[Dict[str, Any]]]): Its regions and relations. None means *not annotated*.
    """
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
    result = get_list(place, chosen[-1], "result")
    for value in result:
        if not isinstance(value, dict):
            place.fail(f"a result must be an object, found {shorten(repr(value))}")
    return result


def _entities(
    place: Place, text: str, values: List[Any], skipped: "Counter[str]"
) -> List[List[RecordEntity]]:
    """RETURNS (List[List[RecordEntity]]): For each region an entity for each of its labels."""
    found = []
    for value, (start, end) in zip(values, _characters(place, text, values)):
        labels = value.get(next((x for x in _REGIONS if x in value), "labels")) or []
        if not isinstance(labels, list):
            place.fail(f"'labels' must be a list, found {shorten(repr(labels))}")
        if not labels:
            skipped["regions without a label"] += 1
        found.append([check_entity(place, text, start, end, label) for label in labels])
    return found


def _characters(place: Place, text: str, values: List[Any]) -> List[Tuple[int, int]]:
    """RETURNS (List[Tuple[int, int]]): The first character and the end of each region."""
    offsets = [_offsets(place, value) for value in values]
    # Browsers count a character beyond U+FFFF, such as an emoji, as two. Newer versions of Label
    # Studio correct that, older ones don't. The texts of the regions tell.
    units = text.encode("utf-16-le")
    counted = [(_decoded(units, start), _decoded(units, end)) for start, end in offsets]
    expected = [value.get("text") for value in values]
    for view in (str, _words):
        for possible in (offsets, counted):
            if all(_fits(text, x, y, view) for x, y in zip(possible, expected)):
                return possible
    wrong = next(i for i, x in enumerate(offsets) if not _fits(text, x, expected[i], _words))
    start, end = offsets[wrong]
    here = shorten(text[max(start, 0) : max(end, 0)])
    place.fail(f"characters {start}:{end} are '{here}', not '{shorten(expected[wrong])}'")


def _offsets(place: Place, value: Any) -> Tuple[int, int]:
    if not isinstance(value, dict) or not {"start", "end"} <= set(value):
        place.fail(f"a region needs 'start' and 'end', found {shorten(repr(value))}")
    offsets = value.get("globalOffsets", value)  # of a text in HTML, where start and end are paths
    start, end = (offsets.get(x) if isinstance(offsets, dict) else None for x in ("start", "end"))
    if not (is_offset(start) and is_offset(end)):
        place.fail(f"start and end must be whole numbers, found {shorten(repr(offsets))}")
    return start, end


def _decoded(units: bytes, offset: int) -> int:
    return len(units[: 2 * max(offset, 0)].decode("utf-16-le", errors="replace"))


def _fits(text: str, place: Tuple[int, int], expected: Any, view: Callable[[str], object]) -> bool:
    """RETURNS (bool): Whether the expected text stands at a place; True if the text isn't known."""
    start, end = place
    if not isinstance(expected, str):
        return True
    return 0 <= start <= end <= len(text) and view(text[start:end]) == view(expected)


def _words(text: str) -> List[str]:
    # A line break may have become a space, or a backslash and an n.
    return text.replace("\\n", "\n").split()


def _relations(
    place: Place, regions: Dict[Hashable, List[int]], item: Dict[str, Any], skipped: "Counter[str]"
) -> List[RecordRelation]:
    """Read a relation between regions, which may have several labels, as the regions may.

    RETURNS (List[RecordRelation]): One for each label and each pair of the regions' labels.
    """
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
