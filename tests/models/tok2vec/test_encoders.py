"""Encoders of every encoder, held to plain transformers on the same word pieces."""

import inspect
import subprocess
import sys
import warnings
from pathlib import Path

import numpy
import pytest
import spacy
import srsly
import torch
from spacy.tokens import Doc
from thinc.api import SGD

pytest.importorskip("spacy_transformers")

from spacy_jere.models.storage import LoadError, seal, unpack, unseal
from spacy_jere.models.tok2vec import token_transformer

FAMILIES = [
    "bert",
    "distilbert",
    "electra with padding last",
    "mpnet",
    "albert",
    "roberta",
    "roberta with a prefix",
    "xlm-roberta",
    "camembert",
    "deberta",
    "deberta-v2",
    "modernbert",
    "xlnet",
    "gpt2",
]
# Where a space before a word is part of its first piece
BYTES = ["roberta", "roberta with a prefix", "deberta", "modernbert", "gpt2"]
SIGNS = ["albert", "xlm-roberta", "camembert", "deberta-v2", "xlnet"]
TEXTS = ["Ada lives in New Oslo .", "", "Rome", "Is it Bo's home ? Don't ask , Zoë !", "x"]
ODD = [
    "😀",
    "👩‍👩‍👧",
    "שלום",
    "مرحبا",
    " ",
    "\n\t",
    "\u200b",
    "\x07",
    "\u00ad",
    "[UNK]",
    "</s>",
    "▁",
    "Ġ",
]


LISTENER = {
    "@architectures": "spacy-jere.TransformerListener.v1",
    "pooling": {"@layers": "reduce_mean.v1"},
}


def few(names, n=2):
    """Two encoders of different vocabularies; the others are slow together, and WordPiece has tests
    of its own."""
    quick = ["roberta", "deberta-v2"][:n]
    return [x if x in quick else pytest.param(x, marks=pytest.mark.slow) for x in names]


@pytest.fixture
def make_trf(encoder_families):
    """A pipeline with the encoder of a encoder."""

    def _make_trf(encoder, **settings):
        nlp = spacy.blank("en")
        model = {
            "@architectures": "spacy-jere.TransformerModel.v1",
            "name": encoder_families.folder(encoder),
            "get_spans": {"@span_getters": "spacy-jere.window_spans.v1"},
            **settings,
        }
        nlp.add_pipe("transformer", config={"model": model})
        nlp.initialize()
        return nlp

    return _make_trf


def words_of(nlp, *texts):
    return [Doc(nlp.vocab, words=text.split()) for text in texts]


def read(nlp, docs):
    pipe = nlp.get_pipe("transformer")
    pipe.set_annotations(docs, pipe.predict(docs))
    return [doc._.trf_data for doc in docs]


def rows_of(data):
    """The ids of each sequence, without padding."""
    if not len(data.align.lengths):
        return []
    pieces = data.wordpieces
    return [ids[:n].tolist() for ids, n in zip(pieces.input_ids, pieces.lengths)]


def plain(folder, nlp):
    """The model by transformers alone, and its tokenizer."""
    from transformers import AutoModel, AutoTokenizer

    model = AutoModel.from_pretrained(folder).eval()
    own = nlp.get_pipe("transformer").model.transformer
    assert all(torch.equal(x, own.state_dict()[name]) for name, x in model.state_dict().items())
    return model, AutoTokenizer.from_pretrained(folder)


def arguments(model, tokenizer, ids):
    """What the tokenizer would give the model for these pieces, in a batch of their own."""
    given = {"input_ids": torch.tensor([ids]), "attention_mask": torch.ones(1, len(ids)).long()}
    takes = inspect.signature(model.forward).parameters
    if "token_type_ids" in tokenizer("a") and "token_type_ids" in takes:
        own = tokenizer("a")["token_type_ids"]
        types = [0] * (len(ids) - 1) + own[-1:]
        given["token_type_ids"] = torch.tensor([types])
    return given


