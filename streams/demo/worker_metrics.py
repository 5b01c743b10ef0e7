"""What a worker says of itself on `/status.json` and `/metrics`, as far as the demo shows it."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

_CONSUMED = "shelfstream_records_consumed_total"
_PRODUCED = "shelfstream_records_produced_total"
_CPU = "process_cpu_seconds_total"


@dataclass(frozen=True)
class Reading:
    """One look at a worker. All counts are records.

    Attributes:
        ready: whether it does its work.
        reasons: why not.
        lag: what waits, by agent; an agent of which nothing is known yet is left out.
        consumed: read in committed batches, by topic.
        produced: written in committed batches, by topic.
        cpu_s: processor time that it has used, in seconds.
        model_version: the model that it runs.
    """

    ready: bool = False
    reasons: tuple[str, ...] = ()
    lag: dict[str, int] = field(default_factory=dict)
    consumed: dict[str, int] = field(default_factory=dict)
    produced: dict[str, int] = field(default_factory=dict)
    cpu_s: float = 0.0
    model_version: str = ""


def read_worker(status: dict[str, Any], metrics: str) -> Reading:
    """Read both answers.

    Args:
        status: the answer of `/status.json`.
        metrics: the answer of `/metrics`, in Prometheus' text format.
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
    return Reading(
        ready=bool(status["ready"]),
        reasons=tuple(status["reasons"]),
        lag=dict(lag),
        consumed=by_topic[_CONSUMED],
        produced=by_topic[_PRODUCED],
        cpu_s=cpu_s,
        model_version=str(status["model_version"]),
    )
