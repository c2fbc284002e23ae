"""A transformer read token by token: the tiny BERT against spacy-transformers' own model and plain
transformers."""

import subprocess
import sys

import numpy
import pytest
import spacy
import torch
from spacy.tokens import Doc
from thinc.api import SGD

pytest.importorskip("spacy_transformers")

from spacy_jere.models.tok2vec import word_pieces
from spacy_jere.windows import window_spans

TEXTS = ["Rome is the home of Bo .", "", "Ada", "Nothing happens here , or is it " * 4]
# Tokens of which BERT's normalization leaves nothing.
SILENT = [" ", "\n\t", "\u200b", "\u200d", "\x07", "\ufeff", "\u00ad"]
WINDOWS = {"@span_getters": "spacy-jere.window_spans.v1"}
DOCS = {"@span_getters": "spacy-transformers.doc_spans.v1"}
STRIDED = {"@span_getters": "spacy-transformers.strided_spans.v1", "window": 6, "stride": 4}


@pytest.fixture
def make_trf(tiny_bert):
    """A pipeline with the tiny BERT."""

    def _make_trf(get_spans=WINDOWS, version="spacy-jere.TransformerModel.v1", name=None, **model):
        nlp = spacy.blank("en")
        settings = {"@architectures": version, "name": name or tiny_bert, "get_spans": get_spans}
        nlp.add_pipe("transformer", config={"model": {**settings, **model}})
        nlp.initialize()
        return nlp

    return _make_trf


def words_of(nlp, *texts):
    return [
        Doc(nlp.vocab, words=text if isinstance(text, list) else text.split()) for text in texts
    ]


def read(nlp, docs):
    pipe = nlp.get_pipe("transformer")
    pipe.set_annotations(docs, pipe.predict(docs))
    return [doc._.trf_data for doc in docs]


def vectors(data):
    """The mean of each token's word pieces. RETURNS: [n_tokens, width]."""
    if not len(data.align.lengths):
        return numpy.zeros((0, 16), dtype="f")
    state = data.model_output.last_hidden_state
    rows = state.reshape(-1, state.shape[-1])[data.align.dataXd.reshape(-1)]
    ends = numpy.cumsum(data.align.lengths)
    return numpy.stack([rows[end - n : end].mean(0) for end, n in zip(ends, data.align.lengths)])


def strings(data):
    return [[x for x in row if x != "[PAD]"] for row in data.wordpieces.strings]


def same(found, expected, atol=1e-5):
    return len(found) == len(expected) and all(
        x.shape == y.shape and numpy.allclose(x, y, atol=atol) for x, y in zip(found, expected)
    )


def plain(nlp, ids):
    """The last hidden state by transformers alone. RETURNS: [n_pieces, width]."""
    with torch.no_grad():
        output = nlp.get_pipe("transformer").model.transformer.eval()(torch.tensor([ids]))
    return output.last_hidden_state[0].numpy()


# What is read


@pytest.mark.slow
@pytest.mark.parametrize("get_spans", [DOCS, STRIDED])
def test_equals_the_model_of_spacy_transformers(make_trf, get_spans):
    ours = make_trf(get_spans)
    other = make_trf(
        get_spans, "spacy-transformers.TransformerModel.v3", tokenizer_config={"use_fast": True}
    )
    texts = [text for text in TEXTS if text]  # its doc_spans knows no empty Docs
    found, expected = (read(nlp, words_of(nlp, *texts)) for nlp in (ours, other))
    assert [strings(x) for x in found] == [strings(x) for x in expected]
    assert same([vectors(x) for x in found], [vectors(x) for x in expected])
    assert [x.align.lengths.tolist() for x in found] == [x.align.lengths.tolist() for x in expected]


