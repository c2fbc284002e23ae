"""A bidirectional recurrent layer over the characters of words."""

import torch
from torch import Tensor, nn

from ..layers.birnn import BiRNNStack, Cell, make_packing


class CharacterBiRNN(nn.Module):
    """A word is the last state of each direction over its characters' embeddings.

    n_characters (int): Rows of the embedding table.
    embed_width (int): Width of a character's embedding.
    hidden (int): Units of each direction.
    cell (str): "gru" or "lstm".
    """

    def __init__(self, n_characters: int, embed_width: int, hidden: int, cell: Cell = "gru"):
        super().__init__()
        self.embedding = nn.Embedding(n_characters, embed_width)
        self.birnn = BiRNNStack(embed_width, hidden, 1, cell, dropout=0.0)
        self.hidden = hidden

    def forward(self, characters: Tensor, lengths: Tensor) -> Tensor:
        """characters: Rows of the table, word after word, [n_characters]. lengths: Characters of
        each word, all positive, [n_words]. RETURNS: [n_words, 2 * hidden]."""
        packing = make_packing(lengths)
        states = self.birnn(self.embedding(characters[packing.order]), packing)
        states = states[packing.inverse]
        last = torch.cumsum(lengths, 0) - 1
        first = last + 1 - lengths
        return torch.cat([states[last, : self.hidden], states[first, self.hidden :]], 1)
