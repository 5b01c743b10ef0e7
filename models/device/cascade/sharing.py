"""Lets many processes share one device: each reads its own texts, and one process runs the device for all.

Python computes tokens and features, and fills a core long before it fills a GPU. Batches and results are in
shared memory; only their sizes go through pipes.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.shared_memory import SharedMemory
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from models.device.cascade.host_batches import BatchBuilder, HostBatch
from models.device.cascade.layout import TITLE_COUNTS, BatchShape, result_width
from models.device.cascade.results import read_results
from models.device.encoder.packing import TILE, TILE_COUNTS, Ints
from models.student.classifier import Classification
from models.text.languages import Language
from schemas.errors import RetryLater

if TYPE_CHECKING:
    from models.device.cascade.runner import Runner, Ticket

BUFFERS = 3
"""The batches of one process that are ready, in flight or finished at once."""
_BYTES = 4


class ResultSize(NamedTuple):
    """The numbers on which both sides must agree.

    Attributes:
        candidates: The likeliest categories of one result.
        dimensions: The width of a result's embedding.
    """

    candidates: int
    dimensions: int

    @property
    def upload(self) -> int:
        """The numbers of int32 in the largest batch."""
        return BatchShape(TITLE_COUNTS[-1], TILE_COUNTS[-1]).size

    @property
    def download(self) -> int:
        """The numbers of int32 in the largest batch's results."""
        return TITLE_COUNTS[-1] * result_width(self.candidates, self.dimensions)


class SharedBuffers:
    """The memory that a process shares with the process that runs the device.

    Args:
        sizes: The sizes of results.
        name: The name of existing memory. None creates memory, which `close` removes.

    Attributes:
        name: The memory's name.
    """

    def __init__(self, sizes: ResultSize, name: str | None = None) -> None:
        count = (sizes.upload + sizes.download) * BUFFERS
        self._memory = SharedMemory(name, create=name is None, size=count * _BYTES)
        self._owned = name is None
        self.name, self._sizes = self._memory.name, sizes
        self._array: Ints = np.ndarray((BUFFERS, sizes.upload + sizes.download), np.int32, self._memory.buf)

    def batch(self, number: int, shape: BatchShape) -> Ints:
        """The batch in a buffer, shape [shape.size]."""
        return self._array[number, : shape.size]

    def results(self, number: int, shape: BatchShape) -> Ints:
        """The results of the batch in a buffer, shape [titles, result_width]."""
        width = result_width(self._sizes.candidates, self._sizes.dimensions)
        start = self._sizes.upload
        return self._array[number, start : start + shape.titles * width].reshape(shape.titles, width)

    def close(self) -> None:
        """Detach from the memory; whoever created it removes it."""
        del self._array
        self._memory.close()
        if self._owned:
            self._memory.unlink()


class _Request(NamedTuple):
    """A message to the server: the buffer of a batch, the batch's shape and its encoder's language."""

    buffer: int
    titles: int
    tiles: int
    language: Language | None


