"""Latency: from handing an event to a producer to a read_committed consumer that has it, at a steady rate."""

import math
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import Consumer, Producer, TopicPartition

from benchmarks.cluster import Cluster
from benchmarks.events import plain_events
from benchmarks.passthrough import PARTITIONS, SIZE
from benchmarks.peer_process import Running, contestant
from benchmarks.peers.contestant import PASSTHROUGH, Contestant, Work

EVERY = 50
"""One event of so many is timed; its key says its number."""
_WARM_UP_S = 10.0
_TICK_S = 0.01


@dataclass(frozen=True, slots=True)
class Latency:
    """How long events took.

    Attributes:
        name: The contestant's.
        per_s: Events fed a second.
        timed: How many were timed and arrived.
        missing: How many were timed and did not.
        p50_ms: The median, in milliseconds.
        p99_ms: The 99th percentile.
    """

    name: str
    per_s: float
    timed: int
    missing: int
    p50_ms: float
    p99_ms: float


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of the values do not exceed (nearest rank); nan of none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


def measure(cluster: Cluster, short: str, which: Contestant, *, per_s: float, seconds: float) -> Latency:
    """Feed a contestant at a steady rate and time every fiftieth event, after ten seconds of warming up.

    Args:
        cluster: The broker.
        short: A name for topics and the group.
        which: The contestant.
        per_s: Events a second.
        seconds: How long events are timed.
    """
    before = cluster.topics()
    source, sink = f"latency-source-{short}", f"latency-sink-{short}"
    for topic in (source, sink):
        cluster.create(topic, PARTITIONS)
    with tempfile.TemporaryDirectory(prefix="shelfstream-bench-") as state:
        work = Work(cluster.bootstrap, PASSTHROUGH, source, sink, f"latency-{short}", Path(state), PARTITIONS)
        with contestant(which, work) as process:
            arrivals = _Arrivals(cluster.bootstrap, sink)
            arrivals.start()
            sent = _feed(cluster.bootstrap, source, per_s, _WARM_UP_S + seconds, process)
            arrivals.finish(len(sent))
    cluster.delete(cluster.topics() - before)
    timed = [number for number in sent if number >= per_s * _WARM_UP_S]
    took = [(arrivals.seen[number] - sent[number]) * 1000 for number in timed if number in arrivals.seen]
    return Latency(
        which.name, per_s, len(took), len(timed) - len(took), percentile(took, 0.5), percentile(took, 0.99)
    )


def _feed(bootstrap: str, source: str, per_s: float, seconds: float, process: Running) -> dict[int, float]:
    """Write at a steady rate; when (monotonic) each timed event was handed over, by its number."""
    producer = Producer({"bootstrap.servers": bootstrap, "partitioner": "murmur2_random", "linger.ms": 5})
    total = int(per_s * seconds)
    events = plain_events(total, SIZE)
    sent: dict[int, float] = {}
    began, number = time.monotonic(), 0
    while number < total:
        process.look()
        due = min(total, int((time.monotonic() - began) * per_s))
        while number < due:
            key, value = next(events)
            if number % EVERY == 0:
                key = b"timed-%d" % number
                sent[number] = time.monotonic()
            producer.produce(source, value, key)
            number += 1
            if number % 1_000 == 0:
                producer.poll(0)
        producer.poll(0)
        time.sleep(_TICK_S)
    producer.flush()
    return sent


class _Arrivals(threading.Thread):
    """When each timed event was first seen by a read_committed consumer."""

    def __init__(self, bootstrap: str, sink: str) -> None:
        super().__init__(daemon=True)
        self.seen: dict[int, float] = {}
        self._end = threading.Event()
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": f"reader-{time.monotonic_ns()}",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 20,
            }
        )
        self._consumer.assign([TopicPartition(sink, number, 0) for number in range(PARTITIONS)])

    def run(self) -> None:
        """Read until told to stop."""
        while not self._end.is_set():
            messages = self._consumer.consume(10_000, 0.01)
            now = time.monotonic()
            for message in messages:
                key = message.key()
                if isinstance(key, bytes) and key.startswith(b"timed-"):
                    self.seen.setdefault(int(key[6:]), now)
        self._consumer.close()

    def finish(self, expected: int, patience_s: float = 60.0) -> None:
        """Stop once so many have been seen, or the patience is over."""
        deadline = time.monotonic() + patience_s
        while len(self.seen) < expected and time.monotonic() < deadline:
            time.sleep(0.1)
        self._end.set()
        self.join()
