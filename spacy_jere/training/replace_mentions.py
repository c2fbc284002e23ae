"""`spacy-jere.replace_mentions.v1`: texts with other names, so that a model learns what stands
around a name and not the name.
"""

import random
from collections import defaultdict
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple, Union

from spacy.language import Language
from spacy.tokens import Doc, Span, SpanGroup
from spacy.training import Example

from ..relations import (
    Mention,
    StoredRelation,
    annotated_relations,
    mention_span,
    store_relations,
)
from .name_sources import (
    AnyPath,
    NamesOfData,
    NamesOfFaker,
    NamesOfFiles,
    Source,
    require,
)

TokenSpan = Tuple[int, int]
# What a token says by itself, and a token of another name doesn't
_BY_TOKEN = ("tags", "pos", "morphs", "lemmas")
# A name is drawn so many times at most until it is another one.
_DRAWS = 20


def create_replace_mentions_v1(
    level: float = 1.0,
    copies: int = 1,
    labels: Optional[List[str]] = None,
    data: Optional[AnyPath] = None,
    files: Union[AnyPath, Dict[str, AnyPath], None] = None,
    faker: Optional[Dict[str, str]] = None,
    locales: Optional[List[str]] = None,
    keep: bool = True,
    seed: int = 0,
) -> "ReplaceMentions":
    """Create the augmenter. It needs one of `data`, `files` and `faker`; a label that several of
    them know takes a name from each with the same probability.

    level (float): The share of texts that are augmented.
    copies (int): How many copies with other names an augmented text gets.
    labels (Optional[List[str]]): Entity labels whose mentions are replaced; null for all that there
        are names for.
    data (Optional[str]): A .spacy file, or a folder of them: its entities are the names. The
        training data itself may serve.
    files (Union[str, Dict[str, str], None]): A text file with a label, a tab and a name in each
        line, or for each label a file with a name in each line.
    faker (Optional[Dict[str, str]]): For each label a method of Faker, such as "name", "company",
        "city" or "date". It needs the extra `augment`.
    locales (Optional[List[str]]): Faker's locales, such as ["en_GB", "hu_HU"]; null for en_US.
    keep (bool): Whether the text itself comes along.
    seed (int): The seed of the names that are drawn.
    RAISES (ValueError): A setting out of its range, or no names.
    RAISES (ImportError): Faker is asked for, and not installed.
    """
    require("level", 0 <= level <= 1, "between 0 and 1", level)
    require("copies", copies >= 1, "at least 1", copies)
    sources: List[Source] = []
    if data is not None:
        sources.append(NamesOfData(Path(data)))
    if files is not None:
        sources.append(NamesOfFiles(files))
    if faker:
        sources.append(NamesOfFaker(faker, locales, seed))
    require("data, files and faker", bool(sources), "given, one of them at least", None)
    return ReplaceMentions(level, copies, labels, sources, keep, seed)


class ReplaceMentions:
    """The augmenter: called with a pipeline and an Example, it yields Examples."""

    def __init__(
        self,
        level: float,
        copies: int,
        labels: Optional[List[str]],
        sources: List[Source],
        keep: bool,
        seed: int,
    ):
        self.level = level
        self.copies = copies
        self.chosen = labels
        self.sources = sources
        self.keep = keep
        self.rng = random.Random(seed)
        self._by_label: Optional[Dict[str, List[Source]]] = None

    def __call__(self, nlp: Language, example: Example) -> Iterator[Example]:
        doc = example.reference
        places = self._places(doc) if self.rng.random() < self.level else {}
        if self.keep or not places:
            yield example
        for _ in range(self.copies if places else 0):
            yield _example(nlp, with_names(doc, self._names(doc, places), nlp))

    @property
    def by_label(self) -> Dict[str, List[Source]]:
        """The sources of each label that is to be replaced."""
        if self._by_label is None:
            known: Dict[str, List[Source]] = defaultdict(list)
            for source in self.sources:
                for label in source.labels():
                    known[label].append(source)
            for label in self.chosen or ():
                require("labels", label in known, f"labels with names ({', '.join(known)})", label)
            chosen = known if self.chosen is None else self.chosen
            self._by_label = {label: known[label] for label in chosen}
        return self._by_label

    def _places(self, doc: Doc) -> Dict[TokenSpan, str]:
        """RETURNS: The mentions that can be replaced, with their labels."""
        return {place: label for place, label in replaceable(doc).items() if label in self.by_label}

    def _names(self, doc: Doc, places: Dict[TokenSpan, str]) -> Dict[TokenSpan, str]:
        """RETURNS: A name for each mention; the same one for the same mention, and for a part of a
        mention (a surname) the same part of its name."""
        texts = {place: doc[place[0] : place[1]].text for place in places}
        given: Dict[Tuple[str, str], str] = {}
        for place in sorted(places, key=lambda x: (x[0] - x[1], x)):  # the longest first
            key = places[place], texts[place]
            if key not in given:
                given[key] = _part(key, given) or self._draw(*key)
        return {place: given[places[place], texts[place]] for place in places}

    def _draw(self, label: str, text: str) -> str:
        name = text
        for _ in range(_DRAWS):
            name = self.rng.choice(self.by_label[label]).draw(label, self.rng)
            if name and name != text:
                break
        return name or text


def _part(key: Tuple[str, str], given: Dict[Tuple[str, str], str]) -> Optional[str]:
    """RETURNS: For "Curie" after "Marie Curie" the last word of her new name, for "Marie" the
    first."""
    label, text = key
    for (other, whole), name in given.items():
        if other == label and whole.endswith(f" {text}"):
            return name.split()[-1]
        if other == label and whole.startswith(f"{text} "):
            return name.split()[0]
    return None