def switch_off(model):
    for module in model.modules():
        if "Dropout" in type(module).__name__:
            module.p = module.drop_prob = 0.0
        for name in ("attention_dropout", "attention_probs_dropout_prob", "dropout_prob"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)


# What is read


@pytest.mark.parametrize("encoder", few(FAMILIES))
@pytest.mark.parametrize("text", ["Rome is the home of Bo ,", "Ada", "Nothing happens here"])
def test_words_between_spaces_are_read_as_the_tokenizer_reads_the_text(make_trf, encoder, text):
    nlp = make_trf(encoder)
    tokenizer = nlp.get_pipe("transformer").model.tokenizer
    (row,) = rows_of(read(nlp, words_of(nlp, text))[0])
    assert row == tokenizer(text)["input_ids"]


@pytest.mark.parametrize("encoder", few(BYTES))
@pytest.mark.parametrize(
    "text", ["Don't go, (Bo)!", "Ada  lives\nin Rome.", "Zoë:1999", "\nBo", "Bo\n\n Ada"]
)
def test_byte_level_vocabularies_read_any_text_as_it_stands(make_trf, encoder, text):
    nlp = make_trf(encoder)
    tokenizer = nlp.get_pipe("transformer").model.tokenizer
    (row,) = rows_of(nlp(text)._.trf_data)
    assert tokenizer.decode(row, skip_special_tokens=True).strip(" ") == text.strip(" ")
    assert row == tokenizer(text)["input_ids"]


@pytest.mark.parametrize("encoder", few(SIGNS))
def test_a_word_without_space_in_front_has_no_sign_of_one(make_trf, encoder):
    nlp = make_trf(encoder)
    data = nlp("(Rome), Oslo.\nAda")._.trf_data
    flat = [x for x in data.wordpieces.strings[0] if x[0] not in "<["]
    said = "".join(flat).replace("▁", " ")
    assert said.replace("<unk>", "").split(" ")[1:][0].startswith(("(", "R"))
    assert " Oslo" in said and " Ada" in said and ". Ada" in said and " Rome" not in said


@pytest.mark.parametrize("encoder", few(SIGNS))
def test_tokens_with_spaces_inside(make_trf, encoder):
    nlp = make_trf(encoder)
    tokenizer = nlp.get_pipe("transformer").model.tokenizer
    doc = Doc(nlp.vocab, words=["Bo", "New Oslo", "Rome"])
    data = read(nlp, [doc])[0]
    assert rows_of(data)[0] == tokenizer("Bo New Oslo Rome")["input_ids"]
    assert data.align.lengths.tolist()[1] > 2


@pytest.mark.parametrize("encoder", few(FAMILIES))
def test_every_token_has_pieces(make_trf, encoder):
    nlp = make_trf(encoder, stride=40)  # windows that don't overlap
    for words in (ODD, *([x] for x in ODD)):
        for spaces in (True, False):
            doc = Doc(nlp.vocab, words=words, spaces=[spaces] * len(words))
            data = read(nlp, [doc])[0]
            assert data.align.lengths.tolist() and data.align.lengths.all()
            whole = [x for row in rows_of(data) for x in row]
            frame = nlp.get_pipe("transformer").model.tokenizer.num_special_tokens_to_add()
            n_rows = len(data.wordpieces.lengths)
            assert data.align.lengths.sum() == len(whole) - frame * n_rows


