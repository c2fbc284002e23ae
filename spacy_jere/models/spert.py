"""SpERT: span-based joint entity and relation extraction.

M. Eberts and A. Ulges, "Span-based Joint Entity and Relation Extraction with Transformer Pre-training", ECAI 2020,
arXiv 1909.07755.

Every span of up to some width is classified as an entity label or none; every ordered pair of the entities is
classified from the two spans and the text between them. Both learn from strong negatives of the same sentence.
"""

from typing import Any, Dict, List, Optional, Tuple

import torch
from spacy.tokens import Doc
from thinc.api import Model
from thinc.types import Floats2d
from torch import Tensor
from torch.nn import functional as F

from .joint import Candidates, Entities, JointHead, JointModel, Targets, build_joint_model
from .layers.birnn import Cell
from .layers.classifier import expect_none, make_classifier, split_first
from .layers.pair_scores import ordered_pairs, score_in_chunks
from .layers.span_encoder import EncodedTokens, SpanEncoder, check_span_settings
from .layers.span_sampling import sample_pairs, sample_spans
from .layers.spans import Spans, all_spans, classified
from .shim import Dropout


def build_spert_v1(
    tok2vec: Model[List[Doc], List[Floats2d]],
    max_span_width: int = 10,
    width_embedding: int = 25,
    negative_entities: int = 100,
    negative_relations: int = 100,
    dropout: Optional[float] = 0.1,
    classifier_hidden: Optional[int] = None,
    cell: Cell = "gru",
    hidden: int = 200,
    shared_layers: int = 0,
    ner_layers: int = 0,
    re_layers: int = 0,
    birnn_dropout: Optional[float] = 0.35,
    token_dropout: Optional[float] = 0.0,
    keep_tokens: bool = True,
    span_ends: bool = False,
    re_loss_weight: float = 1.0,
    bfloat16: bool = False,
) -> JointModel:
    """Build the model. The defaults are the published settings.

    tok2vec (Model[List[Doc], List[Floats2d]]): Token vectors. Exactly the paper's over
        `spacy-jere.TransformerListener.v1` with pooling `reduce_max.v1` and `context = true`.
    max_span_width (int): The widest span that can be an entity, in tokens.
    width_embedding (int): Width of the embedding of a span's width.
    negative_entities, negative_relations (int): Random spans and pairs of each window to learn "none" from, at most.
    dropout (Optional[float]): Rate before the two classifiers. null follows the dropout of [training].
    classifier_hidden (Optional[int]): Units of a hidden layer in both classifiers (not in the paper). null has none.
    cell, hidden, shared_layers, ner_layers, re_layers, birnn_dropout: BiRNN layers over the token vectors, for both
        tasks and for each (not in the paper); none by default.
    token_dropout (Optional[float]): Rate at which these layers see whole tokens hidden in training.
    keep_tokens (bool): Put the token vectors beside what these layers make of them.
    span_ends (bool): Put the vectors of an entity's first and last token beside the maximum over it (not in the paper).
    re_loss_weight (float): Factor on the loss of relations.
    bfloat16 (bool): Compute in bfloat16 where that is safe (autocast).
    RAISES (ValueError): A setting out of its range.
    """
    settings = {
        "max_span_width": max_span_width,
        "width_embedding": width_embedding,
        "negative_entities": negative_entities,
        "negative_relations": negative_relations,
        "dropout": dropout,
        "classifier_hidden": classifier_hidden,
        "cell": cell,
        "hidden": hidden,
        "shared_layers": shared_layers,
        "ner_layers": ner_layers,
        "re_layers": re_layers,
        "birnn_dropout": birnn_dropout,
        "token_dropout": token_dropout,
        "keep_tokens": keep_tokens,
        "span_ends": span_ends,
        "re_loss_weight": re_loss_weight,
    }
    check_span_settings(settings)
    return build_joint_model(tok2vec, SpERT, settings, bfloat16=bfloat16)


