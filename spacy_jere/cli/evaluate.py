"""`python -m spacy jere evaluate`: scores of entities and relations, in all and by label."""

from pathlib import Path
from typing import Any, Dict, List, Optional

import srsly
import typer
from spacy.cli._util import setup_gpu
from thinc.api import fix_random_seed

from ..evaluation.scorer import Scores
from ..formats._writing import check_output
from ._util import (
    check_annotated,
    command,
    joint_components,
    load_pipeline,
    msg,
    percent,
    print_table,
    read_docs,
    read_examples,
    write_text,
)

_HEADER = ("", "P", "R", "F")
_SUMMARY = (
    ("Entities (micro)", "ents"),
    ("Entities (macro)", "ents_macro"),
    ("Entities with overlapping ones (micro)", "spans"),
    ("Relations, strict (micro)", "rels"),
    ("Relations, strict (macro)", "rels_macro"),
    ("Relations, boundaries (micro)", "rels_boundary"),
)


@command("Can't evaluate")
def evaluate_cli(
    model: str = typer.Argument(..., help="Model name or path"),
    data: Path = typer.Argument(..., help="Annotated .spacy file or folder"),
    output: Optional[Path] = typer.Option(None, "--output", "-o", help="JSON file for all scores"),
    use_gpu: int = typer.Option(-1, "--gpu-id", "-g", help="GPU ID or -1 for CPU"),
) -> None:
    """Evaluate a trained pipeline on entities and relations."""
    setup_gpu(use_gpu, silent=True)
    if output is not None:
        check_output(output, [model, data])
    scores = evaluate(model, data)
    print_scores(scores)
    if output is not None:
        write_text(output, srsly.json_dumps(scores, indent=2))
        msg.good(f"Saved scores to {output}")


def evaluate(model: str, data: Path) -> Scores:
    """Score a pipeline.

    RETURNS (Scores): Those of `nlp.evaluate`, and `parameters`, the size of each component.
    RAISES (ValueError): A file that is missing, not a .spacy file or without annotation; or a
        pipeline that is missing or has no component `joint_ner_re`.
    """
    # Deferred, as it imports torch: `python -m spacy` itself must stay quick.
    from ..models.joint import n_trainable

    next(read_docs([data]), None)  # before the pipeline is loaded, which takes its time
    fix_random_seed()
    nlp = load_pipeline(model)
    examples = read_examples(nlp, data)
    check_annotated(examples, data)
    scores: Scores = nlp.evaluate(examples)
    components = joint_components(nlp).items()
    scores["parameters"] = {name: n_trainable(pipe.model) for name, pipe in components}
    return scores


def print_scores(scores: Scores) -> None:
    """Print all tables."""
    for name, n_parameters in scores["parameters"].items():
        msg.info(f"{name}: {n_parameters:,} trainable parameters")
    # Where no entities overlap, both ways to count them say the same.
    overlap = _percent(scores, "spans") != _percent(scores, "ents")
    shown = [x for x in _SUMMARY if overlap or x[1] != "spans"]
    rows = [(title, *_percent(scores, prefix)) for title, prefix in shown]
    rows.append(("Entities and relations (joint_f)", "", "", percent(scores["joint_f"])))
    print_table(rows, _HEADER, title="Results")
    for title, key in (("Entities", "ents_per_type"), ("Relations, strict", "rels_per_type")):
        per_type: Dict[str, Any] = scores[key] or {}
        rows = [
            (label, *(percent(x[part]) for part in "prf")) for label, x in sorted(per_type.items())
        ]
        print_table(rows, _HEADER, title=f"{title}, by label")
    msg.text(f"Speed: {scores['speed']:,.0f} words/s")


def _percent(scores: Scores, prefix: str) -> List[str]:
    return [percent(scores[f"{prefix}_{part}"]) for part in "prf"]
