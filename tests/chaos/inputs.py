"""Endless, seeded inputs: a real shop's listings and behavior, with poison records among them."""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import count

import msgspec
import orjson

from schemas.codec import encode
from schemas.events import UserBehavior
from schemas.keys import user_key
from streams.demo.sample_shop import iter_baskets, iter_products
from streams.topics import PRODUCT_CREATED, USER_BEHAVIOR

Headers = tuple[tuple[str, bytes], ...]

PRODUCTS = 400
"""The number of products. Each is listed many times, so that the order of its listings matters."""
LINES = 40
"""The size limit of a basket. Pairs grow with its square, and the oracle counts them one by one."""
_ROUND = timedelta(days=13)
"""The shift of each replay of the baskets, which span twelve days."""


@dataclass(frozen=True, slots=True)
class Input:
    """A record to write.

    Attributes:
        number: A number that is unique in the topic and grows.
        poison: Whether the record must become a dead letter.
        at_once: Whether the record is written beyond the feed's rate.
    """

    topic: str
    key: bytes
    value: bytes
    number: int
    headers: Headers = ()
    poison: bool = False
    at_once: bool = False


def listings(seed: int, poison_rate: float) -> Iterator[Input]:
    """Generate listings of a few products, each listed many times.

    Args:
        seed: The seed.
        poison_rate: The fraction of broken listings.
    """
    rng = random.Random(seed)
    titles = [product.title for product in iter_products()]
    for number in count():
        product = f"p{rng.randrange(PRODUCTS)}"
        title = titles[number % len(titles)]
        if rng.random() < poison_rate:
            yield broken_listing(product, title, number, rng)
        else:
            event = {"product_id": product, "title": title, "event_id": f"listed-{number}"}
            yield Input(PRODUCT_CREATED, product.encode(), orjson.dumps(event), number)


def broken_listing(product: str, title: str, number: int, rng: random.Random) -> Input:
    """Make a listing that is invalid in one of several ways."""
    whole = orjson.dumps({"product_id": product, "title": title})
    value = rng.choice(
        (
            whole[: rng.randrange(1, len(whole))],
            whole.replace(b'"title":"', b'"title":"\\ud800'),
            orjson.dumps({"product_id": product}),
            orjson.dumps({"product_id": product, "title": number}),
            orjson.dumps({"product_id": f"not-{product}", "title": title}),
            orjson.dumps({"product_id": product, "title": title, "schema_version": 99}),
            bytes(rng.randrange(256) for _ in range(40)),
            b"",
        )
    )
    return Input(PRODUCT_CREATED, product.encode(), value, number, _headers(number, rng), poison=True)


def behavior(seed: int, poison_rate: float) -> Iterator[Input]:
    """Generate the shop's baskets again and again: each replay later, in new sessions of the same shoppers.

    Args:
        seed: The seed.
        poison_rate: The fraction of additional broken events.
    """
    rng = random.Random(seed)
    lines = Counter(event.session_id for event in iter_baskets())
    events = [event for event in iter_baskets() if lines[event.session_id] <= LINES]
    numbers = count()
    for replay in count():
        for event in events:
            number = next(numbers)
            if rng.random() < poison_rate:
                yield broken_behavior(event, number, rng)
            moved = replayed(event, replay, number)
            yield Input(USER_BEHAVIOR, user_key(moved), encode(moved), next(numbers))


def replayed(event: UserBehavior, replay: int, number: int) -> UserBehavior:
    """Copy an event to a later replay, with an id of its own."""
    return msgspec.structs.replace(
        event,
        event_id=f"acted-{number}",
        session_id=f"{event.session_id}-{replay}",
        occurred_at=event.occurred_at + replay * _ROUND,
    )


def broken_behavior(event: UserBehavior, number: int, rng: random.Random) -> Input:
    """Make an invalid behavior event of a shopper whose other events are valid."""
    whole = encode(event)
    value = rng.choice(
        (
            whole[: rng.randrange(1, len(whole) - 1)],
            whole.replace(b'"action":"purchase"', b'"action":"stare"'),
            whole.replace(b'"product_id"', b'"produce_id"'),
            b"null",
            b"",
        )
    )
    return Input(USER_BEHAVIOR, user_key(event), value, number, _headers(number, rng), poison=True)


def numbered(seed: int, topic: str, keys: int = 1_000, size: int = 330) -> Iterator[Input]:
    """Generate numbered events for a system that only passes them through.

    Args:
        seed: The seed of the keys.
        topic: The topic.
        keys: The number of keys.
        size: The size of an event in bytes, about.
    """
    rng = random.Random(seed)
    for number in count():
        key = f"k{rng.randrange(keys)}"
        event = {"number": number, "key": key, "title": "", "price": 9.9}
        event["title"] = "x" * (size - len(orjson.dumps(event)))
        yield Input(topic, key.encode(), orjson.dumps(event), number)


def _headers(number: int, rng: random.Random) -> Headers:
    """Make headers of the producer, which a dead letter must keep."""
    return (("mark", str(number).encode()), ("raw", bytes(rng.randrange(256) for _ in range(8))))
