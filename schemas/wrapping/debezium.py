"""Debezium's change events: which row was created, read, changed or deleted, and when."""

from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from schemas.errors import InvalidEvent
from schemas.wrapping.connect_json import without_unavailable
from schemas.wrapping.recognition import is_envelope

CREATED, UPDATED, DELETED, READ = "c", "u", "d", "r"
_LATEST_MS = 253_370_678_400_000


class RowChange(NamedTuple):
    """A change of a row.

    Attributes:
        operation: `CREATED`, `UPDATED`, `DELETED` or `READ`, which is a row of a snapshot.
        row: The row after the change, or before its deletion. None if the event does not have it.
        changed_at: When the database changed it, RFC 3339. None if unknown, and for a snapshot.
    """

    operation: str
    row: dict[str, Any] | None
    changed_at: str | None


def row_change(document: Any) -> RowChange | None:
    """Read a change event, with or without the transform `ExtractNewRecordState`.

    Args:
        document: The decoded value, without its schema.

    Returns:
        The change. None if the document is no change event.

    Raises:
        InvalidEvent: `truncated-table` or `invalid-field`: It is a change event that names no row.
    """
    if is_envelope(document):
        return _of_envelope(document)
    if isinstance(document, dict) and {"__deleted", "__op"} & document.keys():
        return _of_flat(document)
    return None


def _of_envelope(document: dict[str, Any]) -> RowChange:
    operation = document["op"]
    if operation == "t":
        raise InvalidEvent(
            "truncated-table",
            "the change event says that a table was emptied, and not which rows it had; withdraw the "
            "products by tombstones with their keys, and discard this record",
            "$.op",
        )
    if operation not in (CREATED, UPDATED, DELETED, READ):
        raise InvalidEvent(
            "invalid-field",
            f"$.op: is an operation of {len(operation)} characters, but a row is created (c), read (r), "
            "updated (u) or deleted (d); discard this record",
            "$.op",
        )
    row = _row(document.get("before" if operation == DELETED else "after"))
    if row is None and operation != DELETED:
        raise InvalidEvent(
            "invalid-field",
            "$.after: the change event has no row after the change; let the connector write it "
            "(MongoDB: `capture.mode=change_streams_update_full`), and discard this record",
            "$.after",
        )
    source = document.get("source")
    changed_ms = source.get("ts_ms") if isinstance(source, dict) else document.get("ts_ms")
    return RowChange(operation, row, None if operation == READ else _time(changed_ms))


def _of_flat(document: dict[str, Any]) -> RowChange:
    row = {name: value for name, value in document.items() if not name.startswith("__")}
    deleted = str(document.get("__deleted")).lower() == "true" or document.get("__op") == DELETED
    operation = document.get("__op")
    if deleted or operation not in (CREATED, UPDATED, READ):
        operation = DELETED if deleted else CREATED
    changed_ms = document.get("__source_ts_ms", document.get("__ts_ms"))
    return RowChange(operation, without_unavailable(row), None if operation == READ else _time(changed_ms))


def _row(row: Any) -> dict[str, Any] | None:
    """Return a row. The connector for MongoDB writes it as JSON text."""
    if isinstance(row, str):
        try:
            row = msgspec.json.decode(row)
        except (ValueError, RecursionError):
            return None
    return without_unavailable(row) if isinstance(row, dict) else None


def _time(milliseconds: Any) -> str | None:
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, int | float):
        return None
    if not 0 < milliseconds < _LATEST_MS:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat().replace("+00:00", "Z")
