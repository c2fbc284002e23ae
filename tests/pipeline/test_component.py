"""The component: settings, labels, errors, prediction."""

import inspect
import subprocess
import sys

import pytest
import spacy
import torch
from spacy.tokens import Doc, Span
from spacy.training import Example
from thinc.api import SGD, ConfigValidationError

from spacy_jere import scored_entities
from spacy_jere.models import joint
from spacy_jere.models.layers.task_birnn import create_task_birnn_v1
from spacy_jere.models.spert import build_spert_v1, create_span_classifier_v1
from spacy_jere.models.spert_mt import build_spert_mt_v1
from spacy_jere.models.task_specific import build_task_specific_birnn_v1
from spacy_jere.pipeline.component import DEFAULT_SPANS_KEY, make_joint_ner_re

pytestmark = pytest.mark.each_family

ENTITY_LABELS = ("LOC", "ORG", "PER")
RELATION_LABELS = ("LIVES_IN", "MET", "WORKS_FOR")
# Each differs from the default.
SETTINGS = {
    "ent_threshold": 0.125,
    "rel_threshold": 0.25,
    "window": "doc",
    "max_distance": 12,
    "spans_key": "everything",
    "schema": {"MET": {"symmetric": True, "head": ["PER"]}},
    "given_entities": True,
    "relations_attr": "found_relations",
    "overlap": False,
    "thresholds_by_relation": {"MET": 0.75},
    "learn_rate_factor": 2.0,
}
# The parts and the architectures
BIRNN = {
    "cell": "lstm",
    "hidden": 3,
    "shared_layers": 2,
    "ner_layers": 2,
    "re_layers": 3,
    "dropout": None,
    "word_dropout": 0.2,
    "keep_tokens": True,
}
SPANS = {
    "max_span_width": 3,
    "width_embedding": 7,
    "span_ends": True,
    "negative_entities": 9,
    "negative_relations": 8,
    "dropout": 0.2,
    "classifier_hidden": 5,
}
BIRNN_SETTINGS = {
    "birnn": BIRNN,
    "ner_hidden": 5,
    "ner_activation": "relu",
    "tag_scheme": "biluo",
    "re_hidden": 6,
    "label_width": 7,
    "pair_context": 8,
    "pair_dropout": 0.1,
    "re_loss_weight": 1.5,
    "ensemble_size": 2,
}
SPERT_SETTINGS = {
    "spans": SPANS,
    "birnn": BIRNN,
    "re_loss_weight": 1.5,
    "bfloat16": True,
}
MT_SETTINGS = {
    **SPERT_SETTINGS,
    "entity_logits": True,
    "detach_logits": True,
    "is_entity_weight": 0.25,
    "is_related_weight": 0.75,
    "multiply_probabilities": True,
    "iou_weight": 2.0,
    "iou_loss": "bce",
    "hard_negatives": False,
    "tag_weight": 0.5,
}
ARCHITECTURES = {
    "TaskSpecificBiRNN": (build_task_specific_birnn_v1, BIRNN_SETTINGS),
    "SpERT": (build_spert_v1, SPERT_SETTINGS),
    "SpERTMT": (build_spert_mt_v1, MT_SETTINGS),
}


def pipe_of(nlp):
    return nlp.get_pipe("joint_ner_re")


# Settings


def test_default_settings():
    nlp = spacy.blank("en")
    pipe = nlp.add_pipe("joint_ner_re")
    assert pipe.labels == () and not pipe.is_initialized
    assert pipe.scorer is not None
    config = nlp.get_pipe_config("joint_ner_re")
    for setting in SETTINGS:
        assert (pipe.cfg[setting] or None) == (config[setting] or None)
    assert config["spans_key"] == DEFAULT_SPANS_KEY == "joint_ner_re"


