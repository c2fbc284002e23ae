"""SpERT JSON: an array of sentences with tokens, entities and relations (Eberts and Ulges 2020).

    [{"tokens": […], "entities": [{"type", "start", "end"}],
      "relations": [{"type", "head", "tail"}], "text", "orig_id"}]

Offsets count tokens, and ends are exclusive. Head and tail are indices into the entities. `text`
(with the true spacing) and `orig_id` are optional. A sentence without `relations` is not annotated
for relations.
"""

import json
from pathlib import Path
from typing import Any, Dict, Iterable, List, Tuple, Union

from spacy.tokens import Doc

from ..relations import DEFAULT_SPANS_KEY, entity_mentions, mention_span, stored_relations
from ._checks import check_relation, check_word_entity
from ._reading import Head, Place, get_list, get_words, read_json_array
from ._writing import whole_text
from .record import Record, RecordRelation, Records, word_offsets
from .user_data import ID_KEY

NAME = "spert"
WRITES = ".json"
SUFFIXES = (".json",)


def sniff(head: Head) -> bool:
    """RETURNS (bool): Whether the file looks like this format."""
    is_array = head.text.lstrip().startswith("[")
    return is_array and ('"tokens"' in head.text or "tokens" in head.first_object("["))


def read(path: Union[str, Path]) -> Records:
    """RAISES (SourceError): Names file and line of what can't be read."""
    return Records(_record(place, item) for place, item in read_json_array(path))


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


def _record(place: Place, item: Dict[str, Any]) -> Record:
    words = get_words(place, item, "tokens")
    entities = [_entity(place, words, x) for x in get_list(place, item, "entities")]
    relations = None
    if "relations" in item:
        found = get_list(place, item, "relations")
        relations = [_relation(place, len(entities), x) for x in found]
    text = item.get("text")
    if text is not None and not _is_text_of(words, text):
        place.fail("'text' and 'tokens' say different things")
    meta = {"orig_id": item["orig_id"]} if "orig_id" in item else {}
    return Record.from_words(words, entities, relations, text=text, meta=meta, source=str(place))


def _is_text_of(words: List[str], text: Any) -> bool:
    try:
        word_offsets(words, text)
    except (AttributeError, ValueError):
        return False
    return True


def _entity(place: Place, words: List[str], item: Any) -> Tuple[int, int, str]:
    if not isinstance(item, dict) or not {"type", "start", "end"} <= set(item):
        place.fail(f"an entity needs 'type', 'start' and 'end', found {item!r}")
    return check_word_entity(place, words, item["start"], item["end"], item["type"])


def _relation(place: Place, n_entities: int, item: Any) -> RecordRelation:
    if not isinstance(item, dict) or not {"type", "head", "tail"} <= set(item):
        place.fail(f"a relation needs 'type', 'head' and 'tail', found {item!r}")
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
