"""Who may import whom: the rules of docs/architecture.md, checked on the package's source.

One test for each rule; it lists every offender.
"""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import spacy_jere

ROOT = Path(spacy_jere.__file__).parent
GROUND = {"errors", "relations", "schema", "windows"}
OF_PAPERS = {"errors", "models.joint", "models.kernels", "models.layers", "models.shim"}
# Each module or folder, and the modules and folders that it may import beside itself
ALLOWED = {
    "__init__": {"_version", "relations"},
    "_version": set(),
    "errors": set(),
    "relations": {"errors"},
    "schema": {"errors"},
    "windows": set(),
    "formats": GROUND,
    "evaluation": GROUND,
    "training": GROUND,
    "export": {"formats", "evaluation", *GROUND},
    "debug_data": {"formats", "evaluation", *GROUND},
    "init_config": {"debug_data", "vectors", *GROUND},
    "visualize": {"formats", "evaluation", *GROUND},
    "models.__init__": set(),
    "models.types": set(),
    "models.kernels": set(),
    "models.storage": {"errors"},
    "models.stored_model": {"errors", "models.storage"},
    "models.shim": {"errors", "models.storage"},
    "models.upstream": {"errors"},
    "models.joint": {
        "errors",
        "models.shim",
        "models.storage",
        "models.stored_model",
        "models.types",
        "models.upstream",
    },
    "models.layers": {"errors", "models.kernels", "models.shim", "models.types"},
    "models.tok2vec": {
        "errors",
        "models.layers",
        "models.shim",
        "models.storage",
        "models.stored_model",
        "models.types",
    },
    "vectors": {"formats", *GROUND},
    "models.task_specific": {"models.types", *OF_PAPERS},
    "models.spert": {"models.types", *OF_PAPERS},
    # `class SpERTMT(SpERT)`: the one paper that is written as what it adds to another
    "models.spert_mt": {"models.types", "models.spert", *OF_PAPERS},
    "models.spert_files": {"errors", "models.storage"},
    "models.spert_checkpoint": {
        "errors",
        "models.joint",
        "models.shim",
        "models.spert_files",
        "models.storage",
    },
    "pipeline": {
        "models.joint",
        "models.storage",
        "models.types",
        "evaluation.scorer",
        *GROUND,
    },
    "cli": {
        "vectors",
        "visualize",
        "export",
        "debug_data",
        "init_config",
        "evaluation",
        "formats",
        "training",
        *GROUND,
    },
}
# What a command loads when it runs: `python -m spacy` itself must stay quick
ALLOWED_LATER = {
    "cli": {"models.joint", "models.spert_checkpoint"},
    "vectors": {"models.tok2vec"},
}
WITHOUT_TORCH = [
    "spacy_jere",
    "spacy_jere.cli",
    "spacy_jere.debug_data",
    "spacy_jere.evaluation.error_analysis",
    "spacy_jere.evaluation.scorer",
    "spacy_jere.evaluation.thresholds",
    "spacy_jere.export",
    "spacy_jere.formats",
    "spacy_jere.init_config",
    "spacy_jere.relations",
    "spacy_jere.schema",
    "spacy_jere.training.callbacks",
    "spacy_jere.training.corpus",
    "spacy_jere.training.schedules",
    "spacy_jere.vectors.compact",
    "spacy_jere.vectors.spacy_vectors",
    "spacy_jere.visualize",
    "spacy_jere.windows",
]
TORCH = {"torch", "torchcrf"}
WITH_TORCH = {"models", "training.adamw", "vectors.distill"}
OPTIONAL = {
    "ray",
    "optuna",
    "rdflib",
    "pyarrow",
    "networkx",
    "faker",
    "transformers",
    "spacy_transformers",
    "spacy_curated_transformers",
}


