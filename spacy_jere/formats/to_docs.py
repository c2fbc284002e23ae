"""Records to Docs: annotations are aligned with tokens."""

import warnings
from bisect import bisect_left, bisect_right
from itertools import pairwise
from typing import (
    Any,
    Callable,
    Dict,
    Iterable,
    List,
    NamedTuple,
    NoReturn,
    Optional,
    Sequence,
    Set,
    Tuple,
    Union,
)

import numpy
import spacy
import spacy.util
from spacy.attrs import SENT_START
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from ..errors import Errors, Warnings
from ..relations import DEFAULT_SPANS_KEY, StoredRelation, mention, store_relations
from ._faults import OptionError, SourceError, check_choice, report
from ._offsets import solid_end, solid_start
from .record import Record, RecordEntity
from .user_data import keep_arguments, keep_id

ALIGNMENTS = ("split", "contract", "expand", "strict")
# The longest text of an entity in a report: of thousands of entities that each are nearly the whole
# text, the texts would fill the memory.
_LONGEST = 1000


class Cut(NamedTuple):
    """An entity that does not begin and end where a token does.

    record: The index of its record.
    source: File and line of the record.
    text: The annotated text, at characters `start` to `end`. The middle of a text of more than a
        thousand characters is left out.
    result: The text of the entity on the Doc: the same text if tokens were split, None if the
        entity was left out.
    """

    record: int
    source: str
    start: int
    end: int
    label: str
    text: str
    result: Optional[str]


class LostRelation(NamedTuple):
    """A relation that was left out because one of its ends was."""

    record: int
    source: str
    head: RecordEntity
    tail: RecordEntity
    label: str


class Alignment(NamedTuple):
    """Docs, with all entities that cut tokens and all relations that were left out."""

    docs: List[Doc]
    cuts: List[Cut]
    lost: List[LostRelation]


def to_docs(
    records: Sequence[Record],
    nlp: Union[Language, Vocab],
    spans_key: str = DEFAULT_SPANS_KEY,
    *,
    alignment: str = "split",
) -> List[Doc]:
    """Make a Doc of each record. Warns if entities are shortened, widened or left out.

    The arguments are those of `align`, which lists these entities.
    """
    docs, cuts, lost = align(records, nlp, spans_key, alignment=alignment)
    n_changed = sum(cut.result != cut.text.strip() for cut in cuts)
    if n_changed:
        warnings.warn(Warnings.W300.format(changed=n_changed, lost=len(lost)), stacklevel=2)
    return docs


def align(
    records: Iterable[Record],
    nlp: Union[Language, Vocab],
    spans_key: str = DEFAULT_SPANS_KEY,
    *,
    alignment: str = "split",
    sentences: Optional[Callable[[Doc], Doc]] = None,
) -> Alignment:
    """Make a Doc of each record and report every entity that cuts a token. A Doc has identical
    entities and relations once.

    nlp (Union[Language, Vocab]): Its tokenizer finds the tokens of records that have none. With a
        vocabulary, it is the tokenizer of its language.
    spans_key (str): The key of `doc.spans` for all entities, where some overlap. doc.ents then has
        those that don't, longer ones first.
    alignment (str): What to do with an entity that cuts a token: "split" the token; "contract" or
        "expand" the entity, as in `Doc.char_span`; "strict" raises an error.
    sentences (Optional[Callable[[Doc], Doc]]): Sets sentence boundaries on Docs of records that
        have none.
    RAISES (SourceError): With "strict", an entity that cuts a token.
    """
    check_choice("alignment", alignment, ALIGNMENTS)
    nlp = spacy.blank(nlp.lang or "xx", vocab=nlp) if isinstance(nlp, Vocab) else nlp
    result = Alignment([], [], [])
    for i, record in enumerate(records):
        try:
            doc, spans, cuts = _align_entities(i, record, _tokenize(record, nlp), alignment)
        except SourceError as fault:
            report(fault)
            continue
        _set_entities(doc, spans, spans_key)
        keep_id(doc, record)
        if record.relations is not None:
            result.lost.extend(_set_relations(i, record, doc, spans))
        if record.sentences is not None:
            _set_sentences(doc, record.sentences)
        elif sentences is not None:
            doc = sentences(doc)
        result.docs.append(doc)
        result.cuts.extend(cuts)
    return result


