"""`python -m spacy jere find-thresholds`: the thresholds of entities and of each relation label."""

import filecmp
import os
import shutil
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Optional, Tuple

import typer
from spacy.cli._util import setup_gpu
from spacy.language import Language
from thinc.api import Config

from ..errors import Errors
from ..evaluation.thresholds import (
    ENTITY_SETTING,
    SETTING,
    Thresholds,
    find_thresholds,
    set_thresholds,
)
from ..formats._writing import check_output, whole_files, whole_folder
from ._util import command, load_pipeline, msg, percent, print_table, read_docs, read_examples


@command("Can't find thresholds")
def find_thresholds_cli(
    model: str = typer.Argument(..., help="Model name or path"),
    data: Path = typer.Argument(..., help="Annotated .spacy file, not the training data"),
    output: Optional[Path] = typer.Option(
        None, "--output", "-o", help="Folder for the pipeline; the model's own by default"
    ),
    component: str = typer.Option(
        "joint_ner_re", "--component", "-c", help="Name of the component"
    ),
    force: bool = typer.Option(
        False, "--force", help="Write into a folder that holds other things; they stay"
    ),
    use_gpu: int = typer.Option(-1, "--gpu-id", "-g", help="GPU ID or -1 for CPU"),
) -> None:
    """Set the thresholds of entities and of each relation label by scores on annotated texts."""
    setup_gpu(use_gpu, silent=True)
    choices, target = tune(model, data, output=output, component=component, force=force)
    entities = [] if choices.entities is None else [("all entities", choices.entities)]
    rows = [
        (label, x.n_gold, f"{x.threshold:.2f}", percent(x.before), percent(x.after))
        for label, x in [*entities, *choices.items()]
    ]
    print_table(rows, ("", "annotated", "threshold", "F before", "F after"))
    msg.good(f"Saved to {target}")


def tune(
    model: str,
    data: Path,
    *,
    output: Optional[Path] = None,
    component: str = "joint_ner_re",
    force: bool = False,
) -> Tuple[Thresholds, Path]:
    """Choose thresholds and save them. Of the pipeline only the settings are written.

    output (Optional[Path]): A folder for a copy of the pipeline with these thresholds; None changes
        the settings of the pipeline itself.
    force (bool): Write into a folder that holds other things, which stay.
    RETURNS (Tuple[Thresholds, Path]): The thresholds of entities and by relation label; the folder
        of the pipeline.
    RAISES (ValueError): The model is a package and there is no output, the pipeline has no such
        component, the data has no annotation, or the output can't be written.
    """
    folder = Path(model)
    with suppress(OSError):
        if output is not None and output.samefile(folder):
            output = None
    if output is None and not folder.is_dir():
        raise ValueError(Errors.E341.format(model=model))
    if output is None:
        for file in _settings(folder, component):
            if file.is_file():
                check_output(file, [data])
    else:
        check_output(output, [data], folder=True)
        check_output(output, [model], reads=(), folder=True)
    next(read_docs([data]), None)  # before the pipeline is loaded, which takes its time
    nlp = load_pipeline(model, component)
    if output is not None:
        own = partial(_is_copied, nlp.path, output, component)
        check_output(output, folder=True, own=own, force=force)
    choices = find_thresholds(nlp, component, read_examples(nlp, data))
    set_thresholds(nlp, component, choices)
    if output is None:
        save_thresholds(nlp, component, folder)
        return choices, folder
    with whole_folder(output, own=own, force=force) as part:
        shutil.copytree(nlp.path, part, dirs_exist_ok=True)
        save_thresholds(nlp, component, part)
    return choices, output


def save_thresholds(nlp: Language, component: str, folder: Path) -> None:
    """Write the thresholds of a pipeline to its folder: the component's `cfg` and its section of
    config.cfg. Weights and everything else stay untouched."""
    pipe: Any = nlp.get_pipe(component)
    config = Config().from_disk(folder / "config.cfg", interpolate=False)
    for setting in (SETTING, ENTITY_SETTING):
        config["components"][component][setting] = nlp.config["components"][component][setting]
    with whole_files(_settings(folder, component)) as (cfg_part, config_part):
        with TemporaryDirectory() as temporary:
            pipe.to_disk(temporary, exclude=["model", "vocab"])
            shutil.copyfile(Path(temporary) / "cfg", cfg_part)
        config.to_disk(config_part)


def _settings(folder: Path, component: str) -> Tuple[Path, Path]:
    return folder / component / "cfg", folder / "config.cfg"


def _is_copied(source: Path, output: Path, component: str, file: Path) -> bool:
    """RETURNS (bool): Whether a file of an older output is that of the pipeline, or its settings:
    nothing is lost with it."""
    folder = Path(os.path.realpath(file.parent)).relative_to(os.path.realpath(output))
    original = source / folder / file.name
    if not original.is_file():
        return False
    return original in _settings(source, component) or filecmp.cmp(original, file, shallow=False)
