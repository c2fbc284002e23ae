"""Listeners inside a joint model: has the component that they listen to read the Docs?

The listeners of spaCy, spacy-transformers and spacy-curated-transformers hand out zeros where it
has not: a model would make up entities and relations from them.

Private names of other libraries in this file:

| name | of | checked with |
|---|---|---|
| `_batch_id` of listeners | spaCy, spacy-transformers | 3.8.18, 1.4.0 |
| the name `transformer-listener` | spacy-transformers | 1.4.0 |
| `ListenerStateUtils`, its keys of `attrs` | spacy-curated-transformers | 0.3.1 |
| `float` in `pipeline.transformer`, which we set | spacy-curated-transformers | 0.3.1 |
"""

from typing import Any, Iterator, List, Optional

from spacy.pipeline.tok2vec import Tok2VecListener
from spacy.tokens import Doc
from thinc.api import Model

from ..errors import Errors

_CURATED = "_TRANSFORMER_LISTENER"
# Listeners that replace_listeners has put behind a transformer of their own don't look at Docs.
_ON_DOCS = "_USE_DOC_ANNOTATIONS_FOR_PREDICTION"
_LONGEST_TEXT = 40


class Upstream:
    """What a listener listens to."""

    kind = "transformer"

    def __init__(self, listener: Any):
        self.listener = listener

    @property
    def upstream_name(self) -> str:
        """ "*" for any."""
        return str(self.listener.upstream_name)

    @property
    def batch_id(self) -> Optional[int]:
        """Of the batch of training that it has just read; None if it hasn't."""
        found: Optional[int] = self.listener._batch_id
        return found

    def id_of(self, docs: List[Doc]) -> int:
        found: int = self.listener.get_batch_id(docs)
        return found

    def has_read(self, doc: Doc) -> bool:
        return doc.has_extension("trf_data") and hasattr(doc._.trf_data, "align")

    def prepare_training(self) -> None:
        """Before the gradient is sent to it."""

    def hand_over(self, docs: List[Doc]) -> None:
        """Let a listener in training read what is on the Docs."""

    @property
    def name(self) -> str:
        """For people."""
        named = self.upstream_name
        return f"a component '{self.kind}'" if named == "*" else f"the component '{named}'"


class Tok2VecUpstream(Upstream):
    """Of spaCy's own listener."""

    kind = "tok2vec"

    def has_read(self, doc: Doc) -> bool:
        return bool(doc.tensor.size)


class CuratedUpstream(Upstream):
    """Of a listener of spacy-curated-transformers."""

    @property
    def upstream_name(self) -> str:
        return str(self.listener.attrs["_upstream_name"])

    @property
    def batch_id(self) -> Optional[int]:
        found: Optional[int] = self.listener.attrs["_state"].batch_id
        return found

    def id_of(self, docs: List[Doc]) -> int:
        return sum(token.orth for doc in docs for token in doc)

    def has_read(self, doc: Doc) -> bool:
        return doc.has_extension("trf_data") and hasattr(doc._.trf_data, "last_layer_only")

    def prepare_training(self) -> None:
        """It sums its loss up in an array of one number, which `float` refuses from NumPy 2.4
        on."""
        from spacy_curated_transformers.pipeline import transformer

        transformer.float = _float

    def hand_over(self, docs: List[Doc]) -> None:
        """These listeners don't look at the Docs in training, also where the transformer is frozen
        and annotates them."""
        from spacy_curated_transformers.models.listeners import ListenerStateUtils
        from spacy_curated_transformers.models.output import TransformerModelOutput

        data = [doc._.trf_data for doc in docs]
        output: Any = TransformerModelOutput(
            outputs=[x.all_outputs for x in data], last_layer_only=data[0].last_layer_only
        )
        ListenerStateUtils.receive(self.listener, self.id_of(docs), output, _no_backprop)


def _float(x: Any) -> float:
    return float(x.item()) if hasattr(x, "item") else float(x)


def _no_backprop(d_outputs: Any, outputs_to_backprop: Any = ()) -> List[Any]:
    return []


def _upstreams(tok2vec: Model) -> Iterator[Upstream]:
    """YIELDS (Upstream): For each listener."""
    for node in tok2vec.walk():
        if isinstance(node, Tok2VecListener):
            yield Tok2VecUpstream(node)
        elif node.name == "transformer-listener":
            yield Upstream(node)
        elif _CURATED in node.attrs and node.attrs[_ON_DOCS]:
            yield CuratedUpstream(node)


def check_initialized(tok2vec: Model) -> None:
    """RAISES (ValueError): A listener has not been told how wide its vectors are: what it listens
    to is not there."""
    for upstream in _upstreams(tok2vec):
        if upstream.listener.has_dim("nO") is None:
            raise ValueError(Errors.E455.format(upstream=upstream.name))


def check_upstream(tok2vec: Model, docs: List[Doc], is_train: bool) -> None:
    """Check that what listeners listen to has read the Docs.

    tok2vec (Model): The token vectors of a joint model.
    RAISES (ValueError): It has not.
    """
    for upstream in _upstreams(tok2vec):
        if is_train and upstream.batch_id is not None:
            if upstream.batch_id != upstream.id_of(docs):
                raise ValueError(_not_read(upstream, docs[0]))
            upstream.prepare_training()
            continue
        for doc in docs:
            if len(doc) and not upstream.has_read(doc):
                raise ValueError(_not_read(upstream, doc))
        if is_train:
            upstream.hand_over(docs)


def _not_read(upstream: Upstream, doc: Doc) -> str:
    text = doc.text if len(doc.text) <= _LONGEST_TEXT else f"{doc.text[:_LONGEST_TEXT]}…"
    return Errors.E456.format(upstream=upstream.name, text=text)
