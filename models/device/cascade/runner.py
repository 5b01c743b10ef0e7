"""Runs micro-batches on a CUDA device: pinned memory, two batches in flight, one CUDA graph for each shape.

On other devices the same program runs at once and without graphs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch

from models.device.cascade.layout import BatchShape
from models.device.encoder.cuda import has_cuda
from models.device.encoder.packing import Ints
from models.text.languages import Language
from schemas.errors import StopWorker

IN_FLIGHT = 2
"""The number of batches on the device at once."""
_WARM_RUNS = 2

Program = Callable[[Any, BatchShape, Language | None], Any]
"""Computes the results from the uploaded array; both are on the device."""


class Ticket(NamedTuple):
    """A micro-batch in flight.

    Attributes:
        stream: The number of the stream that runs it.
        results: The array that receives the results.
    """

    stream: int
    results: Any


class Runner(Protocol):
    """Runs one program on micro-batches. Only one thread at a time may use it."""

    def submit(self, buffer: Ints, shape: BatchShape, language: Language | None) -> Ticket:
        """Upload a batch and start it.

        Waits for the earlier batch on the same stream. Its results must have been collected.
        """
        ...

    def collect(self, ticket: Ticket) -> Ints:
        """Wait for a batch's results, shape [titles, result_width]; valid until the stream's next batch."""
        ...

    def release_memory(self) -> None:
        """Release memory that can be allocated again. Batches in flight are lost."""
        ...


class DirectRunner:
    """Runs each batch when it is submitted, on any device.

    Args:
        program: The program to run.
        device: `cuda` or `cpu`.
    """

    def __init__(self, program: Program, device: str = "cpu") -> None:
        self._program, self._device = program, device

    def submit(self, buffer: Ints, shape: BatchShape, language: Language | None) -> Ticket:
        """As `Runner.submit`."""
        with torch.inference_mode():
            return Ticket(0, self._program(torch.from_numpy(buffer).to(self._device), shape, language))

    def collect(self, ticket: Ticket) -> Ints:
        """As `Runner.collect`."""
        return np.asarray(ticket.results.cpu().numpy(), dtype=np.int32)

    def release_memory(self) -> None:
        """As `Runner.release_memory`."""
        if self._device == "cuda":
            torch.cuda.empty_cache()


@dataclass
class _Captured:
    """A CUDA graph with the memory that it reads and writes, on the device and pinned on the host."""

    graph: Any
    upload: Any
    download: Any
    pinned_upload: Any
    pinned_download: Any


class GraphRunner:
    """Keeps a CUDA graph for each shape and stream, captured when the shape first occurs.

    Args:
        program: The program to run; it must not wait for the device.
        streams: The number of batches in flight.

    Raises:
        StopWorker: torch finds no CUDA device.
    """

    def __init__(self, program: Program, streams: int = IN_FLIGHT) -> None:
        if not has_cuda():
            raise StopWorker("torch finds no CUDA device: set SHELFSTREAM_DEVICE=cpu.")
        self._program = program
        self._streams = [torch.cuda.Stream() for _ in range(streams)]
        self._pools = [torch.cuda.graph_pool_handle() for _ in range(streams)]
        self._done = [torch.cuda.Event() for _ in range(streams)]
        self._captured: dict[tuple[int, BatchShape, Language | None], _Captured] = {}
        self._next = 0

    def submit(self, buffer: Ints, shape: BatchShape, language: Language | None) -> Ticket:
        """As `Runner.submit`."""
        number, self._next = self._next, (self._next + 1) % len(self._streams)
        self._done[number].synchronize()
        captured = self._captured.get((number, shape, language))
        if captured is None:
            captured = self._captured[number, shape, language] = self._capture(number, shape, language)
        captured.pinned_upload.numpy()[:] = buffer
        with torch.inference_mode(), torch.cuda.stream(self._streams[number]):
            captured.upload.copy_(captured.pinned_upload, non_blocking=True)
            captured.graph.replay()
            captured.pinned_download.copy_(captured.download, non_blocking=True)
            self._done[number].record()
        return Ticket(number, captured.pinned_download)

    def collect(self, ticket: Ticket) -> Ints:
        """As `Runner.collect`."""
        self._done[ticket.stream].synchronize()
        return np.asarray(ticket.results.numpy(), dtype=np.int32)

    def release_memory(self) -> None:
        """As `Runner.release_memory`."""
        torch.cuda.synchronize()
        self._captured.clear()
        torch.cuda.empty_cache()

    def _capture(self, number: int, shape: BatchShape, language: Language | None) -> _Captured:
        stream = self._streams[number]
        with torch.inference_mode(), torch.cuda.stream(stream):
            upload = torch.zeros(shape.size, dtype=torch.int32, device="cuda")
            for _ in range(_WARM_RUNS):
                download = self._program(upload, shape, language)
            stream.synchronize()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=self._pools[number], stream=stream):
                download = self._program(upload, shape, language)
            pinned_upload = torch.zeros(shape.size, dtype=torch.int32, pin_memory=True)
            pinned_download = torch.zeros(download.shape, dtype=torch.int32, pin_memory=True)
        return _Captured(graph, upload, download, pinned_upload, pinned_download)