def test_each_token_is_split_by_itself(make_trf):
    """Whatever spaces the text has: "(a" is not joined to what stands beside it."""
    nlp = make_trf()
    tokenizer = nlp.get_pipe("transformer").model.tokenizer
    words = ["Rome", "the", "some", "Oslo", "(", "x", ")", "é", "中文", "don't"]
    docs = [Doc(nlp.vocab, words=words, spaces=[on] * len(words)) for on in (True, False)]
    pieces = [tokenizer.tokenize(word) for word in words]
    assert pieces[:2] == [["Ro", "##me"], ["the"]]
    for data in read(nlp, docs):
        assert strings(data) == [["[CLS]", *(x for word in pieces for x in word), "[SEP]"]]
        assert data.align.lengths.tolist() == [len(x) for x in pieces]
        ids = tokenizer.convert_tokens_to_ids(strings(data)[0])
        states, first, expected = plain(nlp, ids), 1, []
        for word in pieces:
            expected.append(states[first : first + len(word)].mean(0))
            first += len(word)
        assert same([vectors(data)], [numpy.stack(expected)])


@pytest.mark.slow
@pytest.mark.parametrize(
    "words", [[x] for x in SILENT] + [SILENT, ["Ada", *SILENT, "Bo"], ["😀", "👩‍👩‍👧", "🇳🇴"]]
)
def test_tokens_without_letters_are_unknown(make_trf, words):
    nlp = make_trf()
    data = read(nlp, words_of(nlp, words))[0]
    expected = {"Ada": ["A", "##d", "##a"], "Bo": ["B", "##o"]}
    pieces = [expected.get(word, ["[UNK]"]) for word in words]
    assert strings(data) == [["[CLS]", *(x for word in pieces for x in word), "[SEP]"]]
    assert data.align.lengths.tolist() == [len(x) for x in pieces]


@pytest.mark.slow
@pytest.mark.parametrize("batch", [[], [""], ["", ""], ["", "Rome", ""], TEXTS])
def test_empty_docs(make_trf, batch):
    nlp = make_trf()
    docs = words_of(nlp, *batch)
    data = read(nlp, docs)
    assert [len(x.align.lengths) for x in data] == [len(doc) for doc in docs]
    assert list(nlp.pipe(batch)) is not None
    assert same(
        [vectors(x) for x in data], [vectors(read(nlp, [doc])[0]) for doc in words_of(nlp, *batch)]
    )


def test_batches_equal_one_by_one(make_trf):
    nlp = make_trf()
    alone = [vectors(read(nlp, [doc])[0]) for doc in words_of(nlp, *TEXTS)]
    for size in (1, 2, 4):
        pipe = nlp.get_pipe("transformer")
        docs = pipe.pipe(words_of(nlp, *TEXTS), batch_size=size)
        assert same([vectors(doc._.trf_data) for doc in docs], alone)


def test_alignment_of_the_batch(make_trf):
    """Rows count through all that was read, also where empty Docs are in between."""
    nlp = make_trf(STRIDED)
    batch = nlp.get_pipe("transformer").predict(words_of(nlp, *TEXTS, TEXTS[0]))
    state = batch.model_output.last_hidden_state
    rows = state.reshape(-1, state.shape[-1])[batch.align.dataXd.reshape(-1)].float()
    own = [x for x in batch.doc_data if len(x.align.lengths)]
    expected = [
        x.model_output.last_hidden_state.reshape(-1, 16)[x.align.dataXd.reshape(-1)] for x in own
    ]
    assert same([rows.numpy()], [numpy.concatenate(expected)])
    lengths = [n for x in own for n in x.align.lengths]
    assert batch.align.lengths.tolist() == lengths


# Long ones


def test_longer_than_the_positions_is_cut_between_tokens(make_trf):
    """256 positions, two of them for [CLS] and [SEP]; windows that don't overlap."""
    nlp = make_trf(stride=256)
    words = [f"w{i}" for i in range(300)]
    tokenizer = nlp.get_pipe("transformer").model.tokenizer
    sizes = [len(tokenizer.tokenize(word)) for word in words]
    parts, start = [], 0
    while start < len(words):
        end = next((i for i in range(start, 300) if sum(sizes[start : i + 1]) > 254), 300)
        parts.append(words[start:end])
        start = end
    assert len(parts) > 3
    whole = read(nlp, words_of(nlp, words))[0]
    n_pieces = [sum(len(tokenizer.tokenize(word)) for word in part) for part in parts]
    assert [len(row) - 2 for row in strings(whole)] == n_pieces
    assert max(len(row) for row in strings(whole)) <= 256
    assert whole.align.lengths.tolist() == sizes
    alone = [vectors(x) for x in read(nlp, words_of(nlp, *parts))]
    assert same([vectors(whole)], [numpy.concatenate(alone)])


