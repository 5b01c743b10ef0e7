"""Dead letters: decoded headers, filters, and the record that a redrive writes."""

import sys
from typing import NamedTuple

from schemas.dead_letters import (
    ATTEMPT,
    DESCRIPTIONS,
    EXCEPTION,
    FIELD,
    GROUP,
    LEFT_OUT,
    MESSAGE,
    REASON,
    SOURCE_OFFSET,
    SOURCE_PARTITION,
    SOURCE_TOPIC,
    STACKTRACE,
    STAGE,
    TIMESTAMP,
)
from schemas.events import Source
from schemas.keys import partition_for
from streams.provenance import ORIGIN, origin_header
from streams.records import MemoryRecord, Output
from streams.replay.ranges import OffsetRange

UNKNOWN = "unknown"


class DeadLetter(NamedTuple):
    """A dead letter with its headers decoded.

    A missing header is None, a missing reason `UNKNOWN`. `schemas.dead_letters.DESCRIPTIONS` describes the
    headers.
    """

    record: MemoryRecord
    reason: str
    message: str
    stage: str | None
    field: str | None
    exception: str | None
    stacktrace: str | None
    group: str | None
    attempt: int
    timestamp: int | None
    source_topic: str | None
    source_partition: int | None
    source_offset: int | None
    left_out: str | None

    @property
    def place(self) -> str:
        """Partition and offset in the dead-letter topic, as `shelfstream dead-letters show` takes them."""
        return f"{self.record.partition}:{self.record.offset}"

    @property
    def source(self) -> str:
        """Topic, partition and offset of the original record, separated by colons."""
        numbers = ("?" if each is None else str(each) for each in (self.source_partition, self.source_offset))
        return ":".join((self.source_topic or UNKNOWN, *numbers))


def parse_dead_letter(record: MemoryRecord) -> DeadLetter:
    """Decode the headers of a record of the dead-letter topic. An unreadable header counts as missing."""
    headers = {name: value.decode("utf-8", "replace") for name, value in record.headers if value is not None}
    return DeadLetter(
        record=record,
        reason=headers.get(REASON, UNKNOWN),
        message=headers.get(MESSAGE, ""),
        stage=headers.get(STAGE),
        field=headers.get(FIELD),
        exception=headers.get(EXCEPTION),
        stacktrace=headers.get(STACKTRACE),
        group=headers.get(GROUP),
        attempt=_number(headers.get(ATTEMPT)) or 1,
        timestamp=_number(headers.get(TIMESTAMP)),
        source_topic=headers.get(SOURCE_TOPIC),
        source_partition=_number(headers.get(SOURCE_PARTITION)),
        source_offset=_number(headers.get(SOURCE_OFFSET)),
        left_out=headers.get(LEFT_OUT),
    )


class DeadLetterFilter(NamedTuple):
    """Selects dead letters. An empty attribute selects all.

    Attributes:
        reasons: Reasons to select.
        topics: Source topics to select.
        places: Offsets in the dead-letter topic to select.
        keys: Keys of the records to select.
        fields: JSON paths of the invalid field to select.
        attempts: The least and the greatest number of attempts to select.
    """

    reasons: frozenset[str] = frozenset()
    topics: frozenset[str] = frozenset()
    places: tuple[OffsetRange, ...] = ()
    keys: frozenset[bytes] = frozenset()
    fields: frozenset[str] = frozenset()
    attempts: tuple[int, int] | None = None

    @property
    def selects_all(self) -> bool:
        """Whether the filter selects every dead letter."""
        return self == DeadLetterFilter()

    def matches(self, letter: DeadLetter) -> bool:
        """Return whether the filter selects a dead letter."""
        return (
            (not self.reasons or letter.reason in self.reasons)
            and (not self.topics or letter.source_topic in self.topics)
            and (not self.keys or letter.record.key in self.keys)
            and (not self.fields or letter.field in self.fields)
            and (self.attempts is None or self.attempts[0] <= letter.attempt <= self.attempts[1])
            and (
                not self.places
                or any(
                    place.partition == letter.record.partition
                    and place.start <= letter.record.offset < place.end
                    for place in self.places
                )
            )
        )


def parse_places(text: str) -> tuple[OffsetRange, ...]:
    """Parse places such as `0:12,0:15,2:7-9`: a partition with an offset or a range of offsets.

    Raises:
        ValueError: A part has another form. The message names the part.
    """
    places = []
    for part in text.split(","):
        partition, _, offsets = part.strip().partition(":")
        first, dash, last = offsets.partition("-")
        numbers = (partition, first, last) if dash else (partition, first)
        if not all(number.isascii() and number.isdigit() for number in numbers):
            raise ValueError(f"{part!r} is not PARTITION:OFFSET or PARTITION:FIRST-LAST")
        places.append(OffsetRange(int(partition), int(first), int(last if dash else first) + 1))
    return tuple(places)


def parse_attempts(text: str) -> tuple[int, int]:
    """Parse a number of attempts, `2`, or a range of them, `1-3` or `3-`.

    Raises:
        ValueError: The text has another form.
    """
    first, dash, last = text.strip().partition("-")
    numbers = [first, *([last] if last else [])]
    if not all(number.isascii() and number.isdigit() for number in numbers):
        raise ValueError(f"{text!r} is not a number of attempts such as 1, 1-3 or 3-")
    if not dash:
        return int(first), int(first)
    return int(first), int(last) if last else sys.maxsize


def redrive_record(letter: DeadLetter, partitions: int) -> Output:
    """Return the record that a redrive writes: the original record, for the topic that it came from.

    The error headers are removed. `shelfstream.attempt` is incremented. The origin header stays or is added,
    so that outputs have the same source, and the same ids, as at the first attempt.

    Args:
        letter: Dead letter with a source topic.
        partitions: Number of partitions of the source topic.
    """
    record = letter.record
    headers = [header for header in record.headers if header[0] not in DESCRIPTIONS]
    headers.append((ATTEMPT, str(letter.attempt + 1).encode()))
    topic, partition, offset = letter.source_topic or UNKNOWN, letter.source_partition, letter.source_offset
    if all(name != ORIGIN for name, _ in headers) and partition is not None and offset is not None:
        headers.append(origin_header(Source(topic=topic, partition=partition, offset=offset)))
    if partition is None or partition >= partitions:
        partition = partition_for(record.key, partitions) if record.key else record.partition % partitions
    # A record without a timestamp gets the time of writing: the dead letter's timestamp is that of the error.
    return Output(topic, partition, record.key, record.value, headers, letter.timestamp)


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) <= 19 else None
