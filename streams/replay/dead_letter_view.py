"""Text and JSON views of dead letters. Control characters are escaped and long values are cut."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from schemas.dead_letters import DESCRIPTIONS
from streams.replay.dead_letter_records import DeadLetter
from streams.replay.dead_letter_remedies import advice_for

PREVIEW_BYTES = 2000


def printable(text: str, keep: str = "") -> str:
    """Escape control characters, so that a terminal does not interpret them.

    Args:
        text: Any text.
        keep: Control characters to leave as they are.
    """
    return "".join(
        character if character.isprintable() or character in keep else ascii(character)[1:-1]
        for character in text
    )


def preview(value: bytes | None, limit: int = PREVIEW_BYTES) -> str:
    """Return the text view of a value: indented if it is JSON, else escaped.

    Args:
        value: Value of a record; None is a tombstone.
        limit: Most bytes to show. A note says how many more there are.
    """
    if value is None:
        return "(null: a tombstone)"
    try:
        text = _indented(value) if len(value) <= limit else ""
    except (msgspec.DecodeError, ValueError, RecursionError):
        text = ""
    text = text or value[:limit].decode("utf-8", "backslashreplace")
    left_out = len(value) - limit
    more = f"\n(... {left_out:,} more bytes; --full shows them, --raw writes them)" if left_out > 0 else ""
    return printable(text, keep="\n\t") + more


def _indented(value: bytes) -> str:
    # Not orjson: it reads integers of more than 64 bits as floats, and this view must show what is there.
    compact = msgspec.json.encode(msgspec.json.decode(value))
    return msgspec.json.format(compact, indent=2).decode()


def iso_time(time_ms: int | None) -> str:
    """Format a time in Unix milliseconds as ISO 8601 in UTC; "?" if it is None or negative."""
    if time_ms is None or time_ms < 0:
        return "?"
    try:
        time = datetime.fromtimestamp(time_ms / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return f"{time_ms} ms"
    return time.isoformat(timespec="seconds").replace("+00:00", "Z")


def summary_fields(letter: DeadLetter) -> dict[str, Any]:
    """Return the fields of `dead-letters list --json`: everything but headers, stack trace and value."""
    record = letter.record
    return {
        "place": letter.place,
        "time": iso_time(record.timestamp),
        "reason": letter.reason,
        "message": letter.message,
        "field": letter.field,
        "stage": letter.stage,
        "attempt": letter.attempt,
        "group": letter.group,
        "exception": letter.exception,
        "source": {
            "topic": letter.source_topic,
            "partition": letter.source_partition,
            "offset": letter.source_offset,
            "time": iso_time(letter.timestamp),
        },
        "key": None if record.key is None else record.key.decode("utf-8", "backslashreplace"),
        "value_bytes": None if record.value is None else len(record.value),
    }


def full_text(letter: DeadLetter, limit: int) -> str:
    """Return the text of `dead-letters show`: error, source, headers, value and stack trace.

    Args:
        letter: Dead letter to show.
        limit: Most bytes of the value to show.
    """
    record = letter.record
    facts = {
        "place": letter.place,
        "time": iso_time(record.timestamp),
        "reason": letter.reason,
        "message": letter.message,
        "advice": advice_for(letter),
        "field": letter.field or "",
        "stage": letter.stage or "",
        "attempt": str(letter.attempt),
        "group": letter.group or "",
        "exception": letter.exception or "",
        "source": f"{letter.source} at {iso_time(letter.timestamp)}",
        "left out": "" if letter.left_out is None else f"{letter.left_out}: too large; read it at the source",
        "key": _text(record.key),
    }
    lines = [f"{name:<10} {printable(text)}" for name, text in facts.items() if text]
    lines.append("headers")
    original = [(name, value) for name, value in record.headers if name not in DESCRIPTIONS]
    lines += [f"  {printable(name)}: {_text(value)}" for name, value in original] or [
        "  (the original record has none)"
    ]
    size = 0 if record.value is None else len(record.value)
    lines += [f"value ({size:,} bytes)", preview(record.value, limit)]
    if letter.stacktrace:
        lines += ["stack trace", printable(letter.stacktrace.rstrip(), keep="\n\t")]
    return "\n".join(lines)


def _text(value: bytes | None) -> str:
    return "(null)" if value is None else printable(value.decode("utf-8", "backslashreplace"))