@pytest.mark.slow
@pytest.mark.parametrize("around", [[], ["Rome"], ["Rome"] * 200])
def test_a_token_of_more_pieces_than_fit_is_shortened(make_trf, around):
    nlp = make_trf(stride=256)  # windows that don't overlap
    # BERT's own limit on characters would make one [UNK] of it.
    backend = nlp.get_pipe("transformer").model.tokenizer.backend_tokenizer
    wordpiece = backend.model
    wordpiece.max_input_chars_per_word = 1000
    backend.model = wordpiece
    data = read(nlp, words_of(nlp, [*around, "x" * 300, *around]))[0]
    rows = strings(data)
    assert max(len(row) for row in rows) == 256
    assert data.align.lengths[len(around)] == 254
    assert ["[CLS]", "x", *["##x"] * 253, "[SEP]"] in rows
    assert sum(row.count("Ro") for row in rows) == 2 * len(around)


def test_a_token_of_many_pieces_among_others(make_trf):
    """Punctuation splits a word: 150 pieces that begin a part of their own."""
    nlp = make_trf(stride=256)
    data = read(nlp, words_of(nlp, ["Rome"] * 100 + ["a." * 75] + ["Rome"] * 10))[0]
    assert [len(row) for row in strings(data)] == [202, 172]
    assert data.align.lengths[100] == 150


def test_overlapping_spans(make_trf):
    """A token that two spans share is aligned with its pieces in both."""
    nlp = make_trf(STRIDED)
    words = ["Rome", "is", "the", "home", "of", "Bo", "and", "Ada", "in", "Oslo"]
    data = read(nlp, words_of(nlp, words))[0]
    tokenizer = nlp.get_pipe("transformer").model.tokenizer
    spans = [(0, 6), (4, 10)]
    sums, counts = numpy.zeros((10, 16)), numpy.zeros(10)
    for start, end in spans:
        pieces = [tokenizer.tokenize(word) for word in words[start:end]]
        flat = ["[CLS]", *(x for word in pieces for x in word), "[SEP]"]
        assert flat in strings(data)
        states, first = plain(nlp, tokenizer.convert_tokens_to_ids(flat)), 1
        for i, word in enumerate(pieces):
            sums[start + i] += states[first : first + len(word)].sum(0)
            counts[start + i] += len(word)
            first += len(word)
    assert data.align.lengths.tolist() == counts.tolist()
    assert same([vectors(data)], [sums / counts[:, None]])


def test_window_spans(make_trf):
    nlp = make_trf()
    docs = words_of(nlp, "Ada met Bo .", "", "Rome . Oslo .")
    whole = [[(x.start, x.end) for x in spans] for spans in window_spans(docs)]
    assert whole == [[(0, 4)], [], [(0, 4)]]
    for i, token in enumerate(docs[2]):
        token.is_sent_start = i in (0, 2)
    assert [[(x.start, x.end) for x in spans] for spans in window_spans(docs)] == [
        [(0, 4)],
        [],
        [(0, 2), (2, 4)],
    ]
    data = read(nlp, docs)
    assert [len(strings(x)) if len(x.align.lengths) else 0 for x in data] == [1, 0, 2]
    alone = read(nlp, words_of(nlp, "Rome .", "Oslo ."))
    assert same([vectors(data[2])], [numpy.concatenate([vectors(x) for x in alone])])


# Settings


def test_kept_pieces_are_forgotten_when_there_are_many(make_trf, monkeypatch):
    nlp = make_trf()
    expected = [vectors(x) for x in read(nlp, words_of(nlp, *TEXTS))]
    monkeypatch.setattr(word_pieces, "_MAX_KEPT", 3)
    for _ in range(2):
        assert same([vectors(x) for x in read(nlp, words_of(nlp, *TEXTS))], expected)
    kept = word_pieces.splitter_of(nlp.get_pipe("transformer").model.tokenizer)
    words = {word for text in TEXTS for word in text.split()}
    assert len(words) > 3 and not kept


