"""Nothing happens to a Doc that its owner did not ask for, and what is on it stays true: after
other components, by hand, in parts, in other processes, and as training data."""

import json
import warnings

import numpy
import pytest
import spacy
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Example

import spacy_jere
from spacy_jere import as_doc, from_docs, scored_entities
from spacy_jere.evaluation.error_analysis import compare
from spacy_jere.evaluation.scorer import score_joint
from spacy_jere.formats import spert_json
from spacy_jere.models.types import Extraction
from spacy_jere.pipeline.presets import annotate
from spacy_jere.visualize import render

TEXT = "Ada lives in New Oslo ."
KEY = "joint_ner_re"
# What a component finds in TEXT: New Oslo, and in it Oslo
NESTED = Extraction(
    [(0, 1, "PER", 0.9), (3, 5, "LOC", 0.8), (4, 5, "ORG", 0.6)],
    [(0, 1, "LIVES_IN", 0.75), (0, 2, "WORKS_FOR", 0.7)],
)
FLAT = Extraction(NESTED.entities[:2], NESTED.relations[:1])
FOUND = [("Ada", "PER", "LIVES_IN", "New Oslo", "LOC"), ("Ada", "PER", "WORKS_FOR", "Oslo", "ORG")]


def read(doc):
    relations = doc._.relations
    if relations is None:
        return None
    return [(x.head.text, x.head.label_, x.label_, x.tail.text, x.tail.label_) for x in relations]


def ents(doc):
    return [(x.text, x.label_) for x in doc.ents]


@pytest.fixture
def nlp():
    return spacy.blank("en")


@pytest.fixture
def write(nlp):
    """A Doc as a component leaves it."""

    def _write(found=NESTED, doc=None, name="joint", spans_key=KEY, given_entities=False):
        doc = nlp.make_doc(TEXT) if doc is None else doc
        annotate(doc, found, name, spans_key=spans_key, given_entities=given_entities)
        return doc

    return _write


def by_bytes(doc):
    return Doc(doc.vocab).from_bytes(doc.to_bytes())


def by_doc_bin(doc):
    return next(DocBin(docs=[doc], store_user_data=True).get_docs(doc.vocab))


CARRIERS = [lambda doc: doc, by_bytes, by_doc_bin, lambda doc: doc.copy()]
carriers = pytest.mark.parametrize("carry", CARRIERS, ids=["itself", "bytes", "DocBin", "copy"])


# Span groups


def test_a_group_is_written_where_entities_overlap(write):
    assert KEY not in write(FLAT).spans
    doc = write()
    group = doc.spans[KEY]
    assert [(x.text, x.label_) for x in group] == [
        ("Ada", "PER"),
        ("New Oslo", "LOC"),
        ("Oslo", "ORG"),
    ]
    assert group.attrs["scores"].tolist() == pytest.approx([0.9, 0.8, 0.6])
    assert KEY not in write(FLAT, doc).spans


@pytest.mark.slow
@pytest.mark.parametrize("found", [FLAT, NESTED])
def test_a_key_of_ones_own_is_always_written_and_none_never(write, found):
    doc = write(found, spans_key="all")
    assert len(doc.spans["all"]) == len(found.entities)
    assert not write(found, spans_key=None).spans


def test_a_group_of_somebody_else_is_left_alone(write, nlp):
    doc = nlp.make_doc(TEXT)
    doc.spans[KEY] = [Span(doc, 2, 3, "X")]
    write(NESTED, doc)
    assert [(x.text, x.label_) for x in doc.spans[KEY]] == [("in", "X")]


MERGES = [[(3, 5)], [(0, 2)], [(0, 1), (1, 5)], [(2, 4)], [(0, 6)]]


@pytest.mark.slow
@pytest.mark.parametrize("merges", MERGES)
@pytest.mark.parametrize("found, spans_key", [(FLAT, KEY), (NESTED, KEY), (FLAT, "all")])
def test_what_is_read_after_merging_tokens(write, merges, found, spans_key, nlp):
    doc = write(found, spans_key=spans_key)
    with doc.retokenize() as retokenizer:
        for start, end in merges:
            retokenizer.merge(doc[start:end])
    for group in doc.spans.values():
        texts = {"Ada": "PER", "New Oslo": "LOC", "Oslo": "ORG"}
        assert {(x.text, x.label_) for x in group} <= set(texts.items())
        assert len(group.attrs["scores"]) == len(list(group)) == len(group)
    for carry in CARRIERS:
        assert read(carry(doc)) == read(doc)
    example = Example(doc, write(found))
    assert score_joint([example], spans_key=spans_key)["rels_f"] is not None
    assert compare(example, spans_key=spans_key).relations
    assert "Ada" in render(doc, options={"spans_key": spans_key})
    doc.to_json()


