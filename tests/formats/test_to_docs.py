import warnings

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import DocBin
from spacy.vocab import Vocab

from spacy_jere.formats import (
    ALIGNMENTS,
    Record,
    RecordEntity,
    RecordRelation,
    SourceError,
    align,
    make_sentence_setter,
    to_docs,
)
from spacy_jere.formats.to_docs import count_doubles

NLP = spacy.blank("en")
TEXT = "Ada-Marie lives in NewOslo."  # one token, four words, and NewOslo is one token


def record(*entities, text=TEXT, relations=None, **other):
    found = [
        RecordEntity(text.index(part), text.index(part) + len(part), label)
        for part, label in entities
    ]
    return Record(text, found, relations, **other)


def spans(doc):
    return [(x.text, x.label_) for x in doc.spans.get("joint_ner_re", doc.ents)]


def test_entities_that_fit_are_not_reported():
    ((doc,), cuts, lost) = align([record(("lives in", "X"))], NLP)
    assert spans(doc) == [("lives in", "X")]
    assert (cuts, lost) == ([], [])
    assert [x.text for x in doc] == [x.text for x in NLP(TEXT)]


@pytest.mark.parametrize(
    "alignment, found, result, words",
    [
        ("split", [("Oslo", "LOC")], "Oslo", ["in", "New", "Oslo", "."]),
        ("expand", [("NewOslo", "LOC")], "NewOslo", ["in", "NewOslo", "."]),
        ("contract", [], None, ["in", "NewOslo", "."]),
    ],
)
def test_entity_inside_a_token(alignment, found, result, words):
    ((doc,), cuts, lost) = align([record(("Oslo", "LOC"))], NLP, alignment=alignment)
    assert spans(doc) == found
    assert [x.text for x in doc][-len(words) :] == words
    assert doc.text == TEXT
    ((index, source, *entity, text, became),) = cuts
    assert (index, source, entity, text, became) == (0, "", [22, 26, "LOC"], "Oslo", result)
    assert lost == []


@pytest.mark.parametrize(
    "alignment, result", [("split", "in New"), ("expand", "in NewOslo"), ("contract", "in")]
)
def test_entity_that_ends_inside_a_token(alignment, result):
    ((doc,), (cut,), _) = align([record(("in New", "X"))], NLP, alignment=alignment)
    assert spans(doc) == [(result, "X")]
    assert cut.text == "in New" and cut.result == result


def test_strict_refuses_a_cut_and_says_where():
    records = [record(("lives", "X")), record(("Oslo", "LOC"), source="data.json, line 3")]
    with pytest.raises(
        SourceError, match=r"E311.*'Oslo'.*22:26.*\['NewOslo'\].*data\.json, line 3"
    ):
        align(records, NLP, alignment="strict")
    assert len(align(records[:1], NLP, alignment="strict").docs) == 1


def test_alignment_has_a_known_name():
    with pytest.raises(
        SourceError, match=r"E314.*alignment is one of split, contract, expand, strict, not 'exact'"
    ):
        align([], NLP, alignment="exact")
    assert align([], NLP) == ([], [], [])


def test_relations_of_lost_entities_are_reported():
    relations = [
        RecordRelation(0, 1, "LIVES_IN"),
        RecordRelation(0, 0, "IS"),
        RecordRelation(1, 0, "HAS"),
    ]
    item = record(("lives", "X"), ("Oslo", "LOC"), relations=relations, source="f, line 1")
    ((doc,), _, lost) = align([item], NLP, alignment="contract")
    assert [x.label_ for x in doc._.relations] == ["IS"]
    assert [(x.record, x.source, x.head.label, x.tail.label, x.label) for x in lost] == [
        (0, "f, line 1", "X", "LOC", "LIVES_IN"),
        (0, "f, line 1", "LOC", "X", "HAS"),
    ]
    ((doc,), _, lost) = align([item], NLP)
    assert [x.label_ for x in doc._.relations] == ["LIVES_IN", "IS", "HAS"]
    assert lost == []


def test_relations_follow_their_entities():
    relations = [RecordRelation(0, 1, "IN")]
    item = record(("Marie", "PER"), ("Oslo", "LOC"), relations=relations)
    for alignment, ends in (("split", ("Marie", "Oslo")), ("expand", ("Marie", "NewOslo"))):
        ((doc,), _, _) = align([item], NLP, alignment=alignment)
        (relation,) = doc._.relations
        assert (relation.head.text, relation.tail.text) == ends


@pytest.mark.parametrize("relations", [None, []])
def test_not_annotated_is_not_empty(relations):
    ((doc,), _, _) = align([record(relations=relations)], NLP)
    assert doc._.relations == (None if relations is None else ())


@pytest.mark.parametrize("alignment", ALIGNMENTS)
def test_space_beside_an_entity_is_left_out_and_reported(alignment):
    ((doc,), (cut,), _) = align([record((" in ", "X"))], NLP, alignment=alignment)
    assert spans(doc) == [("in", "X")]
    assert (cut.text, cut.result) == (" in ", "in")


