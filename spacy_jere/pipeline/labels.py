"""What Examples and label files say about labels, collected at initialization."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Iterable, List, NamedTuple, Optional, Set, Tuple

from spacy.training import Example

from ..errors import Errors
from ..schema import Schema, SchemaConfig, learn_schema, schema_config
from ..windows import doc_windows
from .targets import AlignedAnnotation, align_example, excerpt

KINDS = ("entity", "relation")
# Examples that a model is built with: enough to infer its shapes
SAMPLE_SIZE = 10

Triple = Tuple[str, str, str]


class LabelData(NamedTuple):
    """What `spacy init labels` wrote.

    entities, relations: The labels, in the order of the weights.
    schema: What was learned from the training data; None if nothing was.
    """

    entities: Iterable[str]
    relations: Iterable[str]
    schema: SchemaConfig


@dataclass
class LabelInventory:
    """What the training data has.

    entity_labels: The labels of all entities that could be aligned.
    triples: Head label, relation label and tail label of all relations that could be aligned.
    lost: How many entities and relations could not be aligned, by reason.
    trimmed: How many entities begin or end with white space.
    longest_window: Tokens of the longest window.
    total, unannotated: How many Examples there are, and how many without relation annotation.
    sample: The first Examples.
    """

    entity_labels: Set[str] = field(default_factory=set)
    triples: Set[Triple] = field(default_factory=set)
    lost: "Counter[str]" = field(default_factory=Counter)
    trimmed: int = 0
    longest_window: int = 0
    total: int = 0
    unannotated: int = 0
    sample: List[Example] = field(default_factory=list)

    @property
    def relation_labels(self) -> Set[str]:
        return {label for _, label, _ in self.triples}

    @property
    def learned_schema(self) -> SchemaConfig:
        """RETURNS (SchemaConfig): The rules that allow what the data has, and nothing else."""
        return schema_config(learn_schema(self.triples))


def check_new_label(label: Any, kind: str) -> None:
    """RAISES (ValueError): There is no such kind of label, or the label is not a string or
    empty."""
    if kind not in KINDS:
        raise ValueError(Errors.E202.format(kind=kind))
    if not isinstance(label, str) or not label:
        raise ValueError(Errors.E210.format(label=label))


def read_label_data(data: Any, name: str) -> LabelData:
    """Read the argument `labels` of `initialize`.

    data (Any): A dict with `entities` and `relations`, and `schema` if one was learned.
    name (str): The component, for the message.
    RAISES (ValueError): Anything else.
    """
    if not isinstance(data, dict) or not {"entities", "relations"} <= set(data):
        raise ValueError(Errors.E205.format(name=name, found=data))
    return LabelData(data["entities"], data["relations"], data.get("schema"))


def collect_labels(
    examples: Iterable[Example],
    *,
    window: str,
    spans_key: Optional[str],
    max_distance: Optional[int],
    schema: Schema,
) -> LabelInventory:
    """Read all Examples once.

    window, spans_key, max_distance: The component's settings.
    schema (Schema): The rules that the data has to follow; none if they are still to be learned.
    RETURNS (LabelInventory): The labels, and what can't be learned.
    RAISES (ValueError): The data has a relation that the schema doesn't allow.
    """
    found = LabelInventory()
    for example in examples:
        windows = doc_windows(example.predicted, window)
        aligned = align_example(example, spans_key, windows, max_distance)
        triples = label_triples(aligned)
        if schema:
            for triple in triples:
                check_triple(schema, triple, example)
        found.entity_labels.update(label for _, _, label in aligned.entities)
        found.triples.update(triples)
        found.lost.update(aligned.lost)
        found.trimmed += aligned.trimmed
        found.longest_window = max([found.longest_window, *(end - start for start, end in windows)])
        found.total += 1
        found.unannotated += aligned.relations is None
        if len(found.sample) < SAMPLE_SIZE:
            found.sample.append(example)
    return found


def label_triples(aligned: AlignedAnnotation) -> List[Triple]:
    """RETURNS (List[Triple]): Head label, relation label and tail label of each relation."""
    entity_labels = [label for _, _, label in aligned.entities]
    return [
        (entity_labels[head], label, entity_labels[tail])
        for head, tail, label in aligned.relations or ()
    ]


def check_triple(schema: Schema, triple: Triple, example: Example) -> None:
    """RAISES (ValueError): The schema does not mention the relation, or does not let it join these
    entity labels."""
    head, label, tail = triple
    if label not in schema:
        raise ValueError(Errors.E113.format(relation=label, labels=sorted(schema)))
    if not schema[label].allows(head, tail):
        raise ValueError(
            Errors.E112.format(relation=label, head=head, tail=tail, text=excerpt(example))
        )
