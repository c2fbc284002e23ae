import re

import pytest
import spacy
from spacy.cli._util import app
from spacy.tokens import DocBin
from typer.testing import CliRunner

from spacy_jere.cli.error_analysis import find_errors
from spacy_jere.cli.evaluate import evaluate
from spacy_jere.evaluation.error_analysis import totals

# Another truth than the one the pipeline has learned: it makes errors of several kinds.
CHANGED = [
    ("Ada lives in New Oslo .", [(0, 1, "PER"), (4, 5, "LOC")], [(0, 1, "LIVES_IN")]),
    ("Rome is the home of Bo .", [(0, 1, "LOC"), (5, 6, "PER")], [(0, 1, "LIVES_IN")]),
    ("Cy works for Acme in Rome .", [(0, 1, "PER"), (3, 4, "LOC"), (5, 6, "LOC")], [(0, 1, "MET")]),
    ("Dee met Bo at Acme .", [(0, 1, "PER"), (2, 3, "PER"), (4, 5, "ORG")], [(0, 1, "MET")]),
    ("Nothing happens here .", [(0, 1, "PER"), (2, 3, "LOC")], [(0, 1, "LIVES_IN")]),
]  # fmt: skip


@pytest.fixture
def model(trained, tmp_path):
    trained[0].to_disk(tmp_path / "model")
    return str(tmp_path / "model")


@pytest.fixture
def data(annotate, tmp_path):
    docs = [annotate(spacy.blank("en").vocab, *x) for x in CHANGED]
    DocBin(docs=docs, store_user_data=True).to_disk(tmp_path / "data.spacy")
    return tmp_path / "data.spacy"


def run(*arguments, command="error-analysis"):
    result = CliRunner().invoke(app, ["jere", command, *map(str, arguments)])
    return result.exit_code, result.output


@pytest.mark.slow
def test_totals_are_those_of_evaluate(model, data, tmp_path):
    scores = evaluate(model, data)
    analysis = find_errors(model, data)
    for prefix, matches in (("ents", analysis.entities()), ("rels", analysis.relations())):
        total = totals(matches).to_dict()
        assert 0 < total["f"] < 1
        assert total == {key: pytest.approx(scores[f"{prefix}_{key}"]) for key in "prf"}
    code, output = run(model, data, tmp_path / "out.html")
    assert code == 0
    for name, prefix in (("Entities", "ents"), ("Relations", "rels")):
        row = next(line for line in output.splitlines() if line.startswith(name)).split()
        assert row[-3:] == [f"{100 * scores[f'{prefix}_{key}']:.2f}" for key in "prf"]


@pytest.mark.slow
def test_prints_and_writes_every_kind(model, data, tmp_path):
    output = tmp_path / "new" / "out.html"
    code, printed = run(model, data, output, "--limit", "1")
    assert code == 0, printed
    for part in ("boundary", "wrong direction", "entity missed", "LIVES_IN", "Results", "5 texts"):
        assert part in printed
    assert "LOC found as ORG: 1" in printed
    page = output.read_text(encoding="utf8")
    assert "Entities: boundary (1)" in page and "Relations: wrong direction (1)" in page
    assert re.search(r"<title>Errors of .*model on data.spacy</title>", page)


@pytest.mark.slow
def test_old_name_is_a_hidden_alias(model, data, tmp_path):
    code, _ = run(model, data, tmp_path / "out.html")
    old_code, _ = run(model, data, tmp_path / "old.html", command="errors")
    assert code == old_code == 0
    assert (tmp_path / "old.html").read_text() == (tmp_path / "out.html").read_text()
    listed = CliRunner().invoke(app, ["jere", "--help"]).output
    assert re.search(r"^\W*error-analysis\s", listed, re.MULTILINE)
    assert not re.search(r"^\W*errors\s", listed, re.MULTILINE)


def test_errors_say_what_is_wrong(model, tmp_path, annotate):
    assert "E324" in run(model, tmp_path / "none.spacy", tmp_path / "o.html")[1]
    vocab = spacy.blank("en").vocab
    DocBin(docs=[annotate(vocab, "Ada sleeps")]).to_disk(tmp_path / "bare.spacy")
    code, output = run(model, tmp_path / "bare.spacy", tmp_path / "o.html")
    assert code == 1 and "E353" in output and not (tmp_path / "o.html").exists()


@pytest.mark.slow
def test_a_pipeline_with_relations_from_another_component(data, tmp_path):
    nlp = spacy.blank("en")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "PER", "pattern": "Ada"}])
    nlp.add_pipe("no_relations")
    nlp.to_disk(tmp_path / "ruler")
    code, output = run(tmp_path / "ruler", data, tmp_path / "out.html")
    assert code == 0 and "entity missed" in output