def replaceable(doc: Doc) -> Dict[TokenSpan, str]:
    """Find the mentions whose words can be replaced while all other annotation keeps its place.

    RETURNS (Dict[Tuple[int, int], str]): First token, end and label of each mention that no other
        entity begins or ends inside of. A mention with two labels is left alone.
    """
    labels: Dict[TokenSpan, set] = defaultdict(set)
    for span in _spans(doc):
        if span.end > span.start:
            labels[span.start, span.end].add(span.label_)
    bounds = sorted({x for place in labels for x in place})
    return {
        (start, end): label
        for (start, end), (label, *others) in labels.items()
        if label and not others and not any(start < x < end for x in bounds)
    }


def _spans(doc: Doc) -> Iterator[Span]:
    yield from doc.ents
    for group in doc.spans.values():
        yield from group
    for relation in annotated_relations(doc) or ():
        yield from (mention_span(doc, end) for end in (relation.head, relation.tail))


class _Moved(NamedTuple):
    """words, spaces: Those of the new Doc.
    first: For each old token, and for the end, its place in the new Doc.
    old: The old place of each new token; -1 for those of a new name.
    """

    words: List[str]
    spaces: List[bool]
    first: List[int]
    old: List[int]


def with_names(doc: Doc, names: Dict[TokenSpan, str], nlp: Language) -> Doc:
    """Write other names in the place of mentions.

    names (Dict[Tuple[int, int], str]): The new name of some mentions, by first token and end.
    nlp (Language): Its tokenizer splits the names.
    RETURNS (Doc): A new Doc with the entities, span groups, relations and sentences of the old one,
        and with what is annotated on the other tokens one by one.
    """
    moved = _move(doc, names, nlp)
    by_token = {name: _of_tokens(doc, name, moved) for name in _BY_TOKEN}
    new = Doc(
        doc.vocab,
        words=moved.words,
        spaces=moved.spaces,
        sent_starts=_sentence_starts(doc, moved),
        **{name: values for name, values in by_token.items() if values},  # type: ignore[arg-type]
    )
    new.has_unknown_spaces = doc.has_unknown_spaces
    _carry_entities(doc, new, moved)
    _carry_relations(doc, new, moved)
    return new


def _move(doc: Doc, names: Dict[TokenSpan, str], nlp: Language) -> _Moved:
    moved = _Moved([], [], [], [])
    covered = {i: place for place in names for i in range(*place)}
    for token in doc:
        moved.first.append(len(moved.words))
        place = covered.get(token.i)
        if place is None:
            moved.words.append(token.text)
            moved.spaces.append(bool(token.whitespace_))
            moved.old.append(token.i)
        elif place[0] == token.i:
            name = [x for x in nlp.make_doc(names[place]) if not x.is_space]
            moved.words.extend(x.text for x in name)
            moved.spaces.extend(bool(x.whitespace_) for x in name[:-1])
            moved.spaces.append(bool(doc[place[1] - 1].whitespace_))
            moved.old.extend([-1] * len(name))
    moved.first.append(len(moved.words))
    return moved


def _of_tokens(doc: Doc, name: str, moved: _Moved) -> List[str]:
    """RETURNS: What is annotated on the tokens of the new Doc; empty where nothing is."""
    attribute = {"tags": "TAG", "pos": "POS", "morphs": "MORPH", "lemmas": "LEMMA"}[name]
    if not doc.has_annotation(attribute):
        return []
    values = [str(getattr(token, f"{attribute.lower()}_", token.morph)) for token in doc]
    return [values[i] if i >= 0 else "" for i in moved.old]


def _sentence_starts(doc: Doc, moved: _Moved) -> Optional[List[Union[bool, int, None]]]:
    if not doc.has_annotation("SENT_START"):
        return None
    starts: List[Union[bool, int, None]] = [False] * len(moved.words)
    for token in doc:
        place = moved.first[token.i]
        if place < len(starts) and token.is_sent_start:
            starts[place] = True
        elif moved.old[place : place + 1] == [token.i]:
            starts[place] = token.is_sent_start
    return starts


def _carry_entities(doc: Doc, new: Doc, moved: _Moved) -> None:
    def carried(span: Span) -> Span:
        start, end = moved.first[span.start], moved.first[span.end]
        return Span(new, start, end, span.label_, kb_id=span.kb_id_, span_id=span.id_)

    if doc.has_annotation("ENT_IOB"):
        missing = [Span(new, i, i + 1) for i, old in enumerate(moved.old) if _missing(doc, old)]
        new.set_ents([carried(ent) for ent in doc.ents], missing=missing, default="outside")
    for key, group in doc.spans.items():
        new.spans[key] = SpanGroup(new, name=key, spans=[carried(x) for x in group])


def _missing(doc: Doc, i: int) -> bool:
    return i >= 0 and doc[i].ent_iob == 0


def _carry_relations(doc: Doc, new: Doc, moved: _Moved) -> None:
    relations = annotated_relations(doc)
    if relations is None:
        return

    def carried(end: Mention) -> Mention:
        old = mention_span(doc, end)
        span = new[moved.first[old.start] : moved.first[old.end]]
        return Mention(span.start_char, span.end_char, end.label)

    store_relations(
        new,
        [StoredRelation(carried(x.head), carried(x.tail), x.label, x.score) for x in relations],
    )


def _example(nlp: Language, doc: Doc) -> Example:
    """RETURNS (Example): With the tokens of the pipeline, as in spaCy's Corpus."""
    if doc.has_unknown_spaces:
        words, spaces = [x.text for x in doc], [bool(x.whitespace_) for x in doc]
        return Example(Doc(nlp.vocab, words=words, spaces=spaces), doc)
    return Example(nlp.make_doc(doc.text), doc)
