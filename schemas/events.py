"""The events of every topic as immutable typed structs: the contract with producers and consumers.

All times are timezone-aware UTC. Confidences and probabilities lie in [0, 1]. Unknown fields are ignored. The
codec rejects an unknown `schema_version`. Only new fields with defaults are compatible.
"""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct

from schemas.affinities import AffinityUpdated as AffinityUpdated
from schemas.affinities import Recommended as Recommended
from schemas.affinities import Related as Related
from schemas.affinities import Relation as Relation
from schemas.behavior import Action as Action
from schemas.behavior import UserBehavior as UserBehavior
from schemas.event import Event as Event
from schemas.event import Source as Source
from schemas.fields import Identifier, Probability, Timestamp
from schemas.listings import Availability as Availability
from schemas.listings import Change as Change
from schemas.listings import IgnoredField as IgnoredField
from schemas.listings import Price as Price
from schemas.listings import ProductCreated as ProductCreated
from schemas.shoppers import NextProduct as NextProduct
from schemas.shoppers import Preference as Preference
from schemas.shoppers import Session as Session
from schemas.shoppers import ShopperProduct as ShopperProduct
from schemas.shoppers import ShopperUpdated as ShopperUpdated


class Alternative(Struct, frozen=True, kw_only=True, gc=False):
    """A candidate category with its Google id, full path and calibrated confidence."""

    id: Annotated[int, Meta(description="id in the served taxonomy")]
    path: Annotated[str, Meta(description="names from the root, joined by ' > '")]
    confidence: Annotated[Probability, Meta(description="calibrated probability")]


class MappedCategory(Struct, frozen=True, kw_only=True, gc=False):
    """What a category is called in its own taxonomy, if that has codes, or in another one."""

    taxonomy: Annotated[str, Meta(description="version of the taxonomy, such as `google-2021-09-21`")]
    id: Annotated[str, Meta(description="id or code there, such as `aa-1-4` in Shopify's taxonomy")]
    path: Annotated[str, Meta(description="names from the root there, joined by ' > '")]


class Category(Struct, frozen=True, kw_only=True):
    """The deepest level with sufficient confidence; `alternatives` are at full depth, best first."""

    id: Annotated[int, Meta(description="id in the served taxonomy, such as Google's")]
    path: Annotated[str, Meta(description="names from the root, joined by ' > '")]
    confidence: Annotated[Probability, Meta(description="calibrated probability")]
    alternatives: Annotated[list[Alternative], Meta(description="the likeliest categories, best first")] = []
    mapped: Annotated[
        list[MappedCategory],
        Meta(description="the category's code, and its counterpart in Google's taxonomy"),
    ] = []


class TagSource(StrEnum):
    """The origin of a tag."""

    CATEGORY = "category"
    ATTRIBUTE = "attribute"
    PHRASE = "phrase"
    BEHAVIOR = "behavior"


class Tag(Struct, frozen=True, kw_only=True, gc=False):
    """A word of the controlled vocabulary that applies to the product."""

    name: Annotated[str, Meta(description="the tag")]
    source: Annotated[TagSource, Meta(description="where the tag comes from")]
    confidence: Annotated[Probability, Meta(description="calibrated probability")]


class Evidence(Struct, frozen=True, kw_only=True, gc=False):
    """The text that states an attribute: characters [start, end) of `field`, and these characters.

    If the field has markup, positions count in its text without markup.
    """

    field: Annotated[
        Literal["title", "description", "brand", "attributes", "category"],
        Meta(description="field of the listing"),
    ]
    start: Annotated[int, Meta(description="first character, counted from 0")]
    end: Annotated[int, Meta(description="the character after the last one")]
    text: Annotated[str, Meta(description="these characters")]


class MappedAttribute(Struct, frozen=True, kw_only=True, gc=False):
    """What an attribute and its value are called in a published vocabulary."""

    taxonomy: Annotated[str, Meta(description="version of the vocabulary, such as `shopify-2025-08`")]
    attribute: Annotated[str, Meta(description="the attribute there, such as `footwear_material`")]
    value: Annotated[str, Meta(description="the value there, such as `footwear_material__suede`")]


class Attribute(Struct, frozen=True, kw_only=True):
    """A normalized attribute, such as brand, color, gender, material or size, with its evidence."""

    name: Annotated[str, Meta(description="what is stated, such as colour")]
    value: Annotated[str, Meta(description="normalized value")]
    confidence: Annotated[Probability, Meta(description="calibrated probability")]
    evidence: Annotated[Evidence, Meta(description="the text that states it")]
    unit: Annotated[str | None, Meta(description="unit of the value, if it has one")] = None
    mapped: Annotated[
        MappedAttribute | None, Meta(description="the same in Shopify's vocabulary, if that has it")
    ] = None


class DecisionOutcome(StrEnum):
    """Who decided the category: the model, a person, the shop in its listing, or nobody yet."""

    MODEL = "model"
    SHOP = "shop"
    PERSON = "person"
    ABSTAINED = "abstained"


class Decision(Struct, frozen=True, kw_only=True, gc=False):
    """Who decided the category, and why. If `abstained`, the category is a guess for review."""

    outcome: Annotated[DecisionOutcome, Meta(description="who decided")]
    why: Annotated[str, Meta(description="the reason, for people")]
    evidence: Annotated[
        Evidence | None, Meta(description="the field of the listing that gives the category, where one does")
    ] = None


