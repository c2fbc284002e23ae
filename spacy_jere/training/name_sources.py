"""Where `spacy-jere.replace_mentions.v1` takes names from: data, files, Faker."""

import random
from collections import defaultdict
from importlib import import_module
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Protocol, Sequence, Tuple, Union

from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab

from ..errors import Errors

AnyPath = Union[str, Path]


class Source(Protocol):
    """Names by entity label."""

    def labels(self) -> Sequence[str]:
        """RETURNS (Sequence[str]): The labels that it has names for."""

    def draw(self, label: str, rng: random.Random) -> str:
        """RETURNS (str): One of the names of a label."""


class NamesOfData:
    """The entities of .spacy files, each once. They are read when the first name is wanted."""

    def __init__(self, path: Path):
        self.path = path
        self._names: Optional[Dict[str, List[str]]] = None

    def labels(self) -> Sequence[str]:
        return list(self.names)

    def draw(self, label: str, rng: random.Random) -> str:
        return rng.choice(self.names[label])

    @property
    def names(self) -> Dict[str, List[str]]:
        if self._names is None:
            found: Dict[str, set] = defaultdict(set)
            for doc in self._docs():
                for ent in doc.ents:
                    found[ent.label_].add(_plain(ent.text))
            if not found:
                raise ValueError(Errors.E436.format(path=self.path, reason="it has no entities"))
            self._names = {label: sorted(found[label]) for label in sorted(found)}
        return self._names

    def _docs(self) -> Iterator[Doc]:
        paths = sorted(self.path.rglob("*.spacy")) if self.path.is_dir() else [self.path]
        vocab = Vocab()
        for path in paths:
            try:
                yield from DocBin().from_disk(path).get_docs(vocab)
            except Exception as error:  # of the file system, msgpack, NumPy or DocBin
                reason = f"it is no .spacy file ({str(error) or type(error).__name__})"
                raise ValueError(Errors.E436.format(path=path, reason=reason)) from error


class NamesOfFiles:
    """The lines of text files."""

    def __init__(self, files: Union[AnyPath, Dict[str, AnyPath]]):
        found: Dict[str, Dict[str, None]] = defaultdict(dict)
        if isinstance(files, dict):
            for label, path in files.items():
                found[label].update(dict.fromkeys(_plain(x) for _, x in _lines(Path(path))))
        else:
            path = Path(files)
            for number, line in _lines(path):
                label, _, name = map(_plain, line.partition("\t"))
                if not (label and name):
                    reason = f"line {number} is no label, tab and name: {line[:60]!r}"
                    raise ValueError(Errors.E436.format(path=path, reason=reason))
                found[label][name] = None
        self.names = {label: list(names) for label, names in found.items()}

    def labels(self) -> Sequence[str]:
        return list(self.names)

    def draw(self, label: str, rng: random.Random) -> str:
        return rng.choice(self.names[label])


def _lines(path: Path) -> Iterator[Tuple[int, str]]:
    """RETURNS (Iterator[Tuple[int, str]]): The numbers and texts of lines that are not empty."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(Errors.E436.format(path=path, reason=str(error))) from error
    found = [(i, line) for i, line in enumerate(lines, 1) if line.strip()]
    if not found:
        raise ValueError(Errors.E436.format(path=path, reason="it has no names"))
    yield from found


def _plain(name: str) -> str:
    """RETURNS (str): The name with single spaces."""
    return " ".join(name.split())


class NamesOfFaker:
    """Invented names. https://faker.readthedocs.io"""

    def __init__(self, methods: Dict[str, str], locales: Optional[List[str]], seed: int):
        try:
            package: Any = import_module("faker")
        except ImportError as error:
            raise ImportError(Errors.E437) from error
        try:
            self.fake = package.Faker(locales or ["en_US"])
        except AttributeError as error:
            require("locales", False, f"locales of Faker ({error})", locales)
        self.fake.seed_instance(seed)
        for label, method in methods.items():
            self._call(label, method)
        self.methods = dict(methods)

    def labels(self) -> Sequence[str]:
        return list(self.methods)

    def draw(self, label: str, rng: random.Random) -> str:
        return self._call(label, self.methods[label])

    def _call(self, label: str, method: str) -> str:
        try:
            name = getattr(self.fake, method)()
        except (AttributeError, TypeError) as error:
            require(f"faker of {label!r}", False, f"a method of Faker ({error})", method)
        return _plain(str(name))


def require(setting: str, fits: bool, wanted: str, value: Any) -> None:
    """RAISES (ValueError): The setting doesn't fit."""
    if not fits:
        raise ValueError(Errors.E435.format(setting=setting, wanted=wanted, value=value))
