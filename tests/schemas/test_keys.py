"""Keys map to the partitions that Kafka's clients choose."""

import tracemalloc

import aiokafka.partitioner
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import decode_user_behavior
from schemas.keys import murmur2, partition_for, product_key, user_key

# From the unit tests of Kafka's Java client (signed there).
JAVA_VECTORS = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize(("data", "signed"), JAVA_VECTORS.items())
def test_murmur2_gives_the_hashes_of_kafkas_java_client(data: bytes, signed: int) -> None:
    assert murmur2(data) == signed & 0xFFFFFFFF


@given(st.binary(max_size=600))
def test_murmur2_agrees_with_aiokafka_on_any_bytes(data: bytes) -> None:
    assert murmur2(data) == aiokafka.partitioner.murmur2(data) & 0xFFFFFFFF


@given(st.binary(max_size=64), st.integers(1, 500))
def test_partitions_agree_with_aiokafkas_default_partitioner(key: bytes, partitions: int) -> None:
    everywhere = list(range(partitions))
    expected = aiokafka.partitioner.DefaultPartitioner()(key, everywhere, everywhere)
    assert partition_for(key, partitions) == expected


def test_a_key_too_long_for_an_identifier_is_not_cached() -> None:
    """Producers may write many different keys of a megabyte each."""
    tracemalloc.start()
    try:
        for number in range(200):
            partition_for(b"%06d" % number + bytes(10_000), 4)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 100 * 10_000


def test_a_topic_without_partitions_is_rejected() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        partition_for(b"key", 0)


def test_product_keys_are_utf_8() -> None:
    assert product_key("茶壶-1") == "茶壶-1".encode()


@pytest.mark.parametrize(
    ("shopper", "key"),
    [
        ('"user_id": "u", "session_id": "s"', b"u"),
        ('"user_id": null, "session_id": "s"', b"s"),
        ('"user_id": "购物者"', "购物者".encode()),
    ],
)
def test_behavior_is_keyed_by_the_user_id_and_for_guests_by_the_session_id(shopper: str, key: bytes) -> None:
    value = '{"occurred_at": "2024-05-01T00:00:00Z", "product_id": "p", "action": "view", ' + shopper + "}"
    assert user_key(decode_user_behavior(value.encode())) == key