@pytest.mark.slow
def test_merge_entities_behind_keeps_the_group_true(write):
    doc = write()
    before = read(doc)
    spacy.blank("en").add_pipe("merge_entities")(doc)
    assert [(x.text, x.label_) for x in doc.spans[KEY]] == [("Ada", "PER"), ("New Oslo", "LOC")]
    assert read(doc)[0] == before[0]
    assert [(x.text, score) for x, score in scored_entities(doc)][:1] == [("Ada", 0.9)]


def test_split_tokens_bring_spans_back(write):
    doc = write()
    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc[3:5])
    assert len(doc.spans[KEY]) == 2
    with doc.retokenize() as retokenizer:
        retokenizer.split(doc[3], ["New ", "Oslo"], heads=[doc[2], doc[2]])
    assert "Oslo" in {x.text for x in doc.spans[KEY]}


def test_a_group_changed_by_hand_is_annotation(write):
    doc = write()
    doc.spans[KEY].append(Span(doc, 1, 2, "X"))
    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc[0:1])
    assert [x.label_ for x in doc.spans[KEY]] == ["PER", "LOC", "ORG", "X"]
    assert "predicted" not in doc.spans[KEY].attrs
    assert ("lives", "X") in {(x.text, x.label_) for x, _ in scored_entities(doc)}


def test_two_labels_of_the_same_words_are_both_there(write):
    doc = write(Extraction([(0, 1, "PER", 0.9), (0, 1, "ART", 0.5)], []))
    assert [(x.label_, score) for x, score in scored_entities(doc)] == [("ART", 0.5), ("PER", 0.9)]
    assert [x.label_ for x in doc.spans[KEY]] == ["ART", "PER"]
    doc.ents = [Span(doc, 0, 1, "DOG")]
    assert [(x.label_, score) for x, score in scored_entities(doc)] == [("DOG", None)]


@pytest.mark.slow
def test_a_pipeline_that_merges_entities(trained_copy, make_examples):
    trained_copy.add_pipe("merge_entities")
    texts = [TEXT, "Rome is the home of Bo .", ""] * 2
    alone = [read(doc) for doc in trained_copy.pipe(texts)]
    assert [read(doc) for doc in trained_copy.pipe(texts, n_process=2)] == alone
    assert alone[0] == [("Ada", "PER", "LIVES_IN", "New Oslo", "LOC")]
    assert trained_copy.evaluate(make_examples(trained_copy))["rels_f"] == 1


# Predictions are no annotation


@pytest.mark.slow
@carriers
def test_corrected_entities_take_what_was_inside_them_away(write, carry):
    doc = write()
    doc.ents = [x for x in doc.ents if x.label_ == "PER"]
    doc = carry(doc)
    assert [x.text for x, _ in scored_entities(doc)] == ["Ada"]


@pytest.mark.slow
@carriers
def test_corrected_docs_train_on_what_was_corrected(write, carry, make_nlp):
    doc = write()
    doc.ents = [Span(doc, 0, 1, "PERSON")]
    doc._.relations = []
    doc = carry(doc)
    new, _ = make_nlp(initialize=False)
    new.initialize(lambda: [Example(new.make_doc(TEXT), doc)])
    component = new.get_pipe(KEY)
    assert (component.entity_labels, component.relation_labels) == (("PERSON",), ())


@pytest.mark.slow
@carriers
def test_nothing_is_left_of_a_doc_with_nothing(write, carry, make_nlp):
    doc = write()
    doc.ents, doc._.relations = [], []
    doc = carry(doc)
    new, _ = make_nlp(initialize=False)
    with pytest.raises(ValueError, match="E200"):
        new.initialize(lambda: [Example(new.make_doc(TEXT), doc)])
    assert scored_entities(doc) == []


@pytest.mark.slow
def test_relations_of_removed_entities_are_not_learned(write, make_nlp):
    doc = write()
    doc.ents = [x for x in doc.ents if x.label_ == "PER"]
    new, _ = make_nlp(initialize=False)
    with pytest.warns(UserWarning, match="predicted relations of removed entities"):
        new.initialize(lambda: [Example(new.make_doc(TEXT), doc)])
    assert new.get_pipe(KEY).labels == ("PER",)


