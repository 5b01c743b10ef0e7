"""Unwraps records of the input topics, as the settings say."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from schemas.codec import decode_user_behavior
from schemas.erasure import is_erasure
from schemas.errors import InvalidEvent
from schemas.wrapping.unwrapping import EventMapping, Unwrapper
from streams.provenance import input_of, moved_from
from streams.records import MemoryRecord, Record
from streams.settings import Settings
from streams.topics import CATEGORY_FEEDBACK, PRODUCT_CREATED, USER_BEHAVIOR
from streams.wrapping.records import UnwrappedRecord
from streams.wrapping.registry import SchemaRegistry


class TopicUnwrapper:
    """Unwraps records of the input topics. Threads may share it.

    Args:
        settings: Settings that say how the values of each topic are wrapped.

    Raises:
        StopWorker: The registry's client is not installed, or a mapping file is not usable.
    """

    def __init__(self, settings: Settings) -> None:
        by_topic = {
            PRODUCT_CREATED: settings.product_values,
            USER_BEHAVIOR: settings.behavior_values,
            CATEGORY_FEEDBACK: settings.feedback_values,
        }
        confluent = any("confluent" in values for values in by_topic.values())
        decode = SchemaRegistry(settings).decode if confluent else None
        self._wrappings = {topic: (values, decode) for topic, values in by_topic.items()}
        self._unwrappers = {topic: Unwrapper(topic, values, decode) for topic, values in by_topic.items()}

    def map_values(self, topic: str, mapping: EventMapping) -> None:
        """Map the unwrapped values of a topic to events."""
        self._unwrappers[topic] = Unwrapper(topic, *self._wrappings[topic], mapping)

    @property
    def topics(self) -> frozenset[str]:
        """The topics whose records may be wrapped."""
        return frozenset(self._unwrappers)

    @property
    def reads_plain(self) -> bool:
        """Whether the values of all topics are those of the contract."""
        return all(unwrapper.reads_plain for unwrapper in self._unwrappers.values())

    def unwrap(self, record: Record) -> Sequence[Record]:
        """Unwrap a record.

        Args:
            record: A record of any topic, also of the repartition topic.

        Returns:
            The record itself if it is plain. Else usually one record: none if it says nothing that matters,
            several for several actions of a shopper.

        Raises:
            InvalidEvent: The record cannot be unwrapped.
            RetryLater: The schema registry does not answer.
        """
        topic = input_of(record)
        unwrapper = self._unwrappers.get(topic)
        if unwrapper is None or (unwrapper.reads_plain and not record.headers):
            return (record,)
        if topic == USER_BEHAVIOR and is_erasure(record.value, record.headers):
            return (record,)
        moved = moved_from(record)
        keyless = moved is not None and moved[4] is not None
        pairs = unwrapper.unwrap(None if keyless else record.key, record.value, record.headers)
        if len(pairs) == 1 and pairs[0].value is record.value and (keyless or pairs[0].key is record.key):
            return (record,)
        if len(pairs) > 1:
            # All or none: a redrive of the dead letter must not count the valid ones twice.
            for pair in pairs:
                decode_user_behavior(pair.value, pair.key)
        return [UnwrappedRecord(record, record.key if keyless else pair.key, pair.value) for pair in pairs]

    def readable(self, records: Iterable[MemoryRecord]) -> Iterator[MemoryRecord]:
        """Yield records as the agents get them. What cannot be unwrapped stays as it is, and is invalid.

        Raises:
            RetryLater: The schema registry does not answer.
        """
        for record in records:
            try:
                for each in self.unwrap(record):
                    yield record if each is record else replace(record, key=each.key, value=each.value)
            except InvalidEvent:
                yield record
