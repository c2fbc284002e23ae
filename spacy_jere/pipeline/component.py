"""The pipeline component `joint_ner_re`: reads a text once, writes entities and relations."""

import warnings
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence, Tuple, Union, cast

import numpy
from spacy.language import Language
from spacy.pipeline.trainable_pipe import TrainablePipe
from spacy.tokens import Doc
from spacy.training import Example, validate_examples, validate_get_examples
from spacy.util import logger
from spacy.vocab import Vocab
from thinc.api import Config, Model, Optimizer, set_dropout_rate

from ..errors import Errors, Warnings
from ..evaluation.scorer import DEFAULT_SCORE_WEIGHTS, Scores
from ..models.joint import JointModel, has_finite_gradients, n_trainable
from ..models.storage import naming
from ..models.types import Array1d, Entities, Extraction, JointBatch, Limits, Proposals
from ..relations import DEFAULT_SPANS_KEY, EXTENSION, require_extension
from ..schema import (
    LEARN,
    Rule,
    SchemaConfig,
    check_labels,
    parse_schema,
    symmetric_labels,
)
from ..windows import doc_windows, white_space
from .decoding import decode, trimmed
from .labels import SAMPLE_SIZE, check_new_label, collect_labels, read_label_data
from .presets import annotate, around, find_presets, joined, to_relate
from .settings import Settings, check_config_form, check_labels_of_thresholds
from .targets import (
    BatchWindows,
    align_example,
    align_given,
    batch_windows,
    check_known,
    make_targets,
)

default_model_config = """
[model]
@architectures = "spacy-jere.TaskSpecificBiRNN.v1"

[model.tok2vec]
@architectures = "spacy-jere.TokenFeatures.v1"
static_vectors = false
characters = 32
casing = true

[model.tok2vec.contextual]
@architectures = "spacy.HashEmbedCNN.v2"
pretrained_vectors = null
width = 128
depth = 2
embed_size = 4000
window_size = 1
maxout_pieces = 3
subword_features = true

[model.birnn]
@layers = "spacy-jere.TaskBiRNN.v1"
"""
# A window is far longer than those of training if it has more than so many times the tokens of the
# longest of them, and more than so many tokens.
FAR_LONGER, LONG_WINDOW = 4, 200
DEFAULT_MODEL = Config().from_str(default_model_config)["model"]


