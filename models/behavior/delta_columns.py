"""Columns of numbers as bytes, and what any deltas must fulfil."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.behavior.deltas import REMOVAL, Deltas
from models.behavior.event_time import EARLIEST, LATEST
from schemas.errors import InvalidEvent

Array = NDArray[Any]


def packed(column: Array) -> bytes:
    """Encode integers: a byte with their width, then each in so many bytes; one if all are the same."""
    if len(column) and (column == column[0]).all():
        column = column[:1]
    low, high = int(column.min(initial=0)), int(column.max(initial=0))
    width = next(each for each in (1, 2, 4) if -(1 << 8 * each - 1) <= low and high < 1 << 8 * each - 1)
    return bytes((width,)) + column.astype(f"<i{width}").tobytes()


def packed_indices(column: Array) -> bytes:
    """Encode integers from 0 on, as `packed` does."""
    if len(column) and (column == column[0]).all():
        column = column[:1]
    high = int(column.max(initial=0))
    width = 1 if high < 1 << 8 else 2 if high < 1 << 16 else 4
    return bytes((width,)) + column.astype(f"<u{width}").tobytes()


def unpacked(data: bytes, sign: str, rows: int, name: str) -> Array:
    """Decode `packed` (sign `i`) or `packed_indices` (`u`).

    Raises:
        InvalidEvent: `malformed-deltas`: the column does not have so many rows.
    """
    width = data[0] if data else 0
    if width not in (1, 2, 4) or len(data) not in (1 + width, 1 + width * rows):
        raise malformed(f"column {name} has {len(data)} bytes, which do not match {rows} rows")
    column = np.frombuffer(data, f"<{sign}{width}", offset=1)
    return column if len(column) == rows else np.broadcast_to(column, (rows,))


def unpacked_indices(data: bytes, rows: int, bound: int, name: str) -> Array:
    """Decode indices below a bound, as `unpacked` does."""
    column = unpacked(data, "u", rows, name)
    if column.size and int(column.max()) >= bound:
        raise malformed(f"column {name} points to {int(column.max())}, but its table has {bound} entries")
    return column


def floats(data: bytes, name: str) -> Array:
    """Decode a table of numbers. Raises as `unpacked` does."""
    if len(data) % 8:
        raise malformed(f"the table {name} has {len(data)} bytes, but a number has 8")
    return np.frombuffer(data, dtype="<f8")


def checked(deltas: Deltas) -> Deltas:
    """Return deltas if their values are possible.

    Raises:
        InvalidEvent: `malformed-deltas`: they are not.
    """
    if len(set(deltas.ids)) != len(deltas.ids) or "" in deltas.ids:
        raise malformed("an id is empty or occurs twice")
    if not ((deltas.time >= EARLIEST) & (deltas.time <= LATEST)).all():
        raise malformed("a time is outside the years 1 to 9999")
    if (deltas.code > REMOVAL).any():
        raise malformed(f"a code is above {REMOVAL}")
    if not np.isfinite(deltas.weight).all():
        raise malformed("a weight is not finite")
    return deltas


def malformed(problem: str) -> InvalidEvent:
    """Return the error of a record that is not one whole, consistent record of deltas."""
    return InvalidEvent(
        "malformed-deltas",
        f"the value is not a co-behavior record: {problem}; find out which producer wrote it",
    )
