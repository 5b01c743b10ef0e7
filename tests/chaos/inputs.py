"""What a campaign feeds: a real shop's listings and behaviour, endless and seeded, with poison among them."""

import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import count

import msgspec

from schemas.codec import encode
from schemas.events import UserBehavior
from schemas.keys import user_key
from streams.demo.sample_shop import iter_baskets, iter_products
from streams.topics import PRODUCT_CREATED, USER_BEHAVIOR

Headers = tuple[tuple[str, bytes], ...]

PRODUCTS = 400
"""Few enough that each product is listed again and again: only then has its order a meaning."""
LINES = 40
"""Of a basket at most: pairs grow with the square, and the oracle counts each of them one by one."""
_ROUND = timedelta(days=13)
"""How much later each replay of the baskets is; they span twelve days."""


@dataclass(frozen=True, slots=True)
class Input:
    """A record to write.

    Attributes:
        number: unique in its topic, and growing.
        poison: whether it must become a dead letter.
        at_once: whether it is written beyond the feed's rate.
    """

    topic: str
    key: bytes
    value: bytes
    number: int
    headers: Headers = ()
    poison: bool = False
    at_once: bool = False


def listings(seed: int, poison_share: float) -> Iterator[Input]:
    """Listings of a few products, each listed over and over, some of them broken."""
    dice = random.Random(seed)
    titles = [product.title for product in iter_products()]
    for number in count():
        product = f"p{dice.randrange(PRODUCTS)}"
        title = titles[number % len(titles)]
        if dice.random() < poison_share:
            yield broken_listing(product, title, number, dice)
        else:
            event = {"product_id": product, "title": title, "event_id": f"listed-{number}"}
            yield Input(PRODUCT_CREATED, product.encode(), json.dumps(event).encode(), number)


def broken_listing(product: str, title: str, number: int, dice: random.Random) -> Input:
    """A listing that no reading can mend, in one of the ways in which producers break."""
    whole = json.dumps({"product_id": product, "title": title}).encode()
    value = dice.choice(
        (
            whole[: dice.randrange(1, len(whole))],
            whole.replace(b'"title": "', b'"title": "\\ud800'),
            json.dumps({"product_id": product}).encode(),
            json.dumps({"product_id": product, "title": number}).encode(),
            json.dumps({"product_id": f"not-{product}", "title": title}).encode(),
            json.dumps({"product_id": product, "title": title, "schema_version": 99}).encode(),
            bytes(dice.randrange(256) for _ in range(40)),
            b"",
        )
    )
    return Input(PRODUCT_CREATED, product.encode(), value, number, _marks(number, dice), poison=True)


def behaviour(seed: int, poison_share: float) -> Iterator[Input]:
    """The shop's baskets, replayed for ever: each replay later, by other sessions of the same shoppers."""
    dice = random.Random(seed)
    lines = Counter(event.session_id for event in iter_baskets())
    events = [event for event in iter_baskets() if lines[event.session_id] <= LINES]
    numbers = count()
    for replay in count():
        for event in events:
            number = next(numbers)
            if dice.random() < poison_share:
                yield broken_behaviour(event, number, dice)
            moved = replayed(event, replay, number)
            yield Input(USER_BEHAVIOR, user_key(moved), encode(moved), next(numbers))


def replayed(event: UserBehavior, replay: int, number: int) -> UserBehavior:
    """The event as it would be in a later replay, with an id of its own."""
    return msgspec.structs.replace(
        event,
        event_id=f"acted-{number}",
        session_id=f"{event.session_id}-{replay}",
        occurred_at=event.occurred_at + replay * _ROUND,
    )


def broken_behaviour(event: UserBehavior, number: int, dice: random.Random) -> Input:
    """A behaviour event that cannot be read, of a shopper whose other events can."""
    whole = encode(event)
    value = dice.choice(
        (
            whole[: dice.randrange(1, len(whole) - 1)],
            whole.replace(b'"action":"purchase"', b'"action":"stare"'),
            whole.replace(b'"product_id"', b'"produce_id"'),
            b"null",
            b"",
        )
    )
    return Input(USER_BEHAVIOR, user_key(event), value, number, _marks(number, dice), poison=True)


def numbered(seed: int, topic: str, keys: int = 1_000, size: int = 330) -> Iterator[Input]:
    """Plain events of about `size` bytes with a number in each: for what only passes them through."""
    dice = random.Random(seed)
    for number in count():
        key = f"k{dice.randrange(keys)}"
        event = {"number": number, "key": key, "title": "", "price": 9.9}
        event["title"] = "x" * (size - len(json.dumps(event)))
        yield Input(topic, key.encode(), json.dumps(event).encode(), number)


def _marks(number: int, dice: random.Random) -> Headers:
    """Headers of the producer's own, which a dead letter must keep."""
    return (("mark", str(number).encode()), ("raw", bytes(dice.randrange(256) for _ in range(8))))