def test_two_tokenizers_keep_their_pieces_apart(make_trf):
    one, other = make_trf(), make_trf()
    model = other.get_pipe("transformer").model
    model.tokenizer.add_tokens(["Rome"])
    model.transformer.resize_token_embeddings(len(model.tokenizer))
    assert [len(read(nlp, words_of(nlp, "Rome"))[0].align.dataXd) for nlp in (one, other)] == [2, 1]


def test_bfloat16_is_close(make_trf):
    exact, fast = make_trf(), make_trf(bfloat16=True)
    expected, found = (
        [vectors(x) for x in read(nlp, words_of(nlp, *TEXTS))] for nlp in (exact, fast)
    )
    assert same(found, expected, atol=0.1)
    assert not same(found, expected, atol=1e-6)
    assert all(x.dtype == "float32" for x in found)


def test_hidden_states_come_along(make_trf):
    nlp = make_trf(transformer_config={"output_hidden_states": True})
    data = read(nlp, words_of(nlp, *TEXTS))
    states = data[3].model_output.hidden_states
    assert len(states) == 3
    assert numpy.array_equal(states[-1], data[3].model_output.last_hidden_state)
    assert [x.model_output.hidden_states[0].shape[0] for x in (data[0], data[2])] == [1, 1]


def test_slow_tokenizers_of_other_vocabularies_are_refused(make_trf, encoder_families):
    with pytest.raises(ValueError, match=r"E406.*fast tokenizer.*RobertaTokenizer"):
        make_trf(name=encoder_families.folder("roberta"), tokenizer_config={"use_fast": False})


def test_listeners_can_not_be_replaced(make_trf, model_config, make_examples):
    nlp = make_trf()
    listener = {
        "@architectures": "spacy-jere.TransformerListener.v1",
        "pooling": {"@layers": "reduce_mean.v1"},
    }
    nlp.add_pipe("joint_ner_re", config={"model": model_config(tok2vec=listener)})
    nlp.initialize(lambda: make_examples(nlp))
    with pytest.raises(ValueError, match="E407"):
        nlp.replace_listeners("transformer", "joint_ner_re", ["model.tok2vec"])


# Training


@pytest.mark.slow
@pytest.mark.parametrize("get_spans", [WINDOWS, STRIDED])
@pytest.mark.parametrize("bfloat16", [False, True])
@pytest.mark.parametrize("inner", [[], [1], [0, 1]])
def test_gradient_equals_plain_torch(make_trf, switch_off_dropout, get_spans, bfloat16, inner):
    """Of the sum of the cubes of the last hidden state and of some before it, padding left out."""
    nlp = make_trf(get_spans, bfloat16=bfloat16, transformer_config={"output_hidden_states": True})
    model = nlp.get_pipe("transformer").model
    switch_off_dropout(model.transformer)
    docs = words_of(nlp, *TEXTS)
    batch, backprop = model.begin_update(docs)
    mask = batch.wordpieces.attention_mask[..., None]
    d_state = 3 * batch.model_output.last_hidden_state.float() ** 2 * torch.as_tensor(mask)
    for data in batch.doc_data:
        for i in inner if len(data.align.lengths) else []:
            state = data.model_output.hidden_states[i]
            data.d_hidden_states[i] += 3 * state**2 * data.wordpieces.attention_mask[..., None]
    from transformers.modeling_outputs import BaseModelOutput

    gradients = BaseModelOutput(last_hidden_state=d_state)
    assert backprop(type(batch)(batch.spans, batch.wordpieces, gradients, batch.align)) == docs
    names = dict(model.transformer.named_parameters())
    found = {name: x.grad.clone() for name, x in names.items() if x.grad is not None}
    model.transformer.zero_grad()
    tokenizer, total = model.tokenizer, 0.0
    for row in strings(batch):
        output = model.transformer(torch.tensor([tokenizer.convert_tokens_to_ids(row)]))
        states = [output.last_hidden_state, *(output.hidden_states[i] for i in inner)]
        total = total + sum((state**3).sum() for state in states)
    total.backward()
    checked = 0
    for name, gradient in found.items():
        if "pooler" not in name:
            wanted = names[name].grad
            if bfloat16:
                cosine = torch.cosine_similarity(gradient.flatten(), wanted.flatten(), 0)
                assert cosine > 0.99 or wanted.norm() < 1e-2, name
            else:
                assert torch.allclose(gradient, wanted, rtol=1e-3, atol=1e-4), name
            checked += int(wanted.any())
    assert checked > 20


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SpERT", "TaskSpecificBiRNN"])
def test_training_reaches_the_transformer(make_trf, model_config, make_examples, name):
    nlp = make_trf()
    listener = {
        "@architectures": "spacy-jere.TransformerListener.v1",
        "pooling": {"@layers": "reduce_max.v1"},
    }
    model = model_config(tok2vec=listener)
    if name == "SpERT":
        model = {
            "@architectures": "spacy-jere.SpERT.v1",
            "tok2vec": {**listener, "context": True},
            "spans": {"@layers": "spacy-jere.SpanClassifier.v1"},
        }
    nlp.add_pipe("joint_ner_re", config={"model": model})
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    bert = nlp.get_pipe("transformer").model.transformer
    before = {key: x.clone() for key, x in bert.state_dict().items()}
    optimizer, losses = SGD(0.01, L2=0.0, grad_clip=1.0), []
    for _ in range(12):
        losses.append(nlp.update(examples, sgd=optimizer)["joint_ner_re"])
    assert losses[-1] < losses[0]
    changed = {key for key, x in bert.state_dict().items() if not torch.equal(x, before[key])}
    assert {
        "embeddings.word_embeddings.weight",
        "encoder.layer.0.attention.self.query.weight",
    } <= changed


