"""The id of a text and the names of its relations' arguments, kept on the Doc.

They are plain data in `doc.user_data`, as relations are, so that they survive a .spacy file.
Formats that have a place for them write them again.
"""

from collections import defaultdict, deque
from typing import Deque, Dict, List, Tuple

from spacy.tokens import Doc

from ..relations import Mention, StoredRelation
from .record import Record

ID_KEY = "id"
ARGUMENTS_KEY = "spacy_jere.arguments"
# brat's names of the two ends by default
USUAL_ARGUMENTS = ("Arg1", "Arg2")
_Triple = Tuple[Mention, Mention, str]
# .spacy files hold only smaller numbers.
_MAX_INTEGER = 2**63


def keep_id(doc: Doc, record: Record) -> None:
    """Set `doc.user_data["id"]` to the id of the record, if it has one."""
    given = record.meta.get("orig_id")
    if given is not None:
        fits = isinstance(given, int) and abs(given) < _MAX_INTEGER
        doc.user_data[ID_KEY] = given if fits else str(given)


def keep_arguments(doc: Doc, relations: List[StoredRelation], names: List[Tuple[str, str]]) -> None:
    """Set the names of relations' arguments, unless all have their usual names."""
    if any(tuple(name) != USUAL_ARGUMENTS for name in names):
        doc.user_data[ARGUMENTS_KEY] = [
            [list(head), list(tail), label, list(name)]
            for (head, tail, label, _), name in zip(relations, names)
        ]


def argument_names(doc: Doc, relations: List[StoredRelation]) -> List[Tuple[str, str]]:
    """RETURNS (List[Tuple[str, str]]): The names of head and tail of each relation."""
    known: Dict[_Triple, Deque[Tuple[str, str]]] = defaultdict(deque)
    for head, tail, label, (first, second) in doc.user_data.get(ARGUMENTS_KEY, ()):
        known[Mention(*head), Mention(*tail), label].append((first, second))
    found = []
    for relation in relations:
        # Relations that differ only in these names come in the order in which they were read.
        names = known[relation[:3]]
        found.append(names.popleft() if names else USUAL_ARGUMENTS)
    return found
