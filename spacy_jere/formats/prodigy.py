"""Prodigy's JSON lines, as `rel.manual` and `ner.manual` write them: a text a line.

    {"text", "tokens": [{"text", "start", "end", "id", "ws"}], "spans": [{"start", "end", "label"}],
     "relations": [{"head_span": {"start", "end", "label"}, "child_span": {…}, "label"}],
     "answer": "accept"}

Offsets count characters. A relation goes from its head to its child. Given tokens are kept. A text
without `relations` is not annotated for relations.
"""

from functools import partial
from pathlib import Path
from typing import Any, Dict, Hashable, List, Optional, Sequence, Tuple, Union

from ._checks import check_entity, check_link, is_offset
from ._reading import Head, Place, check_choice, get_list, get_string, read_json, shorten
from .record import Record, RecordEntity, RecordRelation, Records

NAME = "prodigy"
SUFFIXES = (".jsonl",)
ANSWERS = ("accept", "reject", "ignore")
# Keys that hold annotation: without a word it would be lost under a misspelt one
_KEYS = ("text", "tokens", "spans", "relations", "answer")
_UNLABELLED = "relations between tokens without a label"


def sniff(head: Head) -> bool:
    """RETURNS (bool): Whether the file looks like this format."""
    keys = {"spans", "answer", "_input_hash"}
    return any("text" in item and bool(keys & set(item)) for item in head.objects())


def read(path: Union[str, Path], answers: Sequence[str] = ("accept",)) -> Records:
    """Read a file.

    answers (Sequence[str]): The answers of the texts to read: "accept", "reject", "ignore". The
        other texts are counted. A text without an answer counts as accepted.
    RAISES (SourceError): Names file and line of what can't be read.
    """
    for answer in answers:
        check_choice("answers", answer, ANSWERS)
    return Records.of(read_json(path, _KEYS), partial(_record, answers))


def _record(
    answers: Sequence[str], place: Place, item: Dict[str, Any], counted: Records
) -> Optional[Record]:
    answer = item.get("answer", "accept")
    if answer not in ANSWERS:
        found = shorten(repr(answer))
        place.fail(f"'answer' must be one of {', '.join(ANSWERS)}, found {found}")
    if answer not in answers:
        counted.skipped[f"texts with the answer '{answer}'"] += 1
        return None
    text = get_string(place, item, "text")
    spans = get_list(place, item, "spans") if "spans" in item else []
    entities = [_span(place, text, x) for x in spans]
    relations = None
    if "relations" in item:
        links = get_list(place, item, "relations")
        relations = _Links(place, text, entities).read(links, counted)
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


class _Links:
    """Reads the relations of a text. Ends that are no spans are added to the entities.

    entities (List[RecordEntity]): The spans of the text.
    """

    def __init__(self, place: Place, text: str, entities: List[RecordEntity]):
        self._place = place
        self._text = text
        self._entities = entities
        self._index: Dict[Hashable, int] = {}  # by offsets and label, and by offsets alone
        for i, entity in enumerate(entities):
            self._add(i, entity)

    def read(self, items: List[Any], counted: Records) -> List[RecordRelation]:
        relations = []
        for item in items:
            relation = self._relation(item)
            if relation is None:
                counted.skipped[_UNLABELLED] += 1
            else:
                relations.append(relation)
        return relations

    def _add(self, i: int, entity: RecordEntity) -> None:
        self._index.setdefault((*entity,), i)
        self._index.setdefault(entity[:2], i)

    def _relation(self, item: Any) -> Optional[RecordRelation]:
        """RETURNS (Optional[RecordRelation]): The relation; None if an end of it has no label."""
        place = self._place
        if not isinstance(item, dict) or not {"head_span", "child_span", "label"} <= set(item):
            reason = "a relation needs 'head_span', 'child_span' and 'label'"
            place.fail(f"{reason}, found {shorten(repr(item))}")
        for key in ("head_span", "child_span"):
            _offsets(place, item[key], key)
        label = item["label"]
        if not isinstance(label, str) or not label.strip():
            place.fail(f"a relation needs a label that is not empty, found {shorten(repr(label))}")
        head, tail = (self._end(item[key], key) for key in ("head_span", "child_span"))
        if head is None or tail is None:
            return None
        return check_link(place, self._index, head, tail, label)

    def _end(self, span: Any, what: str) -> Optional[Hashable]:
        offsets = _offsets(self._place, span, what)
        label = span.get("label")
        if not label:
            return offsets if offsets in self._index else None
        name = (*offsets, label) if isinstance(label, str) else offsets
        if name not in self._index:
            if offsets in self._index:
                there = self._entities[self._index[offsets]].label
                reason = f"{what} is labelled {shorten(repr(label))}, but the span there '{there}'"
                self._place.fail(reason)
            entity = _span(self._place, self._text, span)
            self._entities.append(entity)
            self._add(len(self._entities) - 1, entity)
        return name
