"""SpERT.MT: SpERT with auxiliary tasks, to counter the many negatives among spans and pairs.

C. Xue and J. Lu, "Dealing with negative samples with multi-task learning on span-based joint
entity-relation extraction", 2023, arXiv 2309.09713. A reconstruction from what its abstract says;
docs/models/spert_mt.md tells part by part what is ours.

1. The entity classifier's logits of the two spans join the representation of a pair.
2. Two binary tasks share the representations: is a span an entity at all, are two entities related
   at all.
3. Span boundaries through intersection over union: how well a span overlaps with an entity is
   learned by regression, and the entity classifier is told.

And one part that is not theirs: the tags of Crone 2020 (arXiv 2002.06424) as a fourth task, which
then decides what is an entity.
"""

from typing import Any, Dict, List, Literal, Optional, Tuple

import torch
from spacy.tokens import Doc
from thinc.api import Model
from thinc.types import Floats2d
from torch import Tensor
from torch.nn import functional as F

from .joint import JointModel, build_joint_model
from .layers.settings import Part, require_at_least
from .layers.span_encoder import EncodedTokens
from .layers.spans import best_overlap
from .layers.tagging import EntityTagger, find_tagged
from .spert import Classify, MakePairs, SpERT
from .types import NO_LIMITS, Entities, Limits, Spans, Targets

IouLoss = Literal["smooth_l1", "bce"]


def build_spert_mt_v1(
    tok2vec: Model[List[Doc], List[Floats2d]],
    spans: Part,
    birnn: Optional[Part] = None,
    re_loss_weight: float = 1.0,
    bfloat16: bool = False,
    entity_logits: bool = False,
    detach_logits: bool = False,
    is_entity_weight: float = 0.0,
    is_related_weight: float = 0.0,
    multiply_probabilities: bool = False,
    iou_weight: float = 1.0,
    iou_loss: IouLoss = "smooth_l1",
    hard_negatives: bool = True,
    tag_weight: float = 0.0,
) -> JointModel:
    """Build the model. By default part 3 alone is on (docs/models/spert_mt.md says why).

    tok2vec, spans, birnn, re_loss_weight, bfloat16: As for `spacy-jere.SpERT.v1`.
    entity_logits (bool): Part 1, x_r' = x_r ∘ z_1 ∘ z_2.
    detach_logits (bool): Keep the loss of relations from changing the logits.
    is_entity_weight, is_related_weight (float): Part 2, the weights a and b of the binary tasks; 0
        leaves a task out.
    multiply_probabilities (bool): In prediction, multiply the probability of a label by the
        probability of the binary task.
    iou_weight (float): Part 3, the weight c; 0 leaves it out.
    iou_loss (str): "smooth_l1" or "bce" (binary cross-entropy).
    hard_negatives (bool): Draw up to half of the negative spans from those whose IoU with an entity
        is at least 0.5.
    tag_weight (float): Not in the paper: the weight d of BILUO tags with a CRF, learned beside the
        spans. In prediction the entities are those of the best tags, so that none overlap, and
        spans are classified for relations only. 0 leaves it out. Small weights do best
        (docs/ablations.md): this loss is a mean over windows, the others over spans and pairs.
    RAISES (ValueError): A setting out of its range.
    """
    settings = {
        "spans": spans,
        "birnn": birnn,
        "re_loss_weight": re_loss_weight,
        "entity_logits": entity_logits,
        "detach_logits": detach_logits,
        "is_entity_weight": is_entity_weight,
        "is_related_weight": is_related_weight,
        "multiply_probabilities": multiply_probabilities,
        "iou_weight": iou_weight,
        "iou_loss": iou_loss,
        "hard_negatives": hard_negatives,
        "tag_weight": tag_weight,
    }
    weights = (name for name in settings if name.endswith("_weight"))
    require_at_least(settings, 0, *weights)
    return build_joint_model(tok2vec, SpERTMT, settings, bfloat16=bfloat16)


