"""Rows in the table of shoppers that are not those of a shopper."""

from typing import ClassVar, Self

import msgspec

from schemas.errors import StopWorker


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """A row as a version byte and MessagePack. It is an array, so the order of its fields is the format."""

    version: ClassVar[int]
    """The first byte. Rows of shoppers, and other marks, begin with other ones."""
    meaning: ClassVar[str]
    """What the row is, for messages."""

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Decode a row.

        Raises:
            StopWorker: The row is damaged.
        """
        try:
            return msgspec.msgpack.decode(memoryview(data)[1:], type=cls)
        except msgspec.MsgspecError as error:
            raise StopWorker(f"{cls.meaning} is damaged: {error}") from error

    def to_bytes(self) -> bytes:
        """Return the row as a version byte and MessagePack."""
        return bytes((self.version,)) + msgspec.msgpack.encode(self)
