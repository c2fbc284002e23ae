import json

import networkx
import pytest
import rdflib
import spacy
from spacy.cli._util import app
from spacy.tokens import Doc, DocBin, Span
from spacy.vocab import Vocab
from typer.testing import CliRunner

import spacy_jere.cli  # noqa: F401  (adds `jere` to spaCy's commands)
from spacy_jere.cli.export import export
from spacy_jere.export import WRITERS


@pytest.fixture
def save(tmp_path):
    """Save Docs "HEAD met TAIL", or ones without relation annotation for None."""

    def _save(name, *pairs, store=True):
        docs = []
        for pair in pairs:
            doc = Doc(Vocab(), words=[pair[0], "met", pair[1]] if pair else ["Ada"])
            if pair:
                doc._.relations = [(Span(doc, 0, 1, "PER"), Span(doc, 2, 3, "PER"), "MET")]
            docs.append(doc)
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        DocBin(docs=docs, store_user_data=store).to_disk(path)
        return path

    return _save


def run(*args):
    result = CliRunner().invoke(app, ["jere", "export", *map(str, args)])
    return result.exit_code, " ".join(result.output.split())


def triples(path):
    lines = path.read_text(encoding="utf8").splitlines()
    return [(x["document"], x["head"]["text"], x["tail"]["text"]) for x in map(json.loads, lines)]


def test_relations_of_a_file_are_exported(save, tmp_path):
    path = save("a.spacy", ("Ada", "Bo"), None, ("Bo", "Cy"))
    code, output = run(path, tmp_path / "new" / "out.jsonl")
    assert (code, "2 relations of 3 documents" in output) == (0, True)
    assert triples(tmp_path / "new" / "out.jsonl") == [("0", "Ada", "Bo"), ("2", "Bo", "Cy")]


def test_many_files_and_folders_are_read_in_order(save, tmp_path):
    save("folder/b.spacy", ("Bo", "Cy"))
    folder = save("folder/a.spacy", ("Ada", "Bo")).parent
    last = save("last.spacy", ("Cy", "Dee"))
    assert run(folder, last, tmp_path / "out.jsonl")[0] == 0
    assert triples(tmp_path / "out.jsonl") == [
        ("0", "Ada", "Bo"),
        ("1", "Bo", "Cy"),
        ("2", "Cy", "Dee"),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", WRITERS)
def test_every_format_can_be_named(save, tmp_path, name):
    path = save("a.spacy", ("Ada", "Bo"))
    assert run(path, tmp_path / "out", "--to", name)[0] == 0
    assert export([path], tmp_path / "out2", to=name) == {"documents": 1, "relations": 1}


def test_suffix_names_the_format(save, tmp_path):
    path = save("a.spacy", ("Ada", "Bo"))
    assert run(path, tmp_path / "out.graphml")[0] == 0
    assert len(networkx.read_graphml(tmp_path / "out.graphml")) == 2


def test_options_reach_the_writer(save, tmp_path):
    path = save("a.spacy", ("Ada", "Bo"))
    assert run(path, tmp_path / "out.ttl", "--set", "base=urn:x:")[0] == 0
    graph = rdflib.Graph().parse(tmp_path / "out.ttl")
    assert (rdflib.URIRef("urn:x:entity/PER/Ada"), None, None) in graph


@pytest.mark.slow
@pytest.mark.parametrize(
    "args, code",
    [
        (["{a}", "{out}.xyz"], "E322"),
        (["{a}", "{out}.csv", "--to", "xml"], "E302"),
        (["{a}", "{out}.csv", "--set", "base=urn:x:"], "E318"),
        (["{a}", "{out}.ttl", "--set", "base=here"], "E321"),
        (["{a}", "{out}.ttl", "--set", "lone_entities=maybe"], "E314"),
        (["{a}", "{out}.parquet", "--set", "batch_size=many"], "E327"),
        (["{a}", "{out}.parquet", "--set", "batch_size=0"], "E327"),
        (["{none}", "{out}.csv"], "E324"),
        (["{a}", "{none}", "{out}.csv"], "E324"),
        (["{empty}", "{out}.csv"], "E324"),
        (["{broken}", "{out}.csv"], "E324"),
        (["{a}", "{broken}", "{out}.csv"], "E324"),
        (["{unrelated}", "{out}.csv"], "E323"),
        (["{dropped}", "{out}.csv"], "E323"),
        (["{no_docs}", "{out}.csv"], "E323"),
    ],
)
def test_faults_are_named_and_leave_no_file(save, tmp_path, args, code):
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.spacy").write_bytes(b"no DocBin")
    places = {
        "a": save("a.spacy", ("Ada", "Bo")),
        "unrelated": save("unrelated.spacy", None, None),
        "dropped": save("dropped.spacy", ("Ada", "Bo"), store=False),
        "no_docs": save("no_docs.spacy"),
        "none": tmp_path / "none.spacy",
        "empty": tmp_path / "empty",
        "broken": tmp_path / "broken.spacy",
        "out": tmp_path / "out",
    }
    exit_code, output = run(*(x.format(**places) for x in args))
    assert exit_code == 1
    assert code in output
    assert not [x for x in tmp_path.iterdir() if "out" in x.name]


def test_documents_keep_their_ids(save, tmp_path):
    doc = next(DocBin().from_disk(save("a.spacy", ("Ada", "Bo"))).get_docs(spacy.blank("en").vocab))
    doc.user_data["id"] = "page 7"
    DocBin(docs=[doc], store_user_data=True).to_disk(tmp_path / "a.spacy")
    export([tmp_path / "a.spacy"], tmp_path / "out.jsonl")
    assert triples(tmp_path / "out.jsonl") == [("page 7", "Ada", "Bo")]