class SpERTMT(SpERT):
    """What SpERT.MT adds to SpERT. Arguments as for the architecture, the others as for `SpERT`."""

    def __init__(
        self,
        *,
        n_entity_labels: int,
        n_relation_labels: int,
        entity_logits: bool,
        detach_logits: bool,
        is_entity_weight: float,
        is_related_weight: float,
        multiply_probabilities: bool,
        iou_weight: float,
        iou_loss: IouLoss,
        hard_negatives: bool,
        tag_weight: float,
        **spert: Any,
    ):
        super().__init__(
            n_entity_labels=n_entity_labels,
            n_relation_labels=n_relation_labels,
            more_of_span=1 if iou_weight else 0,
            more_of_pair=2 * (1 + n_entity_labels) if entity_logits else 0,
            **spert,
        )
        self.entity_logits = entity_logits
        self.detach_logits = detach_logits
        self.multiply_probabilities = multiply_probabilities
        self.iou_loss = iou_loss
        self.hard_negatives = hard_negatives
        self.weights = {
            "is_entity": is_entity_weight,
            "is_related": is_related_weight,
            "iou": iou_weight,
            "tags": tag_weight,
        }
        width = self.encoder.span_width
        self.is_entity = self.make_classifier(width, 1) if is_entity_weight else None
        self.iou = self.make_classifier(width, 1) if iou_weight else None
        self.tagger = (
            EntityTagger(self.encoder.token_width, n_entity_labels) if tag_weight else None
        )
        related = is_related_weight and n_relation_labels
        self.is_related = self.make_classifier(self.pair_width, 1) if related else None

    def losses(
        self, vectors: Tensor, lengths: Tensor, targets: Targets, limits: Limits = NO_LIMITS
    ) -> Dict[str, Tensor]:
        """L = L_entity + L_relation + a L_is-entity + b L_is-related + c L_iou + d L_tags."""
        losses = super().losses(vectors, lengths, targets, limits)
        return {task: self.weights.get(task, 1.0) * loss for task, loss in losses.items()}

    # Part 1

    def pairs_of(self, encoded: EncodedTokens, entities: Entities, many: bool = False) -> MakePairs:
        """x_r' = x_r ∘ z_i ∘ z_j."""
        make_pairs = super().pairs_of(encoded, entities, many)
        if not self.entity_logits:
            return make_pairs
        z = self.span_logits(self.classify(encoded, entities.spans))
        z = z.detach() if self.detach_logits else z

        def make_pairs_with_logits(i: Tensor, j: Tensor) -> Tensor:
            x_r = make_pairs(i, j)
            return torch.cat([x_r, z[i].to(x_r.dtype), z[j].to(x_r.dtype)], 1)

        return make_pairs_with_logits

    # Parts 2 and 3

    def span_losses(
        self, classify: Classify, spans: Spans, labels: Tensor, targets: Targets
    ) -> Dict[str, Tensor]:
        losses = {}
        if self.is_entity is not None:
            losses["is_entity"] = _binary_loss(classify(self.is_entity), labels > 0)
        iou_logits = classify(self.iou) if self.iou is not None else None
        if iou_logits is not None:
            q = best_overlap(spans, targets.entities.spans)
            losses["iou"] = self._iou_loss(iou_logits[:, 0], q)
        logits = self.span_logits(classify, iou_logits)
        return {**losses, "ner": F.cross_entropy(logits, labels)}

    def span_logits(self, classify: Classify, iou_logits: Optional[Tensor] = None) -> Tensor:
        """z, from x_s and what the regression says of the span.

        iou_logits: [n_spans, 1], where they are known already.
        RETURNS (Tensor): [n_spans, 1 + n_entity_labels].
        """
        if self.iou is None:
            return super().span_logits(classify)
        if iou_logits is None:
            iou_logits = classify(self.iou)
        return classify(self.entity_classifier, torch.sigmoid(iou_logits))

    def span_probabilities(self, classify: Classify) -> Tensor:
        probabilities = super().span_probabilities(classify)
        if self.multiply_probabilities and self.is_entity is not None:
            is_entity = torch.sigmoid(classify(self.is_entity))
            none, labels = probabilities.tensor_split([1], dim=1)
            probabilities = torch.cat([none, labels * is_entity], 1)
        return probabilities

    def pair_losses(self, x_r: Tensor, truth: Tensor) -> Dict[str, Tensor]:
        losses = super().pair_losses(x_r, truth)
        if self.is_related is not None:
            losses["is_related"] = _binary_loss(self.is_related(x_r), truth.any(1))
        return losses

    def relation_probabilities(self, x_r: Tensor) -> Tensor:
        probabilities = super().relation_probabilities(x_r)
        if self.multiply_probabilities and self.is_related is not None:
            probabilities = probabilities * torch.sigmoid(self.is_related(x_r))
        return probabilities

    def _iou_loss(self, logits: Tensor, q: Tensor) -> Tensor:
        """q: [n_spans], from 0 to 1."""
        if self.iou_loss == "bce":
            return F.binary_cross_entropy_with_logits(logits, q.to(logits.dtype))
        return F.smooth_l1_loss(torch.sigmoid(logits), q.to(logits.dtype))

    # Tags

    def entity_losses(
        self, encoded: EncodedTokens, lengths: Tensor, targets: Targets
    ) -> Dict[str, Tensor]:
        losses = super().entity_losses(encoded, lengths, targets)
        if self.tagger is not None:
            emissions = self.tagger(encoded.entities)
            loss = self.tagger.loss(emissions, lengths, targets.flat_entities, targets.known)
            if loss is not None:
                losses["tags"] = loss
        return losses

    def find_entities(self, encoded: EncodedTokens, lengths: Tensor) -> Tuple[Entities, Tensor]:
        if self.tagger is None:
            return super().find_entities(encoded, lengths)
        return find_tagged(self.tagger.crf, self.tagger(encoded.entities), lengths)


def _binary_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """logits: [n, 1]; truth: [n], bool."""
    return F.binary_cross_entropy_with_logits(logits[:, 0], truth.to(logits.dtype))
