"""Deltas as bytes: narrow columns behind a magic, so that a pair costs about seven bytes.

A record is `SFCB`, a version byte and a MessagePack array: the ids joined by line feeds (an identifier holds
no control characters), then one little-endian column after another. Indices take two bytes where they fit,
times point into a table of the distinct ones, and a column of one value alone means that all rows have it.
"""

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.behavior.deltas import FORGET, Deltas
from models.behavior.event_time import EARLIEST, LATEST
from schemas.errors import InvalidEvent

MAGIC = b"SFCB"
VERSION = 1
RECORD_LIMIT = 900_000
"""Bytes of the largest record that `encode_deltas` makes: below a broker's usual limit of 1 MB."""

Array = NDArray[Any]


class _Columns(msgspec.Struct, frozen=True, array_like=True, gc=False):
    rows: int
    ids: str
    product: bytes
    neighbour: bytes
    code: bytes
    times: bytes
    moment: bytes
    weight: bytes
    support: bytes


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Columns)


def encode_deltas(deltas: Deltas, limit: int = RECORD_LIMIT) -> list[bytes]:
    """Encode `deltas` into as few records as halving finds, none above `limit` bytes.

    Records apply in their order. No deltas give no records.

    Raises:
        ValueError: One delta alone is larger than `limit`, or an id holds a line feed or is empty.
    """
    if not len(deltas):
        return []
    record = _encode(deltas)
    if len(record) <= limit:
        return [record]
    if len(deltas) == 1:
        raise ValueError(f"one delta takes {len(record)} bytes, but a record may have {limit}")
    half = len(deltas) // 2
    return [
        *encode_deltas(deltas.take(slice(None, half)), limit),
        *encode_deltas(deltas.take(slice(half, None)), limit),
    ]


def _encode(deltas: Deltas) -> bytes:
    used = np.zeros(len(deltas.ids), dtype=np.bool_)
    used[deltas.product] = True
    used[deltas.neighbour] = True
    names = [deltas.ids[i] for i in np.flatnonzero(used).tolist()]
    if any("\n" in name or not name for name in names):
        raise ValueError("a product id is empty or holds a line feed; identifiers have no control characters")
    place = np.cumsum(used) - 1
    times, moment = np.unique(deltas.time, return_inverse=True)
    index = np.dtype("<u2" if max(len(names), len(times)) <= 0x10000 else "<u4")
    columns = _Columns(
        len(deltas),
        "\n".join(names),
        place[deltas.product].astype(index).tobytes(),
        place[deltas.neighbour].astype(index).tobytes(),
        _constant(deltas.code).tobytes(),
        times.astype("<f8").tobytes(),
        moment.astype(index).tobytes(),
        _constant(deltas.weight).astype("<f8").tobytes(),
        _constant(deltas.support).astype("<i4").tobytes(),
    )
    return MAGIC + bytes((VERSION,)) + _encoder.encode(columns)


def _constant(column: Array) -> Array:
    return column[:1] if (column == column[0]).all() else column


def decode_deltas(record: bytes) -> Deltas:
    """Decode one record.

    Raises:
        InvalidEvent: `malformed-deltas`: these are not the bytes of one whole, consistent record.
    """
    if record[:4] != MAGIC:
        raise _malformed(f"it begins with {record[:4]!r} where {MAGIC!r} was expected")
    if record[4:5] != bytes((VERSION,)):
        raise _malformed(f"its version is {record[4:5]!r}, but this program reads version {VERSION}")
    try:
        columns = _decoder.decode(memoryview(record)[5:])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _malformed(str(error)) from error
    return _checked(columns)


def _checked(columns: _Columns) -> Deltas:
    rows = columns.rows
    if not 1 <= rows <= len(columns.product):
        raise _malformed(f"it claims {rows} rows, which its columns cannot hold")
    width = len(columns.product) // rows
    if width not in (2, 4):
        raise _malformed(f"an index of {width} bytes is none that we write")
    ids = columns.ids.split("\n")
    times = _column(columns.times, "<f8", len(columns.times) // 8, "times")
    if len(set(ids)) != len(ids) or "" in ids:
        raise _malformed("an id is empty or occurs twice")
    if not ((times >= EARLIEST) & (times <= LATEST)).all():
        raise _malformed("a time lies outside of years 1 to 9999")
    index = f"<u{width}"
    moment = _indices(columns.moment, index, rows, len(times), "moment")
    deltas = Deltas(
        ids,
        _indices(columns.product, index, rows, len(ids), "product"),
        _indices(columns.neighbour, index, rows, len(ids), "neighbour"),
        _spread(columns.code, "u1", rows, "code").astype(np.uint8),
        times[moment].astype(np.float64),
        _spread(columns.weight, "<f8", rows, "weight").astype(np.float64),
        _spread(columns.support, "<i4", rows, "support").astype(np.int32),
    )
    if (deltas.code > FORGET).any():
        raise _malformed(f"a code is above {FORGET}")
    if not np.isfinite(deltas.weight).all():
        raise _malformed("a weight is not finite")
    return deltas


def _column(data: bytes, kind: str, rows: int, name: str) -> Array:
    if len(data) != rows * np.dtype(kind).itemsize:
        raise _malformed(f"column {name} has {len(data)} bytes, which is not {rows} rows")
    return np.frombuffer(data, dtype=kind)


def _indices(data: bytes, kind: str, rows: int, bound: int, name: str) -> NDArray[np.uint32]:
    column = _column(data, kind, rows, name)
    if column.size and int(column.max()) >= bound:
        raise _malformed(f"column {name} points to {int(column.max())}, but its table has {bound}")
    return column.astype(np.uint32)


def _spread(data: bytes, kind: str, rows: int, name: str) -> Array:
    if len(data) == np.dtype(kind).itemsize:
        return np.broadcast_to(np.frombuffer(data, dtype=kind), (rows,))
    return _column(data, kind, rows, name)


def _malformed(what: str) -> InvalidEvent:
    return InvalidEvent("malformed-deltas", f"this is not a co-behaviour record of ours: {what}")
