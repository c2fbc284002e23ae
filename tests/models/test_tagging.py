"""Entities as tags of flat tokens."""

import pytest
import torch

from spacy_jere.models.layers.crf import EntityCRF
from spacy_jere.models.layers.tagging import EntityTagger, allowed_tags, find_tagged, pad_steps
from spacy_jere.models.types import Entities

LENGTHS = torch.tensor([2, 1, 3])
ENTITIES = Entities(*torch.tensor([[0, 0, 2, 1], [2, 5, 6, 0]]).T)
KNOWN = torch.tensor([True, True, True, False, True, True])


@pytest.fixture
def tagger():
    torch.manual_seed(0)
    return EntityTagger(5, n_labels=2, hidden=4).double()


def test_pad_steps():
    steps, mask = pad_steps(LENGTHS)
    assert steps.tolist() == [[0, 2, 3], [1, 0, 4], [0, 0, 5]]
    assert mask.tolist() == [[True, True, True], [True, False, True], [False, False, True]]


def test_allowed_tags():
    allowed = allowed_tags(EntityCRF(2), ENTITIES, KNOWN)
    tags = [[3], [4], [0], [0, 1, 2, 3, 4], [0], [1]]
    assert [torch.nonzero(x).flatten().tolist() for x in allowed] == tags


def test_loss_is_the_mean_over_annotated_windows(tagger):
    tokens = torch.randn(6, 5).double()
    losses = []
    for known in (KNOWN, KNOWN & (torch.arange(6) != 2), KNOWN & (torch.arange(6) == 2)):
        losses.append(tagger.loss(tagger(tokens), LENGTHS, ENTITIES, known))
    whole, without_second, second = losses
    assert torch.isclose(3 * whole, 2 * without_second + second)
    assert tagger.loss(tagger(tokens), LENGTHS, ENTITIES, KNOWN & False) is None


def test_windows_together_equal_windows_alone(tagger):
    with torch.no_grad():
        tagger.emissions[-1].bias[0] -= 3.0  # few tokens are O
        emissions = tagger(torch.randn(6, 5).double())
        together, probabilities = find_tagged(tagger.crf, emissions, LENGTHS)
        rows, offset = [], 0
        for window, scores in enumerate(emissions.split(LENGTHS.tolist())):
            alone, own = find_tagged(tagger.crf, scores, torch.tensor([len(scores)]))
            each = zip(alone.start + offset, alone.end + offset, alone.label, own)
            rows += [(window, *row) for row in each]
            offset += len(scores)
    assert len(rows) > 2
    assert torch.allclose(
        torch.stack([*together, probabilities], 1).double(), torch.tensor(rows).double()
    )
