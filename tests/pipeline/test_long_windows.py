"""Long windows: how far apart entities may be, what is warned of, parts that equal the whole."""

import warnings

import pytest
import spacy
from spacy.tokens import Doc, Span

from spacy_jere.models.layers import pair_scores, spans
from spacy_jere.models.types import JointBatch
from spacy_jere.pipeline import component
from spacy_jere.pipeline.targets import align_example
from spacy_jere.windows import doc_windows

# Words and entities: touching, one between, an emoji and words from right to left between, far
# apart, nested in text without any, and Docs without pairs.
TEXTS = [
    ("Ada Bo met Cy in New Oslo .", [(0, 1), (1, 2), (3, 4), (5, 7)]),
    ("Ada 😀 Bo ירושלים של זהב Rome", [(0, 1), (2, 3), (3, 4), (5, 7 - 1)]),
    ("Ada " + "x " * 30 + "Rome", [(0, 1), (31, 32)]),
    ("nothing here", []),
    ("Ada", [(0, 1)]),
    ("", []),
]


def pipe_of(nlp):
    return nlp.get_pipe("joint_ner_re")


def given_docs(nlp, texts=TEXTS):
    docs = []
    for words, places in texts:
        doc = Doc(nlp.vocab, words=words.split())
        doc.ents = [Span(doc, start, end, "PER") for start, end in places]
        docs.append(doc)
    return docs


def apart(relation):
    head, tail = relation.head, relation.tail
    return max(0, max(head.start, tail.start) - min(head.end, tail.end))


def related(docs):
    return [
        [(x.head.start, x.tail.start, x.label_, x.score, apart(x)) for x in doc._.relations]
        for doc in docs
    ]


@pytest.fixture(scope="module")
def untrained(make_nlp):
    """One of each family, on demand. It reports all pairs of given entities."""
    found = {}

    def _untrained(family):
        if family not in found:
            found[family] = make_nlp(given_entities=True, rel_threshold=0.0)[0]
        pipe = pipe_of(found[family])
        pipe.cfg["max_distance"], pipe.cfg["longest_window"] = None, 100
        return found[family]

    return _untrained


@pytest.mark.each_family
@pytest.mark.parametrize("max_distance", [0, 1, 30, 10**6])
def test_pairs_within_the_distance_are_those_of_all(untrained, family, max_distance):
    nlp = untrained(family)
    every = related(nlp.pipe(given_docs(nlp)))
    assert [len(x) for x in every] == [n * (n - 1) * 3 for n in (4, 4, 2, 0, 0, 0)]
    pipe_of(nlp).cfg["max_distance"] = max_distance
    within = [[x for x in relations if x[-1] <= max_distance] for relations in every]
    for found, expected in zip(related(nlp.pipe(given_docs(nlp))), within):
        assert [x[:3] for x in found] == [x[:3] for x in expected]
        assert [x[3] for x in found] == pytest.approx([x[3] for x in expected], abs=1e-6)


@pytest.mark.each_family
@pytest.mark.parametrize("at_once", [1, 5])
def test_parts_equal_the_whole(untrained, family, monkeypatch, at_once):
    nlp = untrained(family)
    texts = [*TEXTS, (" ".join(["Ada", "Bo", "x"] * 20), [(3 * i, 3 * i + 2) for i in range(20)])]
    whole = related(nlp.pipe(given_docs(nlp, texts)))
    monkeypatch.setattr(pair_scores, "_PAIRS_AT_ONCE", at_once)
    monkeypatch.setattr(spans, "_TOKENS_AT_ONCE", at_once)
    for found, expected in zip(related(nlp.pipe(given_docs(nlp, texts))), whole):
        assert [x[:3] for x in found] == [x[:3] for x in expected]
        assert [x[3] for x in found] == pytest.approx([x[3] for x in expected], abs=1e-6)


@pytest.mark.slow
@pytest.mark.each_family
@pytest.mark.parametrize("preset", [False, True])
def test_parts_equal_the_whole_of_a_trained_pipeline(trained, found, monkeypatch, preset):
    nlp, examples = trained
    text = " ".join(example.reference.text for example in examples)

    def read():
        doc = nlp.make_doc(text)
        if preset:
            doc.set_ents([Span(doc, 0, 1, "LOC")], default="missing")
        return found(nlp(doc), digits=3)

    whole = read()
    assert len(whole[0]) > 6 and len(whole[2]) > 2
    monkeypatch.setattr(pair_scores, "_PAIRS_AT_ONCE", 3)
    monkeypatch.setattr(spans, "_TOKENS_AT_ONCE", 4)
    assert read() == whole