@pytest.mark.slow
def test_a_predicted_group_without_user_data_is_no_annotation(write, make_nlp):
    doc = next(DocBin(docs=[write()]).get_docs(write().vocab))
    new, _ = make_nlp(initialize=False)
    new.initialize(lambda: [Example(new.make_doc(TEXT), doc)])
    assert new.get_pipe(KEY).entity_labels == ("LOC", "PER")
    assert [(x.text, score) for x, score in scored_entities(doc)] == [
        ("Ada", pytest.approx(0.9)),
        ("New Oslo", pytest.approx(0.8)),
        ("Oslo", pytest.approx(0.6)),
    ]


def test_files_show_what_is_left_after_a_correction(write, tmp_path):
    doc = write()
    doc.ents, doc._.relations = [], []
    spert_json.write([doc], tmp_path / "one.json")
    (sentence,) = json.loads((tmp_path / "one.json").read_text())
    assert (sentence["entities"], sentence["relations"]) == ([], [])


# Parts, joined Docs, other texts


@pytest.mark.slow
@pytest.mark.parametrize("start, end", [(a, b) for a in range(6) for b in range(a + 1, 7)])
def test_spacys_own_part_has_the_relations_inside_it_or_none(write, start, end):
    doc = write()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        part = read(doc[start:end].as_doc(copy_user_data=True))
    expected = read(as_doc(doc[start:end]))
    assert part == expected or (part is None and expected == [])


def test_spacys_own_join_keeps_relations(write, nlp):
    doc, other = write(), write(FLAT)
    joined = Doc.from_docs([doc, other, doc])
    assert read(joined) == [*FOUND, FOUND[0], *FOUND] == read(from_docs([doc, other, doc]))
    assert joined._.relations[-1].tail.start > len(doc) + len(other)
    assert read(Doc.from_docs([doc, nlp.make_doc("Bo sings.")])) is None
    part = joined[len(doc) :].as_doc(copy_user_data=True)
    assert read(part) == [FOUND[0], *FOUND]


OTHERS = ["Bo hates Rome and Paris.", "Ada loves in New Oslo .", "", "New", "Ada " + TEXT]


@pytest.mark.slow
@pytest.mark.parametrize("text", OTHERS)
@pytest.mark.filterwarnings("ignore:.*W120")
def test_data_of_another_text_is_not_read(write, nlp, text):
    doc = nlp.make_doc(text)
    doc.user_data.update(write().user_data)
    assert doc._.relations is None
    assert scored_entities(doc) == []
    doc._.relations = []
    assert doc._.relations == ()


def test_data_of_another_text_is_told(write, nlp):
    doc = nlp.make_doc("Bo hates Rome and Paris.")
    doc.user_data = write().user_data
    with pytest.warns(UserWarning, match="W120.*Bo hates"):
        assert doc._.relations is None


@pytest.mark.slow
@pytest.mark.parametrize(
    "damage",
    [
        lambda kept: kept.pop("relations"),
        lambda kept: kept.update(relations=[[1, 2]]),
        lambda kept: kept["relations"][0].__setitem__(0, ["a", "b", "c"]),
        lambda kept: kept["relations"][0].__setitem__(2, 7),
        lambda kept: kept.update(entities=[None]),
        lambda kept: kept.update(relations=7),
    ],
)
def test_damaged_data_is_one_error(write, damage):
    doc = write()
    damage(next(iter(doc.user_data.values())))
    with pytest.raises(ValueError, match="E122"):
        doc._.relations  # noqa: B018
    doc._.relations = []
    assert doc._.relations == ()


# Ends of relations are the entities of doc.ents


def test_ends_are_the_linked_entities(write):
    doc = write(FLAT)
    doc.ents = [
        Span(doc, x.start, x.end, x.label_, kb_id=f"Q{i}", span_id=f"id{i}")
        for i, x in enumerate(doc.ents)
    ]
    (relation,) = doc._.relations
    assert (relation.head, relation.tail) == doc.ents
    assert [x.kb_id_ for x in (relation.head, relation.tail)] == ["Q0", "Q1"]
    assert [x.id_ for x in (relation.head, relation.tail)] == ["id0", "id1"]


