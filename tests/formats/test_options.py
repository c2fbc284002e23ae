"""Options of formats: their names and types come from the signatures of `read` and `write`."""

from typing import Callable, Optional, Sequence, Union

import pytest

from spacy_jere.export import WRITERS
from spacy_jere.formats import FORMATS, SourceError
from spacy_jere.formats._options import (
    _parser,
    check_options,
    list_options,
    option_types,
    parse_options,
)


def read(
    path: Union[str, str],
    text: str = "",
    number: int = 0,
    share: float = 0.5,
    flag: bool = False,
    names: Sequence[str] = (),
    name: Optional[str] = None,
    limit: "int | None" = None,
    key: Callable[[str], str] = str,
    where: Union[int, str] = 0,
):
    pass


def write(docs: list, path: str, *, text: str = "", base: str = ""):
    pass


def both(*assignments):
    return parse_options(assignments, {"reading a": read, "writing b": write})


def test_options_are_the_arguments_with_a_default():
    assert list(option_types(write)) == ["text", "base"]
    assert option_types(write) == {"text": str, "base": str}


@pytest.mark.parametrize(
    "assignment, value",
    [
        ("text=body", "body"),
        ("text=", ""),
        ("text=a=b, c", "a=b, c"),
        ("text=3", "3"),
        ("number=3", 3),
        ("number=-3", -3),
        ("share=0.25", 0.25),
        ("flag=true", True),
        ("flag=False", False),
        ("names=accept", ("accept",)),
        ("names=accept, reject", ("accept", "reject")),
        ("names=", ()),
        ("name=x,y", "x,y"),
        ("limit=7", 7),
    ],
)
def test_values_are_of_their_type(assignment, value):
    options, _ = both(assignment)
    (found,) = options.values()
    assert found == value and type(found) is type(value)


def test_first_function_that_has_the_option_gets_it():
    assert both("text=x", "base=y") == [{"text": "x"}, {"base": "y"}]
    assert both() == [{}, {}]
    assert both("text=x", "text=y") == [{"text": "y"}, {}]


KNOWN = (
    "Reading a takes: text, number, share, flag, names, name, limit. Writing b takes: text, base."
)


@pytest.mark.parametrize(
    "assignment, message",
    [
        ("ends=inclusive", rf"E318\] Unknown option 'ends'. {KNOWN}"),
        ("path=x", r"E318\] Unknown option 'path'"),
        ("docs=x", r"E318\] Unknown option 'docs'"),
        ("key=str", rf"E319\] The option 'key' takes a Python object.* {KNOWN}"),
        ("where=3", r"E319.*'where'"),
        ("text", r"E317.*name=value, not as 'text'"),
        ("=x", r"E317.*'=x'"),
        ("number=many", r"E327\] number must be a whole number, not 'many'"),
        ("number=1.5", "E327"),
        ("share=half", r"E327\] share must be a number, not 'half'"),
        ("flag=yes", r"E314\] flag is one of true, false, not 'yes'"),
    ],
)
def test_faults_are_named(assignment, message):
    with pytest.raises(SourceError, match=message):
        both(assignment)


def test_function_without_options():
    with pytest.raises(SourceError, match=r"E318.*Reading c takes: no options\."):
        parse_options(["a=b"], {"reading c": lambda path: None})


def test_names_are_checked():
    check_options(write, {"base": "x"}, "", "b")
    with pytest.raises(SourceError, match=r"^b: bases, not text, base$"):
        check_options(write, {"bases": "x"}, "{format}: {option}, not {known}", "b")


def test_options_are_listed_by_name():
    listed = list_options([("a", read), ("b", write)])
    assert listed.startswith("base (b), flag (a), ") and listed.endswith("text (a, b)")
    assert "key" not in listed and "where" not in listed


@pytest.mark.parametrize("name", sorted({*FORMATS, *WRITERS}))
def test_every_option_of_a_format_can_be_set_or_is_an_object(name):
    functions = [FORMATS[name].read] if name in FORMATS else []
    functions += [WRITERS[name].write] if name in WRITERS else []
    types = {key: x for function in functions for key, x in option_types(function).items()}
    assert {key for key, x in types.items() if _parser(x) is None} <= {"key"}
