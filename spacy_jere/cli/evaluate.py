"""`python -m spacy jere evaluate`: scores of entities and relations, in all and by label."""

from collections import Counter
from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping, Optional, Set

import srsly
import typer
from spacy.cli._util import setup_gpu
from spacy.language import Language
from spacy.scorer import Scorer
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import fix_random_seed

from ..evaluation.scorer import Scores
from ..formats._labels import map_docs, parse_label_map, unused_labels
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
    map_labels: List[str] = typer.Option(
        [],
        "--map-labels",
        "--map",
        "-m",
        help="Rename labels of annotations and predictions: old=new,… (an empty new leaves out)",
    ),
    use_gpu: int = typer.Option(-1, "--gpu-id", "-g", help="GPU ID or -1 for CPU"),
) -> None:
    """Evaluate a trained pipeline on entities and relations."""
    setup_gpu(use_gpu, silent=True)
    if output is not None:
        check_output(output, [model, data])
    scores = evaluate(model, data, parse_label_map(map_labels))
    print_scores(scores)
    if output is not None:
        write_text(output, srsly.json_dumps(scores, indent=2))
        msg.good(f"Saved scores to {output}")


def evaluate(model: str, data: Path, labels: Optional[Mapping[str, str]] = None) -> Scores:
    """Score a pipeline.

    labels (Optional[Mapping[str, str]]): For a corpus with other labels, the new label of each old
        one, both of annotations and of predictions. Empty: what has the old label is left out.
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
    components = joint_components(nlp)
    if labels:
        keys = {x.cfg["spans_key"] for x in components.values()} - {None}
        scorer = _MappingScorer(nlp, labels, keys)
        scorer.map_labels(example.reference for example in examples)
        scores: Scores = nlp.evaluate(examples, scorer=scorer)
        for note in unused_labels(labels, scorer.used):
            msg.warn(note)
    else:
        scores = nlp.evaluate(examples)
    scores["parameters"] = {name: n_trainable(pipe.model) for name, pipe in components.items()}
    return scores


class _MappingScorer(Scorer):
    """spaCy's scorer, for predictions with other labels.

    used (Set[str]): The old labels that were found.
    """

    def __init__(self, nlp: Language, labels: Mapping[str, str], spans_keys: Set[str]):
        super().__init__(nlp)
        self.labels = labels
        self.spans_keys = spans_keys
        self.used: Set[str] = set()

    def map_labels(self, docs: Iterable[Doc]) -> None:
        self.used |= map_docs(docs, self.labels, Counter(), self.spans_keys)

    def score(self, examples: Iterable[Example], **options: Any) -> Scores:
        examples = list(examples)
        self.map_labels(example.predicted for example in examples)
        scores: Scores = super().score(examples, **options)
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
