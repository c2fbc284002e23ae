"""DyGIE: a document a line, its tokens in sentences (Luan et al. 2018, Wadden et al. 2019).

    {"doc_key": …, "sentences": [[token, …], …], "ner": [[[start, end, type], …], …],
     "relations": [[[head start, head end, tail start, tail end, type], …], …]}

SciERC is distributed in it. `ner` and `relations` have a list for each sentence. Offsets count
tokens of the document, and ends are inclusive. A document becomes one record, with its sentences.
"""

from itertools import accumulate
from pathlib import Path
from typing import Any, Dict, List, Tuple, Union

from ._checks import ByPlace, check_link, check_word_entity, is_offset
from ._reading import Head, Place, check_words, get_list, read_json, shorten
from .record import Record, RecordRelation, Records

NAME = "dygie"
SUFFIXES = (".json", ".jsonl")
# Keys that hold annotation: without a word it would be lost under a misspelt one
_KEYS = ("sentences", "ner", "relations", "clusters", "events")
# Annotations that a Doc cannot represent
_SKIPPED = {"clusters": "coreference clusters", "events": "events"}


def sniff(head: Head) -> bool:
    """RETURNS (bool): Whether the file looks like this format."""
    return any(isinstance(item.get("sentences"), list) for item in head.objects())


def read(path: Union[str, Path]) -> Records:
    """RAISES (SourceError): Names file and line of what can't be read."""
    return Records.of(read_json(path, _KEYS), _record)


def _record(place: Place, item: Dict[str, Any], counted: Records) -> Record:
    sentences = [check_words(place, x, "sentences") for x in get_list(place, item, "sentences")]
    words = [word for sentence in sentences for word in sentence]
    if not words:
        place.fail("'sentences' is empty")
    entities = [_entity(place, words, x) for x in _flat(place, item, "ner", len(sentences))]
    relations = None
    if "relations" in item:
        by_place = ByPlace((start, end - 1, label) for start, end, label in entities)
        found = _flat(place, item, "relations", len(sentences))
        relations = [_relation(place, by_place, x, counted) for x in found]
    _count_skipped(item, counted)
    starts = accumulate(map(len, sentences[:-1]), initial=0)
    meta = {"orig_id": item["doc_key"]} if "doc_key" in item else {}
    return Record.from_words(
        words, entities, relations, sentences=starts, meta=meta, source=str(place)
    )


def _flat(place: Place, item: Dict[str, Any], key: str, n_sentences: int) -> List[Any]:
    """RETURNS (List[Any]): The items of all sentences."""
    lists = get_list(place, item, key)
    if len(lists) != n_sentences or not all(isinstance(x, list) for x in lists):
        place.fail(f"'{key}' must hold one list for each of the {n_sentences} sentences")
    return [x for values in lists for x in values]


def _entity(place: Place, words: List[str], item: Any) -> Tuple[int, int, str]:
    if not isinstance(item, list) or len(item) != 3 or not is_offset(item[1]):
        place.fail(f"an entity is [start, end, type], found {shorten(repr(item))}")
    start, last, label = item
    return check_word_entity(place, words, start, last + 1, label)


def _relation(place: Place, by_place: ByPlace, item: Any, counted: Records) -> RecordRelation:
    if not isinstance(item, list) or len(item) != 5 or not all(map(is_offset, item[:4])):
        reason = "a relation is [head start, head end, tail start, tail end, type]"
        place.fail(f"{reason}, found {shorten(repr(item))}")
    head, tail = tuple(item[:2]), tuple(item[2:4])
    by_place.count(counted.changed, head, tail)
    return check_link(place, by_place, head, tail, item[4])


def _count_skipped(item: Dict[str, Any], counted: Records) -> None:
    for key, kind in _SKIPPED.items():
        if isinstance(item.get(key), list) and item[key]:
            # Clusters are a list for the document, events a list for each sentence.
            n_found = len(item[key]) if key == "clusters" else sum(map(_length, item[key]))
            counted.skipped[kind] += n_found


def _length(values: Any) -> int:
    return len(values) if isinstance(values, list) else 1
