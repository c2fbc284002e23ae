"""`spacy-jere.TaskBiRNN.v1`: BiRNN layers that two tasks share, then layers of each task's own.

P. Crone, "Deeper Task-Specificity Improves Joint Entity and Relation Extraction", arXiv 2002.06424,
section 3.2.
"""

from typing import NamedTuple, Optional

import torch
from torch import Tensor, nn

from ..shim import Dropout
from .birnn import BiRNNStack, Cell, Packing, make_packing
from .settings import Part, require_at_least, require_rate


def create_task_birnn_v1(
    cell: Cell = "gru",
    hidden: int = 256,
    shared_layers: int = 1,
    ner_layers: int = 1,
    re_layers: int = 2,
    dropout: Optional[float] = 0.35,
    word_dropout: Optional[float] = 0.0,
    keep_tokens: bool = False,
) -> Part:
    """Describe the layers. The defaults are the published settings for CoNLL04 (Table 1).

    cell (str): "gru" or "lstm".
    hidden (int): Units of each direction of a layer.
    shared_layers (int): Layers that both tasks share, 0 or more.
    ner_layers, re_layers (int): Layers for entities alone and for relations alone, 0 or more. A
        task without any layer reads the token vectors as they are.
    dropout (Optional[float]): Rate before each layer. null follows the dropout of [training].
    word_dropout (Optional[float]): Rate at which whole tokens are hidden in training (not in the
        paper), so that the words around an entity count, not only its own.
    keep_tokens (bool): Put the token vectors beside what the layers make of them (not in the
        paper).
    RETURNS (Part): The settings of `TaskBiRNN`.
    RAISES (ValueError): A setting out of its range.
    """
    settings = Part(
        cell=cell,
        hidden=hidden,
        shared_layers=shared_layers,
        ner_layers=ner_layers,
        re_layers=re_layers,
        dropout=dropout,
        word_dropout=word_dropout,
        keep_tokens=keep_tokens,
    )
    require_at_least(settings, 1, "hidden")
    require_at_least(settings, 0, "shared_layers", "ner_layers", "re_layers")
    require_rate(settings, "dropout", "word_dropout")
    return settings


class SharedStates(NamedTuple):
    """What both tasks read.

    tokens: The token vectors, in flat order. Shape [n_tokens, width].
    packed: What the shared layers make of them, in packed order. Shape [n_tokens, shared_width].
    packing: From flat to packed rows and back. None where there are no layers at all.
    """

    tokens: Tensor
    packed: Tensor
    packing: Optional[Packing]


class TaskBiRNN(nn.Module):
    """The torch module. Arguments as for `spacy-jere.TaskBiRNN.v1`.

    width (int): Width of the token vectors.
    """

    def __init__(
        self,
        width: int,
        *,
        cell: Cell,
        hidden: int,
        shared_layers: int,
        ner_layers: int,
        re_layers: int,
        dropout: Optional[float],
        word_dropout: Optional[float],
        keep_tokens: bool,
    ):
        super().__init__()
        self.keep_tokens = keep_tokens
        self.word_dropout = Dropout(word_dropout)
        self.shared = BiRNNStack(width, hidden, shared_layers, cell, dropout)
        self.ner = BiRNNStack(self.shared.width, hidden, ner_layers, cell, dropout)
        self.re = BiRNNStack(self.shared.width, hidden, re_layers, cell, dropout)
        self.entity_width = self._width_of(self.ner, width)
        self.relation_width = self._width_of(self.re, width)

    @classmethod
    def build(cls, width: int, settings: Optional[Part], *, relations: bool) -> "TaskBiRNN":
        """RETURNS (TaskBiRNN): The layers of a part; none at all where it is null.

        relations (bool): Whether there are relations to learn. If not, they get no layers.
        """
        if settings is None:
            settings = create_task_birnn_v1(hidden=1, shared_layers=0, ner_layers=0, re_layers=0)
        return cls(width, **(settings if relations else {**settings, "re_layers": 0}))

    def forward(self, tokens: Tensor, lengths: Tensor) -> SharedStates:
        """tokens: [n_tokens, width]; lengths: tokens of each window, [n_windows]."""
        if not (self._adds(self.ner) or self._adds(self.re)):
            return SharedStates(tokens, tokens, None)
        packing = make_packing(lengths)
        seen = tokens * self.word_dropout(tokens.new_ones(len(tokens), 1))
        return SharedStates(tokens, self.shared(seen[packing.order], packing), packing)

    def entities(self, states: SharedStates) -> Tensor:
        """RETURNS (Tensor): Token vectors for entities, [n_tokens, entity_width], in flat order."""
        return self._of_task(self.ner, states)

    def relations(self, states: SharedStates) -> Tensor:
        """RETURNS (Tensor): Token vectors for relations, [n_tokens, relation_width], likewise."""
        return self._of_task(self.re, states)

    def _of_task(self, stack: BiRNNStack, states: SharedStates) -> Tensor:
        tokens, packed, packing = states
        if packing is None or not self._adds(stack):
            return tokens
        vectors: Tensor = stack(packed, packing)[packing.inverse]
        return torch.cat([tokens, vectors], 1) if self.keep_tokens else vectors

    def _adds(self, stack: BiRNNStack) -> bool:
        return len(self.shared.layers) + len(stack.layers) > 0

    def _width_of(self, stack: BiRNNStack, own: int) -> int:
        if not self._adds(stack):
            return own
        return stack.width + (own if self.keep_tokens else 0)
