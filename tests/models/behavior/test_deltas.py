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


@given(st.lists(rows, min_size=1, max_size=40))
def test_a_record_decodes_to_the_encoded_deltas(batch: list[Row]) -> None:
    (record,) = encode_deltas(columns(batch))
    assert listed(decode_deltas(record)) == batch


@given(st.lists(rows, min_size=1, max_size=60))
def test_records_stay_below_the_limit_and_keep_the_order(batch: list[Row]) -> None:
    limit = 220
    records = encode_deltas(columns(batch), limit)
    assert all(len(record) <= limit for record in records)
    assert [row for record in records for row in listed(decode_deltas(record))] == batch


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
    assert decoded.ids[int(decoded.neighbor[0x10000])] == others[0x10000]
    assert decoded.ids[int(decoded.product[-1])] == others[-1]


def test_a_pair_of_a_large_basket_takes_about_seven_bytes() -> None:
    builder = DeltaBuilder()
    basket = [f"{22000 + number}" for number in range(100)]
    for count, product in enumerate(basket):
        builder.add_pairs(product, basket[:count], [1.5e9] * count, Relation.BOUGHT)
    (record,) = encode_deltas(builder.build())
    assert len(record) / len(builder) < 6.5


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
        ("rows", 0, "rows"),
        ("rows", -1, "rows"),
        ("ids", "a\na", "twice"),
        ("ids", "a\n", "empty"),
        ("product", b"\x09\x00", "points to 9"),
        ("neighbor", b"\x00", "column neighbor"),
        ("code", b"\x04", "code"),
        ("times", np.array([np.nan]).tobytes(), "years"),
        ("times", np.array([1e300]).tobytes(), "years"),
        ("times", b"", "table has 0"),
        ("moment", b"\x01\x00", "points to 1"),
        ("weight", np.array([np.inf]).tobytes(), "finite"),
        ("support", b"\x01", "column support"),
    ],
)
def test_each_inconsistency_is_reported(field: str, value: object, expected: str) -> None:
    (record,) = encode_deltas(columns([("a", "b", 0, 1.0, 1.0, 1)]))
    order = ("rows", "ids", "product", "neighbor", "code", "times", "moment", "weight", "support")
    parts = msgspec.msgpack.decode(record[5:])
    parts[order.index(field)] = value
    with pytest.raises(InvalidEvent, match=expected):
        decode_deltas(record[:5] + msgspec.msgpack.encode(parts))


def test_another_version_is_reported() -> None:
    with pytest.raises(InvalidEvent, match="reads version 1"):
        decode_deltas(MAGIC + b"\x02")


@given(st.lists(st.lists(rows, max_size=10), min_size=1, max_size=4))
def test_concatenated_records_have_all_deltas_in_order(parts: list[list[Row]]) -> None:
    concatenated = Deltas.concatenated([columns(part) for part in parts])
    assert listed(concatenated) == [row for part in parts for row in part]
    assert len(set(concatenated.ids)) == len(concatenated.ids)


@given(st.lists(rows, max_size=40))
def test_grouping_by_product_keeps_every_delta_in_order(batch: list[Row]) -> None:
    groups = {product: listed(deltas) for product, deltas in columns(batch).by_product()}
    assert groups == {name: [row for row in batch if row[0] == name] for name in {row[0] for row in batch}}


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
