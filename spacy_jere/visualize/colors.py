"""The colours of entity labels: displaCy's, or else a colour that is the same in each picture."""

import re
from typing import Any, Dict, Iterable, Mapping
from zlib import crc32

from spacy.displacy.render import DEFAULT_LABEL_COLORS
from spacy.util import registry

from ..errors import Errors

# Hues between those of displaCy
_OWN = (
    "#8fc1ff", "#f7a8d0", "#b5e26b", "#ffd05c", "#8be0b0", "#d9b38c", "#c9a6ff", "#ffa69e",
    "#7fd6f2", "#d6dd6b", "#e39bf0", "#a3b8cc", "#f5b971", "#6fd3c7", "#b9b6ff", "#e8a0a0",
)  # fmt: skip
_COLOR = re.compile(r"#[0-9a-fA-F]{3,8}|[a-zA-Z]+|(rgb|hsl|hwb|lab|lch|oklab|oklch)a?\([^;{}()]*\)")


def label_colors(labels: Iterable[str], chosen: Mapping[str, str]) -> Dict[str, str]:
    """Give each label a colour.

    chosen (Mapping[str, str]): CSS colours by label. As in displaCy, upper and lower case are the
        same, and packages can add colours with spaCy's registry `displacy_colors`.
    RETURNS (Dict[str, str]): The colours by label. Labels without a colour of their own get
        different ones, as far as there are enough.
    RAISES (ValueError): A value that isn't a CSS colour.
    """
    known = {label.upper(): color for label, color in _known_colors(chosen).items()}
    colors: Dict[str, str] = {}
    taken = set()
    for label in sorted(set(labels)):
        if label.upper() in known:
            colors[label] = known[label.upper()]
            continue
        # The label alone decides, unless another label of the picture already has that colour.
        first = crc32(label.encode("utf8"))
        places = [(first + i) % len(_OWN) for i in range(len(_OWN))]
        place = next((x for x in places if x not in taken), places[0])
        taken.add(place)
        colors[label] = _OWN[place]
    return colors


def _known_colors(chosen: Mapping[str, str]) -> Dict[str, str]:
    known: Dict[str, Any] = dict(DEFAULT_LABEL_COLORS)
    for added in registry.displacy_colors.get_all().values():
        known.update(added() if callable(added) else added)
    for label, color in chosen.items():
        if not isinstance(color, str) or not _COLOR.fullmatch(color.strip()):
            raise ValueError(Errors.E502.format(label=label, color=color))
    return {**known, **chosen}
