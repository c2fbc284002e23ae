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
from .facts import Fact, all_facts

NAME = "triples"
WRITES = ".jsonl"


def write(docs: Iterable[Doc], path: Union[str, Path]) -> None:
    """Write the relations of Docs, in their order. Reads the Docs one by one."""
    with whole_text(path) as file:
        for fact in all_facts(docs):
            file.write(json.dumps(_item(fact), ensure_ascii=False) + "\n")


def _item(fact: Fact) -> Dict[str, Any]:
    return {
        "document": fact.document,
        "head": _end(fact.head),
        "relation": fact.label,
        "tail": _end(fact.tail),
        "score": fact.score,
        "sentence": fact.passage.text,
    }


def _end(span: Span) -> Dict[str, Any]:
    return {
        "text": span.text,
        "label": span.label_,
        "start": span.start_char,
        "end": span.end_char,
    }
