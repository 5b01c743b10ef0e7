"""Which backend runs a text encoder: what is asked for, against what its folder holds and the machine has."""

from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from models.encoder.artifact import GRAPH, HALF_GRAPH, TORCH
from models.encoder.backend import TextEncoder
from models.encoder.out_of_memory import HalvingEncoder
from models.encoder.shape_buckets import ShapeBuckets
from schemas.errors import StopWorker

Device = Literal["cpu", "cuda", "auto"]
Runtime = Literal["onnx", "torch"]


class Hardware(msgspec.Struct, frozen=True, kw_only=True):
    """What a text encoder is to run on.

    Attributes:
        device: `auto` is `cuda` where the encoder's folder and the machine can, else `cpu`.
        runtime: `torch` needs the extra `torch`.
    """

    device: Device = "cpu"
    runtime: Runtime = "onnx"


def choose_device(wanted: Device, *, exported: bool, present: bool) -> Literal["cpu", "cuda"]:
    """Where the encoder runs.

    Args:
        wanted: What was asked for.
        exported: Whether its folder holds what a CUDA device runs.
        present: Whether the runtime finds such a device.

    Raises:
        StopWorker: CUDA was asked for and cannot be had; says why.
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
    """The encoder of a verified folder, ready and warm.

    Args:
        folder: As `read_encoder_manifest` verified it.
        threads: Of the processor, within one batch.
        hardware: What to run it on.

    Raises:
        StopWorker: It cannot be run so; says why.
    """
    return _torch(folder, hardware) if hardware.runtime == "torch" else _onnx(folder, threads, hardware)


def _onnx(folder: Path, threads: int, hardware: Hardware) -> TextEncoder:
    # Imported only here, as torch below: a worker loads what it runs and nothing else.
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
    """Run each shape once, so that no batch has to wait for its memory and its kernels."""
    for shape in ShapeBuckets().shapes():
        ones = np.ones(shape, dtype=np.int64)
        encoder.run(ones, ones)
    return encoder