def module_name(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


MODULES = {module_name(path): path for path in sorted(ROOT.rglob("*.py"))}


def parse(name):
    return ast.parse(MODULES[name].read_text(encoding="utf8"))


def at_import(tree):
    """The tree without what runs only when a function is called."""
    tree.body = [x for x in tree.body if not isinstance(x, (ast.FunctionDef, ast.AsyncFunctionDef))]
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            at_import(node)
    return tree


def resolve(full_name):
    """The module of the package that a name means; None for one that isn't ours."""
    first, *rest = full_name.split(".")
    if first != "spacy_jere":
        return None
    for name in (".".join(rest), ".".join([*rest, "__init__"])):
        if name in MODULES:
            return name
    return None


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


def inside(name, tree=None):
    return {resolve(x) for x in imports_of(name, tree or parse(name))} - {None}


def packages(name, tree=None):
    """The first names of what a module imports from elsewhere."""
    return {x.split(".")[0] for x in imports_of(name, tree or parse(name))}


def belongs(name, entries):
    """The entry that a module falls under, the module itself or a folder; None without one."""
    parents = (name.rsplit(".", i)[0] for i in range(1, name.count(".") + 1))
    return next((entry for entry in (name, *parents) if entry in entries), None)


def room(name):
    return belongs(name, ALLOWED)


# Rules


def test_every_module_has_a_room():
    assert [name for name in MODULES if room(name) is None] == []


@pytest.mark.slow
def test_modules_import_only_what_their_room_may():
    offenders = []
    for name in MODULES:
        own = room(name)
        allowed, later = ALLOWED[own] | {own}, ALLOWED_LATER.get(own, set())
        when_called = inside(name) - inside(name, at_import(parse(name)))
        for imported in inside(name):
            entries = allowed | later if imported in when_called else allowed
            if belongs(imported, entries) is None:
                offenders.append(f"{name} -> {imported}")
    assert offenders == []


@pytest.mark.slow
def test_no_room_is_in_a_circle():
    arrows = {entry: set() for entry in ALLOWED}
    for name in MODULES:
        arrows[room(name)] |= {room(x) for x in inside(name)} - {room(name)}
    floors = {}
    while len(floors) < len(arrows):
        ready = [x for x, below in arrows.items() if x not in floors and below <= set(floors)]
        assert ready, f"in circles or above them: {sorted(set(arrows) - set(floors))}"
        floors.update(dict.fromkeys(ready, len(floors)))


@pytest.mark.slow
def test_no_module_is_in_a_circle():
    below = {name: inside(name, at_import(parse(name))) - {name} for name in MODULES}
    done = set()
    while ready := {name for name in set(below) - done if below[name] <= done}:
        done |= ready
    assert sorted(set(below) - done) == []


@pytest.mark.slow
def test_optional_packages_wait_until_they_are_needed():
    """They are imported inside functions, or by a module that is imported inside functions only."""
    at_top = {name for name in MODULES if packages(name, at_import(parse(name))) & OPTIONAL}
    needing = {"pretrained", "token_transformer", "transformer_shim"}
    assert at_top == {f"models.tok2vec.{name}" for name in needing}
    importers = {name for name in MODULES if at_top & inside(name, at_import(parse(name)))}
    assert importers - at_top == set()


@pytest.mark.slow
def test_only_models_and_an_optimizer_import_torch():
    offenders = [x for x in MODULES if packages(x) & TORCH and not belongs(x, WITH_TORCH)]
    assert offenders == []


def test_torch_modules_know_nothing_of_spacy():
    rooms = {"models.kernels", "models.layers"}
    assert [x for x in MODULES if belongs(x, rooms) and "spacy" in packages(x)] == []


@pytest.mark.slow
def test_nothing_on_the_way_imports_torch():
    offenders = []
    for full_name in WITHOUT_TORCH:
        waiting, seen = [resolve(full_name)], set()
        while waiting:
            name = waiting.pop()
            seen.add(name)
            tree = at_import(parse(name))
            if packages(name, tree) & TORCH or name.startswith("models."):
                offenders.append(f"{full_name} -> {name}")
            waiting += inside(name, tree) - seen
    assert offenders == []


def test_corpus_needs_nothing_of_spacy_but_docs_and_training():
    imports = imports_of("training.corpus", parse("training.corpus"))
    ours = {x for x in imports if x.split(".")[0] == "spacy"}
    assert ours == {"spacy.language", "spacy.tokens", "spacy.training"}


# The rules themselves


def test_the_rules_see_imports():
    assert {"models.joint", "models.layers.task_birnn"} <= inside("models.task_specific")
    assert "models.joint" in inside("cli.evaluate")
    assert "models.joint" not in inside("cli.evaluate", at_import(parse("cli.evaluate")))
    assert {"formats.conll04", "formats.record"} <= inside("formats.__init__")
    assert room("models.layers.crf") == "models.layers"
    assert belongs("formats.brat", {"models", "evaluation"}) is None


@pytest.mark.parametrize("entry", ALLOWED)
def test_every_rule_is_of_something(entry):
    assert any(room(name) == entry for name in MODULES)
    assert all(any(belongs(name, {x}) for name in MODULES) for x in ALLOWED[entry])


@pytest.mark.slow
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
from spacy_jere.evaluation.scorer import score_joint
doc = Doc(Vocab(), ["Ada", "met", "Bo"])
doc._.relations = [((0, 3, "PER"), (8, 10, "PER"), "MET")]
print(score_joint([Example(doc, doc.copy())])["rels_f"])
unwanted = {sorted(TORCH | OPTIONAL)!r}
print(sorted(x for x in sys.modules if x.split(".")[0] in unwanted and sys.modules[x]))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split("\n")[:2] == ["1.0", "[]"]
