"""Tiny random encoders of many families, each with a tokenizer that is trained here."""

import json
from types import SimpleNamespace

import pytest
import torch

SENTENCES = [
    "Ada lives in New Oslo .",
    "Rome is the home of Bo , and Cy works for Acme in Rome .",
    "Nothing happens here , or is it ? Don't ask .",
    "Zoë et François habitent à Genève depuis 1999 .",
] * 4
BERT = {"unk": "[UNK]", "pad": "[PAD]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
ROBERTA = {
    "bos": "<s>",
    "pad": "<pad>",
    "eos": "</s>",
    "unk": "<unk>",
    "mask": "<mask>",
    "cls": "<s>",
    "sep": "</s>",
}
ALBERT = {"pad": "<pad>", "unk": "<unk>", "bos": "[CLS]", "eos": "[SEP]", "mask": "[MASK]"}
ALBERT = {**ALBERT, "cls": "[CLS]", "sep": "[SEP]"}
XLNET = {"unk": "<unk>", "bos": "<s>", "eos": "</s>", "cls": "<cls>", "sep": "<sep>"}
XLNET = {**XLNET, "pad": "<pad>", "mask": "<mask>"}
NARROW = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
NARROW = {**NARROW, "intermediate_size": 24}
WIDE = {"initializer_range": 0.2, "max_position_embeddings": 40}
SHORT = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 40, "initializer_range": 0.2}
RELATIVE = {"relative_attention": True, "position_biased_input": False, "type_vocab_size": 0}
RELATIVE = {**RELATIVE, "pos_att_type": ["p2c", "c2p"]}


def wordpiece(tokenizers, special):
    from tokenizers import models, normalizers, pre_tokenizers, trainers

    backend = tokenizers.Tokenizer(models.WordPiece(unk_token=special["unk"]))
    backend.normalizer = normalizers.BertNormalizer(lowercase=False)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return backend, trainers.WordPieceTrainer(vocab_size=150, show_progress=False)


def byte_level(tokenizers, special, prefix=False):
    from tokenizers import decoders, models, pre_tokenizers, trainers

    backend = tokenizers.Tokenizer(models.BPE())
    backend.decoder = decoders.ByteLevel()
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    return backend, trainers.BpeTrainer(
        vocab_size=330, initial_alphabet=alphabet, show_progress=False
    )


def with_prefix(tokenizers, special):
    return byte_level(tokenizers, special, True)


def unigram(tokenizers, special, splits=True):
    from tokenizers import models, normalizers, pre_tokenizers, trainers

    backend = tokenizers.Tokenizer(models.Unigram())
    parts = [pre_tokenizers.WhitespaceSplit()] if splits else []
    backend.pre_tokenizer = pre_tokenizers.Sequence([*parts, pre_tokenizers.Metaspace()])
    backend.normalizer = normalizers.Sequence([normalizers.Strip(), normalizers.NFKC()])
    return backend, trainers.UnigramTrainer(
        vocab_size=120, unk_token=special["unk"], show_progress=False
    )


def without_split(tokenizers, special):
    return unigram(tokenizers, special, False)


