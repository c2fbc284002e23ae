import pytest
import spacy
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_jere.augment import create_swap_entities_v1
from spacy_jere.relations import stored_relations

# Text, entities as parts of it, relations as indices into them
DATA = [
    ("Chen Hui-min lives in Rome. It rains.", [("Chen Hui-min", "PER"), ("Rome", "LOC")], [(0, 1, "LIVES_IN")]),
    ("In New Oslo (Rome), Bo met Ada.", [("New Oslo", "LOC"), ("Rome", "LOC"), ("Bo", "PER"), ("Ada", "PER")], [(3, 2, "MET"), (2, 0, "LIVES_IN")]),
    ("Ada's Acme is old.", [("Ada", "PER"), ("Acme", "ORG")], [(0, 1, "OWNS")]),
    ("Nothing happens.", [], []),
]  # fmt: skip
POOL = {"PER": {"Chen Hui-min", "Bo", "Ada"}, "LOC": {"Rome", "New Oslo"}, "ORG": {"Acme"}}


@pytest.fixture(scope="module")
def nlp():
    return spacy.blank("en")


@pytest.fixture
def examples(nlp):
    examples = []
    for text, ents, relations in DATA:
        gold = nlp.make_doc(text)
        for token in gold:
            token.is_sent_start = token.i == 0 or token.text == "It"
        starts = [text.index(name) for name, _ in ents]
        gold.set_ents([gold.char_span(i, i + len(x), y) for i, (x, y) in zip(starts, ents)])
        gold._.relations = [(gold.ents[x], gold.ents[y], label) for x, y, label in relations]
        examples.append(Example(nlp.make_doc(text), gold))
    return examples


def run(nlp, examples, *args, rounds=5, **settings):
    augment = create_swap_entities_v1(*args, **settings)
    return [[out for eg in examples for out in augment(nlp, eg)] for _ in range(rounds)]


def outside(doc):
    return [token.text for token in doc if token.ent_iob_ == "O"]


def indices(doc):
    places = {(ent.start, ent.end): i for i, ent in enumerate(doc.ents)}
    return [
        (places[x.head.start, x.head.end], places[x.tail.start, x.tail.end], x.label_, x.score)
        for x in doc._.relations
    ]


def test_swapped_entities_and_relations_are_right(nlp, examples):
    rounds = run(nlp, examples, 1.0, probability=1.0)
    texts = {eg.reference.text for outs in rounds for eg in outs}
    assert len(texts) > 2 * len(DATA)
    for outs in rounds:
        for eg, out in zip(examples, outs, strict=True):
            old, new = eg.reference, out.reference
            assert [x.label_ for x in new.ents] == [x.label_ for x in old.ents]
            assert outside(new) == outside(old)
            assert indices(new) == indices(old)
            for x in new._.relations:
                assert x.head.text in POOL[x.head.label_] and x.tail.text in POOL[x.tail.label_]
            assert all(ent.text in POOL[ent.label_] for ent in new.ents)
            assert out.predicted.text == new.text
            assert not out.predicted.ents and out.predicted._.relations is None


def test_sentences_stay(nlp, examples):
    for out, *_ in run(nlp, examples, 1.0, probability=1.0):
        assert [x.text for x in out.reference.sents][1] == "It rains."
        assert len(list(out.reference.sents)) == 2


def test_mentions_of_the_whole_pool_are_used(nlp, examples):
    rounds = run(nlp, examples, 1.0, probability=1.0, rounds=20)
    used = {(x.label_, x.text) for outs in rounds for eg in outs for x in eg.reference.ents}
    assert used == {(label, text) for label, texts in POOL.items() for text in texts}


def test_pool_size_limits_the_choice(nlp, examples):
    for outs in run(nlp, examples, 1.0, probability=1.0, pool_size=1):
        used = {(x.label_, x.text) for eg in outs for x in eg.reference.ents}
        assert used == {("PER", "Chen Hui-min"), ("LOC", "Rome"), ("ORG", "Acme")}


def test_level_0_gives_the_same_examples(nlp, examples):
    for outs in run(nlp, examples, 0.0, probability=1.0):
        assert all(out is eg for eg, out in zip(examples, outs, strict=True))


def test_level_is_the_share_of_new_examples(nlp, examples):
    outs = [out for outs in run(nlp, examples, 0.25, rounds=100) for out in outs]
    originals = {id(eg) for eg in examples}
    assert 0.15 < sum(id(out) not in originals for out in outs) / len(outs) < 0.35


def test_probability_0_rebuilds_the_same_annotation(nlp, examples):
    for eg, out in zip(examples, run(nlp, examples, 1.0, probability=0.0, rounds=1)[0]):
        assert out is not eg
        assert out.reference.text == eg.reference.text
        assert stored_relations(out.reference) == stored_relations(eg.reference)
        assert out.to_dict() == eg.to_dict()


def test_seed_decides(nlp, examples):
    def texts(seed):
        rounds = run(nlp, examples, 0.7, seed=seed)
        return [[eg.reference.text for eg in outs] for outs in rounds]

    assert texts(1) == texts(1)
    assert texts(1) != texts(2)


def test_original_is_not_changed(nlp, examples):
    before = [(eg.to_dict(), stored_relations(eg.reference)) for eg in examples]
    run(nlp, examples, 1.0, probability=1.0)
    assert [(eg.to_dict(), stored_relations(eg.reference)) for eg in examples] == before


def not_annotated(doc):
    doc._.relations = None


def partly_annotated(doc):
    doc.set_ents(list(doc.ents), missing=[doc[-1:]], default="outside")


def with_span_group(doc):
    doc.spans["joint_ner_re"] = [doc[0:2]]


def relation_of_no_entity(doc):
    doc._.relations = [(Span(doc, 0, 1, "PER"), doc.ents[0], "L")]


@pytest.mark.parametrize(
    "change", [not_annotated, partly_annotated, with_span_group, relation_of_no_entity]
)
def test_docs_that_cannot_be_rebuilt_pass_unchanged(nlp, examples, change):
    change(examples[0].reference)
    for out, other, *_ in run(nlp, examples, 1.0, probability=1.0):
        assert out is examples[0]
        assert other is not examples[1]


def test_gold_tokens_are_used_where_spaces_are_unknown(nlp):
    gold = Doc(nlp.vocab, words=["Hui-min", "(Bo)", "didn't"])
    gold.set_ents([Span(gold, 0, 1, "PER"), Span(gold, 1, 2, "PER")])
    gold._.relations = [(*gold.ents, "MET")]
    (out,) = create_swap_entities_v1(1.0)(nlp, Example(Doc(nlp.vocab, words=["Hui-min", "(Bo)", "didn't"]), gold))  # fmt: skip
    assert out.reference is not gold
    assert [x.text for x in out.predicted] == [x.text for x in out.reference]
    assert out.reference.has_unknown_spaces
