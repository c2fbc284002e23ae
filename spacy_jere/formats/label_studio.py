"""Label Studio's JSON exports: tasks with regions of a text and relations between regions.

Full export ("JSON"):

    [{"id", "data": {"text"}, "annotations": [{"result": [
      {"id", "type": "labels", "value": {"start", "end", "text", "labels"}},
      {"type": "relation", "from_id", "to_id", "direction", "labels"}]}]}]

Minimal export ("JSON-MIN"), in which Label Studio leaves relations out. Its texts are not annotated
for relations:

    [{"id", "text", "label": [{"start", "end", "text", "labels"}]}]

Offsets count characters. A relation with the direction "right" goes from `from_id` to `to_id`,
"left" the other way round, "bi" both ways. Dialogues ("Paragraphs") are read as one text, a
paragraph a line.
"""

from functools import partial
from itertools import accumulate, product
from pathlib import Path
from typing import Any, Callable, Dict, Hashable, List, NamedTuple, NoReturn, Optional, Tuple, Union

from ._checks import check_entity, check_link, is_offset
from ._faults import difference
from ._json import check_keys
from ._offsets import characters, unix_lines, utf16, utf16_unix_lines
from ._reading import Head, Place, get_list, get_string, read_json, shorten
from .record import Record, RecordEntity, RecordRelation, Records

NAME = "label_studio"
SUFFIXES = (".json", ".jsonl")
_REGIONS = ("labels", "hypertextlabels", "paragraphlabels")
_DIRECTIONS = ("right", "left", "bi")
# Strings of a minimal export that are not the text
_NOT_THE_TEXT = ("created_at", "updated_at", "file_upload", "source", "sentiment")
# Under which key the annotations of a text stand; older versions wrote "completions"
_ANNOTATIONS = ("annotations", "completions")
_TASK_KEYS = (*_ANNOTATIONS, "predictions")
_ANNOTATION_KEYS = ("result", "was_cancelled", "ground_truth")
# What offsets may count: browsers count a character beyond U+FFFF, such as an emoji, as two, and a
# line end of Windows as one. Newer versions of Label Studio correct that, older ones don't.
_COUNTINGS = (characters, utf16, unix_lines, utf16_unix_lines)
# A relation between regions of several labels stands for one relation of each pair of labels.
_MOST_RELATIONS = 100
# In how many strings of a task its regions are looked for
_MOST_TEXTS = 20


class _Text(NamedTuple):
    """starts: The first character of each paragraph; None for a text without paragraphs."""

    text: str
    starts: Optional[List[int]] = None


def sniff(head: Head) -> bool:
    """RETURNS (bool): Whether the file looks like this format."""
    return any(map(_is_task, head.objects()))


def read(
    path: Union[str, Path], text_key: Optional[str] = None, relation_label: Optional[str] = None
) -> Records:
    """Read an export.

    Of several annotations of a text the ground truth is read, or else the last one. The others are
    counted.

    text_key (Optional[str]): The key of the text of a task. None for "text", or the key of the
        string in which the regions lie.
    relation_label (Optional[str]): The label of relations that have none. None leaves them out.
    RAISES (SourceError): Names file and line of what can't be read.
    """
    return Records.of(read_json(path), partial(_record, text_key, relation_label))


def _record(
    text_key: Optional[str],
    relation_label: Optional[str],
    place: Place,
    item: Dict[str, Any],
    counted: Records,
) -> Optional[Record]:
    key = next((key for key in _ANNOTATIONS if key in item), None)
    if key is not None:
        return _full(place, item, key, text_key, relation_label, counted)
    if "data" in item and "predictions" in item:
        counted.skipped["texts with predictions only"] += 1
        return None
    return _minimal(place, item, text_key, counted)


def _full(
    place: Place,
    item: Dict[str, Any],
    key: str,
    text_key: Optional[str],
    relation_label: Optional[str],
    counted: Records,
) -> Optional[Record]:
    data = item.get("data")
    if not isinstance(data, dict):
        place.fail(f"'data' must be an object, found {shorten(repr(data))}")
    result = _result(place, get_list(place, item, key), counted)
    if result is None:
        _text(place, data, text_key, [])
        return None
    found = [x for x in result if x.get("type") in _REGIONS]
    links = [x for x in result if x.get("type") == "relation"]
    others = (x.get("type") for x in result if x.get("type") not in (*_REGIONS, "relation"))
    counted.skipped.update(f"results of type {shorten(str(x))}" for x in others)
    values = [x.get("value") for x in found]
    text = _text(place, data, text_key, values)
    # A region that was labelled by several tags stands there for each of them, with the same id.
    regions: Dict[Hashable, List[int]] = {}
    entities: List[RecordEntity] = []
    for region, labelled in zip(found, _entities(place, text, values, counted)):
        name = region.get("id")
        if not isinstance(name, str):
            place.fail(f"a region needs an 'id' of its own, found {shorten(repr(name))}")
        indices = range(len(entities), len(entities) + len(labelled))
        regions.setdefault(name, []).extend(indices)
        entities += labelled
    for link in links if relation_label else ():
        link["labels"] = link.get("labels") or [relation_label]
    relations = [x for link in links for x in _relations(place, regions, link, counted)]
    return Record(text.text, entities, relations, meta=_meta(item), source=str(place))


