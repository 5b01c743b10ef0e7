"""Events that the demo injects: invalid records, a category correction and a withdrawal."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from schemas.codec import encode
from schemas.envelope import output_headers
from schemas.events import CategoryFeedback, ProductCreated, UserBehavior, Verdict
from schemas.keys import product_key
from streams.demo.feed import SHOP_SOURCE, FeedRecord
from streams.topics import CATEGORY_FEEDBACK, PRODUCT_CREATED, USER_BEHAVIOR

CANDLE_HOLDERS = 2784
"""Id in Google's taxonomy of Home & Garden > Decor > Home Fragrance Accessories > Candle Holders."""


class InjectedEvents(NamedTuple):
    """The injected records.

    Attributes:
        records: The records, in the order of sending.
        corrected: Id of the product whose category is corrected.
        withdrawn: Id of the withdrawn product.
    """

    records: list[FeedRecord]
    corrected: str
    withdrawn: str


def make_injected_events(
    products: Sequence[ProductCreated], purchases: Sequence[UserBehavior]
) -> InjectedEvents:
    """Make the injected events for a shop.

    Args:
        products: Listings of the shop. The correction is about the first T-light holder, or else about the
            first product.
        purchases: Purchases of the shop in order of time, at least one.
    """
    now = purchases[-1].occurred_at
    corrected = next((each for each in products if "T-LIGHT HOLDER" in each.title), products[0])
    withdrawn = _longest_unsold(products, purchases, corrected.product_id)
    records = [
        *_invalid_records(now),
        _correction(corrected, now),
        FeedRecord(
            PRODUCT_CREATED,
            product_key(withdrawn),
            None,
            output_headers(
                PRODUCT_CREATED,
                event_id=f"withdrawn-{withdrawn}",
                source=SHOP_SOURCE,
                subject=withdrawn,
                time=now,
            ),
        ),
    ]
    return InjectedEvents(records, corrected.product_id, withdrawn)


def _longest_unsold(products: Sequence[ProductCreated], purchases: Sequence[UserBehavior], but: str) -> str:
    """Return the id of the product whose last purchase is oldest: no event about it is in flight."""
    last = {event.product_id: number for number, event in enumerate(purchases)}
    ids = [product.product_id for product in products if product.product_id != but] or [but]
    return min(ids, key=lambda product: last.get(product, -1))


def _invalid_records(now: datetime) -> list[FeedRecord]:
    """Return a truncated listing, one of an unknown schema version, and an unknown action of a shopper."""
    time = now.isoformat().replace("+00:00", "Z").encode()
    values = (
        (PRODUCT_CREATED, b"cut-off", b'{"product_id": "cut-off", "title": "HALF A LIST'),
        (
            PRODUCT_CREATED,
            b"from-tomorrow",
            b'{"schema_version": 2, "product_id": "from-tomorrow", "title": "HOVERBOARD, RED SPOTTY"}',
        ),
        (
            USER_BEHAVIOR,
            b"wizard",
            b'{"user_id": "wizard", "product_id": "85123A", "action": "levitate", "occurred_at": "%s"}'
            % time,
        ),
    )
    return [
        FeedRecord(
            topic,
            key,
            value,
            output_headers(
                topic, event_id=f"broken-{key.decode()}", source=SHOP_SOURCE, subject=key.decode(), time=now
            ),
        )
        for topic, key, value in values
    ]


def _correction(product: ProductCreated, now: datetime) -> FeedRecord:
    event_id = f"feedback-{product.product_id}"
    feedback = CategoryFeedback(
        product_id=product.product_id,
        verdict=Verdict.CORRECT,
        category_id=CANDLE_HOLDERS,
        by="the shop's merchandiser",
        event_id=event_id,
        occurred_at=now,
    )
    headers = output_headers(
        CATEGORY_FEEDBACK, event_id=event_id, source="/people", subject=product.product_id, time=now
    )
    return FeedRecord(CATEGORY_FEEDBACK, product_key(product.product_id), encode(feedback), headers)
