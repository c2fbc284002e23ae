"""`python -m spacy jere visualize`: entities and relations of texts, as a page of pictures."""

from pathlib import Path
from typing import Any, Dict, List

import typer
from spacy.cli._util import setup_gpu

from ..errors import Errors
from ..formats._reading import read_json_lines
from ..formats._writing import check_output
from ..visualize import STYLES, render
from ._util import (
    check_annotated,
    command,
    comparison_of,
    load_pipeline,
    msg,
    predict,
    progress,
    read_docs,
    read_examples,
    read_text_lines,
    write_text,
)


@command("Can't draw this")
def visualize_cli(
    model: str = typer.Argument(..., help="Model name or path"),
    texts: Path = typer.Argument(
        ..., help=".txt with one text a line, .jsonl with a 'text' a line, or .spacy file"
    ),
    output: Path = typer.Argument(..., help="HTML file to write"),
    style: str = typer.Option("arcs", "--style", "-s", help=" or ".join(STYLES)),
    gold: bool = typer.Option(False, "--gold", help="Compare with the annotation of a .spacy file"),
    limit: int = typer.Option(
        100, "--limit", "-l", help="Greatest number of texts; 0 for all", min=0
    ),
    use_gpu: int = typer.Option(-1, "--gpu-id", "-g", help="GPU ID or -1 for CPU"),
) -> None:
    """Draw the entities and relations found in texts."""
    setup_gpu(use_gpu, silent=True)
    n_texts = visualize(model, texts, output, style=style, gold=gold, limit=limit)
    msg.good(f"{n_texts:,} {'text' if n_texts == 1 else 'texts'} -> {output}")


def visualize(
    model: str,
    texts: Path,
    output: Path,
    *,
    style: str = "arcs",
    gold: bool = False,
    limit: int = 0,
) -> int:
    """Write a page with the entities and relations that a pipeline finds.

    texts (Path): A .txt, .jsonl or .spacy file, or a folder of .spacy files.
    style (str): "arcs" or "table".
    gold (bool): Compare with the annotation, which only .spacy files have.
    limit (int): The greatest number of texts; 0 for all.
    RETURNS (int): The number of texts that were drawn.
    RAISES (ValueError): A file of another kind or without texts, an unknown style, no annotation to
        compare with, a pipeline that is missing or has no component `joint_ner_re`, or an output
        that is a source or can't be written.
    """
    check_output(output, [model, texts])
    if style not in STYLES:
        raise ValueError(Errors.E500.format(style=style, known=", ".join(STYLES)))
    annotated = texts.suffix == ".spacy" or texts.is_dir()
    if gold and not annotated:
        raise ValueError(Errors.E351.format(path=texts))
    # Before the pipeline is loaded, which takes its time
    lines = [] if annotated else _read_texts(texts)
    if not (lines or (annotated and next(read_docs([texts]), None))):
        raise ValueError(Errors.E352.format(path=texts))
    nlp = load_pipeline(model, any_source=True)
    options: Dict[str, Any] = {"title": f"Entities and relations: {texts.name}"}
    options.update(comparison_of(nlp))
    if annotated:
        examples = predict(nlp, read_examples(nlp, texts, limit))
        docs = [x.predicted for x in examples]
        if gold:
            check_annotated(examples, texts)
            options["gold"] = examples
    else:
        lines = lines[: limit or None]
        docs = list(progress(nlp.pipe(lines), len(lines)))
    page = render(docs, style=style, page=True, jupyter=False, options=options)
    write_text(output, page)
    return len(docs)


def _read_texts(path: Path) -> List[str]:
    if path.suffix == ".txt":
        return read_text_lines(path)
    if path.suffix != ".jsonl":
        raise ValueError(Errors.E350.format(path=path))
    texts = []
    for place, item in read_json_lines(path):
        if not isinstance(item.get("text"), str):
            place.fail('there is no "text"')
        texts.append(item["text"])
    return texts
