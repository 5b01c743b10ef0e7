"""Dead letters: a record's original bytes, and in the headers why and where it failed."""

import re

import msgspec

from schemas.dead_letter import ATTEMPT, DESCRIPTIONS, LEFT_OUT, dead_letter_headers
from schemas.events import Source
from streams.lanes.records import Output, Record
from streams.topics import DEAD_LETTER, MIB, PRODUCT_REPARTITION

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
    """The header from which `input_of` and `Burial` read where a moved `record` was."""
    at = f"{record.topic}:{record.partition}:{record.offset}"
    return MOVED_FROM, f"{at}{'' if record.key is not None else ':keyless'}".encode()


def input_of(record: Record) -> str:
    """The input topic that decides how the record is read: of a moved one, the topic it came from."""
    moved = _moved_from(record)
    return record.topic if moved is None else moved[1].decode()


# Kafka's own rule for topic names; anything else in the header is not ours.
_ORIGIN = re.compile(rb"([a-zA-Z0-9._-]{1,249}):(\d{1,9}):(\d{1,18})")
# Of what was moved before positions were written, only the topic is told.
_MOVED = re.compile(rb"([a-zA-Z0-9._-]{1,249})(?::(\d{1,9}):(\d{1,18})(:keyless)?)?")


def _moved_from(record: Record) -> re.Match[bytes] | None:
    """Where a record of the topic of moved ones was before; None for a record that stands where it was."""
    if record.topic == PRODUCT_REPARTITION:
        for name, value in record.headers:
            if name == MOVED_FROM and value is not None:
                return _MOVED.fullmatch(value)
    return None


LARGEST = 4 * MIB - 4096
"""Bytes of the largest dead letter, uncompressed: what its topic takes, less the batch's own header."""


class Burial:
    """Makes dead letters.

    Args:
        group: the consumer group, for the headers.
        partitions: how many partitions the dead-letter topic has.
    """

    def __init__(self, group: str, partitions: int) -> None:
        self._group = group
        self._partitions = partitions

    def __call__(self, record: Record, error: Exception, stage: str) -> Output:
        """The dead letter of `record`, which failed with `error` in `stage`.

        A redriven record tells in a header which attempt this was.
        """
        original = [header for header in record.headers if header[0] != MOVED_FROM]
        attempt = next((value for name, value in original if name == ATTEMPT and value), b"")
        headers = dead_letter_headers(
            error,
            source=_read_at(record),
            stage=stage,
            attempt=int(attempt) if attempt.isdigit() and len(attempt) < 10 else 1,
            group=self._group,
            timestamp=record.timestamp,
            original=original,
        )
        at = record.partition % self._partitions
        moved = _moved_from(record)
        key = None if moved is not None and moved[4] is not None else record.key
        return _fitting(Output(DEAD_LETTER, at, key, record.value, headers))


def _fitting(letter: Output) -> Output:
    """The letter, without value, own headers and key where it needs that to be no larger than `LARGEST`.

    A topic's limit is that of compressed batches, so that what its producer compressed may be of any size. It
    may not fit where dead letters go, nor may another compression make it: and the lane must go on.
    """
    if letter.size <= LARGEST:
        return letter
    ours = [header for header in letter.headers if header[0] in DESCRIPTIONS]
    lighter = msgspec.structs.replace(letter, value=None, headers=[*letter.headers, (LEFT_OUT, b"value")])
    if lighter.size > LARGEST:
        lighter = msgspec.structs.replace(lighter, headers=[*ours, (LEFT_OUT, b"value, headers")])
    if lighter.size > LARGEST:
        lighter = msgspec.structs.replace(
            lighter, key=None, headers=[*ours, (LEFT_OUT, b"value, headers, key")]
        )
    return lighter


def _read_at(record: Record) -> Source:
    """Where a redrive must send the record back to: its input, not the topic that moved it."""
    moved = _moved_from(record)
    if moved is not None and moved[2] is not None:
        topic, partition, offset = moved[1], moved[2], moved[3]
        return Source(topic=topic.decode(), partition=int(partition), offset=int(offset))
    return source_of(record) if record.topic == PRODUCT_REPARTITION else position_of(record)
