"""The headers of dead letters: the error, the source record and the processing stage.

Key, value and original headers are unchanged. The added headers use the names of Kafka Streams (KIP-1034,
`__streams.errors.*`, values as UTF-8 text) and shelfstream's own (`shelfstream.*`). Their total size is at
most `ADDED_BYTES`, so a record of the source topic's maximum size fits a dead-letter topic whose limit is
larger by that amount.
"""

import traceback
from collections.abc import Callable, Iterable
from typing import cast

from schemas.errors import InvalidEvent
from schemas.events import Source

TOPIC = "dead-letter"
"""The topic that dead letters are written to."""

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
    EXCEPTION: "class of the error",
    MESSAGE: "what is wrong, where, and what to do",
    STACKTRACE: "stack trace, its middle left out if long; a single line if the record is invalid",
    SOURCE_TOPIC: "topic that the record was read from",
    SOURCE_PARTITION: "partition of the record, in decimal digits",
    SOURCE_OFFSET: "offset of the record, in decimal digits",
    REASON: "stable reason code, such as malformed-json, invalid-field, unknown-version or key-mismatch",
    FIELD: "JSON path of the invalid field, if there is one",
    STAGE: "processing stage that failed: decode, or a step of the agent",
    ATTEMPT: "number of attempts to process the record, in decimal digits",
    GROUP: "consumer group that could not process the record",
    TIMESTAMP: "timestamp of the original record in Unix milliseconds; the dead letter has its own",
    LEFT_OUT: "present if the record is too large for this topic: the parts that are left out here and "
    "remain in the source topic only",
}
"""The description of each header that shelfstream adds to a dead letter."""

ADDED_BYTES = 8192
"""The maximum size of the added headers of a dead letter, names and values together, in bytes."""

_VALUE_BYTES = 512
_MESSAGE_BYTES = 1024
_CUT_MARK = b" [... cut ...] "


def dead_letter_headers(
    error: BaseException,
    *,
    source: Source,
    stage: str,
    attempt: int,
    group: str,
    timestamp: int = -1,
    original: Iterable[tuple[str, bytes | None]] = (),
    shown: Callable[[str], str] = str,
) -> list[tuple[str, bytes]]:
    """Build the headers of a dead letter.

    Args:
        error: The cause. The reason code is that of an `InvalidEvent`, and `failed` for any other error.
        source: The position of the record.
        stage: The processing stage that failed, such as `decode`.
        attempt: The number of attempts, from 1.
        group: The consumer group.
        timestamp: The record's timestamp in Unix milliseconds; -1 if it has none.
        original: The record's headers. Headers of an earlier dead-lettering are replaced.
        shown: Returns what may be shown of a text.

    Returns:
        The original headers, followed by at most `ADDED_BYTES` of added headers.
    """
    reason, field, message = "failed", None, str(error)
    if isinstance(error, InvalidEvent):
        reason, field, message = error.reason, error.field, error.detail
    added = {
        EXCEPTION: _class_name(error),
        MESSAGE: shown(message),
        SOURCE_TOPIC: source.topic,
        SOURCE_PARTITION: str(source.partition),
        SOURCE_OFFSET: str(source.offset),
        REASON: reason,
        STAGE: stage,
        ATTEMPT: str(attempt),
        GROUP: group,
        TIMESTAMP: str(timestamp),
    } | ({} if field is None else {FIELD: field})
    # Kafka allows null header values, which are passed on; the return type does not express them.
    headers = [cast(tuple[str, bytes], header) for header in original if header[0] not in DESCRIPTIONS]
    encoded = [
        (name, truncate(text, _MESSAGE_BYTES if name == MESSAGE else _VALUE_BYTES))
        for name, text in added.items()
    ]
    left = ADDED_BYTES - sum(len(name) + len(value) for name, value in encoded) - len(STACKTRACE)
    encoded.append((STACKTRACE, truncate(shown(_trace(error)), left)))
    return headers + encoded


def truncate(text: str, limit: int) -> bytes:
    """Encode `text` as UTF-8 and replace the middle of a longer text by a mark.

    A quarter of the kept bytes is the beginning, three quarters are the end, because a stack trace names the
    error at its end.

    Args:
        text: Any text.
        limit: The maximum number of bytes.

    Returns:
        At most `limit` bytes of valid UTF-8.
    """
    # A message may quote text with lone surrogates, which UTF-8 cannot encode.
    encoded = text.encode("utf-8", "backslashreplace")
    if len(encoded) <= limit:
        return encoded
    kept = limit - len(_CUT_MARK)
    if kept < 0:
        return encoded[: max(limit, 0)].decode("utf-8", "ignore").encode()
    # Decoding with "ignore" drops a character that was cut in two.
    head = encoded[: kept // 4].decode("utf-8", "ignore").encode()
    tail = encoded[len(encoded) - (kept - kept // 4) :].decode("utf-8", "ignore").encode()
    return head + _CUT_MARK + tail


def _trace(error: BaseException) -> str:
    if isinstance(error, InvalidEvent):
        # The error is in the record, not in the code, and a flood of invalid records must stay cheap.
        return "".join(traceback.format_exception_only(error))
    return "".join(traceback.format_exception(error, limit=-20))


def _class_name(error: BaseException) -> str:
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
