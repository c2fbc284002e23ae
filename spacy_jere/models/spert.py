"""SpERT: span-based joint entity and relation extraction.

M. Eberts and A. Ulges, "Span-based Joint Entity and Relation Extraction with Transformer
Pre-training", ECAI 2020, arXiv 1909.07755.

Every span of up to some width is classified as an entity label or none; every ordered pair of the
entities is classified from the two spans and the text between them. Both learn from strong
negatives of the same sentence.
"""

from functools import partial
from typing import Callable, Dict, List, Optional, Tuple, cast

import torch
from spacy.tokens import Doc
from thinc.api import Model
from thinc.types import Floats2d
from torch import Tensor, nn
from torch.nn import functional as F

from .joint import JointHead, JointModel, build_joint_model
from .layers.classifier import expect_none, make_classifier
from .layers.pair_scores import PairChunks, score_pairs
from .layers.settings import Part, require_at_least, require_rate
from .layers.span_encoder import EncodedTokens, SpanEncoder
from .layers.span_sampling import sample_pairs, sample_spans
from .layers.spans import classified, span_chunks
from .shim import Dropout
from .types import NO_LIMITS, Candidates, Entities, Limits, Spans, Targets

# Applies a classifier to the x_s of spans, other features behind them: [n_spans, n_labels].
Classify = Callable[..., Tensor]
# Makes the x_r of pairs, given heads and tails: [n_pairs, pair_width].
MakePairs = Callable[[Tensor, Tensor], Tensor]


def create_span_classifier_v1(
    max_span_width: int = 10,
    width_embedding: int = 25,
    span_ends: bool = False,
    negative_entities: int = 100,
    negative_relations: int = 100,
    dropout: Optional[float] = 0.1,
    classifier_hidden: Optional[int] = None,
) -> Part:
    """Describe how spans and pairs are represented, sampled and classified. The defaults are the
    published settings.

    max_span_width (int): The widest span that can be an entity, in tokens.
    width_embedding (int): Width of the embedding of a span's width.
    span_ends (bool): Put the vectors of a span's first and last token beside the maximum over it
        (not in the paper).
    negative_entities, negative_relations (int): Random spans and pairs of each window to learn
        "none" from, at most.
    dropout (Optional[float]): Rate before the two classifiers. null follows the dropout of
        [training].
    classifier_hidden (Optional[int]): Units of a hidden layer in each classifier (not in the
        paper). null has none.
    RETURNS (Part): The settings of `SpERT` and `SpERTMT`.
    RAISES (ValueError): A setting out of its range.
    """
    settings = Part(
        max_span_width=max_span_width,
        width_embedding=width_embedding,
        span_ends=span_ends,
        negative_entities=negative_entities,
        negative_relations=negative_relations,
        dropout=dropout,
        classifier_hidden=classifier_hidden,
    )
    require_at_least(settings, 1, "max_span_width", "width_embedding", "classifier_hidden")
    require_at_least(settings, 0, "negative_entities", "negative_relations")
    require_rate(settings, "dropout")
    return settings


def build_spert_v1(
    tok2vec: Model[List[Doc], List[Floats2d]],
    spans: Part,
    birnn: Optional[Part] = None,
    re_loss_weight: float = 1.0,
    bfloat16: bool = False,
) -> JointModel:
    """Build the model.

    tok2vec (Model[List[Doc], List[Floats2d]]): Token vectors. Exactly the paper's over
        `spacy-jere.TransformerListener.v1` with pooling `reduce_max.v1` and `context = true`.
    spans (Part): `spacy-jere.SpanClassifier.v1`.
    birnn (Optional[Part]): `spacy-jere.TaskBiRNN.v1`, layers over the token vectors (not in the
        paper). null for none.
    re_loss_weight (float): Factor on the loss of relations (not in the paper).
    bfloat16 (bool): Compute in bfloat16 where that is safe (autocast).
    RAISES (ValueError): A setting out of its range.
    """
    settings = {"spans": spans, "birnn": birnn, "re_loss_weight": re_loss_weight}
    require_at_least(settings, 0, "re_loss_weight")
    return build_joint_model(tok2vec, SpERT, settings, bfloat16=bfloat16)