@pytest.mark.slow
@carriers
def test_ends_take_the_label_that_doc_ents_has(write, nlp, carry):
    doc = carry(write())
    ruler = nlp.add_pipe("entity_ruler", config={"overwrite_ents": True})
    ruler.add_patterns([{"label": "CITY", "pattern": "New Oslo"}])
    ruler(doc)
    assert read(doc) == [("Ada", "PER", "LIVES_IN", "New Oslo", "CITY"), FOUND[1]]
    assert doc._.relations[0].to_dict()["tail"]["label"] == "CITY"
    assert {(x.text, x.label_): score for x, score in scored_entities(doc)} == {
        ("Ada", "PER"): 0.9,
        ("New Oslo", "CITY"): None,
        ("Oslo", "ORG"): 0.6,
    }
    assert ">LOC<" not in render(doc)


@pytest.mark.slow
@carriers
def test_a_label_that_was_set_against_doc_ents_stays(nlp, carry):
    doc = nlp.make_doc(TEXT)
    doc.ents = [Span(doc, 0, 1, "PER"), Span(doc, 3, 5, "LOC")]
    doc._.relations = [((0, 3, "PER"), (13, 21, "TEAM"), "IN")]
    assert read(carry(doc)) == [("Ada", "PER", "IN", "New Oslo", "TEAM")]


# Presets


def entities_of(doc):
    return [(x.start, x.end, x.label_) for x in doc.ents]


@pytest.mark.slow
@pytest.mark.parametrize(
    "preset, expected",
    [
        ([(3, 5, "SHIP")], [(0, 1, "PER"), (3, 5, "SHIP")]),
        ([(4, 5, "SHIP")], [(0, 1, "PER"), (4, 5, "SHIP")]),
        ([(1, 2, "VERB")], [(0, 1, "PER"), (1, 2, "VERB"), (3, 5, "LOC")]),
        ([(0, 1, "PER")], [(0, 1, "PER"), (3, 5, "LOC")]),
        ([(0, 6, "ALL")], [(0, 6, "ALL")]),
        ([], [(0, 1, "PER"), (3, 5, "LOC")]),
    ],
)
def test_entities_that_are_there_are_kept_and_predicted_around(trained_copy, preset, expected):
    doc = trained_copy.make_doc(TEXT)
    doc.ents = [Span(doc, *x, kb_id="Q1", span_id="mine") for x in preset]
    doc = trained_copy.get_pipe(KEY)(doc)
    assert entities_of(doc) == expected
    kept = [x for x in doc.ents if (x.start, x.end, x.label_) in preset]
    assert {(x.kb_id_, x.id_) for x in kept} <= {("Q1", "mine")} and len(kept) == len(preset)
    assert all(token.ent_iob for token in doc)


@pytest.mark.slow
def test_a_preset_with_a_known_label_is_related(trained_copy):
    doc = trained_copy.make_doc(TEXT)
    doc.ents = [Span(doc, 3, 5, "LOC")]
    assert read(trained_copy.get_pipe(KEY)(doc)) == [FOUND[0]]
    (found, score), (preset, no_score) = scored_entities(doc)
    assert (found.text, preset.text, no_score) == ("Ada", "New Oslo", None)
    (_, alone), _ = scored_entities(trained_copy(TEXT))
    assert score == alone < 1


@pytest.mark.slow
@pytest.mark.parametrize("blocked", [(3, 4), (4, 5), (3, 5)])
def test_no_entity_covers_a_blocked_token(trained_copy, blocked):
    doc = trained_copy.make_doc(TEXT)
    doc.set_ents([], blocked=[doc[slice(*blocked)]], default="missing")
    doc = trained_copy.get_pipe(KEY)(doc)
    assert entities_of(doc) == [(0, 1, "PER")]
    assert all(doc[i].ent_iob == 3 and not doc[i].ent_type for i in range(*blocked))
    assert all(token.ent_iob for token in doc)


@pytest.mark.slow
def test_presets_do_not_change_other_docs_of_the_batch(trained_copy, found):
    component = trained_copy.get_pipe(KEY)
    texts = [TEXT, "Rome is the home of Bo .", "Cy works for Acme in Rome .", ""]
    alone = [found(component(trained_copy.make_doc(text))) for text in texts]
    docs = [trained_copy.make_doc(text) for text in texts]
    docs[1].ents = [Span(docs[1], 0, 1, "LOC")]
    together = [found(doc) for doc in component.pipe(docs)]
    assert [together[i] for i in (0, 2, 3)] == [alone[i] for i in (0, 2, 3)]
    assert together[1][0] == alone[1][0]
    assert [x[:5] for x in together[1][2]] == [x[:5] for x in alone[1][2]]


