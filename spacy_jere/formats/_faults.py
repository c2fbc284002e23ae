"""Faults of files: errors that name file and line, and how those of many records are collected.

A reader meets a fault in one record and raises `SourceError`, or calls `report` and goes on. Which
of the two ends the reading is decided in one place: outside of `collect_faults` a reported fault
is raised at once, inside of it all faults are collected.
"""

from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Iterator, List, NamedTuple, NoReturn, Optional, Sequence, Tuple

from ..errors import Errors

# What to do with faulty records: stop and list them, or leave them out and list them
ON_ERROR = ("stop", "skip")
# How many faults are listed in one message
LISTED = 20
_SHOWN = 60
_collected: ContextVar[Optional[List["SourceError"]]] = ContextVar("faults", default=None)


class SourceError(ValueError):
    """A file that can't be read or written. The message says where the fault is and what to do."""


class OptionError(SourceError):
    """A wrong option: no fault of the files."""


class Place(NamedTuple):
    """A line of a file."""

    path: Path
    line: int

    def __str__(self) -> str:
        return f"{self.path}, line {self.line}"

    def fault(self, reason: str) -> SourceError:
        """RETURNS (SourceError): The fault, for `report`."""
        return SourceError(Errors.E301.format(path=self.path, line=self.line, reason=reason))

    def fail(self, reason: str) -> NoReturn:
        """RAISES (SourceError): Always."""
        raise self.fault(reason)


def report(fault: SourceError) -> None:
    """Say that a record has a fault and is left out.

    RAISES (SourceError): The fault, where faults are not collected.
    """
    faults = _collected.get()
    if faults is None:
        raise fault
    faults.append(fault)


@contextmanager
def collect_faults() -> Iterator[List[SourceError]]:
    """Collect the faults that are reported.

    RETURNS (Iterator[List[SourceError]]): The list, which grows.
    """
    faults: List[SourceError] = []
    token = _collected.set(faults)
    try:
        yield faults
    finally:
        _collected.reset(token)


def as_one(faults: Sequence[SourceError], listed: Optional[int] = LISTED) -> SourceError:
    """Join faults to one error.

    listed (Optional[int]): How many of them the message shows; None for all.
    RETURNS (SourceError): The fault itself if it is the only one.
    """
    if len(faults) == 1:
        return faults[0]
    lines = "\n".join(list_faults(faults, listed))
    return SourceError(Errors.E360.format(n=f"{len(faults):,}", faults=lines))


def raise_faults(faults: Sequence[SourceError], listed: Optional[int] = LISTED) -> None:
    """RAISES (SourceError): There are faults. It lists them, as in `as_one`."""
    if faults:
        raise as_one(faults, listed)


def list_faults(faults: Sequence[SourceError], listed: Optional[int] = LISTED) -> List[str]:
    """RETURNS (List[str]): The first faults, a line each, and how many more there are."""
    lines = [f"  {fault}" for fault in faults[:listed]]
    if len(faults) > len(lines):
        lines.append(f"  and {len(faults) - len(lines):,} more")
    return lines


def check_choice(option: str, value: object, known: Sequence[str]) -> None:
    """RAISES (OptionError): The value is none of those that the option has."""
    if value not in known:
        error = Errors.E314.format(option=option, known=", ".join(known), value=value)
        raise OptionError(error)


def shorten(text: str, limit: int = _SHOWN) -> str:
    """RETURNS (str): The beginning of a text, for messages."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def difference(found: str, expected: str) -> Tuple[str, str]:
    """RETURNS (Tuple[str, str]): Two texts, for messages: the parts where they begin to differ."""
    same = next((i for i, (x, y) in enumerate(zip(found, expected)) if x != y), None)
    start = min(len(found), len(expected)) if same is None else same
    # Short texts are shown whole, long ones from a little before the difference.
    start = 0 if max(len(found), len(expected)) <= _SHOWN else max(start - _SHOWN // 3, 0)
    before = "…" if start else ""
    shown = (before + shorten(text[start : start + _SHOWN + 1]) for text in (found, expected))
    return next(shown), next(shown)
