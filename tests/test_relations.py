import copy
import json
import pickle
import subprocess
import sys
import warnings
from textwrap import dedent

import numpy
import pytest
import spacy
import srsly
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, DocBin, Span
from spacy.tokens.underscore import Underscore
from spacy.training import Example

import spacy_jere
from spacy_jere import Relation, as_doc, from_docs
from spacy_jere.relations import (
    Mention,
    StoredRelation,
    install_extension,
    require_extension,
    stored_relations,
)
from spacy_jere.relations.store import KEY, UNCHECKED_KEY

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
    kept = doc.user_data[(*KEY, 0, len(TEXT))]
    assert json.loads(json.dumps(kept)) == kept


def test_views_of_another_doc_are_copied(nlp, doc):
    other = nlp.make_doc(TEXT)
    other._.relations = doc._.relations
    assert read(other) == READ
    assert all(x.doc is other for x in other._.relations)


def test_none_takes_relations_away(doc):
    doc._.relations = None
    assert doc._.relations is None
    assert doc.user_data == {}


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
        ((ADA, {21, 25, "ORG"}, "L"), "E101"),
        ((ADA, (21, 25.5, "ORG"), "L"), "E101"),
        ((ADA, (21, "25", "ORG"), "L"), "E101"),
        ((ADA, (float("inf"), 25, "ORG"), "L"), "E101"),
        ((ADA, (False, True, "ORG"), "L"), "E101"),
        ((ADA, ACME, "L", 10**400), "E101"),
        ((ADA, ACME, "L", float("nan")), "E105"),
        ((ADA, ACME, "L", float("inf")), "E105"),
        ((ADA, ACME, "L", -0.1), "E105"),
        ((ADA, ACME, "L", 1.1), "E105"),
        ((ADA, ACME, "\ud800"), "E101"),
        ((ADA, (21, 25, "O\udfff"), "L"), "E101"),
        ((ADA, (10**30, 10**31, "ORG"), "L"), "E102"),
        ((ADA, (21, 10**6000, "ORG"), "L"), "E102"),
        ((ADA, (21, 25, "ORG"), 10**6000), "E101"),
        ((ADA, (30, 32, ""), "L"), "E120"),
        ({"head": ADA, "tail": {"start": 0, "end": 3, "label": ""}, "label": "L"}, "E120"),
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


OTHERS = pytest.mark.parametrize("other", [(None, None, len, None), ([], None, None, None)])


@pytest.fixture
def extensions(monkeypatch):
    """The extensions of Docs and Spans, which a test may change."""
    for name in ("doc_extensions", "span_extensions"):
        ours = {x for x, y in getattr(Underscore, name).items() if y[2] and "get_" in y[2].__name__}
        others = ours - {"relations"}  # names that other tests registered
        kept = {x: y for x, y in getattr(Underscore, name).items() if x not in others}
        monkeypatch.setattr(Underscore, name, kept)
    return Underscore.doc_extensions


@OTHERS
def test_extension_of_others_is_not_overwritten(extensions, other):
    extensions["relations"] = other
    for install in (install_extension, require_extension):
        with pytest.raises(ValueError, match=r"E100.*doc\._\.relations.*relations_attr"):
            install()
    assert Doc.get_extension("relations") == other


@OTHERS
def test_another_name_for_the_extension(extensions, doc, other):
    extensions["relations"] = other
    install_extension("ours")
    assert [x.label_ for x in doc._.ours] == ["WORKS_FOR", "BASED_IN"]
    assert [x.label_ for x in doc.ents[0]._.ours] == ["WORKS_FOR"]
    doc._.ours = doc._.ours[1:]
    assert [x.label_ for x in spacy_jere.get_relations(doc)] == ["BASED_IN"]
    require_extension()
    require_extension("ours")
    assert Doc.get_extension("relations") == other


@OTHERS
def test_our_functions_need_no_extension(extensions, nlp, other):
    extensions["relations"] = other
    doc = nlp.make_doc(TEXT)
    spacy_jere.set_relations(doc, RELATIONS)
    assert len(spacy_jere.get_relations(doc)) == 2
    assert len(spacy_jere.get_relations(as_doc(doc[0:5]))) == 1
    nlp = spacy.blank("en")
    with pytest.raises(ValueError, match="E100"):
        nlp.add_pipe("joint_ner_re")
    nlp.add_pipe("joint_ner_re", config={"relations_attr": "ours"})
    assert Doc.has_extension("ours") and Doc.get_extension("relations") == other


