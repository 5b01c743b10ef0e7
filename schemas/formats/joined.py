"""A stream that was read a little, as if it had not been."""

from io import BufferedReader, RawIOBase
from typing import Any, BinaryIO


class _Raw(RawIOBase):
    """Bytes, and then the rest of a stream."""

    def __init__(self, first: bytes, stream: BinaryIO) -> None:
        self._first = first
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        content = self._first[: len(view)] or self._stream.read(len(view))
        self._first = self._first[len(content) :]
        view[: len(content)] = content
        return len(content)


def joined(first: bytes, stream: BinaryIO) -> BinaryIO:
    """Return a stream of `first` and the rest of `stream`."""
    return BufferedReader(_Raw(first, stream), 128 * 1024)


class NotClosed(RawIOBase):
    """A stream that stays open when what reads it is closed or forgotten."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def readable(self) -> bool:
        """Return true."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer, and return the number of bytes."""
        view = memoryview(buffer).cast("B")
        content = self._stream.read(len(view))
        view[: len(content)] = content
        return len(content)
