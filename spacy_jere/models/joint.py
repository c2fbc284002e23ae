"""What all joint models share: the data that flows through them and the bridge between Thinc and torch.

A model is a Thinc layer `tok2vec` that turns Docs into token vectors, and a torch module, the head, that turns the
vectors of a batch into losses (training) or candidates (prediction). A head knows nothing about Docs, and the component
that drives it nothing about torch.
"""

from contextlib import nullcontext
from typing import (
    Any,
    Callable,
    ContextManager,
    Dict,
    Iterator,
    List,
    NamedTuple,
    Optional,
    Tuple,
    Type,
    cast,
)

import numpy
import torch
from spacy.tokens import Doc
from thinc.api import ArgsKwargs, Model, torch2xp, xp2torch
from thinc.types import Floats1d, Floats2d
from torch import Tensor, nn

from .shim import TorchShim
from .types import Array1d, Array2d

# Tokens, padding included, that go through the head at once in prediction.
_TOKENS_AT_ONCE = 4096


class Entities(NamedTuple):
    """Entities of a batch, ordered by window. All of shape [n_entities], integers.

    window: The window each lies in.
    start, end: Tokens, counted through all windows of the batch; the end is exclusive.
    label: Index of the entity label.
    """

    window: Tensor
    start: Tensor
    end: Tensor
    label: Tensor


class Targets(NamedTuple):
    """What a batch of windows should be given.

    entities: The gold entities that could be aligned.
    flat: Which of them form the non-overlapping set that BIO tags can say. Shape [n_entities], bool.
    known: Which tokens have entity annotation. Shape [n_tokens], bool.
    relations: Head and tail (indices into `entities`) and label. Shape [n_relations, 3].
    symmetric: Which of them hold in the other direction too; their head is the entity that comes first.
        Shape [n_relations], bool.
    relations_known: Which windows have relation annotation. Shape [n_windows], bool.
    """

    entities: Entities
    flat: Tensor
    known: Tensor
    relations: Tensor
    symmetric: Tensor
    relations_known: Tensor

    def flat_entities(self) -> Entities:
        """RETURNS (Entities): Those that don't overlap."""
        return Entities(*(x[self.flat] for x in self.entities))


class Candidates(NamedTuple):
    """What a head proposes for a batch of windows, before thresholds.

    entities: The entities, ordered by window.
    entity_scores: Their probabilities. Shape [n_entities].
    heads, tails: Ordered pairs, as indices into `entities`. Shape [n_pairs].
    relation_scores: Probability of each relation label. Shape [n_pairs, n_relation_labels].
    """

    entities: Entities
    entity_scores: Tensor
    heads: Tensor
    tails: Tensor
    relation_scores: Tensor


class JointHead(nn.Module):
    """The contract of every torch module under a joint model.

    `vectors` are those of all windows of a batch, one after the other, [n_tokens, width]; `lengths` the tokens of
    each window, [n_windows], all positive. Where `reads_context` is set, the head's argument `context_width` tells how
    many of the first features are the vector of the sequence that a token was read in.
    """

    reads_context = False

    def losses(self, vectors: Tensor, lengths: Tensor, targets: Targets) -> Dict[str, Tensor]:
        """RETURNS (Dict[str, Tensor]): One scalar, weighted, per task that has something to learn from."""
        raise NotImplementedError

    def candidates(
        self, vectors: Tensor, lengths: Tensor, given: Optional[Entities] = None
    ) -> Candidates:
        """given (Optional[Entities]): Entities to relate instead of the head's own."""
        raise NotImplementedError

    def forward(
        self,
        vectors: Tensor,
        lengths: Tensor,
        targets: Optional[Targets] = None,
        given: Optional[Entities] = None,
    ) -> Any:
        """RETURNS: Losses where there are targets, else candidates."""
        if targets is not None:
            return self.losses(vectors, lengths, targets)
        return self.candidates(vectors, lengths, given)


class TargetArrays(NamedTuple):
    """`Targets` before torch. `entities` has window, start, end and label in its columns, [n_entities, 4]."""

    entities: Array2d
    flat: Array1d
    known: Array1d
    relations: Array2d
    symmetric: Array1d
    relations_known: Array1d


class JointBatch(NamedTuple):
    """What a joint model is given.

    docs: The Docs, each with at least one token.
    windows: Doc, first token and end of each window; together they cover all tokens in order. [n_windows, 3]
    targets: In training.
    given: Entities to relate, as window, start, end, label. [n_entities, 4]
    """

    docs: List[Doc]
    windows: Array2d
    targets: Optional[TargetArrays] = None
    given: Optional[Array2d] = None


