"""The Python code of the documentation runs and prints what it says. Blocks that load a trained package are left out.

A block ```` ```json file=name ```` is a file that the code of its page reads; a block ```` ```text ```` right after code is what
the code prints.
"""

import re
from pathlib import Path

import pytest

from spacy_jere.formats import FORMATS, WRITERS

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FILE = re.compile(r"```\w+ file=(\S+)\n(.*?)```", flags=re.S)
CODE = re.compile(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", flags=re.S)
BLOCKS = [
    pytest.param(page, code, output, id=f"{page.relative_to(ROOT)}-{number}")
    for page in PAGES
    for number, (code, output) in enumerate(CODE.findall(page.read_text(encoding="utf8")))
    if "spacy.load(" not in code
]


def test_there_is_code():
    pages = {block.values[0].relative_to(ROOT).as_posix() for block in BLOCKS}
    formats = {f"docs/formats/{path.name}" for path in (ROOT / "docs" / "formats").iterdir()}
    others = {"README.md", "docs/debug_data.md", "docs/errors.md", "docs/train_on_your_own_data.md", "docs/visualize.md"}  # fmt: skip
    assert pages == others | formats


@pytest.mark.parametrize("page, code, output", BLOCKS)
def test_runs(page, code, output, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, content in FILE.findall(page.read_text(encoding="utf8")):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(content, encoding="utf8")
    names = {}
    exec(code, names)
    assert names["doc"]._.relations
    if output:
        assert capsys.readouterr().out == output


@pytest.mark.parametrize("name", sorted({*FORMATS, *WRITERS}))
def test_every_format_has_a_page_with_an_example_in_and_out(name):
    texts = [page.read_text(encoding="utf8") for page in PAGES]
    (text,) = (text for text in texts if f"(`{name}`)" in text.split("\n")[0])
    # A reader's page has a file that goes in; each has code with what comes out.
    assert name not in FORMATS or FILE.search(text)
    assert any(output for _, output in CODE.findall(text))
    assert name not in WRITERS or re.search(r"write(_docs)?\(\[doc\], ", text)
    assert name not in WRITERS or f"--to {name}" in text or name == "spacy"
