"""The GPU's benchmark without a GPU: what it says, and what its parts compute."""

import stat
import time
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import gpu
from benchmarks.gpu_utilization import Utilisation
from models.arrays import Floats, Indices
from models.encoder.artifact import SHIPPED_ENCODERS, VOCABULARY
from models.encoder.encoder import LONGEST
from models.encoder.wordpiece import WordPiece

ENGLISH = SHIPPED_ENCODERS / "en"

WORDS = WordPiece(ENGLISH / VOCABULARY, LONGEST)


class Counting:
    """Remembers how many texts it was given."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def run(self, ids: Indices, mask: Indices) -> Floats:
        self.sizes.append(len(ids))
        return np.zeros((len(ids), 2), dtype=np.float32)


def missing() -> bool:
    raise ModuleNotFoundError(name="torch")


def test_without_a_gpu_it_says_why_and_measures_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "onnxruntime_has_cuda", lambda: False)
    monkeypatch.setattr(gpu, "_torch_has_cuda", missing)
    result = CliRunner().invoke(gpu.main, [])
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "Not run: onnxruntime: finds no CUDA device.",
        "Not run: torch: torch is not installed.",
        "No GPU can be had here: nothing was measured.",
    ]


def test_with_a_gpu_and_an_encoder_for_processors_it_names_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gpu, "onnxruntime_has_cuda", lambda: True)
    result = CliRunner().invoke(gpu.main, [])
    assert result.exit_code == 1
    assert "--for-gpu" in result.output


def test_those_that_find_a_device_are_run_and_the_others_explained() -> None:
    assert gpu.devices(lambda: True, missing) == (["onnxruntime"], ["torch: torch is not installed"])
    assert gpu.devices(lambda: False, lambda: True) == (["torch"], ["onnxruntime: finds no CUDA device"])


def test_every_title_is_encoded_once_after_one_batch_to_warm_up() -> None:
    encoder, seconds = Counting(), count()
    texts = gpu.titles(10)
    measured = gpu.measure(
        "it", encoder, WORDS, texts, chunk=4, padding=0.25, clock=lambda: 5.0 * next(seconds)
    )
    assert encoder.sizes == [4, 4, 4, 2]
    assert (measured.name, measured.per_s, measured.padding) == ("it", 2.0, 0.25)
    assert len(set(texts)) == 10


def test_the_share_of_time_that_the_device_is_busy_is_what_the_tool_says(tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\necho 40\n")
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    with Utilisation(str(tool)) as utilisation:
        while not utilisation.samples:
            time.sleep(0.01)
    assert utilisation.mean == 40.0


def test_without_the_tool_it_is_unknown() -> None:
    with Utilisation("no-such-tool") as utilisation:
        pass
    assert utilisation.mean is None
