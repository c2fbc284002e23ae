"""The head of a file: what of it is read, and when more."""

import json

import pytest

from spacy_jere.formats import FORMATS, SourceError, _reading, guess_format, read_records
from spacy_jere.formats._reading import HEAD_SIZE, Head

LONG = {"text": "x" * (3 * HEAD_SIZE), "spans": [], "answer": "accept"}


@pytest.fixture
def sizes(monkeypatch):
    """The numbers of bytes that are read of files."""
    found = []
    read_bytes = _reading._read_bytes

    def _read_bytes(path, size=-1):
        found.append(size)
        return read_bytes(path, size)

    monkeypatch.setattr(_reading, "_read_bytes", _read_bytes)
    return found


@pytest.mark.parametrize(
    "content, text",
    [
        (b"", ""),
        ("עדה 🏠\n".encode(), "עדה 🏠\n"),
        (b"\xef\xbb\xbfAda\r\nBo\rCy", "Ada\nBo\nCy"),
        (b"x" * HEAD_SIZE, "x" * HEAD_SIZE),
    ],
)
def test_small_file_is_read_whole(save, content, text):
    head = Head.of(save(content))
    assert (head.text, head.is_whole) == (text, True)


@pytest.mark.parametrize("n_bytes", range(5))
def test_character_that_the_end_of_the_head_cuts_is_left_out(save, n_bytes):
    """The emoji has four bytes, of which the head has none, some or all."""
    start = b"x" * (HEAD_SIZE - n_bytes)
    head = Head.of(save(start + "🏠 and more".encode()))
    assert head.text == start.decode() + "🏠" * (n_bytes == 4)
    assert not head.is_whole


def test_line_end_that_the_end_of_the_head_cuts(save):
    assert Head.of(save(b"x" * (HEAD_SIZE - 1) + b"\r\ny")).text.endswith("x\n")


def test_character_that_the_end_of_the_file_cuts_is_refused(save):
    with pytest.raises(SourceError, match=r"E305.*data\.txt, line 2: .*byte 4 "):
        Head.of(save(b"Ada\n\xf0\x9f"))


@pytest.mark.parametrize("content", [b"Ada\nB\xe9", b"Ada\nB\xe9" + b"x" * HEAD_SIZE])
def test_other_encodings_are_refused(save, content):
    with pytest.raises(SourceError, match=r"E305.*data\.txt, line 2: .*byte 5 "):
        Head.of(save(content))


def test_other_encoding_after_the_head_is_found_by_the_reader(save):
    line = json.dumps({"text": "Ada", "answer": "accept"}).encode() + b"\n"
    path = save(line + b"\n" * HEAD_SIZE + b"\xe9")
    assert guess_format(path) == "prodigy"
    with pytest.raises(SourceError, match=r"E305.*byte 65572 "):
        read_records(path)


def test_folder_has_no_text(tmp_path):
    head = Head.of(tmp_path)
    assert (head.text, head.objects()) == ("", [])


def test_missing_file(tmp_path):
    with pytest.raises(SourceError, match="E303"):
        Head.of(tmp_path / "none.json")


@pytest.mark.parametrize("opening", ["", "["])
@pytest.mark.parametrize(
    "content, found",
    [
        ('{"a": 1}', [{"a": 1}]),
        (' \n {"a": {"b": []}}\n{"c": 2}', [{"a": {"b": []}}, {"c": 2}]),
        ('{"a": 1},\n{"c": 2}]', [{"a": 1}, {"c": 2}]),
        ('{"a": 1}, 7, {"c": 2}', [{"a": 1}, {"c": 2}]),
        ('{\n  "a": 1\n}\n{\n  "c": 2\n}', [{"a": 1}, {"c": 2}]),
        ('{"a": 1}\n{"c": ', [{"a": 1}]),
        ('{"a": 1', []),
        ('{"a": 1 "b": 2}', []),
        ('{"a": ' + "[" * 100_000, []),
        ('{"a": ' + "9" * 10_000 + "}", []),
        ("[1]", []),
        ("1", []),
        ("", []),
    ],
)
def test_first_objects(save, opening, content, found):
    assert Head.of(save(opening + content)).objects() == found


def test_number_of_objects_is_bounded(save):
    assert len(Head.of(save('{"a": 1}\n' * 500)).objects()) == 20


@pytest.mark.parametrize("opening", ["", "["])
def test_object_that_is_longer_than_the_head(save, sizes, opening):
    head = Head.of(save(f"{opening}{json.dumps(LONG)}\n" + "x" * (20 * HEAD_SIZE)))
    assert len(sizes) == 1
    assert head.objects() == [LONG]
    assert head.objects() == [LONG]
    assert sizes == [HEAD_SIZE + 1, 4 * HEAD_SIZE + 1]


def test_object_in_the_head_needs_no_more(save, sizes):
    head = Head.of(save('{"a": 1}\n' + "x" * (2 * HEAD_SIZE)))
    assert head.objects() == [{"a": 1}]
    assert len(sizes) == 1


def test_broken_object_needs_no_more(save, sizes):
    head = Head.of(save('{"a": 1 "b": 2}' + "x" * (2 * HEAD_SIZE)))
    assert head.objects() == []
    assert len(sizes) == 1


@pytest.mark.parametrize(
    "item",
    [
        {"a": "\ud83c\udfe0", "b": [1.5e10, -12345, True, None, {"ñ": '\\"'}]},
        {"a" * 20: {"b": float("-inf"), "c": [False, 10**20]}},
    ],
)
@pytest.mark.parametrize("ascii", [True, False])
def test_object_may_be_cut_anywhere(save, monkeypatch, item, ascii):
    text = json.dumps(item, ensure_ascii=ascii).encode("utf8", "surrogatepass")
    text = text.replace(b"\xed\xa0\xbc\xed\xbf\xa0", "🏠".encode())
    path = save(text + b"\n" + text)
    expected = json.loads(text)
    for size in range(1, len(text) + 1):
        monkeypatch.setattr(_reading, "HEAD_SIZE", size)
        assert Head.of(path).objects()[0] == expected, size


@pytest.mark.parametrize("name", ["spert", "label_studio", "dygie", "hf", "prodigy", "doccano"])
def test_format_with_a_long_first_object_is_guessed(save, examples, name):
    """Whatever stands in the middle of the object, the format is known by all of it."""
    text = examples[name][1].lstrip("[ \n")
    value = json.dumps("x" * (2 * HEAD_SIZE))
    opening = "[" if examples[name][1].startswith("[") else ""
    path = save(f'{opening}{{"further": {value}, {text.removeprefix("{")}')
    head = Head.of(path)
    assert next(x for x, module in FORMATS.items() if module.sniff(head)) == name