# The class of the model, its settings, the class of its tokenizer, its kind, its special tokens in
# the order of their ids, and its template.
CLS, S = "[CLS] $A [SEP]", "<s> $A </s>"
FAMILIES = {
    "bert": ("Bert", NARROW | WIDE, "BertTokenizerFast", wordpiece, BERT, CLS),
    "distilbert": (
        "DistilBert",
        {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 24} | WIDE,
        "DistilBertTokenizerFast",
        wordpiece,
        BERT,
        CLS,
    ),
    "electra with padding last": (
        "Electra",
        NARROW | WIDE | {"embedding_size": 8},
        "ElectraTokenizerFast",
        wordpiece,
        BERT,
        CLS,
    ),
    "mpnet": ("MPNet", NARROW | WIDE, "MPNetTokenizerFast", wordpiece, ROBERTA, S),
    "albert": (
        "Albert",
        NARROW | WIDE | {"embedding_size": 8},
        "AlbertTokenizerFast",
        unigram,
        ALBERT,
        CLS,
    ),
    "roberta": (
        "Roberta",
        NARROW | WIDE | {"type_vocab_size": 1},
        "RobertaTokenizerFast",
        byte_level,
        ROBERTA,
        S,
    ),
    "roberta with a prefix": (
        "Roberta",
        NARROW | WIDE | {"type_vocab_size": 1},
        "RobertaTokenizerFast",
        with_prefix,
        ROBERTA,
        S,
    ),
    "xlm-roberta": (
        "XLMRoberta",
        NARROW | WIDE | {"type_vocab_size": 1},
        "XLMRobertaTokenizerFast",
        unigram,
        ROBERTA,
        S,
    ),
    "camembert": (
        "Camembert",
        NARROW | WIDE | {"type_vocab_size": 1},
        "CamembertTokenizerFast",
        unigram,
        ROBERTA,
        S,
    ),
    "deberta": ("Deberta", NARROW | WIDE | RELATIVE, "DebertaTokenizerFast", byte_level, BERT, CLS),
    "deberta-v2": (
        "DebertaV2",
        NARROW | WIDE | RELATIVE | {"position_buckets": 8, "share_att_key": True},
        "DebertaV2TokenizerFast",
        without_split,
        BERT,
        CLS,
    ),
    "modernbert": (
        "ModernBert",
        NARROW | WIDE | {"local_attention": 8, "global_attn_every_n_layers": 2},
        "PreTrainedTokenizerFast",
        byte_level,
        BERT,
        CLS,
    ),
    "xlnet": (
        "XLNet",
        {"d_model": 16, "n_layer": 2, "n_head": 2, "d_inner": 24, "initializer_range": 0.2},
        "XLNetTokenizerFast",
        unigram,
        XLNET,
        "$A <sep> <cls>:2",
    ),
    "gpt2": (
        "GPT2",
        SHORT,
        "GPT2TokenizerFast",
        byte_level,
        {"unk": "<|endoftext|>", "bos": "<|endoftext|>", "eos": "<|endoftext|>"},
        None,
    ),
}


def make_encoder(folder, family, texts=SENTENCES, vocabulary=None, **changes):
    """Save a random encoder in a folder, with a tokenizer that is trained on texts."""
    import tokenizers
    import transformers

    kind, settings, name, make_backend, special, template = FAMILIES[family]
    backend, trainer = make_backend(tokenizers, special)
    trainer.special_tokens = list(dict.fromkeys(special.values()))
    trainer.vocab_size = vocabulary or trainer.vocab_size
    backend.train_from_iterator(texts, trainer)
    if template is not None:
        names = [x.split(":")[0] for x in template.split() if not x.startswith("$")]
        backend.post_processor = tokenizers.processors.TemplateProcessing(
            single=template, special_tokens=[(x, backend.token_to_id(x)) for x in names]
        )
    prefix = {"add_prefix_space": True} if make_backend is with_prefix else {}
    tokens = {f"{key}_token": x for key, x in special.items()}
    tokenizer = getattr(transformers, name)(tokenizer_object=backend, **tokens, **prefix)
    if family.endswith("padding last"):
        tokenizer.add_special_tokens({"pad_token": "<nothing>"})
    tokenizer.save_pretrained(folder)
    pad = tokenizer.pad_token_id
    torch.manual_seed(0)
    config = getattr(transformers, f"{kind}Config")(
        **{"vocab_size": len(tokenizer), **settings, **changes},
        **({} if pad is None else {"pad_token_id": pad}),
    )
    getattr(transformers, f"{kind}Model")(config).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session")
def encoder_families(tmp_path_factory):
    """The folder of the encoder of a family, made when it is first asked for."""
    pytest.importorskip("spacy_transformers")
    folders = {}

    def _encoder(family, **changes):
        key = json.dumps([family, changes])
        if key not in folders:
            folders[key] = make_encoder(tmp_path_factory.mktemp("encoder"), family, **changes)
        return folders[key]

    return SimpleNamespace(names=list(FAMILIES), folder=_encoder)