@Language.factory(
    "joint_ner_re",
    assigns=["doc.ents", "token.ent_iob", "token.ent_type", "doc.spans", "doc._.relations"],
    default_config={
        "model": DEFAULT_MODEL,
        "ent_threshold": 0.0,
        "rel_threshold": 0.5,
        "thresholds_by_relation": {},
        "overlap": True,
        "window": "sentence",
        "max_distance": None,
        "spans_key": DEFAULT_SPANS_KEY,
        "schema": None,
        "given_entities": False,
        "relations_attr": EXTENSION,
        "learn_rate_factor": 1.0,
        "scorer": {"@scorers": "spacy-jere.joint_scorer.v1"},
    },
    default_score_weights=DEFAULT_SCORE_WEIGHTS,
)
def make_joint_ner_re(
    nlp: Language,
    name: str,
    model: Model[JointBatch, Any],
    ent_threshold: float,
    rel_threshold: float,
    thresholds_by_relation: Union[Dict[str, float], List[List[Any]]],
    overlap: bool,
    window: str,
    max_distance: Optional[int],
    spans_key: Optional[str],
    schema: Union[str, Dict[str, Any], List[Dict[str, Any]], None],
    given_entities: bool,
    relations_attr: str,
    learn_rate_factor: float,
    scorer: Optional[Callable[..., Scores]],
) -> "JointEntityRelationExtractor":
    """Construct the component.

    model (Model[JointBatch, Any]): A joint architecture: `spacy-jere.TaskSpecificBiRNN.v1`,
        `spacy-jere.SpERT.v1` or `spacy-jere.SpERTMT.v1`.
    ent_threshold (float): The least probability of an entity that is reported. 0 reports all
        entities that the model decides for.
    rel_threshold (float): The least probability of a relation that is reported.
    thresholds_by_relation (Union[Dict[str, float], List[List[Any]]]): The same for single relation
        labels, as `find-thresholds` sets them: a section, or a list of [label, number] for labels
        that can't be keys of a config. Other labels keep `rel_threshold`.
    overlap (bool): Whether entities may overlap in doc.spans and in relations. If not, the most
        probable of overlapping entities is kept, as in doc.ents.
    window (str): Where relations are looked for: in each "sentence", where sentence boundaries are
        set, or in the whole "doc".
    max_distance (Optional[int]): The greatest number of tokens between the two entities of a
        relation, 0 for entities that touch. It bounds the time that long windows take. null for no
        limit.
    spans_key (Optional[str]): The key of `doc.spans` for all entities, overlapping ones included,
        with their scores. The default key is written only where entities overlap, another one
        always; null writes none. Annotated entities are read from it too.
    schema (Union[str, Dict[str, Any], List[Dict[str, Any]], None]): For each relation label `head`
        and `tail`, the entity labels it may join, and `symmetric`: a section, or a list with the
        label under `relation`. "learn" takes over what the training data has; null allows
        everything.
    given_entities (bool): Find relations between the entities that doc.ents has already, and leave
        these alone.
    relations_attr (str): The name NAME of `doc._.NAME` and `span._.NAME`, for programs in which
        something else owns `doc._.relations`.
    learn_rate_factor (float): Factor on the learning rate of this component's weights. It sets a
        higher rate for the randomly initialized layers over a fine-tuned transformer.
    scorer (Optional[Callable]): The scoring method.
    RAISES (ValueError): A setting out of its range, or with a label that a config can't hold.
    """
    check_config_form("thresholds_by_relation", thresholds_by_relation)
    check_config_form("schema", schema)
    component = JointEntityRelationExtractor(
        nlp.vocab,
        model,
        name,
        ent_threshold=ent_threshold,
        rel_threshold=rel_threshold,
        thresholds_by_relation=thresholds_by_relation,
        overlap=overlap,
        window=window,
        max_distance=max_distance,
        spans_key=spans_key,
        schema=schema,
        given_entities=given_entities,
        relations_attr=relations_attr,
        learn_rate_factor=learn_rate_factor,
        scorer=scorer,
    )
    component.cfg.bind(nlp)
    return component


