"""The attributes `doc._.relations` and `span._.relations`.

Their names are global, and other packages use them too. spaCy imports every installed plugin, in
programs too that never use this one: then nothing is registered, and nothing can clash. The
attributes are registered when somebody imports `spacy_jere` by its name, or makes the component.
"""

import sys
from types import FrameType
from typing import Any, Optional

from spacy.tokens import Doc, Span

from ..errors import Errors
from .views import get_relations, get_span_relations, refuse_span_relations, set_relations

EXTENSION = "relations"
# Who imports the plugins of a program
_LOADERS = ("importlib.metadata", "importlib_metadata")


def install_extension(name: str = EXTENSION) -> None:
    """Register `doc._.relations` and `span._.relations`. Calling it again does nothing.

    name (str): Another name for both, if another program owns `doc._.relations`.
    RAISES (ValueError): The name is taken on Docs by something else.
    """
    if _is_free(name):
        Doc.set_extension(name, getter=get_relations, setter=set_relations)
    elif not _is_ours(name):
        raise ValueError(Errors.E100.format(name=name))
    if not Span.has_extension(name):
        Span.set_extension(name, getter=get_span_relations, setter=refuse_span_relations)


def install_if_free() -> None:
    """Register the attributes, unless another program owns `doc._.relations`."""
    if _is_free(EXTENSION) or _is_ours(EXTENSION):
        install_extension()


def require_extension(name: str = EXTENSION) -> None:
    """Register the attributes under a name, for somebody who uses the component.

    RAISES (ValueError): The name is taken by something else, and no other has been registered.
    """
    others = [x for x in _registered() if _is_ours(x)]
    if name != EXTENSION or _is_free(name) or not others:
        install_extension(name)


def imported_by_name() -> bool:
    """RETURNS (bool): Whether an import that is going on was not made to load a plugin."""
    frame: Optional[FrameType] = sys._getframe()
    while frame is not None:
        if str(frame.f_globals.get("__name__")).startswith(_LOADERS):
            return False
        frame = frame.f_back
    return True


def _registered() -> Any:
    from spacy.tokens.underscore import Underscore

    return list(Underscore.doc_extensions)


def _is_free(name: str) -> bool:
    return not Doc.has_extension(name)


def _is_ours(name: str) -> bool:
    getter = Doc.get_extension(name)[2]
    same_module = getattr(getter, "__module__", "") == get_relations.__module__
    return same_module and getattr(getter, "__qualname__", "") == "get_relations"
