"""What the tests of init-config share."""

import pytest
import spacy
from spacy.tokens import Doc, DocBin, Span
from spacy.util import filter_spans

import spacy_jere  # noqa: F401  (registers doc._.relations)
from spacy_jere.init_config import init_config as init_config_from_docs


def make_doc(vocab, text, entities, relations):
    """A Doc with entities that may overlap. None leaves either not annotated."""
    doc = Doc(vocab, words=text.split())
    spans = [Span(doc, start, end, label) for start, end, label in entities or ()]
    if entities is not None:
        kept = filter_spans(spans)
        doc.set_ents(kept)
        if len(kept) < len(spans):
            doc.spans["joint_ner_re"] = spans
    if relations is not None:
        doc._.relations = [(spans[head], spans[tail], label) for head, tail, label in relations]
    return doc


@pytest.fixture(scope="session")
def make_docs():
    """The Docs of annotated texts."""

    def _make_docs(items):
        vocab = spacy.blank("en").vocab
        return [make_doc(vocab, *item) for item in items]

    return _make_docs


@pytest.fixture
def save_docs(make_docs, tmp_path):
    """Save annotated texts, and return the path."""

    def _save_docs(items, name="data.spacy"):
        DocBin(docs=make_docs(items), store_user_data=True).to_disk(tmp_path / name)
        return tmp_path / name

    return _save_docs


@pytest.fixture(scope="session")
def make(make_docs):
    """Make a config for annotated texts."""

    def _make(items, dev=None, **wishes):
        docs = make_docs(items), make_docs(items if dev is None else dev)
        return init_config_from_docs(*docs, train_path="train", dev_path="dev", **wishes)

    return _make


@pytest.fixture(scope="session")
def make_quickly(make):
    """Make a config as `make` does, without the defaults of spaCy, which take most of the time."""

    def _make_quickly(*args, **wishes):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("spacy_jere.init_config.build.filled", lambda config: config)
            return make(*args, **wishes)

    return _make_quickly


@pytest.fixture
def train_briefly():
    """Train some steps with a config, and return the pipeline."""
    from spacy.training.initialize import init_nlp
    from spacy.training.loop import train

    def _train_briefly(config, output=None, steps=3):
        config = config.copy()
        config["training"]["max_steps"] = steps
        config["initialize"]["after_init"]["evaluate_every"] = 1e-6  # after each step
        nlp, _ = train(init_nlp(config), output)
        return nlp

    return _train_briefly
