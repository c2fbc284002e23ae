"""Training the component: what it learns from, what it leaves out."""

import numpy
import pytest
import spacy
import torch
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example
from thinc.api import SGD

from spacy_jere.models.types import JointBatch
from spacy_jere.pipeline.targets import batch_windows
from spacy_jere.windows import doc_windows

NAME = "joint_ner_re"
NER, RE = f"{NAME}_ner", f"{NAME}_re"
# The rows of the losses that each family has for entities and for relations
TASKS = {
    "TaskSpecificBiRNN": ({NER}, {RE}),
    "SpERT": ({NER}, {RE}),
    "SpERTMT": ({NER, f"{NAME}_is_entity", f"{NAME}_iou"}, {RE, f"{NAME}_is_related"}),
}
# The last layers for entities and for relations
LAST = {"TaskSpecificBiRNN": ("emissions", "r2")}
LAST_OF_SPANS = ("entity_classifier", "relation_classifier")


def pipe_of(nlp):
    return nlp.get_pipe(NAME)


def weights_of(nlp):
    """Every number that training can change, by name."""
    found = {}
    for i, node in enumerate(pipe_of(nlp).model.walk()):
        found.update({f"{i}.{x}": node.get_param(x).copy() for x in node.param_names})
        for shim in node.shims:
            for name, weights in shim._model.named_parameters():
                found[f"{i}.{name}"] = weights.detach().numpy().copy()
    return found


def changes(before, after):
    return {name: after[name] - before[name] for name in before}


def without_crf(weights):
    """The forbidden transitions jump back to their value."""
    return {name: x for name, x in weights.items() if "crf" not in name}


@pytest.mark.each_family
def test_overfitting(trained):
    nlp, examples = trained
    scores = nlp.evaluate(examples)
    assert scores["joint_f"] == scores["ents_f"] == scores["rels_f"] == 1.0


@pytest.mark.slow
@pytest.mark.each_family
def test_bfloat16(family, make_nlp, model_config, overfit):
    if family == "TaskSpecificBiRNN":
        pytest.skip("has no such setting")
    nlp, examples = make_nlp(model=model_config(bfloat16=True))
    exact, _ = make_nlp()
    losses = [pipeline.update(examples)[NER] for pipeline in (nlp, exact)]
    assert losses[0] == pytest.approx(losses[1], rel=0.05) and losses[0] != losses[1]
    overfit(nlp, examples)
    assert nlp.evaluate(examples)["joint_f"] == 1.0
    assert all(x.dtype == numpy.float32 for x in weights_of(nlp).values())


@pytest.mark.slow
@pytest.mark.parametrize("family", ["SpERTMT"], indirect=True, scope="session")
def test_spert_mt_with_tags(family, make_nlp, model_config, overfit):
    nlp, examples = make_nlp(model=model_config(tag_weight=1.0))
    assert f"{NAME}_tags" in overfit(nlp, examples)
    loaded = spacy.blank("en").from_config(nlp.config).from_bytes(nlp.to_bytes())
    for pipeline in (nlp, loaded):
        assert pipeline.evaluate(examples)["joint_f"] == 1.0


@pytest.mark.slow
@pytest.mark.each_family
def test_losses_have_a_row_per_task(family, make_nlp):
    nlp, examples = make_nlp()
    losses = nlp.update(examples)
    rows = set.union(*TASKS[family])
    assert set(losses) == {NAME} | rows
    assert losses[NAME] == pytest.approx(sum(losses[row] for row in rows))
    again = nlp.update(examples, losses=dict(losses))
    assert again[NER] > losses[NER] and again[RE] > losses[RE]


@pytest.mark.slow
@pytest.mark.each_family
def test_every_parameter_is_trained(make_nlp):
    nlp, examples = make_nlp()
    before = weights_of(nlp)
    nlp.update(examples, sgd=SGD(0.1))
    for name, change in changes(before, weights_of(nlp)).items():
        assert numpy.isfinite(change).all(), name
        assert numpy.abs(change).max() > 0, name


