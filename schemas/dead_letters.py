"""The headers of dead letters: why, where from and where in shelfstream, in names that other tools know.

Key, value and original headers stay as they were. What is added uses Kafka Streams' names (KIP-1034,
`__streams.errors.*`, values as UTF-8 text) and shelfstream's own (`shelfstream.*`). All that is added is
bounded by `ADDED_BYTES`: a record that fitted its topic fits a dead-letter topic that allows as much more.
"""

import traceback
from collections.abc import Iterable
from typing import cast

from schemas.errors import InvalidEvent
from schemas.events import Source

TOPIC = "dead-letter"

EXCEPTION = "__streams.errors.exception"
MESSAGE = "__streams.errors.message"
STACKTRACE = "__streams.errors.stacktrace"
SOURCE_TOPIC = "__streams.errors.topic"
SOURCE_PARTITION = "__streams.errors.partition"
SOURCE_OFFSET = "__streams.errors.offset"
REASON = "shelfstream.reason"
FIELD = "shelfstream.field"
STAGE = "shelfstream.stage"
ATTEMPT = "shelfstream.attempt"
GROUP = "shelfstream.group"
TIMESTAMP = "shelfstream.timestamp"
LEFT_OUT = "shelfstream.left-out"

DESCRIPTIONS: dict[str, str] = {
    EXCEPTION: "the error's class",
    MESSAGE: "what was wrong, where, and what to do",
    STACKTRACE: "where in the code, cut in the middle if long; one line where the record is at fault",
    SOURCE_TOPIC: "the topic that the record was read from",
    SOURCE_PARTITION: "its partition, in decimal digits",
    SOURCE_OFFSET: "its offset, in decimal digits",
    REASON: "a stable slug, such as malformed-json, invalid-field, unknown-version or key-mismatch",
    FIELD: "the JSON path of the offending field, where there is one",
    STAGE: "what was being done: decode, or the agent's step",
    ATTEMPT: "how many times processing was tried, in decimal digits",
    GROUP: "the consumer group that gave up on it",
    TIMESTAMP: "the record's own timestamp, Unix milliseconds; the dead letter's is when it was written",
    LEFT_OUT: "only of a record too large for this topic: what is missing here and is only where it was read",
}
"""Every header that shelfstream adds to a dead letter, and what it says."""

ADDED_BYTES = 8192
"""No dead letter grows by more than this, counted over the names and values of the added headers."""

_SHORT = 512
_MESSAGE_BYTES = 1024
_CUT = b" [... cut ...] "


def dead_letter_headers(
    error: BaseException,
    *,
    source: Source,
    stage: str,
    attempt: int,
    group: str,
    timestamp: int = -1,
    original: Iterable[tuple[str, bytes | None]] = (),
) -> list[tuple[str, bytes]]:
    """The headers of a record that cannot be processed.

    Args:
        error: why; an `InvalidEvent` gives its reason, any other error the reason `failed`.
        source: where the record was read.
        stage: what was being done, such as `decode`.
        attempt: how many times it was tried, from 1.
        group: the consumer group.
        timestamp: the record's own, in Unix milliseconds; -1 if it has none.
        original: the record's own headers, kept in front. What an earlier dead-lettering added is replaced.

    Returns:
        The original headers, then at most `ADDED_BYTES` of ours.
    """
    reason, field = "failed", None
    message = str(error)
    if isinstance(error, InvalidEvent):
        reason, field, message = error.reason, error.field, error.detail
    added = {
        EXCEPTION: _class_name(error),
        MESSAGE: message,
        SOURCE_TOPIC: source.topic,
        SOURCE_PARTITION: str(source.partition),
        SOURCE_OFFSET: str(source.offset),
        REASON: reason,
        STAGE: stage,
        ATTEMPT: str(attempt),
        GROUP: group,
        TIMESTAMP: str(timestamp),
    }
    if field is not None:
        added[FIELD] = field
    # Null header values are legal in Kafka and go through as they came; only the annotation cannot say so.
    headers = [cast(tuple[str, bytes], header) for header in original if header[0] not in DESCRIPTIONS]
    ours = [(name, cut(text, _MESSAGE_BYTES if name == MESSAGE else _SHORT)) for name, text in added.items()]
    room = ADDED_BYTES - sum(len(name) + len(value) for name, value in ours) - len(STACKTRACE)
    ours.append((STACKTRACE, cut(_trace(error), room)))
    return headers + ours


def cut(text: str, limit: int) -> bytes:
    """Encode `text` in at most `limit` bytes of UTF-8: if it is longer, its middle gives way to a mark.

    Of the rest, three quarters are the end, because that is where a stack trace says what happened.
    """
    # A message may quote text with lone surrogates, which UTF-8 cannot hold.
    encoded = text.encode("utf-8", "backslashreplace")
    if len(encoded) <= limit:
        return encoded
    room = limit - len(_CUT)
    if room < 0:
        return encoded[: max(limit, 0)].decode("utf-8", "ignore").encode()
    # Decoding with "ignore" drops a character that the cut went through.
    head = encoded[: room // 4].decode("utf-8", "ignore").encode()
    tail = encoded[len(encoded) - (room - room // 4) :].decode("utf-8", "ignore").encode()
    return head + _CUT + tail


def _trace(error: BaseException) -> str:
    if isinstance(error, InvalidEvent):
        # It tells of the record, not of the code; and a flood of bad records must stay cheap.
        return "".join(traceback.format_exception_only(error))
    return "".join(traceback.format_exception(error, limit=-20))


def _class_name(error: BaseException) -> str:
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