def _minimal(
    place: Place, item: Dict[str, Any], text_key: Optional[str], counted: Records
) -> Optional[Record]:
    values = [value for x in item.values() if _is_regions(x) for value in x]
    data = {x: y for x, y in item.items() if not _is_regions(y)}
    if text_key is None:
        data = {x: y for x, y in data.items() if x not in _NOT_THE_TEXT}
    text = _text(place, data, text_key, values)
    if not values:
        counted.skipped["texts without annotations"] += 1
        return None
    entities = [x for labelled in _entities(place, text, values, counted) for x in labelled]
    return Record(text.text, entities, None, meta=_meta(item), source=str(place))


def _is_regions(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(x, dict) and {"start", "end", "labels"} <= set(x) for x in value)
    )


def _meta(item: Dict[str, Any]) -> Dict[str, object]:
    return {"orig_id": item["id"]} if "id" in item else {}


def _result(
    place: Place, annotations: List[Any], counted: Records
) -> Optional[List[Dict[str, Any]]]:
    """Choose one annotation of a text.

    RETURNS (Optional[List[Dict[str, Any]]]): Its regions and relations. None means *not annotated*.
    """
    for annotation in annotations:
        if not isinstance(annotation, dict):
            place.fail("each of the 'annotations' must be an object")
        if reason := check_keys(annotation, _ANNOTATION_KEYS):
            place.fail(reason)
    valid = [x for x in annotations if not x.get("was_cancelled")]
    if not valid:
        counted.skipped["texts without annotations"] += 1
        return None
    if len(valid) > 1:
        counted.skipped["further annotations of a text"] += len(valid) - 1
    chosen = [x for x in valid if x.get("ground_truth")] or valid
    result = get_list(place, chosen[-1], "result")
    for value in result:
        if not isinstance(value, dict):
            place.fail(f"a result must be an object, found {shorten(repr(value))}")
    return result


def _is_task(item: Dict[str, Any]) -> bool:
    is_full = isinstance(item.get("data"), dict) and any(x in item for x in _TASK_KEYS)
    return is_full or any(_is_regions(x) for x in item.values())


# The text and its regions


def _text(place: Place, data: Dict[str, Any], key: Optional[str], values: List[Any]) -> _Text:
    """Find the text of a task: under its key, or else the one in which its regions lie."""
    if key is None:
        strings = [x for x, value in data.items() if isinstance(value, str) and value]
        dialogues = [x for x, value in data.items() if _is_dialogue(value)]
        key = "text" if "text" in data or len(strings) != 1 else strings[0]
        if len(strings) != 1 and values and not dialogues:
            likely = sorted(strings, key=lambda x: x != "text")[:_MOST_TEXTS]
            key = next((x for x in likely if _holds(place, data[x], values)), key)
        if dialogues and (key not in data or any(map(_is_of_dialogue, values))):
            key = dialogues[0]
        if key not in data:
            key_of = "name the key of the text with text_key"
            known = ", ".join(shorten(x) for x in strings[:_MOST_TEXTS]) or "none"
            place.fail(f"there is no '{key}': {key_of} (--set text_key=KEY). Strings: {known}")
    if key not in data:
        place.fail(f"there is no '{shorten(key)}', which text_key names")
    if _is_dialogue(data[key]):
        paragraphs = [x["text"] for x in data[key]]
        starts = accumulate((len(x) + 1 for x in paragraphs[:-1]), initial=0)
        return _Text("\n".join(paragraphs), list(starts))
    return _Text(get_string(place, data, key))


def _is_of_dialogue(value: Any) -> bool:
    return isinstance(value, dict) and "paragraphlabels" in value


def _is_dialogue(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(x, dict) and isinstance(x.get("text"), str) for x in value)
    )


def _holds(place: Place, text: str, values: List[Any]) -> bool:
    """RETURNS (bool): Whether the regions name their texts, and a text has them there."""
    offsets = [_offsets(place, value) for value in values]
    named = any(isinstance(value.get("text"), str) for value in values)
    return named and _characters(text, offsets, values) is not None


