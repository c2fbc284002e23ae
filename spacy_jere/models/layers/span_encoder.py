"""Vectors of spans and of pairs of spans over token vectors (Eberts and Ulges 2020, section 3)."""

from typing import NamedTuple, Optional, Tuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..shim import Dropout
from .birnn import CELLS, BiRNNStack, Cell, make_packing
from .settings import Settings, require_at_least, require_choice, require_rate
from .span_pooling import range_maximum
from .spans import Spans


def check_span_settings(settings: Settings) -> None:
    """RAISES (ValueError): A setting that span-based models share is out of its range."""
    require_choice(settings, "cell", CELLS)
    require_at_least(
        settings, 1, "max_span_width", "width_embedding", "classifier_hidden", "hidden"
    )
    require_at_least(settings, 0, "negative_entities", "negative_relations", "re_loss_weight")
    require_at_least(settings, 0, "shared_layers", "ner_layers", "re_layers")
    require_rate(settings, "dropout", "birnn_dropout", "token_dropout")


class EncodedTokens(NamedTuple):
    """What spans and pairs are made of.

    entities, relations: Token vectors for each task. Shape [n_tokens, …].
    context: One vector for each window. Shape [n_windows, context_width].
    """

    entities: Tensor
    relations: Tensor
    context: Tensor


