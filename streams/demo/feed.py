"""The feed of the demo: the sample shop as records in order of event time, at a given pace."""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import NamedTuple

import msgspec

from schemas.codec import encode
from schemas.envelope import output_headers
from schemas.events import Change, ProductCreated, UserBehavior
from schemas.keys import product_key, user_key
from streams.topics import PRODUCT_CREATED, USER_BEHAVIOR

SHOP_SOURCE = "/shops/uci-online-retail"
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class FeedRecord(NamedTuple):
    """A record to produce. `occurred_at` is its event time, None if it has none."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]
    occurred_at: datetime | None = None


Group = Sequence[FeedRecord]
"""Records that are sent together: a listing, or all lines of one basket."""


def listing_record(product: ProductCreated) -> FeedRecord:
    """Return the product-created record of a listing."""
    headers = output_headers(
        PRODUCT_CREATED,
        event_id=product.event_id or product.product_id,
        source=SHOP_SOURCE,
        subject=product.product_id,
        time=product.occurred_at,
    )
    key = product_key(product.product_id)
    return FeedRecord(PRODUCT_CREATED, key, encode(product), headers, product.occurred_at)


def purchase_record(event: UserBehavior) -> FeedRecord:
    """Return the user-behavior record of a purchase."""
    headers = output_headers(
        USER_BEHAVIOR,
        event_id=event.event_id or "",
        source=SHOP_SOURCE,
        subject=event.product_id or "",
        time=event.occurred_at,
    )
    return FeedRecord(USER_BEHAVIOR, user_key(event), encode(event), headers, event.occurred_at)


def shop_groups(products: Iterable[ProductCreated], purchases: Iterable[UserBehavior]) -> Iterator[Group]:
    """Merge listings and baskets by event time. At equal times listings come first.

    Args:
        products: Listings in order of `occurred_at`. Those without a time come first.
        purchases: Purchases in order of `occurred_at`, those of a session together.

    Yields:
        Groups of at least one record.
    """
    listed = (
        (product.occurred_at or _LONG_AGO, 0, number, [listing_record(product)])
        for number, product in enumerate(products)
    )
    baskets = (
        (lines[0].occurred_at, 1, number, [purchase_record(line) for line in lines])
        for number, (_, lines) in enumerate(
            (session, list(lines)) for session, lines in groupby(purchases, lambda line: line.session_id)
        )
    )
    for _, _, _, group in heapq.merge(listed, baskets):
        yield group


def interleave(
    groups: Iterator[Group], records: Sequence[FeedRecord], start: int, step: int
) -> Iterator[Group]:
    """Interleave single records with groups.

    Args:
        groups: Groups to yield.
        records: Records to interleave, each as its own group. Those left over come at the end.
        start: Number of groups before the first record.
        step: Number of groups between two records, at least 1.

    Yields:
        Groups of at least one record.
    """
    remaining = list(records)
    for number, group in enumerate(groups):
        if remaining and number >= start and (number - start) % step == 0:
            yield [remaining.pop(0)]
        yield group
    yield from ([record] for record in remaining)


def shifted_shop(
    products: Sequence[ProductCreated], purchases: Sequence[UserBehavior], repetition: int
) -> tuple[list[ProductCreated], list[UserBehavior]]:
    """Return the shop's events shifted in time, with new event and session ids: none is a duplicate.

    Args:
        products: Listings of the shop.
        purchases: Purchases of the shop in order of time, at least one.
        repetition: Number of times that the shop was streamed before. For 0 the events stay the same.
    """
    if repetition == 0:
        return list(products), list(purchases)
    days = (purchases[-1].occurred_at.date() - purchases[0].occurred_at.date()).days + 1
    shift = timedelta(days=days * repetition)
    replace = msgspec.structs.replace
    return (
        [
            replace(
                product,
                event_id=f"{product.event_id}-{repetition}",
                change=Change.CHANGED,
                occurred_at=None if product.occurred_at is None else product.occurred_at + shift,
            )
            for product in products
        ],
        [
            replace(
                each,
                event_id=f"{each.event_id}-{repetition}",
                session_id=f"{each.session_id}-{repetition}",
                occurred_at=each.occurred_at + shift,
            )
            for each in purchases
        ],
    )


class Pace:
    """A constant rate of records.

    Args:
        total: Number of records, at least 1.
        seconds: Seconds in which to send them, above 0.

    Attributes:
        per_second: Records per second.
    """

    def __init__(self, total: int, seconds: float) -> None:
        self.per_second = total / seconds

    def due(self, elapsed_s: float) -> int:
        """Return the number of records to send in the first `elapsed_s` seconds."""
        return int(elapsed_s * self.per_second) + 1


class Feed:
    """Yields records when they are due.

    Args:
        groups: Groups to send, in order.
        pace: Rate of records.

    Attributes:
        sent: Number of records yielded.
        finished: Whether all records were yielded.
    """

    def __init__(self, groups: Iterator[Group], pace: Pace) -> None:
        self._groups = groups
        self._pace = pace
        self.sent = 0
        self.finished = False

    def due(self, elapsed_s: float, at_most: int) -> Iterator[FeedRecord]:
        """Yield the records that are due, in whole groups.

        Args:
            elapsed_s: Seconds since the start.
            at_most: Number of records after which no further group is begun.
        """
        until = min(self._pace.due(elapsed_s), self.sent + at_most)
        while self.sent < until:
            group = next(self._groups, None)
            if group is None:
                self.finished = True
                return
            self.sent += len(group)
            yield from group
