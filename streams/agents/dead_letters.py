"""Dead letters: a record's original bytes, with the reason and the position in the headers."""

import msgspec

from schemas.dead_letters import ATTEMPT, DESCRIPTIONS, LEFT_OUT, dead_letter_headers
from streams.provenance import MOVED_FROM, moved_from, read_at
from streams.records import Output, Record
from streams.topics import DEAD_LETTER, MIB
from streams.wrapping.records import original_of

LARGEST = 4 * MIB - 4096
"""Bytes of the largest dead letter, uncompressed: the topic's limit less the header of a Kafka batch."""


class DeadLetterBuilder:
    """Builds dead letters.

    Args:
        group: The consumer group, for the headers.
        partitions: The number of partitions of the dead-letter topic.
    """

    def __init__(self, group: str, partitions: int) -> None:
        self._group = group
        self._partitions = partitions

    def __call__(self, record: Record, error: Exception, stage: str) -> Output:
        """Build the dead letter of a record.

        Args:
            record: The record. Of an unwrapped one the original bytes are kept. The header with the number
                of the attempt of a redriven one is kept.
            error: Why it could not be processed.
            stage: The step that failed.

        Returns:
            The dead letter. Parts that do not fit are left out, and a header names them.
        """
        record = original_of(record)
        original = [header for header in record.headers if header[0] != MOVED_FROM]
        attempt = next((value for name, value in original if name == ATTEMPT and value), b"")
        headers = dead_letter_headers(
            error,
            source=read_at(record),
            stage=stage,
            attempt=int(attempt) if attempt.isdigit() and len(attempt) < 10 else 1,
            group=self._group,
            timestamp=record.timestamp,
            original=original,
        )
        at = record.partition % self._partitions
        moved = moved_from(record)
        key = None if moved is not None and moved[4] is not None else record.key
        return _fitting(Output(DEAD_LETTER, at, key, record.value, headers))


def _fitting(letter: Output) -> Output:
    """Leave out the value, then the original headers, then the key, until the letter fits `LARGEST`.

    A topic's limit applies to compressed batches, so that an uncompressed input can be larger than a dead
    letter may be. The lane must continue nevertheless.
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
