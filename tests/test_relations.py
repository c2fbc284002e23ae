import copy
import json
import pickle
import subprocess
import sys
import warnings

import numpy
import pytest
import spacy
import srsly
from spacy.tokens import Doc, DocBin, Span
from spacy.tokens.underscore import Underscore

from spacy_jere import Relation, as_doc, from_docs
from spacy_jere.relations import (
    USER_DATA_KEY,
    Mention,
    StoredRelation,
    install_extension,
    stored_relations,
)

TEXT = "Ada Byron worked for Acme in Rome."
ADA, ACME, ROME = (0, 9, "PER"), (21, 25, "ORG"), (29, 33, "LOC")
RELATIONS = [(ADA, ACME, "WORKS_FOR"), (ACME, ROME, "BASED_IN", 0.75)]
READ = [
    ("Ada Byron", "PER", "WORKS_FOR", "Acme", "ORG", None),
    ("Acme", "ORG", "BASED_IN", "Rome", "LOC", 0.75),
]
# Words and spaces; the first word is related to the last.
UNEASY_DOCS = [
    (["Ada", "likes", "Rome"], [True, True, False]),
    (["Ada", "likes", "Rome"], [True, True, True]),
    ([], []),
    (["👩‍👩‍👧", "Ada", "🇮🇹"], [False, True, False]),
    (["עדה", "גרה", "ברומא"], [True, True, False]),
    (["  ", "\n", "Rome"], [False, False, True]),
]
PROCESSES_SCRIPT = """
import json, multiprocessing, sys
import spacy
from spacy.language import Language
import spacy_jere

@Language.component("reverse_relations")
def reverse_relations(doc):
    if doc._.relations is not None:
        doc._.relations = [(x.tail, x.head, x.label_, 0.5) for x in doc._.relations]
    return doc

if __name__ == "__main__":
    multiprocessing.set_start_method(sys.argv[1])
    nlp = spacy.blank("en")
    nlp.add_pipe("reverse_relations")
    docs = [nlp.make_doc("Ada Byron worked for Acme in Rome.") for _ in range(4)]
    for doc in docs[1:]:
        doc._.relations = [((0, 9, "PER"), (21, 25, "ORG"), "WORKS_FOR")]
    docs[1]._.relations = []
    found = [doc._.relations for doc in nlp.pipe(docs, n_process=2, batch_size=1)]
    print(json.dumps([None if x is None else [repr(relation) for relation in x] for x in found]))
"""


@pytest.fixture(scope="module")
def nlp():
    return spacy.blank("en")


@pytest.fixture
def doc(nlp):
    doc = nlp.make_doc(TEXT)
    doc.ents = [doc.char_span(start, end, label) for start, end, label in (ADA, ACME, ROME)]
    doc._.relations = RELATIONS
    return doc


def read(doc):
    return [
        (x.head.text, x.head.label_, x.label_, x.tail.text, x.tail.label_, x.score)
        for x in doc._.relations
    ]


def by_bytes(doc, path):
    return Doc(doc.vocab).from_bytes(doc.to_bytes())


def by_disk(doc, path):
    doc.to_disk(path)
    return Doc(doc.vocab).from_disk(path)


def by_doc_bin(doc, path):
    data = DocBin(docs=[doc], store_user_data=True).to_bytes()
    return next(iter(DocBin().from_bytes(data).get_docs(doc.vocab)))


def by_pickle(doc, path):
    return pickle.loads(pickle.dumps(doc))


def by_copy(doc, path):
    return doc.copy()


def by_deepcopy(doc, path):
    return copy.deepcopy(doc)


def by_json(doc, path):
    srsly.write_json(path, doc.to_json(underscore=["relations"]))
    return Doc(doc.vocab).from_json(srsly.read_json(path))


carriers = pytest.mark.parametrize(
    "carry", [by_bytes, by_disk, by_doc_bin, by_pickle, by_copy, by_deepcopy, by_json]
)


@carriers
def test_relations_survive(doc, carry, tmp_path):
    carried = carry(doc, tmp_path / "doc")
    assert carried is not doc
    assert read(carried) == READ
    assert all(x.head.doc is carried for x in carried._.relations)


@carriers
@pytest.mark.parametrize("relations", [None, []])
def test_not_annotated_and_empty_stay_different(nlp, carry, relations, tmp_path):
    doc = nlp.make_doc(TEXT)
    doc._.relations = relations
    assert carry(doc, tmp_path / "doc")._.relations == (None if relations is None else ())