@pytest.mark.slow
@pytest.mark.each_family
def test_averaged_parameters_reach_evaluation(make_nlp):
    nlp, examples = make_nlp()
    optimizer = nlp.resume_training()
    optimizer.learn_rate, optimizer.averages = 0.01, {}
    for _ in range(10):
        nlp.update(examples, sgd=optimizer)
    before = weights_of(nlp)
    with nlp.use_params(optimizer.averages):
        averaged = weights_of(nlp)
    assert all(numpy.abs(x).max() > 0 for x in changes(before, averaged).values())
    assert all(not x.any() for x in changes(before, weights_of(nlp)).values())


# What is annotated


@pytest.mark.slow
@pytest.mark.each_family
@pytest.mark.parametrize(
    "entities, relations, learns",
    [
        ([(0, 1, "PER"), (3, 4, "LOC")], [(0, 1, "LIVES_IN")], (True, True)),
        ([(0, 1, "PER"), (3, 4, "LOC")], [], (True, True)),
        ([(0, 1, "PER"), (3, 4, "LOC")], None, (True, False)),
        ([(0, 1, "PER")], [], (True, False)),  # no pair
        ([], [], (True, False)),
        (None, [], (False, False)),
        (None, None, (False, False)),
    ],
)
def test_only_what_is_annotated_is_learned(
    family, make_nlp, make_examples, entities, relations, learns
):
    nlp, _ = make_nlp()
    examples = make_examples(nlp, [("Ada lives in Rome .", entities, relations)])
    before = weights_of(nlp)
    losses = nlp.update(examples, sgd=SGD(0.1, L2=0.0))
    assert (losses.get(NER, 0) > 1e-4, losses.get(RE, 0) > 1e-4) == learns
    change = changes(before, weights_of(nlp))
    for part, learned in zip(LAST.get(family, LAST_OF_SPANS), learns):
        moved = max(numpy.abs(x).max() for name, x in change.items() if f".{part}." in name)
        assert bool(moved > 1e-5) is learned, part


@pytest.mark.slow
@pytest.mark.each_family
def test_batch_with_all_kinds_of_annotation(make_nlp, make_examples, overfit):
    nlp, examples = make_nlp()
    mixed = [
        examples[1],
        *make_examples(
            nlp,
            [
                ("Ada lives in New Oslo .", [(0, 1, "PER"), (3, 5, "LOC")], None),
                ("Cy works for Acme in Rome .",),
                ("",),
                ("Dee met Bo at Acme .", None, []),
            ],
        ),
        examples[3],
    ]
    overfit(nlp, mixed, steps=120)
    scores = nlp.evaluate([examples[0], examples[1], examples[3]])
    assert scores["ents_f"] == 1.0
    assert nlp.evaluate([examples[1], examples[3]])["joint_f"] == 1.0


@pytest.mark.slow
@pytest.mark.each_family
def test_entities_only_through_relations(make_nlp, make_examples, overfit):
    """Where doc.ents is not annotated, the ends of relations are the entities, and nothing else is
    known."""
    nlp, _ = make_nlp(initialize=False)
    examples = make_examples(nlp, [("Ada lives in Rome .",)])
    gold = examples[0].reference
    gold._.relations = [(Span(gold, 0, 1, "PER"), Span(gold, 3, 4, "LOC"), "LIVES_IN")]
    nlp.initialize(lambda: examples)
    assert pipe_of(nlp).labels == ("LOC", "PER", "LIVES_IN")
    overfit(nlp, examples)
    relations = nlp("Ada lives in Rome .")._.relations
    found = {
        (x.head.start, x.head.label_, x.label_, x.tail.start, x.tail.label_) for x in relations
    }
    assert (0, "PER", "LIVES_IN", 3, "LOC") in found