IN_PROGRAMS = {
    "their name first": """
        Doc.set_extension("relations", default=[])
        doc = spacy.blank("en")("Ada")
        doc._.relations.append("theirs")
        assert doc._.relations == ["theirs"]
    """,
    "their name after spaCy has loaded its plugins": """
        doc = spacy.blank("en")("Ada")
        Doc.set_extension("relations", default=[])
        doc._.relations.append("theirs")
        Span.set_extension("relations", default=7)
        assert doc[:1]._.relations == 7
    """,
    "their name with force": """
        import spacy_jere
        Doc.set_extension("relations", default=[], force=True)
        spacy.blank("en")
    """,
    "our package by name": """
        import spacy_jere
        Doc.set_extension("theirs", default=[])
        assert spacy.blank("en")("Ada")._.relations is None
    """,
    "our package by name after the plugins": """
        nlp = spacy.blank("en")
        from spacy_jere import get_relations
        assert nlp("Ada")._.relations is None
    """,
    "our component": """
        nlp = spacy.blank("en")
        nlp.add_pipe("joint_ner_re")
        assert nlp.make_doc("Ada")._.relations is None
    """,
    "our package beside theirs": """
        Doc.set_extension("relations", default=[])
        import spacy_jere
        spacy_jere.install_extension("ours")
        nlp = spacy.blank("en")
        nlp.add_pipe("joint_ner_re")
        assert nlp.make_doc("Ada")._.ours is None and nlp.make_doc("Ada")._.relations == []
    """,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", IN_PROGRAMS)
def test_programs_that_have_the_package_installed(name):
    code = "import spacy\nfrom spacy.tokens import Doc, Span\n" + dedent(IN_PROGRAMS[name])
    # spacy-curated-transformers, whose entry points spaCy loads too, warns of torch.jit.
    others = "ignore:`torch.jit.script` is deprecated:DeprecationWarning"
    arguments = [sys.executable, "-W", "error", "-W", others, "-c", code]
    run = subprocess.run(arguments, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_relations_stored_without_a_check_are_read(nlp):
    """As the files of earlier versions have them."""
    doc = nlp.make_doc(TEXT)
    stored = StoredRelation(Mention(*ADA), Mention(*ACME), "WORKS_FOR", None)
    for rows in ([(ADA, ACME, "WORKS_FOR", None)], [[list(ADA), list(ACME), "WORKS_FOR", None]]):
        doc.user_data[UNCHECKED_KEY] = rows
        assert doc._.relations == (Relation(doc, stored),)
        assert stored_relations(doc) == [stored]
    doc._.relations = doc._.relations
    assert list(doc.user_data) == [(*KEY, 0, len(TEXT))]
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


# Ends without a label


@pytest.mark.parametrize(
    "relation",
    [
        lambda doc: (doc[0:2], doc[4:5], "WORKS_FOR"),
        lambda doc: {"head": doc[0:2], "tail": (21, 25, ""), "label": "WORKS_FOR"},
    ],
)
def test_ends_without_a_label_take_that_of_the_entity(doc, relation):
    doc._.relations = [relation(doc)]
    assert read(doc) == READ[:1]


def test_an_end_that_is_no_entity_is_named(nlp):
    doc = nlp.make_doc(TEXT)
    with pytest.raises(ValueError, match=r"E120.*head.*WORKS_FOR.*'Ada Byron'.*worked for Acme"):
        doc._.relations = [(doc[0:2], doc[4:5], "WORKS_FOR")]
    assert doc._.relations is None


# Views


def test_relations_of_another_text_are_refused(nlp, doc):
    other = nlp.make_doc("Bo Duke lived in Oslo or in Paris.")
    with pytest.raises(ValueError, match=r"E121.*head.*'Ada Byron'.*'Bo Duke l'"):
        other._.relations = doc._.relations
    other._.relations = [x.to_dict() for x in doc._.relations]
    assert len(other._.relations) == 2


def test_relations_are_plain_for_json(doc):
    told = json.loads(json.dumps(doc.to_json(underscore=["relations"])))["_"]["relations"]
    assert told == [x.to_dict() for x in doc._.relations] == list(map(dict, doc._.relations))
    again = doc.copy()
    again._.relations = told
    assert read(again) == READ


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x.update(label="R"),
        lambda x: x.__setitem__("label", "R"),
        lambda x: x.pop("label"),
        lambda x: x.clear(),
        lambda x: x.setdefault("new", 1),
        lambda x: x.__ior__({"label": "R"}),
    ],
)
def test_a_relation_can_not_be_changed(doc, change):
    relation = doc._.relations[0]
    with pytest.raises(TypeError, match="E123"):
        change(relation)
    assert dict(relation) == relation.to_dict()