class SpERT(JointHead):
    """The torch module. Arguments as for the architecture.

    width (int): Width of the token vectors.
    context_width (int): How many of their first features are the vector of the sequence, if it comes along.
    n_widths (int): Rows of the table of width embeddings; wider spans share the last.
    """

    reads_context = True

    def __init__(
        self,
        *,
        width: int,
        context_width: int,
        n_entity_labels: int,
        n_relation_labels: int,
        max_span_width: int,
        width_embedding: int,
        negative_entities: int,
        negative_relations: int,
        dropout: Optional[float],
        classifier_hidden: Optional[int],
        re_loss_weight: float,
        n_widths: int = 100,
        **encoder: Any,
    ):
        super().__init__()
        self.max_span_width = max_span_width
        self.negative_entities = negative_entities
        self.negative_relations = negative_relations
        self.re_loss_weight = re_loss_weight
        self.n_relation_labels = n_relation_labels
        self.dropout = Dropout(dropout)
        self.encoder = SpanEncoder(
            width=width,
            context_width=context_width,
            n_widths=n_widths,
            width_embedding=width_embedding,
            **encoder,
        )
        self.entity_classifier = make_classifier(
            self.encoder.span_width, n_entity_labels + 1, classifier_hidden, dropout
        )
        expect_none(self.entity_classifier)
        if n_relation_labels:
            self.relation_classifier = make_classifier(
                self.encoder.pair_width, n_relation_labels, classifier_hidden, dropout
            )

    def losses(self, vectors: Tensor, lengths: Tensor, targets: Targets) -> Dict[str, Tensor]:
        """L = L_s + L_r (equation 5)."""
        encoded = self.encoder(vectors, lengths)
        losses: Dict[str, Tensor] = {}
        gold = Spans(*targets.entities[:3])
        spans, labels = sample_spans(
            lengths,
            gold,
            targets.entities.label,
            targets.known,
            max_width=self.max_span_width,
            n_negatives=self.negative_entities,
        )
        if len(labels):
            losses["ner"] = F.cross_entropy(self.span_logits(encoded, spans), labels)
        if self.n_relation_labels:
            heads, tails, truth = sample_pairs(
                gold,
                targets.relations,
                targets.symmetric,
                targets.relations_known,
                n_labels=self.n_relation_labels,
                n_negatives=self.negative_relations,
            )
            losses["re"] = vectors.new_zeros(())
            if len(heads):
                logits = self.pair_logits(encoded, targets.entities, heads, tails)
                loss = F.binary_cross_entropy_with_logits(logits, truth.to(logits.dtype))
                losses["re"] = self.re_loss_weight * loss
        return losses

    def candidates(
        self, vectors: Tensor, lengths: Tensor, given: Optional[Entities] = None
    ) -> Candidates:
        encoded = self.encoder(vectors, lengths)
        if given is None:
            entities, scores = self._find_entities(encoded, lengths)
        else:
            entities, scores = given, vectors.new_ones(len(given.label))
        heads, tails = ordered_pairs(entities.window)

        def score(i: Tensor, j: Tensor) -> Tensor:
            return torch.sigmoid(self.pair_logits(encoded, entities, i, j))

        probabilities = score_in_chunks(score, heads, tails, self.n_relation_labels)
        return Candidates(entities, scores, heads, tails, probabilities)

    def span_logits(self, encoded: EncodedTokens, spans: Spans) -> Tensor:
        """W_s x_s + b_s (equation 1). RETURNS: [n_spans, 1 + n_entity_labels]; the first is "none"."""
        logits: Tensor
        if self.training:
            logits = self.entity_classifier(self.dropout(self.encoder.spans(encoded, *spans)))
        else:
            first, others = split_first(self.entity_classifier)
            logits = others(self.encoder.linear_of_spans(first, encoded, spans))
        return logits

    def pair_logits(
        self, encoded: EncodedTokens, entities: Entities, heads: Tensor, tails: Tensor
    ) -> Tensor:
        """W_r x_r + b_r (equation 3). RETURNS: [n_pairs, n_relation_labels]."""
        x_r = self.encoder.pairs(encoded, entities.start, entities.end, heads, tails)
        logits: Tensor = self.relation_classifier(self.dropout(x_r))
        return logits

    def _find_entities(self, encoded: EncodedTokens, lengths: Tensor) -> Tuple[Entities, Tensor]:
        spans = all_spans(lengths, self.max_span_width)
        probabilities = torch.softmax(self.span_logits(encoded, spans), 1)
        found, label, scores = classified(spans, probabilities)
        return Entities(*found, label), scores
