"""Encodes deltas as records of narrow columns; a pair of products takes some four bytes in each direction.

A record is `SFCB`, a version byte and a MessagePack array. The array holds the ids joined by line feeds
(identifiers contain no control characters), how many deltas each of them has as the product, and one column
after another, by product. Times and weights are indices into tables of distinct numbers. Integers have as
few bytes as the largest one needs, and a column of one value has it once.

Version 1 had columns of fixed width; see `delta_codec_of_1`. A release that reads only version 1 makes dead
letters of these records: redrive them once all workers are replaced.
"""

import msgspec
import numpy as np

from models.behavior.delta_codec_of_1 import decode_deltas_of_1
from models.behavior.delta_columns import (
    checked,
    floats,
    malformed,
    packed,
    packed_indices,
    unpacked,
    unpacked_indices,
)
from models.behavior.deltas import Deltas

MAGIC = b"SFCB"
VERSION = 2
RECORD_LIMIT = 900_000
"""The maximum size of a record in bytes, below the broker's default limit of 1 MB."""
_MOST_DELTAS = 1 << 22
"""The number of deltas of a record at most: those that are all the same take no bytes."""


class _Columns(msgspec.Struct, frozen=True, array_like=True, gc=False):
    ids: str
    counts: bytes
    neighbor: bytes
    code: bytes
    times: bytes
    moment: bytes
    weights: bytes
    weight: bytes
    support: bytes


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Columns)


def encode_deltas(deltas: Deltas, limit: int = RECORD_LIMIT) -> list[bytes]:
    """Encode deltas as records; deltas that are too large for one record are split in halves.

    Args:
        deltas: Any number of deltas.
        limit: The maximum size of a record in bytes.

    Returns:
        The records, which apply in their order. No deltas give no records. Deltas of one product stay in
        their order.

    Raises:
        ValueError: A single delta is larger than `limit`, or an id is empty or contains a line feed.
    """
    if not len(deltas):
        return []
    return _encode_sorted(deltas.take(np.argsort(deltas.product, kind="stable")), limit)


def _encode_sorted(deltas: Deltas, limit: int) -> list[bytes]:
    record = _encode(deltas)
    if len(record) <= limit and len(deltas) <= _MOST_DELTAS:
        return [record]
    if len(deltas) == 1:
        raise ValueError(f"one delta takes {len(record)} bytes, but a record may have at most {limit}")
    half = len(deltas) // 2
    return [
        *_encode_sorted(deltas.take(slice(None, half)), limit),
        *_encode_sorted(deltas.take(slice(half, None)), limit),
    ]


def _encode(deltas: Deltas) -> bytes:
    """Encode deltas that are sorted by product."""
    used = np.zeros(len(deltas.ids), dtype=np.bool_)
    used[deltas.product] = True
    used[deltas.neighbor] = True
    names = [deltas.ids[i] for i in np.flatnonzero(used).tolist()]
    if any("\n" in name or not name for name in names):
        raise ValueError(
            "a product id is empty or contains a line feed; identifiers have no control characters"
        )
    position = np.cumsum(used) - 1
    times, moment = np.unique(deltas.time, return_inverse=True)
    weights, weight = np.unique(deltas.weight, return_inverse=True)
    columns = _Columns(
        "\n".join(names),
        packed_indices(np.bincount(position[deltas.product], minlength=len(names))),
        packed_indices(position[deltas.neighbor]),
        packed_indices(deltas.code),
        times.astype("<f8").tobytes(),
        packed_indices(moment),
        weights.astype("<f8").tobytes(),
        packed_indices(weight),
        packed(deltas.support),
    )
    return MAGIC + bytes((VERSION,)) + _encoder.encode(columns)


def decode_deltas(record: bytes) -> Deltas:
    """Decode one record of `encode_deltas`, or one of version 1.

    Raises:
        InvalidEvent: `malformed-deltas`: these are not the bytes of one whole, consistent record.
    """
    if record[:4] != MAGIC:
        raise malformed(f"it begins with {record[:4]!r} instead of {MAGIC!r}")
    if record[4:5] not in (b"\x01", bytes((VERSION,))):
        raise malformed(
            f"its version byte is {record[4:5]!r}, but this release reads versions 1 and {VERSION}"
        )
    data = memoryview(record)[5:]
    try:
        return decode_deltas_of_1(data) if record[4:5] == b"\x01" else _deltas(_decoder.decode(data))
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise malformed(str(error)) from error


def _deltas(columns: _Columns) -> Deltas:
    ids = columns.ids.split("\n")
    counts = unpacked(columns.counts, "u", len(ids), "counts")
    rows = int(counts.sum(dtype=np.int64))
    if not 1 <= rows <= _MOST_DELTAS:
        raise malformed(f"it has {rows} rows, but a record has 1 to {_MOST_DELTAS}")
    times, weights = floats(columns.times, "times"), floats(columns.weights, "weights")
    moment = unpacked_indices(columns.moment, rows, len(times), "moment")
    weight = unpacked_indices(columns.weight, rows, len(weights), "weight")
    deltas = Deltas(
        ids,
        np.repeat(np.arange(len(ids), dtype=np.uint32), counts),
        unpacked_indices(columns.neighbor, rows, len(ids), "neighbor").astype(np.uint32),
        unpacked(columns.code, "u", rows, "code").astype(np.uint8),
        times[moment].astype(np.float64),
        weights[weight].astype(np.float64),
        unpacked(columns.support, "i", rows, "support").astype(np.int32),
    )
    return checked(deltas)
