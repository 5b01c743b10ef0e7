"""Provenance headers: where a record was first written, and where it was before it was moved."""

import re

from schemas.events import Source
from streams.records import Record
from streams.topics import PRODUCT_REPARTITION

ORIGIN = "shelfstream.origin"
"""The header that tells where a record stood first, `topic:partition:offset`: replays, redrives and moves to
another partition keep it, so that what derives from the record keeps its identity."""

MOVED_FROM = "shelfstream.moved-from"
"""The header that tells where a record was read before it was moved to its key's partition:
`topic:partition:offset`, and `:keyless` behind it if it had no key there. Unlike the origin it is never a
producer's: whoever moves a record drops what it claimed."""


def source_of(record: Record) -> Source:
    """Where the record was first written: of a replayed, redriven or moved one, not where it is now."""
    for name, value in record.headers:
        if name == ORIGIN and value is not None and (origin := _ORIGIN.fullmatch(value)) is not None:
            topic, partition, offset = origin.groups()
            return Source(topic=topic.decode(), partition=int(partition), offset=int(offset))
    return position_of(record)


def position_of(record: Record) -> Source:
    """Where the record is now."""
    return Source(topic=record.topic, partition=record.partition, offset=record.offset)


def origin_header(source: Source) -> tuple[str, bytes]:
    """The header from which `source_of` reads `source` again."""
    return ORIGIN, f"{source.topic}:{source.partition}:{source.offset}".encode()


def moved_header(record: Record) -> tuple[str, bytes]:
    """The header from which `input_of` and `DeadLetterBuilder` read where a moved `record` was."""
    at = f"{record.topic}:{record.partition}:{record.offset}"
    return MOVED_FROM, f"{at}{'' if record.key is not None else ':keyless'}".encode()


def input_of(record: Record) -> str:
    """The input topic that decides how the record is read: of a moved one, the topic it came from."""
    moved = moved_from(record)
    return record.topic if moved is None else moved[1].decode()


# Kafka's own rule for topic names; anything else in the header is not ours.
_ORIGIN = re.compile(rb"([a-zA-Z0-9._-]{1,249}):(\d{1,9}):(\d{1,18})")
# Of what was moved before positions were written, only the topic is told.
_MOVED = re.compile(rb"([a-zA-Z0-9._-]{1,249})(?::(\d{1,9}):(\d{1,18})(:keyless)?)?")


def moved_from(record: Record) -> re.Match[bytes] | None:
    """Where a record of the topic of moved ones was before; None for a record that stands where it was."""
    if record.topic == PRODUCT_REPARTITION:
        for name, value in record.headers:
            if name == MOVED_FROM and value is not None:
                return _MOVED.fullmatch(value)
    return None


def read_at(record: Record) -> Source:
    """Where a redrive must send the record back to: its input, not the topic that moved it."""
    moved = moved_from(record)
    if moved is not None and moved[2] is not None:
        topic, partition, offset = moved[1], moved[2], moved[3]
        return Source(topic=topic.decode(), partition=int(partition), offset=int(offset))
    return source_of(record) if record.topic == PRODUCT_REPARTITION else position_of(record)