@pytest.mark.parametrize("encoder", few(FAMILIES))
@pytest.mark.parametrize("size", [1, 5])
def test_states_equal_plain_transformers(make_trf, encoder_families, encoder, size):
    nlp = make_trf(encoder, transformer_config={"output_hidden_states": True})
    model, tokenizer = plain(encoder_families.folder(encoder), nlp)
    docs = words_of(nlp, *TEXTS)
    pipe = nlp.get_pipe("transformer")
    n_compared = 0
    for doc in pipe.pipe(docs, batch_size=size):
        data = doc._.trf_data
        assert len(data.align.lengths) == len(doc)
        for i, ids in enumerate(rows_of(data)):
            with torch.no_grad():
                output = model(**arguments(model, tokenizer, ids), output_hidden_states=True)
            for layer, expected in enumerate(output.hidden_states):
                found = data.model_output.hidden_states[layer][i, : len(ids)]
                assert numpy.allclose(found, expected[0], atol=1e-5)
                n_compared += 1
            found = data.model_output.last_hidden_state[i, : len(ids)]
            assert numpy.allclose(found, output.last_hidden_state[0], atol=1e-5)
    assert n_compared == 4 * 3


@pytest.mark.parametrize("encoder", few([x for x in FAMILIES if x != "deberta"]))
def test_bfloat16_is_close_to_plain_transformers(make_trf, encoder_families, encoder):
    nlp = make_trf(encoder, bfloat16=True)
    model, tokenizer = plain(encoder_families.folder(encoder), nlp)
    for data in read(nlp, words_of(nlp, *TEXTS)):
        for i, ids in enumerate(rows_of(data)):
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
                expected = model(**arguments(model, tokenizer, ids)).last_hidden_state[0].float()
            found = data.model_output.last_hidden_state[i, : len(ids)]
            assert found.dtype == "float32" and numpy.allclose(found, expected, atol=0.1)


@pytest.mark.slow
def test_bfloat16_that_transformers_can_not_compute(make_trf):
    with pytest.raises(ValueError, match=r"E453.*deberta.*bfloat16 = false"):
        make_trf("deberta", bfloat16=True)


def embeddings_of(model):
    return model.get_input_embeddings().weight


@pytest.mark.parametrize("encoder", few(FAMILIES))
@pytest.mark.parametrize("settings", [{}, {"bfloat16": True}], ids=str)
def test_gradient_of_the_embeddings_equals_plain_transformers(
    make_trf, encoder_families, encoder, settings
):
    """Of the sum of the cubes of the last hidden state."""
    if settings and encoder == "deberta":
        pytest.skip("transformers can't compute it in bfloat16")
    nlp = make_trf(encoder, **settings)
    reference, tokenizer = plain(encoder_families.folder(encoder), nlp)
    model = nlp.get_pipe("transformer").model
    for module in (model.transformer, reference):
        switch_off(module)
    docs = words_of(nlp, *TEXTS)
    batch, backprop = model.begin_update(docs)
    mask = torch.as_tensor(batch.wordpieces.attention_mask)[..., None]
    d_state = 3 * batch.model_output.last_hidden_state.float() ** 2 * mask
    from transformers.modeling_outputs import BaseModelOutput

    backprop(
        type(batch)(batch.spans, batch.wordpieces, BaseModelOutput(d_state.detach()), batch.align)
    )
    total = 0.0
    with torch.autocast("cpu", torch.bfloat16, enabled=bool(settings)):
        for data in batch.doc_data:
            for ids in rows_of(data):
                state = reference(**arguments(reference, tokenizer, ids)).last_hidden_state
                total = total + (state.float() ** 3).sum()
    total.backward()
    found, wanted = embeddings_of(model.transformer).grad, embeddings_of(reference).grad
    assert wanted.abs().max() > 1e-3
    if settings:
        assert torch.cosine_similarity(found.flatten(), wanted.flatten(), 0) > 0.98
    else:
        assert torch.allclose(found, wanted, rtol=1e-4, atol=1e-5 * float(wanted.abs().max()))


