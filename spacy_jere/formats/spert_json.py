"""SpERT JSON: sentences with tokens, entities and relations (Eberts and Ulges 2020).

    [{"tokens": […], "entities": [{"type", "start", "end"}],
      "relations": [{"type", "head", "tail"}], "text", "orig_id"}]

The sentences stand in an array, or one on each line. Offsets count tokens, and ends are exclusive.
Head and tail are indices into the entities. `text` (with the true spacing) and `orig_id` are
optional. A sentence without `relations` is not annotated for relations.
"""

import json
from pathlib import Path
from typing import Any, Dict, Iterable, List, Tuple, Union

from spacy.tokens import Doc

from ..relations import DEFAULT_SPANS_KEY, entity_mentions, mention_span, stored_relations
from ._checks import check_relation, check_word_entity
from ._reading import Head, Place, get_list, get_words, read_json, shorten
from ._writing import whole_text
from .record import Record, RecordRelation, Records, word_offsets
from .user_data import ID_KEY

NAME = "spert"
WRITES = ".json"
SUFFIXES = (".json", ".jsonl")
# Keys that hold annotation: without a word it would be lost under a misspelt one
_KEYS = ("tokens", "entities", "relations", "text")


def sniff(head: Head) -> bool:
    """RETURNS (bool): Whether the file looks like this format."""
    return any(map(_is_sentence, head.objects()))


def read(path: Union[str, Path]) -> Records:
    """RAISES (SourceError): Names file and line of what can't be read."""
    return Records.of(read_json(path, _KEYS), _record)


def write(
    docs: Iterable[Doc], path: Union[str, Path], *, spans_key: str = DEFAULT_SPANS_KEY
) -> None:
    """Write Docs, an object a line. Empty Docs are left out.

    Entities are those of doc.ents, of the span group and of relations. `orig_id` is
    `doc.user_data["id"]`, if there is one.

    spans_key (str): The key of `doc.spans` that holds entities beside doc.ents.
    """
    sentences = (_sentence(doc, spans_key) for doc in docs if len(doc))
    with whole_text(path) as file:
        file.write("[")
        for i, sentence in enumerate(sentences):
            file.write(",\n" if i else "\n")
            file.write(json.dumps(sentence, ensure_ascii=False))
        file.write("\n]\n")


def _is_sentence(item: Dict[str, Any]) -> bool:
    tokens, entities = item.get("tokens"), item.get("entities")
    return (
        isinstance(tokens, list)
        and isinstance(entities, list)
        and all(isinstance(x, str) for x in tokens[:1])
        and all(isinstance(x, dict) and {"type", "start", "end"} <= set(x) for x in entities[:1])
    )


def _record(place: Place, item: Dict[str, Any], counted: Records) -> Record:
    words = get_words(place, item, "tokens")
    entities = [_entity(place, words, x) for x in get_list(place, item, "entities")]
    relations = None
    if "relations" in item:
        found = get_list(place, item, "relations")
        relations = [_relation(place, len(entities), x) for x in found]
    text = item.get("text")
    if text is not None:
        _check_text(place, words, text)
    meta = {"orig_id": item["orig_id"]} if "orig_id" in item else {}
    return Record.from_words(words, entities, relations, text=text, meta=meta, source=str(place))


def _check_text(place: Place, words: List[str], text: Any) -> None:
    if not isinstance(text, str):
        place.fail(f"'text' and 'tokens' say different things: {shorten(repr(text))} is no text")
    try:
        word_offsets(words, text)
    except ValueError as error:
        place.fail(f"'text' and 'tokens' say different things: {error}")


def _entity(place: Place, words: List[str], item: Any) -> Tuple[int, int, str]:
    if not isinstance(item, dict) or not {"type", "start", "end"} <= set(item):
        place.fail(f"an entity needs 'type', 'start' and 'end', found {shorten(repr(item))}")
    return check_word_entity(place, words, item["start"], item["end"], item["type"])


def _relation(place: Place, n_entities: int, item: Any) -> RecordRelation:
    if not isinstance(item, dict) or not {"type", "head", "tail"} <= set(item):
        place.fail(f"a relation needs 'type', 'head' and 'tail', found {shorten(repr(item))}")
    return check_relation(place, n_entities, item["head"], item["tail"], item["type"])


def _sentence(doc: Doc, spans_key: str) -> Dict[str, Any]:
    relations = stored_relations(doc)
    mentions = entity_mentions(doc, spans_key)
    entities = []
    for x in mentions:
        span = mention_span(doc, x)
        entities.append({"type": x.label, "start": span.start, "end": span.end})
    sentence: Dict[str, Any] = {"tokens": [token.text for token in doc], "entities": entities}
    if relations is not None:
        index = {x: i for i, x in enumerate(mentions)}
        sentence["relations"] = [
            {"type": x.label, "head": index[x.head], "tail": index[x.tail]} for x in relations
        ]
    if not doc.has_unknown_spaces:
        sentence["text"] = doc.text
    if ID_KEY in doc.user_data:
        sentence["orig_id"] = doc.user_data[ID_KEY]
    return sentence
