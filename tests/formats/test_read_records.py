import json

import pytest

from spacy_jere.formats import FORMATS, SourceError, read_records

SPERT = '[{"tokens": ["Ada"], "entities": [], "relations": []}]'
CONLL04 = "#doc 1\n0\tAda\tO\t['N']\t[0]\n"


@pytest.mark.parametrize("format", [None, "right"])
@pytest.mark.parametrize("name, text", [("spert", SPERT), ("conll04", CONLL04)])
@pytest.mark.parametrize("as_path", [lambda x: x, str])
def test_format_is_guessed_or_named(save, format, name, text, as_path):
    (record,) = read_records(as_path(save(text)), format and name)
    assert record.words == ["Ada"]
    assert record.relations == []


@pytest.mark.parametrize(
    "content, format, code",
    [
        ("", None, "E300"),
        ("Ada lives in Rome.", None, "E300"),
        ("[]", None, "E300"),
        ("Ada", "json", "E302.*'json'.*spert, .*conll04"),
        ("Ada", "", "E302"),
        ("", "conll04", "E304"),
        ("\n\n", "conll04", "E304"),
        ("[]", "spert", "E304.*Left out: nothing"),
        (
            '{"text": "Ada", "answer": "reject"}',
            None,
            "E304.*Left out: 1 texts with the answer 'reject'",
        ),
        ("", "spert", "E304.*Left out: nothing"),
        (CONLL04, "spert", "E301.*line 1"),
        (SPERT, "conll04", "E301.*line 1"),
        (CONLL04.encode("utf-16"), None, "E305.*byte 0"),
        (b"#doc 1\n0\tAd\xe9\tO", None, "E305.*byte 11"),
        (b"#doc 1\n0\tAd\xe9\tO", "conll04", "E305.*byte 11"),
        (json.dumps([{"tokens": ["é"]}], ensure_ascii=False).encode("latin-1"), "spert", "E305"),
    ],
)
def test_files_that_cannot_be_read_are_named(save, content, format, code):
    with pytest.raises(SourceError, match=code) as error:
        read_records(save(content), format)
    assert "E302" in code or "data.txt" in str(error.value)


@pytest.mark.parametrize("format", [None, *FORMATS])
def test_missing_file(tmp_path, format):
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(SourceError, match="E303") as error:
            read_records(path, format)
        assert str(path) in str(error.value)


def test_options_go_to_the_reader(save):
    path = save('{"tokens": ["Ada"], "ner": [[0, 0, "PER"]]}')
    (record,) = read_records(path, ends="inclusive")
    assert record.entities == [(0, 3, "PER")]
    with pytest.raises(SourceError, match=r"E313.*'hf' knows no 'discontinuous'.*read with: ends"):
        read_records(path, discontinuous="cover")
    with pytest.raises(SourceError, match=r"E313.*'spert' knows no 'ends'.*no options"):
        read_records(save(SPERT), ends="inclusive")