@pytest.mark.each_family
def test_only_what_reaches_a_threshold_leaves_the_model(untrained, family, monkeypatch):
    nlp, seen = untrained(family), []
    every = related([nlp(given_docs(nlp)[0])])[0]
    threshold = sorted(x[3] for x in every if x[2] != "MET")[-4]
    expected = [x[:3] for x in every if x[3] >= threshold and x[2] != "MET"]
    assert 0 < len({x[:2] for x in expected}) < 12
    plain = component.decode
    monkeypatch.setattr(component, "decode", lambda x, *y, **z: seen.append(x) or plain(x, *y, **z))
    own = {"MET": 1.0}
    twin = pipe_of(nlp).with_settings(rel_threshold=threshold, thresholds_by_relation=own)
    docs = given_docs(nlp)[:1]
    twin.set_annotations(docs, twin.predict(docs))
    assert [x[:3] for x in related(docs)[0]] == expected
    assert len(seen[0].pairs) == len({x[:2] for x in expected})


# In training

FAR = (
    "Ada and Bo met Cy long after all others had left Rome .",
    [(0, 1, "PER"), (2, 3, "PER"), (4, 5, "PER"), (11, 12, "LOC")],
    [(0, 1, "MET"), (1, 2, "MET"), (0, 3, "LIVES_IN"), (2, 3, "LIVES_IN")],
)


@pytest.mark.parametrize(
    "max_distance, lost", [(None, 0), (10, 0), (9, 1), (6, 1), (5, 2), (1, 2), (0, 4)]
)
def test_relations_further_apart_are_counted(make_nlp, max_distance, lost):
    nlp, (example,) = make_nlp([FAR], initialize=False)
    aligned = align_example(example, None, doc_windows(example.predicted, "doc"), max_distance)
    assert len(aligned.relations) == 4 - lost and sum(aligned.lost.values()) == lost
    pipe_of(nlp).cfg["max_distance"] = max_distance
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        nlp.initialize(lambda: [example])
    told = [str(x.message) for x in caught if "W201" in str(x.message)]
    assert len(told) == bool(lost)
    assert all(f"{lost} relations over more than {max_distance} tokens" in x for x in told)


@pytest.mark.each_family
@pytest.mark.parametrize("max_distance, n", [(None, 12), (10, 12), (5, 6), (1, 4), (0, 0)])
def test_negatives_are_not_drawn_beyond(make_nlp, monkeypatch, family, max_distance, n):
    nlp, (example,) = make_nlp([FAR])
    pipe_of(nlp).cfg["max_distance"] = max_distance
    seen, (head,) = [], [pipe_of(nlp).model.shims[0]._model]
    if family == "TaskSpecificBiRNN":
        network = head.networks[0]
        plain = network._pair_logits
        monkeypatch.setattr(network, "_pair_logits", lambda *x: seen.append(x[-2:]) or plain(*x))
    else:
        plain = head.encoder.pairs
        monkeypatch.setattr(head.encoder, "pairs", lambda *x: seen.append(x[2:4]) or plain(*x))
    losses = nlp.update([example])
    assert sum(len(i) for i, _ in seen) == n
    assert (losses["joint_ner_re_re"] > 0) is (n > 0)


# What is far longer


@pytest.fixture
def few_tokens(monkeypatch):
    monkeypatch.setattr(component, "LONG_WINDOW", 8)


def told(nlp, *texts):
    """RETURNS: The warnings, for texts without entities: an untrained model finds one in each
    word."""
    pipe_of(nlp).cfg["given_entities"] = True
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for words in texts:
            nlp(Doc(nlp.vocab, words=words.split()))
    return [str(x.message) for x in caught if "W220" in str(x.message)]


def test_the_longest_window_of_training_is_kept(make_nlp, make_examples, tmp_path):
    nlp, _ = make_nlp()
    assert pipe_of(nlp).cfg["longest_window"] == 7
    nlp.to_disk(tmp_path)
    again = spacy.load(tmp_path)
    assert pipe_of(again).cfg["longest_window"] == 7
    again.update(make_examples(again, [FAR]))
    assert pipe_of(again).cfg["longest_window"] == 13
    again.update(make_examples(again))
    assert pipe_of(again).cfg["longest_window"] == 13


