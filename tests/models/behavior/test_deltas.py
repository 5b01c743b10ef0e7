"""Deltas are encoded without loss, and malformed records raise InvalidEvent."""

from collections import Counter

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.behavior.delta_codec import MAGIC, VERSION, decode_deltas, encode_deltas
from models.behavior.deltas import RELATIONS, REMOVAL, DeltaBuilder, Deltas
from schemas.errors import InvalidEvent
from schemas.events import Relation
from schemas.keys import partition_for

Row = tuple[str, str, int, float, float, int]

names = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=8)
rows = st.tuples(
    names,
    names,
    st.integers(0, REMOVAL),
    st.floats(0, 4e9),
    st.sampled_from([1.0, 0.25, -1.0]),
    st.integers(-2, 5),
)


def columns(listed: list[Row]) -> Deltas:
    ids = list(dict.fromkeys(name for row in listed for name in row[:2]))
    place = {name: number for number, name in enumerate(ids)}
    return Deltas(
        ids,
        np.array([place[row[0]] for row in listed], dtype=np.uint32),
        np.array([place[row[1]] for row in listed], dtype=np.uint32),
        np.array([row[2] for row in listed], dtype=np.uint8),
        np.array([row[3] for row in listed], dtype=np.float64),
        np.array([row[4] for row in listed], dtype=np.float64),
        np.array([row[5] for row in listed], dtype=np.int32),
    )


def listed(deltas: Deltas) -> list[Row]:
    return [
        (deltas.ids[product], deltas.ids[neighbor], code, time, weight, support)
        for product, neighbor, code, time, weight, support in zip(
            deltas.product.tolist(),
            deltas.neighbor.tolist(),
            deltas.code.tolist(),
            deltas.time.tolist(),
            deltas.weight.tolist(),
            deltas.support.tolist(),
            strict=True,
        )
    ]


def by_product(batch: list[Row]) -> dict[str, list[Row]]:
    """The deltas of each product in their order."""
    return {name: [row for row in batch if row[0] == name] for name in {row[0] for row in batch}}


@given(st.lists(rows, min_size=1, max_size=40))
def test_a_record_decodes_to_the_encoded_deltas(batch: list[Row]) -> None:
    (record,) = encode_deltas(columns(batch))
    assert by_product(listed(decode_deltas(record))) == by_product(batch)


@given(st.lists(rows, min_size=1, max_size=60))
def test_records_stay_below_the_limit_and_keep_the_order(batch: list[Row]) -> None:
    limit = 220
    records = encode_deltas(columns(batch), limit)
    assert all(len(record) <= limit for record in records)
    assert by_product([row for record in records for row in listed(decode_deltas(record))]) == by_product(
        batch
    )


def test_a_delta_above_the_limit_is_rejected() -> None:
    builder = DeltaBuilder()
    builder.add_pairs("a" * 200, ["b" * 200], [0.0], Relation.BOUGHT)
    with pytest.raises(ValueError, match="one delta takes"):
        encode_deltas(builder.build(), 300)


def test_no_deltas_give_no_record() -> None:
    assert encode_deltas(DeltaBuilder().build()) == []


@pytest.mark.parametrize("name", ["", "a\nb"])
def test_an_id_that_would_break_the_id_table_is_rejected(name: str) -> None:
    builder = DeltaBuilder()
    builder.add_pairs("a", [name], [0.0], Relation.BOUGHT)
    with pytest.raises(ValueError, match="product id"):
        encode_deltas(builder.build())


def test_more_products_than_two_bytes_can_index() -> None:
    builder = DeltaBuilder()
    others = [f"p{number}" for number in range(0x10001)]
    builder.add_pairs("new", others, [1.0] * len(others), Relation.VIEWED)
    (record,) = encode_deltas(builder.build(), 1 << 30)
    decoded = decode_deltas(record)
    assert {row[1] for row in listed(decoded) if row[0] == "new"} == set(others)
    assert {row[0] for row in listed(decoded) if row[1] == "new"} == set(others)


def test_a_pair_of_large_baskets_takes_about_four_bytes() -> None:
    """With weights that differ from pair to pair."""
    builder = DeltaBuilder()
    for session in range(5):
        basket = [f"{22000 + 90 * session + number}" for number in range(100)]
        for count, product in enumerate(basket):
            builder.add_pairs(
                product, basket[:count], [1.5e9 + session] * count, Relation.BOUGHT, 1 / (1 + count)
            )
    (record,) = encode_deltas(builder.build())
    assert len(record) / len(builder) < 4.2


