"""Many processes share one device. Threads stand for the processes, and a fake for the device."""

import threading
from collections.abc import Iterator
from multiprocessing import Pipe

import numpy as np
import pytest

from models.device.cascade.host_batches import BatchBuilder
from models.device.cascade.layout import KNOWN, SURE, BatchShape, result_width, split_download, split_upload
from models.device.cascade.sharing import (
    BUFFERS,
    DeviceServer,
    ResultSize,
    SharedBuffers,
    SharedDeviceClassifier,
)
from models.device.encoder.packing import Ints
from models.student.artifact import Artifact
from models.student.classifier import Classification
from models.taxonomy.tree import Taxonomy
from models.text.languages import Language
from schemas.errors import RetryLater

SIZES = ResultSize(candidates=2, dimensions=8)
ARTIFACT = Artifact.load(None, Taxonomy.google())
TEXTS = ["mug", "red mug", "a red ceramic mug", "???", "blue tea pot"] * 3


class CountingCard:
    """A fake device: a title's category is the number of its feature rows."""

    def __init__(self) -> None:
        self.in_flight = self.greatest = self.releases = 0
        self.max_titles = 10_000

    def submit(self, buffer: Ints, shape: BatchShape, language: Language | None) -> "FinishedTicket":
        if shape.titles > self.max_titles:
            raise MemoryError
        self.in_flight += 1
        self.greatest = max(self.greatest, self.in_flight)
        results = np.zeros((shape.titles, result_width(*SIZES)), dtype=np.int32)
        parts = split_download(results, *SIZES)
        count = np.diff(split_upload(buffer, shape).offsets)
        parts.categories[:], parts.flags[:] = count, np.where(count > 0, KNOWN | SURE, 0)
        parts.confidences[:] = 0.5
        return FinishedTicket(results)

    def collect(self, ticket: "FinishedTicket") -> Ints:
        self.in_flight -= 1
        return ticket.results

    def release_memory(self) -> None:
        self.releases += 1
        self.in_flight = 0


class FinishedTicket:
    """A batch whose results are there at once."""

    stream = 0

    def __init__(self, results: Ints) -> None:
        self.results = results


class Shared:
    """A fake device with this number of clients."""

    def __init__(self, clients: int, max_texts: int) -> None:
        self.card = CountingCard()
        self._buffers = [SharedBuffers(SIZES) for _ in range(clients)]
        self._attached = [SharedBuffers(SIZES, buffers.name) for buffers in self._buffers]
        self.pipes = [Pipe() for _ in range(clients)]
        self.clients = [
            SharedDeviceClassifier(BatchBuilder(ARTIFACT, {}, max_texts), buffers, pipe, SIZES)
            for buffers, (_, pipe) in zip(self._attached, self.pipes, strict=True)
        ]
        served = [(pipe, buffers) for (pipe, _), buffers in zip(self.pipes, self._buffers, strict=True)]
        server = DeviceServer(self.card, served, lambda error: isinstance(error, MemoryError))  # type: ignore[arg-type]
        self.thread = threading.Thread(target=server.serve)
        self.thread.start()

    def close(self) -> None:
        for _, pipe in self.pipes:
            pipe.close()
        self.thread.join(10)
        for buffers in (*self._attached, *self._buffers):
            buffers.close()


@pytest.fixture
def shared() -> Iterator[Shared]:
    made = Shared(clients=3, max_texts=2)
    yield made
    made.close()


def expected() -> list[tuple[int, bool]]:
    batches = BatchBuilder(ARTIFACT, {}, 1).batches(TEXTS)
    counts = [int(split_upload(batch.buffer, batch.shape).offsets[1]) for batch in batches]
    return [(count, True) if count else (-1, False) for count in counts]


def decisions(found: list[Classification]) -> list[tuple[int, bool]]:
    return [(each.category, each.sure) for each in found]


def test_each_process_gets_the_results_of_its_own_texts_in_order(shared: Shared) -> None:
    found: dict[int, list[Classification]] = {}

    def classify(number: int) -> None:
        found[number] = shared.clients[number].classify(TEXTS[number:])

    threads = [threading.Thread(target=classify, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    for number in range(3):
        assert decisions(found[number]) == expected()[number:]
    assert 1 <= shared.card.greatest <= 2


def test_more_batches_than_buffers_and_no_batch(shared: Shared) -> None:
    many = TEXTS * (BUFFERS + 1)
    assert decisions(shared.clients[0].classify(many)) == expected() * (BUFFERS + 1)
    assert shared.clients[0].classify([]) == []


def test_without_memory_the_client_tries_later_with_smaller_batches(shared: Shared) -> None:
    shared.card.max_titles = 1
    with pytest.raises(RetryLater, match="no memory"):
        shared.clients[0].classify(TEXTS[:2])
    assert shared.card.releases == 1
    assert decisions(shared.clients[0].classify(TEXTS[:1])) == expected()[:1]


def test_after_a_lack_of_memory_no_results_are_mixed_up(shared: Shared) -> None:
    shared.card.max_titles = 1
    with pytest.raises(RetryLater):
        shared.clients[1].classify(TEXTS)
    shared.card.max_titles = 10_000
    assert decisions(shared.clients[1].classify(TEXTS[2:])) == expected()[2:]


def test_the_server_ends_after_its_clients() -> None:
    made = Shared(clients=2, max_texts=2)
    assert made.thread.is_alive()
    made.close()
    assert not made.thread.is_alive()
