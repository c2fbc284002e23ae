"""What a window is, and which window a token lies in."""

import pytest
from spacy.tokens import Doc
from spacy.vocab import Vocab

from spacy_jere.windows import doc_windows, window_of, window_spans


@pytest.mark.parametrize(
    "starts, window, expected",
    [
        (None, "sentence", [(0, 3)]),
        ([True, False, True], "sentence", [(0, 2), (2, 3)]),
        ([True, False, True], "doc", [(0, 3)]),
        ([True, True, True], "sentence", [(0, 1), (1, 2), (2, 3)]),
    ],
)
def test_windows_of_a_doc(starts, window, expected):
    doc = Doc(Vocab(), words=["a", "b", "c"], sent_starts=starts)
    windows = doc_windows(doc, window)
    assert windows == expected
    found = [window_of([start for start, _ in windows], token) for token in range(3)]
    assert found == [i for i, (start, end) in enumerate(expected) for _ in range(start, end)]


@pytest.mark.parametrize("window", ["sentence", "doc"])
def test_an_empty_doc_has_no_window(window):
    assert doc_windows(Doc(Vocab()), window) == []


def test_a_transformer_reads_the_windows():
    vocab = Vocab()
    docs = [Doc(vocab), Doc(vocab, words=["a", "b"], sent_starts=[True, True])]
    docs.append(Doc(vocab, words=["a", "b"]))
    spans = [[(x.start, x.end) for x in of_doc] for of_doc in window_spans(docs)]
    assert spans == [[], [(0, 1), (1, 2)], [(0, 2)]]
