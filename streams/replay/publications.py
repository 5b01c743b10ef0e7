"""What a deployment publishes about one product or one shopper, with the titles of the products in it."""

from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeVar

import msgspec
import orjson

from schemas.codec import decode_affinity_updated, decode_shopper_updated, encode
from schemas.errors import InvalidEvent, StopWorker
from schemas.events import AffinityUpdated, ShopperUpdated
from schemas.product_identity import ProductIdentity
from streams.records import MemoryRecord
from streams.replay.latest_values import LatestValues
from streams.topics import AFFINITY_UPDATED, PRODUCT_ENRICHED, SHOPPER_UPDATED


class _Listing(msgspec.Struct):
    """The field of product-enriched that is shown."""

    title: str = ""


E = TypeVar("E")

_LISTINGS = msgspec.json.Decoder(_Listing)


class WithTitles(NamedTuple):
    """The related products of a product, and the titles of all of them.

    Attributes:
        event: The event.
        titles: Titles by the product's key. Withdrawn and unknown products have none.
    """

    event: AffinityUpdated
    titles: dict[str, str]


def related_products(values: LatestValues, product: str, identity: ProductIdentity) -> WithTitles:
    """Return the last affinity-updated of a product.

    Args:
        values: The deployment's topics.
        product: The product's key: its id, or `shop/id` where each shop has ids of its own.
        identity: What makes two products the same.

    Raises:
        StopWorker: The product is unknown, withdrawn, or has no related products yet: says which.
        RetryLater: The broker is unreachable.
    """
    key = product.encode()
    record = values.find(AFFINITY_UPDATED, [key]).get(key)
    if record is None:
        raise StopWorker(_why_not_published(values, product, identity))
    if record.value is None:
        raise StopWorker(f"{product} is withdrawn: {AFFINITY_UPDATED} has a null value for it")
    event = _decoded(decode_affinity_updated, record)
    names = [product, *(identity.key(event.shop_id, each.product_id) for each in event.related)]
    return WithTitles(event, titles_of(values, names))


def titled_affinity(
    event: AffinityUpdated, title_of: Callable[[str], str | None], identity: ProductIdentity
) -> bytes:
    """Return an affinity-updated as JSON, with a title of the product and of each related one.

    Args:
        event: The event.
        title_of: Returns the title of a product by its key, or None if it is not listed.
        identity: What makes two products the same.
    """
    fields = orjson.loads(encode(event))
    fields["title"] = title_of(identity.key(event.shop_id, event.product_id))
    for each in fields["related"]:
        each["title"] = title_of(identity.key(event.shop_id, each["product_id"]))
    return orjson.dumps(fields)


def published_shopper(values: LatestValues, shopper: str) -> ShopperUpdated:
    """Return the last shopper-updated of a shopper.

    Raises:
        StopWorker: The shopper is unknown or forgotten: says which.
        RetryLater: The broker is unreachable.
    """
    key = shopper.encode()
    record = values.find(SHOPPER_UPDATED, [key]).get(key)
    if record is None:
        raise StopWorker(
            f"{SHOPPER_UPDATED} has no shopper {shopper}: name a user_id, or for a guest the anonymous_id, "
            "else the session_id"
        )
    if record.value is None:
        raise StopWorker(
            f"the shopper {shopper} has no state any more: the guest became a user, was forgotten, or the "
            "retention has ended"
        )
    return _decoded(decode_shopper_updated, record)


def titles_of(values: LatestValues, products: Iterable[str]) -> dict[str, str]:
    """Return the title of each product that is listed, by its key."""
    found = values.find(PRODUCT_ENRICHED, {product.encode() for product in products})
    titles = {}
    for key, record in found.items():
        if record.value is not None:
            try:
                titles[key.decode()] = _LISTINGS.decode(record.value).title
            except msgspec.MsgspecError:
                continue
    return titles


def _why_not_published(values: LatestValues, product: str, identity: ProductIdentity) -> str:
    key = product.encode()
    listing = values.find(PRODUCT_ENRICHED, [key]).get(key)
    if listing is None:
        form = ": write it as SHOP/ID" if identity.own_ids and "/" not in product else ""
        return f"there is no product {product} in {PRODUCT_ENRICHED} or {AFFINITY_UPDATED}{form}"
    if listing.value is None:
        return f"{product} is withdrawn: {PRODUCT_ENRICHED} has a null value for it"
    return (
        f"{product} is listed, but the agent affinity has published nothing of it yet: "
        "is a worker with this agent running? See `shelfstream doctor`"
    )


def _decoded(decode: Callable[[bytes | None], E], record: MemoryRecord) -> E:
    try:
        return decode(record.value)
    except InvalidEvent as error:
        raise StopWorker(
            f"the record at offset {record.offset} of {record.topic} partition {record.partition} is not an "
            f"event of this release: {error}"
        ) from error