def _entities(
    place: Place, text: _Text, values: List[Any], counted: Records
) -> List[List[RecordEntity]]:
    """RETURNS (List[List[RecordEntity]]): For each region an entity for each of its labels."""
    if text.starts is None:
        offsets = [_offsets(place, value) for value in values]
    else:
        offsets = [_dialogue_offsets(place, value, text.starts) for value in values]
    found = _characters(text.text, offsets, values)
    if found is None:
        _fail(place, text.text, offsets, values)
    entities = []
    for value, (start, end) in zip(values, found):
        labels = value.get(next((x for x in _REGIONS if x in value), "labels")) or []
        if not isinstance(labels, list):
            place.fail(f"'labels' must be a list, found {shorten(repr(labels))}")
        if not labels:
            counted.skipped["regions without a label"] += 1
        entities.append([check_entity(place, text.text, start, end, label) for label in labels])
    return entities


def _characters(
    text: str, offsets: List[Tuple[int, int]], values: List[Any]
) -> Optional[List[Tuple[int, int]]]:
    """Find out what the offsets of a text count, by the texts of its regions.

    RETURNS (Optional[List[Tuple[int, int]]]): The first character and the end of each region; None
        if the texts stand elsewhere.
    """
    expected = [value.get("text") for value in values]
    for view in (str, _words):
        for counting in _COUNTINGS:
            units = counting(text)
            if counting is not characters and not units:
                continue
            places = [(units.character(start), units.character(end)) for start, end in offsets]
            if all(_fits(text, x, y, view) for x, y in zip(places, expected)):
                return places
    return None


def _fail(place: Place, text: str, offsets: List[Tuple[int, int]], values: List[Any]) -> NoReturn:
    pairs = zip(offsets, (value.get("text") for value in values))
    (start, end), expected = next(x for x in pairs if not _fits(text, *x, _words))
    here, there = difference(text[max(start, 0) : max(end, 0)], expected)
    place.fail(f"characters {start}:{end} are {here!r}, not {there!r}")


def _offsets(place: Place, value: Any) -> Tuple[int, int]:
    if not isinstance(value, dict) or not {"start", "end"} <= set(value):
        place.fail(f"a region needs 'start' and 'end', found {shorten(repr(value))}")
    offsets = value.get("globalOffsets", value)  # of a text in HTML, where start and end are paths
    start, end = (offsets.get(x) if isinstance(offsets, dict) else None for x in ("start", "end"))
    if not (is_offset(start) and is_offset(end)):
        place.fail(f"start and end must be whole numbers, found {shorten(repr(offsets))}")
    return start, end


def _dialogue_offsets(place: Place, value: Any, starts: List[int]) -> Tuple[int, int]:
    """RETURNS (Tuple[int, int]): Offsets in the whole text: start and end name paragraphs."""
    keys = (("start", "startOffset"), ("end", "endOffset"))
    found = []
    for paragraph_key, offset_key in keys:
        number = value.get(paragraph_key) if isinstance(value, dict) else None
        offset = value.get(offset_key) if isinstance(value, dict) else None
        # The number of the paragraph is written as a string.
        if isinstance(number, str) and number.isascii() and number.isdigit() and len(number) < 10:
            number = int(number)
        if not (is_offset(number) and is_offset(offset)) or not 0 <= number < len(starts):
            reason = f"in one of the {len(starts)} paragraphs, found {shorten(repr(value))}"
            place.fail(f"a region needs '{paragraph_key}' and '{offset_key}' {reason}")
        found.append(starts[number] + offset)
    return found[0], found[1]


def _fits(text: str, place: Tuple[int, int], expected: Any, view: Callable[[str], object]) -> bool:
    """RETURNS (bool): Whether the expected text stands at a place; True if the text isn't known."""
    start, end = place
    if not isinstance(expected, str):
        return True
    # White space may differ, but not by whole pages.
    is_near = end - start <= 4 * len(expected) + 100
    return is_near and 0 <= start <= end <= len(text) and view(text[start:end]) == view(expected)


def _words(text: str) -> List[str]:
    # A line break may have become a space, or a backslash and an n.
    return text.replace("\\n", "\n").split()


# Relations


def _relations(
    place: Place, regions: Dict[Hashable, List[int]], item: Dict[str, Any], counted: Records
) -> List[RecordRelation]:
    """Read a relation between regions, which may have several labels, as the regions may.

    RETURNS (List[RecordRelation]): One for each label and each pair of the regions' labels.
    """
    direction = item.get("direction") or "right"
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
        counted.skipped["relations without a label"] += 1
        return []
    heads, tails = (regions[end] for end in ends)
    n_relations = len(labels) * len(heads) * len(tails)
    if n_relations > _MOST_RELATIONS:
        reason = f"{len(labels)} labels between regions of {len(heads)} and {len(tails)} labels"
        place.fail(
            f"a relation has {reason}: {n_relations:,} relations, more than {_MOST_RELATIONS}"
        )
    relations = []
    for label, head, tail in product(labels, heads, tails):
        pairs = {
            "right": [(head, tail)],
            "left": [(tail, head)],
            "bi": [(head, tail), (tail, head)],
        }
        index: Dict[Hashable, int] = {head: head, tail: tail}
        relations += [check_link(place, index, *pair, label) for pair in pairs[direction]]
    return relations
