"""What several commands share: reading .spacy files, asking a loaded pipeline, printing tables."""

from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Optional, Sequence

from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from spacy.vocab import Vocab
from wasabi import Printer, msg

from ..errors import Errors
from ..formats._writing import whole_text
from ..relations import stored_relations

# Longer cells of a table stand out of their column.
_WIDEST_COLUMN = 40


def read_docs(paths: Iterable[Path]) -> Iterator[Doc]:
    """Read .spacy files and folders of them, one file in memory at a time.

    RETURNS (Iterator[Doc]): The Docs.
    RAISES (ValueError): A path that is neither. It is raised before the first Doc is read, or,
        where only the content of a file is wrong, in its turn.
    """
    files = [file for path in paths for file in _files(path)]
    return (doc for file in files for doc in _read_file(file))


def _files(path: Path) -> List[Path]:
    files = sorted(path.rglob("*.spacy")) if path.is_dir() else [path]
    if not files or not files[0].is_file():
        raise ValueError(Errors.E324.format(path=path))
    return files


def _read_file(path: Path) -> Iterator[Doc]:
    try:
        yield from DocBin().from_disk(path).get_docs(Vocab())
    except Exception as error:
        # zlib, msgpack and DocBin each have errors of their own for bytes that they don't know.
        raise ValueError(Errors.E324.format(path=path)) from error


def joint_components(nlp: Language) -> Dict[str, Any]:
    """RETURNS (Dict[str, Any]): The components `joint_ner_re` of a pipeline, by their names."""
    factories = nlp.pipe_factories
    return {name: pipe for name, pipe in nlp.pipeline if factories.get(name) == "joint_ner_re"}


def comparison_of(nlp: Language) -> Dict[str, Any]:
    """Say how the predictions of a pipeline are compared with annotation.

    RETURNS (Dict[str, Any]): Arguments of `analyze`; empty without a component `joint_ner_re`.
    """
    for component in joint_components(nlp).values():
        return dict(component.comparison)
    return {}


def predict(nlp: Language, examples: Iterable[Example]) -> List[Example]:
    """Predict as `nlp.evaluate` does.

    RETURNS (List[Example]): The examples, with what the pipeline predicts.
    """
    examples = list(examples)
    for example, doc in zip(examples, nlp.pipe(x.predicted for x in examples)):
        example.predicted = doc
    return examples


def check_annotated(examples: Iterable[Example], path: Path) -> None:
    """RAISES (ValueError): There are no annotated entities or relations to compare with."""
    for example in examples:
        gold = example.reference
        if gold.has_annotation("ENT_IOB") or stored_relations(gold) is not None:
            return
    raise ValueError(Errors.E353.format(path=path))


def write_text(path: Path, text: str) -> None:
    """Write a text file that is whole or not there. Missing folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_text(path) as file:
        file.write(text)


def print_table(
    rows: Sequence[Sequence[object]],
    header: Sequence[str],
    *,
    title: str = "",
    aligns: str = "",
    printer: Printer = msg,
) -> None:
    """Print a table, or nothing where it has no rows.

    rows (Sequence[Sequence[object]]): Whole numbers get commas between thousands.
    title (str): Stands in a line above the table.
    aligns (str): "l" or "r" for each column. By default only the first is aligned to the left.
    """
    if not rows:
        return
    if title:
        printer.divider(title)
    cells = [[f"{x:,}" if isinstance(x, int) else str(x) for x in row] for row in rows]
    aligns = aligns or "l" + "r" * (len(header) - 1)
    printer.table(cells, header=header, aligns=[*aligns], divider=True, max_col=_WIDEST_COLUMN)


def percent(score: Optional[float]) -> str:
    """RETURNS (str): A fraction in percent; "-" where there is none."""
    return "-" if score is None else f"{100 * score:.2f}"
