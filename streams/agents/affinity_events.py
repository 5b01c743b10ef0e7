"""The event of a product's row, as it is published: within the shop, and with the shop's own ids."""

from collections.abc import Callable

import msgspec
import orjson

from schemas.codec import encode
from schemas.events import AffinityUpdated
from schemas.product_identity import ProductIdentity
from streams.agents.product_view import ProductView


def may_relate_to(
    product: str, product_view: ProductView, identity: ProductIdentity
) -> Callable[[str], bool]:
    """Return whether a product may be related to another: not if they are known to be of two shops."""
    shop_of = product_view.shop_of
    shop = shop_of(product) if identity.separate else None
    if shop is None:
        return lambda _: True
    return lambda other: shop_of(other) in (shop, None)


def as_published(update: AffinityUpdated, identity: ProductIdentity) -> AffinityUpdated:
    """Return an event with the ids that the shop gave its products."""
    if not identity.own_ids:
        return update
    related = [
        msgspec.structs.replace(each, product_id=identity.product_id(each.product_id))
        for each in update.related
    ]
    recommended = [
        msgspec.structs.replace(each, product_id=identity.product_id(each.product_id))
        for each in update.recommended
    ]
    key = update.product_id
    return msgspec.structs.replace(
        update,
        product_id=identity.product_id(key),
        shop_id=identity.shop_id(key),
        related=related,
        recommended=recommended,
    )


def titled_affinity(
    event: AffinityUpdated, title_of: Callable[[str], str | None], identity: ProductIdentity
) -> bytes:
    """Return a published event as JSON, with a title of the product and of each that it names.

    Args:
        event: The event.
        title_of: Returns the title of a product by its key, or None if it is not listed.
        identity: What makes two products the same.
    """
    fields = orjson.loads(encode(event))
    fields["title"] = title_of(identity.key(event.shop_id, event.product_id))
    for each in [*fields["related"], *fields.get("recommended", ())]:
        each["title"] = title_of(identity.key(event.shop_id, each["product_id"]))
    return orjson.dumps(fields)
