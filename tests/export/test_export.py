import sys
from itertools import chain, repeat
from pathlib import Path

import pytest

from spacy_jere.export import WRITERS, find_writer, write_docs
from spacy_jere.formats import SourceError, read_records

SUFFIXES = {
    "spacy": ".spacy",
    "spert": ".json",
    "brat": "",
    "triples": ".jsonl",
    "csv": ".csv",
    "parquet": ".parquet",
    "turtle": ".ttl",
    "graphml": ".graphml",
    "node_link": ".json",
    "neo4j": "",
}
# By which the format is known: others have it, too, or it is a folder's
CLEAR = {name: suffix for name, suffix in SUFFIXES.items() if suffix not in (".json", "")}
NEEDS = {
    "graphml": "networkx",
    "node_link": "networkx",
    "parquet": "pyarrow",
    "turtle": "rdflib",
}


@pytest.fixture
def hard_docs(hard_docs):
    """Without what brat can't hold: labels of several words, or none."""
    return [hard_docs[i] for i in (0, 2, 3, 4, 5)]


def files(folder):
    return {str(x.relative_to(folder)): x.read_bytes() for x in folder.rglob("*") if x.is_file()}


def test_every_format_has_the_same_names():
    assert list(WRITERS) == list(SUFFIXES)
    for name, module in WRITERS.items():
        assert (name, SUFFIXES[name]) == (module.NAME, module.WRITES)
        assert callable(module.write)


@pytest.mark.parametrize("name, suffix", SUFFIXES.items())
def test_format_is_named_or_goes_by_the_suffix(name, suffix):
    assert name == find_writer(Path("out.xyz"), name).NAME
    if name in CLEAR:
        assert name == find_writer(Path(f"a.b{suffix}")).NAME
        assert name == find_writer(Path(f"out{suffix.upper()}")).NAME


@pytest.mark.parametrize("path", ["out", "out.txt", "out.json.gz", ".csv"])
def test_other_suffixes_are_refused(path):
    with pytest.raises(ValueError, match=r"E322.*neo4j"):
        find_writer(Path(path))


def test_suffix_of_several_formats_is_refused():
    with pytest.raises(SourceError, match=r"E326.*out\.json may be spert and node_link"):
        find_writer(Path("out.json"))


def test_unknown_format_is_refused():
    with pytest.raises(SourceError, match=r"E302.*'rdf'.*turtle"):
        find_writer(Path("out.csv"), "rdf")


@pytest.mark.slow
@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("as_path", [Path, str])
def test_writing_again_replaces_and_gives_the_same(name, as_path, tmp_path, hard_docs):
    path = tmp_path / "out"
    WRITERS[name].write([], as_path(path))
    nothing = files(tmp_path)
    WRITERS[name].write(hard_docs, as_path(path))
    first = files(tmp_path)
    WRITERS[name].write(iter(hard_docs), as_path(path))
    assert files(tmp_path) == first != nothing
    assert not [x for x in first if x.endswith(".part")]


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("before", [False, True])
def test_after_an_error_there_is_what_was_there_before(name, before, tmp_path, hard_docs):
    def failing():
        yield from hard_docs
        raise RuntimeError("no more")

    if before:
        WRITERS[name].write(hard_docs[:1], tmp_path / "out")
    there = files(tmp_path)
    with pytest.raises(RuntimeError, match="no more"):
        WRITERS[name].write(failing(), tmp_path / "out")
    assert files(tmp_path) == there
    assert bool(there) is before


@pytest.mark.parametrize("name", ["spert", "triples", "csv", "parquet", "turtle", "neo4j"])
def test_docs_are_not_kept(name, tmp_path, new_doc):
    alive, most = set(), 0

    def docs():
        nonlocal most
        for i in range(20):
            doc = new_doc(["Ada", "met", "Bo"], [((0, 1, "P"), (2, 3, "P"), "MET", None)])
            doc.user_data["alive"] = _Alive(alive, i)
            most = max(most, len(alive))
            yield doc
            del doc

    options = {"batch_size": 2} if name == "parquet" else {}
    WRITERS[name].write(docs(), tmp_path / "out", **options)
    assert 0 < most < 6


class _Alive:
    def __init__(self, alive, number):
        self.alive, self.number = alive, number
        alive.add(number)

    def __del__(self):
        self.alive.discard(self.number)


@pytest.mark.parametrize("name, package", NEEDS.items())
def test_missing_package_is_named_with_its_extra(name, package, tmp_path, monkeypatch, hard_docs):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"E320.*{name}.*{package}.*spacy-jere\[graphs\]"):
        WRITERS[name].write(hard_docs, tmp_path / "out")
    assert files(tmp_path) == {}


@pytest.mark.parametrize("name", [x for x in WRITERS if x not in NEEDS])
def test_other_formats_need_no_package(name, tmp_path, monkeypatch, hard_docs):
    for package in ("networkx", "pyarrow", "rdflib"):
        monkeypatch.setitem(sys.modules, package, None)
    WRITERS[name].write(hard_docs, tmp_path / "out")


@pytest.mark.parametrize("name", [x for x in WRITERS if x not in ("brat", "spacy")])
def test_merged_tokens_are_written_as_the_views_of_relations_have_them(name, tmp_path, new_doc):
    doc = new_doc(["New", "Oslo", "is", "in", "Rome"], [((1, 2, "X"), (4, 5, "X"), "IN", None)])
    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc[0:2])
    WRITERS[name].write([doc], tmp_path / "out")
    written = b"".join(files(tmp_path).values())
    assert b"New Oslo" in written.replace(b"New Oslo is in Rome", b"")


@pytest.mark.slow
@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("as_path", [Path, str])
def test_function_writes_every_format(name, as_path, tmp_path, hard_docs):
    WRITERS[name].write(hard_docs, tmp_path / "out")
    written = files(tmp_path / "out") or (tmp_path / "out").read_bytes()
    path = tmp_path / "new" / "folder" / f"out{SUFFIXES[name]}"
    write_docs(hard_docs, as_path(path), None if name in CLEAR else name)
    assert (files(path) or path.read_bytes()) == written


def test_function_passes_options_on(tmp_path, hard_docs):
    write_docs(hard_docs, tmp_path / "out.ttl", base="urn:x:")
    assert "<urn:x:entity/PER/Ada>" in (tmp_path / "out.ttl").read_text(encoding="utf8")
    write_docs(hard_docs, tmp_path / "out.json", "spert", spans_key="other")
    assert len(read_records(tmp_path / "out.json")) == 4
    with pytest.raises(SourceError, match=r"E325.*'turtle' knows no 'bases'.*with: base, key, "):
        write_docs(hard_docs, tmp_path / "none" / "out.ttl", bases="urn:x:")
    with pytest.raises(SourceError, match=r"E325.*'csv' knows no 'key'.*with: context, raw"):
        write_docs(hard_docs, tmp_path / "none" / "out.csv", key=str)
    assert not (tmp_path / "none").exists()


def test_numbers_count_all_docs(tmp_path, new_doc):
    relation = ((0, 1, "P"), (2, 3, "P"), "MET", None)
    docs = chain(repeat(new_doc(["Ada"], None), 3), [new_doc(["Ada", "met", "Bo"], [relation])])
    WRITERS["csv"].write(docs, tmp_path / "out")
    assert (tmp_path / "out").read_text().splitlines()[1].startswith("3,Ada,")
