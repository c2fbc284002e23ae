"""`spacy-jere.Corpus.v1`: spaCy's corpus reader, with relations that survive splitting Docs and
changing them.
"""

import warnings
from pathlib import Path
from typing import Callable, Dict, Iterable, Iterator, List, Optional, Tuple, Union

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Corpus, Example

from ..errors import Errors, Warnings
from ..relations import (
    Mention,
    StoredRelation,
    annotated_relations,
    as_doc,
    mention_span,
    store_relations,
    stored_relations,
)
from ..windows import white_space

Augmenter = Callable[[Language, Example], Iterable[Example]]


def create_corpus_v1(
    path: Optional[Union[str, Path]],
    gold_preproc: bool = False,
    max_length: int = 0,
    limit: int = 0,
    augmenter: Optional[Augmenter] = None,
    gold_entities: bool = False,
) -> "JointCorpus":
    """Takes the settings of `spacy.Corpus.v1`, with the same meaning, and one more.

    gold_entities (bool): Give the predicted Docs the annotated entities, for components with
        `given_entities = true`.
    """
    if path is None:
        raise ValueError(Errors.E306)
    return JointCorpus(
        path,
        gold_preproc=gold_preproc,
        max_length=max_length,
        limit=limit,
        augmenter=augmenter,
        gold_entities=gold_entities,
    )


class JointCorpus(Corpus):
    """`spacy.training.Corpus` whose Docs keep their relations: sentences those that lie inside
    them, and augmented Docs all.

    gold_entities (bool): As in `create_corpus_v1`. Other arguments are those of spaCy's Corpus.
    """

    def __init__(
        self,
        path: Union[str, Path],
        *,
        gold_preproc: bool = False,
        max_length: int = 0,
        limit: int = 0,
        augmenter: Optional[Augmenter] = None,
        gold_entities: bool = False,
    ):
        super().__init__(path, gold_preproc=gold_preproc, max_length=max_length, limit=limit)
        self.own_augmenter = augmenter
        self.gold_entities = gold_entities
        self.augmenter = self._augment

    def _augment(self, nlp: Language, example: Example) -> Iterator[Example]:
        changed = [example] if self.own_augmenter is None else self.own_augmenter(nlp, example)
        for other in changed:
            if other is not example:
                carry_relations(example.reference, other.reference)
            if self.gold_entities:
                give_entities(other)
            yield other

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


def give_entities(example: Example) -> None:
    """Set the entities of the reference on the predicted Doc, where its tokens allow it."""
    if example.reference.has_annotation("ENT_IOB"):
        example.predicted.set_ents(example.get_aligned_spans_y2x(example.reference.ents))


def carry_relations(source: Doc, target: Doc) -> None:
    """Carry the annotated relations of a Doc over to a Doc that an augmenter made of it, word by
    word. White space may have been added, and words may be spelled otherwise.

    Relations that the augmenter has set itself are left alone. Where the Docs have different
    numbers of words, the target stays not annotated, with a warning.
    """
    relations = annotated_relations(source)
    if relations is None or stored_relations(target) is not None:
        return
    ours, theirs = _words(source), _words(target)
    if len(ours) != len(theirs):
        warnings.warn(Warnings.W124.format(text=target.text[:60]), stacklevel=2)
        return
    place = dict(zip(ours, theirs))
    moved: Dict[Mention, Optional[Mention]] = {
        end: _carried(source, target, place, end) for x in relations for end in (x.head, x.tail)
    }
    carried = []
    for relation in relations:
        head, tail = moved[relation.head], moved[relation.tail]
        if head is not None and tail is not None:
            carried.append(StoredRelation(head, tail, relation.label, relation.score))
    store_relations(target, carried)


def _words(doc: Doc) -> List[int]:
    return [i for i, is_space in enumerate(white_space(doc)) if not is_space]


def _carried(source: Doc, target: Doc, place: Dict[int, int], end: Mention) -> Optional[Mention]:
    """RETURNS: The end in the target; None if it is of white space only."""
    span = mention_span(source, end)
    words: Tuple[int, ...] = tuple(place[token.i] for token in span if token.i in place)
    if not words:
        return None
    there = target[words[0] : words[-1] + 1]
    return Mention(there.start_char, there.end_char, end.label)