def test_token_with_white_space_in_it_stays():
    item = Record.from_words(["Rain\u2028", "falls"], [(0, 1, "X")])
    for alignment in ALIGNMENTS:
        ((doc,), cuts, _) = align([item], NLP, alignment=alignment)
        assert [x.text for x in doc] == ["Rain\u2028", "falls"]
        assert spans(doc) == [("Rain\u2028", "X")] and cuts == []


def test_entity_of_which_a_line_break_is_left_is_lost():
    text = "Ada\n\nBo"
    ((doc,), (cut,), _) = align(
        [Record(text, [RecordEntity(1, 6, "X")])], NLP, alignment="contract"
    )
    assert len(doc.ents) == 0 and cut.result is None


def test_tokens_of_the_source_are_kept_and_split_where_needed():
    item = Record("Ada-Marie", [RecordEntity(4, 9, "X")], words=["Ada-", "Marie"])
    ((doc,), cuts, _) = align([item], NLP)
    assert [x.text for x in doc] == ["Ada-", "Marie"] and cuts == []
    item.entities = [RecordEntity(0, 3, "X")]
    ((doc,), cuts, _) = align([item], NLP)
    assert [x.text for x in doc] == ["Ada", "-", "Marie"] and len(cuts) == 1


def test_split_words_of_unknown_spacing_stay_so():
    item = Record(
        "NewOslo is", [RecordEntity(3, 7, "X")], words=["NewOslo", "is"], spacing_known=False
    )
    ((doc,), _, _) = align([item], NLP)
    assert [x.text for x in doc] == ["New", "Oslo", "is"]
    assert doc.has_unknown_spaces and spans(doc) == [("Oslo", "X")]


def test_overlapping_entities_at_the_edges():
    ((doc,), cuts, _) = align(
        [record((TEXT, "A"), ("Ada", "B"), ("NewOslo.", "C"), (".", "D"))], NLP
    )
    assert spans(doc) == [(TEXT, "A"), ("Ada", "B"), ("NewOslo.", "C"), (".", "D")]
    assert [x.label_ for x in doc.ents] == ["A"]
    assert cuts == []


@pytest.mark.parametrize("text, part", [("🏠Ada🏠", "Ada"), ("שלוםעדה", "עדה"), ("e\u0301a", "a")])
def test_emoji_and_right_to_left(text, part):
    ((doc,), _, _) = align([record((part, "X"), text=text)], spacy.blank("xx"))
    assert spans(doc) == [(part, "X")] and doc.text == text


def test_to_docs_warns_of_losses_only():
    item = record(("Oslo", "LOC"), ("lives", "X"), relations=[RecordRelation(0, 1, "R")])
    with pytest.warns(UserWarning, match=r"W300\] 1 entities .* 1 relations"):
        to_docs([item], NLP, alignment="contract")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        to_docs([item], NLP)


def test_vocabulary_is_enough():
    (doc,) = to_docs([record(("Oslo", "LOC"))], Vocab())
    assert doc.text == TEXT and spans(doc) == [("Oslo", "LOC")]
    (doc,) = to_docs([record(text="I can't")], NLP.vocab)
    assert [x.text for x in doc] == ["I", "ca", "n't"]


@pytest.mark.slow
def test_empty_and_long_texts():
    docs = to_docs([Record(""), Record(" "), Record("a " * 600_000)], NLP)
    assert [len(doc) for doc in docs] == [0, 1, 600_000]


def test_sentences_of_the_source_are_kept():
    item = Record("Ada slept. She likes Rome.", sentences=[0, 11])
    ((doc,), _, _) = align([item], NLP, sentences=make_sentence_setter("sentencizer", "en"))
    assert [x.text for x in doc.sents] == ["Ada slept.", "She likes Rome."]
    item.sentences = [0]
    ((doc,), _, _) = align([item], NLP, sentences=make_sentence_setter("sentencizer", "en"))
    assert len(list(doc.sents)) == 1


def test_sentence_that_begins_inside_a_token_begins_after_it():
    ((doc,), _, _) = align([Record("Ada slept.she ran.", sentences=[0, 10])], NLP)
    assert [x.is_sent_start for x in doc] == [x.i in (0, 2) for x in doc]


def test_sentences_of_a_pipeline(tmp_path):
    rule = spacy.blank("en")
    rule.add_pipe("sentencizer", config={"punct_chars": [";"]})
    rule.add_pipe("entity_ruler").add_patterns([{"label": "X", "pattern": "Bo"}])
    rule.to_disk(tmp_path / "rule")
    item = record(("Ada", "PER"), text="Ada ran; Bo slept. Well.")
    setter = make_sentence_setter(str(tmp_path / "rule"), "en")
    ((doc,), _, _) = align([item], NLP, sentences=setter)
    assert [x.text for x in doc.sents] == ["Ada ran;", "Bo slept. Well."]
    assert spans(doc) == [("Ada", "PER")]
    ((doc,), _, _) = align([Record("")], NLP, sentences=setter)
    assert len(doc) == 0


