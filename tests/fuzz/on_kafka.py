"""One run on a real Kafka: records are written, one real worker reads them, and all is accounted for."""

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
"""What a worker may take at its peak, whatever comes in. `docs/operations/bad-input.md` adds it up."""

SETTINGS: dict[str, object] = {
    # Half of what the fuzzer writes is dead, and how workers slow down then is tested elsewhere.
    "dead_letter_burst": 10_000_000,
    "dead_letter_rate_per_s": 1e9,
}

Progress = Callable[[str, int, int], None]
"""Hears what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True)
class Run:
    """What a run showed. Memory is resident, in bytes.

    Attributes:
        account: what became of the records.
        consumed: by input topic, the records that the worker's own counters say it consumed.
        memory_before: when the worker was ready and nothing had been written.
        memory_after: when all was settled.
        memory_peak: the most that it ever had.
        seconds: from the first record written until all was settled.
        restarts: how often the worker ended or started anew; it never should.
        log_bytes: what it logged.
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
        """What is not as it must be, a sentence each."""
        faults = list(self.account.faults)
        for topic, tally in self.account.topics.items():
            if self.consumed.get(topic) != tally.records:
                faults.append(f"the worker counts {self.consumed.get(topic)} of {tally.records} of {topic}")
        if not self.account.adds_up and not faults:
            faults.append("the tallies do not add up")
        if self.memory_peak > MEMORY_LIMIT:
            faults.append(f"the worker took {self.memory_peak // MIB} MiB, above {MEMORY_LIMIT // MIB} MiB")
        if self.restarts:
            faults.append(f"the worker ended or started anew {self.restarts} times")
        return faults


def run(
    bootstrap: str,
    folder: Path,
    seed: int,
    count: int,
    *,
    within_s: float,
    progress: Progress = lambda what, done, total: None,
) -> Run:
    """Write `count` records of `seed`, let a worker read them, and account for them.

    Args:
        bootstrap: a Kafka on which there is no deployment yet.
        folder: for state and logs.
        seed: of the fuzzer.
        count: how many records.
        within_s: how long the worker may take from the last record on.
        progress: hears how it goes.
    """
    with Deployment(bootstrap, folder, **SETTINGS) as deployment:
        worker = deployment.worker()
        worker.wait_ready(120)
        before, started = _memory(worker, "VmRSS"), time.monotonic()
        write(bootstrap, islice(records(seed, PARTITIONS), count), lambda at: progress("write", at, count))
        _watch(worker, count, within_s, lambda at: progress("process", at, count))
        deployment.wait_until_processed(within_s)
        seconds = time.monotonic() - started
        after, peak = _memory(worker, "VmRSS"), _memory(worker, "VmHWM")
        consumed, log = _consumed(worker), worker.log.read_text()
        restarts = (worker.process.poll() is not None) + log.count('"event": "starting anew"')
        restarts += worker.stop(60) != 0
        progress("account", 0, count)
        done = read_account(deployment)
        progress("account", count, count)
    return Run(done, consumed, before, after, peak, seconds, restarts, len(log))


def write(bootstrap: str, fuzzed: Iterable[Fuzzed], progress: Callable[[int], None]) -> None:
    """Write the records to their partitions, in order."""
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
    assert producer.flush(60) == 0


def read_account(deployment: Deployment) -> Account:
    """Read all topics and account for what is in them."""
    inputs = [record for topic in INPUTS for record in _read(deployment, topic)]
    rows = {
        (record.partition, record.key): record.value
        for record in _read(deployment, "shelfstream-shoppers-changelog")
        if record.key is not None and record.value is not None
    }
    outputs = Outputs(_read(deployment, PRODUCT_ENRICHED), _read(deployment, DEAD_LETTER), rows)
    return account(inputs, outputs, Enricher.load(), PARTITIONS)


def _read(deployment: Deployment, topic: str) -> Sequence[MemoryRecord]:
    return sorted(map(_record, deployment.read(topic)), key=lambda each: (each.partition, each.offset))


def _record(message: Message) -> MemoryRecord:
    _, timestamp = message.timestamp()
    headers = message.headers() or []
    place = message.topic(), message.partition(), message.offset()
    return MemoryRecord(*place, timestamp, message.key(), message.value(), headers)


def _watch(worker: WorkerProcess, count: int, within_s: float, progress: Callable[[int], None]) -> None:
    """Wait until the worker has consumed so many records; time that runs out is for `settle` to tell."""
    deadline = time.monotonic() + within_s
    while worker.process.poll() is None and time.monotonic() < deadline:
        done = sum(_consumed(worker).values())
        progress(done)
        if done >= count:
            return
        time.sleep(0.5)


def _consumed(worker: WorkerProcess) -> dict[str, int]:
    """The worker's own counters of records consumed from the input topics, in committed batches."""
    found = re.findall(
        r'^shelfstream_records_consumed_total\{topic="([^"]+)"\} (\S+)$', worker.get("metrics"), re.M
    )
    return {topic: int(float(value)) for topic, value in found if topic in INPUTS}


def _memory(worker: WorkerProcess, name: str) -> int:
    status = Path(f"/proc/{worker.process.pid}/status").read_text()
    found = re.search(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024
