import copy
import importlib.util
import json
import re
from pathlib import Path

import pytest

from spacy_jere.formats import SourceError, read_records

ASSETS = Path(__file__).parents[1] / "assets"
SPLITS = ("train", "dev", "test", "dev_wire", "test_wire")
GOOD = {
    "tokens": ["Ada", "Byron", "joined", "Acme", "in", "Rome", "."],
    "entities": [
        {"type": "PERSON", "start": 0, "end": 2},
        {"type": "ORG", "start": 3, "end": 4},
        {"type": "LOC", "start": 5, "end": 6},
    ],
    "relations": [
        {"type": "WORKS_FOR", "head": 0, "tail": 1},
        {"type": "BASED_IN", "head": 1, "tail": 2},
    ],
    "text": "Ada Byron joined Acme in Rome.",
}


@pytest.fixture(scope="module")
def check_corpus():
    spec = importlib.util.spec_from_file_location("check_corpus", ASSETS / "check_corpus.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def corpora():
    folder = ASSETS / "embedded"
    return {split: read_records(folder / f"{split}.json") for split in SPLITS}


@pytest.fixture
def write(tmp_path):
    """Three splits of one sentence each; the change is made to the one of dev."""

    def _write(change):
        for split, name in (("train", "Bo"), ("dev", "Ada"), ("test", "Cy")):
            sentence = copy.deepcopy(GOOD)
            sentence["tokens"][0] = name
            sentence["text"] = sentence["text"].replace("Ada", name)
            if split == "dev":
                change(sentence)
            (tmp_path / f"{split}.json").write_text(json.dumps([sentence]), encoding="utf8")
        return tmp_path

    return _write


@pytest.mark.slow
def test_embedded_corpus_has_no_faults(check_corpus):
    assert check_corpus.check(ASSETS / "embedded") == []


def test_embedded_corpus_is_large_enough(corpora):
    sizes = {split: len(records) for split, records in corpora.items()}
    total = sum(sizes.values())
    assert total >= 600
    dev, test = (sizes[split] + sizes[f"{split}_wire"] for split in ("dev", "test"))
    shares = [n / total for n in (sizes["train"], dev, test)]
    assert shares == pytest.approx([0.70, 0.15, 0.15], abs=0.01)


def test_every_split_has_every_label(corpora, check_corpus):
    for records in corpora.values():
        assert {x.label for r in records for x in r.entities} == check_corpus.ENTITY_LABELS
        assert {x.label for r in records for x in r.relations} == set(check_corpus.RELATION_LABELS)
    assert len(check_corpus.ENTITY_LABELS) >= 4
    assert len(check_corpus.RELATION_LABELS) >= 5


def add_entity(start, end, label="LOC"):
    return lambda x: x["entities"].append({"type": label, "start": start, "end": end})


def add_relation(label, head, tail):
    return lambda x: x["relations"].append({"type": label, "head": head, "tail": tail})


@pytest.mark.slow
@pytest.mark.parametrize(
    "change, faults",
    [
        (lambda x: None, []),
        (lambda x: x["relations"].clear(), []),
        (lambda x: x.pop("text"), ["has no text"]),
        (lambda x: x.update(tokens=[*x["tokens"][:5], "Rome."]), ["is tokenized differently"]),
        (lambda x: x.update(text="Ada  Byron joined Acme in Rome."), ["is tokenized differently"]),
        (add_entity(6, 7, "PLACE"), ["has the label PLACE"]),
        (add_entity(1, 3), ["has overlapping or double entities"]),
        (add_entity(5, 6), ["has overlapping or double entities"]),
        (add_relation("WORKS_FOR", 0, 1), ["has a double relation"]),
        (add_relation("WORKS_FOR", 1, 0), ["has WORKS_FOR from ORG to PERSON"]),
        (add_relation("LOCATED_IN", 2, 2), ["has LOCATED_IN from LOC to LOC"]),
        (add_relation("MARRIED", 0, 0), ["has MARRIED from PERSON to PERSON"]),
        (
            lambda x: (x.pop("text"), add_relation("LIVES_IN", 1, 2)(x)),
            ["has no text", "has LIVES_IN from ORG to LOC"],
        ),
    ],
)
def test_planted_faults_are_found(check_corpus, write, change, faults):
    found = check_corpus.check(write(change))
    assert len(found) == len(faults)
    for line, fault in zip(found, faults):
        assert re.match(rf"dev, sentence 1 {fault}", line)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Bo", "BO"])
def test_sentence_of_two_splits_is_found(check_corpus, write, name):
    def change(sentence):
        sentence["tokens"][0] = name
        sentence["text"] = sentence["text"].replace("Ada", name)

    assert check_corpus.check(write(change)) == ["dev, sentence 1 stands also in train, sentence 1"]


@pytest.mark.parametrize("change", [add_entity(6, 9), add_relation("WORKS_FOR", 0, 7)])
def test_offsets_are_checked_by_the_reader(check_corpus, write, change):
    with pytest.raises(SourceError, match=r"dev\.json, line 1"):
        check_corpus.check(write(change))