def test_every_factory_setting_is_tested(family):
    parameters = set(inspect.signature(make_joint_ner_re).parameters)
    assert parameters - {"nlp", "name", "model", "scorer"} == set(SETTINGS)
    build, settings = ARCHITECTURES[family]
    parts = ((build, settings), (create_task_birnn_v1, BIRNN), (create_span_classifier_v1, SPANS))
    for function, values in parts:
        parameters = inspect.signature(function).parameters
        assert set(parameters) - {"tok2vec"} == set(values)
        assert all(values[x] != parameters[x].default for x in values)


@pytest.mark.slow
def test_every_setting_survives_the_config(family, model_config, make_examples):
    nlp = spacy.blank("en")
    settings = ARCHITECTURES[family][1]
    model = model_config(**settings)
    nlp.add_pipe("joint_ner_re", name="mine", config={**SETTINGS, "model": model, "scorer": None})
    config = spacy.util.load_config_from_str(nlp.config.to_str())
    nlp = spacy.util.load_model_from_config(config, auto_fill=False, validate=True)
    pipe = nlp.get_pipe("mine")
    expected = {"symmetric": True, "head": ["PER"]}
    assert {x: pipe.cfg[x] for x in SETTINGS} == {**SETTINGS, "schema": {"MET": expected}}
    assert (pipe.name, pipe.scorer) == ("mine", None)
    attrs = pipe.model.attrs
    assert {**attrs["settings"], "bfloat16": attrs["bfloat16"]} == {"bfloat16": False, **settings}
    pipe.cfg["schema"] = None
    nlp.initialize(lambda: make_examples(nlp))
    head = pipe.model.shims[0]._model
    assert attrs["settings"].items() <= pipe.model.shims[0].settings.items()
    reached = {x for x in settings if x in vars(head)}
    assert all(getattr(head, x) == settings[x] for x in reached)


@pytest.mark.slow
@pytest.mark.parametrize(
    "config, code",
    [
        ({"window": "paragraph"}, "E207"),
        ({"rel_threshold": 1.1}, "E208"),
        ({"rel_threshold": -0.1}, "E208"),
        ({"ent_threshold": 1.1}, "E208"),
        ({"learn_rate_factor": 0.0}, "E209"),
        ({"learn_rate_factor": -1.0}, "E209"),
        ({"schema": "learned"}, "E110"),
        ({"schema": {"MET": {"heads": ["PER"]}}}, "E110"),
    ],
)
def test_wrong_settings(config, code):
    with pytest.raises(ValueError, match=code):
        spacy.blank("en").add_pipe("joint_ner_re", config=config)


def test_unknown_key_is_named():
    with pytest.raises(ConfigValidationError, match="banana"):
        spacy.blank("en").add_pipe("joint_ner_re", config={"banana": 1})


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{"banana": 1}, {"birnn": {"banana": 1}}])
def test_unknown_key_of_the_model_is_named(model_config, settings):
    with pytest.raises(ConfigValidationError, match="banana"):
        spacy.blank("en").add_pipe("joint_ner_re", config={"model": model_config(**settings)})


@pytest.mark.slow
def test_unknown_choice_is_named(model_config):
    model = model_config(birnn={"cell": "best"})
    with pytest.raises(ConfigValidationError, match=r"cell.*'best' is not .*'gru', 'lstm'"):
        spacy.blank("en").add_pipe("joint_ner_re", config={"model": model})


def test_a_part_without_its_name_is_refused(model_config):
    model = model_config()
    del model["birnn"]["@layers"]
    with pytest.raises(ConfigValidationError, match=r"birnn.*Part"):
        spacy.registry.resolve({"model": model})


# Labels


@pytest.mark.slow
def test_labels_are_collected(trained):
    pipe = pipe_of(trained[0])
    assert pipe.entity_labels == ENTITY_LABELS
    assert pipe.relation_labels == RELATION_LABELS
    assert pipe.labels == ENTITY_LABELS + RELATION_LABELS
    assert pipe.is_initialized


