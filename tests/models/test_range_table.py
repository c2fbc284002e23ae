"""Maxima over ranges between entities, against a loop."""

import pytest
import torch

from spacy_jere.models.layers import range_table
from spacy_jere.models.layers.range_table import RangeTable
from spacy_jere.models.types import Entities


def random_entities(n, seed):
    torch.manual_seed(seed)
    start = torch.sort(torch.randint(0, 6 * n, (n,))).values
    return Entities(torch.zeros_like(start), start, start + torch.randint(1, 5, (n,)), start)


@pytest.mark.parametrize("block", [1, 2, 3, 16])
@pytest.mark.parametrize("n", [1, 2, 9, 40])
def test_maxima_of_all_ranges(monkeypatch, block, n):
    monkeypatch.setattr(range_table, "_BLOCK", block)
    entities = random_entities(n, seed=block)
    vectors = torch.randn(6 * n + 5, 3)
    places = torch.unique(torch.cat([entities.start, entities.end]))
    start, end = (x.flatten() for x in torch.meshgrid(places, places, indexing="ij"))
    expected = [
        vectors[i:j].max(0).values if i < j else torch.zeros(3)
        for i, j in zip(start.tolist(), end.tolist())
    ]
    assert torch.equal(RangeTable(vectors, entities)(start, end), torch.stack(expected))


def test_no_ranges():
    table = RangeTable(torch.randn(9, 3), random_entities(1, seed=0))
    none = torch.zeros(0, dtype=torch.long)
    assert table(none, none).shape == (0, 3)


def test_rows_are_as_many_as_places():
    """Not as many as tokens: memory is that of the entities."""
    entities = random_entities(4, seed=0)
    assert len(RangeTable(torch.randn(5000, 3), entities).rows) == range_table._BLOCK
