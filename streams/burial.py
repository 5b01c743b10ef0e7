"""Dead letters: a record's original bytes, and in the headers why and where it failed."""

from schemas.dead_letter import ATTEMPT, dead_letter_headers
from schemas.events import Source
from streams.records import Output, Record
from streams.topics import DEAD_LETTER, PRODUCT_REPARTITION

# Where a record stood before it was moved to its key's partition; see streams.enrich.
ORIGIN = "shelfstream.origin"


def source_of(record: Record) -> Source:
    """Where the record was first written: of a moved one, not where it was moved to."""
    if record.topic == PRODUCT_REPARTITION:
        for name, value in record.headers:
            if name == ORIGIN:
                topic, partition, offset = value.decode().rsplit(":", 2)
                return Source(topic=topic, partition=int(partition), offset=int(offset))
    return Source(topic=record.topic, partition=record.partition, offset=record.offset)


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
        original = [header for header in record.headers if header[0] != ORIGIN]
        attempt = next((value for name, value in original if name == ATTEMPT and value), b"")
        headers = dead_letter_headers(
            error,
            source=source_of(record),
            stage=stage,
            attempt=int(attempt) if attempt.isdigit() and len(attempt) < 10 else 1,
            group=self._group,
            timestamp=record.timestamp,
            original=original,
        )
        at = record.partition % self._partitions
        return Output(DEAD_LETTER, at, record.key, record.value, headers)
