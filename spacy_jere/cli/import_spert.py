"""`python -m spacy jere import-spert`: a checkpoint of the original SpERT to a spaCy pipeline."""

from pathlib import Path
from typing import Optional

import typer
from wasabi import msg


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
) -> None:
    """Import a checkpoint of the original SpERT."""
    # Deferred, as it imports torch: `python -m spacy` itself must stay quick.
    from ..models.spert_checkpoint import import_spert, read_checkpoint

    try:
        found = read_checkpoint(checkpoint, types)
        nlp = import_spert(
            found,
            lang=lang,
            rel_threshold=rel_threshold,
            max_span_width=max_span_width,
            lowercase=lowercase,
        )
    except (OSError, ValueError) as error:  # OSError: a config.json that transformers can't read
        msg.fail("Can't import the checkpoint", str(error), exits=1)
    nlp.to_disk(output)
    msg.good(f"{checkpoint} -> {output}")
    msg.text(f"Entities: {', '.join(found.entity_labels)}")
    msg.text(f"Relations: {', '.join(found.relation_labels)}")
