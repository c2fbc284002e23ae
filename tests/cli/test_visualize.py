import json

import pytest
import spacy
from spacy.cli._util import app
from spacy.tokens import DocBin
from typer.testing import CliRunner

import spacy_jere.cli  # noqa: F401  (adds `jere` to spaCy's commands)


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    """A pipeline on disk that finds Ada and New Oslo."""
    nlp = spacy.blank("en")
    patterns = [{"label": "PER", "pattern": "Ada"}, {"label": "LOC", "pattern": "New Oslo"}]
    nlp.add_pipe("entity_ruler").add_patterns(patterns)
    nlp.add_pipe("no_relations")
    path = tmp_path_factory.mktemp("pipeline")
    nlp.to_disk(path)
    return path


@pytest.fixture
def write(tmp_path, annotate):
    """Write a file of texts; Docs go to a .spacy file."""

    def _write(name, content):
        path = tmp_path / name
        if name.endswith(".spacy"):
            vocab = spacy.blank("en").vocab
            docs = [annotate(vocab, *x) for x in content]
            DocBin(docs=docs, store_user_data=True).to_disk(path)
        else:
            path.write_bytes(content.encode("utf-8-sig"))
        return path

    return _write


@pytest.fixture
def run(pipeline, tmp_path):
    def _run(texts, *options):
        output = tmp_path / "new" / "out.html"
        arguments = ["jere", "visualize", str(pipeline), str(texts), str(output), *options]
        result = CliRunner().invoke(app, arguments)
        page = output.read_text(encoding="utf8") if output.is_file() else ""
        return result.exit_code, " ".join(result.output.split()), page.split("</style>")[-1]

    return _run


ANNOTATED = [
    ("Ada lives in New Oslo", [(0, 1, "PER"), (3, 5, "ORG")], [(0, 1, "LIVES_IN")]),
    ("Ada sleeps", [(0, 1, "PER")], []),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, content",
    [
        ("texts.txt", "Ada lives in New Oslo\r\n\r\n  Ada sleeps \n"),
        ("texts.jsonl", '{"text": "Ada lives in New Oslo"}\n\n{"text": "Ada sleeps", "id": 1}\n'),
        ("texts.spacy", ANNOTATED),
    ],
)
def test_each_kind_of_file(run, write, name, content):
    code, output, page = run(write(name, content))
    assert code == 0 and "2 texts" in output
    assert page.count("<svg") == 2
    assert page.count("<title>Ada: PER</title>") == 2
    assert page.count("<title>New Oslo: LOC</title>") == 1
    assert "LIVES_IN" not in page  # what is annotated is not what is found


def test_gold_is_compared(run, write):
    code, _, page = run(write("texts.spacy", ANNOTATED), "--gold")
    assert code == 0
    for said in ("Ada: PER, right", "New Oslo: LOC, spurious", "New Oslo: ORG, missed"):
        assert f"<title>{said}</title>" in page
    assert "Ada → LIVES_IN → New Oslo, missed" in page


def test_a_folder(run, write):
    code, _, page = run(write("texts.spacy", ANNOTATED).parent)
    assert code == 0 and page.count("<svg") == 2


@pytest.mark.slow
def test_style_and_limit(run, write):
    path = write("texts.spacy", ANNOTATED)
    _, _, table = run(path, "--style", "table", "--gold")
    assert "<table>" in table and "LIVES_IN" in table
    assert [run(path, "--limit", x)[2].count("<svg") for x in "012"] == [2, 1, 2]


def test_a_pipeline_with_the_component(trained, tmp_path, write):
    trained[0].to_disk(tmp_path / "model")
    path, output = write("texts.txt", "Ada lives in New Oslo ."), tmp_path / "out.html"
    arguments = ["jere", "visualize", str(tmp_path / "model"), str(path), str(output)]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert "Ada → LIVES_IN → New Oslo, score " in output.read_text(encoding="utf8")


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, content, options, said",
    [
        ("texts.csv", "Ada", [], "E350"),
        ("texts.txt", "Ada", ["--gold"], "E351"),
        ("texts.txt", "\n \n", [], "E352"),
        ("texts.spacy", [], [], "E352"),
        ("texts.spacy", [("Ada sleeps",)], ["--gold"], "E353"),
        ("texts.txt", "Ada", ["--style", "dots"], "E500"),
        ("texts.jsonl", '{"text": "Ada"}\n{"text": 1}', [], "texts.jsonl, line 2"),
        ("texts.jsonl", '{"text": "Ada"', [], "texts.jsonl, line 1"),
    ],
)
def test_errors_say_what_is_wrong(run, write, name, content, options, said):
    code, output, page = run(write(name, content), *options)
    assert code == 1 and not page
    assert said in output


@pytest.mark.parametrize("name", ["none.txt", "none.jsonl", "none.spacy"])
def test_a_missing_file_is_named(run, tmp_path, name):
    code, output, _ = run(tmp_path / name)
    assert code == 1 and name in output


def test_a_broken_file_is_named(run, tmp_path):
    (tmp_path / "broken.spacy").write_bytes(json.dumps([1]).encode())
    code, output, _ = run(tmp_path / "broken.spacy")
    assert code == 1 and "E324" in output


def test_an_unknown_model_is_named(write, tmp_path):
    arguments = [
        "jere",
        "visualize",
        "no_such_model",
        str(write("a.txt", "Ada")),
        str(tmp_path / "o.html"),
    ]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1 and "no_such_model" in result.output
