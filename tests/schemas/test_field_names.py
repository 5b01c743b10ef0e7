"""Likely typos of field names are found, and other unknown fields are not."""

import json
from typing import Any

import pytest

from schemas.codec import decode_listing
from schemas.errors import InvalidEvent
from schemas.events import ProductCreated, UserBehavior
from schemas.field_names import misspelled_fields


def _found(**fields: Any) -> list[tuple[str, str]]:
    found = misspelled_fields(ProductCreated, json.dumps(fields).encode())
    return [(each.written, each.meant) for each in found]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("descripton", "description"),
        ("imageUrl", "image_url"),
        ("Brand", "brand"),
        ("product-id", "product_id"),
    ],
)
def test_a_typo_or_another_spelling_is_found(written: str, meant: str) -> None:
    assert _found(**{written: 1}) == [(written, meant)]


def test_other_unknown_fields_and_fields_beside_the_right_one_are_no_typos() -> None:
    assert _found(weight=1, vendor="x", description="a", descripton="b") == []
    assert misspelled_fields(UserBehavior, b'{"sessionId": "s"}')[0].meant == "session_id"


@pytest.mark.parametrize("value", [None, b"", b"[]", b"{", b'{"\xff": 1}'])
def test_a_value_that_is_no_object_has_no_typos(value: bytes | None) -> None:
    assert misspelled_fields(ProductCreated, value) == []


def test_a_rejection_names_the_field_that_may_be_meant() -> None:
    with pytest.raises(InvalidEvent, match="the unknown field titles may mean title"):
        decode_listing(b'{"product_id": "p", "titles": "t"}')
