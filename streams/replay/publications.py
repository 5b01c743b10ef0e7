"""What a deployment publishes about one product or one shopper, with the titles of the products in it."""

from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeVar

import msgspec

from schemas.codec import decode_affinity_updated, decode_shopper_updated
from schemas.errors import InvalidEvent, StopWorker
from schemas.events import AffinityUpdated, ShopperUpdated
from schemas.product_identity import ProductIdentity
from schemas.pseudonyms import Pseudonyms
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
    named = [each.product_id for each in event.related] + [each.product_id for each in event.recommended]
    keys = [identity.key(event.shop_id, each) for each in named]
    return WithTitles(event, titles_of(values, [product, *keys]))


def published_shopper(
    values: LatestValues, shopper: str, pseudonyms: Pseudonyms | None = None
) -> ShopperUpdated:
    """Return the last shopper-updated of a shopper.

    Args:
        values: The deployment's topics.
        shopper: The shopper's id, or pseudonym.
        pseudonyms: Gives the names under which shoppers are published. None if ids stay as they are.

    Raises:
        StopWorker: The shopper is unknown or forgotten: says which.
        RetryLater: The broker is unreachable.
    """
    keys = [name.encode() for name in ((shopper,) if pseudonyms is None else pseudonyms.names(shopper))]
    found = values.find(SHOPPER_UPDATED, keys)
    # A former name has a null value once the shopper has the new one.
    record = min(
        found.values(), key=lambda each: (each.value is None, keys.index(each.key or b"")), default=None
    )
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
