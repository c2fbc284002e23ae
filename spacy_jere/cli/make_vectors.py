"""`python -m spacy jere make-vectors`: word vectors distilled from a transformer."""

from pathlib import Path
from typing import Any, List, Optional

import numpy
import typer
from spacy.cli._util import setup_gpu

from ..errors import Errors
from ..formats._reading import OptionError, read_lines
from ..formats._writing import check_output, whole_folder
from ..vectors.compact import SUFFIX, WordVectors, read_compact, write_compact
from ..vectors.distill import load_encoder, reduced, vocabulary_words, word_vectors
from ..vectors.spacy_vectors import pipeline_of
from ._util import command, msg, progress

# Words between two steps of the progress bar
_WORDS_AT_ONCE = 512


@command("Can't make vectors")
def make_vectors_cli(
    encoder: str = typer.Argument(
        ..., help="A transformer, by hub name or folder, or an .npz file"
    ),
    output: Path = typer.Argument(
        ..., help="An .npz file, or the folder of a pipeline that holds the vectors"
    ),
    words: Optional[Path] = typer.Option(
        None, "--words", "-w", help="A word a line; the encoder's own whole words by default"
    ),
    layers: str = typer.Option("0,2,4,6", "--layers", help="Hidden states, side by side"),
    dimensions: int = typer.Option(96, "--dimensions", "-d", help="Dimensions that are kept"),
    remove_common: int = typer.Option(
        0, "--remove-common", help="How many of the strongest components are left out"
    ),
    lang: str = typer.Option("en", "--lang", "-l", help="Language of a pipeline"),
    force: bool = typer.Option(
        False, "--force", help="Write into a folder that holds other things; they stay"
    ),
    use_gpu: int = typer.Option(-1, "--gpu-id", "-g", help="GPU ID or -1 for CPU"),
) -> None:
    """Distill word vectors from a transformer."""
    setup_gpu(use_gpu, silent=True)
    is_file = output.suffix == SUFFIX
    sources = [x for x in (Path(encoder), words) if x is not None]
    check_output(output, sources, folder=not is_file, own=_never, force=force)
    if Path(encoder).suffix == SUFFIX:
        vectors = read_compact(encoder)
    else:
        vectors = distill(
            encoder,
            words=None if words is None else read_words(words),
            layers=_numbers(layers),
            dimensions=dimensions,
            n_common=remove_common,
        )
    if is_file:
        write_compact(output, vectors)
    else:
        with whole_folder(output, own=_never, force=force) as folder:
            pipeline_of(vectors, lang).to_disk(folder)
    n_words, width = vectors.table.shape
    msg.good(f"{n_words:,} vectors of {width} dimensions -> {output}")


def distill(
    encoder: str,
    *,
    words: Optional[List[str]] = None,
    layers: List[int],
    dimensions: int,
    n_common: int = 0,
) -> WordVectors:
    """Read words with a transformer and reduce what it says of them.

    words (Optional[List[str]]): None takes the whole words of its vocabulary.
    n_common (int): How many of the strongest components are left out.
    RAISES (ValueError): The transformer can't be loaded, or a setting doesn't fit it.
    """
    found = load_encoder(encoder)
    words = vocabulary_words(found) if words is None else words
    parts = range(0, len(words), _WORDS_AT_ONCE)
    tables: List[Any] = [
        word_vectors(found, words[i : i + _WORDS_AT_ONCE], layers) for i in progress(parts)
    ]
    if not tables:
        raise ValueError(Errors.E438.format(wanted=dimensions, most=0))
    table = reduced(numpy.concatenate(tables), dimensions, n_common)
    about = {"name": Path(encoder).name, "layers": layers, "remove_common": n_common}
    return WordVectors(words, table, about)


def read_words(path: Path) -> List[str]:
    """RETURNS (List[str]): The words of a file with one a line, each once."""
    return list(dict.fromkeys(line.strip() for _, line in read_lines(path) if line.strip()))


def _numbers(text: str) -> List[int]:
    try:
        return [int(x) for x in text.split(",")]
    except ValueError as error:
        wanted = "numbers separated by commas"
        message = Errors.E405.format(setting="--layers", wanted=wanted, value=text)
        raise OptionError(message) from error


def _never(path: Path) -> bool:
    # Other pipelines look alike.
    return False
