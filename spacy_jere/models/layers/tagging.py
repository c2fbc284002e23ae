"""Entities as tags of tokens: scores of tags, and a CRF over them that counts in steps of windows.

P. Crone, "Deeper Task-Specificity Improves Joint Entity and Relation Extraction", arXiv 2002.06424,
section 3.2.
"""

from typing import Literal, Optional, Tuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..types import Entities
from .crf import EntityCRF, TagScheme, n_tags

Activation = Literal["tanh", "relu", "gelu"]
ACTIVATIONS = {"tanh": nn.Tanh, "relu": nn.ReLU, "gelu": nn.GELU}


class EntityTagger(nn.Module):
    """FFNN(e1), FFNN(e2) and the CRF.

    width (int): Width of the token vectors.
    n_labels (int): Number of entity labels.
    hidden, activation: FFNN(e1): its units and "tanh", "relu" or "gelu".
    scheme (str): "bio" or "biluo".
    """

    def __init__(
        self,
        width: int,
        n_labels: int,
        hidden: int = 128,
        activation: Activation = "tanh",
        scheme: TagScheme = "biluo",
    ):
        super().__init__()
        self.emissions = nn.Sequential(
            nn.Linear(width, hidden),
            ACTIVATIONS[activation](),
            nn.Linear(hidden, n_tags(n_labels, scheme)),
        )
        self.crf = EntityCRF(n_labels, scheme)

    def forward(self, tokens: Tensor) -> Tensor:
        """tokens: [n_tokens, width]. RETURNS: The score of each tag, [n_tokens, n_tags]."""
        scores: Tensor = self.emissions(tokens)
        return scores

    def loss(
        self, emissions: Tensor, lengths: Tensor, entities: Entities, known: Tensor
    ) -> Optional[Tensor]:
        """Negative log-likelihood of the gold tags, mean over windows with any.

        entities (Entities): Gold entities that don't overlap.
        known (Tensor): Tokens with annotation; others may have any tag. Shape [n_tokens], bool.
        RETURNS (Optional[Tensor]): None where no token is annotated.
        """
        if not known.any():
            return None
        allowed = allowed_tags(self.crf, entities, known)
        steps, mask = pad_steps(lengths)
        annotated = (known[steps] & mask).any(0)
        losses = self.crf.negative_log_likelihood(emissions[steps], allowed[steps], mask)
        return losses[annotated].mean()


def find_tagged(crf: EntityCRF, emissions: Tensor, lengths: Tensor) -> Tuple[Entities, Tensor]:
    """Read entities off the best tags.

    emissions (Tensor): Shape [n_tokens, n_tags].
    RETURNS (Tuple[Entities, Tensor]): The entities of each window's best path, and the probability
        of each, [n_entities].
    """
    steps, mask = pad_steps(lengths)
    found, scores = crf.best_entities(emissions[steps], mask)
    offset = (torch.cumsum(lengths, 0) - lengths)[found.window]
    return found._replace(start=found.start + offset, end=found.end + offset), scores


def pad_steps(lengths: Tensor) -> Tuple[Tensor, Tensor]:
    """RETURNS (Tuple[Tensor, Tensor]): The flat token at each step of each window (0 in the
    padding), and which steps are tokens. Both of shape [n_steps, n_windows]."""
    starts = torch.cumsum(lengths, 0) - lengths
    steps = torch.arange(int(lengths.max()), device=lengths.device).unsqueeze(1)
    mask = steps < lengths
    return torch.where(mask, starts + steps, 0), mask


def allowed_tags(crf: EntityCRF, entities: Entities, known: Tensor) -> Tensor:
    """RETURNS (Tensor): The gold tag of annotated tokens, every tag of others. Shape [n_tokens,
    n_tags], bool."""
    tags = crf.tags_of(entities, len(known))
    return F.one_hot(tags, crf.num_tags).bool() | ~known.unsqueeze(1)