@pytest.mark.parametrize(
    "encoder", few([x for x in FAMILIES if x not in ("albert", "mpnet", "xlnet")])
)
def test_gradient_checkpointing_changes_memory_only(make_trf, encoder):
    gradients, kept = [], []
    for checkpointing in (False, True):
        nlp = make_trf(encoder, gradient_checkpointing=checkpointing)
        model = nlp.get_pipe("transformer").model
        switch_off(model.transformer)
        n_kept = 0

        def keep(x):
            nonlocal n_kept
            n_kept += x.numel()
            return x

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
            batch, backprop = model.begin_update(words_of(nlp, *TEXTS))
        from transformers.modeling_outputs import BaseModelOutput

        state = batch.model_output.last_hidden_state
        d_state = BaseModelOutput(torch.linspace(-1, 1, state.numel()).reshape(state.shape))
        backprop(type(batch)(batch.spans, batch.wordpieces, d_state, batch.align))
        parameters = model.transformer.parameters()
        gradients.append([x.grad for x in parameters if x.grad is not None])
        kept.append(n_kept)
    assert kept[1] < 0.7 * kept[0]
    assert len(gradients[0]) == len(gradients[1]) > 10
    assert all(torch.allclose(x, y, atol=1e-5) for x, y in zip(*gradients))


@pytest.mark.parametrize("encoder", few(["albert", "mpnet", "xlnet"], 0))
def test_gradient_checkpointing_that_the_encoder_does_not_have(make_trf, encoder):
    with pytest.raises(ValueError, match=r"E454.*gradient_checkpointing = false"):
        make_trf(encoder, gradient_checkpointing=True)


# The vector of the sequence


@pytest.mark.parametrize("encoder", few(FAMILIES, 1))
def test_context_is_the_token_that_the_encoder_puts_in_front(
    make_trf, model_config, make_examples, encoder
):
    nlp = make_trf(encoder)
    tok2vec = {**LISTENER, "context": True}
    joint = nlp.add_pipe("joint_ner_re", config={"model": model_config(tok2vec=tok2vec)})
    nlp.get_pipe("transformer").find_listeners(joint)
    joint.initialize(lambda: make_examples(nlp), nlp=nlp)
    docs = words_of(nlp, TEXTS[0], TEXTS[3])
    data = read(nlp, docs)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        vectors = joint.model.get_ref("tok2vec").predict(docs)
    assert ["W210" in str(x.message) for x in caught] == [True] * (encoder in ("xlnet", "gpt2"))
    for x, y in zip(vectors, data):
        first = y.model_output.last_hidden_state[0, 0]
        assert (x[:, : len(first)] == first).all() and x.shape[1] == 2 * len(first)
        before = nlp.get_pipe("transformer").model.tokenizer.cls_token
        assert (y.wordpieces.strings[0][0] == before) is (encoder not in ("xlnet", "gpt2"))


# Longer than the encoder reads


@pytest.mark.parametrize("encoder", few(["bert", "roberta", "distilbert", "modernbert", "gpt2"]))
@pytest.mark.parametrize("stride", [None, pytest.param(1, marks=pytest.mark.slow), 38])
def test_long_texts_at_every_cut(make_trf, encoder_families, encoder, stride):
    """Each token's state is that of the plain encoder on the window where it has most context."""
    nlp = make_trf(encoder, stride=stride)
    model, tokenizer = plain(encoder_families.folder(encoder), nlp)
    limit = nlp.get_pipe("transformer").model.max_pieces - tokenizer.num_special_tokens_to_add()
    first = nlp.get_pipe("transformer").model.tokenizer.num_special_tokens_to_add() > 0
    step = min(stride or int(0.75 * limit), limit)
    for n in [*range(limit - 2, limit + 4), *range(2 * limit - 11, 2 * limit + 2, 3), 5 * limit]:
        doc = Doc(nlp.vocab, words=["x"] + ["in", "."] * n)[:n].as_doc()
        data = read(nlp, [doc])[0]
        assert (data.align.lengths == 1).all()
        rows = rows_of(data)
        starts = range(0, max(1, n - limit + step), step)
        starts = [x for i, x in enumerate(starts) if i == 0 or starts[i - 1] + limit < n]
        assert len(rows) == len(starts)
        with torch.no_grad():
            states = [model(**arguments(model, tokenizer, x)).last_hidden_state[0] for x in rows]
        flat = data.model_output.last_hidden_state.reshape(-1, states[0].shape[-1])
        for i, place in enumerate(data.align.dataXd.reshape(-1)):
            context = [
                min(i - start if start else n, start + limit - i - 1 if start + limit < n else n)
                if start <= i < start + limit
                else -1
                for start in starts
            ]
            best = context.index(max(context))
            expected = states[best][i - starts[best] + first]
            assert numpy.allclose(flat[place], expected, atol=1e-5)


