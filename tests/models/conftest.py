"""What the tests of span-based heads share: a batch of three windows, and the formulas of SpERT,
one span at a time."""

from itertools import permutations
from types import SimpleNamespace

import pytest
import torch

from spacy_jere.models.types import Entities, Targets

LENGTHS = [4, 1, 6]
# Window, start, end (through all windows), label
ENTITIES = [(0, 0, 2, 1), (0, 3, 4, 0), (2, 5, 6, 0), (2, 5, 9, 1), (2, 10, 11, 0)]
RELATIONS = [(0, 1, 2), (2, 4, 0), (4, 2, 1), (4, 2, 2)]
PAIRS = [(i, j) for i, j in permutations(range(5), 2) if ENTITIES[i][0] == ENTITIES[j][0]]
SETTINGS = {
    "width": 5,
    "context_width": 2,
    "n_entity_labels": 2,
    "n_relation_labels": 3,
    "n_widths": 3,
    "re_loss_weight": 2.5,
}
SPANS = {
    "max_span_width": 3,
    "width_embedding": 2,
    "span_ends": False,
    "negative_entities": 5,
    "negative_relations": 2,
    "dropout": 0.0,
    "classifier_hidden": None,
}
BIRNN = {
    "cell": "gru",
    "hidden": 4,
    "shared_layers": 0,
    "ner_layers": 0,
    "re_layers": 0,
    "word_dropout": 0.0,
    "keep_tokens": True,
}


def entities(rows=ENTITIES):
    return Entities(*torch.tensor(rows, dtype=torch.long).reshape(-1, 4).T)


def targets(
    known=True, relations_known=(True, True, True), rows=ENTITIES, relations=RELATIONS, two_ways=()
):
    relations = torch.tensor(relations, dtype=torch.long).reshape(-1, 3)
    symmetric = torch.tensor([x in two_ways for x in relations[:, 2].tolist()], dtype=torch.bool)
    return Targets(
        entities(rows),
        torch.ones(len(rows), dtype=torch.bool),
        torch.full((sum(LENGTHS),), known),
        relations,
        symmetric,
        torch.tensor(relations_known, dtype=torch.bool),
    )


def inputs():
    seed = torch.Generator().manual_seed(1)
    return torch.randn(sum(LENGTHS), 5, generator=seed).double(), torch.tensor(LENGTHS)


def width_vector(head, start, end):
    return head.encoder.width_embedding.weight[min(end - start, 2)]


def span_vector(head, window, start, end):
    """Equation 1: c ∘ f(s) ∘ w_|s|."""
    vectors = inputs()[0]
    context = vectors[sum(LENGTHS[:window])][:2]
    return torch.cat(
        [context, vectors[start:end, 2:].max(0).values, width_vector(head, start, end)]
    )


def pair_vector(head, first, second):
    """Equation 2: c(s1, s2) ∘ f(s1) ∘ f(s2) ∘ w_|s1| ∘ w_|s2|."""
    tokens = inputs()[0][:, 2:]
    (a, b), (c, d) = first, second
    between = [i for i in range(sum(LENGTHS)) if min(b, d) <= i < max(a, c)]
    parts = [tokens[between].max(0).values if between else torch.zeros(3).double()]
    parts += [tokens[a:b].max(0).values, tokens[c:d].max(0).values]
    return torch.cat([*parts, width_vector(head, a, b), width_vector(head, c, d)])


def every_span(max_width=3):
    rows, first = [], 0
    for window, length in enumerate(LENGTHS):
        last = first + length
        rows += [
            (window, i, j)
            for i in range(first, last)
            for j in range(i + 1, min(i + max_width, last) + 1)
        ]
        first = last
    return rows


def make_head(kind, **changes):
    """A head that finds entities: the weights of its classifiers are large.

    changes: Settings of the head and of its parts, by their names.
    """
    torch.manual_seed(2)
    own = {x: y for x, y in changes.items() if x not in {*SPANS, *BIRNN}}
    spans, birnn = ({x: changes.get(x, y) for x, y in part.items()} for part in (SPANS, BIRNN))
    parts = {"spans": spans, "birnn": {**birnn, "dropout": 0.0}}
    head = kind(**{**SETTINGS, **own}, **parts).double()
    with torch.no_grad():
        for name, weights in head.named_parameters():
            if "encoder" not in name and weights.ndim == 2:
                weights *= 4
        *_, last = head.entity_classifier.modules()
        last.bias.zero_()
    return head


@pytest.fixture(scope="session")
def spert_batch():
    """The batch and the formulas."""
    return SimpleNamespace(
        lengths=LENGTHS,
        rows=ENTITIES,
        relations=RELATIONS,
        pairs=PAIRS,
        entities=entities,
        targets=targets,
        inputs=inputs,
        span_vector=span_vector,
        pair_vector=pair_vector,
        every_span=every_span,
        make_head=make_head,
    )


@pytest.fixture
def record(monkeypatch):
    """Notes what the functions that sample return, as the losses are over that."""

    def _record(module):
        found = {}
        for name in ("sample_spans", "sample_pairs"):
            plain = getattr(module, name)

            def sample(*args, name=name, plain=plain, **options):
                found[name] = plain(*args, **options)
                return found[name]

            monkeypatch.setattr(module, name, sample)
        return found

    return _record


@pytest.fixture
def switch_off_dropout():
    """Makes a transformer's gradient the same each time."""

    def _switch_off_dropout(transformer):
        for module in transformer.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
            if hasattr(module, "dropout_prob"):  # of attention
                module.dropout_prob = 0.0

    return _switch_off_dropout