def test_a_record_of_the_first_version_is_read() -> None:
    record = bytes.fromhex(
        "53464342019b07a5620a630a61c40e0200020000000100020001000200c40e00000100020002000200010001"
        "00c40701010101010103c4180000000000000000000000000000f03f0000000000000040c40e010002000100"
        "0200010002000000c438000000000000e03f000000000000e03f000000000000e03f000000000000e03f0000"
        "00000000000000000000000000000000000000000000c41c0100000001000000010000000100000000000000"
        "0000000000000000c408000000000000d03fc40401000000"
    )
    builder = DeltaBuilder()
    builder.add_pairs("a", ["b", "c"], [1.0, 2.0], Relation.CARTED, 0.5)
    builder.add_sessions(["a", "c"], [1.0, 2.0], Relation.CARTED, 0.25)
    builder.remove("c", ["a"])
    assert listed(decode_deltas(record)) == listed(builder.build())
    for cut in range(len(record)):
        with pytest.raises(InvalidEvent, match="malformed-deltas"):
            decode_deltas(record[:cut])


@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_invalid_event(noise: bytes) -> None:
    for record in (noise, MAGIC + noise, MAGIC + bytes((VERSION,)) + noise):
        with pytest.raises(InvalidEvent, match="malformed-deltas"):
            decode_deltas(record)


@given(
    st.lists(rows, min_size=1, max_size=5),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=3),
    st.integers(0, 10_000),
)
def test_damaged_records_raise_invalid_event_or_decode_to_valid_deltas(
    batch: list[Row], damage: list[tuple[int, int]], cut: int
) -> None:
    (record,) = encode_deltas(columns(batch))
    broken = bytearray(record)
    for place, value in damage:
        broken[place % len(broken)] = value
    for data in (bytes(broken), record[: cut % len(record)], record + b"\0"):
        try:
            deltas = decode_deltas(data)
        except InvalidEvent as error:
            assert error.reason == "malformed-deltas"
        else:
            assert len(listed(deltas)) == len(deltas) > 0
            assert np.isfinite(deltas.weight).all()
            assert encode_deltas(deltas)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("counts", b"\x01\x00", "0 rows"),
        ("counts", b"\x01\x01\x00\x00", "column counts"),
        ("counts", b"\x04\xff\xff\xff\xff", "rows"),
        ("counts", b"\x03\x01", "column counts"),
        ("ids", "a\na", "twice"),
        ("ids", "a\n", "empty"),
        ("neighbor", b"\x01\x09", "points to 9"),
        ("neighbor", b"", "column neighbor"),
        ("code", b"\x01\x04", "code"),
        ("times", np.array([np.nan]).tobytes(), "years"),
        ("times", np.array([1e300]).tobytes(), "years"),
        ("times", b"", "table has 0"),
        ("times", b"\x01", "table times"),
        ("moment", b"\x01\x01", "points to 1"),
        ("weights", np.array([np.inf]).tobytes(), "finite"),
        ("weight", b"\x01\x01", "points to 1"),
        ("support", b"\x01\x01\x01", "column support"),
    ],
)
def test_each_inconsistency_is_reported(field: str, value: object, expected: str) -> None:
    (record,) = encode_deltas(columns([("a", "b", 0, 1.0, 1.0, 1)]))
    order = ("ids", "counts", "neighbor", "code", "times", "moment", "weights", "weight", "support")
    parts = msgspec.msgpack.decode(record[5:])
    parts[order.index(field)] = value
    with pytest.raises(InvalidEvent, match=expected):
        decode_deltas(record[:5] + msgspec.msgpack.encode(parts))


def test_another_version_is_reported() -> None:
    with pytest.raises(InvalidEvent, match="reads versions 1 and 2"):
        decode_deltas(MAGIC + b"\x03")


@given(st.lists(st.lists(rows, max_size=10), min_size=1, max_size=4))
def test_concatenated_records_have_all_deltas_in_order(parts: list[list[Row]]) -> None:
    concatenated = Deltas.concatenated([columns(part) for part in parts])
    assert listed(concatenated) == [row for part in parts for row in part]
    assert len(set(concatenated.ids)) == len(concatenated.ids)


@given(st.lists(rows, max_size=40))
def test_grouping_by_product_keeps_every_delta_in_order(batch: list[Row]) -> None:
    groups = {product: listed(deltas) for product, deltas in columns(batch).by_product()}
    assert groups == by_product(batch)


@given(st.lists(rows, max_size=40), st.integers(1, 5))
def test_every_delta_goes_to_the_partition_of_its_product(batch: list[Row], partitions: int) -> None:
    split = columns(batch).by_partition(partitions, partition_for)
    found = Counter(row for deltas in split.values() for row in listed(deltas))
    assert found == Counter(batch)
    for partition, deltas in split.items():
        assert {partition_for(row[0].encode(), partitions) for row in listed(deltas)} == {partition}


def test_a_pair_is_added_in_both_directions() -> None:
    builder = DeltaBuilder()
    builder.add_pairs("a", ["b", "c"], [1.0, 2.0], Relation.CARTED)
    code = RELATIONS.index(Relation.CARTED)
    assert Counter(listed(builder.build())) == Counter(
        [
            ("a", "b", code, 1.0, 1.0, 1),
            ("a", "c", code, 2.0, 1.0, 1),
            ("b", "a", code, 1.0, 1.0, 1),
            ("c", "a", code, 2.0, 1.0, 1),
        ]
    )
