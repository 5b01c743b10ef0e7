"""Describes the GPU and measures its matrix rate, with which the encoder's rate is compared."""

import platform
import subprocess
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from benchmarks.gpu_report import Repeated

SIDE = 8192
"""The rows and columns of the matrices whose product is measured."""
_PRODUCTS = 20


def describe_card() -> dict[str, str]:
    """The card, its driver, and the versions of the software, by name."""
    command = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        output = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except OSError:
        output = ""
    _, driver, memory = [*(part.strip() for part in output.partition("\n")[0].split(",")), "", "", ""][:3]
    return {
        "card": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "driver": driver,
        "memory": memory,
        "torch": str(torch.__version__),
        "python": platform.python_version(),
        **{name: _version(name) for name in ("triton", "onnxruntime", "numpy")},
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"


def time_on_card(work: Callable[[], object], repeats: int, runs: int = 5) -> Repeated:
    """Measure how long one call occupies the card, in seconds.

    Args:
        work: The function to call.
        repeats: The number of calls in one run.
        runs: The number of runs.
    """
    work()
    torch.cuda.synchronize()
    seconds = []
    for _ in range(runs):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        for _ in range(repeats):
            work()
        end.record()
        end.synchronize()
        seconds.append(start.elapsed_time(end) / 1e3 / repeats)
    return Repeated(seconds)


def matrix_rate(dtype: Any, side: int = SIDE) -> Repeated:
    """Measure the product of two random square matrices, in floating-point operations per second.

    Args:
        dtype: The matrices' type, of torch.
        side: The rows and columns of a matrix.
    """
    left, right = (torch.randn(side, side, device="cuda").to(dtype) for _ in range(2))
    out = torch.empty_like(left)
    seconds = time_on_card(lambda: torch.mm(left, right, out=out), _PRODUCTS)
    return Repeated([2 * side**3 / each for each in seconds.runs])
