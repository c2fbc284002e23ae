"""Time and memory grow with the input, not with its square.

Of each family a file and one of four times its size are read and made Docs. In linear time the
second takes about four times as long, in quadratic time sixteen times.
"""

import gc
import json
import time
import tracemalloc

import pytest
import spacy

from spacy_jere.formats import FORMATS, align, load_records
from spacy_jere.formats._reading import read_json, read_lines

NLP = spacy.blank("xx")
# Between four and sixteen
MOST = 10
# Below this, what is measured is noise.
SHORTEST = 0.02


def nested(n):
    """Intervals of 0 to n, each within the one before it."""
    return [(i // 2, n - (i + 1) // 2) for i in range(n - 1)]


def words(n):
    return " ".join(["word"] * (n // 5 + 1))[:n]


def brat(text, lines):
    return {"data.txt": text, "data.ann": "".join(f"{line}\n" for line in lines)}


def lines(*items):
    return {"data.jsonl": "\n".join(json.dumps(item, ensure_ascii=False) for item in items)}


def label_studio(text, results):
    item = {"id": 1, "data": {"text": text}, "annotations": [{"result": results}]}
    return {"data.json": json.dumps([item], ensure_ascii=False)}


def region(i, start, end, *labels, **other):
    value = {"start": start, "end": end, "labels": list(labels or "X"), **other}
    return {"id": f"r{i}", "type": "labels", "value": value}


def long_name(n):
    return brat("Ada", [f"T{'1' * n} PER 0 3 Ada"])


def long_relation(n):
    return brat("Ada", ["T1\tPER 0 3\tAda", f"R1\tX {':' * n} {':' * n} x"])


def long_equivalence(n):
    return brat("Ada", ["T1\tPER 0 3\tAda", "*\tX" + " T1" * n])


def long_role(n):
    return brat("Ada", ["T1\tPER 0 3\tAda", f"E1\tX:T1 {'1' * n}x:T1"])


def brat_spaces(n):
    rows = [f"T{i}\tX 0 {n}\tAda" for i in range(1, n)]
    return brat("Ada" + " " * n, rows)


def brat_relations(n):
    names = [f"R{i}\tX A{i}:T1 B{i}:T1" for i in range(n)]
    return brat("Ada", ["T1\tPER 0 3\tAda", *names])


def brat_emoji(n):
    return brat("🏠 " * n, [f"T{i + 1}\tX {3 * i} {3 * i + 2}\t🏠" for i in range(n)])


def brat_events(n):
    rows = [f"E{i}\tX:T1 Theme:E{i - 1 or 1} Agent:T1" for i in range(1, n)]
    return brat("Ada", ["T1\tPER 0 3\tAda", *rows])


def dygie_sentences(n):
    item = {"sentences": [["a", "b"]] * n, "ner": [[[2 * i, 2 * i, "X"]] for i in range(n)]}
    return lines({**item, "relations": [[]] * n})


def dygie_nested(n):
    ner = [[i, j - 1, "X"] for i, j in nested(n)]
    return lines({"sentences": [["a"] * n], "ner": [ner], "relations": [[]]})


def hf_nested_spaces(n):
    return lines({"tokens": [" "] * (n - 1) + ["a"], "ner": [[i, n, "X"] for i in range(n)]})


def spert_nested(n):
    entities = [{"type": "X", "start": i, "end": j} for i, j in nested(n)]
    item = {"tokens": ["a"] * n, "text": " ".join("a" * n), "entities": entities}
    return {"data.json": json.dumps([item])}


def doccano_nested(n):
    return lines({"text": words(n), "label": [[i, j, "X"] for i, j in nested(n)]})


def doccano_spaces(n):
    return lines({"text": "a" + " " * n + "b", "label": [[i, n + 2, "X"] for i in range(1, n)]})


def doccano_emoji(n):
    return lines({"text": "🏠a " * n, "label": [[3 * i + 1, 3 * i + 2, "X"] for i in range(n)]})


def prodigy_pieces(n):
    spans = [{"start": i, "end": i + 1, "label": "X"} for i in range(n)]
    tokens = [{"start": 0, "end": n}]
    return lines({"text": "a" * n, "spans": spans, "tokens": tokens})


def label_studio_emoji(n):
    results = [region(i, 3 * i + 2, 3 * i + 3, text="a") for i in range(n)]
    return label_studio("🏠a" * n, results)


def label_studio_nested(n):
    return label_studio(words(n), [region(i, x, y) for i, (x, y) in enumerate(nested(n))])


def label_studio_labels(n):
    labels = [f"L{i}" for i in range(n)]
    link = {"type": "relation", "from_id": "r1", "to_id": "r1", "labels": labels}
    return label_studio("Ada", [region(1, 0, 3, *labels), link])


def label_studio_columns(n):
    columns = {f"c{i}": "Ada" for i in range(n)}
    value = {"start": 0, "end": 3, "text": "Ada", "labels": ["X"]}
    results = [{"id": str(i), "type": "labels", "value": value} for i in range(n)]
    item = {"id": 1, "data": columns, "annotations": [{"result": results}]}
    return {"data.json": json.dumps([item])}


def ade_rows(n):
    return {"data.rel": "1|a rash|rash|2|6|a|0|1\n" * n}


def ade_repeated(n):
    text = "a" * n
    return {"data.rel": f"1|{text}|{text[n // 2 :]}|0|{n - n // 2}|b|0|1\n"}


def columns(n):
    row = "a\tB-X\t" + "|".join(["R:1"] * n)
    return {"data.conll": row + "\n" + "b\tO\t_\n" * n}


def conll04(n):
    rows = "".join(f"{i}\ta\tB-X\t['R']\t[{i}]\n" for i in range(n))
    return {"data.txt": "#doc 1\n" + rows}


def faulty_lines(n):
    return {"data.jsonl": '{"text": "a", "label": [\n' * n}


def misspelt_keys(n):
    return lines(*({"text": "a", "label": [], f"x{i}": 1} for i in range(n)))


def deep_lines(n):
    return {"data.jsonl": '{"text": "a", "label": []}\n' + ("[" * 500 + "]" * 500 + "\n") * n}


FAMILIES = [
    ("brat", long_name, 200_000),
    ("brat", long_relation, 200_000),
    ("brat", long_equivalence, 5_000),
    ("brat", long_role, 200_000),
    ("brat", brat_spaces, 3_000),
    ("brat", brat_relations, 3_000),
    ("brat", brat_emoji, 1_500),
    ("brat", brat_events, 3_000),
    ("dygie", dygie_sentences, 2_000),
    ("dygie", dygie_nested, 3_000),
    ("hf", hf_nested_spaces, 3_000),
    ("spert", spert_nested, 2_000),
    ("doccano", doccano_nested, 4_000),
    ("doccano", doccano_spaces, 4_000),
    ("doccano", doccano_emoji, 1_500),
    ("prodigy", prodigy_pieces, 2_000),
    ("label_studio", label_studio_emoji, 1_500),
    ("label_studio", label_studio_nested, 3_000),
    ("label_studio", label_studio_labels, 3_000),
    ("label_studio", label_studio_columns, 1_000),
    ("ade", ade_rows, 3_000),
    ("ade", ade_repeated, 50_000),
    ("conll_columns", columns, 3_000),
    ("conll04", conll04, 2_000),
    ("doccano", faulty_lines, 2_000),
    ("doccano", misspelt_keys, 1_000),
    ("doccano", deep_lines, 30),
]


def seconds(folder, format, files):
    """The processor time of reading files and making Docs of them; the least of three."""
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf8")
    path = folder / max(files, key=lambda name: not name.endswith(".txt") or len(files) == 1)
    taken = []
    for _ in range(3):
        gc.collect()
        gc.disable()  # else it comes at other times
        start = time.process_time()
        records, _ = load_records(path, FORMATS[format], {}, {})
        align(records, NLP)
        taken.append(time.process_time() - start)
        gc.enable()
    return min(taken)


@pytest.mark.slow
@pytest.mark.parametrize("format, build, n", FAMILIES, ids=[x[1].__name__ for x in FAMILIES])
def test_time(tmp_path, format, build, n):
    seconds(tmp_path, format, build(n // 4))  # what is only done once
    small, large = (seconds(tmp_path, format, build(size)) for size in (n, 4 * n))
    assert large < MOST * max(small, SHORTEST)


@pytest.mark.slow
@pytest.mark.parametrize("content", ["\n", " \n", "\r\n"])
def test_empty_lines_take_no_more_memory_than_the_file(save, content):
    size = 500_000
    path = save(content * (size // len(content)))
    tracemalloc.start()
    try:
        assert sum(1 for _ in read_lines(path)) > 1
        assert list(read_json(path)) == []
        assert tracemalloc.get_traced_memory()[1] < 5 * size
    finally:
        tracemalloc.stop()