def make_sentence_setter(name: str, lang: str) -> Callable[[Doc], Doc]:
    """Take sentence boundaries from a pipeline.

    name (str): "sentencizer" for spaCy's rule, or a package or folder of a pipeline that sets
        boundaries.
    lang (str): The language of the rule.
    RETURNS (Callable[[Doc], Doc]): Sets the boundaries on a Doc, and nothing else.
    """
    if name == "sentencizer":
        nlp = spacy.blank(lang)
        nlp.add_pipe("sentencizer")
    else:
        try:
            nlp = spacy.util.load_model(name)
        except OSError as error:
            raise OptionError(Errors.E312.format(name=name, reason=error)) from None

    def set_sentences(doc: Doc) -> Doc:
        # A Doc of the pipeline's own vocabulary: none of its other annotations reach ours.
        words = [token.text for token in doc]
        found = nlp(Doc(nlp.vocab, words=words, spaces=[bool(token.whitespace_) for token in doc]))
        if len(found) and not found.has_annotation("SENT_START"):
            reason = "it sets no sentence boundaries"
            raise OptionError(Errors.E312.format(name=name, reason=reason))
        return _with_starts(doc, [bool(token.is_sent_start) for token in found])

    return set_sentences


def _tokenize(record: Record, nlp: Language) -> Doc:
    if record.words is None:
        return nlp.tokenizer(record.text)  # not make_doc, which refuses long texts
    if not record.spacing_known:
        return Doc(nlp.vocab, words=record.words)  # spaces unknown: spaCy will keep these tokens
    words, spaces = spacy.util.get_words_and_spaces(record.words, record.text)
    return Doc(nlp.vocab, words=words, spaces=spaces)


def _align_entities(
    index: int, record: Record, doc: Doc, alignment: str
) -> Tuple[Doc, List[Optional[Span]], List[Cut]]:
    """Find the tokens of each entity.

    RETURNS (Tuple[Doc, List[Optional[Span]], List[Cut]]): The Doc, in which tokens may be split;
        the span of each entity; the entities that cut tokens.
    """
    starts = {token.idx for token in doc}
    ends = {token.idx + len(token) for token in doc}
    places = [_without_space(record.text, entity, starts, ends) for entity in record.entities]
    inside = {x for start, end in places for x in ({start} - starts) | ({end} - ends)}
    if inside and alignment == "strict":
        _refuse(record, doc, places, inside)
    if inside and alignment == "split":
        doc = _split_tokens(doc, inside)
    mode = "strict" if alignment == "split" else alignment
    spans, cuts = [], []
    for entity, (start, end) in zip(record.entities, places):
        span = doc.char_span(start, end, label=entity.label, alignment_mode=mode)
        # An entity that cuts two tokens may be contracted to the line break between them.
        if span is not None and solid_start(record.text, span.start_char) >= span.end_char:
            span = None
        spans.append(span)
        if (start, end) != entity[:2] or {start, end} & inside:
            text = _excerpt(record.text, entity.start, entity.end)
            result = None
            if span is not None:
                result = _excerpt(record.text, span.start_char, span.end_char)
            cuts.append(Cut(index, record.source, *entity, text, result))
    return doc, spans, cuts


def _excerpt(text: str, start: int, end: int) -> str:
    if end - start <= _LONGEST:
        return text[start:end]
    return f"{text[start : start + _LONGEST // 2]}…{text[end - _LONGEST // 2 : end]}"


def _without_space(
    text: str, entity: RecordEntity, starts: Set[int], ends: Set[int]
) -> Tuple[int, int]:
    """Leave out white space at the edges of an entity, unless it belongs to a token there."""
    start, end, _ = entity
    inner_start = min(solid_start(text, start), end)
    inner_end = max(solid_end(text, end), start)
    return (
        start if start in starts and inner_start not in starts else inner_start,
        end if end in ends and inner_end not in ends else inner_end,
    )


