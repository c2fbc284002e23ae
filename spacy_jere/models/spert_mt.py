"""SpERT.MT: SpERT with auxiliary tasks against the flood of negatives.

Y. Xue and H. Lu, "Span-based joint entity and relation extraction with multi-task learning" (SpERT.MT), 2023, arXiv
2309.09713. A reconstruction from what its abstract says; docs/spert_mt.md tells part by part what is ours.

1. The entity classifier's logits of the two spans join the representation of a pair.
2. Two binary tasks share the representations: is a span an entity at all, are two entities related at all.
3. Span boundaries through intersection over union: how well a span overlaps with an entity is learned by regression, and
   the entity classifier is told.

And one part that is not theirs: the tags of Crone 2020 (arXiv 2002.06424) as a fourth task, which then decides what is an entity.
"""

from typing import Any, Dict, List, Literal, Optional, Tuple

import torch
from spacy.tokens import Doc
from thinc.api import Model
from thinc.types import Floats2d
from torch import Tensor, nn
from torch.nn import functional as F

from .joint import Candidates, Entities, JointHead, JointModel, Targets, build_joint_model
from .layers.birnn import Cell
from .layers.classifier import expect_none, make_classifier
from .layers.pair_scores import ordered_pairs, score_in_chunks
from .layers.settings import require_at_least, require_choice
from .layers.span_encoder import EncodedTokens, SpanEncoder, check_span_settings
from .layers.span_sampling import sample_pairs, sample_spans
from .layers.spans import Spans, all_spans, best_overlap, classified
from .layers.tagging import EntityTagger, find_tagged
from .shim import Dropout

IouLoss = Literal["smooth_l1", "bce"]


