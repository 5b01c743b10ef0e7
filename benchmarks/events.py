"""The input of the benchmarks: plain events of a given size, replayed real baskets, and listings."""

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
    """Generate JSON objects with random keys.

    Args:
        count: The number of events.
        size: The approximate size of a value in bytes, at least 100.
        seed: The seed of the keys.

    Yields:
        Key and value.
    """
    rng = random.Random(seed)
    encoder = msgspec.json.Encoder()
    filler = "x" * (size - 90)
    for number in range(count):
        key = f"k{rng.randrange(KEYS)}"
        event = {"number": number, "key": key, "shop": "bench", "price": 9.99, "title": filler}
        yield key.encode(), encoder.encode(event)


def basket_events(count: int, max_lines: int) -> Iterator[UserBehavior]:
    """Generate real purchases, replayed as often as needed: each replay is 13 days later, in new sessions.

    Args:
        count: The number of events.
        max_lines: Invoices with more lines are left out. Pairs grow with the square of the lines, and this
            shop also sells to shops: the 14% of invoices with more than 40 lines have 96% of the pairs.
    """
    lines = Counter(event.session_id for event in iter_baskets())
    events = [event for event in iter_baskets() if lines[event.session_id] <= max_lines]
    replays = ((replay, event) for replay in itertools.count() for event in events)
    for number, (replay, event) in enumerate(itertools.islice(replays, count)):
        yield msgspec.structs.replace(
            event,
            event_id=f"acted-{number}",
            session_id=f"{event.session_id}-{replay}",
            occurred_at=event.occurred_at + replay * _REPLAY_EVERY,
        )


def keyed_behavior(events: Iterable[UserBehavior]) -> Iterator[Keyed]:
    """Encode behavior events, keyed by shopper."""
    for event in events:
        yield user_key(event), encode(event)


def produce(bootstrap: str, topic: str, records: Iterable[Keyed]) -> int:
    """Write records at full speed, partitioned by murmur2.

    Returns:
        The number of records.

    Raises:
        RuntimeError: Some records could not be written.
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
    """Generate listings with real titles, each with a different number, so that no cache contains them."""
    titles = [product.title for product in iter_products()]
    for number in range(count):
        product = f"p{number}"
        event = {"product_id": product, "title": f"{titles[number % len(titles)]} {number}"}
        yield product.encode(), msgspec.json.encode(event)