class SpanEncoder(nn.Module):
    """Token vectors, as they are or with those of BiRNN layers beside them, pooled over spans by maximum.

    width (int): Width of the vectors that come in.
    context_width (int): How many of their first features are the vector of the sequence that a token was read in.
        0 makes the maximum over the window's tokens the context.
    n_widths, width_embedding (int): Rows and columns of the table of width embeddings.
    cell, hidden, birnn_dropout: Of the BiRNN layers.
    shared_layers, ner_layers, re_layers (int): BiRNN layers of both tasks and of each.
    token_dropout (Optional[float]): Rate at which whole tokens are hidden in training.
    keep_tokens (bool): Put the vectors that come in beside what the BiRNN layers make of them. Without such layers
        they are all there is.
    span_ends (bool): Put the vectors of an entity's first and last token beside the maximum.
    """

    def __init__(
        self,
        *,
        width: int,
        context_width: int,
        n_widths: int,
        width_embedding: int,
        cell: Cell,
        hidden: int,
        shared_layers: int,
        ner_layers: int,
        re_layers: int,
        birnn_dropout: Optional[float],
        token_dropout: Optional[float],
        keep_tokens: bool,
        span_ends: bool,
    ):
        super().__init__()
        self.context_width = context_width
        own = width - context_width
        self.token_dropout = Dropout(token_dropout)
        self.shared = BiRNNStack(own, hidden, shared_layers, cell, birnn_dropout)
        self.ner = BiRNNStack(self.shared.width, hidden, ner_layers, cell, birnn_dropout)
        self.re = BiRNNStack(self.shared.width, hidden, re_layers, cell, birnn_dropout)
        self.width_embedding = nn.Embedding(n_widths, width_embedding)
        self.keep_tokens = keep_tokens
        self.span_ends = span_ends
        entity_tokens, relation_tokens = self._width_of(self.ner, own), self._width_of(self.re, own)
        self.token_width = entity_tokens
        parts = 3 if span_ends else 1
        # The context, the maximum, the ends if they come along, the embedding of the width.
        self.span_parts = [
            context_width or entity_tokens,
            *parts * [entity_tokens],
            width_embedding,
        ]
        self.span_width = sum(self.span_parts)
        self.pair_width = (1 + 2 * parts) * relation_tokens + 2 * width_embedding

    def forward(self, vectors: Tensor, lengths: Tensor) -> EncodedTokens:
        """vectors: [n_tokens, width]; lengths: [n_windows]."""
        ends = torch.cumsum(lengths, 0)
        entities, relations = self._recurrent(vectors[:, self.context_width :], lengths)
        if self.context_width:
            context = vectors[ends - lengths, : self.context_width]
        else:
            context = range_maximum(entities, ends - lengths, ends)
        return EncodedTokens(entities, relations, context)

    def spans(self, encoded: EncodedTokens, window: Tensor, start: Tensor, end: Tensor) -> Tensor:
        """x_s = c ∘ f(s) ∘ w_|s| (equation 1). RETURNS: [n_spans, span_width]."""
        tokens = encoded.entities
        pooled = self._with_ends(range_maximum(tokens, start, end), tokens, start, end)
        return torch.cat([encoded.context[window], pooled, self._width(start, end)], 1)

    def linear_of_spans(self, linear: nn.Linear, encoded: EncodedTokens, spans: Spans) -> Tensor:
        """W x_s + b without making x_s: what many spans share, such as the context, meets its columns of W once. Not for
        training, where each span's x_s has its own dropout.

        RETURNS: [n_spans, out_features].
        """
        tokens, (window, start, end) = encoded.entities, spans
        of_context, of_maximum, *of_ends, of_width = linear.weight.split(self.span_parts, dim=1)
        result = F.linear(range_maximum(tokens, start, end), of_maximum, linear.bias)
        result += F.linear(encoded.context, of_context)[window]
        result += F.linear(self.width_embedding.weight, of_width)[self._width_row(start, end)]
        for weight, places in zip(of_ends, (start, end - 1)):
            result += F.linear(tokens, weight)[places]
        return result

    def pairs(
        self, encoded: EncodedTokens, start: Tensor, end: Tensor, heads: Tensor, tails: Tensor
    ) -> Tensor:
        """x_r = c(s1, s2) ∘ f(s1) ∘ f(s2) ∘ w_|s1| ∘ w_|s2| (equation 2), with the text between the two, zeros where
        there is none.

        start, end: Of the entities, [n_entities]. heads, tails: [n_pairs]. RETURNS: [n_pairs, pair_width].
        """
        tokens = encoded.relations
        left = torch.minimum(end[heads], end[tails])
        right = torch.maximum(start[heads], start[tails])
        # One table of maxima for the spans and for the text between them.
        maxima = range_maximum(tokens, torch.cat([start, left]), torch.cat([end, right]))
        of_spans, between = maxima.split([len(start), len(left)])
        pooled, widths = self._with_ends(of_spans, tokens, start, end), self._width(start, end)
        return torch.cat([between, pooled[heads], pooled[tails], widths[heads], widths[tails]], 1)

    def _with_ends(self, maxima: Tensor, tokens: Tensor, start: Tensor, end: Tensor) -> Tensor:
        """f(s), the maximum over a span; with `span_ends` its first and last token too (Lee et al. 2017, arXiv 1707.07045,
        section 4): BiRNN layers put there what stands before and after the span."""
        if not self.span_ends:
            return maxima
        return torch.cat([maxima, tokens[start], tokens[end - 1]], 1)

    def _recurrent(self, tokens: Tensor, lengths: Tensor) -> Tuple[Tensor, Tensor]:
        """RETURNS: Token vectors for entities and for relations."""
        if not (self._adds(self.ner) or self._adds(self.re)):
            return tokens, tokens
        packing = make_packing(lengths)
        hidden = tokens * self.token_dropout(tokens.new_ones(len(tokens), 1))
        shared = self.shared(hidden[packing.order], packing)
        found = []
        for stack in (self.ner, self.re):
            vectors = tokens
            if self._adds(stack):
                vectors = stack(shared, packing)[packing.inverse]
                if self.keep_tokens:
                    vectors = torch.cat([tokens, vectors], 1)
            found.append(vectors)
        return found[0], found[1]

    def _adds(self, stack: BiRNNStack) -> bool:
        return len(self.shared.layers) + len(stack.layers) > 0

    def _width_of(self, stack: BiRNNStack, own: int) -> int:
        if not self._adds(stack):
            return own
        return stack.width + (own if self.keep_tokens else 0)

    def _width(self, start: Tensor, end: Tensor) -> Tensor:
        widths: Tensor = self.width_embedding(self._width_row(start, end))
        return widths

    def _width_row(self, start: Tensor, end: Tensor) -> Tensor:
        return (end - start).clamp(max=self.width_embedding.num_embeddings - 1)