@pytest.mark.slow
@pytest.mark.each_family
def test_overlapping_entities_are_related(make_nlp, make_examples):
    nlp, _ = make_nlp(initialize=False)
    examples = make_examples(nlp, [("New York Times wins", [(0, 3, "ORG")])])
    gold = examples[0].reference
    gold.spans[NAME] = [Span(gold, 0, 3, "ORG"), Span(gold, 0, 2, "LOC")]
    gold._.relations = [(*gold.spans[NAME], "IN")]
    nlp.initialize(lambda: examples)
    losses = nlp.update(examples)
    assert losses[RE] > 0 and losses[NER] < 100  # not a forbidden tag sequence


@pytest.mark.slow
@pytest.mark.each_family
@pytest.mark.parametrize("relations", [None, []])
def test_no_relations_at_all(family, make_nlp, overfit, train_data, relations):
    data = [(words, entities, relations) for words, entities, _ in train_data]
    with pytest.warns(UserWarning, match="W200"):
        nlp, examples = make_nlp(data=data)
    assert pipe_of(nlp).relation_labels == ()
    losses = overfit(nlp, examples)
    assert set(losses) == {NAME} | TASKS[family][0]
    assert nlp.evaluate(examples)["ents_f"] == 1.0
    assert nlp("Dee met Bo at Acme .")._.relations == ()


@pytest.mark.slow
@pytest.mark.each_family
def test_what_is_lost_is_counted(make_nlp, annotate):
    nlp, _ = make_nlp(initialize=False)
    gold = annotate(nlp.vocab, "Ada Byron met Bo", [(0, 2, "PER"), (3, 4, "PER")], [(0, 1, "MET")])
    cut = Doc(nlp.vocab, words=["Ada", "Byronmet", "Bo"], spaces=[True, True, False])
    fits = Doc(nlp.vocab, words=["Ada", "Byron", "met", "Bo"])
    examples = [Example(cut, gold), Example(cut.copy(), gold), Example(fits, gold)]
    with pytest.warns(UserWarning, match="W201.*2 entities that cut.*2 relations of such"):
        nlp.initialize(lambda: examples)
    assert nlp.update(examples[:2])[RE] == 0


@pytest.mark.slow
@pytest.mark.each_family
@pytest.mark.parametrize(
    "entities, relations, message",
    [
        ([(0, 1, "DOG")], [], "entity label 'DOG'"),
        ([(0, 1, "PER"), (2, 3, "PER")], [(0, 1, "ATE")], "relation label 'ATE'"),
    ],
)
def test_unknown_labels_in_update(make_nlp, make_examples, entities, relations, message):
    nlp, _ = make_nlp()
    examples = make_examples(nlp, [("Rex met Bo", entities, relations)])
    with pytest.raises(ValueError, match=f"E204.*{message}.*Rex met Bo"):
        nlp.update(examples)


# Schema


@pytest.mark.slow
def test_schema_is_learned(make_nlp, overfit):
    nlp, examples = make_nlp(schema="learn", rel_threshold=0.0)
    schema = pipe_of(nlp).schema
    assert {x: (y.head, y.tail) for x, y in schema.items()} == {
        "LIVES_IN": (("PER",), ("LOC",)),
        "MET": (("PER",), ("PER",)),
        "WORKS_FOR": (("PER",), ("ORG",)),
    }
    overfit(nlp, examples)
    relations = nlp("Cy works for Acme in Rome .")._.relations
    found = {(x.head.label_, x.label_, x.tail.label_) for x in relations}
    assert found == {("PER", "LIVES_IN", "LOC"), ("PER", "WORKS_FOR", "ORG")}


@pytest.mark.slow
def test_schema_is_obeyed(make_nlp, overfit, train_data):
    rule = {"head": ["PER"], "tail": ["LOC"]}
    schema = {"LIVES_IN": rule, "MET": {}, "WORKS_FOR": {}}
    nlp, examples = make_nlp(schema=schema, rel_threshold=0.0)
    overfit(nlp, examples, steps=40)
    relations = nlp("Cy works for Acme in Rome .")._.relations
    lives_in = {(x.head.label_, x.tail.label_) for x in relations if x.label_ == "LIVES_IN"}
    assert lives_in == {("PER", "LOC")}
    assert len(relations) == 1 + 2 * 6


