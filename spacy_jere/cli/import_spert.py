"""`python -m spacy jere import-spert`: a checkpoint of the original SpERT to a spaCy pipeline."""

from pathlib import Path
from typing import Optional

import typer

from ..formats._writing import check_output, whole_folder
from ._util import command, msg


@command("Can't import the checkpoint")
def import_spert_cli(
    checkpoint: Path = typer.Argument(
        ..., help="Folder of the checkpoint", exists=True, file_okay=False
    ),
    output: Path = typer.Argument(..., help="Folder for the pipeline"),
    types: Optional[Path] = typer.Option(
        None, "--types", help="File with the labels; types.json in the folder by default"
    ),
    lang: str = typer.Option("en", "--lang", "-l", help="Language of the texts"),
    rel_threshold: float = typer.Option(
        0.4, "--rel-threshold", help="Least probability of a relation"
    ),
    max_span_width: int = typer.Option(10, "--max-span-width", help="Widest entity, in tokens"),
    lowercase: Optional[bool] = typer.Option(
        None,
        "--lowercase/--cased",
        help="What the encoder reads; told from the checkpoint by default",
    ),
    force: bool = typer.Option(
        False, "--force", help="Write into a folder that holds other things; they stay"
    ),
) -> None:
    """Import a checkpoint of the original SpERT."""
    # Deferred, as it imports torch: `python -m spacy` itself must stay quick.
    from ..models.spert_checkpoint import import_spert, read_checkpoint

    check_output(
        output, [checkpoint, *([types] if types else [])], folder=True, own=_never, force=force
    )
    found = read_checkpoint(checkpoint, types)
    nlp = import_spert(
        found,
        lang=lang,
        rel_threshold=rel_threshold,
        max_span_width=max_span_width,
        lowercase=lowercase,
    )
    with whole_folder(output, own=_never, force=force) as folder:
        nlp.to_disk(folder)
    msg.good(f"{checkpoint} -> {output}")
    msg.text(f"Entities: {', '.join(found.entity_labels)}")
    msg.text(f"Relations: {', '.join(found.relation_labels)}")


def _never(path: Path) -> bool:
    # The weights of a pipeline may have been trained further since it was imported.
    return False
