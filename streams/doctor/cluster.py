"""Asks the brokers for what the doctor needs. A refusal is a fact, and ends only what it concerns."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaException,
    TopicCollection,
    TopicPartition,
    Uuid,
)
from confluent_kafka.admin import AdminClient, ConfigResource, OffsetSpec, ResourceType

from streams.clients import confluent_options
from streams.doctor.facts import (
    BrokerFacts,
    GroupFacts,
    MemberFacts,
    Offsets,
    PartitionFacts,
    ReadRate,
    TopicFacts,
)
from streams.records import Partition
from streams.replay.broker_admin import translated_kafka_error
from streams.settings import Settings

_TIMEOUT_S = 15.0
_NO_TOPIC_ID = str(Uuid(0, 0))
_DENIED = ("AUTHORIZATION_FAILED",)
_READ_S = 1.0
_READ_AT_ONCE = 500

T = TypeVar("T")


class Cluster:
    """A blocking reader of a cluster's state. It changes nothing.

    Args:
        settings: Settings with the brokers' addresses and credentials.

    Attributes:
        denied: What the brokers refused so far, as sentences.
        hidden: Topics that they refused to describe.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._options = confluent_options(settings)
        self._admin = AdminClient(self._options)
        self.denied: list[str] = []
        self.hidden: set[str] = set()

    def brokers(self) -> list[BrokerFacts]:
        """Describe the brokers.

        Raises:
            RetryLater: The cluster cannot be reached.
            StopWorker: It rejects the connection.
        """
        try:
            listed = self._admin.list_topics(timeout=_TIMEOUT_S).brokers
        except KafkaException as error:
            raise translated_kafka_error(error, self._settings) from error
        configs = self._configs(ResourceType.BROKER, map(str, listed))
        return [
            BrokerFacts(number, f"{broker.host}:{broker.port}", configs.get(str(number), {}))
            for number, broker in sorted(listed.items())
        ]

    def topics(self, names: Iterable[str]) -> dict[str, TopicFacts]:
        """Describe those of the topics that exist."""
        described = self._admin.describe_topics(TopicCollection(list(names)), request_timeout=_TIMEOUT_S)
        found: dict[str, TopicFacts] = {}
        for name, future in described.items():
            refused = len(self.denied)
            topic = self._allowed(f"describe the topic {name}", future.result, unknown=True)
            if len(self.denied) > refused:
                self.hidden.add(name)
            if topic is None:
                continue
            topic_id = str(topic.topic_id)
            found[name] = TopicFacts(
                name=name,
                partitions=len(topic.partitions),
                replicas=min((len(each.replicas) for each in topic.partitions), default=0),
                in_sync=min((len(each.isr) for each in topic.partitions), default=0),
                leaderless=tuple(each.id for each in topic.partitions if each.leader is None),
                topic_id="" if topic_id == _NO_TOPIC_ID else topic_id,
            )
        configs = self._configs(ResourceType.TOPIC, found) if found else {}
        newest = self._newest(found.values())
        return {
            name: replace(topic, config=configs.get(name, {}), newest_ms=newest.get(name))
            for name, topic in found.items()
        }

    def group(self) -> GroupFacts | None:
        """Describe the consumer group; None if that is not allowed."""
        name = self._settings.app_id
        future = self._admin.describe_consumer_groups([name], request_timeout=_TIMEOUT_S)[name]
        described = self._allowed(f"describe the group {name}", future.result)
        if described is None:
            return None
        members = tuple(
            MemberFacts(
                member.client_id,
                member.host,
                tuple(Partition(each.topic, each.partition) for each in member.assignment.topic_partitions),
            )
            for member in described.members
        )
        return GroupFacts(described.state.name, described.partition_assignor, members)

    def sample(self, topics: Mapping[str, TopicFacts]) -> dict[Partition, Offsets]:
        """Read the offsets of all partitions, and the group's."""
        at = [
            Partition(topic.name, number) for topic in topics.values() for number in range(topic.partitions)
        ]
        first = self._offsets(at, OffsetSpec.earliest(), IsolationLevel.READ_UNCOMMITTED)
        # The stable offset is read before the end: both only grow, and none seems held back that is not.
        stable = self._offsets(at, OffsetSpec.latest(), IsolationLevel.READ_COMMITTED)
        end = self._offsets(at, OffsetSpec.latest(), IsolationLevel.READ_UNCOMMITTED)
        committed = self._committed(at)
        return {
            each: Offsets(first[each], stable[each], end[each], committed.get(each))
            for each in at
            if each in first and each in stable and each in end
        }

    def pair(
        self, before: Mapping[Partition, Offsets], after: Mapping[Partition, Offsets]
    ) -> dict[Partition, PartitionFacts]:
        """Join two samples, and look for records that wait and transactions that stayed open."""
        pairs = {at: PartitionFacts(before[at], each) for at, each in after.items() if at in before}
        behind = {
            at: max(each.after.first, each.after.committed or 0) for at, each in pairs.items() if each.stuck
        }
        waiting = self._first_records(behind, "read_committed") if behind else {}
        held = {
            at: each.after.stable
            for at, each in pairs.items()
            if each.before.stable == each.after.stable < each.after.end
        }
        opened = self._first_records(held, "read_uncommitted") if held else {}
        return {
            at: replace(each, waiting=at not in behind or at in waiting, open_since_ms=opened.get(at))
            for at, each in pairs.items()
        }

    def read_rate(self, topics: Iterable[str], samples: Mapping[Partition, Offsets]) -> ReadRate | None:
        """Read changelogs for a second. Return None if they are empty."""
        names = set(topics)
        starts = {
            at: each.first for at, each in samples.items() if at.topic in names and each.end > each.first
        }
        # Connections and metadata do not count: only what has records is read.
        filled = self._first_records(starts, "read_committed") if starts else {}
        if not filled:
            return None
        with self._reading({at: starts[at] for at in filled}, "read_committed") as consumer:
            consumer.consume(1, _TIMEOUT_S)
            began, records, size = time.monotonic(), 0, 0
            while (elapsed := time.monotonic() - began) < _READ_S:
                messages = [each for each in consumer.consume(_READ_AT_ONCE, 0.2) if each.error() is None]
                if not messages:
                    break
                records += len(messages)
                size += sum(len(each.value() or b"") + len(each.key() or b"") for each in messages)
            return ReadRate(records, size, elapsed) if records else None

    def _first_records(self, starts: Mapping[Partition, int], isolation: str) -> dict[Partition, int]:
        """Return the timestamps of the first records from these offsets, of partitions that have one."""
        found: dict[Partition, int] = {}
        ended: set[Partition] = set()
        deadline = time.monotonic() + _TIMEOUT_S
        with self._reading(starts, isolation) as consumer:
            while len(ended) < len(starts) and time.monotonic() < deadline:
                message = consumer.poll(0.5)
                if message is None or message.topic() is None:
                    continue
                at = Partition(message.topic(), message.partition())
                if message.error() is None:
                    found.setdefault(at, int(message.timestamp()[1]))
                    consumer.pause([TopicPartition(*at)])
                ended.add(at)
        return found

    def _offsets(
        self, at: list[Partition], spec: OffsetSpec, isolation: IsolationLevel
    ) -> dict[Partition, int]:
        asked = {TopicPartition(*each): spec for each in at}
        if not asked:
            return {}
        answers = self._admin.list_offsets(asked, isolation_level=isolation, request_timeout=_TIMEOUT_S)
        found: dict[Partition, int] = {}
        for each, future in answers.items():
            answer = self._allowed(f"read the offsets of {each.topic}", future.result)
            if answer is not None:
                found[Partition(each.topic, each.partition)] = int(answer.offset)
        return found

    def _newest(self, topics: Iterable[TopicFacts]) -> dict[str, int]:
        """Return the newest timestamp of each topic that has one, in milliseconds since 1970."""
        asked = {
            TopicPartition(topic.name, number): OffsetSpec.max_timestamp()
            for topic in topics
            for number in range(topic.partitions)
        }
        newest: dict[str, int] = {}
        if asked:
            for each, future in self._admin.list_offsets(asked, request_timeout=_TIMEOUT_S).items():
                answer = self._allowed(f"read the offsets of {each.topic}", future.result)
                if answer is not None and answer.timestamp >= 0:
                    newest[each.topic] = max(newest.get(each.topic, 0), answer.timestamp)
        return newest

    def _committed(self, at: list[Partition]) -> dict[Partition, int]:
        """Read by a consumer that never joins. The AdminClient of librdkafka 2.16 crashes on a refusal."""
        name = self._settings.app_id
        consumer = Consumer(self._options | {"group.id": name, "enable.auto.commit": False})
        try:
            asked = [TopicPartition(*each) for each in at]
            found = self._allowed(
                f"read the offsets of the group {name}", lambda: consumer.committed(asked, _TIMEOUT_S)
            )
        finally:
            consumer.close()
        return {
            Partition(each.topic, each.partition): each.offset
            for each in found or ()
            if each.error is None and each.offset >= 0
        }

    @contextmanager
    def _reading(self, starts: Mapping[Partition, int], isolation: str) -> Iterator[Consumer]:
        """Open a consumer of its own that reads from these offsets. It joins no group and commits nothing."""
        consumer = Consumer(
            self._options
            | {
                "group.id": f"{self._settings.app_id}-doctor",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "isolation.level": isolation,
                "auto.offset.reset": "earliest",
            }
        )
        try:
            consumer.assign([TopicPartition(*at, offset) for at, offset in starts.items()])
            yield consumer
        finally:
            consumer.close()

    def _configs(self, kind: ResourceType, names: Iterable[str]) -> dict[str, dict[str, str]]:
        resources = [ConfigResource(kind, name) for name in names]
        found: dict[str, dict[str, str]] = {}
        for resource, future in self._admin.describe_configs(resources, request_timeout=_TIMEOUT_S).items():
            what = f"describe the configuration of the {kind.name.lower()} {resource.name}"
            entries = self._allowed(what, future.result)
            if entries is not None:
                found[resource.name] = {entry.name: str(entry.value) for entry in entries.values()}
        return found

    def _allowed(self, what: str, ask: Callable[[], T], *, unknown: bool = False) -> T | None:
        """Return an answer, or None where it is refused, which is noted. `unknown`: what is absent is None.

        Raises:
            RetryLater: There is no answer.
        """
        try:
            return ask()
        except KafkaException as error:
            reason: Any = error.args[0]
            if unknown and reason.name() == "UNKNOWN_TOPIC_OR_PART":
                return None
            if not reason.name().endswith(_DENIED):
                raise translated_kafka_error(error, self._settings) from error
            sentence = f"may not {what} ({reason.name()})"
            if sentence not in self.denied:
                self.denied.append(sentence)
            return None