def test_short_texts_do_not_depend_on_the_stride(make_trf):
    found = []
    for stride in (None, 1, 10**6):
        nlp = make_trf("roberta", stride=stride)
        data = read(nlp, words_of(nlp, "in . " * 18))[0]  # 36 pieces: all that it can read
        assert len(data.wordpieces.lengths) == 1
        found.append(data.model_output.last_hidden_state)
    assert all(numpy.array_equal(x, found[0]) for x in found)


@pytest.mark.parametrize("value", [0, -1, 1.5, "4", True])
def test_strides_that_are_none(make_trf, value):
    with pytest.raises(ValueError, match=r"E405.*stride|stride"):
        make_trf("bert", stride=value)


def test_many_windows_are_read_in_parts(make_trf, monkeypatch):
    nlp = make_trf("deberta-v2", transformer_config={"output_hidden_states": True})
    docs = words_of(nlp, "in Oslo . " * 40, "Rome", "", "x " * 50)
    expected = [x.model_output for x in read(nlp, docs)]
    monkeypatch.setattr(token_transformer, "_PIECES_AT_ONCE", 100)
    for x, y in zip(read(nlp, docs), expected):
        assert set(x.model_output) == set(y)
        if y:
            for one, other in zip(x.model_output.hidden_states, y.hidden_states, strict=True):
                assert numpy.allclose(one, other, atol=1e-5)
            assert numpy.allclose(x.model_output.last_hidden_state, y.last_hidden_state, atol=1e-5)


# Storage


@pytest.mark.parametrize("encoder", few(FAMILIES))
def test_round_trips(make_trf, encoder, tmp_path):
    nlp = make_trf(encoder)
    expected = [x.model_output for x in read(nlp, words_of(nlp, *TEXTS, *ODD))]
    before = [rows_of(x) for x in read(nlp, [nlp.make_doc("Don't go, (Bo)!  It is Rome.")])]
    nlp.to_disk(tmp_path / "1")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        again = spacy.load(tmp_path / "1")
    again.to_disk(tmp_path / "2")
    for loaded in (again, spacy.load(tmp_path / "2")):
        found = [x.model_output for x in read(loaded, words_of(loaded, *TEXTS, *ODD))]
        for x, y in zip(found, expected, strict=True):
            assert set(x) == set(y)
            assert not len(x) or numpy.array_equal(x.last_hidden_state, y.last_hidden_state)
        doc = loaded.make_doc("Don't go, (Bo)!  It is Rome.")
        assert [rows_of(x) for x in read(loaded, [doc])] == before
        models = [x.get_pipe("transformer").model for x in (nlp, loaded)]
        assert models[0].max_pieces == models[1].max_pieces


@pytest.mark.slow
@pytest.mark.parametrize("encoder", FAMILIES[::3])
def test_special_tokens_of_the_config(make_trf, encoder, tmp_path):
    """They are one piece each, with embeddings of their own, also after a round trip."""
    nlp = make_trf(encoder, tokenizer_config={"additional_special_tokens": ["[E1]", "[E2]"]})
    n = len(nlp.get_pipe("transformer").model.tokenizer)
    nlp.to_disk(tmp_path)
    states = []
    for loaded in (nlp, spacy.load(tmp_path)):
        data = read(loaded, words_of(loaded, "[E1] Ada [E2] lives"))[0]
        (row,) = rows_of(data)
        assert [x for x in row if x >= n - 2] == [n - 2, n - 1]
        states.append(data.model_output.last_hidden_state)
    assert numpy.array_equal(*states)


