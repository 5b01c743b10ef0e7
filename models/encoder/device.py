"""Chooses the backend of a text encoder from the settings, the encoder's folder and the machine."""

from pathlib import Path
from typing import Literal

import numpy as np

from models.encoder.artifact import GRAPH, HALF_GRAPH, TORCH
from models.encoder.backend import TextEncoder
from models.encoder.out_of_memory import HalvingEncoder
from models.encoder.shape_buckets import ShapeBuckets
from models.serving_config import Device, Hardware
from schemas.errors import StopWorker


def choose_device(wanted: Device, *, exported: bool, present: bool) -> Literal["cpu", "cuda"]:
    """The device that the encoder runs on.

    Args:
        wanted: The configured device.
        exported: Whether the encoder's folder holds the graph for CUDA.
        present: Whether the runtime finds a CUDA device.

    Raises:
        StopWorker: CUDA is configured and not available.
    """
    if wanted == "cuda" and not exported:
        raise StopWorker(
            f"The encoder's folder has no {HALF_GRAPH}: export each language with `shelfstream encoder "
            "export --for-gpu` and set SHELFSTREAM_ENCODER_PATH, or set SHELFSTREAM_DEVICE=cpu."
        )
    if wanted == "cuda" and not present:
        raise StopWorker("No CUDA device was found: see deploy/README.md, or set SHELFSTREAM_DEVICE=cpu.")
    return "cuda" if wanted != "cpu" and exported and present else "cpu"


def open_encoder(folder: Path, threads: int, hardware: Hardware) -> TextEncoder:
    """Load the encoder of a verified folder and warm it up.

    Args:
        folder: A folder that `read_encoder_manifest` verified.
        threads: Processor threads within one batch.
        hardware: The device and the runtime.

    Raises:
        StopWorker: The encoder cannot run on this hardware.
    """
    return _torch(folder, hardware) if hardware.runtime == "torch" else _onnx(folder, threads, hardware)


def _onnx(folder: Path, threads: int, hardware: Hardware) -> TextEncoder:
    # Imported here, as torch is below, so that a worker loads only the runtime that it uses.
    from models.encoder.cuda_backend import CudaEncoderBackend, has_cuda, ran_out_of_memory
    from models.encoder.onnx_backend import EncoderBackend

    exported = (folder / HALF_GRAPH).exists()
    if choose_device(hardware.device, exported=exported, present=has_cuda()) == "cpu":
        return EncoderBackend(folder / GRAPH, threads)
    return _warm(HalvingEncoder(CudaEncoderBackend(folder / HALF_GRAPH), ran_out_of_memory))


def _torch(folder: Path, hardware: Hardware) -> TextEncoder:
    if not (folder / TORCH).is_dir():
        raise StopWorker(
            f"The encoder {folder} has no folder `{TORCH}`: export one with `shelfstream encoder export "
            "--for-gpu --source NAME` and set SHELFSTREAM_ENCODER_PATH, or set "
            "SHELFSTREAM_ENCODER_RUNTIME=onnx."
        )
    try:
        from models.encoder.torch_backend import TorchEncoderBackend, has_cuda, ran_out_of_memory
    except ModuleNotFoundError as error:
        raise StopWorker(
            f"SHELFSTREAM_ENCODER_RUNTIME=torch needs {error.name}: pip install 'shelfstream[torch]'."
        ) from error

    device = choose_device(hardware.device, exported=True, present=has_cuda())
    encoder = HalvingEncoder(TorchEncoderBackend(folder / TORCH, device), ran_out_of_memory)
    return _warm(encoder) if device == "cuda" else encoder


def _warm(encoder: TextEncoder) -> TextEncoder:
    """Run each shape once, so that its memory and kernels are ready before the first batch."""
    for shape in ShapeBuckets().shapes():
        ones = np.ones(shape, dtype=np.int64)
        encoder.run(ones, ones)
    return encoder
