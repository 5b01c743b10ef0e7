"""Runs a text encoder's ONNX graph on a CUDA device, in a few fixed shapes with preallocated memory."""

from pathlib import Path
from threading import Lock

import numpy as np
import onnxruntime as ort

from models.arrays import Floats, Indices
from models.encoder.shape_buckets import Shape, ShapeBuckets
from models.student.onnx_backend import PROCESSOR, open_session
from schemas.errors import StopWorker

CUDA = "CUDAExecutionProvider"
_PROVIDERS = {"cuda": (CUDA, PROCESSOR), "cpu": (PROCESSOR,)}
# Messages of onnxruntime's arena and of CUDA.
_OUT_OF_MEMORY = ("Failed to allocate memory", "out of memory", "CUBLAS_STATUS_ALLOC_FAILED")


def has_cuda() -> bool:
    """Whether this onnxruntime was built for CUDA. A missing device shows only when a session starts."""
    return CUDA in ort.get_available_providers()


def ran_out_of_memory(error: Exception) -> bool:
    """Whether the error says that onnxruntime could not allocate memory."""
    return any(words in str(error) for words in _OUT_OF_MEMORY)


class _Bound:
    """The device memory of one shape, bound to the session's inputs and output."""

    def __init__(self, session: ort.InferenceSession, shape: Shape, device: str) -> None:
        self.shape = shape
        self._session = session
        self._inputs = [
            ort.OrtValue.ortvalue_from_shape_and_type(list(shape), np.int64, device, 0) for _ in range(2)
        ]
        output = session.get_outputs()[0]
        kind = np.float16 if output.type == "tensor(float16)" else np.float32
        self._vectors = ort.OrtValue.ortvalue_from_shape_and_type(
            [shape.texts, output.shape[1]], kind, device, 0
        )
        self._binding = session.io_binding()
        for name, value in zip(("ids", "mask"), self._inputs, strict=True):
            self._binding.bind_ortvalue_input(name, value)
        self._binding.bind_ortvalue_output(output.name, self._vectors)

    def run(self, ids: Indices, mask: Indices) -> Floats:
        """Encode texts of exactly this shape."""
        for value, content in zip(self._inputs, (ids, mask), strict=True):
            value.update_inplace(np.ascontiguousarray(content))
        self._session.run_with_iobinding(self._binding)
        return np.array(self._vectors.numpy(), dtype=np.float32)


class CudaEncoderBackend:
    """Encodes token ids as unit vectors. Thread-safe: batches run one after the other.

    Args:
        graph: The file or the content of a graph, best in half precision, with the inputs `ids` and `mask`
            and the output `vectors`.
        buckets: The shapes that are run; None is the default set.
        device: `cuda`, or `cpu` to run the same code on the processor.

    Raises:
        StopWorker: onnxruntime refuses the graph, or there is no such device.
    """

    def __init__(
        self, graph: Path | bytes, buckets: ShapeBuckets | None = None, device: str = "cuda"
    ) -> None:
        self.buckets = buckets or ShapeBuckets()
        self._device = device
        self._session = open_session(graph, 1, "Export the encoder again.", _PROVIDERS[device])
        if self._session.get_providers()[0] != _PROVIDERS[device][0]:
            raise StopWorker(
                "onnxruntime finds no CUDA device. Install onnxruntime-gpu and a driver, or set "
                "SHELFSTREAM_DEVICE=cpu."
            )
        self._bound: dict[Shape, _Bound] = {}
        self._lock = Lock()

    def run(self, ids: Indices, mask: Indices) -> Floats:
        """As `TextEncoder.run`."""
        vectors = np.zeros((len(ids), self._session.get_outputs()[0].shape[1]), dtype=np.float32)
        for members, shape in self.buckets.plan(mask.sum(axis=1).tolist()):
            padded = np.zeros((2, *shape), dtype=np.int64)
            # The mean over a text without tokens is undefined, so each padding text gets one token.
            padded[1, :, 0] = 1
            width = min(shape.tokens, ids.shape[1])
            padded[:, : len(members), :width] = ids[members, :width], mask[members, :width]
            with self._lock:
                vectors[members] = self._at(shape).run(*padded)[: len(members)]
        return vectors

    def _at(self, shape: Shape) -> _Bound:
        bound = self._bound.get(shape)
        if bound is None:
            bound = self._bound[shape] = _Bound(self._session, shape, self._device)
        return bound
