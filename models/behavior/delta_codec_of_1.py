"""Reads records of deltas as the release before wrote them: columns of fixed width.

A record holds the number of rows, the ids joined by line feeds, and one little-endian column after another.
Times are indices into a table of distinct times. A column with a single value means that all rows have this
value. Sessions of a product, whose neighbor is the product itself, have two columns of their own at the end.
"""

from dataclasses import replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.behavior.delta_columns import Array, checked, malformed
from models.behavior.deltas import Deltas


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


_decoder = msgspec.msgpack.Decoder(_Columns)


def decode_deltas_of_1(data: memoryview) -> Deltas:
    """Decode the columns of version 1. Raises `InvalidEvent`, or an error of msgspec."""
    return _checked(_decoder.decode(data))


def _checked(columns: _Columns) -> Deltas:
    rows = columns.rows
    if not 1 <= rows <= len(columns.product):
        raise malformed(f"it has {rows} rows, which do not fit its columns")
    width = len(columns.product) // rows
    if width not in (2, 4):
        raise malformed(f"its indices have {width} bytes instead of 2 or 4")
    ids = columns.ids.split("\n")
    times = _column(columns.times, "<f8", len(columns.times) // 8, "times")
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
    return _with_sessions(checked(deltas), columns)


def _with_sessions(deltas: Deltas, columns: _Columns) -> Deltas:
    """Fill in weight and support of the sessions of products."""
    own = np.flatnonzero(deltas.product == deltas.neighbor)
    if not len(own) or not columns.sessions_weight:
        return deltas
    weight, support = deltas.weight.copy(), deltas.support.copy()
    weight[own] = _expand_constant(columns.sessions_weight, "<f8", len(own), "sessions_weight")
    support[own] = _expand_constant(columns.sessions_support, "<i4", len(own), "sessions_support")
    if not np.isfinite(weight).all():
        raise malformed("a weight of a session is not finite")
    return replace(deltas, weight=weight, support=support)


def _column(data: bytes, kind: str, rows: int, name: str) -> Array:
    if len(data) != rows * np.dtype(kind).itemsize:
        raise malformed(f"column {name} has {len(data)} bytes, which do not match {rows} rows")
    return np.frombuffer(data, dtype=kind)


def _indices(data: bytes, kind: str, rows: int, bound: int, name: str) -> NDArray[np.uint32]:
    column = _column(data, kind, rows, name)
    if column.size and int(column.max()) >= bound:
        raise malformed(f"column {name} points to {int(column.max())}, but its table has {bound} entries")
    return column.astype(np.uint32)


def _expand_constant(data: bytes, kind: str, rows: int, name: str) -> Array:
    if len(data) == np.dtype(kind).itemsize:
        return np.broadcast_to(np.frombuffer(data, dtype=kind), (rows,))
    return _column(data, kind, rows, name)
