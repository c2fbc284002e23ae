"""Deeper task-specificity for joint entity and relation extraction.

P. Crone, "Deeper Task-Specificity Improves Joint Entity and Relation Extraction", arXiv 2002.06424.

Token features v_i pass through shared BiRNN layers and then through two separate stacks, one for
entities and one for relations. Entities are BIO (or BILUO) tags scored by a linear-chain CRF.
Relations are scored for every ordered pair of entities from the last token of each and from the
entities' labels.
"""

from functools import partial
from typing import Any, Dict, List, Optional, cast

import torch
from spacy.tokens import Doc
from thinc.api import Model
from thinc.types import Floats2d
from torch import Tensor, nn
from torch.nn import functional as F

from .joint import JointHead, JointModel, build_joint_model
from .kernels.range_maximum import range_maximum
from .layers.crf import EntityCRF, TagScheme
from .layers.pair_scores import (
    DistMult,
    PairChunks,
    Score,
    both_directions,
    mean_over_pairs,
    related_pairs,
    score_pairs,
)
from .layers.range_table import Maxima, RangeTable
from .layers.settings import Part, require_at_least, require_rate
from .layers.tagging import Activation, EntityTagger, find_tagged
from .layers.task_birnn import SharedStates, TaskBiRNN
from .shim import Dropout
from .types import NO_LIMITS, Candidates, Entities, Limits, Targets

_DISTANCES = 7
_DISTANCE_WIDTH = 16


def build_task_specific_birnn_v1(
    tok2vec: Model[List[Doc], List[Floats2d]],
    birnn: Optional[Part],
    ner_hidden: int = 128,
    ner_activation: Activation = "tanh",
    tag_scheme: TagScheme = "bio",
    re_hidden: int = 128,
    label_width: int = 25,
    pair_context: Optional[int] = None,
    pair_dropout: Optional[float] = 0.5,
    re_loss_weight: float = 5.0,
    ensemble_size: int = 1,
) -> JointModel:
    """Build the model. The defaults are the published settings for CoNLL04 (Table 1).

    tok2vec (Model[List[Doc], List[Floats2d]]): Token vectors, such as
        `spacy-jere.TokenFeatures.v1`.
    birnn (Optional[Part]): `spacy-jere.TaskBiRNN.v1`. null for no layers at all.
    ner_hidden, ner_activation: FFNN(e1): its units and "tanh", "relu" or "gelu".
    tag_scheme (str): "bio", or "biluo" (not in the paper), whose tags also say where an entity
        ends.
    re_hidden (int): Units of FFNN(r1).
    label_width (int): Width of an entity label's embedding.
    pair_context (Optional[int]): Units of a layer over the text between two entities and their
        distance, which joins the scores of a pair (not in the paper). null leaves it out.
    pair_dropout (Optional[float]): Rate before relations are scored. null follows the dropout of
        [training].
    re_loss_weight (float): λ in L = L_NER + λ L_RE.
    ensemble_size (int): Networks over the same token vectors. Each learns for itself, and their
        scores are averaged (Lakshminarayanan et al. 2017, arXiv 1612.01474; not in the paper).
    RAISES (ValueError): A setting out of its range.
    """
    settings = {
        "birnn": birnn,
        "ner_hidden": ner_hidden,
        "ner_activation": ner_activation,
        "tag_scheme": tag_scheme,
        "re_hidden": re_hidden,
        "label_width": label_width,
        "pair_context": pair_context,
        "pair_dropout": pair_dropout,
        "re_loss_weight": re_loss_weight,
        "ensemble_size": ensemble_size,
    }
    require_at_least(
        settings, 1, "ner_hidden", "re_hidden", "label_width", "pair_context", "ensemble_size"
    )
    require_at_least(settings, 0, "re_loss_weight")
    require_rate(settings, "pair_dropout")
    return build_joint_model(tok2vec, TaskSpecificBiRNN, settings)


