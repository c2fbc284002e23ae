import re

import pytest
import spacy
from spacy.cli._util import app
from spacy.tokens import Span
from typer.testing import CliRunner

import spacy_jere.cli  # noqa: F401  (adds `jere` to spaCy's commands)
from spacy_jere.cli.extract import table_rows


@pytest.fixture(scope="module")
def nlp():
    return spacy.blank("en")


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    """A pipeline on disk that finds Ada and New Oslo."""
    nlp = spacy.blank("en")
    patterns = [{"label": "PER", "pattern": "Ada"}, {"label": "LOC", "pattern": "New Oslo"}]
    nlp.add_pipe("entity_ruler").add_patterns(patterns)
    nlp.add_pipe("no_relations")
    path = tmp_path_factory.mktemp("pipeline")
    nlp.to_disk(path)
    return str(path)


@pytest.mark.parametrize(
    "relations, rows",
    [
        (None, [("Ada (PER)", "", "", ""), ("Bo (PER)", "", "", ""), ("Rome (LOC)", "", "", "")]),
        ([], [("Ada (PER)", "", "", ""), ("Bo (PER)", "", "", ""), ("Rome (LOC)", "", "", "")]),
        (
            [(0, 1, "MET", 0.256)],
            [("Ada (PER)", "MET", "Bo (PER)", "0.26"), ("Rome (LOC)", "", "", "")],
        ),
        (
            [(2, 0, "OF"), (1, 0, "MET", 0.0)],
            [("Rome (LOC)", "OF", "Ada (PER)", ""), ("Bo (PER)", "MET", "Ada (PER)", "0.00")],
        ),
    ],
)
def test_table_has_relations_then_other_entities(nlp, relations, rows):
    doc = nlp("Ada met Bo in Rome")
    doc.ents = [Span(doc, 0, 1, "PER"), Span(doc, 2, 3, "PER"), Span(doc, 4, 5, "LOC")]
    if relations is not None:
        doc._.relations = [(doc.ents[x[0]], doc.ents[x[1]], *x[2:]) for x in relations]
    assert table_rows(doc) == rows


def test_table_of_nothing(nlp):
    assert table_rows(nlp("")) == table_rows(nlp("Nothing.")) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "content", ["Ada sleeps.\n\n  Visit New Oslo!  \n", "Ada sleeps.\r\nVisit New Oslo!"]
)
@pytest.mark.parametrize("as_input", [False, True])
def test_each_line_is_a_text(pipeline, tmp_path, content, as_input):
    path = tmp_path / "texts.txt"
    path.write_bytes(content.encode("utf-8-sig"))  # with a byte-order mark
    args = ["jere", "extract", pipeline, "-" if as_input else str(path)]
    result = CliRunner().invoke(app, args, input=content if as_input else None)
    assert result.exit_code == 0, result.output
    lines = [line.strip() for line in result.output.splitlines() if line.strip()]
    assert [x for x in lines if x.endswith((".", "!"))] == ["Ada sleeps.", "Visit New Oslo!"]
    found = re.findall(r"^(Ada|New Oslo) \((\w+)\)", result.output, re.MULTILINE)
    assert found == [("Ada", "PER"), ("New Oslo", "LOC")]


def test_missing_file_is_named(pipeline, tmp_path):
    result = CliRunner().invoke(app, ["jere", "extract", pipeline, str(tmp_path / "none.txt")])
    assert result.exit_code == 1
    assert "none.txt" in result.output