class SharedDeviceClassifier:
    """Classifies on a device that another process runs. Only one thread at a time may use it.

    Args:
        builder: Builds the batches. Its `max_texts` falls when the device runs out of memory.
        buffers: The memory shared with that process.
        pipe: The connection to that process.
        sizes: The sizes of results.

    Attributes:
        tokens: The number of tokens sent, without padding.
        padded: The number of tokens sent, with padding.
    """

    def __init__(
        self, builder: BatchBuilder, buffers: SharedBuffers, pipe: Connection, sizes: ResultSize
    ) -> None:
        self._builder, self._buffers, self._pipe, self._sizes = builder, buffers, pipe, sizes
        self.tokens = self.padded = 0

    def classify(self, texts: Sequence[str]) -> list[Classification]:
        """As `Classifier.classify`.

        Raises:
            RetryLater: The device ran out of memory. Later batches are smaller.
        """
        found: list[Classification | None] = [None] * len(texts)
        for members, classifications in self._results(texts):
            for text, classification in zip(members, classifications, strict=True):
                found[text] = classification
        return [classification for classification in found if classification is not None]

    def _results(self, texts: Sequence[str]) -> Iterator[tuple[list[int], list[Classification]]]:
        free, in_flight = [*range(BUFFERS)], dict[int, HostBatch]()
        for batch in self._builder.batches(texts):
            if not free:
                number, results = self._receive(in_flight)
                free.append(number)
                yield results
            number = free.pop()
            self._buffers.batch(number, batch.shape)[:] = batch.buffer
            self._pipe.send(_Request(number, *batch.shape, batch.language))
            in_flight[number] = batch
            self.tokens += batch.tokens
            self.padded += TILE * batch.shape.tiles
        while in_flight:
            yield self._receive(in_flight)[1]

    def _receive(self, in_flight: dict[int, HostBatch]) -> tuple[int, tuple[list[int], list[Classification]]]:
        """Wait for the next finished batch; returns its buffer and its results."""
        number: int = self._pipe.recv()
        if number < 0:
            self._builder.max_texts = max(1, self._builder.max_texts // 2)
            # The replies to the other batches precede those of the next call and must be read now.
            in_flight.pop(-1 - number)
            for _ in in_flight:
                self._pipe.recv()
            raise RetryLater("the device has no memory for a batch; the next ones are smaller")
        batch = in_flight.pop(number)
        results = self._buffers.results(number, batch.shape)[: len(batch.members)].copy()
        return number, (batch.members, read_results(results, *self._sizes))


@dataclass(frozen=True)
class _InFlight:
    """A batch on the device."""

    client: int
    request: _Request
    ticket: "Ticket"


class DeviceServer:
    """Runs the device for the processes that share it, in the order of their batches.

    Args:
        runner: Runs the device.
        clients: The pipe and the memory of each process.
        ran_out_of_memory: Whether an error says that the device has no memory left.
        max_in_flight: The most batches on the device at once.
    """

    def __init__(
        self,
        runner: "Runner",
        clients: Sequence[tuple[Connection, SharedBuffers]],
        ran_out_of_memory: Callable[[Exception], bool],
        max_in_flight: int = 2,
    ) -> None:
        self._runner, self._clients, self._max_in_flight = runner, clients, max_in_flight
        self._ran_out_of_memory = ran_out_of_memory
        self._number_of = {pipe: number for number, (pipe, _) in enumerate(clients)}

    def serve(self) -> None:
        """Run batches until every client has closed its pipe."""
        waiting, in_flight = deque[tuple[int, _Request]](), deque[_InFlight]()
        open_pipes = [pipe for pipe, _ in self._clients]
        while open_pipes or waiting or in_flight:
            for pipe in wait(open_pipes, 0 if waiting or in_flight else None) if open_pipes else ():
                assert isinstance(pipe, Connection)
                try:
                    waiting.append((self._number_of[pipe], pipe.recv()))
                except (EOFError, ConnectionError):
                    open_pipes.remove(pipe)
            while waiting and len(in_flight) < self._max_in_flight:
                try:
                    in_flight.append(self._submit(*waiting[0]))
                except Exception as error:
                    if not self._ran_out_of_memory(error):
                        raise
                    self._give_up([waiting[0], *((each.client, each.request) for each in in_flight)])
                    in_flight.clear()
                waiting.popleft()
            if in_flight:
                self._finish(in_flight.popleft())

    def _submit(self, client: int, request: _Request) -> _InFlight:
        shape = BatchShape(request.titles, request.tiles)
        batch = self._clients[client][1].batch(request.buffer, shape)
        return _InFlight(client, request, self._runner.submit(batch, shape, request.language))

    def _give_up(self, requests: Sequence[tuple[int, _Request]]) -> None:
        """Release the device's memory and reply that these batches are lost."""
        self._runner.release_memory()
        for client, request in requests:
            self._reply(client, -1 - request.buffer)

    def _finish(self, done: _InFlight) -> None:
        buffers = self._clients[done.client][1]
        shape = BatchShape(done.request.titles, done.request.tiles)
        buffers.results(done.request.buffer, shape)[:] = self._runner.collect(done.ticket)
        self._reply(done.client, done.request.buffer)

    def _reply(self, client: int, message: int) -> None:
        # A client that has ended needs no reply.
        with suppress(BrokenPipeError, ConnectionError):
            self._clients[client][0].send(message)
