"""What the benchmarks feed: plain events of a size, and real baskets replayed."""

import itertools
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import timedelta

import msgspec
from confluent_kafka import Producer

from schemas.codec import encode
from schemas.events import UserBehavior
from schemas.keys import user_key
from streams.demo.sample_shop import iter_baskets, iter_products

KEYS = 50_000
_REPLAY_EVERY = timedelta(days=13)

Keyed = tuple[bytes, bytes]


def plain_events(count: int, size: int, seed: int = 7) -> Iterator[Keyed]:
    """JSON objects of about `size` bytes, under keys that come again and again.

    Args:
        count: How many.
        size: Of a value, in bytes; at least 100.
        seed: Of the keys.
    """
    dice = random.Random(seed)
    encoder = msgspec.json.Encoder()
    filler = "x" * (size - 90)
    for number in range(count):
        key = f"k{dice.randrange(KEYS)}"
        event = {"number": number, "key": key, "shop": "bench", "price": 9.99, "title": filler}
        yield key.encode(), encoder.encode(event)


def basket_events(count: int, most_lines: int) -> Iterator[UserBehavior]:
    """Real purchases, replayed as often as it takes: each replay 13 days later, in sessions of its own.

    Args:
        count: How many.
        most_lines: Invoices with more lines are left out. Pairs grow with the square of the lines, and this
            shop also sells to shops: 14% of the invoices have more than 40 lines, and 96% of the pairs.
    """
    lines = Counter(event.session_id for event in iter_baskets())
    events = [event for event in iter_baskets() if lines[event.session_id] <= most_lines]
    replays = ((replay, event) for replay in itertools.count() for event in events)
    for number, (replay, event) in enumerate(itertools.islice(replays, count)):
        yield msgspec.structs.replace(
            event,
            event_id=f"acted-{number}",
            session_id=f"{event.session_id}-{replay}",
            occurred_at=event.occurred_at + replay * _REPLAY_EVERY,
        )


def keyed_behaviour(events: Iterable[UserBehavior]) -> Iterator[Keyed]:
    """Behaviour as a shop's front end writes it: keyed by shopper."""
    for event in events:
        yield user_key(event), encode(event)


def produce(bootstrap: str, topic: str, records: Iterable[Keyed]) -> int:
    """Write the records as fast as it goes, keys by murmur2; how many there were.

    Raises:
        RuntimeError: Not all of them arrived.
    """
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "partitioner": "murmur2_random",
            "linger.ms": 20,
            "batch.size": 500_000,
            "queue.buffering.max.kbytes": 256_000,
        }
    )
    count = 0
    for key, value in records:
        while True:
            try:
                producer.produce(topic, value, key)
                break
            except BufferError:
                producer.poll(0.05)
        count += 1
        if count % 1_000 == 0:
            producer.poll(0)
    if left := producer.flush(120):
        raise RuntimeError(f"{left} of {count} records did not reach {topic}")
    return count


def listings(count: int) -> Iterator[Keyed]:
    """Listings with real titles, made different by a number, so that no cache knows any of them."""
    titles = [product.title for product in iter_products()]
    for number in range(count):
        product = f"p{number}"
        event = {"product_id": product, "title": f"{titles[number % len(titles)]} {number}"}
        yield product.encode(), msgspec.json.encode(event)
