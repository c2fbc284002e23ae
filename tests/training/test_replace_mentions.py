"""Texts with other names: which mentions are replaced, by what, and what keeps its place."""

import random

import pytest
import spacy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Example

from spacy_jere.training.corpus import create_corpus_v1
from spacy_jere.training.name_sources import NamesOfFiles
from spacy_jere.training.replace_mentions import (
    create_replace_mentions_v1,
    replaceable,
    with_names,
)

TEXT = "Ada Byrne runs Keller AG in Ghent. Byrne, who is 40, likes Keller AG."
ENTS = [
    (0, 9, "PERSON"),
    (15, 24, "ORG"),
    (28, 33, "LOC"),
    (35, 40, "PERSON"),
    (59, 68, "ORG"),
]
RELATIONS = [(0, 1, "WORKS_FOR"), (1, 2, "BASED_IN"), (3, 4, "LIKES")]
NAMES = {
    "PERSON": ["Liv Aune", "Peter J. Otieno", "Zoë"],
    "ORG": ["Nordkyst Group", "Tisza"],
    "LOC": ["Bergen", "New South Wales"],
}


@pytest.fixture(scope="module")
def nlp():
    return spacy.blank("en")


def annotated(nlp, text=TEXT, ents=ENTS, relations=RELATIONS):
    doc = nlp.make_doc(text)
    doc.ents = spans = [doc.char_span(*x) for x in ents]
    doc._.relations = [(spans[i], spans[j], label) for i, j, label in relations]
    return doc


def example_of(doc, nlp):
    return Example(nlp.make_doc(doc.text), doc)


@pytest.fixture
def files(tmp_path):
    for label, names in NAMES.items():
        (tmp_path / label).write_text("\n".join(names), encoding="utf8")
    return {label: str(tmp_path / label) for label in NAMES}


def copies_of(nlp, doc, **options):
    augmenter = create_replace_mentions_v1(keep=False, **options)
    return [x.reference for x in augmenter(nlp, example_of(doc, nlp))]


def said(doc):
    return [(x.head.text, x.head.label_, x.label_, x.tail.text) for x in doc._.relations]


# What is replaced


def test_all_mentions_get_other_names(nlp, files):
    for doc in copies_of(nlp, annotated(nlp), files=files, copies=20):
        ada, keller, ghent, byrne, again = doc.ents
        assert [x.label_ for x in doc.ents] == [label for _, _, label in ENTS]
        assert {ada.text} <= {*NAMES["PERSON"]} and {ghent.text} <= {*NAMES["LOC"]}
        assert keller.text == again.text and keller.text in NAMES["ORG"]
        assert byrne.text == ada.text.split()[-1]
        assert doc.text == TEXT.replace("Ada Byrne", ada.text).replace(
            "Byrne,", f"{byrne},"
        ).replace("Keller AG", keller.text).replace("Ghent", ghent.text)
        assert said(doc) == [
            (ada.text, "PERSON", "WORKS_FOR", keller.text),
            (keller.text, "ORG", "BASED_IN", ghent.text),
            (byrne.text, "PERSON", "LIKES", keller.text),
        ]


def test_first_name_alone_is_that_of_the_new_name(nlp, files):
    doc = annotated(nlp, "Ada Byrne sang. Ada danced.", [(0, 9, "PERSON"), (16, 19, "PERSON")], [])
    for new in copies_of(nlp, doc, files=files, copies=10):
        assert new.ents[1].text == new.ents[0].text.split()[0]


@pytest.mark.parametrize("labels", [["LOC"], ["LOC", "ORG"]])
def test_only_chosen_labels(nlp, files, labels):
    for doc in copies_of(nlp, annotated(nlp), files=files, labels=labels, copies=5):
        changed = {x.label_ for x, y in zip(doc.ents, annotated(nlp).ents) if x.text != y.text}
        assert changed == set(labels)


def test_labels_without_names_are_left_alone(nlp, files):
    (doc,) = copies_of(nlp, annotated(nlp), files={"LOC": files["LOC"]})
    assert [x.text for x in doc.ents if x.label_ != "LOC"] == [
        x.text for x in annotated(nlp).ents if x.label_ != "LOC"
    ]


def test_nothing_to_replace_gives_the_text_itself(nlp, files):
    doc = annotated(nlp, "Nothing happens.", [], [])
    assert copies_of(nlp, doc, files=files, copies=3) == [doc]
    unlike = annotated(nlp, "It is 1999.", [(6, 10, "DATE")], [])
    assert copies_of(nlp, unlike, files=files, copies=3) == [unlike]


def test_level_is_a_share_of_texts(nlp, files):
    augmenter = create_replace_mentions_v1(level=0.3, files=files, copies=2)
    example = example_of(annotated(nlp), nlp)
    sizes = [len(list(augmenter(nlp, example))) for _ in range(400)]
    assert set(sizes) == {1, 3}
    assert 0.2 < sizes.count(3) / 400 < 0.4