@pytest.mark.parametrize("encoder", few(["roberta", "bert", "deberta"], 1))
def test_saved_by_spacy_transformers(make_trf, encoder):
    """It stores the vocabularies of slow tokenizers too."""
    version = "spacy-transformers.TransformerModel.v3"
    other = make_trf(encoder, **{"@architectures": version, "tokenizer_config": {"use_fast": True}})
    ours, docs = make_trf(encoder), words_of(other, *TEXTS)
    for x in ours.get_pipe("transformer").model.transformer.parameters():
        x.data.zero_()
    ours.get_pipe("transformer").model.from_bytes(other.get_pipe("transformer").model.to_bytes())
    expected = read(make_trf(encoder), docs)
    for x, y in zip(read(ours, docs), expected):
        assert set(x.model_output) == set(y.model_output)
        assert not len(x.model_output) or numpy.array_equal(
            x.model_output.last_hidden_state, y.model_output.last_hidden_state
        )


@pytest.mark.parametrize("name", ["evil.py", "../tokenizer.json", "tokenization_x.py"])
def test_other_files_are_not_written(make_trf, name):
    model = make_trf("deberta-v2").get_pipe("transformer").model
    msg = unpack(unseal(model.to_bytes()).payload)
    own = unpack(unseal(msg["shims"][1][0]).payload)
    assert set(own["tokenizer"]) <= {
        "kwargs",
        "added_tokens.json",
        "special_tokens_map.json",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    own["tokenizer"][name] = b"x"
    msg["shims"][1] = [seal(srsly.msgpack_dumps(own))]
    with pytest.raises(LoadError, match=r"E444.*to be written"):
        model.from_bytes(seal(srsly.msgpack_dumps(msg)))


SCRIPT = """
import multiprocessing, sys, numpy, spacy

TEXTS = ["Ada lives in New Oslo.", "", "Cy works for Acme in Rome.", "Rome"] * 2

def states(doc):
    return doc._.trf_data.model_output.get("last_hidden_state", numpy.zeros(0))

if __name__ == "__main__":
    multiprocessing.set_start_method("forkserver")
    for path in sys.argv[1:]:
        nlp = spacy.load(path)
        one, two = ([states(x) for x in nlp.pipe(TEXTS, n_process=n, batch_size=1)] for n in (1, 2))
        assert len(one) == len(two) == len(TEXTS) and one[0].size
        assert all(numpy.allclose(x, y, atol=1e-6) for x, y in zip(one, two))
    print("the same")
"""


@pytest.mark.slow
def test_two_processes(make_trf, tmp_path):
    folders = [str(tmp_path / encoder) for encoder in ("roberta", "deberta-v2", "modernbert")]
    for folder in folders:
        make_trf(Path(folder).name).to_disk(folder)
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf8")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(tmp_path / "script.py"), *folders],
        capture_output=True,
        text=True,
    )
    assert "the same" in done.stdout, done.stderr[-3000:]


@pytest.mark.slow
@pytest.mark.parametrize("encoder", FAMILIES)
def test_trained_with_a_joint_model(make_trf, model_config, make_examples, encoder):
    nlp = make_trf(encoder)
    nlp.add_pipe("joint_ner_re", config={"model": model_config(tok2vec=LISTENER)})
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    weights = embeddings_of(nlp.get_pipe("transformer").model.transformer)
    before = weights.clone()
    optimizer, losses = SGD(0.02, L2=0.0, grad_clip=1.0), []
    for _ in range(10):
        losses.append(nlp.update(examples, sgd=optimizer)["joint_ner_re"])
    assert losses[-1] < losses[0] and not torch.equal(weights, before)
