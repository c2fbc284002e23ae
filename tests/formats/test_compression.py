"""Compressed files are read as what they hold, within bounds."""

import bz2
import gzip
import io
import lzma
import tarfile
import tracemalloc
import zipfile

import pytest

from spacy_jere.formats import FORMATS, SourceError, _compression, guess_format, read_records
from spacy_jere.formats._compression import plain_name, read_bytes

PACKERS = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}
PACKED = [name for name in FORMATS if name != "brat"]


@pytest.mark.filterwarnings("ignore:.*W360")
@pytest.mark.parametrize("name", PACKED)
@pytest.mark.parametrize("suffix", PACKERS)
def test_what_a_compressed_file_holds_is_read(save, save_example, examples, name, suffix):
    file, text = examples[name]
    path = save(PACKERS[suffix](text.encode("utf8")), file + suffix)
    assert guess_format(path) == name
    assert read_records(path) == read_records(save_example(name))


def test_kind_is_told_by_the_content(save, examples):
    packed = gzip.compress(examples["doccano"][1].encode("utf8"))
    assert guess_format(save(packed, "data.jsonl")) == "doccano"


def test_text_that_begins_like_a_compressed_file(save):
    assert read_bytes(save("BZh is a text", "data.txt")) == b"BZh is a text"


@pytest.mark.parametrize("suffix", PACKERS)
def test_broken_files_are_named(save, examples, suffix):
    packed = PACKERS[suffix](examples["doccano"][1].encode("utf8") * 50)
    broken = [packed[:-9], packed[: len(packed) // 2], packed[:40] + b"\0\0\0" + packed[43:]]
    for content in broken:
        with pytest.raises(SourceError, match=r"E301.*data.*line 1: .*can't be unpacked"):
            read_records(save(content, f"data.jsonl{suffix}"), "doccano")


@pytest.mark.slow
@pytest.mark.parametrize("suffix", PACKERS)
def test_bomb_is_refused_before_it_fills_the_memory(save, suffix, monkeypatch):
    monkeypatch.setattr(_compression, "MIN_LIMIT", 1_000_000)
    path = save(PACKERS[suffix](b"\n" * 50_000_000), f"data.jsonl{suffix}")
    tracemalloc.start()
    try:
        with pytest.raises(SourceError, match=r"line 1: .*holds more than [0-9,]+ bytes, 200"):
            read_records(path, "doccano")
        assert tracemalloc.get_traced_memory()[1] < 30_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_head_of_a_large_file_is_unpacked_only(save, monkeypatch):
    monkeypatch.setattr(_compression, "MIN_LIMIT", 1_000_000)
    path = save(gzip.compress(b'{"text": "a", "label": []}\n' + b"\n" * 50_000_000), "data.gz")
    assert guess_format(path) == "doccano"


def archive(kind):
    file = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(file, "w") as opened:
            opened.writestr("a.jsonl", "{}")
    else:
        with tarfile.open(fileobj=file, mode="w:gz" if kind == "tar.gz" else "w") as opened:
            info = tarfile.TarInfo("a.jsonl")
            info.size = 2
            opened.addfile(info, io.BytesIO(b"{}"))
    return file.getvalue()


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_archives_are_named(save, kind):
    with pytest.raises(SourceError, match=r"E301.*archive of files. Unpack it and name the folder"):
        read_records(save(archive(kind), f"data.{kind}"))


@pytest.mark.parametrize(
    "name, plain",
    [
        ("train.json.gz", "train.json"),
        ("a.b.XZ", "a.b"),
        ("v1.2", "v1.2"),
        (".gz", ".gz"),
        ("x.zip", "x.zip"),
    ],
)
def test_plain_name(tmp_path, name, plain):
    assert plain_name(tmp_path / name) == tmp_path / plain