def test_same_seed_same_names(nlp, files):
    def texts(seed):
        return [x.text for x in copies_of(nlp, annotated(nlp), files=files, copies=8, seed=seed)]

    assert texts(1) == texts(1)
    assert texts(1) != texts(2)


# What overlaps


def test_entities_that_others_begin_or_end_in_are_left_alone(nlp):
    doc = nlp.make_doc("The University of New Oslo in Rome")
    doc.ents = [doc.char_span(0, 26, "ORG"), doc.char_span(30, 34, "LOC")]
    doc.spans["nested"] = [doc.char_span(18, 26, "LOC"), doc.char_span(22, 26, "NAME")]
    assert replaceable(doc) == {(4, 5): "NAME", (6, 7): "LOC"}


def test_nested_entities_move_with_the_text(nlp, files):
    doc = nlp.make_doc("University of Oslo, Norway")
    doc.ents = [doc.char_span(0, 18, "ORG"), doc.char_span(20, 26, "LOC")]
    doc.spans["all"] = [*doc.ents, doc.char_span(14, 18, "LOC")]
    doc._.relations = [(doc.spans["all"][0], doc.spans["all"][1], "IN")]
    for new in copies_of(nlp, doc, files=files, copies=6):
        org, country, city = new.spans["all"]
        assert org.text == f"University of {city.text}" and city.text in NAMES["LOC"]
        assert said(new) == [(org.text, "ORG", "IN", country.text)]
        assert list(new.ents) == [org, country]


def test_mention_with_two_labels_is_left_alone(nlp):
    doc = annotated(nlp)
    doc.spans["roles"] = [doc.char_span(0, 9, "FOUNDER")]
    assert (0, 2) not in replaceable(doc)


# What keeps its place


def test_sentences_and_tokens_keep_what_is_annotated(nlp, files):
    doc = annotated(nlp)
    for token in doc:
        token.is_sent_start = token.text in ("Ada", "Byrne") and token.i in (0, 8)
        token.tag_ = token.text.upper()
        token.lemma_ = token.text.lower()
        token.pos_ = "NOUN"
        token.set_morph("Number=Sing")
    for new in copies_of(nlp, doc, files=files, copies=8):
        assert [x.text[-1] for x in new.sents] == [".", "."]
        for token in new:
            old = not token.ent_type_
            assert token.tag_ == (token.text.upper() if old else "")
            assert token.lemma_ == (token.text.lower() if old else "")
            assert (token.pos_, str(token.morph)) == (("NOUN", "Number=Sing") if old else ("", ""))


def test_ids_and_missing_tokens_keep_their_place(nlp, files):
    doc = nlp.make_doc(TEXT)
    ada = Span(doc, 0, 2, "PERSON", kb_id="Q1", span_id="a")
    doc.set_ents([ada], missing=[doc[8:12]], default="outside")
    (new,) = copies_of(nlp, doc, files=files)
    (ent,) = new.ents
    assert (ent.kb_id_, ent.id_) == ("Q1", "a")
    shift = len(ent) - 2
    assert [x.i - shift for x in new if x.ent_iob == 0] == [8, 9, 10, 11]
    assert new._.relations is None


def test_text_without_spaces_between_words(files):
    nlp = spacy.blank("en")
    doc = Doc(nlp.vocab, words=["Ada", "met", "Bo", "."], ents=["B-PERSON", "O", "B-PERSON", "O"])
    doc._.relations = [(doc.ents[0], doc.ents[1], "MET")]
    (other,) = create_replace_mentions_v1(keep=False, files=files)(nlp, example_of(doc, nlp))
    assert [x.text for x in other.predicted] == [x.text for x in other.reference]
    assert len(said(other.reference)) == 1


@given(st.data())
@settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
def test_any_names_keep_all_annotation(nlp, data):
    doc = annotated(nlp)
    name = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
    chosen = data.draw(st.lists(st.sampled_from(sorted(replaceable(doc))), unique=True))
    names = {place: " ".join(data.draw(name).split()) or "x" for place in chosen}
    new = with_names(doc, names, nlp)
    assert [x.label_ for x in new.ents] == [x.label_ for x in doc.ents]
    assert [(x.label_, x.score) for x in new._.relations] == [
        (x.label_, x.score) for x in doc._.relations
    ]
    for old, ent in zip(doc.ents, new.ents):
        wanted = names.get((old.start, old.end), old.text)
        assert "".join(ent.text.split()) == "".join(wanted.split())


# Where names come from


def test_names_of_data(nlp, tmp_path):
    DocBin(docs=[annotated(nlp)]).to_disk(tmp_path / "a.spacy")
    other = annotated(nlp, "Bo of\nRome", [(0, 2, "PERSON"), (6, 10, "LOC")], [])
    DocBin(docs=[other]).to_disk(tmp_path / "b.spacy")
    seen = {x.text for _ in range(30) for x in copies_of(nlp, other, data=tmp_path)[0].ents}
    assert seen <= {"Ada Byrne", "Byrne", "Ghent"}
    docs = copies_of(nlp, annotated(nlp), data=str(tmp_path / "b.spacy"), copies=3)
    assert {x.ents[0].text for x in docs} == {"Bo"}


