"""What all joint models share: the contract of a head, and the bridge between Thinc and torch.

A model is a Thinc layer `tok2vec` that turns Docs into token vectors, and a torch module, the head,
that turns the vectors of a batch into losses (training) or candidates (prediction). A head knows
nothing about Docs, and the component that drives it knows nothing about torch.
"""

from contextlib import nullcontext
from typing import (
    Any,
    Callable,
    ContextManager,
    Dict,
    Iterator,
    List,
    Optional,
    Sequence,
    Tuple,
    Type,
    TypeVar,
    Union,
    cast,
)

import numpy
import torch
from spacy.tokens import Doc
from thinc.api import ArgsKwargs, Model, torch2xp, xp2torch
from thinc.types import Floats1d, Floats2d
from torch import Tensor, nn

from ..errors import Errors
from .shim import TorchShim
from .storage import LoadError
from .stored_model import StoredModel
from .types import (
    NO_LIMITS,
    Array1d,
    Candidates,
    Entities,
    JointBatch,
    Limits,
    Proposals,
    Targets,
)
from .upstream import check_initialized, check_upstream

# Tokens, padding included, that go through the head at once in prediction.
_TOKENS_AT_ONCE = 4096


class JointHead(nn.Module):
    """The contract of every torch module under a joint model.

    `vectors` are those of all windows of a batch, one after the other, [n_tokens, width]; `lengths`
    are the tokens of each window, [n_windows], all positive. Where `reads_context` is set, the
    head's argument `context_width` tells how many of the first features are the vector of the
    sequence that a token was read in.
    """

    reads_context = False

    def losses(
        self, vectors: Tensor, lengths: Tensor, targets: Targets, limits: Limits = NO_LIMITS
    ) -> Dict[str, Tensor]:
        """RETURNS (Dict[str, Tensor]): One weighted scalar per task that has something to learn."""
        raise NotImplementedError

    def candidates(
        self,
        vectors: Tensor,
        lengths: Tensor,
        given: Optional[Entities] = None,
        limits: Limits = NO_LIMITS,
    ) -> Candidates:
        """given (Optional[Entities]): Entities to relate instead of the head's own."""
        raise NotImplementedError

    def forward(
        self,
        vectors: Tensor,
        lengths: Tensor,
        targets: Optional[Targets] = None,
        given: Optional[Entities] = None,
        limits: Limits = NO_LIMITS,
    ) -> Any:
        """RETURNS: Losses where there are targets, else candidates."""
        if targets is not None:
            return self.losses(vectors, lengths, targets, limits)
        return self.candidates(vectors, lengths, given, limits)


class StoredJointModel(StoredModel[JointBatch, Any]):
    """A joint model. Its settings are those of the config; its weights must fit them."""

    __slots__ = ()
    from_config = ("settings", "bfloat16")

    def check_loaded(self, kept: Dict[str, Any], checked: bool) -> None:
        shim = cast(TorchShim, self.shims[0])
        if shim.settings is None:
            return
        labels = [len(x) for x in self.attrs.get("labels") or ()]
        sizes = [shim.settings.get(f"n_{kind}_labels") for kind in ("entity", "relation")]
        width = self.get_dim("nI") if self.has_dim("nI") else None
        if width != shim.settings.get("width") or (labels and labels != sizes):
            raise LoadError(Errors.E441, reason="its labels or widths are not those of its weights")
        settings = {**shim.settings, **kept["settings"]}
        if settings != shim.settings:
            try:
                shim.load(settings, shim._model.state_dict())
            except LoadError:
                if checked:  # The first format stored settings that its config did not have.
                    raise


JointModel = Model[JointBatch, Any]
Named = TypeVar("Named", Targets, Entities)


