"""`spacy-jere.Corpus.v1`: spaCy's reader of .spacy files, which keeps relations in split Docs."""

from pathlib import Path
from typing import Callable, Iterable, Iterator, Optional, Union

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Corpus, Example

from ..errors import Errors
from ..relations import as_doc


def create_corpus_v1(
    path: Optional[Union[str, Path]],
    gold_preproc: bool = False,
    max_length: int = 0,
    limit: int = 0,
    augmenter: Optional[Callable[[Language, Example], Iterable[Example]]] = None,
) -> "JointCorpus":
    """Takes the settings of `spacy.Corpus.v1`, with the same meaning."""
    if path is None:
        raise ValueError(Errors.E306)
    return JointCorpus(
        path, gold_preproc=gold_preproc, max_length=max_length, limit=limit, augmenter=augmenter
    )


class JointCorpus(Corpus):
    """`spacy.training.Corpus` whose sentences keep the relations that lie inside them."""

    def make_examples(self, nlp: Language, reference_docs: Iterable[Doc]) -> Iterator[Example]:
        for doc in reference_docs:
            if self._fits(len(doc)):
                yield self._make_example(nlp, doc, False)
            elif doc.has_annotation("SENT_START"):
                for sentence in doc.sents:
                    if self._fits(len(sentence)):
                        yield self._make_example(nlp, as_doc(sentence), False)

    def make_examples_gold_preproc(
        self, nlp: Language, reference_docs: Iterable[Doc]
    ) -> Iterator[Example]:
        for doc in reference_docs:
            parts = [doc]
            if doc.has_annotation("SENT_START"):
                parts = [as_doc(sentence) for sentence in doc.sents]
            for part in parts:
                yield self._make_example(nlp, part, True)

    def _fits(self, n_tokens: int) -> bool:
        return n_tokens > 0 and (not self.max_length or n_tokens < self.max_length)