@pytest.mark.slow
def test_add_label(make_nlp):
    nlp, examples = make_nlp(initialize=False)
    pipe = pipe_of(nlp)
    assert [pipe.add_label("PER"), pipe.add_label("PER"), pipe.add_label("ART")] == [1, 0, 1]
    assert [pipe.add_label(x, "relation") for x in ("MET", "PER", "MET")] == [1, 1, 0]
    nlp.initialize(lambda: examples)
    assert pipe.entity_labels == ("PER", "ART", "LOC", "ORG")
    assert pipe.relation_labels == ("MET", "PER", "LIVES_IN", "WORKS_FOR")
    assert pipe.add_label("LOC") == 0
    assert nlp("Ada met Rome .")._.relations is not None


@pytest.mark.slow
@pytest.mark.parametrize(
    "label, kind, code", [("X", "ent", "E202"), ("", "entity", "E210"), (7, "relation", "E210")]
)
def test_add_wrong_label(make_nlp, label, kind, code):
    with pytest.raises(ValueError, match=code):
        pipe_of(make_nlp(initialize=False)[0]).add_label(label, kind)


@pytest.mark.parametrize("kind", ["entity", "relation"])
def test_no_new_labels_after_initialization(trained, kind):
    pipe = pipe_of(trained[0])
    with pytest.raises(ValueError, match=f"E201.*3 {kind} labels"):
        pipe.add_label("NEW", kind)
    assert pipe.labels == ENTITY_LABELS + RELATION_LABELS


@pytest.mark.slow
@pytest.mark.parametrize("schema", [None, "learn"])
def test_initialize_from_labels(make_nlp, make_examples, schema):
    first, _ = make_nlp(schema=schema)
    labels = pipe_of(first).label_data
    assert labels["entities"] == list(ENTITY_LABELS)
    assert labels["relations"] == list(RELATION_LABELS)
    assert (labels["schema"] is None) is (schema is None)
    second, _ = make_nlp(schema=schema, initialize=False)
    pipe = pipe_of(second)
    examples = make_examples(second, [("Bo sings .", [])])
    pipe.initialize(lambda: examples, nlp=second, labels=labels)
    assert pipe.label_data == labels
    assert pipe.schema == pipe_of(first).schema
    assert second("Bo sings .")._.relations is not None


@pytest.mark.slow
@pytest.mark.parametrize("labels", [["PER"], {"entities": ["PER"]}, {}])
def test_wrong_label_data(make_nlp, labels):
    nlp, examples = make_nlp(initialize=False)
    with pytest.raises(ValueError, match="E205"):
        pipe_of(nlp).initialize(lambda: examples, labels=labels)


# Errors


@pytest.mark.slow
def test_not_initialized(make_nlp):
    nlp, examples = make_nlp(initialize=False)
    for use in (lambda: nlp("Rome"), lambda: pipe_of(nlp).update(examples)):
        with pytest.raises(ValueError, match=r"E203.*joint_ner_re"):
            use()


@pytest.mark.slow
def test_no_labels(make_nlp):
    with pytest.raises(ValueError, match="E200"):
        make_nlp(data=[("Nothing here .", [], []), ("Nor here .",)])


@pytest.mark.slow
@pytest.mark.parametrize("examples", [None, [], "text", lambda: []])
def test_initialize_without_examples(make_nlp, examples):
    nlp, _ = make_nlp(initialize=False)
    with pytest.raises((TypeError, ValueError)):
        pipe_of(nlp).initialize(examples)


@pytest.mark.slow
@pytest.mark.parametrize(
    "schema, data, code",
    [
        ({"MET": {"head": ["PER"]}}, None, "E113.*LIVES_IN"),
        (
            {"MET": {}, "LIVES_IN": {"head": ["LOC"]}, "WORKS_FOR": {}},
            None,
            "E112.*LIVES_IN.*PER to LOC",
        ),
        (
            {"MET": {}, "HATES": {}},
            [("A met B", [(0, 1, "PER"), (2, 3, "PER")], [(0, 1, "MET")])],
            "E111.*HATES",
        ),
        ({"MET": {"tail": ["DOG"]}}, [("A met B", [(0, 1, "PER"), (2, 3, "PER")], [])], "E111"),
    ],
)
def test_schema_and_training_data_disagree(make_nlp, train_data, schema, data, code):
    with pytest.raises(ValueError, match=code):
        make_nlp(data=data or train_data, schema=schema)