@carriers
def test_setting_a_copy_leaves_the_original(doc, carry, tmp_path):
    carry(doc, tmp_path / "doc")._.relations = []
    assert read(doc) == READ


def test_pickled_relation_keeps_its_doc(doc):
    relation = pickle.loads(pickle.dumps(doc._.relations[1]))
    assert relation.head.text == "Acme"
    assert relation.stored == doc._.relations[1].stored
    assert relation.doc.text == TEXT


@pytest.mark.slow
@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_relations_travel_between_processes(method, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(PROCESSES_SCRIPT)
    run = subprocess.run(
        [sys.executable, str(script), method], capture_output=True, text=True, timeout=300
    )
    assert run.returncode == 0, run.stderr
    reversed_ = "(Acme [ORG])-WORKS_FOR 0.50->(Ada Byron [PER])"
    assert json.loads(run.stdout) == [None, [], [reversed_], [reversed_]]


def test_merging_entities_keeps_ends(doc):
    before = read(doc)
    spacy.blank("en").add_pipe("merge_entities")(doc)
    assert doc[0].text == "Ada Byron"
    assert read(doc) == before
    assert [(x.head.start, x.head.end) for x in doc._.relations] == [(0, 1), (3, 4)]


def test_merging_more_than_an_end_widens_it(doc):
    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc[1:4])
    assert [x.head.text for x in doc._.relations] == ["Ada Byron worked for", "Acme"]
    assert doc._.relations[0].to_dict()["head"] == {"start": 0, "end": 9, "label": "PER"}


def test_splitting_a_token_keeps_ends(doc):
    with doc.retokenize() as retokenizer:
        retokenizer.split(doc[4], ["Ac", "me"], heads=[(doc[4], 1), doc[3]])
    assert doc._.relations[1].head.text == "Acme"
    assert len(doc._.relations[1].head) == 2
    assert read(doc) == READ


def test_later_edits_of_entities_leave_relations(doc):
    doc.ents = []
    assert read(doc) == READ


@pytest.mark.parametrize(
    "make",
    [
        lambda doc: RELATIONS,
        lambda doc: tuple(RELATIONS),
        lambda doc: (relation for relation in RELATIONS),
        lambda doc: doc._.relations,
        lambda doc: [x.to_dict() for x in doc._.relations],
        lambda doc: [list(x) for x in RELATIONS],
        lambda doc: [(x.head, x.tail, x.label_, x.score) for x in doc._.relations],
        lambda doc: stored_relations(doc),
        lambda doc: json.loads(json.dumps(stored_relations(doc))),
        lambda doc: [
            {"head": doc.ents[0], "tail": doc.ents[1], "label": "WORKS_FOR"},
            {"head": ACME, "tail": ROME, "label": "BASED_IN", "score": numpy.float32(0.75)},
        ],
        lambda doc: [*RELATIONS, RELATIONS[0], doc._.relations[1]],
    ],
    ids=[
        "lists",
        "tuples",
        "generator",
        "views",
        "dicts",
        "inner-lists",
        "spans",
        "stored",
        "json",
        "mixed",
        "doubles",
    ],
)
def test_what_can_be_set(doc, make):
    relations = make(doc)
    doc._.relations = relations
    assert read(doc) == READ
    assert json.loads(json.dumps(doc.user_data[USER_DATA_KEY])) == doc.user_data[USER_DATA_KEY]


def test_views_of_another_doc_are_copied(nlp, doc):
    other = nlp.make_doc(TEXT)
    other._.relations = doc._.relations
    assert read(other) == READ
    assert all(x.doc is other for x in other._.relations)


def test_none_takes_relations_away(doc):
    doc._.relations = None
    assert doc._.relations is None
    assert USER_DATA_KEY not in doc.user_data


