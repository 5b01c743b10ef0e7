"""What the demo streams: the sample shop as records in order of event time, and when each is due."""

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
    """A record to be produced. `occurred_at` is its event time; None where it has none to tell."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]
    occurred_at: datetime | None = None


Group = Sequence[FeedRecord]
"""Records that belong together and are sent at once: a listing, or all lines of one basket."""


def listing(product: ProductCreated) -> FeedRecord:
    """The record of a listing, as a catalogue system writes it."""
    headers = output_headers(
        PRODUCT_CREATED,
        event_id=product.event_id or product.product_id,
        source=SHOP_SOURCE,
        subject=product.product_id,
        time=product.occurred_at,
    )
    key = product_key(product.product_id)
    return FeedRecord(PRODUCT_CREATED, key, encode(product), headers, product.occurred_at)


def purchase(event: UserBehavior) -> FeedRecord:
    """The record of a purchase, as a shop's front end writes it."""
    headers = output_headers(
        USER_BEHAVIOR,
        event_id=event.event_id or "",
        source=SHOP_SOURCE,
        subject=event.product_id,
        time=event.occurred_at,
    )
    return FeedRecord(USER_BEHAVIOR, user_key(event), encode(event), headers, event.occurred_at)


def shop_groups(products: Iterable[ProductCreated], purchases: Iterable[UserBehavior]) -> Iterator[Group]:
    """Listings and baskets merged by event time; at the same time, listings come first.

    Args:
        products: in order of `occurred_at`; one without a time is listed before all others.
        purchases: in order of `occurred_at`, the lines of a session next to each other.

    Yields:
        Groups of at least one record.
    """
    listed = (
        (product.occurred_at or _LONG_AGO, 0, number, [listing(product)])
        for number, product in enumerate(products)
    )
    baskets = (
        (lines[0].occurred_at, 1, number, [purchase(line) for line in lines])
        for number, (_, lines) in enumerate(
            (session, list(lines)) for session, lines in groupby(purchases, lambda line: line.session_id)
        )
    )
    for _, _, _, group in heapq.merge(listed, baskets):
        yield group


def scattered(
    groups: Iterator[Group], records: Sequence[FeedRecord], start: int, step: int
) -> Iterator[Group]:
    """The groups with `records` among them, alone, one after every `step` groups.

    Args:
        groups: what comes anyway.
        records: what comes in between; those for which there is no place any more come at the end.
        start: how many groups come before the first.
        step: how many come between two, at least 1.
    """
    waiting = list(records)
    for number, group in enumerate(groups):
        if waiting and number >= start and (number - start) % step == 0:
            yield [waiting.pop(0)]
        yield group
    yield from ([record] for record in waiting)


def later(
    products: Sequence[ProductCreated], purchases: Sequence[UserBehavior], turn: int
) -> tuple[list[ProductCreated], list[UserBehavior]]:
    """The same shop once more, moved in time, with identities of its own so that nothing is a duplicate.

    Args:
        products: the shop's listings.
        purchases: the shop's purchases, in order of time; at least one.
        turn: how many times the shop has been streamed before; 0 gives it unchanged.
    """
    if turn == 0:
        return list(products), list(purchases)
    days = (purchases[-1].occurred_at.date() - purchases[0].occurred_at.date()).days + 1
    shift = timedelta(days=days * turn)
    replace = msgspec.structs.replace
    return (
        [
            replace(
                product,
                event_id=f"{product.event_id}-{turn}",
                change=Change.CHANGED,
                occurred_at=None if product.occurred_at is None else product.occurred_at + shift,
            )
            for product in products
        ],
        [
            replace(
                each,
                event_id=f"{each.event_id}-{turn}",
                session_id=f"{each.session_id}-{turn}",
                occurred_at=each.occurred_at + shift,
            )
            for each in purchases
        ],
    )


class Pace:
    """Says how many records are due: as many each second as make `total` in `seconds`.

    Args:
        total: records, at least 1.
        seconds: how long they take, above 0.
    """

    def __init__(self, total: int, seconds: float) -> None:
        self.per_second = total / seconds

    def due(self, elapsed_s: float) -> int:
        """How many records should have been sent after `elapsed_s` seconds."""
        return int(elapsed_s * self.per_second) + 1


class Feed:
    """Hands out groups when they are due.

    Args:
        groups: what to send, in order.
        pace: how fast.

    Attributes:
        sent: records handed out so far.
        finished: whether there are no more.
    """

    def __init__(self, groups: Iterator[Group], pace: Pace) -> None:
        self._groups = groups
        self._pace = pace
        self.sent = 0
        self.finished = False

    def due(self, elapsed_s: float, at_most: int) -> Iterator[FeedRecord]:
        """The records that are due after `elapsed_s` seconds, whole groups, no more once `at_most` is met."""
        until = min(self._pace.due(elapsed_s), self.sent + at_most)
        while self.sent < until:
            group = next(self._groups, None)
            if group is None:
                self.finished = True
                return
            self.sent += len(group)
            yield from group
