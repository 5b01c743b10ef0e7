"""Heavy libraries are imported only by backends (runtimes) and by the training (its libraries)."""

import ast
from pathlib import Path

import models

ROOM = Path(models.__file__).parent


def imported(path: Path) -> set[str]:
    """The top-level packages that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


def test_only_backends_know_runtimes_and_only_training_knows_its_libraries() -> None:
    runtimes = {"onnxruntime", "torch", "transformers", "opacus"}
    training = {
        "cleanlab", "onnx", "opacus", "pint", "pycrfsuite", "scipy", "sklearn", "torch", "transformers",
    }  # fmt: skip
    seen = 0
    for path in ROOM.rglob("*.py"):
        seen += 1
        packages = imported(path)
        in_training = "training" in path.parts
        # The room `device` runs torch, and reads and writes files of onnx.
        packages -= {"torch", "onnx"} if "device" in path.parts else set()
        is_backend = path.name.endswith("_backend.py")
        assert is_backend or in_training or not packages & runtimes, path
        assert in_training or not packages & (training - runtimes), path
    assert seen > 20


def test_models_know_no_clock() -> None:
    """Time is passed in: only numbers live here."""
    for path in ROOM.rglob("*.py"):
        assert not imported(path) & {"time", "asyncio"}, path