@pytest.mark.slow
@pytest.mark.each_family
@pytest.mark.parametrize("pair", [(0, 1), (1, 0)])
def test_symmetric_relations(family, make_nlp, overfit, train_data, pair):
    """Whichever way they are annotated, they are found once, first entity first, and count as
    right."""
    words, entities, _ = train_data[3]
    data = [*train_data[:3], (words, entities, [(*pair, "MET")])]
    schema = {"MET": {"symmetric": True}, "LIVES_IN": {}, "WORKS_FOR": {}}
    nlp, examples = make_nlp(data=data, schema=schema)
    overfit(nlp, examples)
    relations = [(x.head.text, x.label_, x.tail.text) for x in nlp(words)._.relations]
    assert relations == [("Dee", "MET", "Bo")]
    doc = nlp.make_doc(words)
    windows = batch_windows([doc], [doc_windows(doc, "doc")]).rows
    proposals = pipe_of(nlp).model.predict(JointBatch([doc], windows))
    met = proposals.relation_scores[:, pipe_of(nlp).relation_labels.index("MET")]
    learned = proposals.pairs[met > 0.5].tolist()
    if family == "TaskSpecificBiRNN":
        assert learned == [[0, 1], [1, 0]]
    else:
        assert [0, 1] in learned  # the other way round is neither learned nor a negative
    assert nlp.evaluate(examples)["joint_f"] == 1.0


# The life of a training


@pytest.mark.slow
@pytest.mark.each_family
def test_gradients_accumulate(make_nlp):
    """Two half batches, then one step: the sum of the steps each half would have made alone."""
    parts = []
    for chosen in (slice(0, 2), slice(2, 5), None):
        nlp, examples = make_nlp()
        pipe, before = pipe_of(nlp), weights_of(nlp)
        for half in [slice(0, 2), slice(2, 5)] if chosen is None else [chosen]:
            pipe.update(examples[half], sgd=None)
            unchanged = changes(without_crf(before), without_crf(weights_of(nlp)))
            assert all(not x.any() for x in unchanged.values())
        pipe.finish_update(SGD(0.1, L2=0.0, grad_clip=0.0))
        parts.append(changes(before, weights_of(nlp)))
    for name, change in parts[2].items():
        assert numpy.allclose(parts[0][name] + parts[1][name], change, atol=1e-5), name
        assert change.any(), name


@pytest.mark.slow
@pytest.mark.each_family
@pytest.mark.parametrize("factor", [0.5, 3.0])
def test_learning_rate_of_its_own(make_nlp, factor):
    moved = []
    for learn_rate_factor in (1.0, factor):
        nlp, examples = make_nlp(learn_rate_factor=learn_rate_factor)
        before = weights_of(nlp)
        torch.manual_seed(0)
        nlp.update(examples, sgd=SGD(0.1, L2=0.0, grad_clip=0.0))
        moved.append(without_crf(changes(before, weights_of(nlp))))
    for name, change in moved[0].items():
        assert numpy.allclose(moved[1][name], factor * change, rtol=1e-3, atol=1e-5), name
        assert change.any(), name


class Behind:
    """A component that trains after the other one and notes what it sees."""

    def __init__(self):
        self.seen = []

    def __call__(self, doc):
        return doc

    def update(self, examples, **options):
        self.seen = [example.predicted for example in examples]


@Language.factory("behind")
def make_behind(nlp, name):
    return Behind()


@pytest.mark.slow
def test_annotating_on_update(make_nlp, overfit):
    nlp, examples = make_nlp()
    overfit(nlp, examples)
    behind = nlp.add_pipe("behind")
    nlp.update(examples)
    assert all(doc._.relations is None for doc in behind.seen)
    nlp.update(examples, annotates=[NAME])
    assert [len(doc._.relations) for doc in behind.seen] == [1, 1, 1, 1, 0]
    assert [len(doc.ents) for doc in behind.seen] == [len(x.reference.ents) for x in examples]


