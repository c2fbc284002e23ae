"""The named shapes that flow between Docs and torch.

`pipeline/` fills them with numpy arrays, the bridge (`joint.py`) turns these into tensors, and the
heads read tensors. `Array` stands for either.
"""

from typing import Any, List, NamedTuple, Optional, Sequence, Tuple

from numpy.typing import NDArray
from spacy.tokens import Doc

Array = Any
Array1d = NDArray[Any]
Array2d = NDArray[Any]


class Spans(NamedTuple):
    """Spans of a batch, ordered by window. All of shape [n_spans], integers.

    window: The window of each span.
    start, end: Tokens, counted through all windows of the batch; the end is exclusive.
    """

    window: Array
    start: Array
    end: Array

    def where(self, rows: Array) -> "Spans":
        """RETURNS (Spans): A part of them.

        rows: Indices, or a mask of shape [n_spans].
        """
        return Spans(*(x[rows] for x in self))


class Entities(NamedTuple):
    """Entities of a batch, ordered by window and start. All of shape [n_entities], integers.

    window: The window of each entity.
    start, end: Tokens, counted through all windows of the batch; the end is exclusive.
    label: Index of the entity label.
    """

    window: Array
    start: Array
    end: Array
    label: Array

    @property
    def spans(self) -> Spans:
        """The entities without their labels."""
        return Spans(self.window, self.start, self.end)

    def where(self, rows: Array) -> "Entities":
        """RETURNS (Entities): A part of them.

        rows: Indices, or a mask of shape [n_entities].
        """
        return Entities(*(x[rows] for x in self))


class Targets(NamedTuple):
    """What is to be learned from a batch of windows.

    entities: The gold entities that could be aligned.
    flat: Which of them form the non-overlapping set that tags can express. [n_entities], bool.
    known: Which tokens have entity annotation. [n_tokens], bool.
    relations: Head and tail (indices into `entities`) and label. [n_relations, 3].
    symmetric: Which relations hold in both directions; their head is the entity that comes first.
        [n_relations], bool.
    relations_known: Which windows have relation annotation. [n_windows], bool.
    """

    entities: Entities
    flat: Array
    known: Array
    relations: Array
    symmetric: Array
    relations_known: Array

    @property
    def is_annotated(self) -> bool:
        """Whether there is anything to learn from."""
        return bool(self.known.any() or self.relations_known.any())

    @property
    def flat_entities(self) -> Entities:
        """The entities that don't overlap."""
        return self.entities.where(self.flat)


class Limits(NamedTuple):
    """Which pairs of entities a head looks at, and which of them it gives back.

    max_distance: The greatest number of tokens between the two entities of a pair; None for no
        limit.
    thresholds: In prediction the least probability of each relation label: pairs that reach none
        are not kept. None keeps all.
    """

    max_distance: Optional[int] = None
    thresholds: Optional[Sequence[float]] = None


NO_LIMITS = Limits()


class Candidates(NamedTuple):
    """What a head proposes for a batch of windows. Tensors.

    entities: The entities, ordered by window and start.
    entity_scores: Their probabilities. [n_entities].
    heads, tails: Ordered pairs, as indices into `entities`: all that the limits allow, and that
        reach the threshold of a label. [n_pairs].
    relation_scores: Probability of each relation label. [n_pairs, n_relation_labels].
    """

    entities: Entities
    entity_scores: Array
    heads: Array
    tails: Array
    relation_scores: Array


class JointBatch(NamedTuple):
    """What a joint model reads.

    docs: The Docs, each with at least one token (in training, empty Docs may be among them).
    windows: Doc, first token and end of each window; together they cover all tokens in order.
        [n_windows, 3].
    targets: In training.
    given: Entities to relate, in place of the model's own.
    limits: Which pairs of entities count.
    """

    docs: List[Doc]
    windows: Array2d
    targets: Optional[Targets] = None
    given: Optional[Entities] = None
    limits: Limits = NO_LIMITS


class Proposals(NamedTuple):
    """`Candidates` of a batch of Docs, as numpy arrays.

    entities: Doc, first token in the Doc, end and label. [n_entities, 4].
    entity_scores: [n_entities].
    pairs: Head and tail, as indices into `entities`. [n_pairs, 2].
    relation_scores: [n_pairs, n_relation_labels].
    """

    entities: Array2d
    entity_scores: Array1d
    pairs: Array2d
    relation_scores: Array2d


class Extraction(NamedTuple):
    """The entities and relations of one Doc, as plain values.

    entities: First token, end, label and probability, by position.
    relations: Head and tail (indices into `entities`), label and probability.
    """

    entities: List[Tuple[int, int, str, float]]
    relations: List[Tuple[int, int, str, float]]
