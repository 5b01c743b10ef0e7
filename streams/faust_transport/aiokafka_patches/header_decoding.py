r"""Header names that are not UTF-8: one such record must not end every consumer that meets it.

Kafka's protocol says that they are, no broker checks it, and aiokafka raises in the middle of a fetch, at the
same record for ever. Its other reader, in Python, is slower and can be told to take them: what it cannot
decode becomes an escape such as `\xff`. It reads only the batches in which the compiled one failed.
"""

from collections.abc import Iterator
from typing import Any

import aiokafka.consumer.fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import _MemoryRecordsPy


class _Bytes(bytearray):
    """Bytes, and slices of bytes, that decode without raising."""

    def __getitem__(self, at: Any) -> Any:
        found = super().__getitem__(at)
        return _Bytes(found) if isinstance(found, bytearray) else found

    def decode(self, encoding: str = "utf-8", errors: str = "backslashreplace") -> str:
        """As bytearray's, with other defaults."""
        return super().decode(encoding, errors)


class _PatientBatch(_DefaultRecordBatchPy):  # type: ignore[misc]
    """A batch whose header names may be any bytes."""

    def __iter__(self) -> Any:
        super().__iter__()
        self._buffer: bytearray = _Bytes(self._buffer)
        return self


class _Batch:
    """A batch as the compiled reader reads it, as far as it can, and as the patient one does from there."""

    def __init__(self, compiled: Any, data: memoryview) -> None:
        self._compiled, self._data = compiled, data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._compiled, name)

    def __next__(self) -> Any:
        return next(self._compiled)

    def __iter__(self) -> Iterator[Any]:
        # One by one: a list of all would be looked at by the garbage collector again and again.
        count = 0
        try:
            for record in self._compiled:
                yield record
                count += 1
        except UnicodeDecodeError:
            for number, record in enumerate(_PatientBatch(bytes(self._data))):
                if number >= count:
                    yield record


class PatientRecords(_MemoryRecordsPy):  # type: ignore[misc]
    """The batches of one fetch from one partition."""

    def next_batch(self, *arguments: Any) -> Any:
        """The next batch, or None."""
        data = self._next_slice
        batch = super().next_batch(*arguments)
        return None if batch is None else _Batch(batch, data)


def patch_header_decoding() -> None:
    """From now on, let all of aiokafka's consumers in this process read records with any header names."""
    aiokafka.consumer.fetcher.MemoryRecords = PatientRecords
