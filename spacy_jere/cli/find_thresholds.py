"""`python -m spacy jere find-thresholds`: one threshold for each relation label, by F1 on a development set."""

from pathlib import Path
from typing import Dict, Optional

import spacy.util
import typer
from spacy.cli._util import setup_gpu
from wasabi import msg

from ..corpus import JointCorpus
from ..errors import Errors
from ..experiments.thresholds import Found, find_thresholds, set_thresholds


def find_thresholds_cli(
    model: str = typer.Argument(..., help="Model name or path"),
    data: Path = typer.Argument(..., help="Annotated .spacy file, not the training data", exists=True),
    output: Optional[Path] = typer.Option(None, "--output", "-o", help="Folder for the pipeline; the model's own by default"),
    component: str = typer.Option("joint_ner_re", "--component", "-c", help="Name of the component"),
    use_gpu: int = typer.Option(-1, "--gpu-id", "-g", help="GPU ID or -1 for CPU"),
) -> None:  # fmt: skip
    """Set the threshold of each relation label by F1 on annotated texts."""
    setup_gpu(use_gpu, silent=True)
    try:
        found, target = tune(model, data, output=output, component=component)
    except ValueError as error:
        msg.fail("Can't find thresholds", str(error), exits=1)
    rows = [
        (label, f"{x.n_gold:,}", f"{x.threshold:.2f}", f"{100 * x.before:.1f}", f"{100 * x.after:.1f}")
        for label, x in found.items()
    ]  # fmt: skip
    header = ("", "relations", "threshold", "F before", "F after")
    msg.table(rows, header=header, aligns=("l", "r", "r", "r", "r"), divider=True)
    msg.good(f"Saved to {target}")


def tune(
    model: str, data: Path, *, output: Optional[Path] = None, component: str = "joint_ner_re"
) -> "tuple[Dict[str, Found], Path]":
    """RETURNS (tuple[Dict[str, Found], Path]): What was found by relation label, and where the pipeline was saved.

    RAISES (ValueError): The model is a package and there is no output; no such component; no annotated relations.
    """
    target = output or Path(model)
    if output is None and not target.is_dir():
        raise ValueError(Errors.E341.format(model=model))
    nlp = spacy.util.load_model(model)
    if component not in nlp.pipe_names:
        raise ValueError(Errors.E342.format(model=model, name=component, names=nlp.pipe_names))
    found = find_thresholds(nlp, component, JointCorpus(data)(nlp))
    set_thresholds(nlp, component, found)
    nlp.to_disk(target)
    return found, target