class Proposals(NamedTuple):
    """`Candidates` of a batch of Docs, as numpy arrays.

    entities: Doc, first token in the Doc, end and label. Shape [n_entities, 4].
    entity_scores: Shape [n_entities].
    pairs: Head and tail, as indices into `entities`. Shape [n_pairs, 2].
    relation_scores: Shape [n_pairs, n_relation_labels].
    """

    entities: Array2d
    entity_scores: Array1d
    pairs: Array2d
    relation_scores: Array2d


class Extraction(NamedTuple):
    """What was found in one Doc, as plain values.

    entities: First token, end, label and probability, by position.
    relations: Head and tail (indices into `entities`), label and probability.
    """

    entities: List[Tuple[int, int, str, float]]
    relations: List[Tuple[int, int, str, float]]


JointModel = Model[JointBatch, Any]


def build_joint_model(
    tok2vec: Model[List[Doc], List[Floats2d]],
    head: Type[JointHead],
    settings: Dict[str, Any],
    *,
    bfloat16: bool = False,
) -> JointModel:
    """Put a torch head on token vectors.

    tok2vec (Model[List[Doc], List[Floats2d]]): Token vectors; listeners are welcome.
    head (Type[JointHead]): Built at initialization, when the width of the vectors and the labels are known.
    settings (Dict[str, Any]): The head's other arguments, plain values.
    bfloat16 (bool): Let the head compute in bfloat16 where that is safe (autocast).
    RETURNS (JointModel): In training it gives one loss per task, [n_tasks], and takes their gradients; in
        prediction it gives Proposals. Its attribute `tasks` names the losses.
    """
    model: JointModel = Model(
        "joint_ner_re",
        _forward,
        init=_init,
        layers=[tok2vec],
        shims=[TorchShim(head)],
        refs={"tok2vec": tok2vec},
        dims={"nI": None},
        attrs={"settings": settings, "dropout_rate": 0.0, "tasks": [], "bfloat16": bfloat16},
    )
    return model


def n_trainable(model: Model) -> int:
    """RETURNS (int): How many numbers training can change, Thinc and torch parameters together."""
    count = 0
    for node in model.walk():
        count += sum(node.get_param(x).size for x in node.param_names if node.has_param(x))
        for shim in node.shims:
            parameters = shim._model.parameters() if isinstance(shim._model, nn.Module) else ()
            count += sum(x.numel() for x in parameters if x.requires_grad)
    return count


def _init(model: JointModel, X: Optional[JointBatch] = None, Y: Any = None) -> JointModel:
    """Y: numbers of entity and of relation labels."""
    tok2vec = model.get_ref("tok2vec")
    tok2vec.initialize(X=X.docs if X is not None else None)
    if Y is not None:
        width = tok2vec.get_dim("nO")
        model.set_dim("nI", width, force=True)
        n_entity_labels, n_relation_labels = Y
        shim = cast(TorchShim, model.shims[0])
        settings = {
            **model.attrs["settings"],
            "width": width,
            "n_entity_labels": n_entity_labels,
            "n_relation_labels": n_relation_labels,
        }
        if cast(Type[JointHead], shim.module_type).reads_context:
            settings["context_width"] = context_width(tok2vec)
        shim.build(settings)
    return model


def context_width(tok2vec: Model) -> int:
    """RETURNS (int): The width of the sequence's vector, which `spacy-jere.TransformerListener.v1` puts in front of a
    token's own; 0 if it doesn't come along."""
    return tok2vec.get_ref("context").get_dim("nO") if tok2vec.has_ref("context") else 0


