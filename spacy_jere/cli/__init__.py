"""`python -m spacy jere …`: one file per command."""

import typer
from spacy.cli._util import app as spacy_app

from .convert import convert_cli
from .debug_data import debug_data_cli
from .error_analysis import error_analysis_cli
from .evaluate import evaluate_cli
from .export import export_cli
from .extract import extract_cli
from .find_thresholds import find_thresholds_cli
from .import_spert import import_spert_cli
from .init_config import init_config_cli
from .make_vectors import make_vectors_cli
from .visualize import visualize_cli

app = typer.Typer(name="jere", help="Joint entity and relation extraction.", no_args_is_help=True)
app.command("convert")(convert_cli)
# Options that the command doesn't know are settings of the config.
app.command(
    "debug-data", context_settings={"allow_extra_args": True, "ignore_unknown_options": True}
)(debug_data_cli)
app.command("error-analysis")(error_analysis_cli)
app.command("errors", hidden=True)(error_analysis_cli)
app.command("evaluate")(evaluate_cli)
app.command("export")(export_cli)
app.command("extract")(extract_cli)
app.command("find-thresholds")(find_thresholds_cli)
app.command("import-spert")(import_spert_cli)
app.command("init-config")(init_config_cli)
app.command("make-vectors")(make_vectors_cli)
app.command("visualize")(visualize_cli)
spacy_app.add_typer(app)
