"""House rules that no linter checks: small modules, short functions, one JSON library."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("models", "streams", "schemas", "benchmarks")
LONGEST_MODULE = 300
LONGEST_FUNCTION = 50


def modules(*packages: str) -> Iterator[Path]:
    for package in packages:
        yield from sorted((ROOT / package).rglob("*.py"))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("package", PACKAGES)
def test_modules_and_functions_are_short(package: str) -> None:
    too_long = []
    for path in modules(package):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > LONGEST_MODULE:
            too_long.append(f"{path.relative_to(ROOT)}: {lines} lines")
        for function in functions(path):
            length = (function.end_lineno or 0) - function.lineno
            if length > LONGEST_FUNCTION:
                too_long.append(f"{path.relative_to(ROOT)}: {function.name} has {length} lines")
    assert too_long == []


def test_the_product_uses_one_json_library() -> None:
    """Typed events are decoded by msgspec, all other JSON by orjson."""
    users = []
    for path in modules("models", "streams", "schemas"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            users += [str(path.relative_to(ROOT)) for name in names if name.partition(".")[0] == "json"]
    assert users == []
