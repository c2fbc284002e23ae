"""`spacy-jere.swap_entities.v1`: training examples with other names in them.

An entity is replaced by another mention of the same type from the training data, and relations stay where they were. Names that
a model hasn't seen then look less strange to it, and it can't learn relations by heart from who is in them (compare Dai and
Adel 2020, "mention replacement", arXiv 2010.11683).
"""

import random
from typing import Callable, Dict, Iterator, List, Tuple

from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example

from .relations import Mention, StoredRelation, mention, store_relations, stored_relations

Words = Tuple[Tuple[str, bool], ...]  # each with whether a space follows; not so for the last
Augmenter = Callable[[Language, Example], Iterator[Example]]


def create_swap_entities_v1(
    level: float, probability: float = 0.5, seed: int = 0, pool_size: int = 10000
) -> Augmenter:
    """Create an augmenter for `spacy-jere.Corpus.v1`. It makes new examples in every epoch only where the corpus is
    streamed, with `max_epochs = -1`.

    level (float): The share of examples that come out changed, in place of the original, between 0 and 1.
    probability (float): How likely each entity of such an example is replaced.
    pool_size (int): How many mentions of each label are kept to choose from.
    """
    return SwapEntities(level, probability, seed, pool_size)


class SwapEntities:
    """The augmenter. Documents with overlapping entities or without annotation pass unchanged."""

    def __init__(self, level: float, probability: float, seed: int, pool_size: int):
        self.level = level
        self.probability = probability
        self.random = random.Random(seed)
        self.pool_size = pool_size
        self.pool: Dict[str, Dict[Words, None]] = {}
        self.choices: Dict[str, List[Words]] = {}

    def __call__(self, nlp: Language, example: Example) -> Iterator[Example]:
        gold = example.reference
        self._collect(gold)
        if self.random.random() < self.level and _is_plain(gold):
            changed = self._swap(nlp, gold)
            own_tokens = gold.has_unknown_spaces
            predicted = (
                Doc(nlp.vocab, words=[x.text for x in changed])
                if own_tokens
                else nlp.make_doc(changed.text)
            )
            yield Example(predicted, changed)
        else:
            yield example

    def _collect(self, doc: Doc) -> None:
        for ent in doc.ents:
            words = _words(ent)
            seen = self.pool.setdefault(ent.label_, {})
            if words not in seen and len(seen) < self.pool_size:
                seen[words] = None
                self.choices.setdefault(ent.label_, []).append(words)

    def _swap(self, nlp: Language, gold: Doc) -> Doc:
        words: List[str] = []
        spaces: List[bool] = []
        sent_starts: List[int] = []
        places: List[Tuple[int, int, Span]] = []
        position = 0
        for ent in (*gold.ents, None):
            stop = ent.start if ent is not None else len(gold)
            for token in gold[position:stop]:
                words.append(token.text)
                spaces.append(bool(token.whitespace_))
                sent_starts.append(token.is_sent_start or 0)
            if ent is None:
                break
            new = self._replacement(ent)
            places.append((len(words), len(words) + len(new), ent))
            words.extend(word for word, _ in new)
            spaces.extend([space for _, space in new[:-1]] + [bool(ent[-1].whitespace_)])
            sent_starts.extend([gold[ent.start].is_sent_start or 0] + [0] * (len(new) - 1))
            position = ent.end
        doc = Doc(nlp.vocab, words=words, spaces=None if gold.has_unknown_spaces else spaces)
        if gold.has_annotation("SENT_START"):
            for token, starts in zip(doc, sent_starts):
                token.is_sent_start = bool(starts)
        moved: Dict[Mention, Mention] = {}
        spans = []
        for start, end, ent in places:
            span = Span(doc, start, end, label=ent.label_)
            spans.append(span)
            moved[mention(ent)] = mention(span)
        doc.set_ents(spans)
        relations = stored_relations(gold) or []
        store_relations(
            doc,
            [StoredRelation(moved[x.head], moved[x.tail], x.label, x.score) for x in relations],
        )
        return doc

    def _replacement(self, ent: Span) -> Words:
        if self.random.random() >= self.probability:
            return _words(ent)
        return self.random.choice(self.choices[ent.label_])


def _words(ent: Span) -> Words:
    return (*((token.text, bool(token.whitespace_)) for token in ent[:-1]), (ent[-1].text, False))


def _is_plain(doc: Doc) -> bool:
    """Whether doc.ents holds all that relations refer to, and every token is annotated."""
    relations = stored_relations(doc)
    annotated = doc.has_annotation("ENT_IOB", require_complete=True)
    if relations is None or not annotated or doc.spans:
        return False
    ents = {mention(ent) for ent in doc.ents}
    return all(x.head in ents and x.tail in ents for x in relations)
