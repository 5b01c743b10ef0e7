"""Chooses the backend of a text encoder from the settings, the encoder's folder and the machine."""

from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np

from models.device.encoder.weights import read_weights
from models.encoder.artifact import GRAPH, HALF_GRAPH, SHIPPED_ENCODERS, TORCH
from models.encoder.backend import TextEncoder
from models.encoder.out_of_memory import HalvingEncoder
from models.encoder.shape_buckets import ShapeBuckets
from models.serving_config import Device, Hardware
from models.text.languages import LANGUAGES
from schemas.errors import StopWorker


def choose_device(wanted: Device, *, present: bool) -> Literal["cpu", "cuda"]:
    """The device that the encoder runs on.

    Args:
        wanted: The configured device.
        present: Whether the runtime finds a CUDA device.

    Raises:
        StopWorker: CUDA is configured and not available.
    """
    if wanted == "cuda" and not present:
        raise StopWorker("No CUDA device was found: see deploy/README.md, or set SHELFSTREAM_DEVICE=cpu.")
    return "cuda" if wanted != "cpu" and present else "cpu"


def choose_runtime(hardware: Hardware) -> Literal["onnx", "torch"]:
    """The runtime of the encoder. torch is not imported if the processor is configured."""
    if hardware.runtime != "auto":
        return hardware.runtime
    from models.encoder.cuda_backend import has_cuda

    if hardware.device == "cpu" or has_cuda() or find_spec("torch") is None:
        return "onnx"
    return "torch" if _torch_has_cuda() else "onnx"


def open_encoder(folder: Path, threads: int, hardware: Hardware) -> TextEncoder:
    """Load the encoder of a verified folder and warm it up.

    Args:
        folder: A folder that `read_encoder_manifest` verified.
        threads: Processor threads within one batch.
        hardware: The device and the runtime.

    Raises:
        StopWorker: The encoder cannot run on this hardware.
    """
    try:
        if choose_runtime(hardware) == "torch":
            return _torch(folder, hardware)
        return _onnx(folder, threads, hardware)
    except StopWorker:
        # With `auto`, an encoder whose weights cannot be rebuilt runs on the processor.
        if hardware.device != "auto" or hardware.runtime == "torch":
            raise
        from models.encoder.onnx_backend import EncoderBackend

        return EncoderBackend(folder / GRAPH, threads)


def runs_whole(folder: Path | None, hardware: Hardware) -> bool:
    """Whether the whole classifier runs on a CUDA device, not only the encoders.

    Args:
        folder: Directory of the encoders; None is the shipped directory. Encoders in Hugging Face's format
            run without the rest.
        hardware: The configured device and runtime.

    Raises:
        StopWorker: torch or CUDA is configured and not available.
    """
    root = SHIPPED_ENCODERS if folder is None else folder
    if choose_runtime(hardware) != "torch" or any((root / each / TORCH).is_dir() for each in LANGUAGES):
        return False
    if choose_device(hardware.device, present=_torch_has_cuda()) == "cpu":
        return False
    found = [root / each / GRAPH for each in LANGUAGES if (root / each / GRAPH).exists()]
    return hardware.device == "cuda" or all(map(_has_weights, found))


def _has_weights(graph: Path) -> bool:
    try:
        read_weights(graph)
    except StopWorker:
        return False
    return True


def _onnx(folder: Path, threads: int, hardware: Hardware) -> TextEncoder:
    # Imported here, as torch is below, so that a worker loads only the runtime that it uses.
    from models.encoder.cuda_backend import CudaEncoderBackend, has_cuda, ran_out_of_memory
    from models.encoder.onnx_backend import EncoderBackend

    if choose_device(hardware.device, present=has_cuda()) == "cpu":
        return EncoderBackend(folder / GRAPH, threads)
    return _warm(HalvingEncoder(CudaEncoderBackend(_half_graph(folder)), ran_out_of_memory))


def _half_graph(folder: Path) -> Path | bytes:
    """The folder's graph in half precision; if there is none, one that is rebuilt from the int8 graph."""
    if (folder / HALF_GRAPH).exists():
        return folder / HALF_GRAPH
    # `read_weights` comes first because it reports a missing onnx, which `half_graph` imports.
    weights = read_weights(folder / GRAPH)
    from models.device.encoder.half_graph import half_graph

    return half_graph(weights)


def _torch_has_cuda() -> bool:
    try:
        from models.device.encoder.cuda import has_cuda
    except ModuleNotFoundError as error:
        raise _torch_is_missing(error) from error
    return has_cuda()


def _torch_is_missing(error: ModuleNotFoundError) -> StopWorker:
    return StopWorker(
        f"SHELFSTREAM_ENCODER_RUNTIME=torch needs {error.name}: pip install 'shelfstream[torch]'."
    )


def _torch(folder: Path, hardware: Hardware) -> TextEncoder:
    device = choose_device(hardware.device, present=_torch_has_cuda())
    try:
        from models.device.encoder.cuda import ran_out_of_memory
        from models.device.encoder.packed_backend import PackedEncoderBackend
        from models.device.encoder.torch_encoder import TorchEncoder

        backend: TextEncoder
        if (folder / TORCH).is_dir():
            from models.encoder.torch_backend import TorchEncoderBackend

            backend = TorchEncoderBackend(folder / TORCH, device)
        else:
            backend = PackedEncoderBackend(TorchEncoder(read_weights(folder / GRAPH), device), device)
    except ModuleNotFoundError as error:
        raise _torch_is_missing(error) from error

    encoder = HalvingEncoder(backend, ran_out_of_memory)
    return _warm(encoder) if device == "cuda" else encoder


def _warm(encoder: TextEncoder) -> TextEncoder:
    """Run each shape once, so that its memory and kernels are ready before the first batch."""
    for shape in ShapeBuckets().shapes():
        ones = np.ones(shape, dtype=np.int64)
        encoder.run(ones, ones)
    return encoder
