"""What the tests of commands share: a component that has relations to give, and a model on disk."""

import pytest
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span
from spacy.vocab import Vocab


@Language.component("no_relations", assigns=["doc._.relations"])
def no_relations(doc):
    """A source of relations that never finds one."""
    doc._.relations = []
    return doc


@pytest.fixture(scope="session")
def saved_model(trained, tmp_path_factory):
    """The folder of the overfitted pipeline. Shared: copy it to change it."""
    folder = tmp_path_factory.mktemp("saved") / "model"
    trained[0].to_disk(folder)
    return folder


@pytest.fixture(scope="session")
def corpus_bytes(trained):
    """A .spacy file of the corpus that the pipeline knows by heart."""
    docs = [example.reference for example in trained[1]]
    return DocBin(docs=docs, store_user_data=True).to_bytes()


@pytest.fixture
def save_doc(tmp_path):
    """Save a Doc of words whose first and last word are related."""

    def _save_doc(name, words, labels=("PER", "PER"), label="MET", id=None):
        doc = Doc(Vocab(), words=words)
        ends = Span(doc, 0, 1, labels[0]), Span(doc, len(doc) - 1, len(doc), labels[1])
        doc._.relations = [(*ends, label)]
        if id is not None:
            doc.user_data["id"] = id
        DocBin(docs=[doc], store_user_data=True).to_disk(tmp_path / name)
        return tmp_path / name

    return _save_doc