# Prediction


@pytest.mark.slow
@pytest.mark.parametrize("schema", [None, "learn"])
def test_untrained_prediction(make_nlp, found, schema):
    nlp, _ = make_nlp(schema=schema, rel_threshold=0.0)
    doc = nlp("Ada lives in New Oslo .")
    assert all(0 <= score <= 1 for _, score in scored_entities(doc))
    assert all(0 <= x.score <= 1 for x in doc._.relations)
    assert doc.has_annotation("ENT_IOB")
    assert found(doc) == found(nlp("Ada lives in New Oslo ."))


ODD = {
    "empty": [],
    "one token": ["Rome"],
    "white space": [" ", "\n", "\t\n"],
    "white space between": ["Ada", "\n", "lives", "in", "  ", "Rome"],
    "emoji": ["👩‍👩‍👧", "😀", "🇳🇴"],
    "right to left": ["אלי", "גר", "ברומא", "."],
    "long": ["Ada", "lives", "in", "Rome"] * 500,
    "one long word": ["x" * 20000],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", list(ODD))
def test_odd_docs(trained_copy, name):
    pipe = pipe_of(trained_copy)
    pipe.cfg["rel_threshold"] = 0.9
    doc = pipe(Doc(trained_copy.vocab, words=ODD[name]))
    assert doc.has_annotation("ENT_IOB") or not len(doc)
    assert doc._.relations is not None
    if name == "long":
        assert len(doc.ents) > 500
    if name == "white space":
        assert not doc.ents and not doc._.relations


@pytest.mark.slow
def test_odd_docs_together_equal_alone(trained_copy, found):
    pipe_of(trained_copy).cfg["rel_threshold"] = 0.0
    words = [*ODD.values(), ["Ada", "lives", "in", "New", "Oslo", "."]]
    docs = [Doc(trained_copy.vocab, words=x) for x in words if len(x) < 100]
    alone = [found(pipe_of(trained_copy)(doc.copy()), digits=3) for doc in docs]
    assert [found(doc, digits=3) for doc in pipe_of(trained_copy).pipe(docs)] == alone
    assert any(relations for _, _, relations in alone)


@pytest.mark.slow
def test_empty_batch(trained_copy):
    pipe = pipe_of(trained_copy)
    assert pipe.predict([]) == []
    pipe.set_annotations([], [])
    assert list(trained_copy.pipe([])) == []
    assert pipe.update([]) == {"joint_ner_re": 0.0}


@pytest.mark.slow
def test_predict_leaves_the_doc_alone(trained_copy):
    doc = trained_copy.make_doc("Ada lives in New Oslo .")
    before = doc.to_bytes()
    extraction = pipe_of(trained_copy).predict([doc])[0]
    assert extraction.entities and extraction.relations
    assert doc.to_bytes() == before


@pytest.mark.slow
def test_its_own_annotations_are_replaced(trained_copy, found):
    doc = trained_copy("Ada lives in New Oslo .")
    expected = found(doc)
    assert found(pipe_of(trained_copy)(doc)) == expected
    doc.set_ents([])
    assert found(pipe_of(trained_copy)(doc)) == expected


@pytest.mark.slow
def test_pipe_equals_call(trained, found):
    nlp, examples = trained
    texts = [example.text for example in examples] * 3 + ["", "Rome"]
    one_by_one = [found(nlp(text)) for text in texts]
    assert [found(doc) for doc in nlp.pipe(texts, batch_size=4)] == one_by_one
    assert one_by_one[0][2]


@pytest.mark.slow
def test_spans_key_and_scores(trained_copy):
    pipe_of(trained_copy).cfg["spans_key"] = "everything"
    doc = trained_copy("Ada lives in New Oslo .")
    assert list(doc.spans) == ["everything"]
    assert [x.label_ for x in doc.spans["everything"]] == ["PER", "LOC"]
    assert (doc.spans["everything"].attrs["scores"] > 0.5).all()
    doc = Doc(doc.vocab).from_bytes(doc.to_bytes())
    assert (doc.spans["everything"].attrs["scores"] > 0.5).all()


@pytest.mark.slow
@pytest.mark.parametrize("threshold, n_relations", [(0.0, 6), (1.0, 0)])
def test_threshold(trained_copy, threshold, n_relations):
    pipe_of(trained_copy).cfg["rel_threshold"] = threshold
    assert len(trained_copy("Ada lives in New Oslo .")._.relations) == n_relations


@pytest.mark.slow
def test_entity_threshold(trained_copy):
    """It holds for what the model finds, not for entities that are given."""
    text = "Ada lives in New Oslo ."
    pipe_of(trained_copy).cfg["ent_threshold"] = 1.0
    doc = trained_copy(text)
    assert not (doc.ents or scored_entities(doc) or doc._.relations)
    pipe_of(trained_copy).cfg["given_entities"] = True
    doc = trained_copy.make_doc(text)
    doc.set_ents([Span(doc, 0, 1, "PER"), Span(doc, 3, 5, "LOC")])
    assert len(trained_copy(doc)._.relations) == 1


TWO_SENTENCES = "Ada lives in New Oslo . Rome is the home of Bo ."


@pytest.mark.slow
@pytest.mark.parametrize("window, together", [("sentence", False), ("doc", True)])
def test_window(trained_copy, window, together):
    trained_copy.add_pipe("sentencizer", first=True)
    pipe_of(trained_copy).cfg.update(window=window, rel_threshold=0.0, given_entities=True)
    doc = trained_copy.get_pipe("sentencizer")(trained_copy.make_doc(TWO_SENTENCES))
    doc.set_ents([Span(doc, 0, 1, "PER"), Span(doc, 3, 5, "LOC"), Span(doc, 11, 12, "PER")])
    pairs = {(x.head.start, x.tail.start) for x in pipe_of(trained_copy)(doc)._.relations}
    across = {(0, 11), (3, 11), (11, 0), (11, 3)}
    assert {(0, 3), (3, 0)} <= pairs
    assert (across <= pairs) is together and (not across & pairs) is not together


@pytest.mark.slow
def test_sentences_are_read_one_by_one(trained_copy, found):
    trained_copy.add_pipe("sentencizer", first=True)
    whole, first = trained_copy(TWO_SENTENCES), trained_copy("Ada lives in New Oslo .")
    n = len(scored_entities(first))
    assert found(whole, digits=1)[1][:n] == found(first, digits=1)[1]
    assert [x.label_ for x in whole._.relations] == ["LIVES_IN", "LIVES_IN"]


# Given entities


@pytest.fixture
def relate(trained_copy):
    """The trained component, finding relations between given entities."""
    pipe_of(trained_copy).cfg["given_entities"] = True

    def _relate(words, spans, **options):
        doc = Doc(trained_copy.vocab, words=words.split(), **options)
        doc.set_ents([Span(doc, *x) for x in spans])
        return pipe_of(trained_copy)(doc)

    return _relate


@pytest.mark.slow
def test_given_entities_are_related_and_left_alone(relate):
    spans = [(0, 1, "PER"), (3, 5, "LOC"), (5, 6, "ORG")]
    doc = relate("Ada lives in New Oslo .", spans)
    assert [(x.start, x.end, x.label_) for x in doc.ents] == spans
    assert [score for _, score in scored_entities(doc)] == [None] * 3
    found = [(x.head.start, x.tail.start, x.label_) for x in doc._.relations]
    assert (0, 3, "LIVES_IN") in found


@pytest.mark.slow
def test_no_given_entities(relate):
    doc = relate("Ada lives in New Oslo .", [])
    assert not doc.ents and doc._.relations == ()


@pytest.mark.slow
def test_given_entities_with_unknown_labels_are_left_out(relate):
    with pytest.warns(UserWarning, match=r"W202.*\['DOG'\]"):
        doc = relate("Ada lives in New Oslo .", [(0, 1, "PER"), (1, 2, "DOG"), (3, 5, "LOC")])
    assert [x.label_ for x in doc.ents] == ["PER", "DOG", "LOC"]
    assert [x.label_ for x in doc._.relations] == ["LIVES_IN"]


@pytest.mark.slow
@pytest.mark.parametrize("at_once", [1, 4096])
def test_given_entity_across_sentences_is_left_out(relate, monkeypatch, at_once):
    monkeypatch.setattr(joint, "_TOKENS_AT_ONCE", at_once)
    starts = [True, False, False, False, True, False]
    spans = [(0, 1, "PER"), (3, 5, "LOC")]
    with pytest.warns(UserWarning, match="W203.* 1 entities"):
        doc = relate("Ada lives in New Oslo .", spans, sent_starts=starts)
    assert [(x.start, x.end, x.label_) for x in doc.ents] == spans
    assert doc._.relations == ()


@pytest.mark.slow
def test_given_entities_together_equal_alone(trained_copy, found, monkeypatch):
    pipe = pipe_of(trained_copy)
    pipe.cfg.update(given_entities=True, rel_threshold=0.0)
    texts = ["Ada met Bo .", "", "Rome", "Cy works for Acme in Rome .", "Bo lives in Oslo ."]
    docs = [trained_copy.make_doc(text) for text in texts]
    for doc in docs:
        doc.set_ents([Span(doc, x.i, x.i + 1, "PER") for x in doc if x.text[0].isupper()])
    alone = [found(pipe(doc.copy()), digits=3) for doc in docs]
    for at_once in (1, 8, 4096):
        monkeypatch.setattr(joint, "_TOKENS_AT_ONCE", at_once)
        assert [found(x, digits=3) for x in pipe.pipe([doc.copy() for doc in docs])] == alone
    assert len(alone[3][2]) == 18


@pytest.mark.slow
def test_training_with_given_entities_leaves_the_entity_layers_alone(
    family, make_nlp, model_config
):
    model = model_config(detach_logits=True) if family == "SpERTMT" else model_config()
    nlp, examples = make_nlp(given_entities=True, model=model)
    head = pipe_of(nlp).model.shims[0]._model
    entity_layers = (
        head.networks[0].tagger.crf if family == "TaskSpecificBiRNN" else head.entity_classifier
    )
    before = [x.detach().clone() for x in entity_layers.parameters()]
    assert "joint_ner_re_ner" not in nlp.update(examples)
    optimizer = SGD(0.1, L2=0.0)
    losses = [nlp.update(examples, sgd=optimizer)["joint_ner_re"] for _ in range(60)]
    assert losses[-1] < 0.8 * losses[0]
    assert all(torch.equal(x.detach(), y) for x, y in zip(entity_layers.parameters(), before))


# Overlapping entities

NESTED = [
    ("New York Times wins .", [(0, 3, "ORG")], []),
    ("Ada met Bo .", [(0, 1, "PER"), (2, 3, "PER")], [(0, 1, "MET")]),
]


@pytest.fixture(scope="module")
def nested(family, make_nlp, make_examples):
    """Trained on an entity inside another one, and relations of both; None for a model that can't
    find such."""
    if family == "TaskSpecificBiRNN":
        return None
    nlp, _ = make_nlp(initialize=False)
    examples = make_examples(nlp, NESTED)
    gold = examples[0].reference
    whole, part, verb = Span(gold, 0, 3, "ORG"), Span(gold, 0, 2, "LOC"), Span(gold, 3, 4, "ACT")
    gold.spans["joint_ner_re"] = [whole, part, verb]
    gold._.relations = [(whole, part, "IN"), (whole, verb, "DOES")]
    nlp.initialize(lambda: examples)
    optimizer = nlp.resume_training()
    optimizer.learn_rate = 0.01
    for _ in range(80):
        nlp.update(examples, sgd=optimizer)
    return nlp


@pytest.mark.slow
@pytest.mark.parametrize("overlap", [True, False])
def test_overlapping_entities(nested, overlap):
    if nested is None:
        pytest.skip("tags can't say it")
    pipe_of(nested).cfg["overlap"] = overlap
    doc = nested("New York Times wins .")
    spans = {(x.start, x.end, x.label_) for x, _ in scored_entities(doc)}
    relations = {
        (x.head.start, x.head.end, x.label_, x.tail.start, x.tail.end) for x in doc._.relations
    }
    ents = {(x.start, x.end, x.label_) for x in doc.ents}
    assert len(ents) == 2 and ents <= spans
    assert all(score > 0.5 for _, score in scored_entities(doc))
    assert ("joint_ner_re" in doc.spans) is overlap
    if overlap:
        group = doc.spans["joint_ner_re"]
        assert {(x.start, x.end, x.label_) for x in group} == spans
        assert len(group.attrs["scores"]) == len(spans)
        assert spans == {(0, 3, "ORG"), (0, 2, "LOC"), (3, 4, "ACT")}
        assert relations == {(0, 3, "IN", 0, 2), (0, 3, "DOES", 3, 4)}
    else:
        assert spans == ents
        assert relations == ({(0, 3, "DOES", 3, 4)} if (0, 3, "ORG") in ents else set())
    doc = nested("Ada met Bo .")
    assert [(x.head.text, x.label_, x.tail.text) for x in doc._.relations] == [("Ada", "MET", "Bo")]


# Evaluation


def test_score_keys(trained):
    nlp, examples = trained
    scores = nlp.evaluate(examples)
    for prefix in ("ents", "ents_macro", "rels", "rels_macro", "rels_boundary"):
        assert [scores[f"{prefix}_{x}"] for x in "prf"] == [1.0, 1.0, 1.0]
    assert set(scores["ents_per_type"]) == set(ENTITY_LABELS)
    assert set(scores["rels_per_type"]) == set(RELATION_LABELS)
    assert scores["joint_f"] == 1.0
    weights = nlp.get_pipe_meta("joint_ner_re").default_score_weights
    assert set(weights) <= set(scores)


def test_without_scorer(make_nlp):
    nlp, examples = make_nlp(scorer=None)
    assert pipe_of(nlp).score(examples) == {}


@pytest.mark.slow
def test_missed_relations_count_in_recall(trained_copy):
    pipe_of(trained_copy).cfg["rel_threshold"] = 1.0
    gold = Doc(trained_copy.vocab, words=["Ada", "lives", "in", "Rome"])
    gold.set_ents([Span(gold, 0, 1, "PER"), Span(gold, 3, 4, "LOC")])
    gold._.relations = [(gold.ents[0], gold.ents[1], "LIVES_IN")]
    scores = trained_copy.evaluate([Example(trained_copy.make_doc(gold.text), gold)])
    assert scores["rels_r"] == 0.0


# Several processes

SCRIPT = """
import multiprocessing, sys, spacy

TEXTS = ["Ada lives in New Oslo .", "", "Cy works for Acme in Rome .", "Rome"] * 2

def read(doc):
    relations = [x.to_dict() for x in doc._.relations]
    return doc.to_json(), [{**x, "score": round(x["score"], 4)} for x in relations]

if __name__ == "__main__":
    multiprocessing.set_start_method(sys.argv[1])
    nlp = spacy.load(sys.argv[2])
    alone = [read(nlp(text)) for text in TEXTS]
    assert any(relations for _, relations in alone)
    assert [read(doc) for doc in nlp.pipe(TEXTS, n_process=2, batch_size=2)] == alone
"""


@pytest.mark.slow
@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_several_processes(family, trained, tmp_path, method):
    if family != "TaskSpecificBiRNN":
        pytest.skip("with a transformer, in test_transformer_model.py")
    trained[0].to_disk(tmp_path / "model")
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf8")
    command = [sys.executable, "script.py", method, "model"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