@pytest.mark.parametrize(
    "wrong, code",
    [
        ("WORKS_FOR", "E101"),
        (3, "E101"),
        ((), "E101"),
        ((ADA, ACME), "E101"),
        ((ADA, ACME, "L", 0.5, 1), "E101"),
        ((ADA, ACME, ""), "E101"),
        ((ADA, ACME, 7), "E101"),
        ((ADA, ACME, "L", "high"), "E101"),
        ((ADA, "Acme", "L"), "E101"),
        ((ADA, (21, 25), "L"), "E101"),
        ((ADA, ("a", "b", "ORG"), "L"), "E101"),
        ((ADA, (21, 25, None), "L"), "E101"),
        ((ADA, None, "L"), "E101"),
        ({"head": ADA, "label": "L"}, "E101"),
        ({"head": ADA, "tail": {"start": 21, "end": 25}, "label": "L"}, "E101"),
        ((ADA, (21, 99, "ORG"), "L"), "E102"),
        ((ADA, (-1, 3, "ORG"), "L"), "E102"),
        ((ADA, (5, 5, "ORG"), "L"), "E102"),
        (((9, 0, "PER"), ACME, "L"), "E102"),
    ],
)
def test_wrong_relation_is_refused_and_changes_nothing(doc, wrong, code):
    with pytest.raises(ValueError, match=code):
        doc._.relations = [(ADA, ROME, "LIVES_IN"), wrong]
    assert read(doc) == READ


@pytest.mark.parametrize("wrong", ["WORKS_FOR", b"", 3, {"head": ADA, "tail": ACME, "label": "L"}])
def test_what_is_no_sequence_is_refused(doc, wrong):
    with pytest.raises(ValueError, match="E104"):
        doc._.relations = wrong
    assert read(doc) == READ


def test_empty_span_is_refused(doc):
    with pytest.raises(ValueError, match="E102"):
        doc._.relations = [(doc[2:2], doc.ents[1], "L")]
    assert read(doc) == READ


@pytest.mark.parametrize("end", ["head", "tail"])
def test_span_of_another_doc_is_refused(nlp, doc, end):
    relation = {"head": ADA, "tail": ACME, "label": "L", end: Span(nlp.make_doc(TEXT), 0, 2, "PER")}
    with pytest.raises(ValueError, match=rf"E103.* {end} .*Ada Byron"):
        doc._.relations = [relation]
    assert read(doc) == READ


@pytest.mark.parametrize("relations", [None, [], RELATIONS])
def test_reading_never_writes(nlp, relations):
    doc = nlp.make_doc(TEXT)
    doc._.relations = relations
    before = copy.deepcopy(doc.user_data)
    repr(doc._.relations)
    doc.to_json(underscore=["relations"])
    for x in doc._.relations or ():
        assert x.head.label_ and x.to_dict()
    as_doc(doc[:4])
    from_docs([doc, doc])
    assert doc.user_data == before


def test_json_holds_characters_and_labels(doc):
    assert srsly.json_loads(srsly.json_dumps(doc.to_json(underscore=["relations"])))["_"] == {
        "relations": [
            {
                "head": {"start": 0, "end": 9, "label": "PER"},
                "tail": {"start": 21, "end": 25, "label": "ORG"},
                "label": "WORKS_FOR",
                "score": None,
            },
            {
                "head": {"start": 21, "end": 25, "label": "ORG"},
                "tail": {"start": 29, "end": 33, "label": "LOC"},
                "label": "BASED_IN",
                "score": 0.75,
            },
        ]
    }


def test_relations_compare_and_hash_by_doc_and_content(doc):
    first, second = doc._.relations
    again, _ = doc._.relations
    assert first is not again and first == again and hash(first) == hash(again)
    assert first != second
    assert {first, again, second} == set(doc._.relations)
    assert first != doc.copy()._.relations[0]
    assert first != first.stored


def test_repr_shows_ends_label_and_score(doc):
    assert [repr(x) for x in doc._.relations] == [
        "(Ada Byron [PER])-WORKS_FOR->(Acme [ORG])",
        "(Acme [ORG])-BASED_IN 0.75->(Rome [LOC])",
    ]


def make_uneasy(vocab, words, spaces):
    doc = Doc(vocab, words=words, spaces=spaces)
    ends = [(doc[:1], doc[-1:])] if words else []
    doc._.relations = [
        (Span(doc, head.start, head.end, "A"), Span(doc, tail.start, tail.end, "B"), "R")
        for head, tail in ends
    ]
    return doc


@pytest.mark.parametrize("ensure_whitespace", [True, False])
@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.filterwarnings("error")
def test_joined_docs_keep_relations(nlp, ensure_whitespace, order):
    docs = [make_uneasy(nlp.vocab, *parts) for parts in UNEASY_DOCS[::order]]
    before = [copy.deepcopy(doc.user_data) for doc in docs]
    joined = from_docs(docs, ensure_whitespace=ensure_whitespace)
    ends, first_token = [], 0
    for doc in docs:
        if len(doc):
            ends.append((doc[0].text, doc[-1].text, first_token, first_token + len(doc)))
        first_token += len(doc)
    found = [(x.head.text, x.tail.text, x.head.start, x.tail.end) for x in joined._.relations]
    assert found == ends
    assert {(len(x.head), len(x.tail)) for x in joined._.relations} == {(1, 1)}
    assert [doc.user_data for doc in docs] == before


