"""Checkpoints of the original SpERT: the numbers that the original gave, and what can be wrong with
a folder."""

import json
import pickle
import shutil
from pathlib import Path

import pytest
import spacy
import torch
from spacy.tokens import Doc

pytest.importorskip("spacy_transformers")

from spacy_jere import scored_entities
from spacy_jere.models.layers.pair_scores import PairChunks
from spacy_jere.models.layers.spans import all_spans
from spacy_jere.models.spert_checkpoint import import_spert, read_checkpoint
from spacy_jere.models.types import Entities

TINY = Path(__file__).parent.parent / "fixtures" / "spert_tiny"
ORIGINAL = json.loads((TINY / "predictions.json").read_text(encoding="utf8"))
SENTENCES = ORIGINAL["sentences"]
NEEDED = ["config.json", "vocab.txt", "types.json", "tokenizer_config.json", "pytorch_model.bin"]


@pytest.fixture
def folder(tmp_path):
    """A copy of the checkpoint that a test may change."""
    for name in NEEDED:
        shutil.copy(TINY / name, tmp_path)
    return tmp_path


@pytest.fixture
def change_weights(folder):
    def _change_weights(change):
        weights = torch.load(folder / "pytorch_model.bin", weights_only=True)
        change(weights)
        torch.save(weights, folder / "pytorch_model.bin")
        return folder

    return _change_weights


@pytest.fixture(scope="module")
def imported():
    """Shared: don't change it."""
    return import_spert(read_checkpoint(TINY))


def head_of(nlp):
    return nlp.get_pipe("joint_ner_re").model.shims[0]._model


def read(nlp, batch_size, sentences=SENTENCES):
    """Docs that the transformer has read."""
    docs = [Doc(nlp.vocab, words=x["tokens"]) for x in sentences]
    return list(nlp.get_pipe("transformer").pipe(docs, batch_size=batch_size))


@torch.no_grad()
def probabilities(nlp, doc, entities):
    """RETURNS: Of each span and of each ordered pair of the entities, by their tokens."""
    head, lengths = head_of(nlp).eval(), torch.tensor([len(doc)])
    vectors = nlp.get_pipe("joint_ner_re").model.get_ref("tok2vec").predict([doc])[0]
    encoded = head.encoder(torch.as_tensor(vectors), lengths)
    spans = all_spans(lengths, head.max_span_width)
    of_spans = head.span_probabilities(head.classify(encoded, spans)).tolist()
    names = list(zip(spans.start.tolist(), spans.end.tolist()))
    columns = torch.tensor([(0, *x, 0) for x in entities], dtype=torch.long).reshape(-1, 4).T
    heads, tails = PairChunks(Entities(*columns)).part(0)
    make_pairs = head.pairs_of(encoded, Entities(*columns))
    of_pairs = head.relation_probabilities(make_pairs(heads, tails)).tolist()
    pairs = [(entities[i], entities[j]) for i, j in zip(heads.tolist(), tails.tolist())]
    return dict(zip(names, of_spans)), dict(zip(pairs, of_pairs))


def close(found, expected):
    return list(found) == list(expected) and all(
        found[key] == pytest.approx(expected[key], abs=1e-4) for key in expected
    )


def assert_equals_the_original(nlp, batch_size):
    for doc, expected in zip(read(nlp, batch_size), SENTENCES):
        pieces = [x for x in doc._.trf_data.wordpieces.strings[0] if x != "[PAD]"]
        assert pieces == expected["wordpieces"]
        entities = sorted((x["start"], x["end"]) for x in expected["entities"])
        spans, pairs = probabilities(nlp, doc, entities)
        assert close(spans, {(x["start"], x["end"]): x["probs"] for x in expected["span_probs"]})
        wanted = {(tuple(x["head"]), tuple(x["tail"])): x["probs"] for x in expected["pair_probs"]}
        assert close(pairs, dict(sorted(wanted.items())))
    docs = [Doc(nlp.vocab, words=x["tokens"]) for x in SENTENCES]
    for doc, expected in zip(nlp.pipe(docs, batch_size=batch_size), SENTENCES):
        assert_same_output(doc, expected)


def assert_same_output(doc, expected):
    entities = {(x["start"], x["end"], x["type"]) for x in expected["entities"]}
    assert {(x.start, x.end, x.label_) for x, _ in scored_entities(doc)} == entities
    relations = {(*x["head"], *x["tail"], x["type"]): x["score"] for x in expected["relations"]}
    found = {
        (x.head.start, x.head.end, x.tail.start, x.tail.end, x.label_): x.score
        for x in doc._.relations
    }
    assert found == pytest.approx(relations, abs=1e-4)


