"""Checks of the settings of an architecture."""

from typing import Any, Collection, Dict

from ...errors import Errors

Settings = Dict[str, Any]


def require_choice(settings: Settings, name: str, choices: Collection[str]) -> None:
    """RAISES (ValueError): The setting is none of the choices."""
    if settings[name] not in choices:
        raise ValueError(
            Errors.E404.format(setting=name, value=settings[name], known=list(choices))
        )


def require_at_least(settings: Settings, least: int, *names: str) -> None:
    """RAISES (ValueError): One of the settings is smaller."""
    for name in names:
        if settings[name] is not None and settings[name] < least:
            _fail(settings, name, f"{least} or more")


def require_rate(settings: Settings, *names: str) -> None:
    """RAISES (ValueError): One of the settings is neither null nor a dropout rate."""
    for name in names:
        if settings[name] is not None and not 0 <= settings[name] < 1:
            _fail(settings, name, "null or from 0 to below 1")


def _fail(settings: Settings, name: str, wanted: str) -> None:
    raise ValueError(Errors.E405.format(setting=name, wanted=wanted, value=settings[name]))
