"""Where a consumer group stands, asked in a way that never takes a coordinator's refusal for an answer.

aiokafka 0.14 reads the errors of single partitions only. A coordinator that is loading, or has moved, refuses
the request as a whole; aiokafka then says that nothing was ever committed, and all would be processed again.
"""

import asyncio
import threading
from collections.abc import Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

from schemas.errors import RetryLater
from streams.records import Partition


class GroupOffsets:
    """Committed offsets of a group, by a client of its own.

    Args:
        group: the consumer group.
        client: confluent-kafka's connection settings.
        timeout_s: how long one question may take.
    """

    def __init__(self, group: str, client: Mapping[str, Any], timeout_s: float) -> None:
        self._group = group
        self._client = dict(client)
        self._timeout_s = timeout_s
        self._connected: Consumer | None = None
        self._lock = threading.Lock()

    async def committed(self, at: Partition) -> int:
        """The committed offset, or the partition's first where nothing was ever committed.

        Raises:
            RetryLater: the coordinator or the partition's leader does not answer, or not yet.
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
        return RetryLater(f"where the group {self._group} stands in {at} is not known: {why}")

    def _consumer(self) -> Consumer:
        """A consumer that never joins. An AdminClient can ask too, but librdkafka 2.16 dies of a refusal."""
        with self._lock:
            if self._connected is None:
                own = {"group.id": self._group, "enable.auto.commit": False}
                self._connected = Consumer({**self._client, **own})
            return self._connected
