"""Who may import whom: the rules of the package's design, checked on its source."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import spacy_jere

ROOT = Path(spacy_jere.__file__).parent
# Each module or folder, and the modules and folders it may import, `errors` aside
ALLOWED = {
    "__init__": {"_version", "relations"},
    "_version": set(),
    "errors": set(),
    "relations": set(),
    "schema": set(),
    "scorer": {"relations"},
    "analysis": {"relations", "scorer"},
    "corpus": {"relations"},
    "callbacks": set(),
    "optimizers": {"optimizers"},
    "labels": {"models.alignment", "schema"},
    "component": {"models.joint", "models.alignment", "models.decoding", "models.types", "labels", "scorer", "relations", "schema"},
    "models.__init__": set(),
    "models.types": set(),
    "models.shim": set(),
    "models.joint": {"models.shim", "models.types"},
    "models.alignment": {"models.joint", "models.types", "relations"},
    "models.decoding": {"models.joint", "models.types", "schema"},
    "models.layers": {"models.layers", "models.shim", "models.types"},
    "formats": {"formats", "relations"},
    "experiments": {"experiments", "relations", "schema", "scorer"},
    "data_check": {"data_check", "relations", "schema"},
    "visualize": {"visualize", "analysis", "relations", "scorer"},
    "cli": {"cli", "formats", "corpus", "scorer", "component", "models.joint", "models.spert_checkpoint", "relations", "data_check", "experiments", "visualize", "analysis"},
}  # fmt: skip
# Any other module of models/ is a paper's
PAPER = {"models.joint", "models.layers", "models.shim", "models.types"}
WITHOUT_TORCH = [
    "spacy_jere", "spacy_jere.relations", "spacy_jere.schema", "spacy_jere.scorer", "spacy_jere.corpus",
    "spacy_jere.formats", "spacy_jere.data_check", "spacy_jere.callbacks", "spacy_jere.cli",
    "spacy_jere.analysis", "spacy_jere.visualize",
]  # fmt: skip
TORCH = {"torch", "torchcrf"}
OPTIONAL = {"ray", "optuna", "rdflib", "pyarrow", "networkx", "transformers", "spacy_transformers"}


def module_name(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


MODULES = {module_name(path): path for path in sorted(ROOT.rglob("*.py"))}


def imports_of(name, tree):
    """Full names, those inside the package from its root: 'torch.nn', 'spacy_jere.models.joint'."""
    package = ["spacy_jere", *name.split(".")[:-1]]
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*base, *filter(None, [node.module])])
            # `from . import x` and `from ..models import x` may name modules.
            found += [
                f"{origin}.{alias.name}" if resolve(f"{origin}.{alias.name}") else origin
                for alias in node.names
            ]
    return found


def resolve(full_name):
    """The module of the package that a name means; None for one that isn't ours."""
    first, *rest = full_name.split(".")
    if first != "spacy_jere":
        return None
    for name in (".".join(rest), ".".join([*rest, "__init__"])):
        if name in MODULES:
            return name
    return None


def parse(name):
    return ast.parse(MODULES[name].read_text(encoding="utf8"))


def at_import(tree):
    """The tree without what runs only when a function is called."""
    tree.body = [x for x in tree.body if not isinstance(x, (ast.FunctionDef, ast.AsyncFunctionDef))]
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            at_import(node)
    return tree


def room(name):
    """The entry of ALLOWED that a module falls under."""
    for entry in (name, *(name.rsplit(".", i)[0] for i in range(1, name.count(".") + 1))):
        if entry in ALLOWED:
            return entry
    return name


def inside(name, tree):
    return {resolve(x) for x in imports_of(name, tree)} - {None}


@pytest.mark.parametrize("name", MODULES)
def test_module_imports_only_what_its_room_may(name):
    own = room(name)
    is_paper = own not in ALLOWED and own.startswith("models.")
    assert own in ALLOWED or is_paper, f"{name} is a new room: write down what it may import"
    allowed = PAPER if is_paper else ALLOWED[own]
    rooms = {room(x) for x in inside(name, parse(name))}
    # The names of the package itself (`from spacy_jere import x`) would hide where they come from.
    assert rooms - {"errors"} <= allowed


def test_the_rules_see_imports():
    assert {"models.joint", "models.layers.birnn"} <= inside(
        "models.task_specific", parse("models.task_specific")
    )
    assert "component" in inside("cli.evaluate", parse("cli.evaluate"))
    assert "component" not in inside("cli.evaluate", at_import(parse("cli.evaluate")))
    assert {"formats.conll04", "formats.record"} <= inside(
        "formats.__init__", parse("formats.__init__")
    )
    assert room("models.layers.crf") == "models.layers"
    assert room("models.task_specific") not in ALLOWED


@pytest.mark.parametrize("name", MODULES)
def test_optional_packages_are_imported_inside_functions(name):
    first_names = {x.split(".")[0] for x in imports_of(name, at_import(parse(name)))}
    assert not first_names & OPTIONAL


@pytest.mark.parametrize(
    "name", [x for x in MODULES if not x.startswith(("models.", "optimizers."))]
)
def test_only_models_import_torch(name):
    assert not {x.split(".")[0] for x in imports_of(name, parse(name))} & TORCH


@pytest.mark.parametrize("full_name", WITHOUT_TORCH)
def test_nothing_on_the_way_imports_torch(full_name):
    waiting, seen = [resolve(full_name)], set()
    while waiting:
        name = waiting.pop()
        seen.add(name)
        imports = imports_of(name, at_import(parse(name)))
        assert not {x.split(".")[0] for x in imports} & TORCH, name
        waiting += {resolve(x) for x in imports} - {None} - seen
    assert not any(x.startswith("models.") for x in seen)


def test_without_torch_all_but_the_models_works():
    # Thinc itself imports torch where it is installed, so torch is hidden here.
    code = f"""
import importlib, sys, warnings
warnings.simplefilter("error")
sys.modules["torch"] = None
for name in {WITHOUT_TORCH!r}:
    importlib.import_module(name)
from spacy.tokens import Doc
from spacy.training import Example
from spacy.vocab import Vocab
from spacy_jere.scorer import score_joint
doc = Doc(Vocab(), ["Ada", "met", "Bo"])
doc._.relations = [((0, 3, "PER"), (8, 10, "PER"), "MET")]
print(score_joint([Example(doc, doc.copy())])["rels_f"])
print(sorted(x for x in sys.modules if x.split(".")[0] in {sorted(TORCH | OPTIONAL)!r} and sys.modules[x]))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split("\n")[:2] == ["1.0", "[]"]


def test_corpus_needs_nothing_of_spacy_but_docs_and_training():
    ours = [x for x in imports_of("corpus", parse("corpus")) if x.split(".")[0] == "spacy"]
    assert set(ours) == {"spacy.language", "spacy.tokens", "spacy.training"}
