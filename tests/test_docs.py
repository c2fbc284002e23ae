"""The Python code of the documentation runs. Blocks that load a trained package are left out."""

import re
from pathlib import Path

import pytest

from spacy_jere.formats.writers import WRITERS

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCKS = [
    (page.name, code)
    for page in PAGES
    for code in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf8"), flags=re.S)
    if "spacy.load(" not in code
]


def test_there_is_code():
    formats = {f"{path.stem}.md" for path in (ROOT / "docs" / "formats").iterdir()}
    others = {"README.md", "debug_data.md", "train_on_your_own_data.md"}
    assert {name for name, _ in BLOCKS} == others | formats
    assert {f"{x.__name__.rsplit('.', 1)[-1]}.md" for x in WRITERS.values()} <= formats


@pytest.mark.parametrize("name, code", BLOCKS)
def test_runs(name, code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(code, names)
    assert names["doc"]._.relations