def test_file_of_labels_and_names(tmp_path):
    (tmp_path / "names.tsv").write_text("LOC\tNew  Oslo\n\nLOC\tRome\r\nORG\t Acme, Inc. \n")
    source = NamesOfFiles(str(tmp_path / "names.tsv"))
    assert source.names == {"LOC": ["New Oslo", "Rome"], "ORG": ["Acme, Inc."]}


def test_several_sources_share_a_label(nlp, files, tmp_path):
    DocBin(docs=[annotated(nlp)]).to_disk(tmp_path / "a.spacy")
    docs = copies_of(nlp, annotated(nlp), data=tmp_path, files=files, copies=60)
    found = {x.ents[2].text for x in docs}
    assert found == {"Bergen", "New South Wales"}  # the data has no other place than Ghent itself


@pytest.mark.slow
def test_invented_names(nlp):
    pytest.importorskip("faker")
    options = {"faker": {"PERSON": "name", "LOC": "city"}, "locales": ["hu_HU", "en_GB"]}
    docs = copies_of(nlp, annotated(nlp), copies=20, **options)
    assert len({x.ents[0].text for x in docs}) > 10
    again = copies_of(nlp, annotated(nlp), copies=20, **options)
    assert [x.text for x in docs] == [x.text for x in again]


@pytest.mark.parametrize(
    "options, said",
    [
        ({}, "data, files and faker"),
        ({"level": 1.5}, "level must be between 0 and 1"),
        ({"copies": 0}, "copies must be at least 1"),
        ({"files": "nothing.txt"}, "E436"),
        ({"files": {"LOC": "nothing.txt"}}, "nothing.txt"),
        ({"faker": {"LOC": "no_such_method"}}, "'LOC' must be a method of Faker"),
        ({"faker": {"LOC": "city"}, "locales": ["xx_YY"]}, "locales"),
    ],
)
def test_settings_at_fault_are_named(options, said, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    if "faker" in options:
        pytest.importorskip("faker")
    elif options and "files" not in options:
        options = {**options, "data": "data.spacy"}
    with pytest.raises(ValueError, match=said):
        create_replace_mentions_v1(**options)


@pytest.mark.parametrize("content", ["", "\n \n"])
def test_empty_file_of_names_is_named(content, tmp_path):
    (tmp_path / "names").write_text(content)
    with pytest.raises(ValueError, match="no names"):
        create_replace_mentions_v1(files={"LOC": tmp_path / "names"})


def test_line_without_label_is_named(tmp_path):
    (tmp_path / "names").write_text("LOC\tRome\nOslo\n")
    with pytest.raises(ValueError, match=r"line 2.*'Oslo'"):
        create_replace_mentions_v1(files=tmp_path / "names")


@pytest.mark.parametrize("what", ["missing", "broken", "without entities"])
def test_data_at_fault_is_named(nlp, what, tmp_path):
    path = tmp_path / "data.spacy"
    if what == "broken":
        path.write_bytes(b"nothing")
    elif what == "without entities":
        DocBin(docs=[nlp.make_doc("Nothing here.")]).to_disk(path)
    with pytest.raises(ValueError, match=r"E436.*data\.spacy"):
        copies_of(nlp, annotated(nlp), data=path)


def test_unknown_label_is_named(nlp, files):
    with pytest.raises(ValueError, match=r"labels must be labels with names .*ORG.*SHIP"):
        copies_of(nlp, annotated(nlp), files=files, labels=["SHIP"])


# In training


def test_corpus_reads_with_other_names(nlp, files, tmp_path):
    path = tmp_path / "train.spacy"
    DocBin(docs=[annotated(nlp)] * 3, store_user_data=True).to_disk(path)
    augmenter = create_replace_mentions_v1(files=files, copies=2)
    examples = list(create_corpus_v1(path, augmenter=augmenter, gold_entities=True)(nlp))
    assert len(examples) == 9
    assert all(len(x.reference._.relations) == 3 for x in examples)
    assert all(
        [y.text for y in x.predicted.ents] == [y.text for y in x.reference.ents] for x in examples
    )
    assert len({x.text for x in examples}) > 3


@pytest.mark.slow
def test_pipeline_trains_with_it(nlp, files):
    random.seed(0)
    pipeline = spacy.blank("en")
    pipeline.add_pipe("joint_ner_re")
    augmenter = create_replace_mentions_v1(files=files, copies=4)
    examples = list(augmenter(pipeline, example_of(annotated(nlp), nlp)))
    optimizer = pipeline.initialize(lambda: examples)
    losses = [pipeline.update(examples, sgd=optimizer)["joint_ner_re"] for _ in range(15)]
    assert losses[-1] < losses[0] / 2
