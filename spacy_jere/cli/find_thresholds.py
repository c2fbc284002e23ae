"""`python -m spacy jere find-thresholds`: the threshold of each relation label with the best F1."""

from pathlib import Path
from typing import Dict, Optional, Tuple

import spacy.util
import typer
from spacy.cli._util import setup_gpu
from wasabi import msg

from ..errors import Errors
from ..evaluation.thresholds import ThresholdChoice, find_thresholds, set_thresholds
from ..training.corpus import JointCorpus
from ._util import percent, print_table


def find_thresholds_cli(
    model: str = typer.Argument(..., help="Model name or path"),
    data: Path = typer.Argument(
        ..., help="Annotated .spacy file, not the training data", exists=True
    ),
    output: Optional[Path] = typer.Option(
        None, "--output", "-o", help="Folder for the pipeline; the model's own by default"
    ),
    component: str = typer.Option(
        "joint_ner_re", "--component", "-c", help="Name of the component"
    ),
    use_gpu: int = typer.Option(-1, "--gpu-id", "-g", help="GPU ID or -1 for CPU"),
) -> None:
    """Set the threshold of each relation label by F1 on annotated texts."""
    setup_gpu(use_gpu, silent=True)
    try:
        choices, target = tune(model, data, output=output, component=component)
    except ValueError as error:
        msg.fail("Can't find thresholds", str(error), exits=1)
    rows = [
        (label, x.n_gold, f"{x.threshold:.2f}", percent(x.before), percent(x.after))
        for label, x in choices.items()
    ]
    print_table(rows, ("", "relations", "threshold", "F before", "F after"))
    msg.good(f"Saved to {target}")


def tune(
    model: str, data: Path, *, output: Optional[Path] = None, component: str = "joint_ner_re"
) -> Tuple[Dict[str, ThresholdChoice], Path]:
    """Choose thresholds and save the pipeline with them.

    RETURNS (Tuple[Dict[str, ThresholdChoice], Path]): The thresholds by relation label; the folder
        of the pipeline.
    RAISES (ValueError): The model is a package and there is no output, the pipeline has no such
        component, or the data has no annotated relations.
    """
    target = output or Path(model)
    if output is None and not target.is_dir():
        raise ValueError(Errors.E341.format(model=model))
    nlp = spacy.util.load_model(model)
    if component not in nlp.pipe_names:
        raise ValueError(Errors.E342.format(model=model, name=component, names=nlp.pipe_names))
    choices = find_thresholds(nlp, component, JointCorpus(data)(nlp))
    set_thresholds(nlp, component, choices)
    nlp.to_disk(target)
    return choices, target
