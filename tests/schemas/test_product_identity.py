"""Qualified ids are unambiguous, and each value of the setting makes its own products the same."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import InvalidEvent
from schemas.events import Action, UserBehavior
from schemas.product_identity import SHOPS, ProductIdentity, qualified_id, split_id

SHOP_IDS = st.text(st.characters(codec="utf-8"), max_size=8) | st.text("%/2F0a", max_size=8)
PRODUCT_IDS = st.text(
    st.characters(codec="utf-8", exclude_characters="\x7f", min_codepoint=32), min_size=1, max_size=8
)


@given(SHOP_IDS, PRODUCT_IDS)
def test_a_qualified_id_has_the_shop_and_the_product(shop: str, product: str) -> None:
    assert split_id(qualified_id(shop, product)) == (shop, product)


@given(st.tuples(SHOP_IDS, PRODUCT_IDS), st.tuples(SHOP_IDS, PRODUCT_IDS))
def test_two_products_have_two_qualified_ids(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert (qualified_id(*one) == qualified_id(*other)) == (one == other)


@pytest.mark.parametrize(
    ("shop", "product", "qualified"),
    [
        ("a", "1", "a/1"),
        ("a/b", "1", "a%2Fb/1"),
        ("50%", "1/2", "50%25/1/2"),
        (None, "1", "/1"),
        ("a\n", "1", "a%0A/1"),
        ("茶", "壶", "茶/壶"),
    ],
)
def test_the_shop_is_percent_encoded(shop: str | None, product: str, qualified: str) -> None:
    assert qualified_id(shop, product) == qualified


@pytest.mark.parametrize("key", ["22059", "a/", ""])
def test_a_key_without_a_shop_or_a_product_is_refused(key: str) -> None:
    with pytest.raises(InvalidEvent, match="SHELFSTREAM_SHOPS is own-ids"):
        split_id(key)


def test_each_setting_has_its_keys_and_its_events() -> None:
    event = UserBehavior(
        occurred_at=datetime(2026, 1, 1, tzinfo=UTC), product_id="1", action=Action.VIEW, shop_id="a"
    )
    found = {}
    for shops in SHOPS:
        identity = ProductIdentity(shops)
        changed = identity.behavior(event)
        key = identity.key("a", "1")
        found[shops] = (
            key,
            identity.product_id(key),
            identity.shop_id(key),
            changed.product_id,
            changed.shop_id,
        )
    assert found == {
        "separate": ("1", "1", None, "1", "a"),
        "own-ids": ("a/1", "1", "a", "a/1", "a"),
        "joined": ("1", "1", None, "1", None),
    }
