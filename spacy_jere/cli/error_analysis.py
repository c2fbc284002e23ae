"""`python -m spacy jere error-analysis`: the errors of a pipeline, counted by kind and drawn."""

from collections import Counter
from pathlib import Path

import typer
from spacy.cli._util import setup_gpu
from thinc.api import fix_random_seed

from ..evaluation.error_analysis import RIGHT, Analysis, analyze, confusion, count_kinds, totals
from ..formats._writing import check_output
from ..visualize.report import Part, error_report, report_parts
from ._util import (
    check_annotated,
    command,
    comparison_of,
    load_pipeline,
    msg,
    percent,
    predict,
    print_table,
    read_docs,
    read_examples,
    write_text,
)

_MOST_CONFUSED = 5


@command("Can't report errors")
def error_analysis_cli(
    model: str = typer.Argument(..., help="Model name or path"),
    data: Path = typer.Argument(..., help="Annotated .spacy file or folder"),
    output: Path = typer.Argument(..., help="HTML file to write"),
    limit: int = typer.Option(
        20, "--limit", "-l", help="How many examples of each kind are drawn", min=0
    ),
    use_gpu: int = typer.Option(-1, "--gpu-id", "-g", help="GPU ID or -1 for CPU"),
) -> None:
    """Report the errors of a trained pipeline by kind, each with its sentences."""
    setup_gpu(use_gpu, silent=True)
    check_output(output, [model, data])
    analysis = find_errors(model, data)
    page = error_report(analysis, title=f"Errors of {model} on {data.name}", limit=limit)
    write_text(output, page)
    print_errors(analysis)
    msg.good(f"{len(analysis.comparisons):,} texts -> {output}")


def find_errors(model: str, data: Path) -> Analysis:
    """Compare what a pipeline finds with annotation, as `nlp.evaluate` does.

    RAISES (ValueError): A file that is missing, not a .spacy file or without annotation; or a
        pipeline that is missing or has no component `joint_ner_re`.
    """
    next(read_docs([data]), None)  # before the pipeline is loaded, which takes its time
    fix_random_seed()
    nlp = load_pipeline(model, any_source=True)
    examples = predict(nlp, read_examples(nlp, data))
    check_annotated(examples, data)
    return analyze(examples, **comparison_of(nlp))


def print_errors(analysis: Analysis) -> None:
    """Print all tables."""
    parts = [part for part in report_parts(analysis) if part.matches]
    rows = []
    for part in parts:
        score = totals(part.things)
        fractions = map(percent, (score.precision, score.recall, score.fscore))
        rows.append((part.name, score.tp, score.fn, score.fp, *fractions))
    print_table(rows, ("", "right", "missed", "spurious", "P", "R", "F"), title="Results")
    for part in parts:
        _print_part(part)


def _print_part(part: Part) -> None:
    kinds = [RIGHT, *part.kinds]
    by_label = count_kinds(part.things)
    by_label["All"] = Counter(x.kind for x in part.things)
    rows = [(label, *(x[kind] or "" for kind in kinds)) for label, x in by_label.items()]
    print_table(rows, ("", *kinds), title=f"{part.name}, by label")
    confused = Counter({x: n for x, n in confusion(part.things).items() if all(x) and x[0] != x[1]})
    for (gold, found), n in confused.most_common(_MOST_CONFUSED):
        msg.text(f"{gold} found as {found}: {n:,}")
