"""How dead letters look on a terminal: nothing in them may control it, nothing is too long to see."""

import json
from datetime import UTC, datetime
from typing import Any

from schemas.dead_letters import DESCRIPTIONS
from streams.replay.dead_letter_records import DeadLetter

PREVIEW_BYTES = 2000


def printable(text: str, keep: str = "") -> str:
    """The text with control characters (but those in `keep`) as escapes, so that a terminal ignores them."""
    return "".join(
        character if character.isprintable() or character in keep else ascii(character)[1:-1]
        for character in text
    )


def preview(value: bytes | None, limit: int = PREVIEW_BYTES) -> str:
    """A value for people: JSON indented, other text escaped, and how much was left out."""
    if value is None:
        return "(null: a tombstone)"
    try:
        text = json.dumps(json.loads(value), indent=2, ensure_ascii=False) if len(value) <= limit else ""
    except (ValueError, RecursionError):
        text = ""
    text = text or value[:limit].decode("utf-8", "backslashreplace")
    left_out = len(value) - limit
    more = f"\n(... {left_out:,} more bytes; --full shows them, --raw writes them)" if left_out > 0 else ""
    return printable(text, keep="\n\t") + more


def iso(time_ms: int | None) -> str:
    """A time in Unix milliseconds as ISO 8601, "?" if there is none."""
    if time_ms is None or time_ms < 0:
        return "?"
    try:
        time = datetime.fromtimestamp(time_ms / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return f"{time_ms} ms"
    return time.isoformat(timespec="seconds").replace("+00:00", "Z")


def as_json(letter: DeadLetter) -> dict[str, Any]:
    """What a program may want to know of a dead letter, but its value."""
    record = letter.record
    return {
        "place": letter.place,
        "time": iso(record.timestamp),
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
            "time": iso(letter.timestamp),
        },
        "key": None if record.key is None else record.key.decode("utf-8", "backslashreplace"),
        "value_bytes": None if record.value is None else len(record.value),
    }


def full_text(letter: DeadLetter, limit: int) -> str:
    """Everything about a dead letter: why, where from, its headers, its value, the stack trace."""
    record = letter.record
    facts = {
        "place": letter.place,
        "time": iso(record.timestamp),
        "reason": letter.reason,
        "message": letter.message,
        "field": letter.field or "",
        "stage": letter.stage or "",
        "attempt": str(letter.attempt),
        "group": letter.group or "",
        "exception": letter.exception or "",
        "source": f"{letter.source} of {iso(letter.timestamp)}",
        "left out": "" if letter.left_out is None else f"{letter.left_out}: too large, see the source",
        "key": _text(record.key),
    }
    lines = [f"{name:<10} {printable(text)}" for name, text in facts.items() if text]
    lines.append("headers")
    own = [(name, value) for name, value in record.headers if name not in DESCRIPTIONS]
    lines += [f"  {printable(name)}: {_text(value)}" for name, value in own] or [
        "  (none of the record's own)"
    ]
    size = 0 if record.value is None else len(record.value)
    lines += [f"value ({size:,} bytes)", preview(record.value, limit)]
    if letter.stacktrace:
        lines += ["stack trace", printable(letter.stacktrace.rstrip(), keep="\n\t")]
    return "\n".join(lines)


def _text(value: bytes | None) -> str:
    return "(null)" if value is None else printable(value.decode("utf-8", "backslashreplace"))
