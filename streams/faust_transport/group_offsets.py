"""A consumer group's committed positions, and the logs they are of, read by a client of its own.

aiokafka 0.14 reads the errors of single partitions only. A coordinator that is loading or has moved refuses
the request as a whole, and aiokafka then reports that nothing was ever committed: a lane would start at the
first offset. aiokafka knows no topic ids either. Without them a topic that was created again looks like the
old one.
"""

import asyncio
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicCollection, TopicPartition, Uuid
from confluent_kafka.admin import AdminClient

from schemas.errors import RetryLater
from streams.records import InputLog, Partition, ReadPosition

_DESCRIBE_TIMEOUT_S = 10.0
# librdkafka asks the leader that it remembers, for 15 minutes by default, also where another broker leads
# now: the lanes of that partition would not open, on a healthy cluster.
_LEADERS_FOR_MS = 1_000
_NO_TOPIC_ID = str(Uuid(0, 0))
_TOPIC_ID = re.compile("[A-Za-z0-9+/_-]{22}")
# Brokers of before Kafka 2.8, and rights that do not include Describe: lanes then work without topic ids.
_WITHOUT_IDS = {"TOPIC_AUTHORIZATION_FAILED", "UNSUPPORTED_VERSION", "_UNSUPPORTED_FEATURE"}


def committed_topic_id(found: TopicPartition) -> str:
    """Return the topic id that was committed as the metadata of an offset; empty if there is none.

    confluent-kafka 2.16 copies the metadata up to the next zero byte, and librdkafka puts none behind it:
    what lies behind it in memory follows the id. It looked like the id of another topic, or was no UTF-8.
    """
    try:
        metadata = str(found.metadata or "")
    except UnicodeDecodeError as error:
        metadata = error.object.decode("ascii", "replace")
    matched = _TOPIC_ID.match(metadata)
    return matched[0] if matched else ""


class GroupOffsets:
    """Reads committed positions, bounds of partitions, and ids of topics.

    Args:
        group: The consumer group.
        client: Returns confluent-kafka's connection settings as they are now, and a version of the
            credentials in them. New clients replace the old ones when it changes.
        timeout_s: Seconds that one request may take.
        topic_ids: Whether the broker tells topic ids; the embedded one does not.
    """

    def __init__(
        self,
        group: str,
        client: Callable[[], tuple[Mapping[str, Any], object]],
        timeout_s: float,
        *,
        topic_ids: bool = True,
    ) -> None:
        self._group = group
        self._client = client
        self._version: object = None
        self._timeout_s = timeout_s
        self._tells_topic_ids = topic_ids
        self._consumer: Consumer | None = None
        self._admin: AdminClient | None = None
        self._lock = threading.Lock()
        self.partition_counts: dict[str, int] = {}
        """The number of partitions of each topic, as of the last `topic_ids`."""

    async def committed(self, at: Partition) -> ReadPosition | None:
        """Return the group's committed position of a partition; None if nothing was ever committed.

        Raises:
            RetryLater: The coordinator does not answer, or does not know yet.
        """
        return await asyncio.to_thread(self._committed, at)

    async def log(self, at: Partition) -> InputLog:
        """Return the bounds of a partition and its topic's id.

        Raises:
            RetryLater: The leader does not answer.
        """
        ids = await self.topic_ids([at.topic])
        if self._tells_topic_ids and at.topic not in ids:
            raise RetryLater(f"the broker does not know the topic {at.topic}, or not yet")
        first, end = await asyncio.to_thread(self._bounds, at)
        return InputLog(first, end, ids.get(at.topic, ""))

    async def unread(self, at: Partition) -> int:
        """Return the offsets between the group's position in a partition, or its start, and its end.

        Raises:
            RetryLater: The coordinator or the leader does not answer.
        """
        committed = await self.committed(at)
        first, end = await asyncio.to_thread(self._bounds, at)
        return max(0, end - max(first, 0 if committed is None else committed.offset))

    async def topic_ids(self, topics: Iterable[str]) -> dict[str, str]:
        """Return the ids of those topics that exist; an id is empty where the broker does not tell it.

        Raises:
            RetryLater: The broker does not answer, or refuses.
        """
        if not self._tells_topic_ids:
            return {}
        return await asyncio.to_thread(self._topic_ids, sorted(set(topics)))

    def _committed(self, at: Partition) -> ReadPosition | None:
        try:
            found = self._connected().committed([TopicPartition(*at)], self._timeout_s)[0]
        except KafkaException as error:
            raise self._unknown(at, error) from error
        if found.error is not None:
            raise self._unknown(at, found.error)
        return ReadPosition(int(found.offset), committed_topic_id(found)) if found.offset >= 0 else None

    def _bounds(self, at: Partition) -> tuple[int, int]:
        try:
            first, end = self._connected().get_watermark_offsets(TopicPartition(*at), self._timeout_s)
        except KafkaException as error:
            raise self._unknown(at, error) from error
        return int(first), int(end)

    def _topic_ids(self, topics: list[str]) -> dict[str, str]:
        with self._lock:
            options = self._current_options()
            if self._admin is None:
                self._admin = AdminClient(options)
            admin = self._admin
        asked = admin.describe_topics(
            TopicCollection(topics), request_timeout=min(_DESCRIBE_TIMEOUT_S, self._timeout_s)
        )
        ids = {}
        for topic, answer in asked.items():
            try:
                described = answer.result()
                self.partition_counts[topic] = len(described.partitions)
                topic_id = str(described.topic_id)
                ids[topic] = "" if topic_id == _NO_TOPIC_ID else topic_id
            except KafkaException as error:
                name = error.args[0].name()
                if name in _WITHOUT_IDS:
                    ids[topic] = ""
                elif name != "UNKNOWN_TOPIC_OR_PART":
                    # It may wait for a broker that is gone: a new client asks the whole bootstrap list again.
                    self._admin = None
                    why = error.args[0].str()
                    raise RetryLater(f"the id of topic {topic} is not known: {why}") from error
        return ids

    def _unknown(self, at: Partition, why: object) -> RetryLater:
        return RetryLater(f"the position of the group {self._group} in {at} is not known: {why}")

    def _connected(self) -> Consumer:
        """Return a consumer that never joins. The AdminClient of librdkafka 2.16 crashes on a refusal."""
        with self._lock:
            options = self._current_options()
            if self._consumer is None:
                own = {
                    "group.id": self._group,
                    "enable.auto.commit": False,
                    "metadata.max.age.ms": _LEADERS_FOR_MS,
                }
                self._consumer = Consumer({**options, **own})
            return self._consumer

    def _current_options(self) -> dict[str, Any]:
        """Return the connection settings. Drops clients with old credentials."""
        options, version = self._client()
        if version != self._version:
            self._version = version
            self._admin = self._consumer = None
        return dict(options)
