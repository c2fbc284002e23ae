"""`python -m spacy jere debug-data`: what is in training data, what is wrong with it, which settings suit it."""

from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

import spacy.util
import typer
from wasabi import msg

from ..data_check import check_data
from ..errors import Errors
from ._docs import read_docs


def debug_data_cli(
    config: Optional[Path] = typer.Argument(
        None, help="Config to take paths and settings from", exists=True, dir_okay=False
    ),
    train: Optional[Path] = typer.Option(None, "--train", "-t", help=".spacy file or folder"),
    dev: Optional[Path] = typer.Option(None, "--dev", "-d", help=".spacy file or folder"),
    max_span_width: Optional[int] = typer.Option(
        None, "--max-span-width", "-w", help="Limit for an entity's tokens; 10, or the config's"
    ),
) -> None:
    """Check data before training. Exits with 1 where training would stop with an error."""
    try:
        settings = {} if config is None else config_settings(config)
        given = {"train": train, "dev": dev, "max_span_width": max_span_width}
        settings.update({key: value for key, value in given.items() if value is not None})
        if "train" not in settings:
            raise ValueError(Errors.E330)
        data = debug_data(**settings)
    except ValueError as error:
        msg.fail("Can't check the data", str(error), exits=1)
    print_data(data)
    if any(finding["level"] == "error" for finding in data["findings"]):
        raise typer.Exit(1)


def debug_data(train: Path, dev: Optional[Path] = None, **settings: Any) -> Dict[str, Any]:
    """RETURNS (Dict[str, Any]): What `check_data` says of .spacy files, or folders of them.

    settings: Those of `check_data`.
    RAISES (ValueError): A file that is missing or not a .spacy file.
    """
    return check_data(read_docs([train]), None if dev is None else read_docs([dev]), **settings)


def config_settings(path: Path) -> Dict[str, Any]:
    """RETURNS (Dict[str, Any]): `train` and `dev`, where the config has these paths, and arguments of `check_data`.

    RAISES (ValueError): The config has no component joint_ner_re.
    """
    config = spacy.util.load_config(path, interpolate=False)
    components = config.get("components", {}).values()
    found = [x for x in components if x.get("factory") == "joint_ner_re"]
    if not found:
        raise ValueError(Errors.E331.format(path=path))
    settings = {key: found[0][key] for key in ("window", "spans_key", "schema") if key in found[0]}
    # Models without this setting take entities of any width.
    settings["max_span_width"] = found[0].get("model", {}).get("max_span_width", 0)
    paths = {key: config.get("paths", {}).get(key) for key in ("train", "dev")}
    return {**settings, **{key: Path(value) for key, value in paths.items() if value}}


def print_data(data: Dict[str, Any]) -> None:
    """Print tables, findings and suggestions."""
    splits = data["splits"]
    msg.divider("Data")
    rows = ["documents", "tokens"]
    _table({name: {key: x[key] for key in rows} for name, x in splits.items()})
    _print_findings(data, "documents")
    for topic in ("entities", "relations"):
        msg.divider(topic.capitalize())
        _table({name: x[topic] for name, x in splits.items()})
        if topic == "entities":
            _print_widths(splits["train"]["entity_widths"])
        else:
            _print_pairs(splits["train"])
        _print_findings(data, topic)
    if "dev" in splits:
        msg.divider("Train and dev")
        _print_findings(data, "splits")
    _print_suggestions(data["suggestions"])


def _table(columns: Dict[str, Dict[str, int]]) -> None:
    rows = dict.fromkeys(row for column in columns.values() for row in column)
    table = [(row, *(f"{x.get(row, 0):,}" for x in columns.values())) for row in rows]
    if table:
        msg.table(table, header=("", *columns), aligns=("l", *("r" for _ in columns)), divider=True)


def _print_widths(widths: Dict[int, int]) -> None:
    if widths:
        mean = sum(width * n for width, n in widths.items()) / sum(widths.values())
        msg.text(f"Entities of train have {mean:.1f} tokens in the mean, {max(widths)} at most")


def _print_pairs(train: Dict[str, Any]) -> None:
    rows: List[Any] = []
    for pair in train["type_pairs"]:
        labels = [
            f"{x['relation']} {x['relations']:,}"
            for x in train["directions"]
            if (x["head"], x["tail"]) == (pair["head"], pair["tail"])
        ]
        share = f"{100 * pair['related'] / pair['pairs']:.1f}"
        row = (pair["head"], pair["tail"], f"{pair['pairs']:,}", share, ", ".join(labels))
        rows.append(row)
    if rows:
        header = ("Head", "Tail", "Pairs", "Related %", "Relations (train)")
        msg.table(rows, header=header, aligns=("l", "l", "r", "r", "l"), divider=True)


def _print_findings(data: Dict[str, Any], topic: str) -> None:
    printers: Dict[str, Callable[..., Any]] = {
        "error": msg.fail,
        "warning": msg.warn,
        "info": msg.info,
    }
    found = [x for x in data["findings"] if x["topic"] == topic]
    for finding in found:
        printers[finding["level"]](finding["text"])
    if not any(x["level"] in ("error", "warning") for x in found):
        msg.good("No problems found")


def _print_suggestions(suggestions: Dict[str, Any]) -> None:
    msg.divider("Settings that suit the training data")
    msg.text(f'window = "{suggestions["window"]}"')
    if suggestions["max_span_width"] is not None:
        msg.text(f"max_span_width = {suggestions['max_span_width']} (in models that have it)")
    if suggestions["schema"]:
        typer.echo(f"\n{suggestions['schema']}")  # msg would wrap its lines
