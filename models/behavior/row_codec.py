"""Encodes affinity rows: a version byte and MessagePack.

Version 2 has one landmark and one column of weights for each relation. Version 1 had a time for each
neighbor.
"""

from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.behavior.id_pool import current_pool
from models.behavior.neighbors import NO_LANDMARK, NeighborTable, empty_table
from schemas.errors import StopWorker

ROW_VERSION = 2

_SUPPORT_KINDS = ("<u1", "<u2", "<u4")
_FEWEST_PLACES = 16
"""The number of neighbors from which on equal weights are written once."""


class Published(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The last published list.

    Attributes:
        as_of: The time of its scores, in seconds since 1970.
        digest: Of the order of its products.
        scores: The scores, and the numbers of sessions, in 16 bits each: `short_floats`.
    """

    as_of: float = 0.0
    digest: bytes = b""
    scores: bytes = b""


class DecodedRow(NamedTuple):
    """What a row contains."""

    as_of: float
    published: Published
    tables: tuple[NeighborTable, ...]
    is_current: bool


class _Table(msgspec.Struct, frozen=True, array_like=True, gc=False):
    ids: str
    weight: bytes
    support: bytes
    half_life_s: float
    landmark: int
    error: float
    own_weight: float
    own_support: int
    places: bytes = b""


class _Row(msgspec.Struct, frozen=True, array_like=True, gc=False):
    as_of: float
    published: Published
    tables: tuple[_Table | None, _Table | None, _Table | None]


class _TableOf1(msgspec.Struct, frozen=True, array_like=True, gc=False):
    ids: list[str]
    weight: bytes
    time: bytes
    support: bytes


class _RowOf1(msgspec.Struct, frozen=True, array_like=True, gc=False):
    as_of: float
    published: Published
    tables: tuple[_TableOf1, _TableOf1, _TableOf1]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Row)
_decoder_of_1 = msgspec.msgpack.Decoder(_RowOf1)


def encode_row(as_of: float, published: Published, tables: tuple[NeighborTable, ...]) -> bytes:
    """Encode a row."""
    viewed, carted, bought = map(_encoded_table, tables)
    return bytes((ROW_VERSION,)) + _encoder.encode(_Row(as_of, published, (viewed, carted, bought)))


def decode_row(data: bytes, half_life_s: float) -> DecodedRow:
    """Decode a row of this version, or of the one before.

    Args:
        data: The row.
        half_life_s: The half-life in seconds, which takes the weights of a row of version 1 to one time.

    Raises:
        StopWorker: The row is of another version, or damaged.
    """
    version = data[:1]
    if version not in (b"\x01", bytes((ROW_VERSION,))):
        raise StopWorker(
            f"an affinity row has version byte {version!r}, but this release reads versions 1 and"
            f" {ROW_VERSION}; run the release that wrote it, or rebuild the state from co-behavior"
        )
    try:
        if version == b"\x01":
            return _decoded_of_1(data, half_life_s)
        row = _decoder.decode(memoryview(data)[1:])
        tables = tuple(empty_table(half_life_s) if each is None else _table(each) for each in row.tables)
    except (msgspec.MsgspecError, ValueError) as error:
        raise StopWorker(
            f"an affinity row is damaged: {error}; rebuild the state from co-behavior"
        ) from error
    return DecodedRow(row.as_of, row.published, tables, is_current=True)


def short_floats(scores: NDArray[np.float64]) -> bytes:
    """Encode numbers in 16 bits each, the upper half of a float32: 0.4% is their largest error."""
    bits = scores.astype("<f4").view("<u4") + np.uint32(0x8000)
    return (bits >> np.uint32(16)).astype("<u2").tobytes()


def from_short_floats(data: bytes) -> NDArray[np.float64]:
    """Decode `short_floats`."""
    bits = np.frombuffer(data, dtype="<u2").astype("<u4") << np.uint32(16)
    return bits.view("<f4").astype(np.float64)


def _encoded_table(table: NeighborTable) -> _Table | None:
    if table.landmark == NO_LANDMARK:
        return None
    largest = int(table.support.max(initial=0))
    kind = _SUPPORT_KINDS[(largest > 0xFF) + (largest > 0xFFFF)]
    weight, places = _encoded_weights(table.weight)
    return _Table(
        "\n".join(table.names()),
        weight,
        table.support.astype(kind).tobytes(),
        table.half_life_s,
        table.landmark,
        table.error,
        table.own_weight,
        table.own_support,
        places,
    )


def _encoded_weights(weight: NDArray[np.float64]) -> tuple[bytes, bytes]:
    """Return weights and nothing, or the distinct ones and the place of each among them if that is less.

    Neighbors from one session often have the same weight.
    """
    if len(weight) >= _FEWEST_PLACES:
        # By their bits, so that a zero keeps its sign.
        bits, places = np.unique(weight.view(np.int64), return_inverse=True)
        if len(bits) <= 0x100 and 8 * len(bits) + len(weight) < 8 * len(weight):
            return bits.astype("<i8", copy=False).tobytes(), places.astype("<u1").tobytes()
    return weight.astype("<f8", copy=False).tobytes(), b""


def _table(state: _Table) -> NeighborTable:
    names = state.ids.split("\n") if state.ids else []
    weight = np.frombuffer(state.weight, dtype="<f8")
    if state.places:
        places = np.frombuffer(state.places, dtype="<u1")
        if int(places.max()) >= len(weight):
            raise ValueError(f"a weight is at {int(places.max())}, but there are {len(weight)}")
        weight = weight[places]
    width = len(state.support) // len(names) if names else 1
    if width not in (1, 2, 4) or len(weight) != len(names) or len(state.support) != width * len(names):
        raise ValueError("the columns differ in length")
    if state.half_life_s <= 0:
        raise ValueError(f"the half-life is {state.half_life_s}")
    support = np.frombuffer(state.support, dtype=f"<u{width}").astype(np.int64)
    return _sorted(
        names,
        weight,
        support,
        state.half_life_s,
        state.landmark,
        (state.error, state.own_weight, state.own_support),
    )


def _sorted(
    names: list[str],
    weight: NDArray[np.float64],
    support: NDArray[np.int64],
    half_life_s: float,
    landmark: int,
    rest: tuple[float, float, int] = (0.0, 0.0, 0),
) -> NeighborTable:
    pool = current_pool()
    ids = pool.numbers(names, len(names))
    order = np.argsort(ids)
    ids = ids[order]
    if (ids[1:] == ids[:-1]).any():
        raise ValueError("a neighbor occurs twice")
    return NeighborTable(pool, ids, weight[order], support[order], half_life_s, landmark, *rest)


def _decoded_of_1(data: bytes, half_life_s: float) -> DecodedRow:
    row = _decoder_of_1.decode(memoryview(data)[1:])
    scores = np.frombuffer(row.published.scores, dtype="<f4").astype(np.float64)
    published = Published(row.published.as_of, row.published.digest, short_floats(scores))
    tables = tuple(_table_of_1(each, half_life_s) for each in row.tables)
    return DecodedRow(row.as_of, published, tables, is_current=False)


def _table_of_1(state: _TableOf1, half_life_s: float) -> NeighborTable:
    weight = np.frombuffer(state.weight, dtype="<f8")
    time = np.frombuffer(state.time, dtype="<f8")
    support = np.frombuffer(state.support, dtype="<u4").astype(np.int64)
    if not len(state.ids) == len(weight) == len(time) == len(support):
        raise ValueError("the columns differ in length")
    if not len(state.ids):
        return empty_table(half_life_s)
    landmark = int(np.floor(time.max() / half_life_s))
    weight = weight * np.exp2(time / half_life_s - landmark)
    return _sorted(state.ids, weight, support, half_life_s, landmark)