def _forward(
    model: JointModel, batch: JointBatch, is_train: bool
) -> Tuple[Any, Callable[[Floats1d], List[Doc]]]:
    vectors, backprop_vectors = model.get_ref("tok2vec")(batch.docs, is_train)
    flat = model.ops.flatten(vectors)
    if not is_train:
        return _predict(model, batch, flat), _no_backprop
    shim = cast(TorchShim, model.shims[0])
    shim.set_dropout(model.attrs["dropout_rate"])
    device = shim.device
    assert batch.targets is not None
    inputs = ArgsKwargs(
        args=(
            xp2torch(flat, requires_grad=True, device=device),
            _tensor(batch.windows[:, 2] - batch.windows[:, 1], device),
            _targets(batch.targets, device),
        ),
        kwargs={},
    )
    with _precision(model, device):
        losses, backprop_torch = shim(inputs, is_train)
    model.attrs["tasks"] = list(losses)
    sizes = [len(x) for x in vectors]

    def backprop(d_losses: Floats1d) -> List[Doc]:
        # The loss of a task that has nothing to learn from in this batch is a constant.
        learned = [(x, d) for x, d in zip(losses.values(), d_losses) if x.requires_grad]
        if not learned:
            return backprop_vectors([model.ops.alloc2f(*x.shape) for x in vectors])
        gradients = [
            torch.as_tensor(float(d), dtype=loss.dtype, device=device) for loss, d in learned
        ]
        tensors = [loss for loss, _ in learned]
        d_inputs = backprop_torch(ArgsKwargs(args=(tensors,), kwargs={"grad_tensors": gradients}))
        d_flat = cast(Floats2d, torch2xp(d_inputs.args[0]))
        return backprop_vectors(model.ops.unflatten(d_flat, model.ops.asarray1i(sizes)))

    values = numpy.asarray([float(x.detach()) for x in losses.values()], dtype="f")
    return values, backprop


def _precision(model: JointModel, device: torch.device) -> ContextManager[Any]:
    return torch.autocast(device.type, torch.bfloat16) if model.attrs["bfloat16"] else nullcontext()


def _no_backprop(d_output: Any) -> List[Doc]:
    return []


def _predict(model: JointModel, batch: JointBatch, flat: Floats2d) -> Proposals:
    """Send windows of similar length through the head together."""
    shim = cast(TorchShim, model.shims[0])
    device = shim.device
    vectors = xp2torch(flat, device=device)
    windows = batch.windows
    lengths = windows[:, 2] - windows[:, 1]
    starts = numpy.cumsum(lengths) - lengths
    parts: List[Proposals] = []
    n_entities = 0
    for chosen in _by_length(lengths):
        sizes = lengths[chosen]
        first = numpy.cumsum(sizes) - sizes
        rows = numpy.arange(sizes.sum()) + numpy.repeat(starts[chosen] - first, sizes)
        given = None
        if batch.given is not None:
            given = _given(batch.given, chosen, first - starts[chosen], device)
        inputs = (vectors[_tensor(rows, device)], _tensor(sizes, device), None, given)
        with _precision(model, device):
            candidates = cast(Candidates, shim.predict(ArgsKwargs(args=inputs, kwargs={})))
        window, start, end, label = (x.cpu().numpy() for x in candidates.entities)
        document, offset = windows[chosen[window], 0], windows[chosen[window], 1] - first[window]
        pairs = torch.stack([candidates.heads, candidates.tails], 1).cpu().numpy()
        parts.append(
            Proposals(
                numpy.stack([document, start + offset, end + offset, label], 1),
                candidates.entity_scores.float().cpu().numpy(),
                pairs + n_entities,
                candidates.relation_scores.float().cpu().numpy(),
            )
        )
        n_entities += len(window)
    return Proposals(*(numpy.concatenate(x) for x in zip(*parts)))


def _by_length(lengths: Array1d) -> Iterator[Array1d]:
    """YIELDS (Array1d): Windows to be put through the head together, ascending within a part."""
    order = numpy.argsort(-lengths, kind="stable")
    first = 0
    while first < len(order):
        n_windows = max(1, _TOKENS_AT_ONCE // int(lengths[order[first]]))
        yield numpy.sort(order[first : first + n_windows])
        first += n_windows


def _given(entities: Array2d, chosen: Array1d, offsets: Array1d, device: torch.device) -> Entities:
    """Those given entities that lie in the chosen windows, in the numbering of the part."""
    entities = entities[numpy.isin(entities[:, 0], chosen)]
    window = numpy.searchsorted(chosen, entities[:, 0])
    offset = offsets[window]
    start, end = entities[:, 1] + offset, entities[:, 2] + offset
    return Entities(*(_tensor(x, device) for x in (window, start, end, entities[:, 3])))


def _targets(arrays: TargetArrays, device: torch.device) -> Targets:
    entities = Entities(*(_tensor(arrays.entities[:, i], device) for i in range(4)))
    return Targets(entities, *(_tensor(x, device) for x in arrays[1:]))


def _tensor(array: Any, device: torch.device) -> Tensor:
    return torch.as_tensor(numpy.ascontiguousarray(array), device=device)
