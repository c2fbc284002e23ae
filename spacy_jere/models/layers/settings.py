"""The settings of a model's parts, and their checks."""

from typing import Any, Dict

from ...errors import Errors


class Part(Dict[str, Any]):
    """Checked settings of a part of a model: what a registered function of a part returns.

    Plain values, from which the torch module is built at initialization and when it is loaded.
    """


def require_at_least(settings: Dict[str, Any], least: int, *names: str) -> None:
    """RAISES (ValueError): One of the settings is smaller."""
    for name in names:
        if settings[name] is not None and settings[name] < least:
            _fail(settings, name, f"{least} or more")


def require_rate(settings: Dict[str, Any], *names: str) -> None:
    """RAISES (ValueError): One of the settings is neither null nor a dropout rate."""
    for name in names:
        if settings[name] is not None and not 0 <= settings[name] < 1:
            _fail(settings, name, "null or from 0 to below 1")


def _fail(settings: Dict[str, Any], name: str, wanted: str) -> None:
    raise ValueError(Errors.E405.format(setting=name, wanted=wanted, value=settings[name]))