def _split_tokens(doc: Doc, positions: Set[int]) -> Doc:
    words, spaces = [], []
    ordered = sorted(positions)
    for token in doc:
        first = bisect_right(ordered, token.idx)
        last = bisect_left(ordered, token.idx + len(token))
        inner = [x - token.idx for x in ordered[first:last]]
        bounds = [0, *inner, len(token)]
        words += [token.text[i:j] for i, j in pairwise(bounds)]
        spaces += [False] * len(inner) + [bool(token.whitespace_)]
    split = Doc(doc.vocab, words=words, spaces=spaces)
    split.has_unknown_spaces = doc.has_unknown_spaces
    return split


def _refuse(record: Record, doc: Doc, places: List[Tuple[int, int]], inside: Set[int]) -> NoReturn:
    start, end = next(place for place in places if {*place} & inside)
    span = doc.char_span(start, end, alignment_mode="expand")
    text, tokens = record.text[start:end], [token.text for token in span or ()]
    error = Errors.E311.format(text=text, start=start, end=end, tokens=tokens)
    raise SourceError(f"{error} ({record.source})" if record.source else error)


def _set_entities(doc: Doc, spans: List[Optional[Span]], spans_key: str) -> None:
    found = list({mention(span): span for span in spans if span is not None}.values())
    doc.set_ents(spacy.util.filter_spans(found))
    if len(doc.ents) < len(found):
        doc.spans[spans_key] = found


def _set_relations(
    index: int, record: Record, doc: Doc, spans: List[Optional[Span]]
) -> List[LostRelation]:
    lost = []
    # Relations that differ in brat's names of their arguments only are not the same.
    kept: Dict[Tuple[StoredRelation, Tuple[str, ...]], None] = {}
    arguments = record.meta.get("arguments")
    names = arguments if isinstance(arguments, list) else []
    for number, (head, tail, label) in enumerate(record.relations or ()):
        head_span, tail_span = spans[head], spans[tail]
        if head_span is None or tail_span is None:
            ends = record.entities[head], record.entities[tail]
            lost.append(LostRelation(index, record.source, *ends, label))
        else:
            relation = StoredRelation(mention(head_span), mention(tail_span), label, None)
            kept[relation, tuple(names[number]) if number < len(names) else ()] = None
    relations = [relation for relation, _ in kept]
    store_relations(doc, relations)
    keep_arguments(doc, relations, [(x[0], x[1]) for _, x in kept if x])
    return lost


def count_doubles(records: Iterable[Record]) -> Tuple[int, int]:
    """Count what Docs don't keep twice.

    RETURNS (Tuple[int, int]): The number of entities and of relations that were there before.
    """
    n_entities = n_relations = 0
    for record in records:
        n_entities += len(record.entities) - len(set(record.entities))
        arguments = record.meta.get("arguments")
        relations = record.relations or []
        names = arguments if isinstance(arguments, list) else [()] * len(relations)
        ends = [
            (record.entities[x.head], record.entities[x.tail], x.label, tuple(name))
            for x, name in zip(relations, names)
        ]
        n_relations += len(ends) - len(set(ends))
    return n_entities, n_relations


def _set_sentences(doc: Doc, starts: List[int]) -> None:
    waiting = sorted(starts, reverse=True)
    found = []
    for token in doc:
        # A sentence may begin with white space, or inside a token: then with the token after it.
        reached = bool(waiting) and token.idx >= waiting[-1]
        while waiting and token.idx >= waiting[-1]:
            waiting.pop()
        found.append(reached or token.i == 0)
    _with_starts(doc, found)


def _with_starts(doc: Doc, starts: List[bool]) -> Doc:
    # All at once: setting token.is_sent_start looks through the whole Doc each time.
    values: Any = numpy.array([1 if start else -1 for start in starts], dtype="int64")
    return doc.from_array([SENT_START], values.astype("uint64").reshape(-1, 1))