def test_the_fixture_has_something_to_say():
    assert len(SENTENCES) == 24
    assert sum(len(x["span_probs"]) for x in SENTENCES) > 5000
    assert sum(len(x["pair_probs"]) for x in SENTENCES) > 100
    assert sum(len(x["relations"]) for x in SENTENCES) > 20
    labels = {y["type"] for x in SENTENCES for y in x["entities"]}
    assert len(labels) > 2
    # Overlapping entities are among them, and words of several pieces.
    spans = [
        (range(y["start"], y["end"]), i) for i, x in enumerate(SENTENCES) for y in x["entities"]
    ]
    assert any(set(a) & set(b) and a != b and i == j for a, i in spans for b, j in spans)
    assert any("##" in piece for x in SENTENCES for piece in x["wordpieces"])


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [1, 3, 24])
def test_every_probability_equals_the_originals(imported, batch_size):
    assert_equals_the_original(imported, batch_size)


@pytest.mark.slow
def test_after_disk_and_bytes(imported, tmp_path):
    imported.to_disk(tmp_path / "model")
    again = spacy.load(tmp_path / "model")
    assert_equals_the_original(again, 5)
    copy = spacy.blank("en").from_config(again.config).from_bytes(again.to_bytes())
    assert_equals_the_original(copy, 24)


@pytest.mark.slow
def test_the_pipeline_does_not_need_the_checkpoint(folder, tmp_path):
    import_spert(read_checkpoint(folder)).to_disk(tmp_path / "model")
    for name in NEEDED:
        (folder / name).unlink()
    assert_equals_the_original(spacy.load(tmp_path / "model"), 24)


def test_labels_and_settings(imported):
    pipe = imported.get_pipe("joint_ner_re")
    assert pipe.entity_labels == tuple(ORIGINAL["entity_labels"][1:])
    assert pipe.relation_labels == tuple(ORIGINAL["relation_labels"])
    assert pipe.cfg["rel_threshold"] == ORIGINAL["rel_threshold"] == 0.4
    assert head_of(imported).max_span_width == ORIGINAL["max_span_size"] == 10
    assert pipe.cfg["schema"] is None
    assert imported.pipe_names == ["transformer", "joint_ner_re"]


def test_other_settings(folder):
    nlp = import_spert(read_checkpoint(folder), lang="de", rel_threshold=0.9, max_span_width=2)
    assert nlp.lang == "de"
    for doc, expected in zip(
        nlp.pipe([Doc(nlp.vocab, words=x["tokens"]) for x in SENTENCES]), SENTENCES
    ):
        spans = [x for x in expected["entities"] if x["end"] - x["start"] <= 2]
        assert len(scored_entities(doc)) == len(spans)
        assert all(x.score >= 0.9 for x in doc._.relations)


@pytest.mark.slow
def test_training_goes_on(folder, overfit, make_examples):
    nlp = import_spert(read_checkpoint(folder))
    data = [("Booth killed Lincoln .", [(0, 1, "Peop"), (2, 3, "Peop")], [(0, 1, "Kill")])]
    examples = make_examples(nlp, data)
    before = (
        nlp.get_pipe("transformer").model.transformer.encoder.layer[0].output.dense.weight.clone()
    )
    overfit(nlp, examples, steps=25, rate=0.002)
    assert nlp.evaluate(examples)["joint_f"] == 1.0
    after = nlp.get_pipe("transformer").model.transformer.encoder.layer[0].output.dense.weight
    assert not torch.equal(before, after)


# Other folders


@pytest.mark.slow
def test_safetensors(folder):
    from safetensors.torch import save_file

    weights = torch.load(folder / "pytorch_model.bin", weights_only=True)
    save_file({key: x.contiguous() for key, x in weights.items()}, folder / "model.safetensors")
    (folder / "pytorch_model.bin").unlink()
    assert_equals_the_original(import_spert(read_checkpoint(folder)), 24)


def test_safetensors_come_first(folder):
    from safetensors.torch import save_file

    weights = torch.load(folder / "pytorch_model.bin", weights_only=True)
    save_file({key: x.contiguous() for key, x in weights.items()}, folder / "model.safetensors")
    (folder / "pytorch_model.bin").write_bytes(b"nothing")
    assert set(read_checkpoint(folder).weights) == set(weights)