class SpERT(JointHead):
    """The torch module. Arguments as for the architecture.

    width (int): Width of the token vectors.
    context_width (int): How many of their first features are the vector of the sequence, if it
        comes along.
    n_widths (int): Rows of the table of width embeddings; wider spans share the last.
    more_of_span, more_of_pair (int): Features that a subclass puts behind x_s before spans are
        labelled, and behind x_r.
    """

    reads_context = True
    hard_negatives = False

    def __init__(
        self,
        *,
        width: int,
        context_width: int,
        n_entity_labels: int,
        n_relation_labels: int,
        spans: Part,
        birnn: Optional[Part],
        re_loss_weight: float,
        n_widths: int = 100,
        more_of_span: int = 0,
        more_of_pair: int = 0,
    ):
        super().__init__()
        self.max_span_width = spans["max_span_width"]
        self.negative_entities = spans["negative_entities"]
        self.negative_relations = spans["negative_relations"]
        self.re_loss_weight = re_loss_weight
        self.n_relation_labels = n_relation_labels
        self.dropout = Dropout(spans["dropout"])
        self.encoder = SpanEncoder(
            width=width,
            context_width=context_width,
            birnn=birnn,
            relations=bool(n_relation_labels),
            n_widths=n_widths,
            width_embedding=spans["width_embedding"],
            span_ends=spans["span_ends"],
        )
        self.make_classifier = partial(
            make_classifier, hidden=spans["classifier_hidden"], dropout=spans["dropout"]
        )
        self.entity_classifier = self.make_classifier(
            self.encoder.span_width + more_of_span, 1 + n_entity_labels
        )
        expect_none(self.entity_classifier)
        self.pair_width = self.encoder.pair_width + more_of_pair
        if n_relation_labels:
            self.relation_classifier = self.make_classifier(self.pair_width, n_relation_labels)

    def losses(
        self, vectors: Tensor, lengths: Tensor, targets: Targets, limits: Limits = NO_LIMITS
    ) -> Dict[str, Tensor]:
        """L = L_s + L_r (equation 5)."""
        encoded = self.encoder(vectors, lengths)
        losses = self.entity_losses(encoded, lengths, targets)
        if self.n_relation_labels:
            losses.update(self.relation_losses(encoded, targets, limits))
        return losses

    def candidates(
        self,
        vectors: Tensor,
        lengths: Tensor,
        given: Optional[Entities] = None,
        limits: Limits = NO_LIMITS,
    ) -> Candidates:
        encoded = self.encoder(vectors, lengths)
        if given is None:
            entities, scores = self.find_entities(encoded, lengths)
        else:
            entities, scores = given, vectors.new_ones(len(given.label))
        pairs = PairChunks(entities, limits.max_distance)
        make_pairs = self.pairs_of(encoded, entities, many=pairs.n_parts > 1)

        def score(i: Tensor, j: Tensor) -> Tensor:
            return self.relation_probabilities(make_pairs(i, j))

        found = score_pairs(score, pairs, self.n_relation_labels, limits)
        return Candidates(entities, scores, *found)

    # Entities

    def entity_losses(
        self, encoded: EncodedTokens, lengths: Tensor, targets: Targets
    ) -> Dict[str, Tensor]:
        """RETURNS (Dict[str, Tensor]): L_s, over gold and sampled spans; nothing without spans."""
        spans, labels = sample_spans(
            lengths,
            targets,
            max_width=self.max_span_width,
            n_negatives=self.negative_entities,
            hard_negatives=self.hard_negatives,
        )
        if not len(labels):
            return {}
        return self.span_losses(self.classify(encoded, spans), spans, labels, targets)

    def span_losses(
        self, classify: Classify, spans: Spans, labels: Tensor, targets: Targets
    ) -> Dict[str, Tensor]:
        """labels: 0 for none or 1 + the index of the label, [n_spans]."""
        return {"ner": F.cross_entropy(self.span_logits(classify), labels)}

    def find_entities(self, encoded: EncodedTokens, lengths: Tensor) -> Tuple[Entities, Tensor]:
        """RETURNS (Tuple[Entities, Tensor]): The entities; their probabilities, [n_entities]."""
        parts = []
        for tokens, spans in span_chunks(lengths, self.max_span_width):
            # Counted from the first of the part's tokens
            here = spans._replace(start=spans.start - tokens.start, end=spans.end - tokens.start)
            part = encoded._replace(entities=encoded.entities[tokens])
            parts.append(classified(spans, self.span_probabilities(self.classify(part, here))))
        entities, scores = zip(*parts)
        return Entities(*(torch.cat(x) for x in zip(*entities))), torch.cat(scores)

    def span_logits(self, classify: Classify) -> Tensor:
        """W_s x_s + b_s (equation 1).

        RETURNS (Tensor): [n_spans, 1 + n_entity_labels]; the first is "none".
        """
        return classify(self.entity_classifier)

    def span_probabilities(self, classify: Classify) -> Tensor:
        """RETURNS (Tensor): [n_spans, 1 + n_entity_labels]; the first is "none"."""
        return torch.softmax(self.span_logits(classify), 1)

    def classify(self, encoded: EncodedTokens, spans: Spans) -> Classify:
        """RETURNS (Classify): Applies classifiers to x_s, which is made at most once.

        In prediction x_s is not made at all where there are more spans than tokens.
        """
        if not self.training and len(spans.start) > len(encoded.entities):
            return partial(self.encoder.classify, encoded, spans)
        x_s = self.dropout(self.encoder.spans(encoded, spans))

        def apply(classifier: nn.Module, *others: Tensor) -> Tensor:
            return cast(Tensor, classifier(torch.cat([x_s, *others], 1) if others else x_s))

        return apply

    # Relations

    def relation_losses(
        self, encoded: EncodedTokens, targets: Targets, limits: Limits
    ) -> Dict[str, Tensor]:
        """RETURNS (Dict[str, Tensor]): L_r, over related and sampled pairs; 0 without pairs."""
        heads, tails, truth = sample_pairs(
            targets,
            n_labels=self.n_relation_labels,
            n_negatives=self.negative_relations,
            max_distance=limits.max_distance,
        )
        if not len(heads):
            return {"re": encoded.context.new_zeros(())}
        x_r = self.pairs_of(encoded, targets.entities)(heads, tails)
        return self.pair_losses(x_r, truth)

    def pair_losses(self, x_r: Tensor, truth: Tensor) -> Dict[str, Tensor]:
        """truth: Which labels hold, [n_pairs, n_relation_labels], bool."""
        logits = self.relation_classifier(x_r)
        loss = F.binary_cross_entropy_with_logits(logits, truth.to(logits.dtype))
        return {"re": self.re_loss_weight * loss}

    def relation_probabilities(self, x_r: Tensor) -> Tensor:
        """σ(W_r x_r + b_r) (equation 3). RETURNS: [n_pairs, n_relation_labels]."""
        return torch.sigmoid(self.relation_classifier(x_r))

    def pairs_of(self, encoded: EncodedTokens, entities: Entities, many: bool = False) -> MakePairs:
        """many (bool): Whether pairs come in many parts, in prediction.
        RETURNS (MakePairs): Makes x_r; what belongs to single entities is computed once."""
        shared = (self.encoder.pair_parts(encoded, entities),) if many else ()

        def make_pairs(heads: Tensor, tails: Tensor) -> Tensor:
            x_r: Tensor = self.dropout(self.encoder.pairs(encoded, entities, heads, tails, *shared))
            return x_r

        return make_pairs
