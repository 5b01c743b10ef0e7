"""The Prometheus metrics of a worker, and their manual."""

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
# Up to a day, so that the backlog of a worker that was down for a night is measured too.
_END_TO_END = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 3_600, 86_400)

M = TypeVar("M", bound=MetricWrapperBase)


class MetricDocumentation(NamedTuple):
    """A row of the manual.

    Attributes:
        name: Name of the metric as Prometheus shows it.
        kind: "counter", "gauge" or "histogram".
        labels: Names of its labels.
        meaning: Its help text.
    """

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str


class Metrics:
    """All metrics of one worker. Times are in seconds, sizes in bytes.

    Label values are topics, partitions, agents, tables, versions and constants of the code. Keys and ids are
    never label values, so that the number of time series stays bounded.

    Attributes:
        registry: The registry of these metrics.
        manual: Their documentation, in the order of definition.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.manual: list[MetricDocumentation] = []
        ProcessCollector(registry=self.registry)
        self._readiness()
        self._flow()
        self._batches()
        self._decisions()
        self._models()
        self._errors()
        self._inputs()
        self._state()

    def exposition(self) -> bytes:
        """Return all current values in Prometheus' text format (`CONTENT_TYPE`)."""
        return generate_latest(self.registry)

    def _readiness(self) -> None:
        self.ready = self._gauge("ready", "1 while `/ready` answers 200, else 0.")
        self.kafka_reachable = self._gauge(
            "kafka_reachable", "1 while a broker answers the worker's regular request for metadata, else 0."
        )
        self.partitions = self._gauge(
            "partitions", "Partitions of each input of an agent that this worker runs.", "agent"
        )
        self.lanes = self._gauge(
            "lanes",
            "Lanes of this worker by state: opening, restoring, running, backoff, fenced, paused.",
            "agent",
            "state",
        )

    def _flow(self) -> None:
        self.records_consumed = self._counter(
            "records_consumed", "Records read in committed batches.", "topic"
        )
        self.records_produced = self._counter(
            "records_produced", "Records written in committed batches.", "topic"
        )
        self.consumer_lag = self._gauge(
            "consumer_lag_records",
            "Records between the lane's position and the last stable offset.",
            "topic",
            "partition",
        )
        self.last_commit = self._gauge(
            "last_commit_timestamp_seconds",
            "Unix time of the lane's last commit here, or of its assignment before the first one.",
            "topic",
            "partition",
        )
        self.end_to_end = self._histogram(
            "end_to_end_seconds",
            "Time from the timestamp of a batch's last record to the commit of its outputs.",
            _END_TO_END,
            "agent",
        )

    def _batches(self) -> None:
        self.batch_records = self._histogram("batch_records", "Records per batch.", _RECORDS, "agent")
        self.batch_bytes = self._histogram("batch_bytes", "Bytes of input per batch.", _BYTES, "agent")
        self.batch_stage = self._histogram(
            "batch_stage_seconds",
            "Time per batch by stage: process, commit.",
            _STAGES,
            "agent",
            "stage",
        )
        self.in_flight = self._gauge(
            "in_flight_bytes", "Bytes of fetched records that are not processed yet."
        )
        self.transactions = self._counter(
            "transactions", "Kafka transactions by result: committed, aborted.", "agent", "result"
        )

        self.rolled_back_records = self._counter(
            "rolled_back_records",
            "Records of batches that were rolled back, because their lane moved or the worker stopped.",
            "agent",
        )
        self.rolled_back_seconds = self._counter(
            "rolled_back_seconds",
            "Seconds of work on batches that were rolled back so.",
            "agent",
        )

    def _decisions(self) -> None:
        self.decisions = self._counter(
            "decisions", "Published decisions by outcome: model, shop, person, abstained.", "outcome"
        )
        self.cache_requests = self._counter(
            "cache_requests", "Lookups of titles in the classification cache by result: hit, miss.", "result"
        )
        self.drift_psi = self._gauge(
            "drift_psi",
            "Population stability index against the reference. From 0.25 the feature has drifted.",
            "feature",
        )
        self.drift_listings = self._gauge(
            "drift_listings", "Decayed number of listings in the drift statistics."
        )
        self.versions = self._gauge(
            "versions",
            "Always 1. The labels carry the running versions.",
            "version",
            "model_version",
            "taxonomy_version",
        )

    def _models(self) -> None:
        self.canary_share = self._gauge(
            "canary_share",
            "Share of the products for which the candidate model publishes, 0 to 1.",
            "model_version",
        )
        self.model_swaps = self._counter(
            "model_swaps", "Number of times another model was loaded, to serve or as a candidate."
        )
        self.model_failures = self._counter(
            "model_failures", "Number of times a deployed model or the deployment could not be used."
        )
        self.model_trouble = self._gauge(
            "model_trouble", "1 while the worker does not run the deployed models, else 0."
        )
        self.shadow_listings = self._counter(
            "shadow_listings",
            "Listings offered to the shadow model by result: compared, dropped.",
            "result",
        )
        self.shadow_differences = self._counter(
            "shadow_differences",
            "Compared listings whose predictions differ, by aspect: level1, category, outcome.",
            "aspect",
        )

    def _errors(self) -> None:
        self.dead_letters = self._counter(
            "dead_letters", "Records that could not be processed, by reason.", "topic", "reason"
        )
        self.dead_letter_budget = self._gauge(
            "dead_letter_budget_records",
            "Dead letters that can be written at once. Below 0 the worker slows down.",
        )
        self.retries = self._counter(
            "retries", "Batches that failed and are retried, by error class.", "cause"
        )
        self.model_restarts = self._counter(
            "model_restarts",
            "Number of times the model's process died and was restarted, also while it loaded the model.",
        )
        self.model_hangs = self._counter(
            "model_hangs", "Number of times the model's process hung and was killed. Counted as restarts too."
        )
        self.fenced = self._counter(
            "fenced", "Number of times a lane was fenced by a newer owner of its partition.", "agent"
        )
        self.rebalances = self._counter(
            "rebalances", "Number of times the group assigned partitions to this worker."
        )
        self.records_expired = self._counter(
            "records_expired",
            "Offsets that retention removed before a lane read them: an upper bound of lost records.",
            "topic",
        )
        self.unread_partitions = self._gauge(
            "unread_partitions", "Partitions of an input that were added and that no lane reads.", "topic"
        )
        self.inputs_reset = self._gauge(
            "inputs_reset",
            "1 while a lane waits because an input was created again or truncated, else 0.",
            "agent",
            "partition",
        )

    def _inputs(self) -> None:
        self.unknown_withdrawals = self._counter(
            "unknown_withdrawals",
            "Tombstones in product-created whose key names no known product. They change nothing.",
        )
        self.ignored_fields = self._counter(
            "ignored_fields",
            "Optional fields that were left out of their record because they were wrong.",
            "topic",
            "field",
        )
        self.misspelled_fields = self._counter(
            "misspelled_fields",
            "Unknown fields that resemble `field`; of user-behavior every 16th record is checked.",
            "topic",
            "field",
        )
        self.replayed = self._counter(
            "replayed_events",
            "Copies, by a replay of user-behavior, of events that were read before. They are ignored.",
        )
        self.without_pairs = self._counter(
            "without_pairs",
            "What forms no pairs: `late` events, `limited` sessions (too many of a shopper), and products"
            " `out_of_order` in a session with too many corrections.",
            "reason",
        )

    def _state(self) -> None:
        self.state_rows = self._gauge("state_rows", "Rows of a table.", "table", "partition")
        self.state_bytes = self._gauge("state_bytes", "Bytes of a table's rows.", "table", "partition")
        self.restore_remaining = self._gauge(
            "restore_remaining_records",
            "Changelog records that restoration has not read yet.",
            "table",
            "partition",
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
"""Documentation of all metrics."""