@pytest.mark.each_family
def test_every_model_keeps_presets(trained, family):
    nlp = trained[0]
    doc = nlp.make_doc(TEXT)
    doc.set_ents([Span(doc, 4, 5, "LOC", kb_id="Q1")], blocked=[doc[1:2]], default="missing")
    doc = nlp.get_pipe(KEY)(doc)
    assert (4, 5, "LOC") in entities_of(doc) and doc[4].ent_kb_id_ == "Q1"
    assert doc[1].ent_iob == 3 and not doc[1].ent_type
    assert all((x.end <= 1 or x.start > 1) for x, _ in scored_entities(doc))
    assert all(x.head in doc.ents or x.tail in doc.ents for x in doc._.relations)


def test_as_spacys_ner_keeps_presets(nlp):
    """The comparison that the others rest on: what an untrained `ner` does with presets."""
    ner = nlp.add_pipe("ner")
    ner.add_label("PER")
    nlp.initialize()
    doc = nlp.make_doc(TEXT)
    doc.set_ents([Span(doc, 3, 5, "SHIP", kb_id="Q1")], blocked=[doc[0:1]], default="missing")
    doc = ner(doc)
    assert (3, 5, "SHIP") in entities_of(doc) and doc.ents[-1].kb_id_ == "Q1"
    assert doc[0].ent_iob == 3 and not doc[0].ent_type


# Two components


def test_a_second_component_adds(write):
    other = Extraction([(2, 3, "PREP", 0.5), (0, 1, "PER", 1.0)], [(1, 0, "R", 0.4)])
    doc = write(other, write(), name="other")
    assert ents(doc) == [("Ada", "PER"), ("in", "PREP"), ("New Oslo", "LOC")]
    assert read(doc) == [*FOUND, ("Ada", "PER", "R", "in", "PREP")]
    scores = {x.text: score for x, score in scored_entities(doc)}
    assert scores == {"Ada": 0.9, "in": 0.5, "New Oslo": 0.8, "Oslo": 0.6}


def test_a_second_component_leaves_the_group_of_the_first(write):
    doc = write(Extraction([(2, 3, "PREP", 0.5)], []), write(), name="other")
    assert [x.label_ for x in doc.spans[KEY]] == ["PER", "PREP", "LOC", "ORG"]
    doc = write(FLAT, doc)
    assert KEY not in doc.spans


@pytest.mark.slow
@pytest.mark.parametrize("carry", CARRIERS)
def test_a_component_replaces_only_what_it_found_itself(write, carry):
    doc = write(Extraction([(2, 3, "PREP", 0.5)], []), write(), name="other")
    doc = write(FLAT, carry(doc))
    assert ents(doc) == [("Ada", "PER"), ("in", "PREP"), ("New Oslo", "LOC")]
    assert read(doc) == FOUND[:1]
    doc = write(Extraction([], []), doc)
    assert (ents(doc), read(doc)) == ([("in", "PREP")], [])


def test_relations_that_were_set_are_kept(write, nlp):
    doc = nlp.make_doc(TEXT)
    doc._.relations = [
        ((0, 3, "PER"), (13, 21, "LOC"), "LIVES_IN"),
        ((0, 3, "A"), (4, 9, "B"), "R"),
    ]
    write(FLAT, doc)
    assert [(x.label_, x.score) for x in doc._.relations] == [("LIVES_IN", None), ("R", None)]


@pytest.mark.slow
def test_two_trained_components(trained_copy, make_nlp, make_examples, overfit):
    mine, _ = make_nlp(initialize=False)
    data = [("Ada sings in New Oslo .", [(1, 2, "VERB"), (5, 6, "DOT")], [(0, 1, "BEFORE")])]
    examples = make_examples(mine, data)
    mine.initialize(lambda: examples)
    overfit(mine, examples)
    doc = trained_copy(TEXT)
    before = (set(ents(doc)), set(read(doc)))
    trained_copy.add_pipe(KEY, name="mine", source=mine)
    doc = trained_copy(TEXT)
    assert before[0] < set(ents(doc)) and before[1] <= set(read(doc))


# White space