# Storage

SCRIPT = """
import multiprocessing, sys, numpy, spacy

TEXTS = ["Ada lives in New Oslo .", "", "Cy works for Acme in Rome .", "Rome"] * 2

def read(doc):
    spans = {key: [(x.start, x.end, x.label_) for x in doc.spans[key]] for key in doc.spans}
    relations = [x.to_dict() for x in doc._.relations]
    return spans, [{**x, "score": round(x["score"], 3)} for x in relations]

if __name__ == "__main__":
    multiprocessing.set_start_method(sys.argv[1])
    nlp = spacy.load(sys.argv[2])
    alone = [nlp(text) for text in TEXTS]
    several = list(nlp.pipe(TEXTS, n_process=2, batch_size=2))
    assert [read(doc) for doc in several] == [read(doc) for doc in alone]
    assert any(doc.spans["first"] for doc in alone) and any(doc._.relations for doc in alone)
    for x, y in zip(alone, several):
        assert (x._.trf_data.align.lengths == y._.trf_data.align.lengths).all()
"""


def disk(nlp, tmp_path):
    nlp.to_disk(tmp_path / "model")
    return spacy.load(tmp_path / "model")


def as_bytes(nlp, tmp_path):
    return spacy.blank("en").from_config(nlp.config).from_bytes(nlp.to_bytes())


@pytest.mark.slow
@pytest.mark.parametrize("store", [disk, as_bytes])
def test_round_trip(make_trf, tmp_path, store):
    nlp = make_trf(bfloat16=True)
    expected = [vectors(x) for x in read(nlp, words_of(nlp, *TEXTS))]
    again = store(nlp, tmp_path)
    model = again.get_pipe("transformer").model
    assert model.attrs["bfloat16"] is True
    assert model.attrs["get_spans"] is window_spans
    assert same([vectors(x) for x in read(again, words_of(again, *TEXTS))], expected, atol=1e-6)


@pytest.mark.slow
def test_several_processes(make_trf, make_examples, overfit, tmp_path):
    """SpERT and SpERT.MT over one transformer."""
    nlp = make_trf()
    name, pooling = "spacy-jere.TransformerListener.v1", {"@layers": "reduce_max.v1"}
    tok2vec = {"@architectures": name, "pooling": pooling, "context": True}
    for name, family in (("first", "SpERT"), ("second", "SpERTMT")):
        spans = {"@layers": "spacy-jere.SpanClassifier.v1"}
        model = {"@architectures": f"spacy-jere.{family}.v1", "tok2vec": tok2vec, "spans": spans}
        nlp.add_pipe("joint_ner_re", name=name, config={"model": model, "spans_key": name})
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    overfit(nlp, examples, steps=40)
    nlp.to_disk(tmp_path / "model")
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf8")
    command = [sys.executable, "script.py", "forkserver", "model"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
