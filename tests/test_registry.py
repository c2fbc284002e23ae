"""What setup.cfg publishes can be found under its name, and all that looks published is in
setup.cfg."""

import ast
import configparser
import importlib
from importlib.metadata import distribution
from pathlib import Path

import pytest
import spacy
import spacy.cli

import spacy_jere

ROOT = Path(spacy_jere.__file__).parent


def published():
    config = configparser.ConfigParser(delimiters="=")
    config.optionxform = str
    config.read(Path(__file__).parents[1] / "setup.cfg", encoding="utf8")
    return [
        (group, *(part.strip() for part in line.split("=")))
        for group, lines in config["options.entry_points"].items()
        for line in lines.strip().splitlines()
    ]


PUBLISHED = published()


def load(target):
    module, name = target.split(":")
    return getattr(importlib.import_module(module), name)


@pytest.mark.parametrize("group, name, target", PUBLISHED)
def test_entry_point_resolves_through_the_registry(group, name, target):
    if group == "spacy_span_getters":  # a registry of spacy-transformers
        pytest.importorskip("spacy_transformers")
    if group == "spacy_factories":  # spaCy keeps entry points apart from its own factories
        found = spacy.registry._entry_point_factories.get(name)
    else:
        found = spacy.registry.get(group.split("_", 1)[1], name)
    assert callable(found)
    assert found is load(target)


@pytest.mark.parametrize("group, name, target", PUBLISHED)
def test_entry_point_is_named_in_the_house_way(group, name, target):
    assert group.startswith(("spacy_", "thinc_"))
    if group not in ("spacy_factories", "spacy_cli"):
        assert name.startswith("spacy-jere.")
        assert name.rsplit(".", 1)[1] == target.rsplit("_", 1)[1]


def test_installed_entry_points_are_those_of_setup_cfg():
    installed = distribution("spacy-jere").entry_points
    assert sorted((x.group, x.name, x.value) for x in installed) == sorted(PUBLISHED)


def test_every_versioned_function_is_published():
    targets = {target for _, _, target in PUBLISHED}
    versioned = set()
    for path in ROOT.rglob("*.py"):
        module = ".".join(path.relative_to(ROOT.parent).with_suffix("").parts)
        for node in ast.parse(path.read_text(encoding="utf8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.rsplit("_v", 1)[-1].isdigit():
                versioned.add(f"{module}:{node.name}")
    assert versioned == {x for x in targets if x.rsplit("_v", 1)[-1].isdigit()}
    assert len(versioned) > 5


def test_factory_is_known_to_a_pipeline():
    assert spacy.blank("en").has_factory("joint_ner_re")


def test_version_is_the_installed_one():
    assert distribution("spacy-jere").version == spacy_jere.__version__
