"""Vectors of spans and of pairs of spans over token vectors (Eberts and Ulges 2020, section 3)."""

from typing import NamedTuple, Optional, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..kernels.range_maximum import range_maximum
from ..types import Entities, Spans
from .classifier import split_first
from .range_table import Maxima, RangeTable
from .settings import Part
from .task_birnn import TaskBiRNN


class EncodedTokens(NamedTuple):
    """What spans and pairs are made of.

    entities, relations: Token vectors for each task. Shape [n_tokens, …].
    context: One vector for each window. Shape [n_windows, context_width].
    """

    entities: Tensor
    relations: Tensor
    context: Tensor


class PairParts(NamedTuple):
    """What many pairs are made of.

    spans: f(s) of each entity. Shape [n_entities, …].
    widths: w_|s| of each entity. Shape [n_entities, width_embedding].
    maxima: Over the text between two entities.
    """

    spans: Tensor
    widths: Tensor
    maxima: Maxima


class SpanEncoder(nn.Module):
    """Token vectors, or what BiRNN layers make of them, pooled over spans by maximum.

    width (int): Width of the vectors that come in.
    context_width (int): How many of their first features are the vector of the sequence that a
        token was read in. 0 makes the maximum over the window's tokens the context.
    birnn (Optional[Part]): The BiRNN layers over the other features; None for no layers.
    relations (bool): Whether there are relations to learn.
    n_widths, width_embedding (int): Rows and columns of the table of width embeddings.
    span_ends (bool): Put the vectors of a span's first and last token beside the maximum.
    """

    def __init__(
        self,
        *,
        width: int,
        context_width: int,
        birnn: Optional[Part],
        relations: bool,
        n_widths: int,
        width_embedding: int,
        span_ends: bool,
    ):
        super().__init__()
        self.context_width = context_width
        self.birnn = TaskBiRNN.build(width - context_width, birnn, relations=relations)
        self.width_embedding = nn.Embedding(n_widths, width_embedding)
        self.span_ends = span_ends
        self.token_width = self.birnn.entity_width
        parts = 3 if span_ends else 1
        # The context, the maximum, the ends if they come along, the embedding of the width.
        self.span_parts = [
            context_width or self.token_width,
            *parts * [self.token_width],
            width_embedding,
        ]
        self.span_width = sum(self.span_parts)
        self.pair_width = (1 + 2 * parts) * self.birnn.relation_width + 2 * width_embedding

    def forward(self, vectors: Tensor, lengths: Tensor) -> EncodedTokens:
        """vectors: [n_tokens, width]; lengths: [n_windows]."""
        ends = torch.cumsum(lengths, 0)
        states = self.birnn(vectors[:, self.context_width :], lengths)
        entities, relations = self.birnn.entities(states), self.birnn.relations(states)
        if self.context_width:
            context = vectors[ends - lengths, : self.context_width]
        else:
            context = range_maximum(entities, ends - lengths, ends)
        return EncodedTokens(entities, relations, context)

    def spans(self, encoded: EncodedTokens, spans: Spans) -> Tensor:
        """x_s = c ∘ f(s) ∘ w_|s| (equation 1). RETURNS: [n_spans, span_width]."""
        window, start, end = spans
        tokens = encoded.entities
        pooled = self._with_ends(range_maximum(tokens, start, end), tokens, start, end)
        return torch.cat([encoded.context[window], pooled, self._width(start, end)], 1)

    def classify(
        self,
        encoded: EncodedTokens,
        spans: Spans,
        classifier: nn.Module,
        *others: Tensor,
    ) -> Tensor:
        """What a classifier says of spans, without making x_s: what many spans share, such as the
        context, meets its columns of the first layer once.

        Not for training, where each span's x_s has a dropout of its own.

        others (Tensor): Features that stand behind x_s, [n_spans, …].
        RETURNS (Tensor): Shape [n_spans, n_labels].
        """
        tokens, (window, start, end) = encoded.entities, spans
        first, behind = split_first(classifier)
        of_spans, of_others = first.weight.tensor_split([self.span_width], dim=1)
        of_context, of_maximum, *of_ends, of_width = of_spans.split(self.span_parts, dim=1)
        result = F.linear(range_maximum(tokens, start, end), of_maximum, first.bias)
        result += F.linear(encoded.context, of_context)[window]
        result += F.linear(self.width_embedding.weight, of_width)[self._width_row(start, end)]
        for weight, places in zip(of_ends, (start, end - 1)):
            result += F.linear(tokens, weight)[places]
        if others:
            result += F.linear(torch.cat(others, 1), of_others)
        return cast(Tensor, behind(result))

    def pairs(
        self,
        encoded: EncodedTokens,
        entities: Entities,
        heads: Tensor,
        tails: Tensor,
        shared: Optional[PairParts] = None,
    ) -> Tensor:
        """x_r = c(s1, s2) ∘ f(s1) ∘ f(s2) ∘ w_|s1| ∘ w_|s2| (equation 2), with the text between the
        two, zeros where there is none.

        heads, tails: Indices into the entities, [n_pairs]. RETURNS: [n_pairs, pair_width].
        shared (Optional[PairParts]): What is the same in all parts of many pairs.
        """
        tokens, start, end = encoded.relations, entities.start, entities.end
        left = torch.minimum(end[heads], end[tails])
        right = torch.maximum(start[heads], start[tails])
        if shared is None:
            # One table of maxima for the spans and for the text between them.
            maxima = range_maximum(tokens, torch.cat([start, left]), torch.cat([end, right]))
            of_spans, between = maxima.split([len(start), len(left)])
            pooled, widths = self._with_ends(of_spans, tokens, start, end), self._width(start, end)
        else:
            pooled, widths, between = shared.spans, shared.widths, shared.maxima(left, right)
        return torch.cat([between, pooled[heads], pooled[tails], widths[heads], widths[tails]], 1)

    def pair_parts(self, encoded: EncodedTokens, entities: Entities) -> PairParts:
        """RETURNS (PairParts): What is computed once where pairs come in many parts, without a
        gradient."""
        tokens, start, end = encoded.relations, entities.start, entities.end
        pooled = self._with_ends(range_maximum(tokens, start, end), tokens, start, end)
        return PairParts(pooled, self._width(start, end), RangeTable(tokens, entities))

    def _with_ends(self, maxima: Tensor, tokens: Tensor, start: Tensor, end: Tensor) -> Tensor:
        """f(s), the maximum over a span; with `span_ends` its first and last token too (Lee et al.
        2017, arXiv 1707.07045, section 4): BiRNN layers put there what stands around the span."""
        if not self.span_ends:
            return maxima
        return torch.cat([maxima, tokens[start], tokens[end - 1]], 1)

    def _width(self, start: Tensor, end: Tensor) -> Tensor:
        widths: Tensor = self.width_embedding(self._width_row(start, end))
        return widths

    def _width_row(self, start: Tensor, end: Tensor) -> Tensor:
        return (end - start).clamp(max=self.width_embedding.num_embeddings - 1)
