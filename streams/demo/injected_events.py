"""What the demo adds to the shop: records that cannot be processed, a person's word, and a withdrawal."""

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
"""Google's id of Home & Garden > Decor > Home Fragrance Accessories > Candle Holders."""


class Incidents(NamedTuple):
    """The records, and which products the person and the withdrawal are about."""

    records: list[FeedRecord]
    corrected: str
    withdrawn: str


def make_incidents(products: Sequence[ProductCreated], purchases: Sequence[UserBehavior]) -> Incidents:
    """Make the incidents of a shop.

    Args:
        products: its listings; one is a T-light holder if a person is to be right.
        purchases: its purchases in order of time, at least one.
    """
    now = purchases[-1].occurred_at
    corrected = next((each for each in products if "T-LIGHT HOLDER" in each.title), products[0])
    withdrawn = _forgotten(products, purchases, corrected.product_id)
    records = [
        *_broken(now),
        _feedback(corrected, now),
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
    return Incidents(records, corrected.product_id, withdrawn)


def _forgotten(products: Sequence[ProductCreated], purchases: Sequence[UserBehavior], but: str) -> str:
    """The product that was not bought for the longest time: nothing of it is under way any more."""
    last = {event.product_id: number for number, event in enumerate(purchases)}
    ids = [product.product_id for product in products if product.product_id != but] or [but]
    return min(ids, key=lambda product: last.get(product, -1))


def _broken(now: datetime) -> list[FeedRecord]:
    """A listing cut off in the middle, one of a contract from the future, and an action nobody knows."""
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


def _feedback(product: ProductCreated, now: datetime) -> FeedRecord:
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
