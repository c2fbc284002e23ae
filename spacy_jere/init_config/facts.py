"""What the choice of settings goes by: counts of the training and development data."""

from collections import Counter
from itertools import pairwise
from typing import Any, Dict, Iterable, List, NamedTuple, Tuple

from spacy.pipeline import Sentencizer
from spacy.tokens import Doc
from spacy.util import filter_spans

from ..debug_data.counts import Counts, SplitCounter
from ..debug_data.suggestions import learned_rules, suggest
from ..errors import Errors
from ..relations import (
    DEFAULT_SPANS_KEY,
    annotated_mentions,
    annotated_relations,
    mention_span,
)
from ..windows import window_of

# Counted beside what `debug_data` counts
_TOTALS = (
    "sentences",
    "documents_with_several_sentences",
    "relations_across_guessed",
    "entities_across_guessed",
    "untagged_entities",
    "untagged_relations",
    "longest_sentence",
)


class FactCounter(SplitCounter):
    """Counts Docs one by one, for the choice of settings.

    Sentences are those that a `sentencizer` finds: it sets the windows of the training, whether the
    data has boundaries or not.
    """

    def __init__(self) -> None:
        super().__init__(DEFAULT_SPANS_KEY, "doc", 0)
        self.totals.update(dict.fromkeys(_TOTALS, 0))
        self.distances: Counter[int] = Counter()
        self.sentencizer = Sentencizer()

    def add(self, doc: Doc) -> None:
        """Count a Doc."""
        super().add(doc)
        starts = self._sentence_starts(doc)
        self.totals["sentences"] += len(starts)
        self.totals["documents_with_several_sentences"] += len(starts) > 1
        lengths = (end - start for start, end in pairwise([*starts, len(doc)]))
        self.totals["longest_sentence"] = max(self.totals["longest_sentence"], *lengths, 0)
        spans = {x: mention_span(doc, x) for x in annotated_mentions(doc, self.spans_key)}
        tagged = {(x.start, x.end, x.label) for x in filter_spans(spans.values())}
        untagged = {x for x, s in spans.items() if (s.start, s.end, s.label) not in tagged}
        self.totals["untagged_entities"] += len(untagged)
        for span in spans.values():
            first, last = window_of(starts, span.start), window_of(starts, span.end - 1)
            self.totals["entities_across_guessed"] += first != last
        for relation in annotated_relations(doc) or ():
            head, tail = spans[relation.head], spans[relation.tail]
            between = max(head.start, tail.start) - min(head.end, tail.end)
            self.distances[max(0, between)] += 1
            across = window_of(starts, head.start) != window_of(starts, tail.start)
            self.totals["relations_across_guessed"] += across
            self.totals["untagged_relations"] += bool({relation.head, relation.tail} & untagged)

    def _sentence_starts(self, doc: Doc) -> List[int]:
        if not len(doc):
            return []
        (guessed,) = self.sentencizer.predict([doc])
        return [i for i, is_start in enumerate(guessed) if is_start]

    def to_dict(self) -> Counts:
        """RETURNS (Counts): All counts, as plain data."""
        counts = super().to_dict()
        return {**counts, "relation_distances": dict(sorted(self.distances.items()))}


class Facts(NamedTuple):
    """Counts of both splits, and what they say together.

    train, dev: The counts of `debug_data`, and those of `FactCounter`.
    suggestions: Settings that `debug_data` suggests for the training data.
    leaked_documents: How many Docs of dev have a text of train.
    unseen_directions: Share of the relations of dev that a schema learned from train forbids.
    """

    train: Counts
    dev: Counts
    suggestions: Dict[str, Any]
    leaked_documents: int
    unseen_directions: float

    @property
    def n_relations(self) -> int:
        return sum(self.train["relations"].values())

    @property
    def n_entities(self) -> int:
        return sum(self.train["entities"].values())

    @property
    def untagged(self) -> float:
        """RETURNS (float): The share of entities that tags can't hold: each overlaps another."""
        return share(self.train["untagged_entities"], self.n_entities)


def read_facts(train: Iterable[Doc], dev: Iterable[Doc]) -> Facts:
    """Read both splits once, Doc by Doc.

    RAISES (ValueError): A split without texts, train without entities, dev without annotation.
    """
    counters = {"train": FactCounter(), "dev": FactCounter()}
    counts: Dict[str, Counts] = {}
    for name, docs in (("train", train), ("dev", dev)):
        for doc in docs:
            counters[name].add(doc)
        counts[name] = counters[name].to_dict()
        if not counts[name]["tokens"]:
            raise ValueError(Errors.E480.format(split=name))
    if not counts["train"]["entities"]:
        raise ValueError(Errors.E481)
    if not counts["dev"]["entities"]:
        raise ValueError(Errors.E482)
    train_texts, dev_texts = counters["train"].texts, counters["dev"].texts
    return Facts(
        counts["train"],
        counts["dev"],
        suggest(counts["train"]),
        sum(n for text, n in dev_texts.items() if text in train_texts),
        _unseen_directions(counts["train"], counts["dev"]),
    )


def share(part: int, whole: int) -> float:
    """RETURNS (float): A part of a whole; 0 of nothing."""
    return part / whole if whole else 0.0


def covering(counts: Dict[int, int], covered: float) -> Tuple[int, int]:
    """Find the smallest number that covers a share of what was counted.

    counts (Dict[int, int]): How often each number occurs, ascending; not empty.
    RETURNS (Tuple[int, int]): The number, and how many larger ones there are.
    """
    total, below, found = sum(counts.values()), 0, 0
    for number, n in counts.items():
        if below >= covered * total:
            break
        found, below = number, below + n
    return found, total - below


def _unseen_directions(train: Counts, dev: Counts) -> float:
    rules = learned_rules(train)
    unseen = sum(
        x["relations"]
        for x in dev["directions"]
        if x["relation"] in rules and not rules[x["relation"]].allows(x["head"], x["tail"])
    )
    return share(unseen, sum(dev["relations"].values()))
