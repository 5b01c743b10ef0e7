"""A record is read whether its header names are UTF-8 or not."""

import struct
from typing import Any

import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c

from streams.faust_transport.aiokafka_patches.header_decoding import PatchedMemoryRecords

# Where a batch's checksum stands, and where what it covers begins.
CRC, COVERED = 17, 21
NAME, BROKEN = b"header-name", b"\xff\xfeader-nam\xc3"


def fetched(*batches: list[list[tuple[str, bytes]]], broken: bool = True) -> bytes:
    """The bytes of a fetch: batches of records with these headers, by default with `BROKEN` for `NAME`."""
    data = b""
    for batch in batches:
        builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, 100_000)
        for number, headers in enumerate(batch):
            builder.append(number, 1, b"k", b"%d" % number, headers)
        made = bytearray(builder.build())
        if broken:
            made = made.replace(NAME, BROKEN)
            made[CRC:COVERED] = struct.pack(">I", calc_crc32c(bytes(made[COVERED:])))
        data += bytes(made)
    return data


def read(records: Any) -> list[tuple[bytes, list[tuple[str, bytes]]]]:
    found = []
    while records.has_next():
        batch = records.next_batch()
        assert batch.validate_crc()
        assert not batch.is_control_batch
        found += [(record.value, record.headers) for record in batch]
    return found


GOOD: list[tuple[str, bytes]] = [("a", b"1"), ("é", b"")]
ODD: list[tuple[str, bytes]] = [("a", b"1"), (NAME.decode(), b"2")]


def test_aiokafka_itself_raises_at_such_a_name() -> None:
    """If it no longer does, `streams.faust_transport.aiokafka_patches.header_decoding` can go."""
    with pytest.raises(UnicodeDecodeError):
        read(MemoryRecords(fetched([ODD])))


def test_records_before_and_after_it_and_itself_are_read_once_and_in_order() -> None:
    data = fetched([GOOD, ODD, GOOD, ODD], [GOOD], [ODD])
    escaped = [("a", b"1"), (BROKEN.decode("utf-8", "backslashreplace"), b"2")]
    assert read(PatchedMemoryRecords(data)) == [
        (b"0", GOOD),
        (b"1", escaped),
        (b"2", GOOD),
        (b"3", escaped),
        (b"0", GOOD),
        (b"0", escaped),
    ]


def test_other_fetches_are_read_as_aiokafka_reads_them() -> None:
    data = fetched([GOOD, ODD], [ODD], broken=False)
    assert read(PatchedMemoryRecords(data)) == read(MemoryRecords(data))
    half = PatchedMemoryRecords(data[: len(data) // 3])
    assert not half.has_next()
    assert half.next_batch() is None
