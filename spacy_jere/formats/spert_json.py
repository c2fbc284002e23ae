"""SpERT JSON: an array of sentences with tokens, entities and relations (Eberts and Ulges 2020).

`{"tokens": […], "entities": [{"type", "start", "end"}], "relations": [{"type", "head", "tail"}]}`; offsets in tokens, ends
exclusive, head and tail are indices into the entities. `text` (the true spacing) and `orig_id` are optional. A sentence
without the key `relations` counts as not annotated.
"""

import json
from pathlib import Path
from typing import Any, Dict, Iterable, List, Optional, Union

import spacy.util
from spacy.tokens import Doc

from ..relations import mention, mention_span, stored_relations
from .record import Record, RecordEntity, RecordRelation
from .source import fail, read_json_array, read_text

NAME = "spert"


def sniff(path: Path) -> bool:
    """RETURNS (bool): Whether the file looks like this format."""
    return read_text(path)[:1000].lstrip().startswith("[") and '"tokens"' in read_text(path)


def read(path: Union[str, Path]) -> List[Record]:
    """RAISES (SourceError): Names file and line of what can't be read."""
    path = Path(path)
    return [_record(path, line, item) for line, item in read_json_array(path)]


def write(docs: Iterable[Doc], path: Union[str, Path], *, spans_key: str = "joint_ner_re") -> None:
    """Write Docs, one object a line, and no empty ones. Entities are those of doc.ents, of the span group and of relations."""
    sentences = (_sentence(doc, spans_key) for doc in docs if len(doc))
    lines = [json.dumps(sentence, ensure_ascii=False) for sentence in sentences]
    Path(path).write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf8")


def _record(path: Path, line: int, item: Any) -> Record:
    if not isinstance(item, dict):
        fail(path, line, f"expected an object, found {item!r}")
    words = item.get("tokens")
    if not isinstance(words, list) or not words or not all(isinstance(x, str) and x for x in words):
        fail(path, line, "'tokens' must be a list of strings, none of them empty")
    entities = [_entity(path, line, words, x) for x in _list(path, line, item, "entities")]
    relations = None
    if "relations" in item:
        found = _list(path, line, item, "relations")
        relations = [_relation(path, line, len(entities), x) for x in found]
    text = item.get("text")
    if text is not None and not _is_text_of(words, text):
        fail(path, line, "'text' and 'tokens' say different things")
    meta = {"orig_id": item["orig_id"]} if "orig_id" in item else {}
    return Record(words, entities, relations, text, meta)


def _is_text_of(words: List[str], text: Any) -> bool:
    try:
        spacy.util.get_words_and_spaces(words, text)
    except (AttributeError, ValueError):
        return False
    return True


def _list(path: Path, line: int, item: Dict[str, Any], key: str) -> List[Any]:
    values = item.get(key)
    if not isinstance(values, list):
        fail(path, line, f"'{key}' must be a list, found {values!r}")
    return values


def _entity(path: Path, line: int, words: List[str], item: Any) -> RecordEntity:
    try:
        start, end, label = item["start"], item["end"], item["type"]
    except (TypeError, KeyError):
        start = end = label = None
    if not (_is_offset(start) and _is_offset(end) and isinstance(label, str) and label):
        fail(path, line, f"an entity needs 'type', 'start' and 'end', found {item!r}")
    if not 0 <= start < end <= len(words):
        reason = (
            f"entity '{label}' has tokens {start}:{end}, but the sentence has {len(words)} tokens"
        )
        fail(path, line, reason)
    if "".join(words[start:end]).isspace():
        fail(path, line, f"entity '{label}' has tokens {start}:{end}, which are white space")
    return RecordEntity(start, end, label)


def _relation(path: Path, line: int, n_entities: int, item: Any) -> RecordRelation:
    try:
        head, tail, label = item["head"], item["tail"], item["type"]
    except (TypeError, KeyError):
        head = tail = label = None
    if not (_is_offset(head) and _is_offset(tail) and isinstance(label, str) and label):
        fail(path, line, f"a relation needs 'type', 'head' and 'tail', found {item!r}")
    for end in (head, tail):
        if not 0 <= end < n_entities:
            reason = f"relation '{label}' names entity {end}, but there are {n_entities} (0 is the first)"
            fail(path, line, reason)
    return RecordRelation(head, tail, label)


def _is_offset(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _sentence(doc: Doc, spans_key: str) -> Dict[str, Any]:
    relations = stored_relations(doc)
    found = dict.fromkeys(mention(span) for span in (*doc.ents, *doc.spans.get(spans_key, ())))
    for relation in relations or ():
        found.update({relation.head: None, relation.tail: None})
    mentions = sorted(found)
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
    text: Optional[str] = None if doc.has_unknown_spaces else doc.text
    if text is not None:
        sentence["text"] = text
    return sentence
