"""Prodigy's JSON lines, as `rel.manual` and `ner.manual` write them: a text a line.

    {"text", "tokens": [{"text", "start", "end", "id", "ws"}], "spans": [{"start", "end", "label"}],
     "relations": [{"head_span": {"start", "end", "label"}, "child_span": {…}, "label"}],
     "answer": "accept"}

Offsets count characters. A relation goes from its head to its child. Given tokens are kept. A text
without `relations` is not annotated for relations.
"""

from collections import Counter
from pathlib import Path
from typing import Any, Dict, Hashable, List, Optional, Sequence, Tuple, Union

from ..errors import Errors
from ._checks import check_entity, check_link, index_by_place, is_offset
from ._reading import (
    Head,
    Place,
    SourceError,
    get_list,
    get_string,
    read_json_lines,
    shorten,
)
from .record import Record, RecordEntity, RecordRelation, Records

NAME = "prodigy"
SUFFIXES = (".jsonl",)
ANSWERS = ("accept", "reject", "ignore")
_UNLABELLED = "relations between tokens without a label"


def sniff(head: Head) -> bool:
    """RETURNS (bool): Whether the file looks like this format."""
    item = head.first_object()
    return "text" in item and bool({"spans", "answer", "_input_hash"} & set(item))


def read(path: Union[str, Path], answers: Sequence[str] = ("accept",)) -> Records:
    """Read a file.

    answers (Sequence[str]): The answers of the texts to read: "accept", "reject", "ignore". The
        other texts are counted. A text without an answer counts as accepted.
    RAISES (SourceError): Names file and line of what can't be read.
    """
    for answer in answers:
        if answer not in ANSWERS:
            known = ", ".join(ANSWERS)
            raise SourceError(Errors.E314.format(option="answers", known=known, value=answer))
    records = Records()
    for place, item in read_json_lines(path):
        answer = item.get("answer", "accept")
        if answer not in ANSWERS:
            found = shorten(repr(answer))
            place.fail(f"'answer' must be one of {', '.join(ANSWERS)}, found {found}")
        if answer in answers:
            records.append(_record(place, item, records.skipped))
        else:
            records.skipped[f"texts with the answer '{answer}'"] += 1
    return records


def _record(place: Place, item: Dict[str, Any], skipped: "Counter[str]") -> Record:
    text = get_string(place, item, "text")
    found = get_list(place, item, "spans") if "spans" in item else []
    entities = [_span(place, text, x) for x in found]
    relations = None
    if "relations" in item:
        index = index_by_place(entities)
        relations = []
        for value in get_list(place, item, "relations"):
            relation = _relation(place, text, entities, index, value)
            if relation is None:
                skipped[_UNLABELLED] += 1
            else:
                relations.append(relation)
    words = _words(place, text, get_list(place, item, "tokens")) if "tokens" in item else None
    meta = {"orig_id": item["_task_hash"]} if "_task_hash" in item else {}
    return Record(text, entities, relations, words, meta=meta, source=str(place))


def _words(place: Place, text: str, tokens: List[Any]) -> List[str]:
    """RETURNS (List[str]): The tokens, cut from the text: their own 'text' may look different."""
    words = []
    position = 0
    for token in tokens:
        start, end = _offsets(place, token, "a token")
        if start == end:
            continue  # the special tokens of a transformer
        if not position <= start < end <= len(text) or text[position:start].strip():
            place.fail(f"the tokens overlap or leave something out after character {position}")
        words.append(text[start:end])
        position = end
    if text[position:].strip():
        place.fail(f"the tokens end at character {position}, before the text does")
    return words


def _offsets(place: Place, item: Any, what: str) -> Tuple[int, int]:
    start, end = (item.get("start"), item.get("end")) if isinstance(item, dict) else (None, None)
    if not (is_offset(start) and is_offset(end)):
        place.fail(f"{what} needs 'start' and 'end', found {shorten(repr(item))}")
    return start, end


def _span(place: Place, text: str, item: Any) -> RecordEntity:
    if not isinstance(item, dict) or not {"start", "end", "label"} <= set(item):
        place.fail(f"a span needs 'start', 'end' and 'label', found {shorten(repr(item))}")
    return check_entity(place, text, item["start"], item["end"], item["label"])


def _relation(
    place: Place,
    text: str,
    entities: List[RecordEntity],
    index: Dict[Hashable, int],
    item: Any,
) -> Optional[RecordRelation]:
    """RETURNS (Optional[RecordRelation]): The relation; None if an end of it has no label."""
    if not isinstance(item, dict) or not {"head_span", "child_span", "label"} <= set(item):
        reason = "a relation needs 'head_span', 'child_span' and 'label'"
        place.fail(f"{reason}, found {shorten(repr(item))}")
    ends = []
    for key in ("head_span", "child_span"):
        span = item[key]
        place_in_text = _offsets(place, span, key)
        if place_in_text not in index:
            if not span.get("label"):
                return None
            index[place_in_text] = len(entities)
            entities.append(_span(place, text, span))
        ends.append(place_in_text)
    head, tail = ends
    return check_link(place, index, head, tail, item["label"])
