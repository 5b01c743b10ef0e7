"""Which dead letters hold events of a shopper."""

import pytest

from streams.records import MemoryRecord
from streams.replay.dead_letter_records import parse_dead_letter
from streams.replay.erasure import holds_shopper
from tests.support.dead_letters import dead_lettered


@pytest.mark.parametrize(
    ("key", "value", "holds"),
    [
        (b"17", None, True),
        (b"17850", b"{}", False),
        (None, b'{"user_id": "17"}', True),
        (None, b'{"session_id": "17"}', True),
        (None, b'{"user_id": 17}', True),
        (None, b'{"userId": {"id": ["17"]}}', True),
        (None, b'{"user_id": "17850", "quantity": 170}', False),
        (None, b'{"user_id": "18", "product_id": "17"}', False),
        (None, rb'{"user_id": "\u0031\u0037"}', True),
        (None, b'{"user_id": "17"', True),
        (None, b'{"user_id": "17850"', False),
        (None, b'{"user_id": "a-17"', False),
        (None, b"\xff user 17 \xff", True),
        (b"\xff", b"\xff", False),
        (None, b"\x00\x00\x00\x00\x01\x0417", True),
        (None, b"\x00\x00\x00\x00\x01x\x0217", True),
        (None, b"\x00\x00\x00\x00\x01\x0817850", False),
    ],
)
def test_a_dead_letter_holds_a_shopper_by_key_or_by_a_whole_text(
    key: bytes | None, value: bytes | None, holds: bool
) -> None:
    letter = parse_dead_letter(dead_lettered(MemoryRecord("user-behavior", 0, 7, 0, key, value)))
    assert holds_shopper(letter, {"17"}) is holds


def test_listings_are_not_of_a_shopper() -> None:
    letter = parse_dead_letter(dead_lettered(MemoryRecord("product-created", 0, 7, 0, b"17", b"{}")))
    assert not holds_shopper(letter, {"17"})


@pytest.mark.parametrize("factor", [1, 2])
def test_a_long_id_is_found_in_avro_and_protobuf(factor: int) -> None:
    """Its length is a letter, so that the id is no word of its own."""
    shopper = "5f0c6c4e-9a0b-4a53-8f1f-0f2b7a5d0c11"
    value = b"\x00\x00\x00\x00\x01" + bytes((factor * len(shopper),)) + shopper.encode()
    letter = parse_dead_letter(dead_lettered(MemoryRecord("user-behavior", 0, 7, 0, None, value)))
    assert holds_shopper(letter, {shopper})
    assert not holds_shopper(letter, {shopper[:-1]})
