"""A run on a real Kafka: writes records, lets one real worker process them, and checks their outcomes."""

import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from confluent_kafka import Message, Producer

from models.enrichment.enricher import Enricher
from streams.records import MemoryRecord
from streams.topics import DEAD_LETTER, PRODUCT_ENRICHED
from tests.fuzz.account import Account, Outputs, account
from tests.fuzz.records import Fuzzed, records
from tests.support.deployment import INPUTS, PARTITIONS, Deployment
from tests.support.worker_process import WorkerProcess

MIB = 1024 * 1024

MEMORY_LIMIT = 1_000 * MIB
"""The limit of a worker's peak memory. `docs/operations/bad-input.md` adds it up."""

SETTINGS: dict[str, object] = {
    # Half of the fuzzer's records become dead letters. Other tests cover the throttle of dead letters.
    "dead_letter_burst": 10_000_000,
    "dead_letter_rate_per_s": 1e9,
}

Progress = Callable[[str, int, int], None]
"""Receives the step's name, the number of records done and the total."""


@dataclass(frozen=True)
class Run:
    """The result of a run. Memory is resident memory of the worker in bytes.

    Attributes:
        account: The outcomes of the records.
        consumed: The number of consumed records by input topic, from the worker's metrics.
        memory_before: The memory when the worker was ready and nothing had been written.
        memory_after: The memory when everything was processed.
        memory_peak: The peak memory.
        seconds: The time from the first record written until everything was processed.
        restarts: How often the worker ended or restarted. It should be 0.
        log_bytes: The size of the worker's log.
    """

    account: Account
    consumed: dict[str, int]
    memory_before: int
    memory_after: int
    memory_peak: int
    seconds: float
    restarts: int
    log_bytes: int

    def faults(self) -> list[str]:
        """Describe each fault in a sentence."""
        faults = list(self.account.faults)
        for topic, tally in self.account.topics.items():
            if self.consumed.get(topic) != tally.records:
                faults.append(f"the worker counts {self.consumed.get(topic)} of {tally.records} of {topic}")
        if not self.account.adds_up and not faults:
            faults.append("the tallies do not add up")
        if self.memory_peak > MEMORY_LIMIT:
            faults.append(f"the worker took {self.memory_peak // MIB} MiB, above {MEMORY_LIMIT // MIB} MiB")
        if self.restarts:
            faults.append(f"the worker ended or restarted {self.restarts} times")
        return faults


def run(
    bootstrap: str,
    folder: Path,
    seed: int,
    count: int,
    *,
    within_s: float,
    progress: Progress = lambda step, done, total: None,
) -> Run:
    """Write records of the fuzzer, let a worker process them, and check their outcomes.

    Args:
        bootstrap: The address of a broker without a deployment.
        folder: The directory for state and logs.
        seed: The seed of the fuzzer.
        count: The number of records.
        within_s: Seconds that the worker may take from the last record on.
        progress: Receives the progress.
    """
    with Deployment(bootstrap, folder, **SETTINGS) as deployment:
        worker = deployment.worker()
        worker.wait_ready()
        before, started = _memory(worker, "VmRSS"), time.monotonic()
        started_at = worker.status()["started_at"]
        write(bootstrap, islice(records(seed, PARTITIONS), count), lambda at: progress("write", at, count))
        _watch(worker, count, within_s, lambda at: progress("process", at, count))
        deployment.wait_until_processed(within_s)
        seconds = time.monotonic() - started
        after, peak = _memory(worker, "VmRSS"), _memory(worker, "VmHWM")
        consumed, log = _consumed(worker), worker.log.read_text()
        # A worker restarts in its process: only the time of its start changes.
        restarts = (worker.status()["started_at"] != started_at) + (worker.stop() != 0)
        progress("account", 0, count)
        done = read_account(deployment)
        progress("account", count, count)
    return Run(done, consumed, before, after, peak, seconds, restarts, len(log))


def write(bootstrap: str, fuzzed: Iterable[Fuzzed], progress: Callable[[int], None]) -> None:
    """Write records to their partitions, in order."""
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 20, "enable.idempotence": True})
    for number, (topic, partition, key, value, headers) in enumerate(fuzzed, 1):
        while True:
            try:
                producer.produce(topic, value, key, partition=partition, headers=list(headers))
                break
            except BufferError:
                producer.poll(0.1)
        if number % 1_000 == 0:
            producer.poll(0)
            progress(number)
    assert producer.flush(240) == 0


def read_account(deployment: Deployment) -> Account:
    """Read all topics and check the outcomes of the inputs."""
    inputs = [record for topic in INPUTS for record in _read(deployment, topic)]
    latest = {
        (record.partition, record.key): record.value
        for record in _read(deployment, "shelfstream-shoppers-changelog")
    }
    rows = {
        (partition, key): row
        for (partition, key), row in latest.items()
        if key is not None and not key.startswith(b"\x00") and row is not None
    }
    outputs = Outputs(_read(deployment, PRODUCT_ENRICHED), _read(deployment, DEAD_LETTER), rows)
    return account(inputs, outputs, Enricher.load(), PARTITIONS)


def _read(deployment: Deployment, topic: str) -> Sequence[MemoryRecord]:
    return sorted(map(_record, deployment.read(topic)), key=lambda each: (each.partition, each.offset))


def _record(message: Message) -> MemoryRecord:
    _, timestamp = message.timestamp()
    headers = message.headers() or []
    position = message.topic(), message.partition(), message.offset()
    return MemoryRecord(*position, timestamp, message.key(), message.value(), headers)


def _watch(worker: WorkerProcess, count: int, within_s: float, progress: Callable[[int], None]) -> None:
    """Report progress until the worker has consumed `count` records, has ended, or took too long."""
    deadline = time.monotonic() + within_s
    while worker.process.poll() is None and time.monotonic() < deadline:
        done = sum(_consumed(worker).values())
        progress(done)
        if done >= count:
            return
        time.sleep(0.5)


def _consumed(worker: WorkerProcess) -> dict[str, int]:
    """Read the worker's counters of records consumed from the input topics, in committed batches."""
    found = re.findall(
        r'^shelfstream_records_consumed_total\{topic="([^"]+)"\} (\S+)$', worker.get("metrics"), re.M
    )
    return {topic: int(float(value)) for topic, value in found if topic in INPUTS}


def _memory(worker: WorkerProcess, name: str) -> int:
    status = Path(f"/proc/{worker.process.pid}/status").read_text()
    found = re.search(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024
