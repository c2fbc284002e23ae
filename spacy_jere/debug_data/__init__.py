"""A look at annotated data before training: its counts, its faults and settings that suit it.

No model is needed.
"""

from typing import Any, Dict, Iterable, Optional

from spacy.tokens import Doc

from ..relations import DEFAULT_SPANS_KEY
from ..schema import SchemaConfig, parse_schema
from .counts import SplitCounter, count_split
from .findings import Finding, find_all
from .suggestions import suggest


def debug_data(
    train: Iterable[Doc],
    dev: Optional[Iterable[Doc]] = None,
    *,
    window: str = "sentence",
    spans_key: str = DEFAULT_SPANS_KEY,
    max_span_width: int = 10,
    max_distance: Optional[int] = None,
    schema: SchemaConfig = None,
) -> Dict[str, Any]:
    """Check data for joint entity and relation extraction. Reads the Docs one by one.

    window (str): Where relations are looked for: "sentence" or "doc".
    spans_key (str): The key of `doc.spans` that holds entities beside doc.ents.
    max_span_width (int): The model's limit for the tokens of an entity; 0 for none.
    max_distance (Optional[int]): The component's setting of this name.
    schema (SchemaConfig): The component's setting of this name.
    RETURNS (Dict[str, Any]): Plain data:
        splits: the counts of "train" and "dev".
        leaked_documents: how many Docs of dev have a text of train.
        leaked_texts: these texts, each with the number of its Docs in dev.
        findings: a list of dicts with `level` ("error", "warning" or "info"), `topic` and `text`.
        suggestions: `window`, `max_span_width`, `symmetric`, `maybe_symmetric` and `schema`
            (config text).
    RAISES (ValueError): A schema that can't be read.
    """
    rules = parse_schema(schema)
    counters = {
        name: SplitCounter(spans_key, window, max_span_width, max_distance)
        for name in ("train", "dev")
    }
    splits = {"train": count_split(train, counters["train"])}
    if dev is not None:
        splits["dev"] = count_split(dev, counters["dev"])
    texts = {name: counter.texts for name, counter in counters.items()}
    leaked = {text: n for text, n in texts["dev"].items() if text in texts["train"]}
    found = find_all(
        splits["train"],
        splits.get("dev"),
        leaked=sum(leaked.values()),
        window=window,
        max_span_width=max_span_width,
        schema=rules,
    )
    return {
        "splits": splits,
        "leaked_documents": sum(leaked.values()),
        "leaked_texts": leaked,
        "findings": [finding._asdict() for finding in found],
        "suggestions": suggest(splits["train"]),
    }


__all__ = ["Finding", "debug_data"]
