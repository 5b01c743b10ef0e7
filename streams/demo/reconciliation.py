"""Reconciliation of the demo: compares what went into each topic with what came of it."""

from typing import NamedTuple

from streams.demo.counters import OUTPUTS, DemoCounters
from streams.demo.worker_metrics import WorkerMetrics
from streams.topics import CATEGORY_FEEDBACK, CO_BEHAVIOR, PRODUCT_CREATED, PRODUCT_ENRICHED, USER_BEHAVIOR


class TopicBalance(NamedTuple):
    """The balance of one topic.

    Attributes:
        topic: Name of the topic.
        total: Number of records.
        verb: What `total` counts, such as "in" or "committed".
        parts: Counts with labels. If the topic is balanced their sum is `total`.
    """

    topic: str
    total: int
    verb: str
    parts: tuple[tuple[str, int], ...]

    @property
    def balanced(self) -> bool:
        """Whether the parts sum up to the total."""
        return self.total == sum(count for _, count in self.parts)

    @property
    def equation(self) -> str:
        """The balance as text: `12 in = 10 enriched + 2 dead-lettered`. Only the first part may be 0."""
        shown = [part for number, part in enumerate(self.parts) if part[1] or number == 0]
        right = " + ".join(f"{count:,} {label}" for label, count in shown)
        return f"{self.total:,} {self.verb} {'=' if self.balanced else '≠'} {right}"


def reconcile(counters: DemoCounters, metrics: WorkerMetrics) -> list[TopicBalance]:
    """Return the balances of all topics, input topics first.

    An input topic is compared with what came of its records, an output topic with the worker's own count.

    Args:
        counters: What the demo wrote and read.
        metrics: What the worker reports. Its counts are those of committed batches.
    """
    return [*_inputs(counters, metrics), *_outputs(counters, metrics)]


def all_processed(counters: DemoCounters, metrics: WorkerMetrics) -> bool:
    """Return whether everything sent has come out, and no record is left in a topic between two agents.

    Args:
        counters: What the demo wrote and read.
        metrics: What the worker reports.
    """
    internal_topics_read = all(
        metrics.consumed.get(topic, 0) == metrics.produced.get(topic, 0)
        for topic in (PRODUCT_ENRICHED, CO_BEHAVIOR)
    )
    no_lag = not any(metrics.lag.values())
    return internal_topics_read and no_lag and all(each.balanced for each in reconcile(counters, metrics))


def _inputs(counters: DemoCounters, metrics: WorkerMetrics) -> list[TopicBalance]:
    dead_lettered = counters.dead_letters_by_topic
    behavior = metrics.consumed.get(USER_BEHAVIOR, 0)
    parts: dict[str, list[tuple[str, int]]] = {
        PRODUCT_CREATED: [
            ("enriched", counters.enriched_by_source[PRODUCT_CREATED]),
            ("withdrawn", len(counters.withdrawn)),
        ],
        USER_BEHAVIOR: [("counted into sessions", behavior - dead_lettered[USER_BEHAVIOR])],
        CATEGORY_FEEDBACK: [("decided by a person", counters.enriched_by_source[CATEGORY_FEEDBACK])],
    }
    return [
        TopicBalance(
            topic,
            counters.rates[topic].total,
            "in",
            (*topic_parts, ("dead-lettered", dead_lettered[topic])),
        )
        for topic, topic_parts in parts.items()
    ]


def _outputs(counters: DemoCounters, metrics: WorkerMetrics) -> list[TopicBalance]:
    return [
        TopicBalance(
            topic,
            metrics.produced.get(topic, 0),
            "committed",
            (("read by the demo", counters.rates[topic].total),),
        )
        for topic in OUTPUTS
    ]
