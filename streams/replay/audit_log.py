"""The audit topic: entries of what operators did, written after the deed and read by `shelfstream audit`."""

from collections.abc import Iterator

from schemas.audit import AuditEntry
from schemas.codec import decode_audit_entry, encode
from schemas.envelope import output_headers
from schemas.errors import InvalidEvent, StopWorker
from streams.permission_check import why_not_listed
from streams.replay.positions import Position
from streams.replay.ranges import resolve_ranges
from streams.replay.single_record import write_record
from streams.replay.transactional_copy import open_consumer, read_ranges
from streams.settings import Settings
from streams.topics import AUDIT

_TIMEOUT_S = 10.0


def write_entry(settings: Settings, entry: AuditEntry) -> str | None:
    """Append an entry to the audit topic.

    Nothing is raised: what the entry describes has happened already.

    Args:
        settings: Settings with the broker's address.
        entry: The entry.

    Returns:
        Why the entry is not in the topic, as a sentence; None if it is.
    """
    action = entry.action.value
    headers = output_headers(AUDIT, event_id=entry.event_id, source="/shelfstream/commands", subject=action)
    return write_record(settings, AUDIT, action.encode(), encode(entry), headers)


def read_entries(settings: Settings, begin: Position, until: Position) -> Iterator[AuditEntry]:
    """Yield the entries between two positions of the audit topic, by partition in offset order.

    A record that is no entry is skipped: a newer version of shelfstream may write others.

    Raises:
        StopWorker: There is no audit topic.
        RetryLater: The broker is unreachable.
    """
    consumer = open_consumer(settings, f"{settings.app_id}-audit")
    try:
        if AUDIT not in consumer.list_topics(timeout=_TIMEOUT_S).topics:
            raise StopWorker(why_not_listed(settings, AUDIT))
        ranges = resolve_ranges(consumer, settings, AUDIT, begin, until)
        for records in read_ranges(consumer, settings, AUDIT, ranges):
            for record in records:
                try:
                    yield decode_audit_entry(record.value)
                except InvalidEvent:
                    continue
    finally:
        consumer.close()
