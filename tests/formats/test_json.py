"""JSON in any layout, and JSON that says more or less than it seems to."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_jere.formats import FORMATS, SourceError, guess_format, read_records
from spacy_jere.formats._json import MAX_DEPTH, Decoder, _distance, check_keys
from spacy_jere.formats._reading import Head, read_json

JSON_FORMATS = ["label_studio", "spert", "dygie", "hf", "prodigy", "doccano"]
LAYOUTS = {
    "array": lambda items: json.dumps(items),
    "pretty array": lambda items: json.dumps(items, indent=2),
    "lines": lambda items: "\n".join(map(json.dumps, items)),
    "lines with gaps": lambda items: "\n\n" + "\n \n".join(map(json.dumps, items)) + "\n\n",
    "pretty objects": lambda items: "\n".join(json.dumps(x, indent=2) for x in items),
    "windows": lambda items: json.dumps(items, indent=1).replace("\n", "\r\n"),
}


def items_of(text):
    decoded = text.strip()
    return (
        json.loads(decoded) if decoded.startswith("[") else [*map(json.loads, decoded.split("\n"))]
    )


@pytest.mark.parametrize("name", JSON_FORMATS)
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_every_layout_says_the_same(save, save_example, examples, name, layout):
    expected = FORMATS[name].read(save_example(name))
    path = save(layout(items_of(examples[name][1])))
    assert guess_format(path) == name
    assert FORMATS[name].read(path) == expected


@pytest.mark.parametrize("name", JSON_FORMATS)
def test_single_object_is_read(save, save_example, examples, name):
    path = save(json.dumps(items_of(examples[name][1])[0], indent=3))
    assert guess_format(path) == name
    assert FORMATS[name].read(path) == FORMATS[name].read(save_example(name))[:1]


def test_places_are_those_of_the_objects(save):
    text = '\n{\n"a": 1\n}\n\n{"a":\n2}\n{"a": 3}'
    assert [(place.line, x["a"]) for place, x in read_json(save(text))] == [(2, 1), (6, 2), (8, 3)]


def test_first_object_need_not_tell_the_format(save):
    plain = {"text": "Ada", "id": 1}
    decisive = {"text": "Bo", "id": 2, "label": []}
    path = save("\n".join(map(json.dumps, [plain, plain, decisive])))
    assert guess_format(path) == "doccano"


@pytest.mark.parametrize(
    "item",
    [
        {"document": "Ada", "tokens": [{"text": "Ada", "start": 0}], "relations": []},
        {"tokens": ["Ada"], "spans": []},
        {"tokens": ["Ada"], "relations": []},
        {"token": ["Ada"], "relation": "x"},
    ],
)
@pytest.mark.parametrize("layout", ["array", "lines"])
def test_other_formats_are_not_guessed(save, item, layout):
    path = save(LAYOUTS[layout]([item]))
    assert guess_format(path) is None
    with pytest.raises(SourceError, match="E300"):
        read_records(path)


@pytest.mark.parametrize("text", ['[{"text": "Ada", "spans": [}]', '{\n"text": "Ada",\n "x" 1}'])
def test_broken_json_is_said_to_be_broken_though_the_format_is_unknown(save, text):
    with pytest.raises(SourceError, match=r"E301.*line \d: broken JSON"):
        read_records(save(text))


def keys_of(value):
    """The keys of an object and of all in it."""
    if isinstance(value, dict):
        return {*value, *(key for inner in value.values() for key in keys_of(inner))}
    return {key for inner in value for key in keys_of(inner)} if isinstance(value, list) else set()


@pytest.mark.parametrize("name", JSON_FORMATS)
def test_key_that_stands_twice_is_refused(save, examples, name):
    """Anywhere in the object: the first value would be lost."""
    item = items_of(examples[name][1])[0]
    first = json.dumps(item)
    for key in keys_of(item):
        text = first.replace(f'"{key}": ', f'"{key}": null, "{key}": ', 1)
        with pytest.raises(SourceError, match=rf"E301.*line 1: the key '{key}' stands twice"):
            FORMATS[name].read(save(text))


OPTIONAL = {
    "spert": ["relations", "entities", "text"],
    "dygie": ["relations", "ner", "clusters"],
    "hf": ["relations", "ner"],
    "prodigy": ["relations", "spans", "answer", "tokens"],
    "doccano": ["relations", "entities"],
}
DEFAULTS = {
    "text": "Ada in Rome",
    "tokens": [{"start": 0, "end": 3}, {"start": 4, "end": 5}, {"start": 6, "end": 10}],
}
WRONG = [
    lambda key: key[:-1],
    lambda key: f"{key}s",
    lambda key: key.upper(),
    lambda key: f" {key}",
    lambda key: f"{key[:-2]}{key[-1]}{key[-2]}",
    lambda key: key.replace("e", "ee", 1),
    lambda key: f"_{key}",
]


@pytest.mark.slow
@pytest.mark.parametrize("name, key", [(x, key) for x, keys in OPTIONAL.items() for key in keys])
@pytest.mark.parametrize("change", WRONG)
def test_misspelt_key_is_named(save, examples, name, key, change):
    item = items_of(examples[name][1])[0]
    item.setdefault(key, DEFAULTS.get(key, []))
    wrong = change(key)
    if wrong == key:
        return
    changed = {wrong if x == key else x: value for x, value in item.items()}
    with pytest.raises(SourceError, match=r"E301.*line 3"):
        FORMATS[name].read(save("\n".join(map(json.dumps, [item, item, changed]))))


@pytest.mark.parametrize(
    "key",
    [
        "further",
        "meta",
        "label_id",
        "idx",
        "_id",
        "options",
        "cats",
        "_view_id",
        "next",
        "tags",
        "dataset",
    ],
)
@pytest.mark.parametrize("name", JSON_FORMATS)
def test_further_keys_are_allowed(save, save_example, examples, name, key):
    items = [{**item, key: []} for item in items_of(examples[name][1])]
    assert FORMATS[name].read(save(json.dumps(items))) == FORMATS[name].read(save_example(name))


def test_key_is_not_misspelt_where_the_right_one_is_there():
    assert check_keys({"text": "", "texts": ""}, ("text",)) is None
    assert (
        check_keys({"texts": ""}, ("text",)) == "unknown key 'texts': is it 'text'? Correct the key"
    )


@given(st.text("abc", max_size=6), st.text("abc", max_size=6))
def test_distance(left, right):
    distance = _distance(left, right)
    assert distance == _distance(right, left)
    assert (distance == 0) is (left == right)
    assert abs(len(left) - len(right)) <= distance <= max(len(left), len(right))


def test_texts_without_relations_among_others_are_noted(save):
    items = [{"text": "Ada", "label": [], "relations": []}, {"text": "Bo", "label": []}]
    with pytest.warns(UserWarning, match=r"W360.*1 of 2 texts are not annotated for relations"):
        read_records(save(json.dumps(items)))


@pytest.mark.parametrize("brackets", ["[]", "{}"])
@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 500, 990, 5000, 100_000])
@pytest.mark.parametrize("text", ["Ada", "\\ud83d\\ude00"])
def test_deep_nesting_is_refused(save, brackets, depth, text):
    opening, inner, closing = ("[", "", "]") if brackets == "[]" else ('{"a":', "1", "}")
    value = opening * depth + inner + closing * depth
    path = save(f'{{"text": "{text}", "spans": [], "meta": {value}}}')
    with pytest.raises(SourceError, match=r"E301.*line 1: .*nested more than 100 deep"):
        FORMATS["prodigy"].read(path)


def test_depth_that_is_allowed():
    value = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert Decoder().decode(value)[2] is None
    assert Decoder().decode(f"[{value}]")[2] is not None


def test_head_of_broken_json_has_the_objects_before_it(save):
    head = Head.of(save('{"a": 1}\n{"a": 2}\n{"a"'))
    assert head.is_json and head.objects() == [{"a": 1}, {"a": 2}]
