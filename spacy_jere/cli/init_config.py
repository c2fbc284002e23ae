"""`python -m spacy jere init-config`: a config that suits the data, setting by setting."""

import json
from pathlib import Path
from shlex import quote
from typing import Any, List, Optional

import typer
from wasabi import Printer

from ..errors import Errors
from ..formats._writing import check_output
from ..init_config import Made
from ..init_config import init_config as init_config_from_docs
from ._util import Terminal, command, msg, progress, read_docs, visible, write_text


@command("Can't make a config")
def init_config_cli(
    output: Path = typer.Argument(..., help="Config file to write"),
    train: Path = typer.Option(..., "--train", "-t", help=".spacy file or folder"),
    dev: Path = typer.Option(..., "--dev", "-d", help=".spacy file or folder"),
    encoder: Optional[str] = typer.Option(
        None, "--encoder", "-e", help="Pretrained transformer: name on the hub or folder"
    ),
    vectors: Optional[str] = typer.Option(
        None, "--vectors", "-v", help="Word vectors: an .npz file, or a pipeline by name or folder"
    ),
    model: Optional[str] = typer.Option(
        None, "--model", "-m", help="birnn, spert or spert_mt; by the data if left out"
    ),
    gpu: bool = typer.Option(False, "--gpu", "-G", help="Plan for training on a GPU"),
    optimize: Optional[str] = typer.Option(
        None, "--optimize", "-o", help="speed or accuracy, for what the data leaves open"
    ),
    minutes: Optional[float] = typer.Option(
        None, "--minutes", help="Time for the training; its speed is measured here"
    ),
    lang: Optional[str] = typer.Option(
        None, "--lang", "-l", help="Language; that of the vectors, or en, if left out"
    ),
    force: bool = typer.Option(False, "--force", help="Replace a file that is there"),
    no_format: bool = typer.Option(False, "--no-format", "-NF", help="Plain text, for files"),
) -> None:
    """Make a config from annotated data, and say why each setting is as it is."""
    if output.exists() and not output.is_dir() and not force:
        raise ValueError(Errors.E354.format(output=output))
    check_output(output, [train, dev])
    made = init_config(
        train,
        dev,
        encoder=encoder,
        vectors=vectors,
        model=model,
        gpu=gpu,
        optimize=optimize,
        minutes=minutes,
        lang=lang,
    )
    write_text(output, config_text(made))
    printer = Terminal(pretty=False) if no_format else msg
    print_made(made, printer)
    printer.good(f"Saved to {output}")
    print_next(output, dev, gpu)


def init_config(train: Path, dev: Path, **wishes: Any) -> Made:
    """Make a config for .spacy files, or folders of them.

    wishes: Arguments of `spacy_jere.init_config.init_config`.
    RETURNS (Made): The config, and the choices with their reasons.
    RAISES (ValueError): As that function, or a file that is missing or not a .spacy file.
    """
    docs = [progress(read_docs([path])) for path in (train, dev)]
    return init_config_from_docs(*docs, train_path=str(train), dev_path=str(dev), **wishes)


def config_text(made: Made) -> str:
    """RETURNS (str): The content of a config file. The reasons stand above the settings."""
    lines = ["# Made by `python -m spacy jere init-config`. What was chosen, and why:", "#"]
    lines += [f"# {line}" for line in _lines(made)]
    return "\n".join(lines) + f"\n\n{made.config.to_str()}\n"


def print_made(made: Made, printer: Printer = msg) -> None:
    """Print the counts of the data, and each choice in a line."""
    facts = made.facts
    printer.divider("Data")
    for name, counts in (("train", facts.train), ("dev", facts.dev)):
        entities, relations = counts["entities"], counts["relations"]
        printer.text(
            f"{name}: {counts['documents']:,} texts, {counts['tokens']:,} tokens, "
            f"{sum(entities.values()):,} entities of {len(entities)} labels, "
            f"{sum(relations.values()):,} relations of {len(relations)} labels"
        )
    if facts.leaked_documents:
        printer.warn(
            f"{facts.leaked_documents:,} texts of dev are in train, too: scores will be too good"
        )
    if facts.n_relations and not facts.dev["relations"]:
        printer.warn("dev has no relations: the best pipeline is chosen by its entities alone")
    printer.divider("Settings")
    for line in _lines(made):
        typer.echo(line)  # the printer would wrap it


def print_next(output: Path, dev: Path, gpu: bool) -> None:
    """Print the commands that follow."""
    on_gpu = " --gpu-id 0" if gpu else ""
    best, data = "training/model-best", quote(str(dev))
    commands = [
        f"train {quote(str(output))} --output training{on_gpu}",
        f"jere find-thresholds {best} {data}{on_gpu}",
        f"jere evaluate {best} TEST.spacy{on_gpu}",
    ]
    typer.echo("\nTrain, choose thresholds for entities and relations, evaluate:\n")
    for line in commands:
        typer.echo(visible(f"python -m spacy {line}"))


def _lines(made: Made) -> List[str]:
    """RETURNS (List[str]): A line for each choice. Labels can't break or hide anything in it."""
    rows = [(f"{x.name} = {_shown(x.value)}", x.reason) for x in made.choices]
    width = max(len(setting) for setting, _ in rows)
    return [visible(f"{setting:<{width}}  {reason}", lines=False) for setting, reason in rows]


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
