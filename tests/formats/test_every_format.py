"""What holds for each format."""

import json
import random
import re

import pytest
import spacy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spacy.tokens import DocBin

from spacy_jere.export import WRITERS
from spacy_jere.formats import FORMATS, Record, Records, SourceError, read_records, to_docs
from spacy_jere.formats._reading import Head

NLP = spacy.blank("xx")
CHANGES = {
    "as-is": lambda text: text,
    "windows": lambda text: text.replace("\n", "\r\n"),
    "old-mac": lambda text: text.replace("\n", "\r"),
    "bom": lambda text: "\ufeff" + text,
    "no-last-line-end": lambda text: text.rstrip("\n"),
}


def test_there_is_an_example_of_each(examples):
    assert list(examples) == list(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_modules_rhyme(name):
    module = FORMATS[name]
    assert name == module.NAME
    assert callable(module.read) and callable(module.sniff)
    assert module.SUFFIXES and all(x.startswith(".") for x in module.SUFFIXES)
    assert hasattr(module, "write") is (name in WRITERS) is hasattr(module, "WRITES")
    if name in WRITERS:
        assert WRITERS[name] is module


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_example_is_read(save_example, name, change):
    records = FORMATS[name].read(save_example(name, change))
    assert isinstance(records, Records) and not records.skipped
    assert all(isinstance(record, Record) for record in records)
    assert all(record.relations is not None for record in records)
    assert sum(len(record.relations) for record in records) == (3 if name == "ade" else 1)
    assert any("עדה" in record.text for record in records)
    for record in records:
        assert record.source.startswith(str(save_example(name, change)))


@pytest.mark.parametrize("name", FORMATS)
def test_path_may_be_a_string(save_example, name):
    path = save_example(name)
    assert FORMATS[name].read(str(path)) == FORMATS[name].read(path)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_format_is_guessed(save_example, name, change):
    path = save_example(name, change)
    head = Head.of(path)
    sniffed = [other for other, module in FORMATS.items() if module.sniff(head)]
    assert sniffed[0] == name
    assert read_records(path) == read_records(path, name)


@pytest.mark.parametrize("name", FORMATS)
def test_examples_become_docs(save_example, name):
    records = read_records(save_example(name))
    docs = to_docs(records, NLP)
    for doc, record in zip(docs, records, strict=True):
        assert doc.text.rstrip(" ") == record.text.rstrip(" ")
        assert [(x.start_char, x.end_char, x.label_) for x in doc.ents] == sorted(record.entities)
        assert len(doc._.relations) == len(set(record.relations))


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("content", ["", "\n", " \n\r\n", "\ufeff"])
def test_empty_file(save, save_example, name, content):
    if name == "brat":
        # A text in which nothing is annotated
        path = save_example(name, lambda _: content)
        (record,) = read_records(path)
        text = path.with_suffix(".txt").read_text(encoding="utf8")
        assert (record.text, record.entities, record.relations) == (text, [], [])
        return
    with pytest.raises(SourceError, match=r"data\.txt"):
        read_records(save(content), name)


def reads_or_names_the_file(name, path):
    """What is read must also be fit for Docs, and these for a .spacy file."""

    def convert(path):
        DocBin(docs=to_docs(FORMATS[name].read(path), NLP), store_user_data=True).to_bytes()

    def sniff(path):
        FORMATS[name].sniff(Head.of(path))

    for function in (sniff, convert):
        try:
            function(path)
        except SourceError as error:
            # Of a brat text either of its two files
            place = rf"\[E30[15]\] {re.escape(str(path.with_suffix('')))}\.\w+, line (\d+): ."
            match = re.match(place, str(error))
            assert match, str(error)
            n_lines = len(re.findall(rb"\r\n|\r|\n", path.read_bytes())) + 1
            assert 1 <= int(match[1]) <= n_lines


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_every_truncated_example_is_read_or_refused(save_example, examples, name):
    _, text = examples[name]
    for length in range(0, len(text), 3):
        reads_or_names_the_file(name, save_example(name, lambda x, n=length: x[:n]))


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_example_with_one_changed_byte_is_read_or_refused(save_example, examples, name):
    rng = random.Random(0)
    data = examples[name][1].encode("utf8")
    for _ in range(300):
        position = rng.randrange(len(data))
        byte = rng.choice(b'\x00\t\n "-0123456789:;|,[]{}\\aeE\xe9\xff')
        changed = data[:position] + bytes([byte]) + data[position + 1 :]
        reads_or_names_the_file(name, save_example(name, lambda _, x=changed: x))


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_shuffled_lines_are_read_or_refused(save_example, examples, name):
    rng = random.Random(0)
    for _ in range(50):
        lines = examples[name][1].split("\n")
        rng.shuffle(lines)
        reads_or_names_the_file(name, save_example(name, lambda _, x=lines: "\n".join(x)))


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("other", FORMATS)
def test_each_reader_on_the_other_formats(save_example, examples, name, other):
    reads_or_names_the_file(name, save_example(name, lambda _: examples[other][1]))


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    content=st.binary(max_size=200)
    | st.text(max_size=100).map(lambda x: x.encode("utf8", "replace"))
)
def test_anything_at_all_is_read_or_refused(save_example, name, content):
    reads_or_names_the_file(name, save_example(name, lambda _: content))


VALUES = [None, True, 0, -1, 10**30, 1.5, "", "x", "\ud800", [], [0], [[]], {}, {"start": 0}]


def replacements(value):
    """The value with each part of it replaced by each of VALUES, or left out."""
    yield from VALUES
    if isinstance(value, dict):
        for key, inner in value.items():
            yield {x: y for x, y in value.items() if x != key}
            for changed in replacements(inner):
                yield {**value, key: changed}
    if isinstance(value, list):
        for i, inner in enumerate(value):
            yield value[:i] + value[i + 1 :]
            for changed in replacements(inner):
                yield [*value[:i], changed, *value[i + 1 :]]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["label_studio", "spert", "dygie", "hf", "prodigy", "doccano"])
def test_json_of_any_shape_is_read_or_refused(save_example, examples, name):
    is_array = examples[name][1].startswith("[")
    first = examples[name][1] if is_array else examples[name][1].split("\n")[0]
    for value in replacements(json.loads(first)):
        reads_or_names_the_file(name, save_example(name, lambda _, x=value: json.dumps(x)))


@pytest.mark.slow
@pytest.mark.parametrize(
    "content", ["[" * 100_000, "9" * 10_000, '{"a":' * 100_000, "[" + "9" * 10_000, "-" * 1000]
)
@pytest.mark.parametrize("name", FORMATS)
def test_deep_and_long_input_is_refused(save_example, name, content):
    reads_or_names_the_file(name, save_example(name, lambda _: content))
