"""The metrics of a worker: one registry, instruments named for what they mean, and the manual of them all."""

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.metrics import MetricWrapperBase

PREFIX = "shelfstream_"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_RECORDS = (1, 4, 16, 64, 256, 1_000, 4_000, 16_000)
_BYTES = (1 << 10, 1 << 14, 1 << 17, 1 << 20, 1 << 22, 1 << 24)
_STAGES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60)
# Up to a day: what a worker that was away for a night catches up on is worth a number too.
_END_TO_END = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 3_600, 86_400)

M = TypeVar("M", bound=MetricWrapperBase)


class MetricDocumentation(NamedTuple):
    """A line of the manual: the name as Prometheus shows it, the type, the labels, and what it means."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str


class Metrics:
    """All instruments of one worker. Times are in seconds, sizes in bytes.

    Labels stay few: topics, partitions, agents, tables, and slugs that the code names; never a key or an id.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.manual: list[MetricDocumentation] = []
        ProcessCollector(registry=self.registry)
        self._flow()
        self._batches()
        self._decisions()
        self._models()
        self._trouble()
        self._state()

    def exposition(self) -> bytes:
        """All values now, in Prometheus' text format (`CONTENT_TYPE`)."""
        return generate_latest(self.registry)

    def _flow(self) -> None:
        self.records_consumed = self._counter(
            "records_consumed", "records read, in committed batches", "topic"
        )
        self.records_produced = self._counter(
            "records_produced", "records written, in committed batches", "topic"
        )
        self.consumer_lag = self._gauge(
            "consumer_lag_records", "records that wait between us and the topic's end", "topic", "partition"
        )
        self.last_commit = self._gauge(
            "last_commit_timestamp_seconds", "Unix time of the lane's last commit", "topic", "partition"
        )
        self.end_to_end = self._histogram(
            "end_to_end_seconds",
            "from a record's timestamp to the commit of its outputs",
            _END_TO_END,
            "agent",
        )

    def _batches(self) -> None:
        self.batch_records = self._histogram("batch_records", "records of a batch", _RECORDS, "agent")
        self.batch_bytes = self._histogram("batch_bytes", "bytes of a batch as read", _BYTES, "agent")
        self.batch_stage = self._histogram(
            "batch_stage_seconds",
            "time of a batch by stage: process, commit",
            _STAGES,
            "agent",
            "stage",
        )
        self.in_flight = self._gauge("in_flight_bytes", "records that wait in memory for their batch")
        self.transactions = self._counter(
            "transactions", "Kafka transactions by result: committed, aborted", "agent", "result"
        )

    def _decisions(self) -> None:
        self.decisions = self._counter(
            "decisions", "categories by who decided: model, person, abstained", "outcome"
        )
        self.cache_requests = self._counter(
            "cache_requests", "titles looked up in the enrichment cache, by result: hit, miss", "result"
        )
        self.drift_psi = self._gauge(
            "drift_psi", "population stability index against the training; from 0.25 it drifted", "feature"
        )
        self.drift_listings = self._gauge(
            "drift_listings", "listings that drift is measured on, the older ones counting less"
        )
        self.versions = self._gauge(
            "versions", "always 1; the labels say what runs", "version", "model_version", "taxonomy_version"
        )

    def _models(self) -> None:
        self.canary_share = self._gauge(
            "canary_share", "share of the products for which a candidate model publishes", "model_version"
        )
        self.model_swaps = self._counter(
            "model_swaps", "times that a worker took over another model, to serve or to be tried"
        )
        self.model_failures = self._counter(
            "model_failures", "times that a deployed model or deployment could not be used"
        )
        self.model_trouble = self._gauge(
            "model_trouble", "1 while other models run than those that are deployed, else 0"
        )
        self.shadow_listings = self._counter(
            "shadow_listings",
            "listings for a candidate in the shadow, by result: compared, dropped",
            "result",
        )
        self.shadow_differences = self._counter(
            "shadow_differences",
            "compared listings that differ, by aspect: level1, category, outcome",
            "aspect",
        )

    def _trouble(self) -> None:
        self.dead_letters = self._counter(
            "dead_letters", "records that could not be processed, by reason", "topic", "reason"
        )
        self.dead_letter_budget = self._gauge(
            "dead_letter_budget_records",
            "dead letters that may still come at once; below 0 the worker slows down",
        )
        self.retries = self._counter("retries", "work done again after a passing failure, by cause", "cause")
        self.model_restarts = self._counter(
            "model_restarts", "times that the model's process ended by itself and was started again"
        )
        self.fenced = self._counter("fenced", "lanes that lost their partition to a newer owner", "agent")
        self.rebalances = self._counter("rebalances", "times that partitions were assigned anew")

    def _state(self) -> None:
        self.state_rows = self._gauge("state_rows", "rows of a table", "table", "partition")
        self.state_bytes = self._gauge("state_bytes", "bytes of a table's rows", "table", "partition")
        self.restore_remaining = self._gauge(
            "restore_remaining_records", "changelog records still to be read", "table", "partition"
        )

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        counter = Counter(PREFIX + name, meaning, labels, registry=self.registry)
        return self._documented(counter, f"{name}_total", "counter", meaning, labels)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        gauge = Gauge(PREFIX + name, meaning, labels, registry=self.registry)
        return self._documented(gauge, name, "gauge", meaning, labels)

    def _histogram(self, name: str, meaning: str, buckets: Sequence[float], *labels: str) -> Histogram:
        histogram = Histogram(PREFIX + name, meaning, labels, registry=self.registry, buckets=buckets)
        return self._documented(histogram, name, "histogram", meaning, labels)

    def _documented(self, instrument: M, name: str, kind: str, meaning: str, labels: tuple[str, ...]) -> M:
        self.manual.append(MetricDocumentation(PREFIX + name, kind, labels, meaning))
        return instrument


METRICS: tuple[MetricDocumentation, ...] = tuple(Metrics().manual)
"""The manual of all metrics."""