def build_joint_model(
    tok2vec: Model[List[Doc], List[Floats2d]],
    head: Type[JointHead],
    settings: Dict[str, Any],
    *,
    bfloat16: bool = False,
) -> JointModel:
    """Put a torch head on token vectors.

    tok2vec (Model[List[Doc], List[Floats2d]]): Token vectors; listeners are welcome.
    head (Type[JointHead]): Built at initialization, when the width of the vectors and the labels
        are known.
    settings (Dict[str, Any]): The head's other arguments, plain values.
    bfloat16 (bool): Let the head compute in bfloat16 where that is safe (autocast).
    RETURNS (JointModel): In training it gives one loss per task, [n_tasks], and takes their
        gradients; in prediction it gives Proposals. Its attribute `tasks` names the losses.
    """
    model: JointModel = StoredJointModel(
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


def has_finite_gradients(model: JointModel) -> bool:
    """RETURNS (bool): Whether all gradients of the head that were gathered are finite."""
    module = cast(TorchShim, model.shims[0])._model
    parameters = module.parameters() if isinstance(module, nn.Module) else ()
    gradients = [x.grad for x in parameters if x.grad is not None]
    return not gradients or bool(nn.utils.get_total_norm(gradients).isfinite())


def _init(model: JointModel, X: Optional[JointBatch] = None, Y: Any = None) -> JointModel:
    """Y: numbers of entity and of relation labels."""
    tok2vec = model.get_ref("tok2vec")
    check_initialized(tok2vec)
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
    """RETURNS (int): The width of the sequence's vector, which `spacy-jere.TransformerListener.v1`
    puts in front of a token's own vector; 0 if it doesn't come along."""
    return tok2vec.get_ref("context").get_dim("nO") if tok2vec.has_ref("context") else 0


def _forward(
    model: JointModel, batch: Union[JointBatch, List[Doc]], is_train: bool
) -> Tuple[Any, Callable[[Floats1d], List[Doc]]]:
    if not isinstance(batch, JointBatch):
        batch = _whole_docs(batch)
    tok2vec = model.get_ref("tok2vec")
    check_upstream(tok2vec, batch.docs, is_train)
    if not is_train:  # by `predict`, so that nothing is kept for a gradient meanwhile
        return _predict(model, batch, model.ops.flatten(tok2vec.predict(batch.docs))), _no_backprop
    vectors, backprop_vectors = tok2vec(batch.docs, is_train)
    flat = model.ops.flatten(vectors)
    shim = cast(TorchShim, model.shims[0])
    shim.set_dropout(model.attrs["dropout_rate"])
    device = shim.device
    assert batch.targets is not None
    inputs = ArgsKwargs(
        args=(
            xp2torch(flat, requires_grad=True, device=device),
            _tensor(batch.windows[:, 2] - batch.windows[:, 1], device),
            _tensors(batch.targets, device),
        ),
        kwargs={"limits": batch.limits},
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


def _whole_docs(docs: Sequence[Doc]) -> JointBatch:
    """RETURNS: A batch for prediction, as `spacy debug model` and other users of Thinc models give
    Docs alone: each is one window."""
    bounds = [(i, 0, len(doc)) for i, doc in enumerate(docs) if len(doc)]
    return JointBatch(list(docs), numpy.asarray(bounds, dtype="int64").reshape((-1, 3)))


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
            given = _tensors(_given_in(batch.given, chosen, first - starts[chosen]), device)
        inputs = (vectors[_tensor(rows, device)], _tensor(sizes, device), None, given, batch.limits)
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


def _given_in(entities: Entities, chosen: Array1d, offsets: Array1d) -> Entities:
    """RETURNS: The entities that lie in the chosen windows, in the numbering of the part."""
    inside = entities.where(numpy.isin(entities.window, chosen))
    window = numpy.searchsorted(chosen, inside.window)
    shift = offsets[window]
    return Entities(window, inside.start + shift, inside.end + shift, inside.label)


def _tensors(arrays: Named, device: torch.device) -> Named:
    """RETURNS: The same shapes, with tensors in place of arrays."""
    tensors: Dict[str, Any] = {
        name: _tensors(x, device) if isinstance(x, Entities) else _tensor(x, device)
        for name, x in arrays._asdict().items()
    }
    return arrays._replace(**tensors)


def _tensor(array: Any, device: torch.device) -> Tensor:
    return torch.as_tensor(numpy.ascontiguousarray(array), device=device)
