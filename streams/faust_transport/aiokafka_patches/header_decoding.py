r"""Patch: read records whose header names are not UTF-8. The package's docstring says why.

A byte that cannot be decoded becomes an escape such as `\xff`. aiokafka's reader in Python reads only the
batches in which its compiled reader fails.
"""

from collections.abc import Iterator
from typing import Any

import aiokafka.consumer.fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import _MemoryRecordsPy


class _LenientBytes(bytearray):
    """Bytes whose `decode` does not raise; slices are of the same type."""

    def __getitem__(self, at: Any) -> Any:
        found = super().__getitem__(at)
        return _LenientBytes(found) if isinstance(found, bytearray) else found

    def decode(self, encoding: str = "utf-8", errors: str = "backslashreplace") -> str:
        """Decode as `bytearray.decode` does, with other defaults."""
        return super().decode(encoding, errors)


class _LenientBatch(_DefaultRecordBatchPy):  # type: ignore[misc]
    """A batch that is read in Python; its header names may be any bytes."""

    def __iter__(self) -> Any:
        super().__iter__()
        self._buffer: bytearray = _LenientBytes(self._buffer)
        return self


class _PatchedBatch:
    """A batch that the compiled reader reads until it fails, and `_LenientBatch` from that record on."""

    def __init__(self, compiled: Any, data: memoryview) -> None:
        self._compiled, self._data = compiled, data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._compiled, name)

    def __next__(self) -> Any:
        return next(self._compiled)

    def __iter__(self) -> Iterator[Any]:
        # Records are yielded one by one: the garbage collector would scan a list of them again and again.
        count = 0
        try:
            for record in self._compiled:
                yield record
                count += 1
        except UnicodeDecodeError:
            for number, record in enumerate(_LenientBatch(bytes(self._data))):
                if number >= count:
                    yield record


class PatchedMemoryRecords(_MemoryRecordsPy):  # type: ignore[misc]
    """Replaces aiokafka's `MemoryRecords`: the batches that one fetch returned for one partition."""

    def next_batch(self, *arguments: Any) -> Any:
        """Return the next batch, or None."""
        data = self._next_slice
        batch = super().next_batch(*arguments)
        return None if batch is None else _PatchedBatch(batch, data)


def patch_header_decoding() -> None:
    """Let all later aiokafka consumers of this process read records with any header names."""
    aiokafka.consumer.fetcher.MemoryRecords = PatchedMemoryRecords
