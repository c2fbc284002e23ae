"""Pictures in a browser, if there is one: texts fit their frames, and keys reach every relation."""

import json
import re
import shutil
import subprocess

import pytest
import spacy
from spacy.tokens import Span

from spacy_jere.visualize import render

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed")
TEXTS = {
    "en": ("Ada Byrne, formerly of New Oslo & Sons, ran the Wimbledon mill in Ghent.",
           [(0, 2, "PERSON"), (5, 9, "ORG"), (12, 14, "FAC"), (15, 16, "GPE")]),
    "ar": ("ولد محمد علي في القاهرة وعمل في شركة Microsoft مع أخته",
           [(1, 3, "PERSON"), (4, 5, "GPE"), (8, 9, "ORG")]),
    "he": ("דוד בן גוריון נולד בפולין בשנת 1906 .",
           [(0, 3, "PERSON"), (4, 5, "GPE"), (6, 7, "DATE")]),
    "xx": ("山田太郎 は 東京 の 👩‍👩‍👧 café naïve 🇳🇴",
           [(0, 1, "PERSON"), (2, 3, "GPE"), (4, 5, "OTHER")]),
}  # fmt: skip
MEASURE = """<script>
const near = 1.5, wrong = [], reached = [];
const inside = (a, b) => a.x >= b.x - near && a.x + a.width <= b.x + b.width + near
  && a.y >= b.y - near && a.y + a.height <= b.y + b.height + near;
let count = 0;
for (const svg of document.querySelectorAll("svg.jere-arcs")) {
  const view = svg.viewBox.baseVal;
  for (const text of svg.querySelectorAll("text")) {
    const box = text.getBBox();
    count += 1;
    if (!inside(box, view)) wrong.push("outside: " + text.textContent);
    if (text.classList.contains("word") && text.textLength.baseVal.value + near < box.width)
      wrong.push("too wide: " + text.textContent);
  }
  for (const entity of svg.querySelectorAll(".jere-entity")) {
    const frames = [...entity.querySelectorAll(".card")].map(x => x.getBBox());
    for (const tag of entity.querySelectorAll(".tag"))
      if (!frames.some(x => inside(tag.getBBox(), x))) wrong.push("tag: " + tag.textContent);
  }
  for (const label of svg.querySelectorAll(".label"))
    if (!inside(label.getBBox(), label.previousElementSibling.getBBox()))
      wrong.push("label: " + label.textContent);
  for (const thing of svg.querySelectorAll("[tabindex]")) {
    thing.focus();
    reached.push(document.activeElement === thing);
  }
}
const back = getComputedStyle(document.querySelector(".jere")).backgroundColor;
const missing = performance.getEntriesByType("resource").length;
document.body.dataset.found = JSON.stringify({count, wrong, reached, back, missing});
</script>"""


def make_doc(lang):
    text, entities = TEXTS[lang]
    nlp = spacy.blank(lang)
    doc = nlp(text)
    doc.ents = [Span(doc, *entity) for entity in entities]
    ends = doc.ents
    doc._.relations = [(ends[0], x, "A_RELATION", 0.5) for x in ends[1:]] + [
        (ends[1], ends[0], "R")
    ]
    return doc


def look(page, folder, *options):
    """What the script found in the page."""
    path = folder / "page.html"
    path.write_text(page.replace("</body>", MEASURE + "</body>"), encoding="utf8")
    command = [
        BROWSER,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={folder}/profile",
    ]
    run = subprocess.run(
        [*command, *options, "--dump-dom", path.as_uri()], capture_output=True, timeout=120
    )
    found = re.search(r'data-found="([^"]*)"', run.stdout.decode("utf8"))
    if found is None:
        pytest.skip(f"Chromium does not run here: {run.stderr.decode('utf8')[-300:]}")
    return json.loads(found[1].replace("&quot;", '"').replace("&amp;", "&").replace("&lt;", "<"))


@pytest.mark.parametrize("width, dark", [(900, False), (340, True)])
def test_texts_fit_and_keys_reach(tmp_path, width, dark):
    page = render([make_doc(x) for x in TEXTS], page=True, jupyter=False, options={"width": width})
    found = look(page, tmp_path, *(["--blink-settings=preferredColorScheme=0"] if dark else []))
    assert found["wrong"] == []
    assert found["count"] > 50
    assert len(found["reached"]) > 20 and all(found["reached"])
    assert found["back"] == ("rgb(21, 24, 29)" if dark else "rgb(255, 255, 255)")
    assert found["missing"] == 0  # nothing was loaded
