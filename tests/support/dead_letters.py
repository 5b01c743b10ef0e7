"""Records as they are in the dead-letter topic."""

from schemas.errors import InvalidEvent
from streams.agents.dead_letters import DeadLetterBuilder
from streams.records import MemoryRecord

MALFORMED = InvalidEvent("malformed-json", "the value is not JSON: send JSON", "$.title")


def dead_lettered(record: MemoryRecord, error: Exception = MALFORMED, at: int = 0) -> MemoryRecord:
    """Return the record as it is in the dead-letter topic, at offset `at`."""
    out = DeadLetterBuilder("shop", 4)(record, error, "decode")
    return MemoryRecord(out.topic, out.partition, at, 5_000, out.key, out.value, out.headers)