class TaskSpecificBiRNN(JointHead):
    """The torch module: one network, or an ensemble. The losses of its networks are added, so that
    each learns as it would alone; in prediction their scores are averaged.

    ensemble_size (int): How many networks. Other settings as for `Network`.
    """

    def __init__(self, *, ensemble_size: int, **settings: Any):
        super().__init__()
        self.networks = nn.ModuleList(Network(**settings) for _ in range(ensemble_size))

    def losses(
        self, vectors: Tensor, lengths: Tensor, targets: Targets, limits: Limits = NO_LIMITS
    ) -> Dict[str, Tensor]:
        each = [network.losses(vectors, lengths, targets, limits) for network in self._networks()]
        return {task: torch.stack([losses[task] for losses in each]).sum() for task in each[0]}

    def candidates(
        self,
        vectors: Tensor,
        lengths: Tensor,
        given: Optional[Entities] = None,
        limits: Limits = NO_LIMITS,
    ) -> Candidates:
        networks = [(x, x.birnn(vectors, lengths)) for x in self._networks()]
        if given is None:
            emissions = _mean([x.tag_scores(states) for x, states in networks])
            crf = EntityCRF.mean([x.tagger.crf for x, _ in networks])
            entities, scores = find_tagged(crf, emissions, lengths)
        else:
            entities, scores = given, vectors.new_ones(len(given.label))
        pairs = PairChunks(entities, limits.max_distance)
        n_relation_labels = networks[0][0].n_relation_labels
        each = [network.pair_scorer(states, pairs) for network, states in networks]
        networks.clear()  # the states of a long window take much memory

        def score(i: Tensor, j: Tensor) -> Tensor:
            return _mean([score_pair(i, j) for score_pair in each])

        found = score_pairs(score, pairs, n_relation_labels, limits)
        return Candidates(entities, scores, *found)

    def _networks(self) -> List["Network"]:
        return cast(List[Network], list(self.networks))


class Network(nn.Module):
    """The network of the paper. Arguments as for the architecture.

    width (int): Width of the token vectors.
    """

    def __init__(
        self,
        *,
        width: int,
        n_entity_labels: int,
        n_relation_labels: int,
        birnn: Optional[Part],
        ner_hidden: int,
        ner_activation: Activation,
        tag_scheme: TagScheme,
        re_hidden: int,
        label_width: int,
        pair_context: Optional[int],
        pair_dropout: Optional[float],
        re_loss_weight: float,
    ):
        super().__init__()
        self.birnn = TaskBiRNN.build(width, birnn, relations=bool(n_relation_labels))
        self.tagger = EntityTagger(
            self.birnn.entity_width, n_entity_labels, ner_hidden, ner_activation, tag_scheme
        )
        self.n_relation_labels = n_relation_labels
        self.re_loss_weight = re_loss_weight
        if not n_relation_labels:
            return  # trained without relations: no such weights
        # Section 3.3: label embeddings, FFNN(r1), DistMult, FFNN(r2)
        token_width = self.birnn.relation_width
        self.label_embedding = nn.Embedding(n_entity_labels, label_width)
        entity_width = token_width + label_width
        self.pair_dropout = Dropout(pair_dropout)
        self.r1 = nn.Sequential(nn.Linear(entity_width, re_hidden), nn.ReLU())
        self.distmult = DistMult(entity_width, n_relation_labels)
        self.context = PairContext(token_width, re_hidden, pair_context) if pair_context else None
        scored = 2 * re_hidden + 1 + n_relation_labels + (pair_context or 0)
        self.r2 = nn.Linear(scored, n_relation_labels)

    def losses(
        self, vectors: Tensor, lengths: Tensor, targets: Targets, limits: Limits = NO_LIMITS
    ) -> Dict[str, Tensor]:
        """L = L_NER + λ L_RE."""
        states = self.birnn(vectors, lengths)
        losses: Dict[str, Tensor] = {}
        ner_loss = self.tagger.loss(
            self.tag_scores(states), lengths, targets.flat_entities, targets.known
        )
        if ner_loss is not None:
            losses["ner"] = ner_loss
        if self.n_relation_labels:
            losses["re"] = self.re_loss_weight * self._re_loss(states, targets, limits)
        return losses

    def tag_scores(self, states: SharedStates) -> Tensor:
        """RETURNS (Tensor): [n_tokens, n_tags], in flat order."""
        scores: Tensor = self.tagger(self.birnn.entities(states))
        return scores

    def pair_scorer(self, states: SharedStates, pairs: PairChunks) -> Score:
        """RETURNS (Score): Gives the probability of each label for some of the pairs."""
        if not (self.n_relation_labels and pairs.n_tried):
            none = states.tokens.new_zeros(1, self.n_relation_labels)
            return lambda i, j: none.expand(len(i), -1)
        h_r = self.birnn.relations(states)
        in_table = pairs.n_parts > 1 and self.context is not None
        maxima = RangeTable(h_r, pairs.entities) if in_table else partial(range_maximum, h_r)
        logits = self._relation_logits(h_r, pairs.entities, maxima)
        return lambda i, j: torch.sigmoid(logits(i, j))

    def _relation_logits(self, h_r: Tensor, entities: Entities, maxima: Maxima) -> Score:
        """h_r: [n_tokens, re_width]; maxima: over ranges of these.

        RETURNS: From pairs to [n_pairs, n_relation_labels]. What belongs to single entities is
            computed once.
        """
        # g_i = h^r of the last token ∘ label embedding, [n_entities, entity_width]
        g = torch.cat([h_r[entities.end - 1], self.label_embedding(entities.label)], 1)
        g = self.pair_dropout(g)
        f = self.r1(g)
        return lambda i, j: self._pair_logits(maxima, entities, g, f, i, j)

    def _pair_logits(
        self, maxima: Maxima, entities: Entities, g: Tensor, f: Tensor, i: Tensor, j: Tensor
    ) -> Tensor:
        """FFNN(r2)(f_i ∘ f_j ∘ cos(f_i, f_j) ∘ DistMult_1..R(g_i, g_j)), with the context of the
        pair if there is one."""
        cosine = F.cosine_similarity(f[i], f[j]).unsqueeze(1)
        parts = [f[i], f[j], cosine, self.distmult(g[i], g[j])]
        if self.context is not None:
            parts.append(self.context(maxima, entities, f, i, j))
        return cast(Tensor, self.r2(torch.cat(parts, 1)))

    def _re_loss(self, states: SharedStates, targets: Targets, limits: Limits) -> Tensor:
        """Binary cross-entropy over the labels of every ordered pair of gold entities, mean over
        pairs."""
        h_r, entities = self.birnn.relations(states), targets.entities
        known = targets.relations_known[entities.window]
        pairs = PairChunks(entities, limits.max_distance, heads=known)
        if not pairs.n_tried:
            return h_r.new_zeros(())
        logits_of = self._relation_logits(h_r, entities, partial(range_maximum, h_r))
        relations = both_directions(targets.relations, targets.symmetric)

        def loss(i: Tensor, j: Tensor) -> Tensor:
            logits = logits_of(i, j)
            truth = related_pairs(i, j, relations, self.n_relation_labels)
            return F.binary_cross_entropy_with_logits(logits, truth.to(logits.dtype))

        return mean_over_pairs(loss, pairs)