def test_pipeline_without_sentences_is_refused(tmp_path):
    NLP.to_disk(tmp_path / "blank")
    setter = make_sentence_setter(str(tmp_path / "blank"), "en")
    with pytest.raises(SourceError, match=r"E312.*sets no sentence boundaries"):
        align([record()], NLP, sentences=setter)
    with pytest.raises(SourceError, match=r"E312.*'no_such_pipeline'"):
        make_sentence_setter("no_such_pipeline", "en")


texts = st.text(max_size=40) | st.text(alphabet="aB .-'\n\t🏠ע\u2028", max_size=40)


def bounds(text, start, end):
    """Start and end without white space."""
    return end - len(text[start:end].lstrip()), start + len(text[start:end].rstrip())


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(data=st.data(), text=texts)
def test_splitting_loses_nothing(data, text):
    spots = [
        (i, j) for i in range(len(text)) for j in range(i + 1, len(text) + 1) if text[i:j].strip()
    ]
    chosen = data.draw(st.lists(st.sampled_from(spots), max_size=5)) if spots else []
    entities = [RecordEntity(*spot, "X") for spot in chosen]
    relations = [RecordRelation(i, j, "R") for i in range(len(entities)) for j in range(i)]
    item = Record(text, entities, relations)
    ((doc,), cuts, lost) = align([item], NLP)
    assert doc.text == text and lost == []
    expected = {text[i:j].strip() for i, j in chosen}
    assert {x.text.strip() for x in doc.spans.get("joint_ner_re", doc.ents)} == expected
    # Of identical ones there is one; white space around entities may make them identical.
    ends = {(chosen[x.head], chosen[x.tail]) for x in relations}
    solid = {tuple(bounds(text, *end) for end in pair) for pair in ends}
    assert len(solid) <= len(doc._.relations) <= len(ends)
    reported = {(cut.start, cut.end) for cut in cuts}
    tokens = NLP.tokenizer(text)
    for i, j in chosen:
        assert ((i, j) in reported) is (
            tokens.char_span(i, j) is None or text[i:j] != text[i:j].strip()
        )
    (again,) = DocBin(docs=[doc], store_user_data=True).get_docs(NLP.vocab)
    assert again._.relations == tuple(type(x)(again, x.stored) for x in doc._.relations)


@settings(max_examples=50, deadline=None)
@given(data=st.data(), text=texts, alignment=st.sampled_from(["contract", "expand"]))
def test_what_changes_is_reported(data, text, alignment):
    spots = [
        (i, j) for i in range(len(text)) for j in range(i + 1, len(text) + 1) if text[i:j].strip()
    ]
    chosen = data.draw(st.lists(st.sampled_from(spots), max_size=4, unique=True)) if spots else []
    item = Record(text, [RecordEntity(*spot, str(i)) for i, spot in enumerate(chosen)], [])
    ((doc,), cuts, _) = align([item], NLP, alignment=alignment)
    found = {x.label_: x.text for x in doc.spans.get("joint_ner_re", doc.ents)}
    reported = {cut.label: cut.result for cut in cuts}
    for i, (start, end) in enumerate(chosen):
        assert found.get(str(i)) == reported.get(str(i), text[start:end])


@pytest.mark.parametrize("nested", [False, True])
def test_identical_entities_and_relations_are_read_as_one(nested):
    """Whether other entities overlap or not."""
    parts = [("Ada", "PER"), ("Ada", "PER"), ("NewOslo", "LOC"), ("Ada", "NAME")]
    parts += [("Ada-Marie", "PER")] * nested
    relations = [RecordRelation(*x) for x in [(0, 2, "IN"), (1, 2, "IN"), (2, 1, "IN")]]
    item = record(*parts, relations=relations)
    ((doc,), _, _) = align([item], NLP)
    assert sorted(spans(doc)) == sorted(set(parts))
    assert [repr(x) for x in doc._.relations] == [
        "(Ada [PER])-IN->(NewOslo [LOC])",
        "(NewOslo [LOC])-IN->(Ada [PER])",
    ]
    assert count_doubles([item]) == (1, 1)
    assert count_doubles([record(("Ada", "PER"))]) == (0, 0)


def test_middle_of_a_long_entity_is_left_out_of_the_report():
    text = "x" + "a" * 5000 + "b"
    item = Record(text, [RecordEntity(1, 5002, "X")])
    ((doc,), (cut,), _) = align([item], NLP)
    assert len(cut.text) == len(cut.result) == 1001
    assert cut.text.startswith("aaa") and cut.text.endswith("ab") and "…" in cut.text
    assert doc.ents[0].text == text[1:]


@pytest.mark.slow
@pytest.mark.parametrize(
    "given, kept",
    [("a/1", "a/1"), (7, 7), (2**63, str(2**63)), (1.5, "1.5"), ([1], "[1]"), (None, None)],
)
def test_id_is_kept_on_the_doc(given, kept):
    (doc,) = to_docs([Record("Ada", meta={"orig_id": given})], spacy.blank("en"))
    stored = DocBin(docs=[doc], store_user_data=True).to_bytes()
    (again,) = DocBin().from_bytes(stored).get_docs(spacy.blank("en").vocab)
    assert doc.user_data.get("id") == again.user_data.get("id") == kept
