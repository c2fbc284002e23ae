"""JSON lines: a relation a line, with both ends, its sentence and its document.

    {"document": "0", "head": {"text", "label", "start", "end"}, "relation": "WORKS_FOR",
     "tail": {…}, "score": 0.9, "sentence": "…"}

Offsets count characters of the document. `score` is null for annotations.
"""

import json
from pathlib import Path
from typing import Any, Dict, Iterable, Union

from spacy.tokens import Doc, Span

from ..formats._writing import whole_text
from .facts import DEFAULT_CONTEXT, Fact, all_facts

NAME = "triples"
WRITES = ".jsonl"


def write(docs: Iterable[Doc], path: Union[str, Path], *, context: int = DEFAULT_CONTEXT) -> None:
    """Write the relations of Docs, in their order. Reads the Docs one by one.

    context (int): The greatest number of tokens that are shown around the ends of a relation.
    """
    with whole_text(path) as file:
        for fact in all_facts(docs, context):
            file.write(json.dumps(_item(fact), ensure_ascii=False) + "\n")


def _item(fact: Fact) -> Dict[str, Any]:
    return {
        "document": fact.document,
        "head": _end(fact.head),
        "relation": fact.label,
        "tail": _end(fact.tail),
        "score": fact.score,
        "sentence": fact.sentence,
    }


def _end(span: Span) -> Dict[str, Any]:
    return {
        "text": span.text,
        "label": span.label_,
        "start": span.start_char,
        "end": span.end_char,
    }
