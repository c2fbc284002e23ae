"""Options of formats: the arguments of a `read` or `write` that have a default.

Python passes them by name, a command as `name=value`. The signature alone says which options there
are and what they take.
"""

import inspect
from types import UnionType
from typing import (
    Any,
    Callable,
    Dict,
    Iterable,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from ..errors import Errors
from ._faults import OptionError

_TRUTHS = {"true": True, "false": False}


def option_types(function: Callable[..., Any]) -> Dict[str, Any]:
    """RETURNS (Dict[str, Any]): The annotation of each option of a `read` or `write`."""
    annotations = get_type_hints(function)
    parameters = inspect.signature(function).parameters.values()
    return {x.name: annotations.get(x.name) for x in parameters if x.default is not x.empty}


def check_options(
    function: Callable[..., Any], options: Iterable[str], message: str, format: str
) -> None:
    """Check the names of options.

    message (str): The error, with the fields `format`, `option` and `known`.
    RAISES (OptionError): The function doesn't have one of the options.
    """
    known = option_types(function)
    for option in options:
        if option not in known:
            names = ", ".join(known) or "no options"
            raise OptionError(message.format(format=format, option=option, known=names))


def parse_options(
    assignments: Iterable[str], functions: Mapping[str, Callable[..., Any]]
) -> List[Dict[str, Any]]:
    """Parse the options that a command was given. Each goes to the first function that has it.

    assignments (Iterable[str]): Each an option as `name=value`. The annotation of the option says
        how the value is read: a list is separated by commas.
    functions (Mapping[str, Callable[..., Any]]): Each `read` or `write`, under what it does.
        Messages use that: "reading brat".
    RETURNS (List[Dict[str, Any]]): The options of each function.
    RAISES (OptionError): An option that none of the functions has, one that takes a Python object,
        or a value that is not of its type.
    """
    types = [option_types(function) for function in functions.values()]
    options: List[Dict[str, Any]] = [{} for _ in types]
    for assignment in assignments:
        name, sign, value = assignment.partition("=")
        if not (name and sign):
            raise OptionError(Errors.E317.format(value=assignment))
        owner = next((i for i, known in enumerate(types) if name in known), None)
        if owner is None:
            raise OptionError(Errors.E318.format(option=name, known=_describe(functions)))
        parse = _parser(types[owner][name])
        if parse is None:
            raise OptionError(Errors.E319.format(option=name, known=_describe(functions)))
        options[owner][name] = parse(name, value)
    return options


def list_options(functions: Iterable[Tuple[str, Callable[..., Any]]]) -> str:
    """RETURNS (str): All options that a command can set, each with the formats that have it."""
    formats: Dict[str, List[str]] = {}
    for format, function in functions:
        for name in _settable(function):
            formats.setdefault(name, []).append(format)
    return ", ".join(f"{name} ({', '.join(formats[name])})" for name in sorted(formats))


def _settable(function: Callable[..., Any]) -> List[str]:
    return [name for name, annotation in option_types(function).items() if _parser(annotation)]


def _describe(functions: Mapping[str, Callable[..., Any]]) -> str:
    known = {what: ", ".join(_settable(function)) for what, function in functions.items()}
    return " ".join(
        f"{what[:1].upper()}{what[1:]} takes: {names or 'no options'}."
        for what, names in known.items()
    )


def _parser(annotation: Any) -> Optional[Callable[[str, str], Any]]:
    """Find the parser of a type.

    RETURNS (Optional[Callable[[str, str], Any]]): Takes the name of an option, for messages, and
        its text. None for a type that no text can stand for.
    """
    if get_origin(annotation) in (Union, UnionType):
        given = [x for x in get_args(annotation) if x is not type(None)]
        annotation = given[0] if len(given) == 1 else None
    return _PARSERS.get(annotation)


def _parse_string(name: str, value: str) -> str:
    return value


def _parse_bool(name: str, value: str) -> bool:
    if value.lower() not in _TRUTHS:
        error = Errors.E314.format(option=name, known=", ".join(_TRUTHS), value=value)
        raise OptionError(error)
    return _TRUTHS[value.lower()]


def _parse_integer(name: str, value: str) -> int:
    try:
        return int(value)
    except ValueError:
        error = Errors.E327.format(option=name, wanted="a whole number", value=value)
        raise OptionError(error) from None


def _parse_float(name: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        error = Errors.E327.format(option=name, wanted="a number", value=value)
        raise OptionError(error) from None


def _parse_list(name: str, value: str) -> Tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


_PARSERS: Dict[Any, Callable[[str, str], Any]] = {
    str: _parse_string,
    bool: _parse_bool,
    int: _parse_integer,
    float: _parse_float,
    Sequence[str]: _parse_list,
}