def test_types_elsewhere(folder, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    types = tmp_path / "elsewhere" / "labels.json"
    shutil.move(folder / "types.json", types)
    checkpoint = read_checkpoint(folder, types)
    assert checkpoint.entity_labels == ORIGINAL["entity_labels"][1:]


@pytest.mark.slow
def test_weights_that_are_passed_over(change_weights):
    def change(weights):
        weights["bert.embeddings.position_ids"] = torch.arange(256)[None]
        weights["cls.predictions.bias"] = torch.zeros(7)

    nlp = import_spert(read_checkpoint(change_weights(change)))
    assert_equals_the_original(nlp, 24)


@pytest.mark.slow
def test_symmetric_labels(folder):
    types = json.loads((folder / "types.json").read_text("utf8"))
    types["relations"]["Kill"]["symmetric"] = True
    (folder / "types.json").write_text(json.dumps(types), encoding="utf8")
    nlp = import_spert(read_checkpoint(folder))
    schema = nlp.get_pipe("joint_ner_re").schema
    assert [label for label, rule in schema.items() if rule.symmetric] == ["Kill"]
    assert list(schema) == ORIGINAL["relation_labels"]
    n_kill = 0
    for expected in SENTENCES:
        scores = {}
        for x in expected["pair_probs"]:
            p = x["probs"][ORIGINAL["relation_labels"].index("Kill")]
            pair = tuple(sorted([tuple(x["head"]), tuple(x["tail"])]))
            scores[pair] = max(scores.get(pair, 0), p)
        found = {
            ((x.head.start, x.head.end), (x.tail.start, x.tail.end)): x.score
            for x in nlp(Doc(nlp.vocab, words=expected["tokens"]))._.relations
            if x.label_ == "Kill"
        }
        assert found == pytest.approx({x: p for x, p in scores.items() if p >= 0.4}, abs=1e-4)
        n_kill += len(found)
    assert n_kill > 1


@pytest.mark.slow
@pytest.mark.parametrize("n_widths, width", [(30, 25), (100, 7), (5, 3)])
def test_size_embeddings_of_another_shape(change_weights, tmp_path, n_widths, width):
    def change(weights):
        torch.manual_seed(0)
        weights["size_embeddings.weight"] = torch.randn(n_widths, width)
        for name, factor in (("entity_classifier.weight", 1), ("rel_classifier.weight", 2)):
            table = weights[name][:, : -25 * factor]
            weights[name] = torch.cat([table, torch.randn(len(table), width * factor)], 1)

    folder = change_weights(change)
    nlp = import_spert(read_checkpoint(folder))
    nlp.to_disk(tmp_path / "model")
    again = spacy.load(tmp_path / "model")
    doc = read(again, 1, SENTENCES[:1])[0]
    weights = torch.load(folder / "pytorch_model.bin", weights_only=True)
    states = torch.as_tensor(doc._.trf_data.model_output.last_hidden_state[0])
    sizes, first = doc._.trf_data.align.lengths, doc._.trf_data.align.dataXd[0, 0]
    spans, _ = probabilities(again, doc, [])
    for (start, end), found in spans.items():
        rows = slice(int(first + sizes[:start].sum()), int(first + sizes[:end].sum()))
        size = weights["size_embeddings.weight"][min(end - start, n_widths - 1)]
        x = torch.cat([states[0], states[rows].max(0).values, size])
        logits = weights["entity_classifier.weight"] @ x + weights["entity_classifier.bias"]
        assert found == pytest.approx(torch.softmax(logits, 0).tolist(), abs=1e-5)


UPPER = "John met Ada in ROME"


def word_pieces(nlp):
    doc = nlp.get_pipe("transformer")(nlp.make_doc(UPPER))
    return doc._.trf_data.wordpieces.strings[0]


@pytest.mark.slow
@pytest.mark.parametrize("told_by", ["argument", "tokenizer_config", "vocabulary"])
@pytest.mark.parametrize("lowercase", [False, True])
def test_lower_case(folder, tmp_path, told_by, lowercase):
    from transformers import BertTokenizer

    config = folder / "tokenizer_config.json"
    config.unlink()
    if told_by == "vocabulary" and lowercase:
        pieces, found = (folder / "vocab.txt").read_text("utf8").split(), {}
        for i, piece in enumerate(pieces):
            new = piece if piece.startswith("[") else piece.lower()
            known = new != piece and (new in pieces or new in found)
            found[f"unused{i}" if known else new] = None
        assert len(found) == len(pieces)
        (folder / "vocab.txt").write_text("\n".join(found), encoding="utf8")
    elif told_by == "tokenizer_config":
        config.write_text(json.dumps({"do_lower_case": lowercase}), encoding="utf8")
    argument = lowercase if told_by == "argument" else None
    nlp = import_spert(read_checkpoint(folder), lowercase=argument)
    slow = BertTokenizer(str(folder / "vocab.txt"), do_lower_case=lowercase)
    expected = ["[CLS]", *slow.tokenize(UPPER), "[SEP]"]
    assert word_pieces(nlp) == expected
    assert ("".join(expected[1:-1]).lower() == "".join(expected[1:-1])) is lowercase
    nlp.to_disk(tmp_path / "model")
    assert word_pieces(spacy.load(tmp_path / "model")) == expected


# Errors


@pytest.mark.parametrize("name", ["config.json", "vocab.txt", "types.json", "pytorch_model.bin"])
def test_missing_file(folder, name):
    (folder / name).unlink()
    with pytest.raises(ValueError, match=f"E410.*{name}"):
        read_checkpoint(folder)


def test_missing_types_elsewhere(folder):
    with pytest.raises(ValueError, match=r"E410.*labels\.json"):
        read_checkpoint(folder, folder / "labels.json")


@pytest.mark.slow
@pytest.mark.parametrize(
    "key",
    [
        "bert.embeddings.word_embeddings.weight",
        "bert.encoder.layer.1.attention.self.query.bias",
        "size_embeddings.weight",
        "entity_classifier.bias",
        "rel_classifier.weight",
    ],
)
def test_missing_key(change_weights, key):
    folder = change_weights(lambda weights: weights.pop(key))
    with pytest.raises(ValueError, match=f"E412.*'{key}'"):
        import_spert(read_checkpoint(folder))


@pytest.mark.slow
@pytest.mark.parametrize(
    "key, rows, found, expected",
    [
        ("bert.embeddings.word_embeddings.weight", 1499, r"\(1499, 48\)", r"\(1500, 48\)"),
        ("bert.encoder.layer.0.output.dense.bias", 47, r"\(47,\)", r"\(48,\)"),
        ("entity_classifier.weight", 4, r"\(4, 121\)", r"\(5, 121\)"),
        ("rel_classifier.bias", 3, r"\(3,\)", r"\(5,\)"),
    ],
)
def test_wrong_shape(change_weights, key, rows, found, expected):
    folder = change_weights(lambda weights: weights.update({key: weights[key][:rows].clone()}))
    with pytest.raises(ValueError, match=f"E413.*'{key}'.*{found}.*{expected}"):
        import_spert(read_checkpoint(folder))


def test_size_embeddings_that_do_not_fit_the_classifiers(change_weights):
    def change(weights):
        weights["size_embeddings.weight"] = weights["size_embeddings.weight"][:, :7].clone()

    with pytest.raises(ValueError, match=r"E413.*\(5, 121\).*\(5, 103\)"):
        import_spert(read_checkpoint(change_weights(change)))


@pytest.mark.parametrize("key", ["pooler.weight", "bert.encoder.layer.2.output.dense.bias"])
def test_unknown_key(change_weights, key):
    folder = change_weights(lambda weights: weights.update({key: torch.zeros(3)}))
    with pytest.raises(ValueError, match=f"E411.*'{key}'"):
        import_spert(read_checkpoint(folder))


class Harmful:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def dump(weights, path):
    path.write_bytes(pickle.dumps(weights, protocol=2))


@pytest.mark.parametrize("save", [torch.save, dump])
def test_code_in_a_checkpoint_is_not_run(folder, save):
    path = folder / "harm"
    save({"bert.x": torch.zeros(1), "harm": Harmful(path)}, folder / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"E414.*pytorch_model\.bin"):
        read_checkpoint(folder)
    assert not path.exists()
    if save is torch.save:
        torch.load(folder / "pytorch_model.bin", weights_only=False)
        assert path.exists()  # so it would have been run


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.safetensors"])
@pytest.mark.parametrize("content", [b"", b"no weights", b"zero" * 9], ids=len)
def test_broken_weights(folder, name, content):
    (folder / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"E414.*{name}"):
        read_checkpoint(folder)


@pytest.mark.parametrize(
    "types", [[], {}, {"entities": {}}, {"relations": {}}, {"entities": ["A"], "relations": ["B"]}]
)
def test_broken_types(folder, types):
    (folder / "types.json").write_text(json.dumps(types), encoding="utf8")
    with pytest.raises(ValueError, match=r"E415.*types\.json"):
        read_checkpoint(folder)
