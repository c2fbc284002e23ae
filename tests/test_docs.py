"""The documentation says what is true: its code runs, its tables are those of the code, its links
lead somewhere.

A block ```` ```json file=name ```` is a file that the code of its page reads. A block ```` ```text
```` right after code is what the code prints. The blocks of a page continue each other; those that
load a trained package are left out.
"""

import ast
import inspect
import re
from importlib.metadata import distribution
from pathlib import Path

import pytest
import typer

from spacy_jere.cli import app
from spacy_jere.export import WRITERS
from spacy_jere.formats import FORMATS
from spacy_jere.pipeline.component import JointEntityRelationExtractor  # noqa: F401  (the factory)

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
NAMES = ["README.md", "CONTRIBUTING.md", "SECURITY.md"]
PAGES = [*(ROOT / name for name in NAMES), *sorted(DOCS.rglob("*.md"))]
TEXTS = {page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf8") for page in PAGES}
FILE = re.compile(r"```\w+ file=(\S+)\n(.*?)```", flags=re.S)
CODE = re.compile(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", flags=re.S)
FENCED = re.compile(r"^ *(```+).*?^ *\1$", flags=re.M | re.S)
LINK = re.compile(r"\]\(([^)\s#]*)(?:#([^)\s]+))?\)")
# A section about a registered function: its name and its text
SECTION = re.compile(r"^#+ `(spacy-jere\.\S+)`\n(.*?)(?=^#+ |\Z)", flags=re.M | re.S)


def blocks_of(text):
    return [(code, output) for code, output in CODE.findall(text) if "spacy.load(" not in code]


WITH_CODE = [name for name, text in TEXTS.items() if name != "CONTRIBUTING.md" and blocks_of(text)]


def test_there_is_code():
    folders = {
        f"docs/{folder}/{path.name}"
        for folder in ("formats", "export", "guides")
        for path in (DOCS / folder).iterdir()
    }
    others = {"docs/index.md", "docs/component.md", "docs/training.md"}
    assert set(WITH_CODE) == others | folders


TRAINS = [name for name in WITH_CODE if "update(" in TEXTS[name]]
PARAMS = [pytest.param(x, marks=pytest.mark.slow if x in TRAINS else ()) for x in WITH_CODE]


@pytest.mark.parametrize("name", PARAMS)
def test_runs(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for file, content in FILE.findall(TEXTS[name]):
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).write_text(content, encoding="utf8")
    names = {}
    for number, (code, output) in enumerate(blocks_of(TEXTS[name]), 1):
        exec(compile(code, f"{name}, block {number}", "exec"), names)
        printed = capsys.readouterr().out
        assert not output or printed == output
    assert names["doc"]._.relations


# Tables


def rows_of(text, *header):
    """The rows of all tables whose header begins with these cells; of all tables without any."""
    rows, inside = [], False
    for line in text.split("\n"):
        cells = [x.strip() for x in re.split(r"(?<!\\)\|", line)[1:-1]]
        if not cells:
            inside = False
        elif not inside:
            inside = cells[: len(header)] == list(header)
        elif not set(line) <= set("|- "):
            rows.append(cells)
    return rows


def literal(cell):
    """The value of a default as the docs write it, in Python's or in a config's form."""
    names = {"true": True, "false": False, "null": None}
    value = cell.strip("`")
    return names[value] if value in names else ast.literal_eval(value)


def defaults_of(rows):
    """Name and default of each setting; a default that is left empty is required."""
    found = {}
    for row in rows:
        names, defaults = re.findall(r"`([^`]+)`", row[0]), row[2].split(", ") if row[2] else []
        for i, name in enumerate(names):
            found[name] = defaults[i if len(defaults) > 1 else 0] if defaults else ""
    return found


REGISTERED = {
    point.name: point
    for point in distribution("spacy-jere").entry_points
    if point.name.startswith("spacy-jere.")
}
DESCRIBED = {
    found: text for name in TEXTS for found, text in SECTION.findall(FENCED.sub("", TEXTS[name]))
}


def test_every_registered_function_has_a_section():
    assert set(DESCRIBED) == set(REGISTERED)


@pytest.mark.parametrize("name", REGISTERED)
def test_table_of_a_registered_function_has_its_settings(name):
    parameters = inspect.signature(REGISTERED[name].load()).parameters
    documented = defaults_of(rows_of(DESCRIBED[name], "setting", "type", "default"))
    assert list(documented) == list(parameters)
    for setting, default in documented.items():
        expected = parameters[setting].default
        if expected is inspect.Parameter.empty:
            assert default == "", setting
        else:
            assert literal(default) == expected, setting


def test_table_of_the_component_has_its_settings():
    from spacy.language import Language

    config = Language.get_factory_meta("joint_ner_re").default_config
    rows = rows_of(TEXTS["docs/component.md"], "setting", "type", "default")
    documented = defaults_of(rows)
    assert set(documented) == set(config)
    assert documented.pop("model").strip("`") == config["model"]["@architectures"]
    assert documented.pop("scorer").strip("`") == config["scorer"]["@scorers"]
    assert {key: literal(x) for key, x in documented.items()} == {x: config[x] for x in documented}


def test_table_of_the_component_has_its_scores():
    from spacy_jere.evaluation.scorer import DEFAULT_SCORE_WEIGHTS

    rows = rows_of(TEXTS["docs/component.md"], "name", "counts as right")
    documented = {name for row in rows for name in re.findall(r"`([^`]+)`", row[0])}
    assert documented >= set(DEFAULT_SCORE_WEIGHTS)


COMMANDS = typer.main.get_command(app).commands


@pytest.mark.parametrize("name", [x for x in COMMANDS if not COMMANDS[x].hidden])
def test_command_has_a_table_of_its_arguments(name):
    section = TEXTS["docs/commands.md"].partition(f"\n## `{name}`\n")[2].partition("\n## ")[0]
    rows = {row[0]: row[2] for row in rows_of(section, "argument", "type", "default")}
    expected = {}
    for parameter in COMMANDS[name].params:
        names = [*parameter.opts, *parameter.secondary_opts]
        is_option = parameter.param_type_name == "option"
        shown = names if is_option else [parameter.name.upper()]
        expected[", ".join(f"`{x}`" for x in shown)] = parameter.default
    assert set(rows) == set(expected)
    for key, default in expected.items():
        if isinstance(default, (str, int, float)) and not isinstance(default, bool):
            assert rows[key] == f"`{default}`", key


# Formats


def page_of(format):
    (found,) = (x for x in TEXTS.values() if f"(`{format}`)" in x.split("\n")[0])
    return found


@pytest.mark.parametrize("name", sorted({*FORMATS, *WRITERS}))
def test_every_format_has_a_page_with_an_example_in_and_out(name):
    text = page_of(name)
    # A reader's page has a file that goes in; each has code with what comes out.
    assert name not in FORMATS or FILE.search(text)
    assert any(output for _, output in CODE.findall(text))
    assert name not in WRITERS or re.search(r"write(_docs)?\(\[doc\], ", text)
    assert name not in WRITERS or f"--to {name}" in text or name == "spacy"


OPTIONS = [
    pytest.param(module.NAME, option, id=f"{module.NAME}-{kind}-{option.name}")
    for kind, modules in (("read", FORMATS), ("write", WRITERS))
    for module in modules.values()
    for option in inspect.signature(getattr(module, kind)).parameters.values()
    if option.default is not option.empty
]


@pytest.mark.parametrize("format, option", OPTIONS)
def test_option_of_a_format_stands_in_a_table(format, option):
    text = page_of(format)
    if "index.md#which-mentions-are-one-entity" in text:
        text += TEXTS["docs/export/index.md"]
    rows = [x for x in rows_of(text) if len(x) == 4 and x[0] == f"`{option.name}`"]
    assert rows
    # A default that is a function is said in words.
    assert callable(option.default) or literal(rows[0][2]) == option.default


# Links and lines


def anchors_of(text):
    headings = re.findall(r"^#+ (.*)$", FENCED.sub("", text), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", x.lower()).replace(" ", "-") for x in headings}


@pytest.mark.parametrize("name", TEXTS)
def test_links_lead_somewhere(name):
    page = ROOT / name
    lost = []
    for link, anchor in LINK.findall(FENCED.sub("", TEXTS[name])):
        if "://" in link:
            continue
        target = (page.parent / link).resolve() if link else page
        if not target.exists():
            lost.append(link)
        elif anchor and anchor not in anchors_of(target.read_text(encoding="utf8")):
            lost.append(f"{link}#{anchor}")
    assert not lost


@pytest.mark.parametrize("name", TEXTS)
def test_prose_wraps_at_100_columns(name):
    prose = FENCED.sub("", TEXTS[name]).split("\n")
    # Tables and pictures can't be wrapped.
    assert not [x for x in prose if len(x) > 100 and not x.startswith(("|", "!["))]


@pytest.mark.parametrize("name", TEXTS)
def test_names_in_configs_are_registered(name):
    configs = re.findall(r"```ini\n(.*?)```", TEXTS[name], flags=re.S)
    names = {x for config in configs for x in re.findall(r'"(spacy-jere\.[^"]+)"', config)}
    assert names <= set(REGISTERED)
