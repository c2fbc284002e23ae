"""`python -m spacy jere debug-data`: counts, faults and suitable settings of training data."""

from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

import spacy.util
import typer
from spacy.cli._util import parse_config_overrides
from wasabi import Printer

from ..debug_data import debug_data as debug_docs
from ..errors import Errors
from ..formats._reading import shorten
from ._util import Terminal, command, msg, print_table, progress, read_docs, visible


@command("Can't check the data")
def debug_data_cli(
    ctx: typer.Context,
    config: Optional[Path] = typer.Argument(
        None, help="Config to take paths and settings from", exists=True, dir_okay=False
    ),
    train: Optional[Path] = typer.Option(None, "--train", "-t", help=".spacy file or folder"),
    dev: Optional[Path] = typer.Option(None, "--dev", "-d", help=".spacy file or folder"),
    max_span_width: Optional[int] = typer.Option(
        None, "--max-span-width", "-w", help="Limit for an entity's tokens; 10, or the config's"
    ),
    verbose: bool = typer.Option(False, "--verbose", "-V", help="List the texts that occur twice"),
    no_format: bool = typer.Option(False, "--no-format", "-NF", help="Plain text, for files"),
) -> None:
    """Check data before training. Exits with 1 where training would stop with an error.

    Settings of the config can be changed as in training: --paths.train my.spacy
    """
    overrides = parse_config_overrides(ctx.args)
    settings = {} if config is None else config_settings(config, overrides)
    given = {"train": train, "dev": dev, "max_span_width": max_span_width}
    settings.update({key: value for key, value in given.items() if value is not None})
    if "train" not in settings:
        raise ValueError(Errors.E330)
    data = debug_data(**settings)
    print_data(data, verbose, Terminal(pretty=False) if no_format else msg)
    if any(finding["level"] == "error" for finding in data["findings"]):
        raise typer.Exit(1)


def debug_data(train: Path, dev: Optional[Path] = None, **settings: Any) -> Dict[str, Any]:
    """Check .spacy files, or folders of them.

    settings: Arguments of `spacy_jere.debug_data.debug_data`.
    RETURNS (Dict[str, Any]): The result of that function.
    RAISES (ValueError): A file that is missing or not a .spacy file.
    """
    dev_docs = None if dev is None else progress(read_docs([dev]))
    return debug_docs(progress(read_docs([train])), dev_docs, **settings)


def config_settings(path: Path, overrides: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
    """Take settings from a config.

    overrides (Optional[Dict[str, Any]]): Values by their dotted names.
    RETURNS (Dict[str, Any]): Arguments of `debug_data`. `train` and `dev` only where the config has
        these paths.
    RAISES (ValueError): The config can't be read, or has no component joint_ner_re.
    """
    config = spacy.util.load_config(path, overrides=overrides or {}, interpolate=False)
    components = config.get("components", {}).values()
    found = [x for x in components if x.get("factory") == "joint_ner_re"]
    if not found:
        raise ValueError(Errors.E331.format(path=path))
    taken = ("window", "spans_key", "max_distance", "schema")
    settings = {key: found[0][key] for key in taken if key in found[0]}
    # Models without this setting take entities of any width.
    spans = found[0].get("model", {}).get("spans") or {}
    settings["max_span_width"] = spans.get("max_span_width", 0)
    paths = {key: config.get("paths", {}).get(key) for key in ("train", "dev")}
    return {**settings, **{key: Path(value) for key, value in paths.items() if value}}


def print_data(data: Dict[str, Any], verbose: bool = False, printer: Printer = msg) -> None:
    """Print tables, findings and suggestions.

    verbose (bool): Also list the texts that occur twice.
    """
    splits = data["splits"]
    printer.divider("Data")
    rows = ["documents", "tokens"]
    _print_counts(printer, {name: {key: x[key] for key in rows} for name, x in splits.items()})
    _print_findings(printer, data, "documents")
    if verbose:
        for counts in splits.values():
            _print_texts(printer, counts["repeated_texts"])
    for topic in ("entities", "relations"):
        printer.divider(topic.capitalize())
        _print_counts(printer, {name: x[topic] for name, x in splits.items()})
        if topic == "entities":
            _print_widths(printer, splits["train"]["entity_widths"])
        else:
            _print_pairs(printer, splits["train"])
        _print_findings(printer, data, topic)
    if "dev" in splits:
        printer.divider("Train and dev")
        _print_findings(printer, data, "splits")
        if verbose:
            _print_texts(printer, data["leaked_texts"])
    _print_suggestions(printer, data["suggestions"])


def _print_texts(printer: Printer, texts: Dict[str, int]) -> None:
    for text, n in texts.items():
        printer.text(f"{n:>6,}  {shorten(text)}")


def _print_counts(printer: Printer, columns: Dict[str, Dict[str, int]]) -> None:
    names = dict.fromkeys(name for column in columns.values() for name in column)
    rows = [(name, *(x.get(name, 0) for x in columns.values())) for name in names]
    print_table(rows, ("", *columns), printer=printer)


def _print_widths(printer: Printer, widths: Dict[int, int]) -> None:
    if widths:
        mean = sum(width * n for width, n in widths.items()) / sum(widths.values())
        printer.text(f"Entities of train have {mean:.1f} tokens in the mean, {max(widths)} at most")


def _print_pairs(printer: Printer, train: Dict[str, Any]) -> None:
    rows: List[Any] = []
    for pair in train["type_pairs"]:
        labels = [
            f"{x['relation']} {x['relations']:,}"
            for x in train["directions"]
            if (x["head"], x["tail"]) == (pair["head"], pair["tail"])
        ]
        share = f"{100 * pair['related'] / pair['pairs']:.1f}"
        rows.append((pair["head"], pair["tail"], pair["pairs"], share, ", ".join(labels)))
    header = ("Head", "Tail", "Pairs", "Related %", "Relations (train)")
    print_table(rows, header, aligns="llrrl", printer=printer)


def _print_findings(printer: Printer, data: Dict[str, Any], topic: str) -> None:
    printers: Dict[str, Callable[..., Any]] = {
        "error": printer.fail,
        "warning": printer.warn,
        "info": printer.info,
    }
    found = [x for x in data["findings"] if x["topic"] == topic]
    for finding in found:
        printers[finding["level"]](finding["text"])
    if not any(x["level"] in ("error", "warning") for x in found):
        printer.good("No problems found")


def _print_suggestions(printer: Printer, suggestions: Dict[str, Any]) -> None:
    printer.divider("Settings that suit the training data")
    printer.text(f'window = "{suggestions["window"]}"')
    if suggestions["max_span_width"] is not None:
        printer.text(f"max_span_width = {suggestions['max_span_width']} (in models that have it)")
    if suggestions["schema"]:
        typer.echo(f"\n{visible(suggestions['schema'])}")  # the printer would wrap its lines