def test_joining_a_doc_with_itself(doc):
    joined = from_docs([doc, doc])
    assert read(joined) == READ * 2
    assert read(doc) == READ


def test_joining_with_a_doc_that_is_not_annotated(nlp, doc):
    assert from_docs([doc, nlp.make_doc("Bo.")])._.relations is None
    assert from_docs([nlp.make_doc("Bo.")])._.relations is None


def test_joining_nothing(nlp):
    assert from_docs([]) is None
    empty = Doc(nlp.vocab)
    empty._.relations = []
    assert from_docs([empty, empty])._.relations == ()


def test_joining_warns_of_other_user_data(doc):
    doc.user_data["mine"] = 1
    with pytest.warns(UserWarning, match="W102"):
        from_docs([doc, doc])
    assert read(doc) == READ


@pytest.mark.parametrize("parts", UNEASY_DOCS)
@pytest.mark.filterwarnings("error")
def test_part_keeps_relations_with_its_own_offsets(nlp, parts):
    doc = make_uneasy(nlp.vocab, *parts)
    joined = from_docs([make_uneasy(nlp.vocab, ["Bo", "in", "Oslo"], [True] * 3), doc])
    part = as_doc(joined[3:])
    assert part.text == doc.text
    assert stored_relations(part) == stored_relations(doc)


@pytest.mark.parametrize(
    "start, end, labels", [(0, 8, ["WORKS_FOR", "BASED_IN"]), (0, 5, ["WORKS_FOR"]), (5, 8, [])]
)
@pytest.mark.parametrize("copy_user_data", [True, False])
def test_part_keeps_relations_that_lie_inside(doc, start, end, labels, copy_user_data):
    part = as_doc(doc[start:end], copy_user_data=copy_user_data)
    assert [x.label_ for x in part._.relations] == labels
    assert read(doc) == READ


def test_part_of_a_doc_that_is_not_annotated(nlp):
    assert as_doc(nlp.make_doc(TEXT)[0:2])._.relations is None


@pytest.mark.parametrize("spaces", [None, [True, False]])
def test_part_knows_whether_spaces_are_known(nlp, spaces):
    doc = Doc(nlp.vocab, words=["Ada", "lives"], spaces=spaces)
    assert as_doc(doc[0:1]).has_unknown_spaces is (spaces is None)


def test_extension_installs_twice_without_a_word():
    before = Doc.get_extension("relations")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        install_extension()
    assert Doc.get_extension("relations") == before


@pytest.mark.parametrize("other", [(None, None, len, None), ([], None, None, None)])
def test_extension_of_others_is_not_overwritten(monkeypatch, other):
    monkeypatch.setitem(Underscore.doc_extensions, "relations", other)
    with pytest.raises(ValueError, match="E100"):
        install_extension()
    assert Doc.get_extension("relations") == other


def test_stored_data_reads_the_same_from_lists_and_tuples(nlp):
    doc = nlp.make_doc(TEXT)
    stored = StoredRelation(Mention(*ADA), Mention(*ACME), "WORKS_FOR", None)
    for rows in ([(ADA, ACME, "WORKS_FOR", None)], [[list(ADA), list(ACME), "WORKS_FOR", None]]):
        doc.user_data[USER_DATA_KEY] = rows
        assert doc._.relations == (Relation(doc, stored),)
        assert stored_relations(doc) == [stored]


def test_of_doubles_the_first_is_kept_whatever_its_score():
    doc = spacy.blank("en")(TEXT)
    doc._.relations = [
        (ADA, ACME, "WORKS_FOR", 0.5),
        (ACME, ROME, "BASED_IN"),
        (ADA, ACME, "WORKS_FOR", 0.9),
    ]
    assert [(x.label_, x.score) for x in doc._.relations] == [
        ("WORKS_FOR", 0.5),
        ("BASED_IN", None),
    ]


@pytest.mark.parametrize("score", [-0.1, 1.5, float("nan")])
def test_a_score_is_a_probability(score):
    doc = spacy.blank("en")(TEXT)
    with pytest.raises(ValueError, match="E105"):
        doc._.relations = [(ADA, ACME, "WORKS_FOR", score)]
    assert doc._.relations is None
