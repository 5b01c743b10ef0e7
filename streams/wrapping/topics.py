"""Unwraps records of the input topics, as the settings say."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from schemas.codec import decode_user_behavior
from schemas.erasure import is_erasure
from schemas.errors import InvalidEvent, InvalidFile, StopWorker
from schemas.wrapping.unwrapping import EventMapping, Unwrapper
from streams.provenance import input_of, moved_from
from streams.records import MemoryRecord, Record
from streams.settings import Settings, variable
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
            PRODUCT_CREATED: (settings.product_values, "product_mapping"),
            USER_BEHAVIOR: (settings.behavior_values, "behavior_mapping"),
            CATEGORY_FEEDBACK: (settings.feedback_values, None),
        }
        confluent = any("confluent" in values for values, _ in by_topic.values())
        decode = SchemaRegistry(settings).decode if confluent else None
        self._unwrappers = {
            topic: Unwrapper(topic, values, decode, _mapping(settings, topic, name))
            for topic, (values, name) in by_topic.items()
        }

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


def _mapping(settings: Settings, topic: str, name: str | None) -> EventMapping | None:
    """Read the mapping file that a setting names.

    Raises:
        StopWorker: The file cannot be read, or is no mapping for the topic.
    """
    path: Path | None = getattr(settings, name) if name is not None else None
    if name is None or path is None:
        return None
    # Imported here, so that a worker without a mapping file does without jmespath.
    from schemas.formats.mapping import Mapping

    try:
        mapping = Mapping.read(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, InvalidFile) as error:
        why = getattr(error, "strerror", None) or error
        raise StopWorker(f"{path} cannot be used as a mapping: {why}; correct {variable(name)}") from error
    if mapping.topic != topic:
        raise StopWorker(f"{path} is a mapping for {mapping.topic}; {variable(name)} needs one for {topic}")
    return mapping.events
