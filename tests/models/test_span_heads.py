"""What SpERT and SpERT.MT have in common: what they learn from, windows together and alone, long
windows, settings."""

import inspect

import pytest
import torch
from thinc.api import Model
from torch.utils._python_dispatch import TorchDispatchMode

from spacy_jere.models import spert
from spacy_jere.models.layers import pair_scores, spans
from spacy_jere.models.spert import SpERT, build_spert_v1, create_span_classifier_v1
from spacy_jere.models.spert_mt import SpERTMT, build_spert_mt_v1
from spacy_jere.models.types import Limits

BUILDERS = {SpERT: build_spert_v1, SpERTMT: build_spert_mt_v1}
LAYERS = [{}, {"shared_layers": 1, "ner_layers": 1, "re_layers": 1}]
SETTINGS_OF_ALL = ("tok2vec", "spans", "birnn", "bfloat16")


@pytest.fixture(params=[SpERT, SpERTMT], ids=lambda x: x.__name__)
def kind(request):
    return request.param


@pytest.fixture
def make_head(kind, spert_batch):
    """Settings that are not given have the architecture's defaults."""
    parameters = inspect.signature(BUILDERS[kind]).parameters.items()
    defaults = {x: y.default for x, y in parameters if x not in SETTINGS_OF_ALL}
    defaults["re_loss_weight"] = 2.5

    def _make_head(**changes):
        return spert_batch.make_head(kind, **{**defaults, **changes})

    return _make_head


# What there is to learn from


@pytest.mark.parametrize("known", [(1, 1, 1), (1, 0, 0), (0, 1, 1), (0, 1, 0), (0, 0, 0)])
def test_relations_are_learned_in_annotated_windows(make_head, spert_batch, record, known):
    sampled = record(spert)
    losses = make_head().losses(*spert_batch.inputs(), spert_batch.targets(relations_known=known))
    heads = sampled["sample_pairs"][0]
    windows = set(spert_batch.entities().window[heads].tolist())
    assert windows == {i for i in (0, 2) if known[i]}
    assert bool(losses["re"] > 0) is bool(windows)


def test_tokens_without_annotation_teach_nothing(make_head, spert_batch):
    targets = spert_batch.targets(known=False, rows=[], relations=[])
    losses = make_head().losses(*spert_batch.inputs(), targets)
    assert list(losses) == ["re"] and losses["re"] == 0


@pytest.mark.parametrize("rows", [[], [(0, 0, 1, 0), (2, 5, 6, 0)]])
def test_no_pairs(make_head, spert_batch, rows):
    losses = make_head().losses(*spert_batch.inputs(), spert_batch.targets(rows=rows, relations=[]))
    assert losses["re"] == 0 and losses["ner"] > 0


def test_no_negatives(make_head, spert_batch):
    head = make_head(negative_entities=0, negative_relations=0)
    losses = head.losses(*spert_batch.inputs(), spert_batch.targets())
    assert all(x > 0 and x.isfinite() for x in losses.values())
    losses = head.losses(*spert_batch.inputs(), spert_batch.targets(rows=[], relations=[]))
    assert "ner" not in losses


def test_without_relation_labels(make_head, spert_batch):
    head = make_head(n_relation_labels=0)
    losses = head.losses(*spert_batch.inputs(), spert_batch.targets(relations=[]))
    assert not {"re", "is_related"} & set(losses)
    found = head.candidates(*spert_batch.inputs(), given=spert_batch.entities())
    assert found.relation_scores.shape == (len(spert_batch.pairs), 0)


def test_symmetric_relations_leave_their_reverse_out(make_head, spert_batch, record):
    sampled = record(spert)
    targets = spert_batch.targets(two_ways=[2])
    make_head(negative_relations=100).losses(*spert_batch.inputs(), targets)
    pairs = set(zip(*(x.tolist() for x in sampled["sample_pairs"][:2])))
    assert pairs == set(spert_batch.pairs) - {(1, 0)}  # (2, 4) has a label of its own


@pytest.mark.parametrize("layers", LAYERS)
def test_every_parameter_gets_a_gradient(make_head, spert_batch, layers):
    head = make_head(**layers)
    losses = head.losses(*spert_batch.inputs(), spert_batch.targets())
    sum(losses.values()).backward()
    assert all(x.grad is not None and x.grad.isfinite().all() for x in head.parameters())
    assert all(x.grad.any() for x in head.parameters())


