"""A reader of what is committed: the one that counts in tests, campaigns and benchmarks."""

import time
from collections.abc import Sequence

from confluent_kafka import Consumer, TopicPartition


def committed_reader(bootstrap: str, topic: str, offsets: Sequence[int]) -> Consumer:
    """A read_committed consumer of all partitions of a topic, each from its offset on.

    It tells the end of each partition, and outlives a broker that goes away.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"reader-{time.monotonic_ns()}",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "enable.auto.commit": False,
            "reconnect.backoff.max.ms": 500,
            "log_level": 0,
        }
    )
    consumer.assign([TopicPartition(topic, number, offset) for number, offset in enumerate(offsets)])
    return consumer
