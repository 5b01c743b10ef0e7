"""The event of a catalog system: a listing, as it is written to product-created."""

from enum import StrEnum
from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from schemas.event import Event
from schemas.fields import Currency, Identifier, Timestamp


class Price(Struct, frozen=True, kw_only=True, gc=False):
    """The price of a listing, or of a sale. `currency` is an ISO 4217 code, or null if it is not known."""

    amount: Annotated[float, Meta(ge=0.0, description="the amount, in units of the currency")]
    currency: Annotated[Currency | None, Meta(description="ISO 4217 code, or null if it is not known")] = None


class Availability(StrEnum):
    """Whether a product can be bought, in the words of Google Merchant Center."""

    IN_STOCK = "in_stock"
    OUT_OF_STOCK = "out_of_stock"
    PREORDER = "preorder"
    BACKORDER = "backorder"
    DISCONTINUED = "discontinued"


class IgnoredField(Struct, frozen=True, kw_only=True, gc=False):
    """An optional field of the input that was left out, because its value breaks the contract."""

    field: Annotated[str, Meta(description="JSON path of the field, such as `$.price`")]
    problem: Annotated[str, Meta(description="what is wrong, and what to write instead")]


class Change(StrEnum):
    """The kind of a listing's change."""

    CREATED = "created"
    CHANGED = "changed"
    WITHDRAWN = "withdrawn"


class ProductCreated(Event, frozen=True, kw_only=True):
    """A listing was created, changed or withdrawn. A null Kafka value (a tombstone) also withdraws it.

    `title` may be empty. Only a withdrawal may omit it.
    """

    topic: ClassVar[str] = "product-created"
    product_id: Annotated[Identifier, Meta(description="the product; the record's key, in UTF-8")]
    title: Annotated[
        str, Meta(description="name of the product; may be empty, and only a withdrawal may omit it")
    ] = ""
    event_id: Annotated[Identifier | None, Meta(description="id of the event")] = None
    occurred_at: Annotated[Timestamp | None, Meta(description="when the shop changed the listing")] = None
    change: Annotated[Change, Meta(description="what happened to the listing")] = Change.CREATED
    description: Annotated[str, Meta(description="text about the product; markup is taken out")] = ""
    brand: Annotated[str | None, Meta(description="brand or maker")] = None
    price: Annotated[Price | None, Meta(description="the regular price")] = None
    language: Annotated[str | None, Meta(description="language of title and description (BCP 47)")] = None
    shop_id: Annotated[str | None, Meta(description="the shop, where several shops share a deployment")] = (
        None
    )
    image_url: Annotated[str | None, Meta(description="address of the main picture")] = None
    attributes: Annotated[
        dict[str, str],
        Meta(description="what the product is like, such as colour, size or material, by name"),
    ] = {}
    category: Annotated[
        str | int | None,
        Meta(
            description="the category that the shop knows: an id or a full path (`A > B`) of the served "
            "taxonomy, or else the shop's own path"
        ),
    ] = None
    shop_category: Annotated[
        str | None, Meta(description="the shop's own category, its levels joined by ` > `")
    ] = None
    group_id: Annotated[
        Identifier | None, Meta(description="what the variants of one product have in common")
    ] = None
    sku: Annotated[str | None, Meta(description="the seller's stock keeping unit")] = None
    gtin: Annotated[
        str | None, Meta(description="GTIN-8, 12 (UPC), 13 (EAN) or 14 with a valid check digit")
    ] = None
    url: Annotated[str | None, Meta(description="address of the product's page")] = None
    images: Annotated[list[str], Meta(description="addresses of further pictures")] = []
    sale_price: Annotated[Price | None, Meta(description="the reduced price while a sale lasts")] = None
    availability: Annotated[Availability | None, Meta(description="whether the product can be bought")] = None
    seller: Annotated[str | None, Meta(description="who sells the product on a marketplace")] = None
