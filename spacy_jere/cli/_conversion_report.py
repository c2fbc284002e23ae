"""What `convert` prints: how much there is of what, what was left out and what was changed."""

from pathlib import Path
from typing import Dict, List, Optional

from spacy.tokens import Doc

from ..debug_data.counts import COUNTED, count_labels
from ..formats import Alignment, Cut, LostRelation, Records
from ..formats._faults import shorten
from ._util import msg, print_table


def print_statistics(corpora: Dict[str, List[Doc]]) -> None:
    """Print a table of what each corpus holds."""
    counts = {name: count_labels(docs) for name, docs in corpora.items()}
    found = dict.fromkeys(key for count in counts.values() for key in count)
    rows = [
        (f"  {label}" if label else kind, *(count[kind, label] for count in counts.values()))
        for kind, label in sorted(found, key=lambda row: (COUNTED.index(row[0]), row[1]))
    ]
    print_table(rows, ("", *counts))


def print_records(file: Path, records: Records, aligned: Alignment, listed: Optional[int]) -> None:
    """Print what a reader left out, changed and assumed, and what became of cut entities.

    listed (Optional[int]): How many entities and relations are listed; None for all.
    """
    for kind, count in sorted(records.skipped.items()):
        msg.warn(f"{file}: {count:,} {kind} left out")
    for kind, count in sorted(records.changed.items()):
        msg.warn(f"{file}: {count:,} {kind}")
    for note in records.notes:
        msg.warn(f"{file}: {note}")
    _print_changes(file, records, aligned, listed)


def _print_changes(file: Path, records: Records, aligned: Alignment, listed: Optional[int]) -> None:
    cuts, lost = aligned.cuts, aligned.lost
    if cuts:
        msg.warn(f"{file}: {len(cuts):,} entities don't begin and end where a token does")
        _print_list([f"{cut.source}: {_describe_cut(cut)}" for cut in cuts], listed)
    if lost:
        msg.warn(f"{file}: {len(lost):,} relations lost with their entities")
        described = ((x.source, _describe_relation(x, records[x.record].text)) for x in lost)
        _print_list([f"{source}: {text}" for source, text in described], listed)


def _describe_cut(cut: Cut) -> str:
    if cut.result is None:
        result = "left out"
    elif cut.result == cut.text:
        result = "token split"
    else:
        result = f"now {cut.result!r}"
    return f"{cut.label} {cut.text!r} at {cut.start}:{cut.end}: {result}"


def _describe_relation(relation: LostRelation, text: str) -> str:
    ends = (f"{shorten(text[x.start : x.end])!r} at {x.start}:{x.end}" for x in relation[2:4])
    return f"{relation.label} from {' to '.join(ends)}"


def _print_list(lines: List[str], listed: Optional[int]) -> None:
    for line in lines[:listed]:
        msg.text(f"  {line}")
    if listed is not None and len(lines) > listed:
        msg.text(f"  and {len(lines) - listed:,} more; --verbose lists all")
