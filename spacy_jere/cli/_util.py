"""What several commands share: failing, reading .spacy files, asking a pipeline, printing."""

import os
import re
import sys
import zlib
from collections import Counter
from contextlib import suppress
from functools import wraps
from itertools import islice
from pathlib import Path
from typing import (
    Any,
    Callable,
    Dict,
    Iterable,
    Iterator,
    List,
    NoReturn,
    Optional,
    Sequence,
    TypeVar,
)

import spacy.util
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from spacy.vocab import Vocab
from tqdm import tqdm
from wasabi import Printer

from ..errors import Errors
from ..formats._reading import SourceError, read_lines
from ..formats._writing import whole_text
from ..formats.rel_component import adopt_relations
from ..relations import stored_relations
from ..training.corpus import JointCorpus

T = TypeVar("T")
Command = TypeVar("Command", bound=Callable[..., None])
# Longer cells of a table stand out of their column.
_WIDEST_COLUMN = 40
# Seconds until a progress bar is shown
_PATIENCE = 3
# What a .spacy file may grow to in memory: at least so many bytes, else so many times its size
_GROWN_SIZE, _GROWTH = 2**27, 100
_CHUNK = 2**20
# Control characters, also those that turn the direction of a text or end a line, and halves of
# characters
_HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


# Commands


def command(failure: str) -> Callable[[Command], Command]:
    """Make a command say in a sentence what is wrong, and exit with 1.

    failure (str): What the command can't do then: "Can't export".
    """

    def decorate(function: Command) -> Command:
        @wraps(function)
        def run(*args: Any, **kwargs: Any) -> None:
            try:
                try:
                    function(*args, **kwargs)
                    sys.stdout.flush()
                except BrokenPipeError:
                    raise
                except (ValueError, OSError, ImportError, MemoryError) as error:
                    msg.fail(failure, str(error) or type(error).__name__, exits=1)
            except BrokenPipeError:
                _end_without_output()

        return run  # type: ignore[return-value]

    return decorate


def _end_without_output() -> NoReturn:
    """Nobody reads the output any more, as behind `| head`."""
    with suppress(OSError, ValueError):
        sys.stderr.write(f"{Errors.E386}\n")
    with suppress(OSError, ValueError):
        # Else Python tries to write the rest when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(1)


def load_pipeline(
    model: str, component: Optional[str] = None, *, any_source: bool = False
) -> Language:
    """Load a pipeline with a component `joint_ner_re`.

    component (Optional[str]): The name of the component; None takes any.
    any_source (bool): Take a pipeline, too, whose relations come from another component: one with
        "doc._.relations" among what it `assigns`.
    RAISES (ValueError): There is no such pipeline, it can't be loaded, or lacks the component.
    """
    try:
        nlp = spacy.util.load_model(model)
    except Exception as error:
        # Packages, configs and saved weights each have errors of their own.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(Errors.E384.format(model=model, reason=reason)) from error
    known = list(joint_components(nlp))
    if any_source:
        assigned = ((name, nlp.get_pipe_meta(name).assigns) for name in nlp.pipe_names)
        known += [name for name, attributes in assigned if "doc._.relations" in attributes]
    if not known or (component is not None and component not in known):
        names = ", ".join(nlp.pipe_names) or "no components"
        name = component or "joint_ner_re"
        raise ValueError(Errors.E342.format(model=model, name=name, names=names))
    return nlp


def progress(things: Iterable[T], total: Optional[int] = None) -> Iterator[T]:
    """Go through things, with a progress bar if that takes more than some seconds and somebody
    looks on."""
    yield from tqdm(things, total=total, delay=_PATIENCE, disable=None, leave=False, unit="docs")


# Data


def read_docs(paths: Iterable[Path], vocab: Optional[Vocab] = None) -> Iterator[Doc]:
    """Read .spacy files and folders of them, one file in memory at a time.

    Docs of spaCy's relation tutorial have theirs in doc._.rel: these become doc._.relations.

    vocab (Optional[Vocab]): That of the Docs; a new one for each file by default.
    RETURNS (Iterator[Doc]): The Docs.
    RAISES (ValueError): A path that is neither. It is raised before the first Doc is read, or,
        where only the content of a file is wrong, in its turn.
    """
    files = [file for path in paths for file in _files(path)]
    docs = (doc for file in files for doc in _read_file(file, vocab))
    return adopt_relations(docs, Counter())


