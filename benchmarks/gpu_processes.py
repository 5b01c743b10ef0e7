"""Processes that classify their own titles at the same time, on one shared card or each on one core."""

import gc
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, NamedTuple, Protocol

from benchmarks.gpu_titles import raw_titles
from models.device.cascade.host_batches import BatchBuilder
from models.device.cascade.sharing import DeviceServer, ResultSize, SharedBuffers, SharedDeviceClassifier
from models.encoder.artifact import SHIPPED_ENCODERS, VOCABULARY
from models.encoder.encoder import LONGEST
from models.encoder.wordpiece import WordPiece
from models.student.artifact import Artifact
from models.student.classifier import Classification, StudentClassifier
from models.taxonomy.tree import Taxonomy
from models.text.cleaning import clean
from models.text.languages import LANGUAGES

_CHUNK = 16_384


class Order(NamedTuple):
    """A message to a process: what to classify.

    Attributes:
        first: The number of the first title.
        titles: The number of titles.
        encode_all: Whether every title is encoded; only for a shared card.
    """

    first: int
    titles: int
    encode_all: bool = False


@dataclass(frozen=True)
class ProcessResult:
    """The result of one process. All processes use the same clock.

    Attributes:
        started: The start in seconds.
        ended: The end in seconds.
        titles: The number of titles.
        decided: The number of titles whose level 1 reached its threshold.
        tokens: Tokens sent to the encoder, without padding.
        padded: Tokens sent to the encoder, with padding.
    """

    started: float
    ended: float
    titles: int
    decided: int
    tokens: int
    padded: int


class TokenCounts(Protocol):
    """Counts tokens, as `SharedDeviceClassifier` does."""

    tokens: int
    padded: int


def shipped_builder() -> BatchBuilder:
    """A builder of micro-batches for the shipped model and encoders."""
    paths = {each: SHIPPED_ENCODERS / each / VOCABULARY for each in LANGUAGES}
    tokenizers = {each: WordPiece(path, LONGEST) for each, path in paths.items() if path.exists()}
    return BatchBuilder(Artifact.load(None, Taxonomy.google()), tokenizers)


def work(
    receive: Callable[[], Any],
    send: Callable[[Any], None],
    classify: Callable[[Sequence[str]], Sequence[Classification]],
    counts: TokenCounts | None = None,
) -> None:
    """Carry out orders until the pipe is closed.

    Args:
        receive: Returns an `Order`, then anything when it is to start.
        send: Sends None when the titles are ready, then a `ProcessResult`.
        classify: Classifies cleaned texts.
        counts: The token counts; None if tokens are not counted.
    """
    gc.collect()
    gc.freeze()
    while True:
        try:
            order: Order = receive()
        except EOFError:
            return
        titles = raw_titles(order.first, order.titles)
        tokens, padded = (counts.tokens, counts.padded) if counts else (0, 0)
        send(None)
        receive()
        started, decided = time.monotonic(), 0
        for start in range(0, len(titles), _CHUNK):
            found = classify([clean(title) for title in titles[start : start + _CHUNK]])
            decided += sum(each.sure for each in found)
        ended = time.monotonic()
        if counts:
            tokens, padded = counts.tokens - tokens, counts.padded - padded
        send(ProcessResult(started, ended, len(titles), decided, tokens, padded))


def run_client(control: Connection, pipe: Connection, name: str, sizes: ResultSize, max_texts: int) -> None:
    """Run a process that shares a card.

    Args:
        control: Orders and results.
        pipe: The connection to the process that runs the card.
        name: The name of the shared memory.
        sizes: The sizes of results.
        max_texts: The most texts of one micro-batch.
    """
    builder, buffers = shipped_builder(), SharedBuffers(sizes, name)
    builder.max_texts = max_texts
    classifier = SharedDeviceClassifier(builder, buffers, pipe, sizes)

    def receive() -> Any:
        order = control.recv()
        if isinstance(order, Order):
            builder.encode_all = order.encode_all
        return order

    work(receive, control.send, classifier.classify, classifier)
    pipe.close()
    buffers.close()


def run_on_processor(control: Connection) -> None:
    """Run a process with the shipped cascade on one core."""
    from models.encoder.loading import load_second_stage
    from models.student.onnx_backend import OnnxBackend

    tree = Taxonomy.google()
    artifact = Artifact.load(None, tree)
    cascade = StudentClassifier(artifact, OnnxBackend(artifact), tree, second=load_second_stage(tree))
    work(control.recv, control.send, cascade.classify)


class Processes:
    """Processes that wait for orders.

    Args:
        target: The function that each process runs.
        arguments: The function's arguments in each process, after the control pipe.
    """

    def __init__(self, target: Callable[..., None], arguments: Sequence[tuple[Any, ...]]) -> None:
        context = multiprocessing.get_context("spawn")
        # Each process has one core, so no library may start threads of its own.
        os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))
        self._controls: list[Connection] = []
        self._processes = []
        for each in arguments:
            ours, theirs = context.Pipe()
            process = context.Process(target=target, args=(theirs, *each), daemon=True)
            process.start()
            theirs.close()
            self._controls.append(ours)
            self._processes.append(process)

    def run(self, first: int, titles: int, encode_all: bool = False) -> list[ProcessResult]:
        """Have each process classify its own titles; all start together.

        Args:
            first: The number of the first process's first title.
            titles: The number of titles of each process.
            encode_all: Whether every title is encoded.
        """
        for number, control in enumerate(self._controls):
            control.send(Order(first + number * titles, titles, encode_all))
        for control in self._controls:
            control.recv()
        for control in self._controls:
            control.send(None)
        return [control.recv() for control in self._controls]

    def close(self) -> None:
        """End the processes."""
        for control in self._controls:
            control.close()
        for process in self._processes:
            process.join(10)
            process.terminate()


class SharingProcesses(Processes):
    """Processes that share one card, and the thread that runs it.

    Args:
        runner: Runs the card.
        sizes: The sizes of results.
        count: The number of processes.
        ran_out_of_memory: Whether an error says that the card has no memory left.
        max_texts: The most texts of one micro-batch.
    """

    def __init__(
        self,
        runner: Any,
        sizes: ResultSize,
        count: int,
        ran_out_of_memory: Callable[[Exception], bool],
        max_texts: int,
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self._buffers = [SharedBuffers(sizes) for _ in range(count)]
        pipes = [context.Pipe() for _ in range(count)]
        super().__init__(
            run_client,
            [
                (theirs, buffers.name, sizes, max_texts)
                for (_, theirs), buffers in zip(pipes, self._buffers, strict=True)
            ],
        )
        for _, theirs in pipes:
            theirs.close()
        clients = [(ours, buffers) for (ours, _), buffers in zip(pipes, self._buffers, strict=True)]
        server = DeviceServer(runner, clients, ran_out_of_memory)
        self._thread = threading.Thread(target=server.serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the processes, then the thread."""
        super().close()
        self._thread.join(10)
        for buffers in self._buffers:
            buffers.close()


def titles_per_s(results: Sequence[ProcessResult]) -> float:
    """Titles per second, from the first start to the last end."""
    elapsed = max(each.ended for each in results) - min(each.started for each in results)
    return sum(each.titles for each in results) / elapsed