def build_spert_mt_v1(
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
    entity_logits: bool = False,
    detach_logits: bool = False,
    is_entity_weight: float = 0.0,
    is_related_weight: float = 0.0,
    multiply: bool = False,
    iou_weight: float = 1.0,
    iou_loss: IouLoss = "smooth_l1",
    near_misses: bool = True,
    tag_weight: float = 0.0,
) -> JointModel:
    """Build the model. The settings up to `bfloat16` are those of `spacy-jere.SpERT.v1`. By default part 3 alone is
    on, which did best on the development sets of CoNLL04 and SciERC together, over a frozen transformer (docs/spert_mt.md).

    entity_logits (bool): Part 1, x_r' = x_r ∘ z_1 ∘ z_2.
    detach_logits (bool): Keep the loss of relations from changing the logits.
    is_entity_weight, is_related_weight (float): Part 2, the weights a and b of the binary tasks; 0 leaves one out.
    multiply (bool): In prediction, multiply the probability of a label by that of the binary task.
    iou_weight (float): Part 3, the weight c; 0 leaves it out.
    iou_loss (str): "smooth_l1" or "bce" (binary cross-entropy).
    near_misses (bool): Draw up to half of the negative spans from those whose IoU with an entity is at least 0.5.
    tag_weight (float): Not in the paper: the weight d of BILUO tags with a CRF, learned beside the spans. In prediction the
        entities are those of the best tags, so that none overlap, and spans are classified for relations only. 0 leaves it
        out. Small weights do best (0.05, docs/spert_mt.md): this loss is of windows, and the others are of spans and pairs.
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
        "entity_logits": entity_logits,
        "detach_logits": detach_logits,
        "is_entity_weight": is_entity_weight,
        "is_related_weight": is_related_weight,
        "multiply": multiply,
        "iou_weight": iou_weight,
        "iou_loss": iou_loss,
        "near_misses": near_misses,
        "tag_weight": tag_weight,
    }
    check_span_settings(settings)
    require_choice(settings, "iou_loss", ("smooth_l1", "bce"))
    require_at_least(
        settings, 0, "is_entity_weight", "is_related_weight", "iou_weight", "tag_weight"
    )
    return build_joint_model(tok2vec, SpERTMT, settings, bfloat16=bfloat16)


class SpERTMT(JointHead):
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
        entity_logits: bool,
        detach_logits: bool,
        is_entity_weight: float,
        is_related_weight: float,
        multiply: bool,
        iou_weight: float,
        iou_loss: IouLoss,
        near_misses: bool,
        tag_weight: float,
        n_widths: int = 100,
        **encoder: Any,
    ):
        super().__init__()
        self.n_relation_labels = n_relation_labels
        self.max_span_width = max_span_width
        self.negative_entities = negative_entities
        self.negative_relations = negative_relations
        self.detach_logits = detach_logits
        self.multiply = multiply
        self.iou_loss = iou_loss
        self.near_misses = near_misses
        self.weights = {
            "re": re_loss_weight,
            "is_entity": is_entity_weight,
            "is_related": is_related_weight,
            "iou": iou_weight,
            "tags": tag_weight,
        }
        self.dropout = Dropout(dropout)
        self.encoder = SpanEncoder(
            width=width,
            context_width=context_width,
            n_widths=n_widths,
            width_embedding=width_embedding,
            **encoder,
        )

        def classifier(width: int, n_labels: int) -> nn.Module:
            return make_classifier(width, n_labels, classifier_hidden, dropout)

        span_width = self.encoder.span_width
        self.is_entity = classifier(span_width, 1) if is_entity_weight else None
        self.iou = classifier(span_width, 1) if iou_weight else None
        self.entity_classifier = classifier(span_width + bool(iou_weight), n_entity_labels + 1)
        expect_none(self.entity_classifier)
        self.tagger = (
            EntityTagger(self.encoder.token_width, n_entity_labels) if tag_weight else None
        )
        self.entity_logits = entity_logits
        if n_relation_labels:
            pair_width = self.encoder.pair_width + 2 * (n_entity_labels + 1) * entity_logits
            self.relation_classifier = classifier(pair_width, n_relation_labels)
            self.is_related = classifier(pair_width, 1) if is_related_weight else None

    def losses(self, vectors: Tensor, lengths: Tensor, targets: Targets) -> Dict[str, Tensor]:
        """L = L_entity + L_relation + a L_is-entity + b L_is-related + c L_iou + d L_tags."""
        encoded = self.encoder(vectors, lengths)
        losses = self._entity_losses(encoded, lengths, targets)
        if self.tagger is not None:
            flat = targets.flat_entities()
            emissions = self.tagger(encoded.entities)
            tag_loss = self.tagger.loss(
                emissions, lengths, flat.start, flat.end, flat.label, targets.known
            )
            if tag_loss is not None:
                losses["tags"] = tag_loss
        if self.n_relation_labels:
            losses.update(self._relation_losses(encoded, targets))
        return {task: self.weights.get(task, 1.0) * loss for task, loss in losses.items()}

    def candidates(
        self, vectors: Tensor, lengths: Tensor, given: Optional[Entities] = None
    ) -> Candidates:
        encoded = self.encoder(vectors, lengths)
        if given is None:
            entities, scores = self._find_entities(encoded, lengths)
        else:
            entities, scores = given, vectors.new_ones(len(given.label))
        heads, tails = ordered_pairs(entities.window)
        z = self._entity_logits(encoded, entities)

        def score(i: Tensor, j: Tensor) -> Tensor:
            x_r = self._pairs(encoded, entities, z, i, j)
            probabilities = torch.sigmoid(self.relation_classifier(x_r))
            if self.multiply and self.is_related is not None:
                probabilities = probabilities * torch.sigmoid(self.is_related(x_r))
            return probabilities

        probabilities = score_in_chunks(score, heads, tails, self.n_relation_labels)
        return Candidates(entities, scores, heads, tails, probabilities)

    def _entity_losses(
        self, encoded: EncodedTokens, lengths: Tensor, targets: Targets
    ) -> Dict[str, Tensor]:
        gold = Spans(*targets.entities[:3])
        spans, labels = sample_spans(
            lengths,
            gold,
            targets.entities.label,
            targets.known,
            max_width=self.max_span_width,
            n_negatives=self.negative_entities,
            prefer_near_misses=self.near_misses,
        )
        if not len(labels):
            return {}
        x_s = self._spans(encoded, spans)
        losses = {}
        if self.is_entity is not None:
            logits = self.is_entity(x_s)[:, 0]
            truth = (labels > 0).to(logits.dtype)
            losses["is_entity"] = F.binary_cross_entropy_with_logits(logits, truth)
        iou_logits = self.iou(x_s)[:, 0] if self.iou is not None else None
        if iou_logits is not None:
            losses["iou"] = self._iou_loss(iou_logits, best_overlap(spans, gold))
        losses["ner"] = F.cross_entropy(self._label_logits(x_s, iou_logits), labels)
        return losses

    def _iou_loss(self, logits: Tensor, q: Tensor) -> Tensor:
        """q: [n_spans], from 0 to 1."""
        if self.iou_loss == "bce":
            return F.binary_cross_entropy_with_logits(logits, q.to(logits.dtype))
        return F.smooth_l1_loss(torch.sigmoid(logits), q.to(logits.dtype))

    def _relation_losses(self, encoded: EncodedTokens, targets: Targets) -> Dict[str, Tensor]:
        entities = targets.entities
        heads, tails, truth = sample_pairs(
            Spans(*entities[:3]),
            targets.relations,
            targets.symmetric,
            targets.relations_known,
            n_labels=self.n_relation_labels,
            n_negatives=self.negative_relations,
        )
        if not len(heads):
            return {"re": encoded.context.new_zeros(())}
        z = self._entity_logits(encoded, entities)
        x_r = self._pairs(encoded, entities, z, heads, tails)
        logits = self.relation_classifier(x_r)
        losses = {"re": F.binary_cross_entropy_with_logits(logits, truth.to(logits.dtype))}
        if self.is_related is not None:
            logits = self.is_related(x_r)[:, 0]
            related = truth.any(1).to(logits.dtype)
            losses["is_related"] = F.binary_cross_entropy_with_logits(logits, related)
        return losses

    def _find_entities(self, encoded: EncodedTokens, lengths: Tensor) -> Tuple[Entities, Tensor]:
        if self.tagger is not None:
            emissions = self.tagger(encoded.entities)
            *tagged, probabilities = find_tagged(self.tagger.crf, emissions, lengths)
            return Entities(*tagged), probabilities
        spans = all_spans(lengths, self.max_span_width)
        x_s = self._spans(encoded, spans)
        iou_logits = self.iou(x_s)[:, 0] if self.iou is not None else None
        probabilities = torch.softmax(self._label_logits(x_s, iou_logits), 1)
        if self.multiply and self.is_entity is not None:
            is_entity = torch.sigmoid(self.is_entity(x_s))
            none = probabilities[:, :1]
            probabilities = torch.cat([none, probabilities[:, 1:] * is_entity], 1)
        found, label, scores = classified(spans, probabilities)
        return Entities(*found, label), scores

    def _spans(self, encoded: EncodedTokens, spans: Spans) -> Tensor:
        """RETURNS: x_s, [n_spans, span_width]."""
        x_s: Tensor = self.dropout(self.encoder.spans(encoded, *spans))
        return x_s

    def _label_logits(self, x_s: Tensor, iou_logits: Optional[Tensor]) -> Tensor:
        """z, from x_s and what the regression says of the span. RETURNS: [n_spans, 1 + n_entity_labels]."""
        if iou_logits is not None:
            x_s = torch.cat([x_s, torch.sigmoid(iou_logits).unsqueeze(1).to(x_s.dtype)], 1)
        logits: Tensor = self.entity_classifier(x_s)
        return logits

    def _entity_logits(self, encoded: EncodedTokens, entities: Entities) -> Optional[Tensor]:
        """RETURNS: z of each entity, [n_entities, 1 + n_entity_labels]; None where it is not asked for."""
        if not self.entity_logits or not self.n_relation_labels:
            return None
        x_s = self._spans(encoded, Spans(*entities[:3]))
        z = self._label_logits(x_s, self.iou(x_s)[:, 0] if self.iou is not None else None)
        return z.detach() if self.detach_logits else z

    def _pairs(
        self, encoded: EncodedTokens, entities: Entities, z: Optional[Tensor], i: Tensor, j: Tensor
    ) -> Tensor:
        """x_r' = x_r ∘ z_i ∘ z_j. RETURNS: [n_pairs, pair_width]."""
        x_r = self.dropout(self.encoder.pairs(encoded, entities.start, entities.end, i, j))
        if z is None:
            return x_r
        return torch.cat([x_r, z[i].to(x_r.dtype), z[j].to(x_r.dtype)], 1)
