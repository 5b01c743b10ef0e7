"""The mark of a shopper whose products were unknown: a row in the table of shoppers."""

from typing import Self

import msgspec

from schemas.errors import StopWorker

MARK_VERSION = 3
"""The first byte of a mark. Rows of shoppers, and marks of erased ones, begin with other versions."""


class UnlabeledMark(msgspec.Struct, frozen=True, array_like=True):
    """The products of a shopper that had no labels. It is encoded as an array.

    Attributes:
        products: The products, as the shopper's row names them.
    """

    products: list[str]

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Decode a mark.

        Raises:
            StopWorker: The mark is damaged.
        """
        try:
            return msgspec.msgpack.decode(memoryview(data)[1:], type=cls)
        except msgspec.MsgspecError as error:
            raise StopWorker(f"the mark of a shopper with unknown products is damaged: {error}") from error

    def to_bytes(self) -> bytes:
        """Return the mark as a version byte and MessagePack."""
        return bytes((MARK_VERSION,)) + msgspec.msgpack.encode(self)
