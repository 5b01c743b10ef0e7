"""Provenance headers: the position at which a record was first written, and from which it was moved."""

import re

from schemas.dead_letters import ATTEMPT
from schemas.events import Source
from streams.records import MemoryRecord, Record
from streams.topics import PRODUCT_REPARTITION, SHOPPER_REPARTITION

ORIGIN = "shelfstream.origin"
"""Header with a record's first position, `topic:partition:offset`. Replays, redrives and moves to another
partition keep it, so that outputs of the record keep their ids."""

MOVED_FROM = "shelfstream.moved-from"
"""Header with the position from which a record was moved to its key's partition: `topic:partition:offset`,
followed by `:keyless` if the record had no key. A move drops a producer's own header of this name."""


REPLAY = "shelfstream.replay"
"""Header with the id of the replay that wrote the record. The origin header has the first position."""


def is_repeated(record: Record) -> bool:
    """Return whether a replay or a redrive wrote the record: it may be older than what came since."""
    return any(name in (REPLAY, ATTEMPT) for name, _ in record.headers)


def replayed_from(record: Record) -> Source | None:
    """Return the first position of a record that a replay wrote; None of any other record.

    Replays and redrives append their headers, so that the last one tells who wrote the record: a dead letter
    of a replayed record, sent back, is a record that was not processed yet.
    """
    if not record.headers:
        return None
    by = [name for name, _ in record.headers if name in (REPLAY, ATTEMPT)]
    return source_of(record) if by and by[-1] == REPLAY else None


def source_of(record: Record) -> Source:
    """Return where a record was first written, before any replay, redrive or move."""
    for name, value in record.headers:
        if name == ORIGIN and value is not None and (origin := _ORIGIN.fullmatch(value)) is not None:
            topic, partition, offset = origin.groups()
            return Source(topic=topic.decode(), partition=int(partition), offset=int(offset))
    return position_of(record)


def at_its_position(record: Record) -> Record:
    """Return a moved event without its headers, so that what derives from it derives from where it is now."""
    if record.topic != SHOPPER_REPARTITION:
        return record
    return MemoryRecord(record.topic, record.partition, record.offset, record.timestamp, record.key, b"")


def position_of(record: Record) -> Source:
    """Return where a record is now."""
    return Source(topic=record.topic, partition=record.partition, offset=record.offset)


def origin_header(source: Source) -> tuple[str, bytes]:
    """Build the header from which `source_of` reads `source`."""
    return ORIGIN, f"{source.topic}:{source.partition}:{source.offset}".encode()


def moved_header(record: Record) -> tuple[str, bytes]:
    """Build the header from which `moved_from` reads the current position of `record`."""
    at = f"{record.topic}:{record.partition}:{record.offset}"
    return MOVED_FROM, f"{at}{'' if record.key is not None else ':keyless'}".encode()


def input_of(record: Record) -> str:
    """Return the input topic of a record, which determines its type: for a moved record its old topic."""
    moved = moved_from(record)
    return record.topic if moved is None else moved[1].decode()


# Kafka's own rule for topic names. Other values of the header were written by other programs.
_ORIGIN = re.compile(rb"([a-zA-Z0-9._-]{1,249}):(\d{1,9}):(\d{1,18})")
# Records that were moved by old versions have the topic only.
_MOVED = re.compile(rb"([a-zA-Z0-9._-]{1,249})(?::(\d{1,9}):(\d{1,18})(:keyless)?)?")


def moved_from(record: Record) -> re.Match[bytes] | None:
    """Match the former position of a record of the repartition topic. Return None for all other records."""
    if record.topic == PRODUCT_REPARTITION:
        for name, value in record.headers:
            if name == MOVED_FROM and value is not None:
                return _MOVED.fullmatch(value)
    return None


def read_at(record: Record) -> Source:
    """Return the input position to which a redrive sends a record, also if the record was moved."""
    moved = moved_from(record)
    if moved is not None and moved[2] is not None:
        topic, partition, offset = moved[1], moved[2], moved[3]
        return Source(topic=topic.decode(), partition=int(partition), offset=int(offset))
    return source_of(record) if record.topic == PRODUCT_REPARTITION else position_of(record)