@pytest.mark.slow
@pytest.mark.each_family
def test_sentences_of_an_earlier_component_in_training(family, make_nlp, make_examples):
    """They bound what relations are learned from, as the loss shows."""
    nlp, _ = make_nlp(initialize=False)
    nlp.add_pipe("sentencizer", first=True)
    entities = [(0, 1, "PER"), (3, 4, "LOC"), (5, 6, "PER"), (6, 7, "LOC")]
    relations = [(0, 1, "LIVES_IN"), (2, 3, "LIVES_IN")]
    data = [("Ada lives in Rome . Bo Oslo", entities, relations)]
    examples = make_examples(nlp, data)
    nlp.initialize(lambda: examples)
    n_pairs = []
    head = pipe_of(nlp).model.shims[0]._model
    layer = head.networks[0].distmult if family == "TaskSpecificBiRNN" else head.relation_classifier
    layer.register_forward_hook(lambda module, inputs, scores: n_pairs.append(len(scores)))
    nlp.update(examples)
    nlp.update(examples, annotates=["sentencizer"])
    assert n_pairs == [12, 4]


@pytest.mark.slow
def test_resumed_training(trained_copy, make_examples):
    nlp, examples = (
        trained_copy,
        make_examples(
            trained_copy, [("Ada likes Acme .", [(0, 1, "PER"), (2, 3, "ORG")], [(0, 1, "MET")])]
        ),
    )
    assert nlp.evaluate(examples)["joint_f"] < 1.0
    optimizer = nlp.resume_training()
    optimizer.learn_rate = 0.01
    losses = [nlp.update(examples, sgd=optimizer)[NAME] for _ in range(40)]
    assert losses[-1] < 0.1 * losses[0]
    assert nlp.evaluate(examples)["joint_f"] == 1.0


@pytest.mark.slow
@pytest.mark.each_family
def test_frozen(trained_copy, make_examples, found):
    nlp, examples = trained_copy, make_examples(trained_copy)
    nlp.add_pipe("ner", name="other")
    nlp.get_pipe("other").initialize(lambda: examples)
    before = weights_of(nlp)
    expected = found(pipe_of(nlp)(nlp.make_doc(examples[2].text)))
    for _ in range(3):
        losses = nlp.update(examples, exclude=[NAME], sgd=nlp.resume_training())
    assert losses["other"] > 0 and NAME not in losses
    assert all(not x.any() for x in changes(before, weights_of(nlp)).values())
    assert found(pipe_of(nlp)(nlp.make_doc(examples[2].text))) == expected


@pytest.mark.slow
def test_shared_tok2vec_component_is_trained(make_nlp, model_config, overfit):
    nlp = spacy.blank("en")
    nlp.add_pipe("tok2vec")
    listener = {"@architectures": "spacy.Tok2VecListener.v1", "width": 96}
    for tok2vec in (
        listener,
        {"@architectures": "spacy-jere.TokenFeatures.v1", "contextual": listener},
    ):
        nlp.add_pipe(NAME, name=f"mine{len(nlp.pipeline)}", config={"model": model_config(tok2vec)})
    _, examples = make_nlp(initialize=False)
    torch.manual_seed(0)
    nlp.initialize(lambda: examples)
    before = nlp.get_pipe("tok2vec").model.to_bytes()
    losses = overfit(nlp, examples, steps=30)
    assert {"mine1", "mine2", "tok2vec"} <= set(losses)
    assert nlp.get_pipe("tok2vec").model.to_bytes() != before
    assert nlp.evaluate(examples)["ents_f"] > 0.5


@pytest.mark.slow
def test_initialized_again_from_the_start_with_more_labels(make_nlp, make_examples, overfit):
    nlp, examples = make_nlp()
    overfit(nlp, examples)
    more = [*examples, *make_examples(nlp, [("Bo saw Mir .", [(2, 3, "SHIP")], [])])]
    nlp.initialize(lambda: more)
    assert "SHIP" in nlp.get_pipe("joint_ner_re").entity_labels
    overfit(nlp, more)
    assert nlp.evaluate(more)["joint_f"] == 1.0
