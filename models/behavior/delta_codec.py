"""Encodes deltas as records of narrow columns; a pair of products takes about seven bytes.

A record is `SFCB`, a version byte and a MessagePack array. The array holds the number of rows, the ids joined
by line feeds (identifiers contain no control characters), and one little-endian column after another. Indices
have two bytes if they fit. Times are indices into a table of distinct times. A column with a single value
means that all rows have this value.

Sessions of a product, whose neighbor is the product itself, have two columns of their own at the end. In the
others their weight and support is 0, so that a release which does not know them adds nothing.
"""

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.behavior.deltas import REMOVAL, Deltas
from models.behavior.event_time import EARLIEST, LATEST
from schemas.errors import InvalidEvent

MAGIC = b"SFCB"
VERSION = 1
RECORD_LIMIT = 900_000
"""The maximum size of a record in bytes, below the broker's default limit of 1 MB."""

Array = NDArray[Any]


class _Columns(msgspec.Struct, frozen=True, array_like=True, gc=False):
    rows: int
    ids: str
    product: bytes
    neighbor: bytes
    code: bytes
    times: bytes
    moment: bytes
    weight: bytes
    support: bytes
    sessions_weight: bytes = b""
    sessions_support: bytes = b""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Columns)


def encode_deltas(deltas: Deltas, limit: int = RECORD_LIMIT) -> list[bytes]:
    """Encode deltas as records; deltas that are too large for one record are split in halves.

    Args:
        deltas: Any number of deltas.
        limit: The maximum size of a record in bytes.

    Returns:
        The records, which apply in their order. No deltas give no records.

    Raises:
        ValueError: A single delta is larger than `limit`, or an id is empty or contains a line feed.
    """
    if not len(deltas):
        return []
    record = _encode(deltas)
    if len(record) <= limit:
        return [record]
    if len(deltas) == 1:
        raise ValueError(f"one delta takes {len(record)} bytes, but a record may have at most {limit}")
    half = len(deltas) // 2
    return [
        *encode_deltas(deltas.take(slice(None, half)), limit),
        *encode_deltas(deltas.take(slice(half, None)), limit),
    ]


def _encode(deltas: Deltas) -> bytes:
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
    index = np.dtype("<u2" if max(len(names), len(times)) <= 0x10000 else "<u4")
    own = deltas.product == deltas.neighbor
    own_weight, own_support = deltas.weight[own], deltas.support[own]
    columns = _Columns(
        len(deltas),
        "\n".join(names),
        position[deltas.product].astype(index).tobytes(),
        position[deltas.neighbor].astype(index).tobytes(),
        _compress_constant(deltas.code).tobytes(),
        times.astype("<f8").tobytes(),
        moment.astype(index).tobytes(),
        _compress_constant(np.where(own, 0.0, deltas.weight)).astype("<f8").tobytes(),
        _compress_constant(np.where(own, 0, deltas.support)).astype("<i4").tobytes(),
        _compress_constant(own_weight).astype("<f8").tobytes(),
        _compress_constant(own_support).astype("<i4").tobytes(),
    )
    return MAGIC + bytes((VERSION,)) + _encoder.encode(columns)


def _compress_constant(column: Array) -> Array:
    return column[:1] if len(column) and (column == column[0]).all() else column


def decode_deltas(record: bytes) -> Deltas:
    """Decode one record of `encode_deltas`.

    Raises:
        InvalidEvent: `malformed-deltas`: these are not the bytes of one whole, consistent record.
    """
    if record[:4] != MAGIC:
        raise _malformed(f"it begins with {record[:4]!r} instead of {MAGIC!r}")
    if record[4:5] != bytes((VERSION,)):
        raise _malformed(f"its version byte is {record[4:5]!r}, but this release reads version {VERSION}")
    try:
        columns = _decoder.decode(memoryview(record)[5:])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _malformed(str(error)) from error
    return _checked(columns)


def _checked(columns: _Columns) -> Deltas:
    rows = columns.rows
    if not 1 <= rows <= len(columns.product):
        raise _malformed(f"it has {rows} rows, which do not fit its columns")
    width = len(columns.product) // rows
    if width not in (2, 4):
        raise _malformed(f"its indices have {width} bytes instead of 2 or 4")
    ids = columns.ids.split("\n")
    times = _column(columns.times, "<f8", len(columns.times) // 8, "times")
    if len(set(ids)) != len(ids) or "" in ids:
        raise _malformed("an id is empty or occurs twice")
    if not ((times >= EARLIEST) & (times <= LATEST)).all():
        raise _malformed("a time is outside the years 1 to 9999")
    index = f"<u{width}"
    moment = _indices(columns.moment, index, rows, len(times), "moment")
    deltas = Deltas(
        ids,
        _indices(columns.product, index, rows, len(ids), "product"),
        _indices(columns.neighbor, index, rows, len(ids), "neighbor"),
        _expand_constant(columns.code, "u1", rows, "code").astype(np.uint8),
        times[moment].astype(np.float64),
        _expand_constant(columns.weight, "<f8", rows, "weight").astype(np.float64),
        _expand_constant(columns.support, "<i4", rows, "support").astype(np.int32),
    )
    if (deltas.code > REMOVAL).any():
        raise _malformed(f"a code is above {REMOVAL}")
    if not np.isfinite(deltas.weight).all():
        raise _malformed("a weight is not finite")
    return _with_sessions(deltas, columns)


def _with_sessions(deltas: Deltas, columns: _Columns) -> Deltas:
    """Fill in weight and support of the sessions of products."""
    own = np.flatnonzero(deltas.product == deltas.neighbor)
    if not len(own) or not columns.sessions_weight:
        return deltas
    weight, support = deltas.weight.copy(), deltas.support.copy()
    weight[own] = _expand_constant(columns.sessions_weight, "<f8", len(own), "sessions_weight")
    support[own] = _expand_constant(columns.sessions_support, "<i4", len(own), "sessions_support")
    if not np.isfinite(weight).all():
        raise _malformed("a weight of a session is not finite")
    return replace(deltas, weight=weight, support=support)


def _column(data: bytes, kind: str, rows: int, name: str) -> Array:
    if len(data) != rows * np.dtype(kind).itemsize:
        raise _malformed(f"column {name} has {len(data)} bytes, which do not match {rows} rows")
    return np.frombuffer(data, dtype=kind)


def _indices(data: bytes, kind: str, rows: int, bound: int, name: str) -> NDArray[np.uint32]:
    column = _column(data, kind, rows, name)
    if column.size and int(column.max()) >= bound:
        raise _malformed(f"column {name} points to {int(column.max())}, but its table has {bound} entries")
    return column.astype(np.uint32)


def _expand_constant(data: bytes, kind: str, rows: int, name: str) -> Array:
    if len(data) == np.dtype(kind).itemsize:
        return np.broadcast_to(np.frombuffer(data, dtype=kind), (rows,))
    return _column(data, kind, rows, name)


def _malformed(problem: str) -> InvalidEvent:
    return InvalidEvent(
        "malformed-deltas",
        f"the value is not a co-behavior record: {problem}; find out which producer wrote it",
    )
