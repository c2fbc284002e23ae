"""Entities and relations of Docs as pictures: SVG and HTML without scripts or outside files."""

from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Union

from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import is_in_jupyter

from ..errors import Errors
from ..relations import DEFAULT_SPANS_KEY
from .colors import label_colors
from .html import STYLE, figure, legend, wrap
from .html import page as whole_page
from .picture import Picture, compared_picture, picture_of
from .report import error_report
from .svg import draw_svg
from .table import draw_table

STYLES = ("arcs", "table")
DEFAULT_OPTIONS: Dict[str, Any] = {
    "colors": {},
    "gold": None,
    "spans_key": DEFAULT_SPANS_KEY,
    "symmetric": (),
    "title": "Entities and relations",
    "width": 900,
}
LEAST_WIDTH = 320


def render(
    docs: Union[Doc, Iterable[Doc]],
    style: str = "arcs",
    page: bool = False,
    jupyter: Optional[bool] = None,
    options: Optional[Mapping[str, Any]] = None,
) -> Any:
    """Draw the entities and relations of Docs.

    docs (Union[Doc, Iterable[Doc]]): Drawn with doc.ents, the spans under `spans_key` and
        doc._.relations.
    style (str): "arcs", or "table" for the relations only.
    page (bool): Make a whole HTML page.
    jupyter (Optional[bool]): Show the picture in a notebook; None does so if one is running.
    options (Optional[Mapping[str, Any]]):
        colors: CSS colours by entity label.
        gold: a reference Doc or Example for each Doc, to compare with.
        symmetric: relation labels whose ends may be swapped in the comparison.
        spans_key: the key of doc.spans with overlapping entities.
        width: the greatest width in pixels.
        title: the title of the page.
    RETURNS (Any): HTML as a string; in a notebook the result of IPython's `display`.
    RAISES (ValueError): An unknown style or option, or another number of references than of Docs.
    """
    settings = _settings(options)
    if style not in STYLES:
        raise ValueError(Errors.E500.format(style=style, known=", ".join(STYLES)))
    pictures = _pictures([docs] if isinstance(docs, Doc) else list(docs), settings)
    content = wrap(_arcs(pictures, settings) if style == "arcs" else [draw_table(pictures)])
    if page:
        lang = pictures[0].doc.lang_ if pictures else ""
        content = whole_page(content, str(settings["title"]), lang or "en")
    if jupyter or (jupyter is None and is_in_jupyter()):
        from IPython.display import HTML, display

        # The class keeps notebooks from reading dollar signs as formulas.
        return display(HTML(f'<div class="tex2jax_ignore">{content}</div>'))
    return content


def to_svg(doc: Doc, options: Optional[Mapping[str, Any]] = None) -> str:
    """Draw one Doc as an SVG file of its own, in the style "arcs".

    options (Optional[Mapping[str, Any]]): As for `render`; `gold` is a list of one.
    RETURNS (str): The text of the file.
    """
    settings = _settings(options)
    (picture,) = _pictures([doc], settings)
    colors = label_colors((x.label for x in picture.marks), settings["colors"])
    return draw_svg(picture, colors, settings["width"], STYLE) + "\n"


def _settings(options: Optional[Mapping[str, Any]]) -> Dict[str, Any]:
    unknown = set(options or {}) - set(DEFAULT_OPTIONS)
    if unknown:
        known = ", ".join(DEFAULT_OPTIONS)
        raise ValueError(Errors.E501.format(option=sorted(unknown)[0], known=known))
    settings = {**DEFAULT_OPTIONS, **(options or {})}
    settings["width"] = max(LEAST_WIDTH, float(settings["width"]))
    return settings


def _pictures(docs: Sequence[Doc], settings: Mapping[str, Any]) -> List[Picture]:
    gold: Optional[List[Union[Doc, Example]]] = settings["gold"]
    key, symmetric = settings["spans_key"], tuple(settings["symmetric"])
    if gold is None:
        return [picture_of(doc, key) for doc in docs]
    if len(gold) != len(docs):
        raise ValueError(Errors.E503.format(n_gold=len(gold), n_docs=len(docs)))
    return [compared_picture(doc, x, symmetric, key) for doc, x in zip(docs, gold)]


def _arcs(pictures: Sequence[Picture], settings: Mapping[str, Any]) -> List[str]:
    colors = label_colors((x.label for p in pictures for x in p.marks), settings["colors"])
    drawn = [figure(x, draw_svg(x, colors, settings["width"])) for x in pictures]
    return ([legend()] if settings["gold"] is not None else []) + drawn


__all__ = ["error_report", "render", "to_svg"]
