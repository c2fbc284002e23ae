"""A look at annotated data before training: what is in it, what is wrong with it, which settings suit it. Needs no model."""

from typing import Any, Dict, Iterable, Optional

from spacy.tokens import Doc

from ..relations import DEFAULT_SPANS_KEY
from ..schema import SchemaConfig, parse_schema
from .counts import SplitCounter, count_split
from .findings import Finding, find_all
from .suggestions import suggest


def check_data(
    train: Iterable[Doc],
    dev: Optional[Iterable[Doc]] = None,
    *,
    window: str = "sentence",
    spans_key: str = DEFAULT_SPANS_KEY,
    max_span_width: int = 10,
    schema: SchemaConfig = None,
) -> Dict[str, Any]:
    """Check data for joint entity and relation extraction. Reads the Docs one by one.

    window (str): Where relations are looked for: "sentence" or "doc".
    spans_key (str): The key of `doc.spans` that holds entities beside doc.ents.
    max_span_width (int): The model's limit for the tokens of an entity; 0 for none.
    schema: The component's setting of this name.
    RETURNS (Dict[str, Any]): Plain data. `splits` has the counts of "train" and "dev"; `leaked_documents` says how
        many of dev have a text of train, and `leaked_texts` which; `findings` is a list of dicts with `level` ("error",
        "warning" or "info"), `topic` and `text`; `suggestions` has `window`, `max_span_width`, `symmetric`,
        `maybe_symmetric` and `schema` (config text).
    RAISES (ValueError): A schema that can't be read.
    """
    rules = parse_schema(schema)
    counters = {name: SplitCounter(spans_key, window, max_span_width) for name in ("train", "dev")}
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


__all__ = ["Finding", "check_data"]
