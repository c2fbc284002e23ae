import re

import pytest
from spacy.cli._util import app
from spacy.tokens import Doc, DocBin, Span
from spacy.vocab import Vocab
from typer.testing import CliRunner

import spacy_jere.cli  # noqa: F401  (adds `jere` to spaCy's commands)
from spacy_jere.cli.debug_data import config_settings, debug_data

CONFIG = """
[paths]
train = {train}
dev = null

[components]

[components.other]
factory = "sentencizer"

[components.relations]
factory = "joint_ner_re"
window = "doc"
spans_key = "mine"
schema = {schema}

[components.relations.model]
@architectures = "a.Model.v1"

[components.relations.model.spans]
{model}
"""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """The paths of train.spacy and dev.spacy."""
    folder, vocab = tmp_path_factory.mktemp("corpus"), Vocab()
    for name, entity in (("train", "PER"), ("dev", "PERSON")):
        doc = Doc(vocab, words=["Ada", "Byron", "met", "Bo"])
        doc.ents = [Span(doc, 0, 2, entity), Span(doc, 3, 4, entity)]
        doc._.relations = [(*doc.ents, "MET")]
        DocBin(docs=[doc] * 1200, store_user_data=True).to_disk(folder / f"{name}.spacy")
    return folder / "train.spacy", folder / "dev.spacy"


@pytest.fixture
def config(tmp_path, corpus):
    def _config(train=None, schema="null", model="", factory="joint_ner_re"):
        path = tmp_path / "config.cfg"
        train = "null" if train is None else f'"{train}"'
        text = CONFIG.format(train=train, schema=schema, model=model)
        path.write_text(text.replace("joint_ner_re", factory), encoding="utf8")
        return path

    return _config


def run(*args):
    result = CliRunner().invoke(app, ["jere", "debug-data", *map(str, args)])
    return result.exit_code, " ".join(result.output.split())


@pytest.mark.slow
def test_all_is_printed(corpus):
    code, output = run("--train", corpus[0], "--dev", corpus[1])
    assert code == 0
    assert re.search(r"documents 1,200 1,200", output)
    assert re.search(r"MET 1,200 1,200", output)
    assert re.search(r"PER PER 2,400 50\.0 MET 1,200", output)
    for text in ("1.5 tokens in the mean, 2 at most", "1,199 of 1,200", "'PER' is missing in dev"):
        assert text in output
    assert 'window = "doc"' in output and "max_span_width = 2" in output
    assert '[components.joint_ner_re.schema.MET] head = ["PER"] tail = ["PER"]' in output


@pytest.mark.slow
def test_train_alone_is_enough(corpus):
    code, output = run("-t", corpus[0])
    assert (code, "dev" in output) == (0, False)


@pytest.mark.slow
@pytest.mark.parametrize("option, found", [([], False), (["-w", "1"], True), (["-w", "2"], False)])
def test_width_is_an_option(corpus, option, found):
    assert ("more than" in run("--train", corpus[0], *option)[1]) is found


@pytest.mark.slow
def test_config_names_paths_and_settings(config, corpus):
    path = config(corpus[0], model="max_span_width = 1")
    wanted = {
        "window": "doc",
        "spans_key": "mine",
        "schema": None,
        "max_span_width": 1,
        "train": corpus[0],
    }
    assert config_settings(path) == wanted
    code, output = run(path)
    assert (code, "more than 1 tokens" in output) == (0, True)
    assert "more than" not in run(path, "-w", "2")[1]


@pytest.mark.slow
def test_options_go_before_the_config(config, corpus):
    assert "PERSON" in run(config(corpus[0]), "--train", corpus[1])[1]


@pytest.mark.slow
def test_settings_of_the_config_can_be_changed(config, corpus):
    path = config(model="max_span_width = 2")
    model = "--components.relations.model.spans.max_span_width"
    code, output = run(path, "--paths.train", corpus[1], f"{model}=1")
    assert code == 0
    assert "PERSON" in output and "more than 1 tokens" in output
    assert "PERSON" in run(path, "--paths.train", corpus[0], "--train", corpus[1])[1]


@pytest.mark.parametrize("args", [["--verbos"], ["--train", "{train}", "--paths.train=x"]])
def test_unknown_options_and_settings_without_a_config_are_refused(corpus, args):
    code, output = run(*(x.format(train=corpus[0]) for x in args))
    assert code == 2 and args[-1] in output


@pytest.mark.slow
def test_texts_that_occur_twice_are_listed(corpus):
    listed = "1,200 Ada Byron met Bo"
    code, output = run("-t", corpus[0], "-d", corpus[1], "--verbose")
    assert (code, output.count(listed)) == (0, 3)  # in train, in dev, in both
    assert listed not in run("-t", corpus[0], "-d", corpus[1])[1]
    data = debug_data(*corpus)
    assert (
        data["leaked_texts"]
        == data["splits"]["dev"]["repeated_texts"]
        == {"Ada Byron met Bo": 1200}
    )


@pytest.mark.slow
def test_output_may_be_plain(corpus):
    output = run("-t", corpus[0], "--no-format")[1]
    assert "documents 1,200" in output and "\x1b" not in output and "✔" not in output


def test_models_without_limit_take_any_width(config, corpus):
    assert config_settings(config(corpus[0]))["max_span_width"] == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "schema, code", [("null", 0), ('"learn"', 0), ('{"MET": {}}', 0), ('{"LOVES": {}}', 1)]
)
def test_exit_code_says_whether_training_would_stop(config, corpus, schema, code):
    exit_code, output = run(config(corpus[0], schema))
    assert exit_code == code
    assert ("'LOVES'" in output) is (code == 1)


@pytest.mark.parametrize(
    "args, code",
    [
        ([], "E330"),
        (["{plain}"], "E330"),
        (["{other}", "--train", "{train}"], "E331"),
        (["--train", "{none}"], "E324"),
        (["--train", "{train}", "--dev", "{none}"], "E324"),
        (["{wrong}", "--train", "{train}"], "E110"),
        (["{plain}", "--train", "{train}", "--nowhere.train=x"], "nowhere"),
    ],
)
def test_faults_are_named(config, corpus, tmp_path, args, code):
    places = {"train": corpus[0], "none": tmp_path / "none.spacy"}
    for name, options in {
        "plain": {},
        "other": {"factory": "ner"},
        "wrong": {"schema": "7"},
    }.items():
        places[name] = config(**options).rename(tmp_path / f"{name}.cfg")
    exit_code, output = run(*(x.format(**places) for x in args))
    assert (exit_code, code in output) == (1, True)


@pytest.mark.slow
def test_function_gives_plain_data(corpus):
    data = debug_data(*corpus, max_span_width=1)
    assert data["splits"]["dev"]["entities"] == {"PERSON": 2400}
