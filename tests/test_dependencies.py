"""Every package that the product imports is declared in pyproject.toml."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PRODUCT = ("schemas", "models", "streams")
DISTRIBUTIONS = packages_distributions()


def canonical(requirement: str) -> str:
    """The normalized distribution name of a requirement."""
    name = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
    return re.sub(r"[-_.]+", "-", name).lower()


def imported(tree: str) -> set[str]:
    """The distributions whose packages a tree imports. A package that is not installed is its own name."""
    packages: set[str] = set()
    for path in (ROOT / tree).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                packages.update(alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module is not None:
                packages.add(node.module.split(".")[0])
    foreign = packages - set(sys.stdlib_module_names) - set(PRODUCT)
    return {canonical(DISTRIBUTIONS.get(package, [package])[0]) for package in foreign}


@pytest.mark.parametrize("tree", PRODUCT)
def test_every_imported_package_is_declared(tree: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {canonical(each) for each in project["dependencies"]}
    extras = project["optional-dependencies"]
    if tree in ("schemas", "streams"):
        declared |= {canonical(each) for extra in ("import", "registry") for each in extras[extra]}
    if tree == "models":
        declared |= {canonical(each) for extra in ("train", "private", "torch") for each in extras[extra]}
    assert sorted(imported(tree) - declared) == []


def test_serving_imports_nothing_of_the_extras_for_files_and_registries() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    only = {canonical(each) for each in extras["import"]} | {"fastavro", "httpx2"}
    names = [
        package for package, names in DISTRIBUTIONS.items() if {canonical(each) for each in names} & only
    ]
    code = f"import sys, streams.worker; print([each for each in {names} if each in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert len(names) >= 8
    assert done.stdout.strip() == "[]"


def test_every_package_is_in_the_wheel() -> None:
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    folders = {path.parent for tree in PRODUCT for path in (ROOT / tree).rglob("__init__.py")}
    assert sorted(packages) == sorted(".".join(folder.relative_to(ROOT).parts) for folder in folders)
