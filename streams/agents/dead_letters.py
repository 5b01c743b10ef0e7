"""Dead letters: a record's original bytes, with the reason and the position in the headers."""

from collections.abc import Callable

import msgspec

from schemas.dead_letters import ATTEMPT, DESCRIPTIONS, LEFT_OUT, dead_letter_headers
from schemas.pseudonymized_records import pseudonymized, without_ids
from schemas.pseudonyms import Pseudonyms
from streams.provenance import MOVED_FROM, moved_from, read_at
from streams.records import MemoryRecord, Output, Record
from streams.topics import DEAD_LETTER, MIB, USER_BEHAVIOR
from streams.wrapping.records import original_of

LARGEST = 4 * MIB - 4096
"""Bytes of the largest dead letter, uncompressed: the topic's limit less the header of a Kafka batch."""


class DeadLetterBuilder:
    """Builds dead letters.

    Args:
        group: The consumer group, for the headers.
        partitions: The number of partitions of the dead-letter topic.
        pseudonyms: Replaces ids of shoppers; None if they stay as they are.
    """

    def __init__(self, group: str, partitions: int, pseudonyms: Pseudonyms | None = None) -> None:
        self._group = group
        self._partitions = partitions
        self._pseudonyms = pseudonyms

    def __call__(self, record: Record, error: Exception, stage: str) -> Output:
        """Build the dead letter of a record.

        Args:
            record: The record. Of an unwrapped one the original bytes are kept. The header with the number
                of the attempt of a redriven one is kept. Ids of shoppers are replaced by pseudonyms.
            error: Why it could not be processed.
            stage: The step that failed.

        Returns:
            The dead letter. Parts that do not fit are left out, and a header names them.
        """
        shown: Callable[[str], str] = str
        left_out: list[tuple[str, bytes]] = []
        if self._pseudonyms is not None and record.topic == USER_BEHAVIOR:
            had_value = original_of(record).value is not None
            record, shown = _with_pseudonyms(record, self._pseudonyms)
            if had_value and record.value is None:
                left_out = [(LEFT_OUT, b"value")]
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
            shown=shown,
        )
        at = record.partition % self._partitions
        moved = moved_from(record)
        key = None if moved is not None and moved[4] is not None else record.key
        return _fitting(Output(DEAD_LETTER, at, key, record.value, [*headers, *left_out]))


def _with_pseudonyms(record: Record, pseudonyms: Pseudonyms) -> tuple[Record, Callable[[str], str]]:
    """Return a record as it was read, with pseudonyms, and what replaces its ids in a text.

    A value that is no JSON is left out: ids in it cannot be found. It stays in its topic until its retention.
    """
    original = original_of(record)
    found = pseudonymized(original.key, original.value, pseudonyms.of)
    ids = pseudonymized(record.key, record.value, pseudonyms.of).ids | found.ids

    def shown(text: str) -> str:
        return without_ids(text, ids)

    headers = [
        (
            name,
            value
            if value is None
            else shown(value.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape"),
        )
        for name, value in original.headers
    ]
    place = (original.topic, original.partition, original.offset, original.timestamp)
    return MemoryRecord(*place, found.key, found.value, headers), shown


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