def test_the_seed_of_torch_decides(make_head, spert_batch):
    head, found = make_head(), []
    for seed in (3, 3, 4, 5):
        torch.manual_seed(seed)
        losses = head.losses(*spert_batch.inputs(), spert_batch.targets())
        found.append(losses["ner"].item())
    assert found[0] == found[1]
    assert len(set(found)) > 1


def test_dropout_before_the_classifiers_in_training_only(make_head, spert_batch):
    def scores(head):
        torch.manual_seed(0)
        given = spert_batch.entities()
        return head.candidates(*spert_batch.inputs(), given=given).relation_scores

    dropping, plain = make_head(dropout=0.5), scores(make_head())
    assert not torch.allclose(scores(dropping), plain)
    assert torch.equal(scores(dropping), scores(dropping))
    assert torch.equal(scores(dropping.eval()), plain)


# Together and alone


@pytest.mark.parametrize("layers", LAYERS)
def test_windows_together_equal_windows_alone(make_head, spert_batch, layers):
    head = make_head(**layers).eval()
    with torch.no_grad():
        head.entity_classifier.bias[0] -= 1  # "no entity"
        together = head.candidates(*spert_batch.inputs())
        vectors, first, n_entities = spert_batch.inputs()[0], 0, 0
        relation_scores = []
        for window, length in enumerate(spert_batch.lengths):
            part = vectors[first : first + length]
            alone = head.candidates(part, torch.tensor([length]))
            rows = together.entities.window == window
            for column in (1, 2, 3):
                offset = first if column < 3 else 0
                assert torch.equal(together.entities[column][rows], alone.entities[column] + offset)
            assert torch.allclose(together.entity_scores[rows], alone.entity_scores, atol=1e-9)
            relation_scores.append(alone.relation_scores)
            first, n_entities = first + length, n_entities + len(alone.entities.window)
    assert n_entities == len(together.entities.window) > 3
    assert torch.allclose(together.relation_scores, torch.cat(relation_scores), atol=1e-9)