class Embedding(Struct, frozen=True, kw_only=True, gc=False):
    """The quantized embedding of the product's text.

    `int8` is the base64 of `dimensions` signed bytes, proportional to the unit vector. Compare embeddings by
    cosine, and only embeddings with the same `model_version`.
    """

    dimensions: Annotated[int, Meta(description="number of components")]
    int8: Annotated[str, Meta(description="base64 of one signed byte per component")]
    model_version: Annotated[str, Meta(description="the model of the vector; compare within one only")]


class ProductEnriched(Event, frozen=True, kw_only=True):
    """The current enrichment of a product, from the `listing` of `listed_at`. A null value withdraws it.

    `language` is the listing's own, or the detected one. The fields from `shop_id` on are the listing's.
    """

    topic: ClassVar[str] = "product-enriched"
    product_id: Annotated[Identifier, Meta(description="the product; the record's key, in UTF-8")]
    decision: Annotated[Decision, Meta(description="who decided the category, and why")]
    model_version: Annotated[str, Meta(description="the model that enriched the listing")]
    taxonomy_version: Annotated[str, Meta(description="the taxonomy of the category")]
    category: Annotated[Category | None, Meta(description="the category; null if no word is known")] = None
    tags: Annotated[list[Tag], Meta(description="tags, best first")] = []
    attributes: Annotated[list[Attribute], Meta(description="attributes with their evidence")] = []
    embedding: Annotated[Embedding | None, Meta(description="vector of the listing's text")] = None
    title: Annotated[str, Meta(description="title of the listing, at most 1,000 characters")] = ""
    source: Annotated[Source | None, Meta(description="the record that caused this event")] = None
    listing: Annotated[Source | None, Meta(description="the record of the listing")] = None
    listed_at: Annotated[Timestamp | None, Meta(description="time of the listing")] = None
    language: Annotated[
        str | None, Meta(description="language of the listing, as given or as detected (BCP 47)")
    ] = None
    ignored_fields: Annotated[
        list[IgnoredField], Meta(description="optional fields of the listing that broke the contract")
    ] = []
    shop_id: Annotated[str | None, Meta(description="the shop")] = None
    group_id: Annotated[str | None, Meta(description="what variants of one product have in common")] = None
    sku: Annotated[str | None, Meta(description="the seller's stock keeping unit")] = None
    gtin: Annotated[str | None, Meta(description="GTIN-8, 12, 13 or 14")] = None
    shop_category: Annotated[str | None, Meta(description="the shop's own category")] = None
    url: Annotated[str | None, Meta(description="address of the product's page")] = None
    image_url: Annotated[str | None, Meta(description="address of the main picture")] = None
    images: Annotated[list[str], Meta(description="addresses of further pictures")] = []
    price: Annotated[Price | None, Meta(description="the regular price")] = None
    sale_price: Annotated[Price | None, Meta(description="the reduced price while a sale lasts")] = None
    availability: Annotated[Availability | None, Meta(description="whether it can be bought")] = None
    seller: Annotated[str | None, Meta(description="who sells the product on a marketplace")] = None


class EnrichmentReview(Event, frozen=True, kw_only=True):
    """A product for which the model abstained, with the reason and the candidate categories."""

    topic: ClassVar[str] = "enrichment-review"
    product_id: Annotated[Identifier, Meta(description="the product; the record's key, in UTF-8")]
    title: Annotated[str, Meta(description="title of the listing, at most 1,000 characters")]
    why: Annotated[str, Meta(description="why a person should look, for people")]
    model_version: Annotated[str, Meta(description="the model that was not sure")]
    taxonomy_version: Annotated[str, Meta(description="the taxonomy of the candidates")]
    candidates: Annotated[list[Alternative], Meta(description="the likeliest categories, best first")] = []
    source: Annotated[Source | None, Meta(description="the record of the listing")] = None
    language: Annotated[str | None, Meta(description="language of the listing (BCP 47)")] = None
    shop_id: Annotated[str | None, Meta(description="the shop")] = None
    url: Annotated[str | None, Meta(description="address of the product's page")] = None
    image_url: Annotated[str | None, Meta(description="address of the main picture")] = None


class Verdict(StrEnum):
    """A person's verdict on a category."""

    ACCEPT = "accept"
    CORRECT = "correct"


class CategoryFeedback(Event, frozen=True, kw_only=True):
    """A person accepted the published category, or corrected it to `category_id`."""

    topic: ClassVar[str] = "category-feedback"
    product_id: Annotated[Identifier, Meta(description="the product; the record's key, in UTF-8")]
    verdict: Annotated[Verdict, Meta(description="whether the published category is right")]
    category_id: Annotated[int | None, Meta(description="Google id; required for `correct`")] = None
    by: Annotated[str, Meta(description="who decided, as it is shown in the reason")] = ""
    event_id: Annotated[Identifier | None, Meta(description="id of the event")] = None
    occurred_at: Annotated[Timestamp | None, Meta(description="when the person decided")] = None
    comment: Annotated[str, Meta(description="a remark for people")] = ""
    shop_id: Annotated[
        str | None, Meta(description="the shop of the product; required where each shop has ids of its own")
    ] = None
