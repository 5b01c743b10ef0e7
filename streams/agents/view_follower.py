"""Keeps read views of compacted topics up to date from Kafka, outside the consumer group."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from streams.backoff import Backoff
from streams.cancellation import is_being_cancelled
from streams.records import Record

log = structlog.get_logger()


class View(Protocol):
    """What reads all records of a topic, in the order of each partition. Threads call it."""

    def update(self, records: Iterable[Record]) -> None:
        """Apply records."""


class ViewFollower:
    """Keeps views up to date.

    Args:
        views: The views by topic.
        client: aiokafka's connection settings.
        partitions: The number of partitions of every topic.
    """

    def __init__(self, views: Mapping[str, View], client: dict[str, Any], partitions: int) -> None:
        self._views = views
        self._client = client
        self._partitions = [TopicPartition(topic, each) for topic in views for each in range(partitions)]
        self._caught_up = asyncio.Event()
        self._backoff = Backoff(0.2, 10.0)

    async def ready(self) -> None:
        """Wait until all records that were in the topics at the start have been read."""
        await self._caught_up.wait()

    async def run(self) -> None:
        """Follow the topics until cancelled. Reconnect after a backoff when the broker is unreachable."""
        positions: dict[TopicPartition, int] = dict.fromkeys(self._partitions, 0)
        while True:
            try:
                await self._follow(positions)
            except (Exception, asyncio.CancelledError) as error:
                if is_being_cancelled():
                    raise
                log.warning("the views lost their connection to the broker", error=repr(error))
                await asyncio.sleep(self._backoff.next())

    async def _follow(self, positions: dict[TopicPartition, int]) -> None:
        consumer = AIOKafkaConsumer(
            **self._client,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=100,
        )
        try:
            await consumer.start()
            consumer.assign(self._partitions)
            for partition, position in positions.items():
                consumer.seek(partition, position)
            ends = await consumer.end_offsets(self._partitions)
            while True:
                batches = await consumer.getmany(timeout_ms=200)
                self._backoff.reset()
                for partition, records in batches.items():
                    # Off the event loop: a search of an agent may hold the view meanwhile.
                    await asyncio.to_thread(self._views[partition.topic].update, records)
                    positions[partition] = records[-1].offset + 1
                if not self._caught_up.is_set():
                    reached = [await consumer.position(each) >= ends[each] for each in self._partitions]
                    if all(reached):
                        self._caught_up.set()
        finally:
            await consumer.stop()