def _files(path: Path) -> List[Path]:
    if path.is_dir():
        # As in training, hidden files and folders are left out.
        found = (x for x in path.rglob("*.spacy") if x.is_file())
        files = sorted(x for x in found if not _is_hidden(x.relative_to(path)))
        if not files:
            raise ValueError(Errors.E324.format(path=path, reason="the folder has none"))
        return files
    if not path.is_file():
        raise ValueError(Errors.E324.format(path=path, reason="there is no such file"))
    return [path]


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _read_file(path: Path, vocab: Optional[Vocab]) -> Iterator[Doc]:
    _check_size(path)
    try:
        yield from DocBin().from_disk(path).get_docs(vocab or Vocab())
    except MemoryError as error:
        reason = "there is not enough memory for it"
        raise ValueError(Errors.E324.format(path=path, reason=reason)) from error
    except Exception as error:
        # msgpack, NumPy and DocBin each have errors of their own for bytes that they don't know.
        reason = f"it holds something else than Docs ({type(error).__name__}: {error})"
        raise ValueError(Errors.E324.format(path=path, reason=reason)) from error


def _check_size(path: Path) -> None:
    """RAISES (ValueError): A file is not compressed as .spacy files are, or it is cut off, or it
    was made to fill the memory."""
    limit = max(_GROWN_SIZE, _GROWTH * path.stat().st_size)
    unpacker, size, reason = zlib.decompressobj(), 0, ""
    try:
        with path.open("rb") as file:
            while chunk := (unpacker.unconsumed_tail or file.read(_CHUNK)):
                size += len(unpacker.decompress(chunk, _CHUNK))
                if unpacker.eof or size > limit:
                    break
        size += 0 if size > limit else len(unpacker.flush())
    except zlib.error:
        header = int.from_bytes(path.open("rb").read(2), "big")
        compressed = header % 31 == 0 and header >> 8 & 15 == zlib.DEFLATED
        reason = "it is damaged" if compressed else "it is not compressed as such files are"
    if not reason and size > limit:
        reason = f"unpacked it would take more than {limit // 2**20:,} MiB of memory"
    elif not reason and not unpacker.eof:
        reason = "it is empty" if not size else "its end is missing"
    if reason:
        raise ValueError(Errors.E324.format(path=path, reason=reason))


def read_examples(nlp: Language, data: Path, limit: int = 0) -> List[Example]:
    """Read annotated texts as `spacy-jere.Corpus.v1` does.

    limit (int): The greatest number of texts; 0 for all.
    RAISES (ValueError): A path that is no .spacy file nor a folder of such.
    """
    docs = islice(read_docs([data], nlp.vocab), limit or None)
    return list(JointCorpus(data).make_examples(nlp, docs))


def read_text_lines(path: Path) -> List[str]:
    """Read a text a line, without white space around it. Empty lines are left out.

    path (Path): A text file, or - for standard input.
    RAISES (ValueError): No such file, or one that is no text.
    """
    if str(path) == "-":
        content = sys.stdin.buffer.read()
        try:
            lines = content.decode("utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            values = {"path": "standard input", "line": line, "position": error.start}
            raise SourceError(Errors.E305.format(**values)) from None
    else:
        lines = [line for _, line in read_lines(path)]
    for number, line in enumerate(lines, 1):
        if "\0" in line:
            raise SourceError(Errors.E385.format(path=path, line=number))
    return [line.strip() for line in lines if line.strip()]


# Pipelines


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
    docs = progress(nlp.pipe(x.predicted for x in examples), len(examples))
    for example, doc in zip(examples, docs):
        example.predicted = doc
    return examples


def check_annotated(examples: Iterable[Example], path: Path) -> None:
    """RAISES (ValueError): There are no annotated entities or relations to compare with."""
    for example in examples:
        gold = example.reference
        if gold.has_annotation("ENT_IOB") or stored_relations(gold) is not None:
            return
    raise ValueError(Errors.E353.format(path=path))


# Printing


def visible(value: object, lines: bool = True) -> str:
    """Show what a terminal would obey, or can't show, as an escape such as \\x1b.

    lines (bool): Leave line breaks and tabs.
    RETURNS (str): The value as a text that only prints.
    """
    text = _HIDDEN.sub(lambda x: _escape(x[0], lines), str(value))
    encoding = getattr(sys.stdout, "encoding", None) or "utf8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _escape(char: str, lines: bool) -> str:
    return char if lines and char in "\n\t" else ascii(char)[1:-1]


class Terminal(Printer):
    """Prints texts, labels and names so that they can't act on the terminal."""

    def text(self, title: Any = "", text: Any = "", *args: Any, **kwargs: Any) -> Any:
        return super().text(visible(title), visible(text), *args, **kwargs)

    def divider(self, text: str = "", *args: Any, **kwargs: Any) -> Any:
        return super().divider(visible(text, lines=False), *args, **kwargs)

    def table(self, data: Any, **kwargs: Any) -> Any:
        rows = [[visible(x, lines=False) for x in row] for row in data]
        header = [visible(x, lines=False) for x in kwargs.pop("header", None) or ()]
        return super().table(rows, header=header or None, **kwargs)


msg = Terminal()


def write_text(path: Path, text: str) -> None:
    """Write a text file that is whole or not there. Missing folders are made."""
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
