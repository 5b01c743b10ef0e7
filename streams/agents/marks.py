"""Marks: rows beside those of the shoppers or products of a table, whose keys begin with a prefix."""

from collections.abc import Iterator
from itertools import takewhile
from typing import Any, ClassVar, Self

import msgspec

from schemas.errors import StopWorker
from streams.state.tables import Table


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """A row of the table of shoppers, as a version byte and MessagePack.

    It is an array, so the order of its fields is the format.
    """

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


def marked(table: Table[Any], prefix: bytes) -> Iterator[bytes]:
    """Yield what follows a prefix in the keys of a table, of rows that are committed or staged.

    A row whose deletion is staged is among them. The walk ends behind the prefix: no id has control
    characters, with which prefixes begin, so that only other marks are before it.
    """
    stored = takewhile(lambda key: key[: len(prefix)] <= prefix, (key for key, _ in table.store.items()))
    for key in (*stored, *table.savepoint()):
        if key.startswith(prefix):
            yield key.removeprefix(prefix)
