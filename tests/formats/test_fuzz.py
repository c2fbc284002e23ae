"""Readers on damaged files: each is read, or refused with an error that names the file.

Valid files are changed at random: cut, bytes flipped, parts doubled, moved or nested, values of
JSON replaced by values of other types. $SPACY_JERE_FUZZ_MINUTES makes it minutes
instead of seconds, with other seeds than the usual ones; a failure names its seed.
"""

import json
import os
import random
import time
import warnings

import pytest
from spacy.language import Language
from spacy.tokenizer import Tokenizer
from spacy.tokens import DocBin
from spacy.vocab import Vocab

from spacy_jere.formats import FORMATS, SourceError, align, guess_format, load_records

# Tokens are what stands between spaces, and nothing is known of words: some of spaCy's own rules
# are quadratic, such as those for rows of brackets and for URLs.
NLP = Language(Vocab())
NLP.tokenizer = Tokenizer(NLP.vocab)
SECONDS = 60 * float(os.environ.get("SPACY_JERE_FUZZ_MINUTES", 0))
# How many files of each format are tried by default, and the longest time for one of them
USUAL = 250
LONGEST = 5
VALUES = [None, True, -1, 0, 10**30, 1.5, float("nan"), "", " ", "x", "\ud83c", "😀", [], {}, [[]]]
PIECES = [
    b"\x00",
    b"\n",
    b"\r\n",
    b"\t",
    b" ",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xe2\x80\xa8",
    b'"',
    b"\\",
]
PIECES += [b"[", b"]", b"{", b"}", b",", b":", b";", b"-1", b"9" * 30, b"1e999", b"T1", b"E1", b"|"]


def cut(rng, data):
    start, end = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    return rng.choice([data[:start], data[start:], data[:start] + data[end:]])


def flip(rng, data):
    changed = bytearray(data or b" ")
    for _ in range(rng.randint(1, 4)):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def insert(rng, data):
    position = rng.randrange(len(data) + 1)
    return data[:position] + rng.choice(PIECES) * rng.choice([1, 1, 2, 300]) + data[position:]


def double(rng, data):
    start, end = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    return data[:end] + data[start:end] * rng.choice([1, 2, 20]) + data[end:]


def shuffle(rng, data):
    separator = rng.choice([b"\n", b",", b"\t", b" ", b"|"])
    parts = data.split(separator)
    rng.shuffle(parts)
    return separator.join(parts)


def nest(rng, data):
    depth = rng.choice([2, 50, 99, 101, 990, 20_000])
    position = rng.randrange(len(data) + 1)
    opening, closing = rng.choice([(b"[", b"]"), (b'{"a":', b"}")])
    return data[:position] + opening * depth + data[position:] + closing * depth


def swap_types(rng, data):
    """Replace, wrap or drop a value of JSON; other files are left as they are."""
    try:
        text = data.decode("utf8").strip()
        lines = [json.loads(text)] if text[:1] == "[" else [*map(json.loads, text.split("\n"))]
    except (ValueError, RecursionError):
        return data
    for _ in range(rng.randint(1, 3)):
        swap_in(rng, lines)
    try:
        return "\n".join(map(json.dumps, lines)).encode("utf8")
    except RecursionError:
        return data


def swap_in(rng, value):
    """Change one value inside a list or object."""
    while True:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        if not keys:
            return
        key = rng.choice(keys)
        if isinstance(value[key], (list, dict)) and value[key] and rng.random() < 0.8:
            value = value[key]
            continue
        how = rng.randrange(4)
        if how == 0:
            del value[key]
        elif how == 1:
            value[key] = [value[key]]
        elif how == 2 and isinstance(value, dict):
            value[rng.choice(["label", "start", "end", "id", "x"])] = value.pop(key)
        else:
            value[key] = rng.choice(VALUES)
        return


CHANGES = [cut, flip, insert, double, shuffle, nest, swap_types, swap_types]


def damaged(rng, data):
    for _ in range(rng.choice([1, 1, 2, 3])):
        data = rng.choice(CHANGES)(rng, data)
    return data[:200_000]


def check(path, format):
    """RETURNS (bool): Whether the file was read. It is refused with SourceError, if at all."""
    try:
        guess_format(path)
        records, _ = load_records(path, FORMATS[format], {}, {})
        docs = align(records, NLP).docs
        DocBin(docs=docs, store_user_data=True).to_bytes()
        assert len(docs) == len(records)
        for record in records:
            assert all(0 <= x.start < x.end <= len(record.text) for x in record.entities)
    except SourceError as error:
        assert str(path.with_suffix("")) in str(error)
        return False
    assert all(str(path.with_suffix("")) in str(fault) for fault in records.faults)
    return not records.faults


@pytest.mark.slow
@pytest.mark.parametrize("format", FORMATS)
def test_damaged_files_are_read_or_refused(save, examples, format):
    name, text = examples[format]
    source = text.encode("utf8")
    base = time.time_ns() if SECONDS else 0
    end = time.monotonic() + SECONDS / len(FORMATS)
    n_read = n_tried = 0
    while n_tried < USUAL or time.monotonic() < end:
        seed = f"{format}-{base + n_tried}"
        rng = random.Random(seed)
        files = {name: source}
        if format == "brat":
            files["data.txt"] = "Ada lives in\nNew Oslo 🏠 with עדה.".encode()
        changed = rng.choice(sorted(files))
        files[changed] = damaged(rng, files[changed])
        for file, content in files.items():
            path = save(content, file)
        path = path.with_name(name)
        start = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                n_read += check(path, format)
            except Exception as error:
                raise AssertionError(f"seed {seed}: {files[changed][:200]!r}") from error
        assert time.process_time() - start < LONGEST, f"seed {seed}"
        n_tried += 1
    assert 0 < n_read < n_tried
