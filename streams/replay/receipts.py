"""Receipts: which dead letters were handled, and how, written in the transaction that handles them."""

from collections.abc import Sequence
from enum import StrEnum

import orjson

from schemas.errors import StopWorker
from streams.records import MemoryRecord, Output
from streams.replay.dead_letter_records import DeadLetter

HANDLING = "shelfstream.handling"
"""The header of a receipt that says how its dead letters were handled. Without it they were redriven."""

Place = tuple[int, int]
"""Partition and offset in the dead-letter topic."""


class Handling(StrEnum):
    """How a dead letter was handled. A handled one is listed only on request."""

    REDRIVEN = "redriven"
    FIXED = "fixed"
    DISCARDED = "discarded"
    ERASED = "erased"
    COPIED = "copied"


def receipt(topic: str, letters: Sequence[DeadLetter], handling: Handling = Handling.REDRIVEN) -> Output:
    """Return the receipt of handled dead letters, to be written in the same transaction.

    Its value is a JSON object: offsets in the dead-letter topic by partition.

    Args:
        topic: Topic of receipts.
        letters: Handled dead letters, at least one.
        handling: How they were handled.
    """
    offsets: dict[str, list[int]] = {}
    for letter in letters:
        offsets.setdefault(str(letter.record.partition), []).append(letter.record.offset)
    headers = [(HANDLING, handling.value.encode())]
    return Output(topic, letters[0].record.partition, None, orjson.dumps(offsets), headers)


def read_receipt(value: bytes | None) -> set[Place]:
    """Return the handled dead letters of a receipt.

    Args:
        value: Value of a record of the topic of receipts.

    Raises:
        StopWorker: The value is no receipt: something else writes to the topic.
    """
    try:
        offsets = orjson.loads(value or b"")
        return {(int(partition), int(offset)) for partition, each in offsets.items() for offset in each}
    except (ValueError, TypeError, AttributeError) as error:
        raise StopWorker(f"not a receipt of handled dead letters: {(value or b'')[:80]!r}") from error


def handling_of(record: MemoryRecord) -> Handling:
    """Return how the dead letters of a receipt were handled. A name of a newer version counts as redriven."""
    for name, value in record.headers:
        if name == HANDLING and value in {each.value.encode() for each in Handling}:
            return Handling(value.decode())
    return Handling.REDRIVEN
