"""Messages between the lanes of `sessions`: records of the internal topic shopper-repartition.

The key is the shopper to whom the message is, so that it arrives where the shopper's row is. Values are
MessagePack. The messages of a login are those of `models.behavior.logins`.
"""

from datetime import datetime

import msgspec

from models.behavior.shopper_row import Login, ShopperRow
from schemas.errors import InvalidEvent
from schemas.events import UserBehavior
from schemas.keys import partition_for
from streams.provenance import MOVED_FROM, ORIGIN, origin_header, source_of
from streams.records import Output, Record
from streams.topics import SHOPPER_REPARTITION


class _Message(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The base of all messages. Fields are added, never renamed."""


class MovedEvent(_Message, frozen=True, kw_only=True, tag="event"):
    """An event of the key's shopper that arrived elsewhere.

    Attributes:
        event: The event, with the user's id.
        guest: The guest who did it and became the key's user; None if only the partition was another.
    """

    event: UserBehavior
    guest: str | None = None


class GuestLogin(_Message, frozen=True, kw_only=True, tag="login"):
    """The key's guest became a user."""

    login: Login


class MovedRow(_Message, frozen=True, kw_only=True, tag="row"):
    """What the key's shopper did elsewhere.

    Attributes:
        row: A row of a shopper, encoded; None if there is nothing.
        guest: The guest who did it and became the key's user; None if only the partition was another.
        at: The time of the guest's login, in seconds since 1970.
    """

    row: bytes | None = None
    guest: str | None = None
    at: float = 0.0


class GuestErasure(_Message, frozen=True, kw_only=True, tag="erasure"):
    """The key's guest is to be forgotten with a user.

    Attributes:
        user: The user.
        until: What occurred up to this time is forgotten.
    """

    user: str
    until: datetime


class FormerName(_Message, frozen=True, kw_only=True, tag="former"):
    """The key is a former name of a shopper.

    Attributes:
        name: The shopper's name, to whose row that of the key is added.
    """

    name: str


Message = MovedEvent | GuestLogin | MovedRow | GuestErasure | FormerName

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Message)


def encoded_row(row: ShopperRow | None) -> bytes | None:
    """Return a row as a part of a message."""
    return None if row is None else row.to_bytes()


def move(shopper: str, message: Message, cause: Record, partitions: int) -> Output:
    """Build the record of a message.

    Args:
        shopper: The shopper to whom it is.
        message: The message.
        cause: The record that caused it. A moved event keeps its headers, and the position as its origin.
        partitions: The number of partitions of every topic.
    """
    key = shopper.encode()
    headers = []
    if isinstance(message, MovedEvent):
        headers = [header for header in cause.headers if header[0] not in (ORIGIN, MOVED_FROM)]
        headers.append(origin_header(source_of(cause)))
    value = _ENCODER.encode(message)
    return Output(SHOPPER_REPARTITION, partition_for(key, partitions), key, value, headers)


def decode_message(record: Record) -> tuple[str, Message]:
    """Return the shopper to whom a message is, and the message.

    Raises:
        InvalidEvent: `malformed-message`: Another program wrote the record, or a later release.
    """
    try:
        return (record.key or b"").decode(), _DECODER.decode(record.value or b"")
    except ValueError as error:
        raise InvalidEvent(
            "malformed-message",
            f"the value is no message between lanes of sessions ({type(error).__name__}); if a later release"
            " wrote it, upgrade and redrive it, and find out which producer wrote it otherwise",
        ) from error
