"""The values of a worker's `/status.json` and `/metrics` that the demo shows."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

_CONSUMED = "shelfstream_records_consumed_total"
_PRODUCED = "shelfstream_records_produced_total"
_CPU = "process_cpu_seconds_total"


@dataclass(frozen=True)
class WorkerMetrics:
    """One report of a worker. Counts are numbers of records.

    Attributes:
        ready: Whether the worker is ready.
        reasons: Reasons why it is not.
        lag: Lag by agent. An agent whose lag is unknown is missing.
        consumed: Records read in committed batches, by topic.
        produced: Records written in committed batches, by topic.
        cpu_s: Used CPU time in seconds.
        model_version: Version of the serving model.
    """

    ready: bool = False
    reasons: tuple[str, ...] = ()
    lag: dict[str, int] = field(default_factory=dict)
    consumed: dict[str, int] = field(default_factory=dict)
    produced: dict[str, int] = field(default_factory=dict)
    cpu_s: float = 0.0
    model_version: str = ""


def parse_worker_metrics(status: dict[str, Any], metrics: str) -> WorkerMetrics:
    """Parse the responses of a worker.

    Args:
        status: Decoded response of `/status.json`.
        metrics: Response of `/metrics`, in the text format of Prometheus.
    """
    lag: Counter[str] = Counter()
    for lane in status["lanes"]:
        if lane["lag"] is not None:
            lag[lane["agent"]] += lane["lag"]
    by_topic: dict[str, dict[str, int]] = {_CONSUMED: {}, _PRODUCED: {}}
    cpu_s = 0.0
    for family in text_string_to_metric_families(metrics):
        for sample in family.samples:
            if sample.name in by_topic:
                by_topic[sample.name][sample.labels["topic"]] = int(sample.value)
            elif sample.name == _CPU:
                cpu_s = sample.value
    return WorkerMetrics(
        ready=bool(status["ready"]),
        reasons=tuple(status["reasons"]),
        lag=dict(lag),
        consumed=by_topic[_CONSUMED],
        produced=by_topic[_PRODUCED],
        cpu_s=cpu_s,
        model_version=str(status["model_version"]),
    )
