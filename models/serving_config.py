"""The configuration of a served model: its files, its confidence threshold and its hardware."""

from pathlib import Path
from typing import Literal

import msgspec

Device = Literal["cpu", "cuda", "auto"]
Runtime = Literal["auto", "onnx", "torch"]
StudentBackend = Literal["onnx", "numpy"]


class Hardware(msgspec.Struct, frozen=True, kw_only=True):
    """The device and the runtime of the text encoders.

    Attributes:
        device: `auto` is `cuda` if the machine supports it, else `cpu`.
        runtime: `torch` needs the extra `torch`. `auto` is onnxruntime on a processor and where it was built
            for CUDA, else torch if it finds a device.
    """

    device: Device = "cpu"
    runtime: Runtime = "auto"


class ServingConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How to load the model that classifies products.

    Attributes:
        model: Directory of the student. None is the shipped student, or zero-shot classification if
            `taxonomy` is set.
        taxonomy: File of the category tree. None is Google's tree.
        encoders: Directory of text encoders, one subdirectory per language. None is the shipped directory.
        prototype_cache: Directory that keeps the prototypes of `taxonomy`. None encodes them at each start.
        backend: Runtime of the student. `onnx` serves, `numpy` is the reference.
        threads: Threads within one batch.
        threshold: Least confidence of a published category, at every level. None is the model's own
            thresholds.
        cascade: Whether text encoders classify what the student is unsure of.
        hardware: Device and runtime of the text encoders. With torch on CUDA the student runs there too.
    """

    model: Path | None = None
    taxonomy: Path | None = None
    encoders: Path | None = None
    prototype_cache: Path | None = None
    backend: StudentBackend = "onnx"
    threads: int = 1
    threshold: float | None = None
    cascade: bool = True
    hardware: Hardware = Hardware()


DEFAULT_CONFIG = ServingConfig()
"""The shipped model with its text encoders, on one processor thread."""
