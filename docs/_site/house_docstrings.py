"""A Griffe extension: docstrings of the house form, as the API reference shows them.

    name (Type): meaning.
    RETURNS (Type): …
    RAISES (X): …

become sections of Google's form, which mkdocstrings reads.
"""

import re
from typing import Any, Dict, List

from griffe import Attribute, Class, Extension, Function, Object

SECTIONS = {"RETURNS": "Returns", "YIELDS": "Yields", "RAISES": "Raises"}
SECTION = re.compile(r"(RETURNS|YIELDS|RAISES)(?: \((.+?)\))?: (.*)")
ENTRY = re.compile(r"([A-Za-z_]\w*(?:, [A-Za-z_]\w*)*)(?: \((.+?)\))?: (.*)")


class HouseDocstrings(Extension):
    """Rewrites the docstring of each object when it is loaded."""

    def on_object(self, *, obj: Object, **kwargs: Any) -> None:
        """Rewrite one."""
        if obj.docstring is None:
            return
        text = obj.docstring.value
        if isinstance(obj, Attribute):  # A property: its type stands in its signature
            obj.docstring.value = re.sub(r"^RETURNS(?: \(.+?\))?: ", "", text)
        elif isinstance(obj, Function):
            obj.docstring.value = to_google(text, names_of(obj))
        elif isinstance(obj, Class):
            of_init = obj.members.get("__init__")
            names = dict.fromkeys(obj.members, "Attributes")
            if isinstance(of_init, Function):
                names.update(names_of(of_init))
            obj.docstring.value = to_google(text, names)


def names_of(function: Function) -> Dict[str, str]:
    """RETURNS (Dict[str, str]): The section of each parameter."""
    return {x.name: "Args" for x in function.parameters}


def to_google(text: str, names: Dict[str, str]) -> str:
    """RETURNS (str): The docstring with its entries in sections.

    names (Dict[str, str]): What entries may describe, and their section. Other lines are prose.
    """
    prose: List[str] = []
    sections: Dict[str, List[str]] = {}
    current = prose
    for line in text.split("\n"):
        if current is not prose and line.startswith(" "):
            current.append("    " + line)
        elif match := SECTION.fullmatch(line):
            kind, of_type, meaning = match.groups()
            current = sections.setdefault(SECTIONS[kind], [])
            current.append(f"    {of_type}: {meaning}" if of_type else f"    {meaning}")
        elif (match := ENTRY.fullmatch(line)) and {*match.group(1).split(", ")} <= {*names}:
            described, of_type, meaning = match.groups()
            # Names that share a meaning: the last one tells it.
            *others, last = described.split(", ")
            current = sections.setdefault(names[last], [])
            current += [f"    {name}: As `{last}`." for name in others]
            head = f"{last} ({of_type})" if of_type else last
            current.append(f"    {head}: {meaning}")
        else:
            current = prose
            prose.append(line)
    parts = ["\n".join(prose).strip()]
    parts += [f"{name}:\n" + "\n".join(lines) for name, lines in sections.items()]
    return "\n\n".join(x for x in parts if x)
