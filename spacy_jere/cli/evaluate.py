"""`python -m spacy jere evaluate`: entities and relations, per label, strict and boundary, micro and macro."""

from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import spacy.util
import srsly
import typer
from spacy.cli._util import setup_gpu
from thinc.api import fix_random_seed
from wasabi import msg

from ..corpus import JointCorpus
from ..scorer import Scores

_SUMMARY = (
    ("Entities (micro)", "ents"),
    ("Entities (macro)", "ents_macro"),
    ("Entities with overlapping ones (micro)", "spans"),
    ("Relations, strict (micro)", "rels"),
    ("Relations, strict (macro)", "rels_macro"),
    ("Relations, boundaries (micro)", "rels_boundary"),
)


def evaluate_cli(
    model: str = typer.Argument(..., help="Model name or path"),
    data: Path = typer.Argument(..., help="Annotated .spacy file or folder", exists=True),
    output: Optional[Path] = typer.Option(
        None, "--output", "-o", help="JSON file for all scores", dir_okay=False
    ),
    use_gpu: int = typer.Option(-1, "--gpu-id", "-g", help="GPU ID or -1 for CPU"),
) -> None:
    """Evaluate a trained pipeline on entities and relations."""
    setup_gpu(use_gpu, silent=True)
    scores = evaluate(model, data)
    print_scores(scores)
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        srsly.write_json(output, scores)
        msg.good(f"Saved scores to {output}")


def evaluate(model: str, data: Path) -> Scores:
    """RETURNS (Scores): What `nlp.evaluate` gives, and `parameters`, the size of each joint component."""
    # Deferred, as it imports torch: `python -m spacy` itself must stay quick.
    from ..component import JointEntityRelationExtractor
    from ..models.joint import n_trainable

    fix_random_seed()
    nlp = spacy.util.load_model(model)
    scores: Scores = nlp.evaluate(list(JointCorpus(data)(nlp)))
    scores["parameters"] = {
        name: n_trainable(pipe.model)
        for name, pipe in nlp.pipeline
        if isinstance(pipe, JointEntityRelationExtractor)
    }
    return scores


def print_scores(scores: Scores) -> None:
    """Print all tables."""
    for name, n_parameters in scores["parameters"].items():
        msg.info(f"{name}: {n_parameters:,} trainable parameters")
    # Where no entities overlap, both ways to count them say the same.
    overlap = _percent(scores, "spans") != _percent(scores, "ents")
    shown = [x for x in _SUMMARY if overlap or x[1] != "spans"]
    rows = [(title, *_percent(scores, prefix)) for title, prefix in shown]
    rows.append(("Entities and relations (joint_f)", "", "", _format(scores["joint_f"])))
    _table("Results", rows)
    for title, key in (("Entities", "ents_per_type"), ("Relations, strict", "rels_per_type")):
        per_type: Dict[str, Any] = scores[key] or {}
        rows = [
            (label, *(_format(x[part]) for part in "prf")) for label, x in sorted(per_type.items())
        ]
        _table(f"{title}, by label", rows)
    msg.text(f"Speed: {scores['speed']:,.0f} words/s")


def _table(title: str, rows: List[Tuple[str, ...]]) -> None:
    if rows:
        msg.divider(title)
        msg.table(rows, header=("", "P", "R", "F"), aligns=("l", "r", "r", "r"))


def _percent(scores: Scores, prefix: str) -> List[str]:
    return [_format(scores[f"{prefix}_{part}"]) for part in "prf"]


def _format(score: Optional[float]) -> str:
    return "-" if score is None else f"{100 * score:.2f}"