@pytest.mark.slow
@pytest.mark.parametrize(
    "entity, words",
    [((0, 4), (1, 3)), ((1, 4), (1, 3)), ((0, 3), (1, 3)), ((1, 3), (1, 3)), ((3, 4), None)],
)
def test_no_entity_begins_or_ends_with_white_space(entity, words, nlp):
    from spacy_jere.models.types import Proposals
    from spacy_jere.pipeline.decoding import trimmed

    docs = [Doc(nlp.vocab, words=["x"]), Doc(nlp.vocab, words=["\n", "New", "Oslo", " ", "x"])]
    rows = numpy.asarray([(0, 0, 1, 0), (1, *entity, 0), (1, 4, 5, 0)], dtype="int64")
    pairs = numpy.asarray([(1, 2), (2, 1)])
    before = Proposals(rows, numpy.asarray([0.5, 0.6, 0.7]), pairs, numpy.asarray([[0.1], [0.2]]))
    after = trimmed(before, docs)
    expected = [(0, 0, 1, 0), *([(1, *words, 0)] if words else []), (1, 4, 5, 0)]
    assert [tuple(x) for x in after.entities.tolist()] == expected
    assert after.pairs.tolist() == ([[1, 2], [2, 1]] if words else [])
    assert len(after.relation_scores) == len(after.pairs)


def test_of_entities_that_become_the_same_one_is_left(nlp):
    from spacy_jere.models.types import Proposals
    from spacy_jere.pipeline.decoding import trimmed

    docs = [Doc(nlp.vocab, words=["\n", "Oslo", " ", "x"])]
    rows = [(0, 0, 2, 0), (0, 1, 2, 1), (0, 1, 3, 2), (0, 3, 4, 0)]
    pairs = [(i, j) for i in range(4) for j in range(4) if i != j]
    before = Proposals(
        numpy.asarray(rows),
        numpy.asarray([0.9, 0.1, 0.8, 0.7]),
        numpy.asarray(pairs),
        numpy.asarray([[10 * i + j] for i, j in pairs]),
    )
    after = trimmed(before, docs)
    assert after.entities.tolist() == [[0, 1, 2, 1], [0, 3, 4, 0]]
    assert after.pairs.tolist() == [[0, 1], [1, 0]]
    assert after.relation_scores.tolist() == [[13], [31]]
    only = trimmed(
        before._replace(entities=numpy.asarray([*rows[:1], (0, 3, 4, 1), *rows[2:]])), docs
    )
    assert only.entities.tolist() == [[0, 1, 2, 0], [0, 3, 4, 1], [0, 3, 4, 0]]


@pytest.mark.each_family
@pytest.mark.parametrize("space", ["  ", "\n", " \n\t"])
def test_texts_full_of_white_space(trained, family, space):
    nlp = trained[0]
    text = space.join(["", "Ada", "lives", "in", "New", "Oslo", ".", ""])
    doc = nlp(text)
    assert all(x.text == x.text.strip() for x in doc.ents)
    assert all(x.text == x.text.strip() for x, _ in scored_entities(doc))
    assert all(y.text == y.text.strip() for x in doc._.relations for y in (x.head, x.tail))


# Several vocabularies


@pytest.mark.slow
@pytest.mark.each_family
def test_docs_of_several_vocabularies(trained, family, found):
    nlp = trained[0]
    texts = [TEXT, "Zorblax lives in Quimtown .", "Vimmel met Ottokar ."]
    alone = [found(nlp(Doc(nlp.vocab, words=text.split()))) for text in texts]
    docs = [Doc(spacy.blank("en").vocab, words=text.split()) for text in texts]
    assert [found(doc) for doc in nlp.pipe(docs)] == alone


@pytest.mark.slow
def test_examples_of_several_vocabularies(make_nlp, make_examples):
    nlp, _ = make_nlp(initialize=False)
    examples = [x for _ in range(2) for x in make_examples(spacy.blank("en"))]
    nlp.initialize(lambda: examples)
    assert nlp.update(examples)[KEY] > 0


def test_the_extension_of_spans(write, nlp):
    doc = write()
    assert [x.label_ for x in doc.ents[0]._.relations] == ["LIVES_IN", "WORKS_FOR"]
    assert [x.label_ for x in doc[4:5]._.relations] == ["WORKS_FOR"]
    assert [x.label_ for x in doc[3:5]._.relations] == ["LIVES_IN", "WORKS_FOR"]
    assert doc[1:3]._.relations == ()
    assert nlp.make_doc(TEXT)[:2]._.relations is None
    with pytest.raises(ValueError, match="E124"):
        doc[0:1]._.relations = []


def test_labels_are_those_of_the_vocabulary(write):
    (first, _) = write()._.relations
    assert first.doc.vocab.strings[first.label] == first.label_ == "LIVES_IN"


def test_public_names():
    assert all(getattr(spacy_jere, name) for name in spacy_jere.__all__)