class PairContext(nn.Module):
    """What stands between two entities and how far apart they are, together with the entities.

    width (int): Width of the token vectors.
    entity_width (int): Width of the entity vectors.
    hidden (int): Units of the output.
    """

    def __init__(self, width: int, entity_width: int, hidden: int):
        super().__init__()
        self.distance = nn.Embedding(2 * _DISTANCES, _DISTANCE_WIDTH)
        self.layer = nn.Sequential(
            nn.Linear(width + 2 * entity_width + _DISTANCE_WIDTH, hidden), nn.ReLU()
        )

    def forward(
        self, maxima: Maxima, entities: Entities, f: Tensor, i: Tensor, j: Tensor
    ) -> Tensor:
        """maxima: Over ranges of the token vectors; f: [n_entities, entity_width]; i, j: [n_pairs].
        RETURNS: [n_pairs, hidden]."""
        start = torch.minimum(entities.end[i], entities.end[j])
        end = torch.maximum(entities.start[i], entities.start[j])
        between = maxima(start, end)
        # 0, 1-2, 3-6, 7-14, … tokens apart, for each reading order
        apart = (end - start).clamp(min=0) + 1
        bucket = torch.log2(apart.to(between.dtype)).long().clamp(max=_DISTANCES - 1)
        backwards = (entities.start[i] > entities.start[j]).long()
        distance = self.distance(bucket + _DISTANCES * backwards)
        return self.layer(torch.cat([between, f[i], f[j], distance], 1))


def _mean(tensors: List[Tensor]) -> Tensor:
    return torch.stack(tensors).mean(0)
