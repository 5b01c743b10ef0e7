"""The request to forget a shopper: a null value in user-behavior with a header, keyed by the shopper's id."""

from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import blake2b
from typing import NamedTuple

from schemas.errors import InvalidEvent
from schemas.rules import LATEST_AHEAD, has_control_characters

ERASURE = "shelfstream.erasure"
"""The header that makes a null value an erasure. Its value is the time of the request, RFC 3339."""

_LONGEST_ID = 256


class ErasureRequest(NamedTuple):
    """A shopper to forget.

    Attributes:
        shopper: The shopper's id: a user_id, or a guest's anonymous_id or session_id.
        requested_at: What occurred at this time or before is forgotten, whenever it arrives.
    """

    shopper: str
    requested_at: datetime


def shopper_digest(shopper: str) -> bytes:
    """Return the 16 bytes that stand for an erased shopper, in state and in the audit."""
    return blake2b(shopper.encode(), digest_size=16).digest()


def is_erasure(value: bytes | None, headers: Iterable[tuple[str, bytes | None]]) -> bool:
    """Return whether a record of user-behavior is a request to forget its key's shopper."""
    return value is None and any(name == ERASURE for name, _ in headers)


def erasure_header(requested_at: datetime) -> tuple[str, bytes]:
    """Build the header of a request."""
    return ERASURE, requested_at.astimezone(UTC).isoformat().encode()


def decode_erasure(
    key: bytes | None, headers: Iterable[tuple[str, bytes | None]], received_at: datetime | None = None
) -> ErasureRequest:
    """Decode a request.

    Args:
        key: The record's key.
        headers: The record's headers. The last one named `ERASURE` counts.
        received_at: When the record arrived; None if that is not known.

    Raises:
        InvalidEvent: `invalid-key` or `invalid-time`.
    """
    try:
        shopper = (key or b"").decode()
    except UnicodeDecodeError:
        shopper = ""
    if not 1 <= len(shopper) <= _LONGEST_ID or has_control_characters(shopper):
        raise InvalidEvent(
            "invalid-key",
            "the key of an erasure must be a user_id or session_id (1 to 256 characters, no control"
            " characters, UTF-8); use `shelfstream erase`, and discard this record",
        )
    text = next((value or b"" for name, value in reversed(list(headers)) if name == ERASURE), b"")
    try:
        requested_at = datetime.fromisoformat(text.decode())
        if requested_at.tzinfo is None:
            requested_at = requested_at.replace(tzinfo=UTC)
        requested_at = requested_at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidEvent(
            "invalid-time",
            f"the header {ERASURE} must be a time (RFC 3339); use `shelfstream erase`, and discard"
            " this record",
        ) from error
    if received_at is not None and requested_at - LATEST_AHEAD > received_at:
        raise InvalidEvent(
            "invalid-time",
            f"the header {ERASURE} is more than a day after the record's arrival, so that it would suppress"
            " what the shopper does from then on; check the clock, and use `shelfstream erase`",
        )
    return ErasureRequest(shopper, requested_at)
