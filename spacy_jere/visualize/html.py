"""The HTML around pictures: styles for light and dark, the legend of a comparison, the page."""

import html
import unicodedata
from typing import List, Sequence

from .picture import SYMBOLS, Picture, is_rtl, shown_text

MEANINGS = {
    "right": "right",
    "missed": "missed: in the gold annotation only",
    "spurious": "spurious: found only",
}
_LIGHT = (
    "--bg:#fff;--ink:#16202c;--soft:#5b6776;--rule:#d8dee6;--arc:#50617a;--tint:62%;"
    "--focus:#0b62d6;--plain:#c3cad3;"
    "--right:#3f9e77;--missed:#d98300;--spurious:#c0408f;"
)
_DARK = (
    "--bg:#15181d;--ink:#e8ecf1;--soft:#a3adba;--rule:#343b45;--arc:#9db2cf;--tint:36%;"
    "--focus:#7db4ff;--plain:#5b6572;"
    "--right:#52c799;--missed:#f2a93b;--spurious:#ec7fc0;"
)
_TINTS = "color-mix(in srgb,var(--c) var(--tint),var(--bg))"
_EDGES = "color-mix(in srgb,var(--c) 80%,var(--ink))"
STYLE = f"""
.jere{{{_LIGHT}color-scheme:light dark}}
@media (prefers-color-scheme:dark){{.jere{{{_DARK}}}}}
body[data-jp-theme-light="true"] .jere{{{_LIGHT}}}
body[data-jp-theme-light="false"] .jere{{{_DARK}}}
.jere,.jere text{{font-family:"Helvetica Neue",Helvetica,Arial,"Liberation Sans",sans-serif}}
.jere{{background:var(--bg);color:var(--ink)}}
.jere figure{{margin:0 0 1rem;overflow-x:auto}}
.jere svg{{display:block}}
.jere-ground{{fill:var(--bg)}}
.jere .word,.jere .tag,.jere .label{{fill:var(--ink)}}
.jere .word{{font-size:16px;pointer-events:none}}
.jere .tag{{font-size:11px;font-weight:700}}
.jere .label{{font-size:12px}}
.jere .card{{fill:var(--c)}}
.jere .edge{{fill:none;stroke:var(--c);stroke-width:1.3}}
@supports (color:color-mix(in srgb,red,blue)){{
.jere .card{{fill:{_TINTS}}}.jere .edge{{stroke:{_EDGES}}}}}
.jere .line{{fill:none;stroke:var(--c);stroke-width:1.4}}
.jere .touch{{fill:none;stroke:transparent;stroke-width:11}}
.jere .head,.jere .foot,.jere .more{{fill:var(--c)}}
.jere .plate{{fill:var(--bg)}}
.jere-entity{{--c:var(--plain)}}
.jere-relation{{--c:var(--arc)}}
.jere .right{{--c:var(--right)}}
.jere .missed{{--c:var(--missed)}}
.jere .spurious{{--c:var(--spurious)}}
.jere .missed .edge,.jere .missed .line{{stroke-dasharray:7 4;stroke-width:1.8}}
.jere .spurious .edge,.jere .spurious .line{{
stroke-dasharray:1.5 3.5;stroke-width:2.2;stroke-linecap:round}}
.jere .right .card,.jere .missed .card,.jere .spurious .card{{--tint:22%}}
.jere g[tabindex]:hover .line,.jere g[tabindex]:focus .line,
.jere g[tabindex]:hover .edge,.jere g[tabindex]:focus .edge{{stroke-width:3}}
.jere g[tabindex]:hover .label,.jere g[tabindex]:focus .label{{font-weight:700}}
.jere g[tabindex]:focus{{outline:none}}
.jere g[tabindex]:focus-visible{{outline:2px solid var(--focus);outline-offset:2px}}
.jere table{{
border-collapse:collapse;margin:0 0 1rem;font-size:14px;text-align:start;color:var(--ink)}}
.jere caption{{text-align:start;color:var(--soft);padding:4px 12px}}
.jere th,.jere td{{padding:6px 12px;border-bottom:1px solid var(--rule);
text-align:start;vertical-align:top;background:none}}
.jere thead th{{color:var(--soft);font-weight:700}}
.jere .number{{text-align:right;font-variant-numeric:tabular-nums}}
.jere .kind{{color:var(--soft);font-size:11px;font-weight:700}}
.jere .note,.jere .legend{{color:var(--soft);font-size:13px;margin:4px 12px}}
.jere h1{{font-size:26px}}.jere h2{{font-size:21px;margin-top:2rem}}
.jere h3{{font-size:16px;margin:1.8rem 0 0}}
.jere tbody th{{font-weight:400}}.jere nav{{font-size:14px}}.jere a{{color:var(--focus)}}
.jere h3 ~ figure{{border-bottom:1px solid var(--rule)}}
.jere .legend span{{display:inline-block;margin-inline-end:18px;white-space:nowrap}}
.jere .legend svg{{display:inline-block;vertical-align:middle;margin-inline-end:6px}}
""".strip()
_PAGE_STYLE = """
html{background:#fff}@media (prefers-color-scheme:dark){html{background:#15181d}}
body{margin:0;padding:16px}main{max-width:1100px;margin:0 auto}
""".strip()


def wrap(parts: Sequence[str]) -> str:
    """RETURNS (str): Parts with their styles, to be put anywhere in a page."""
    return "\n".join(['<div class="jere">', f"<style>{STYLE}</style>", *parts, "</div>"])


def page(content: str, title: str, lang: str) -> str:
    """RETURNS (str): A whole HTML page."""
    return f"""<!DOCTYPE html>
<html lang="{escape(lang)}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{_PAGE_STYLE}</style>
</head>
<body>
<main>
{content}
</main>
</body>
</html>
"""


def figure(picture: Picture, svg: str) -> str:
    """RETURNS (str): A picture with the language and direction of its text."""
    direction = "rtl" if picture.rtl else "ltr"
    inside = svg if picture.text.strip() else '<p class="note">Empty text</p>'
    return f'<figure{lang_of(picture)} dir="{direction}">\n{inside}\n</figure>'


def lang_of(picture: Picture) -> str:
    """RETURNS (str): The attribute for the language; empty if it is unknown."""
    lang = picture.doc.lang_
    return f' lang="{escape(lang)}"' if lang and lang != "xx" else ""


def legend() -> str:
    """RETURNS (str): The legend of the lines and signs of a comparison."""
    items: List[str] = []
    for status, meaning in MEANINGS.items():
        items.append(
            f'<span class="{status}"><svg width="34" height="10" aria-hidden="true">'
            f'<path class="line" d="M2 5H32"/></svg>{SYMBOLS[status]} {meaning}</span>'
        )
    return f'<p class="legend">{"".join(items)}</p>'


def direction_of(text: str) -> str:
    """RETURNS (str): The attribute for the direction of a text."""
    return f' dir="{"rtl" if is_rtl(text) else "ltr"}"'


def escape(text: str) -> str:
    """RETURNS (str): The text with markup escaped, and characters replaced that XML forbids or that
    turn the direction of what follows."""
    return html.escape("".join(_allowed(char) for char in shown_text(text)))


def _allowed(char: str) -> str:
    forbidden = unicodedata.category(char) in ("Cc", "Cs") or char in "\ufffe\uffff"
    return "\ufffd" if forbidden and char not in "\t\n\r" else char
