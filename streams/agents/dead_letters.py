"""Dead letters: a record's original bytes, and in the headers why and where it failed."""

import msgspec

from schemas.dead_letters import ATTEMPT, DESCRIPTIONS, LEFT_OUT, dead_letter_headers
from streams.provenance import MOVED_FROM, moved_from, read_at
from streams.records import Output, Record
from streams.topics import DEAD_LETTER, MIB

LARGEST = 4 * MIB - 4096
"""Bytes of the largest dead letter, uncompressed: what its topic takes, less the batch's own header."""


class DeadLetterBuilder:
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
