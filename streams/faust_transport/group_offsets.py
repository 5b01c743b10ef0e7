"""The committed offsets of a consumer group.

aiokafka 0.14 checks the errors of single partitions only. A coordinator that is loading, or has moved,
refuses the request as a whole. aiokafka then reports that nothing was ever committed, and a lane would
process all records again. Therefore a client of confluent-kafka asks.
"""

import asyncio
import threading
from collections.abc import Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

from schemas.errors import RetryLater
from streams.records import Partition


class GroupOffsets:
    """The committed offsets of a group.

    Args:
        group: The consumer group.
        client: confluent-kafka's connection settings.
        timeout_s: Seconds that a request may take.
    """

    def __init__(self, group: str, client: Mapping[str, Any], timeout_s: float) -> None:
        self._group = group
        self._client = dict(client)
        self._timeout_s = timeout_s
        self._connected: Consumer | None = None
        self._lock = threading.Lock()

    async def committed(self, at: Partition) -> int:
        """Return the committed offset of a partition, or its first offset if nothing was committed.

        Raises:
            RetryLater: The coordinator or the partition's leader does not answer.
        """
        return await asyncio.to_thread(self._committed, at)

    def _committed(self, at: Partition) -> int:
        partition = TopicPartition(*at)
        try:
            consumer = self._consumer()
            found = consumer.committed([partition], self._timeout_s)[0]
            first = 0
            if found.error is None and found.offset < 0:
                first, _ = consumer.get_watermark_offsets(partition, self._timeout_s)
        except KafkaException as error:
            raise self._unknown(at, error) from error
        if found.error is not None:
            raise self._unknown(at, found.error)
        return int(found.offset) if found.offset >= 0 else int(first)

    def _unknown(self, at: Partition, why: object) -> RetryLater:
        return RetryLater(f"the committed offset of the group {self._group} in {at} is unknown: {why}")

    def _consumer(self) -> Consumer:
        """Return a consumer that never joins the group: a refused AdminClient crashes librdkafka 2.16."""
        with self._lock:
            if self._connected is None:
                own = {"group.id": self._group, "enable.auto.commit": False}
                self._connected = Consumer({**self._client, **own})
            return self._connected