@pytest.mark.parametrize("at_once", [1, 3, 8, 100])
def test_pairs_in_chunks(make_head, spert_batch, monkeypatch, at_once):
    head = make_head().eval()
    given = spert_batch.entities()
    whole = head.candidates(*spert_batch.inputs(), given=given).relation_scores
    calls = []
    plain = head.encoder.pairs
    monkeypatch.setattr(pair_scores, "_PAIRS_AT_ONCE", at_once)
    monkeypatch.setattr(head.encoder, "pairs", lambda *x: calls.append(1) or plain(*x))
    assert torch.allclose(
        head.candidates(*spert_batch.inputs(), given=given).relation_scores, whole
    )
    assert len(calls) == -(-len(spert_batch.pairs) // at_once)


@pytest.mark.parametrize("at_once", [1, 3, 5, 11])
@pytest.mark.parametrize("layers", LAYERS)
def test_spans_in_parts(make_head, spert_batch, monkeypatch, at_once, layers):
    head = make_head(**layers).eval()
    with torch.no_grad():
        whole = head.candidates(*spert_batch.inputs())
        monkeypatch.setattr(spans, "_TOKENS_AT_ONCE", at_once)
        found = head.candidates(*spert_batch.inputs())
    assert len(whole.entities.start) > 3
    for x, y in zip(found.entities, whole.entities):
        assert torch.equal(x, y)
    assert torch.allclose(found.entity_scores, whole.entity_scores)
    assert torch.allclose(found.relation_scores, whole.relation_scores)


@pytest.mark.parametrize("span_ends", [False, True])
@pytest.mark.parametrize("max_distance", [None, 0, 1])
def test_pairs_in_parts_within_a_distance(
    make_head, spert_batch, monkeypatch, span_ends, max_distance
):
    head = make_head(span_ends=span_ends).eval()
    thresholds = [0.9] * 3 if max_distance is None else None
    given, limits = spert_batch.entities(), Limits(max_distance, thresholds)
    with torch.no_grad():
        whole = head.candidates(*spert_batch.inputs(), given, limits)
        monkeypatch.setattr(pair_scores, "_PAIRS_AT_ONCE", 3)
        found = head.candidates(*spert_batch.inputs(), given, limits)
    assert 0 < len(whole.heads) < len(spert_batch.pairs)
    assert torch.equal(found.heads, whole.heads) and torch.equal(found.tails, whole.tails)
    assert torch.allclose(found.relation_scores, whole.relation_scores)


# Long windows


class Largest(TorchDispatchMode):
    """Notes how many numbers the largest tensor has that torch makes."""

    n = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        output = function(*args, **(kwargs or {}))
        for x in output if isinstance(output, (list, tuple)) else [output]:
            if isinstance(x, torch.Tensor):
                self.n = max(self.n, x.numel())
        return output


def long_window(spert_batch, n_tokens, n_entities):
    torch.manual_seed(0)
    every = n_tokens // n_entities
    rows = [(0, every * i, every * i + 1 + i % 3, i % 2) for i in range(n_entities)]
    relations = [(i, i + 1, i % 3) for i in range(0, n_entities - 1, 2)]
    targets = spert_batch.targets(True, (True,), rows, relations)
    targets = targets._replace(known=torch.ones(n_tokens, dtype=torch.bool))
    return torch.randn(n_tokens, 5).double(), torch.tensor([n_tokens]), targets


def test_no_tensor_of_spans_by_tokens_by_features(make_head, spert_batch):
    n, n_entities, width = 400, 20, 10
    vectors, lengths, targets = long_window(spert_batch, n, n_entities)
    head = make_head(max_span_width=width, negative_entities=n * width)
    with Largest() as largest:
        losses = head.losses(vectors, lengths, targets)
        sum(losses.values()).backward()
        with torch.no_grad():
            head.candidates(vectors, lengths, targets.entities)
            head.find_entities(head.encoder(vectors, lengths), lengths)
    # [spans, features] are the largest, or [spans, entities] of the overlaps.
    n_spans = n * width
    assert n_spans <= largest.n <= n_spans * max(n_entities, head.encoder.span_width + 1)
    assert largest.n < n_spans * n / 10


@pytest.mark.slow
def test_long_window_with_many_entities(make_head, spert_batch, monkeypatch):
    monkeypatch.setattr(pair_scores, "_PAIRS_AT_ONCE", 5000)
    vectors, lengths, targets = long_window(spert_batch, 2000, 300)
    head = make_head(max_span_width=10, negative_entities=100, negative_relations=100)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.05)
    losses = []
    for _ in range(8):
        torch.manual_seed(0)
        loss = sum(head.losses(vectors, lengths, targets).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    with torch.no_grad(), Largest() as largest:
        found = head.eval().candidates(vectors, lengths, targets.entities)
    assert found.relation_scores.shape == (300 * 299, 3)
    assert largest.n <= max(5000 * (head.encoder.pair_width + 6), 300 * 300 * 3)
    with torch.no_grad():
        found = head.find_entities(head.encoder(vectors, lengths), lengths)[0]
    assert len(found.window) > 0


# Settings


@pytest.mark.parametrize(
    "setting, value",
    [
        ("max_span_width", 0),
        ("width_embedding", 0),
        ("classifier_hidden", 0),
        ("negative_entities", -1),
        ("negative_relations", -1),
        ("dropout", 1.0),
    ],
)
def test_setting_of_the_classifiers_out_of_range(setting, value):
    with pytest.raises(ValueError, match=rf"E405.*{setting} must be .*not {value}"):
        create_span_classifier_v1(**{setting: value})


def test_negative_weight(kind):
    with pytest.raises(ValueError, match=r"E405.*re_loss_weight must be .*not -0\.1"):
        BUILDERS[kind](tok2vec(), create_span_classifier_v1(), re_loss_weight=-0.1)


@pytest.mark.parametrize("bfloat16", [False, True])
def test_bfloat16_is_of_the_bridge(kind, bfloat16):
    model = BUILDERS[kind](tok2vec(), create_span_classifier_v1(), bfloat16=bfloat16)
    assert model.attrs["bfloat16"] is bfloat16
    assert "bfloat16" not in model.attrs["settings"]


def tok2vec():
    return Model("nothing", lambda model, X, is_train: (X, lambda dY: dY), dims={"nO": 5})