def test_a_label_file_says_nothing_of_windows(make_nlp, make_examples):
    nlp, examples = make_nlp()
    data = pipe_of(nlp).label_data
    pipe_of(nlp).initialize(lambda: examples, nlp=nlp, labels=data)
    assert pipe_of(nlp).cfg["longest_window"] is None
    assert not told(nlp, "x " * 250)
    pipe_of(nlp).cfg["given_entities"] = False
    nlp.update(examples)
    assert pipe_of(nlp).cfg["longest_window"] == 7


@pytest.mark.parametrize("n, is_far", [(27, False), (28, False), (29, True), (40, True)])
def test_far_longer_windows_are_told_once(make_nlp, few_tokens, n, is_far):
    nlp, _ = make_nlp()
    messages = told(nlp, "x " * n, "x " * 60)
    assert len(messages) == 1
    assert f"a window of {n if is_far else 60:,} tokens" in messages[0]
    assert "had 7." in messages[0] and "more than 28 tokens" in messages[0]
    assert not told(nlp, "x " * n, "x " * 60)


def test_short_windows_are_never_far_longer(make_nlp):
    nlp, _ = make_nlp()
    assert not told(nlp, "x " * component.LONG_WINDOW)
    assert told(nlp, "x " * (component.LONG_WINDOW + 1))


@pytest.mark.parametrize("settings", [{"max_distance": 3}, {"max_distance": 10**6}])
def test_not_told_where_a_distance_is_set(make_nlp, few_tokens, settings):
    nlp, _ = make_nlp(**settings)
    assert not told(nlp, "x " * 60)


def test_not_told_without_relations(make_nlp, few_tokens):
    data = [(words, entities, None) for words, entities, _ in [FAR]]
    with pytest.warns(UserWarning, match="W200"):
        nlp, _ = make_nlp(data)
    assert not told(nlp, "x " * 60)


def test_not_told_of_sentences(make_nlp, few_tokens):
    nlp, _ = make_nlp()
    nlp.add_pipe("sentencizer", first=True)
    assert not told(nlp, "Ada lives in Rome . " * 10)


@pytest.mark.each_family
def test_pairs_of_far_longer_windows_are_looked_at_within_reach(untrained, few_tokens, family):
    nlp = untrained(family)
    pipe_of(nlp).cfg["longest_window"] = 5
    doc = ("Ada Bo " + "x " * 17 + "Cy x Dee", [(0, 1), (1, 2), (19, 20), (21, 22)])
    pipe_of(nlp)._has_told_of_length = False
    with pytest.warns(UserWarning, match="W220.*22 tokens.*had 5.*more than 20 tokens"):
        near = related([nlp(given_docs(nlp, [doc])[0])])[0]
    pipe_of(nlp).cfg["max_distance"] = 10**6
    every = related([nlp(given_docs(nlp, [doc])[0])])[0]
    assert len(every) == 36
    assert {x[-1] for x in every} - {x[-1] for x in near} == set()
    pipe_of(nlp).cfg["max_distance"], pipe_of(nlp).cfg["longest_window"] = None, 4
    fewer = related([nlp(given_docs(nlp, [doc])[0])])[0]
    assert fewer == [x for x in every if x[-1] <= 16]


def test_saved_before_windows_were_counted(make_nlp, few_tokens):
    nlp, _ = make_nlp()
    del pipe_of(nlp).cfg["longest_window"]
    again = spacy.blank("en").from_config(nlp.config)
    again.from_bytes(nlp.to_bytes())
    assert pipe_of(again).cfg["longest_window"] is None
    assert not told(again, "x " * 60)


def test_the_model_itself_has_no_limits(untrained):
    """Whoever calls it gets all pairs."""
    nlp = untrained("TaskSpecificBiRNN")
    pipe_of(nlp).cfg["max_distance"] = 0
    docs = given_docs(nlp)[:1]
    batch = pipe_of(nlp)._batch_windows(docs)
    given = pipe_of(nlp)._given_entities(docs, batch)
    proposals = pipe_of(nlp).model.predict(JointBatch(docs, batch.rows, given=given))
    assert len(proposals.pairs) == 12