class JointEntityRelationExtractor(TrainablePipe):
    """Finds entities and relations together. The settings are those of `make_joint_ner_re`."""

    model: JointModel
    cfg: Settings

    def __init__(
        self,
        vocab: Vocab,
        model: JointModel,
        name: str = "joint_ner_re",
        *,
        ent_threshold: float = 0.0,
        rel_threshold: float = 0.5,
        thresholds_by_relation: Union[Dict[str, float], List[List[Any]], None] = None,
        overlap: bool = True,
        window: str = "sentence",
        max_distance: Optional[int] = None,
        spans_key: Optional[str] = DEFAULT_SPANS_KEY,
        schema: SchemaConfig = None,
        given_entities: bool = False,
        relations_attr: str = EXTENSION,
        learn_rate_factor: float = 1.0,
        scorer: Optional[Callable[..., Scores]] = None,
    ):
        self.vocab = vocab
        self.model = model
        self.name = name
        self.scorer = scorer
        self.n_updates = 0
        self._rehearsal_model: Optional[JointModel] = None  # spaCy's resume_training sets it
        self._has_told_of_length = False
        self.cfg = Settings(
            {
                "ent_threshold": ent_threshold,
                "rel_threshold": rel_threshold,
                "thresholds_by_relation": thresholds_by_relation or {},
                "overlap": overlap,
                "window": window,
                "max_distance": max_distance,
                "spans_key": spans_key,
                "schema": schema,
                "given_entities": given_entities,
                "relations_attr": relations_attr,
                "learn_rate_factor": learn_rate_factor,
            }
        )
        require_extension(self.cfg["relations_attr"])

    # Labels

    @property
    def entity_labels(self) -> Tuple[str, ...]:
        return tuple(self.cfg["entity_labels"])

    @property
    def relation_labels(self) -> Tuple[str, ...]:
        return tuple(self.cfg["relation_labels"])

    @property
    def labels(self) -> Tuple[str, ...]:
        """RETURNS (Tuple[str, ...]): Entity labels, then relation labels."""
        return self.entity_labels + self.relation_labels

    @property
    def label_data(self) -> Dict[str, Any]:
        """What `spacy init labels` writes and `initialize` reads."""
        return {
            "entities": list(self.entity_labels),
            "relations": list(self.relation_labels),
            "schema": self.cfg["learned_schema"],
        }

    @property
    def schema(self) -> Dict[str, Rule]:
        """RETURNS (Dict[str, Rule]): The rules in force, set or learned."""
        learned = self.cfg["schema"] == LEARN
        return parse_schema(self.cfg["learned_schema"] if learned else self.cfg["schema"])

    @property
    def thresholds(self) -> Dict[str, float]:
        """RETURNS (Dict[str, float]): The least probability that is reported, by relation label."""
        own, default = self.cfg["thresholds_by_relation"], self.cfg["rel_threshold"]
        return {label: own.get(label, default) for label in self.relation_labels}

    @property
    def is_initialized(self) -> bool:
        return self.model.has_dim("nI") is True

    def add_label(self, label: str, kind: str = "entity") -> int:
        """Add a label before initialization.

        kind (str): "entity" or "relation".
        RETURNS (int): 0 if the label is already there, else 1.
        RAISES (ValueError): The component is initialized: its weights have no room for the label.
        """
        check_new_label(label, kind)
        labels = self.cfg[f"{kind}_labels"]
        if label in labels:
            return 0
        if self.is_initialized:
            raise ValueError(
                Errors.E201.format(name=self.name, n=len(labels), kind=kind, label=label)
            )
        labels.append(label)
        if kind == "entity":
            self.vocab.strings.add(label)
        return 1

    # Prediction

    def predict(self, docs: Iterable[Doc]) -> List[Extraction]:
        """Find entities and relations without touching the Docs.

        RETURNS (List[Extraction]): One for each Doc.
        """
        docs = list(docs)
        if not self.is_initialized:
            raise ValueError(Errors.E203.format(name=self.name))
        found = [Extraction([], []) for _ in docs]
        readable = [i for i, doc in enumerate(docs) if not all(white_space(doc))]
        if not readable:
            return found
        chosen = [docs[i] for i in readable]
        windows = self._batch_windows(chosen)
        given = self._given_entities(chosen, windows) if self.cfg["given_entities"] else None
        proposals = self._propose(chosen, windows, given)
        if given is None:
            proposals = self._beside_presets(chosen, trimmed(proposals, chosen))
        extractions = decode(
            proposals,
            len(chosen),
            entity_labels=self.entity_labels,
            relation_labels=self.relation_labels,
            ent_threshold=self.cfg["ent_threshold"],
            thresholds=list(self.thresholds.values()),
            overlap=self.cfg["overlap"],
            schema=self.schema,
        )
        for i, extraction in zip(readable, extractions):
            found[i] = extraction
        return found

    def with_settings(self, **settings: Any) -> "JointEntityRelationExtractor":
        """RETURNS (JointEntityRelationExtractor): The same model with other settings, which are not
        those of the pipeline: this component and its config stay as they are."""
        twin = JointEntityRelationExtractor(self.vocab, self.model, self.name)
        twin.cfg = Settings({**self.cfg, **settings})
        return twin

    def set_annotations(self, docs: Iterable[Doc], scores: List[Extraction]) -> None:
        """Write entities to doc.ents, relations to doc._.relations, beside what is there already.
        doc.spans gets the entities where some overlap, or where `spans_key` is set."""
        for doc, extraction in zip(docs, scores):
            annotate(
                doc,
                extraction,
                self.name,
                spans_key=self.cfg["spans_key"],
                given_entities=self.cfg["given_entities"],
            )

    def _beside_presets(self, docs: Sequence[Doc], proposals: Proposals) -> Proposals:
        """Leave out entities that cover presets, and relate the others with these."""
        labels = _index(self.entity_labels)
        presets = [find_presets(doc, self.name) for doc in docs]
        proposals = around(proposals, presets)
        with_known = [
            i for i, x in enumerate(presets) if any(label in labels for _, _, label in x.entities)
        ]
        if not with_known:
            return proposals
        chosen = [docs[i] for i in with_known]
        windows = self._batch_windows(chosen)
        given, scores = to_relate(proposals, presets, with_known, windows, labels)
        again = self._propose(chosen, windows, given)
        return joined(proposals, again, with_known, scores)

    def _propose(
        self, docs: List[Doc], windows: BatchWindows, given: Optional[Entities]
    ) -> Proposals:
        limits = Limits(self._furthest(windows), tuple(self.thresholds.values()))
        proposals: Proposals = self.model.predict(
            JointBatch(docs, windows.rows, given=given, limits=limits)
        )
        return proposals

    def _furthest(self, windows: BatchWindows) -> Optional[int]:
        """RETURNS: The greatest distance of a pair that is looked at. Without a setting there is
        none, but where a window is far longer than those of training: there the model would guess,
        and pairs grow with the square of the length."""
        set_distance, learned = self.cfg["max_distance"], self.cfg["longest_window"]
        if set_distance is not None or learned is None or not self.relation_labels:
            return cast(Optional[int], set_distance)
        longest = int((windows.rows[:, 2] - windows.rows[:, 1]).max())
        furthest = max(FAR_LONGER * learned, LONG_WINDOW)
        if longest <= furthest:
            return None
        if not self._has_told_of_length:
            self._has_told_of_length = True
            numbers = {"n": longest, "learned": learned, "furthest": furthest}
            warnings.warn(Warnings.W220.format(name=self.name, **numbers), stacklevel=4)
        return cast(int, furthest)

    def _given_entities(self, docs: Sequence[Doc], windows: BatchWindows) -> Entities:
        """RETURNS: The entities of doc.ents that can be related."""
        given = align_given(docs, windows, _index(self.entity_labels))
        if not any(doc.has_annotation("ENT_IOB") for doc in docs):
            warnings.warn(Warnings.W123.format(name=self.name, n=len(docs)), stacklevel=2)
        if given.n_across:
            warnings.warn(Warnings.W203.format(name=self.name, n=given.n_across), stacklevel=2)
        if given.unknown:
            warnings.warn(Warnings.W202.format(name=self.name, labels=given.unknown), stacklevel=2)
        return given.entities

    def _batch_windows(self, docs: Sequence[Doc]) -> BatchWindows:
        return batch_windows(docs, [doc_windows(doc, self.cfg["window"]) for doc in docs])

    # Training

    def update(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optional[Optimizer] = None,
        losses: Optional[Dict[str, float]] = None,
    ) -> Dict[str, float]:
        """Learn from a batch. Only what is annotated is learned from.

        losses (Optional[Dict[str, float]]): Gets the sum under the component's name, and one row
            per task, such as `joint_ner_re_ner` and `joint_ner_re_re`.
        RAISES (ValueError): A loss or gradient is not finite; an unknown label.
        """
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        examples = list(examples)
        validate_examples(examples, "JointEntityRelationExtractor.update")
        if not self.is_initialized:
            raise ValueError(Errors.E203.format(name=self.name))
        set_dropout_rate(self.model, drop)
        if any(len(example.predicted) for example in examples):
            batch = self._training_batch(examples)
            if batch.targets is not None and not batch.targets.is_annotated:
                warnings.warn(Warnings.W204.format(name=self.name, n=len(examples)), stacklevel=2)
            values, backprop = self.model.begin_update(batch)
            found = dict(zip(self.model.attrs["tasks"], values.tolist()))
            self.n_updates += 1
            if not numpy.isfinite(values).all():
                raise ValueError(self._failed("loss", found))
            backprop(numpy.ones_like(values))
            for task, value in found.items():
                key = f"{self.name}_{task}"
                losses[key] = losses.get(key, 0.0) + value
                losses[self.name] += value
        if sgd not in (None, False):
            self.finish_update(sgd)
        return losses

    def finish_update(self, sgd: Optimizer) -> None:
        """Change the weights by the gradients that were gathered.

        sgd (Optimizer): Called with the learning rate scaled by `learn_rate_factor`.
        RAISES (ValueError): A gradient is not finite. The weights are as before.
        """
        if not has_finite_gradients(self.model):
            raise ValueError(self._failed("gradient", {}))
        if isinstance(sgd, Optimizer):  # spaCy's rehearsal passes a function without this argument
            sgd = cast(Optimizer, partial(sgd, lr_scale=self.cfg["learn_rate_factor"]))
        self.model.finish_update(sgd)

    def rehearse(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optional[Optimizer] = None,
        losses: Optional[Dict[str, float]] = None,
    ) -> Dict[str, float]:
        """Learn again what the model knew when training was resumed, so that it isn't forgotten.

        The entities and relations that the model of `nlp.resume_training` finds in the predicted
        Docs are the targets. Without a resumed training nothing is learned, as in spaCy's `ner`.
        """
        losses = {} if losses is None else losses
        if self._rehearsal_model is None:
            return losses
        docs = [Doc.copy(example.predicted) for example in examples]
        model, self.model = self.model, self._rehearsal_model
        try:
            extractions = self.predict(docs)
        finally:
            self.model = model
        self.set_annotations(docs, extractions)
        taught = [Example(example.predicted, doc) for example, doc in zip(examples, docs)]
        return self.update(taught, drop=drop, sgd=sgd, losses=losses)

    def _failed(self, what: str, losses: Dict[str, float]) -> str:
        return Errors.E214.format(what=what, name=self.name, step=self.n_updates, losses=losses)

    def _training_batch(self, examples: Sequence[Example]) -> JointBatch:
        """The whole batch, as a listener upstream expects it; empty Docs have no windows."""
        docs = [example.predicted for example in examples]
        of_docs = [doc_windows(doc, self.cfg["window"]) for doc in docs]
        aligned = []
        for example, windows in zip(examples, of_docs):
            item = align_example(example, self.cfg["spans_key"], windows, self.cfg["max_distance"])
            check_known(example, item, self.entity_labels, self.relation_labels, self.name)
            if self.cfg["given_entities"]:
                item = item._replace(known=numpy.zeros_like(item.known))
            aligned.append(item)
        batch = batch_windows(docs, of_docs)
        targets = make_targets(
            aligned,
            batch,
            _index(self.entity_labels),
            _index(self.relation_labels),
            set(symmetric_labels(self.schema)),
        )
        self._learn_length(batch.rows[:, 2] - batch.rows[:, 1])
        return JointBatch(docs, batch.rows, targets, limits=Limits(self.cfg["max_distance"]))

    def _learn_length(self, lengths: Array1d) -> None:
        """lengths: Tokens of windows that are learned from."""
        self.cfg["longest_window"] = max([self.cfg["longest_window"] or 0, *lengths.tolist()])

    # Initialization

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Optional[Language] = None,
        labels: Optional[Dict[str, Any]] = None,
    ) -> None:
        """Collect the labels and build the model.

        get_examples (Callable[[], Iterable[Example]]): Representative examples.
        labels (Optional[Dict[str, Any]]): What `spacy init labels` wrote, to spare reading all
            examples.
        """
        validate_get_examples(get_examples, "JointEntityRelationExtractor.initialize")
        # Once more from the start, if need be: labels stay, and new ones may join them.
        self.model.set_dim("nI", cast(int, None), force=True)
        self.cfg["longest_window"] = None
        if labels is not None:
            data = read_label_data(labels, self.name)
            self._add_labels(data.entities, data.relations)
            self.cfg["learned_schema"] = data.schema
            sample = list(islice(get_examples(), SAMPLE_SIZE))
        else:
            sample = self._take_examples(get_examples())
        if not self.entity_labels:
            message = Errors.E200 if labels is None else Errors.E215
            raise ValueError(message.format(name=self.name))
        self._check_labels()
        if nlp is not None:
            self.cfg.bind(nlp)
        if not self.relation_labels:
            warning = Warnings.W200 if labels is None else Warnings.W205
            warnings.warn(warning.format(name=self.name), stacklevel=2)
        self.n_updates = 0
        docs = [x.predicted for x in sample if len(x.predicted)] or [Doc(self.vocab, words=["x"])]
        sizes = len(self.entity_labels), len(self.relation_labels)
        self.model.initialize(X=JointBatch(docs, self._batch_windows(docs).rows), Y=sizes)
        self.model.attrs["labels"] = [list(self.entity_labels), list(self.relation_labels)]
        logger.info("%s: %s trainable parameters", self.name, f"{n_trainable(self.model):,}")

    def _take_examples(self, examples: Iterable[Example]) -> List[Example]:
        """Take over labels and, if it is to be learned, the schema. RETURNS: A few examples."""
        found = collect_labels(
            examples,
            window=self.cfg["window"],
            spans_key=self.cfg["spans_key"],
            max_distance=self.cfg["max_distance"],
            schema=parse_schema(self.cfg["schema"]),
        )
        self._add_labels(sorted(found.entity_labels), sorted(found.relation_labels))
        self.cfg["longest_window"] = found.longest_window
        if self.cfg["schema"] == LEARN:
            self.cfg["learned_schema"] = found.learned_schema
        if found.lost:
            counts = ", ".join(f"{n} {what}" for what, n in sorted(found.lost.items()))
            warnings.warn(Warnings.W201.format(name=self.name, counts=counts), stacklevel=2)
        if found.trimmed:
            warnings.warn(Warnings.W122.format(name=self.name, n=found.trimmed), stacklevel=2)
        if 0 < found.unannotated < found.total:
            numbers = {"n": found.unannotated, "total": found.total}
            warnings.warn(Warnings.W121.format(name=self.name, **numbers), stacklevel=2)
        return found.sample

    def _add_labels(self, entity_labels: Iterable[str], relation_labels: Iterable[str]) -> None:
        for label in entity_labels:
            self.add_label(label, "entity")
        for label in relation_labels:
            self.add_label(label, "relation")

    def _check_labels(self) -> None:
        """RAISES (ValueError): A setting names a label that the component doesn't have."""
        check_labels(self.schema, self.entity_labels, self.relation_labels)
        check_labels_of_thresholds(self.cfg["thresholds_by_relation"], self.relation_labels)

    # Evaluation and storage

    def score(self, examples: Iterable[Example], **kwargs: Any) -> Scores:
        """RETURNS (Scores): What the scorer gives, by default the keys of
        `spacy-jere.joint_scorer.v1`."""
        if self.scorer is None:
            return {}
        return self.scorer(examples, **{**kwargs, **self.comparison})

    @property
    def comparison(self) -> Dict[str, Any]:
        """How found and annotated things are compared: arguments of the scorer and of
        `spacy_jere.evaluation.error_analysis.analyze`."""
        return {"symmetric": symmetric_labels(self.schema), "spans_key": self.cfg["spans_key"]}

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        self.cfg.mark()
        saved: bytes = super().to_bytes(exclude=tuple(exclude))
        return saved

    def to_disk(self, path: Union[str, Path], *, exclude: Iterable[str] = ()) -> None:
        self.cfg.mark(Path(path))
        super().to_disk(path, exclude=tuple(exclude))

    def from_bytes(self, bytes_data: bytes, *, exclude: Iterable[str] = ()) -> Any:
        with naming(f"The saved model of '{self.name}'"):
            super().from_bytes(bytes_data, exclude=tuple(exclude))
        self._check_weights()
        return self

    def from_disk(self, path: Union[str, Path], *, exclude: Iterable[str] = ()) -> Any:
        with naming(Path(path) / "model"):
            super().from_disk(path, exclude=tuple(exclude))
        self._check_weights()
        return self

    def _check_weights(self) -> None:
        if self.is_initialized:
            self._check_labels()
        trained = self.model.attrs.get("labels")
        here = [list(self.entity_labels), list(self.relation_labels)]
        if trained is not None and trained != here:
            raise ValueError(Errors.E206.format(name=self.name, trained=trained, here=here))


def _index(labels: Sequence[str]) -> Dict[str, int]:
    return {label: i for i, label in enumerate(labels)}
