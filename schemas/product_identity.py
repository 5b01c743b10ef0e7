"""What makes two products the same where a deployment serves several shops: the setting `shops`.

- `separate`: A product is its id, which is unique over all shops. Similar texts and affinities stay within a
  shop.
- `own-ids`: A product is its shop and its id there. Its key, in topics and in state, is the qualified id: the
  shop and the product's id with `/` between them. In the shop `%`, `/` and control characters are
  percent-encoded.
- `joined`: A product is its id, and shops do not count.

What has no `shop_id` is of one shop of its own, with an empty name.
"""

import re
from typing import Literal, get_args
from urllib.parse import unquote

import msgspec

from schemas.behavior import UserBehavior
from schemas.errors import InvalidEvent

Shops = Literal["separate", "own-ids", "joined"]
SHOPS: tuple[Shops, ...] = get_args(Shops)

_ENCODED = re.compile(r"[%/\x00-\x1f\x7f]")


def qualified_id(shop_id: str | None, product_id: str) -> str:
    """Return the id of a product among the products of all shops, such as `shop/22059`."""
    shop = _ENCODED.sub(lambda match: f"%{ord(match[0]):02X}", shop_id or "")
    return f"{shop}/{product_id}"


def split_id(qualified: str) -> tuple[str, str]:
    """Return the shop, or an empty name, and the product's id there: the inverse of `qualified_id`.

    Raises:
        InvalidEvent: `invalid-key`: There is no `/`.
    """
    shop, slash, product_id = qualified.partition("/")
    if not slash or not product_id:
        raise InvalidEvent(
            "invalid-key",
            "the key must be `shop/product_id`, or `/product_id` for a product without a shop, because "
            "SHELFSTREAM_SHOPS is own-ids; key the record so, or send a `withdrawn` event with the shop_id",
        )
    return unquote(shop), product_id


class ProductIdentity:
    """The identity of products.

    Args:
        shops: The setting.
    """

    def __init__(self, shops: Shops = "separate") -> None:
        self.own_ids = shops == "own-ids"
        self.separate = shops == "separate"
        self.joined = shops == "joined"

    def key(self, shop_id: str | None, product_id: str) -> str:
        """Return the key of a product in topics and in state."""
        return qualified_id(shop_id, product_id) if self.own_ids else product_id

    def product_id(self, key: str) -> str:
        """Return the id of a product as its shop gave it.

        Raises:
            InvalidEvent: `invalid-key`: The key is not one that `key` returns.
        """
        return split_id(key)[1] if self.own_ids else key

    def shop_id(self, key: str) -> str | None:
        """Return the shop that a key names; None if it names none.

        Raises:
            InvalidEvent: `invalid-key`: The key is not one that `key` returns.
        """
        return (split_id(key)[0] or None) if self.own_ids else None

    def behavior(self, event: UserBehavior) -> UserBehavior:
        """Return an event with the product's key as its product, and without a shop if shops do not count."""
        if self.joined:
            return event if event.shop_id is None else msgspec.structs.replace(event, shop_id=None)
        if self.own_ids and event.product_id is not None:
            key = qualified_id(event.shop_id, event.product_id)
            return msgspec.structs.replace(event, product_id=key)
        return event