def test_copies_of_a_relation(doc):
    relation = doc._.relations[0]
    assert copy.copy(relation) == relation
    assert copy.deepcopy(relation).stored == relation.stored


# Sentences of Examples


def test_sentences_of_an_example_keep_relations(nlp):
    gold = nlp.make_doc("Ada met Bo . Cy met  Dee .")
    gold._.relations = [((0, 3, "P"), (8, 10, "P"), "MET"), ((13, 15, "P"), (21, 24, "P"), "MET"),
                        ((0, 3, "P"), (13, 15, "P"), "KNOWS")]  # fmt: skip
    for token in gold:
        token.is_sent_start = token.i in (0, 4)
    predicted = Doc(nlp.vocab, words=gold.text.split())
    predicted._.relations = gold._.relations[:1]
    parts = spacy_jere.split_sents(Example(predicted, gold))
    assert [x.reference.text.strip() for x in parts] == ["Ada met Bo .", "Cy met  Dee ."]
    assert [[repr(y) for y in x.reference._.relations] for x in parts] == [
        ["(Ada [P])-MET->(Bo [P])"],
        ["(Cy [P])-MET->(Dee [P])"],
    ]
    assert [len(x.predicted._.relations) for x in parts] == [1, 0]
    for ours, theirs in zip(parts, Example(predicted, gold).split_sents()):
        assert ours.to_dict() == theirs.to_dict()


def test_an_example_without_sentences_stays_whole(nlp, doc):
    example = Example(nlp.make_doc(TEXT), doc)
    assert spacy_jere.split_sents(example) == [example]


# Anything


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
    | st.integers(min_value=0, max_value=len(TEXT)) | st.sampled_from(["PER", "", "\ud83d"]),
    lambda inner: st.lists(inner, max_size=4)
    | st.tuples(inner, inner, inner)
    | st.dictionaries(st.sampled_from(["head", "tail", "label", "score", "start", "end"]), inner),
    max_leaves=12,
)  # fmt: skip
END = st.tuples(st.integers(-2, 40), st.integers(-2, 40), st.sampled_from(["A", "B", "", "\udc00"]))
LIKELY = st.tuples(END, END, st.sampled_from(["R", "S", ""])) | st.tuples(
    END, END, st.just("R"), st.floats() | st.integers()
)


@pytest.mark.slow
@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(relations=ANYTHING | st.lists(ANYTHING | LIKELY, max_size=3) | st.lists(LIKELY, max_size=3))
def test_what_is_set_can_be_kept_or_is_refused(doc, relations):
    doc._.relations = RELATIONS
    try:
        doc._.relations = relations
    except ValueError as error:
        assert str(error).startswith(("[E101]", "[E102]", "[E104]", "[E105]", "[E120]"))
        assert read(doc) == READ
    for carry in (by_bytes, by_doc_bin):
        assert stored_relations(carry(doc, None)) == stored_relations(doc)


WORD = st.text("ab \n😀\ud7ffé", min_size=1, max_size=4)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(words=st.lists(WORD, min_size=1, max_size=8), data=st.data())
def test_parts_and_joins_have_the_relations_of_their_words(nlp, words, data):
    doc = Doc(nlp.vocab, words=words, spaces=data.draw(st.lists(st.booleans(), min_size=len(words),
                                                                max_size=len(words))))  # fmt: skip
    token = st.integers(0, len(words) - 1)
    ends = data.draw(st.lists(st.tuples(token, token), max_size=4))
    doc._.relations = [(Span(doc, x, x + 1, "A"), Span(doc, y, y + 1, "B"), "R") for x, y in ends]
    start = data.draw(token)
    end = data.draw(st.integers(start + 1, len(words)))
    part = as_doc(doc[start:end])
    inside = [(x - start, y - start) for x, y in dict.fromkeys(ends)
              if all(start <= i < end for i in (x, y))]  # fmt: skip
    assert [(x.head.start, x.tail.start) for x in part._.relations] == inside
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = doc[start:end].as_doc(copy_user_data=True)._.relations
        assert theirs is None or [x.stored for x in theirs] == stored_relations(part)
        joined = from_docs([part, doc])
        theirs = Doc.from_docs([part, doc])._.relations
    assert theirs is None or [x.stored for x in theirs] == stored_relations(joined)
