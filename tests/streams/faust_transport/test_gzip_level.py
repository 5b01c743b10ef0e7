"""Batches that are compressed by gzip are read back, and compressed at the fastest level."""

import gzip

from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from streams.faust_transport.aiokafka_patches.gzip_level import FASTEST, patch_gzip_level

VALUES = [b'{"product_id": "%d", "title": "red shoes"}' % number for number in range(50)]


def _batch() -> bytes:
    builder = DefaultRecordBatchBuilder(2, 1, 0, -1, -1, -1, 1 << 20)
    for offset, value in enumerate(VALUES):
        builder.append(offset, timestamp=offset, key=None, value=value, headers=[])
    return bytes(builder.build())


def test_a_gzip_batch_has_the_fastest_level_and_is_read_back() -> None:
    patch_gzip_level()
    patch_gzip_level()
    data = _batch()
    start = data.index(b"\x1f\x8b")
    payload = gzip.decompress(data[start:])
    assert len(data) - start == len(gzip.compress(payload, FASTEST))
    assert len(data) - start > len(gzip.compress(payload, 9))
    batch = MemoryRecords(data).next_batch()
    assert batch is not None
    assert [record.value for record in batch] == VALUES
