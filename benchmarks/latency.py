"""Measures latency from the producer to a read_committed consumer at a steady rate."""

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
from benchmarks.peer_process import RunningProcess, running_contestant
from benchmarks.peers.contestant import PASSTHROUGH, Contestant, Work

TIMED_EVERY = 50
"""One of this many events is timed; its key contains its number."""
_WARM_UP_S = 10.0
_TICK_S = 0.01


@dataclass(frozen=True, slots=True)
class LatencyResult:
    """The latency of a contestant.

    Attributes:
        name: The contestant.
        per_s: Input events per second.
        timed: The number of timed events that arrived.
        missing: The number of timed events that did not arrive.
        p50_ms: The median in milliseconds.
        p99_ms: The 99th percentile in milliseconds.
    """

    name: str
    per_s: float
    timed: int
    missing: int
    p50_ms: float
    p99_ms: float


def percentile(values: Sequence[float], fraction: float) -> float:
    """Return a percentile by the nearest-rank method; nan of no values.

    Args:
        values: Numbers in any order.
        fraction: The percentile, in (0, 1].
    """
    ordered = sorted(values)
    return ordered[max(0, math.ceil(fraction * len(ordered)) - 1)] if ordered else math.nan


def measure(
    cluster: Cluster, short_name: str, contestant: Contestant, *, per_s: float, seconds: float
) -> LatencyResult:
    """Produce events at a steady rate and time every fiftieth event, after a warm-up of ten seconds.

    Args:
        cluster: The broker.
        short_name: A name for topics and the group.
        contestant: The contestant.
        per_s: Events per second.
        seconds: The duration of the timed part.
    """
    before = cluster.topics()
    source, sink = f"latency-source-{short_name}", f"latency-sink-{short_name}"
    for topic in (source, sink):
        cluster.create(topic, PARTITIONS)
    with tempfile.TemporaryDirectory(prefix="shelfstream-bench-") as state:
        work = Work(
            cluster.bootstrap, PASSTHROUGH, source, sink, f"latency-{short_name}", Path(state), PARTITIONS
        )
        with running_contestant(contestant, work) as process:
            arrivals = _Arrivals(cluster.bootstrap, sink)
            arrivals.start()
            sent = _feed(cluster.bootstrap, source, per_s, _WARM_UP_S + seconds, process)
            arrivals.finish(len(sent))
    cluster.delete(cluster.topics() - before)
    timed = [number for number in sent if number >= per_s * _WARM_UP_S]
    latencies = [(arrivals.seen[number] - sent[number]) * 1000 for number in timed if number in arrivals.seen]
    return LatencyResult(
        contestant.name,
        per_s,
        len(latencies),
        len(timed) - len(latencies),
        percentile(latencies, 0.5),
        percentile(latencies, 0.99),
    )


def _feed(
    bootstrap: str, source: str, per_s: float, seconds: float, process: RunningProcess
) -> dict[int, float]:
    """Produce events at a steady rate.

    Returns:
        The monotonic time in seconds at which each timed event was handed to the producer, by its number.
    """
    producer = Producer({"bootstrap.servers": bootstrap, "partitioner": "murmur2_random", "linger.ms": 5})
    total = int(per_s * seconds)
    events = plain_events(total, SIZE)
    sent: dict[int, float] = {}
    started, number = time.monotonic(), 0
    while number < total:
        process.check()
        due = min(total, int((time.monotonic() - started) * per_s))
        while number < due:
            key, value = next(events)
            if number % TIMED_EVERY == 0:
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
    """Records when a read_committed consumer first receives each timed event."""

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
        """Consume until `finish` is called."""
        while not self._end.is_set():
            messages = self._consumer.consume(10_000, 0.01)
            now = time.monotonic()
            for message in messages:
                key = message.key()
                if isinstance(key, bytes) and key.startswith(b"timed-"):
                    self.seen.setdefault(int(key[6:]), now)
        self._consumer.close()

    def finish(self, expected: int, patience_s: float = 60.0) -> None:
        """Stop when `expected` events were received, or after `patience_s` seconds."""
        deadline = time.monotonic() + patience_s
        while len(self.seen) < expected and time.monotonic() < deadline:
            time.sleep(0.1)
        self._end.set()
        self.join()
