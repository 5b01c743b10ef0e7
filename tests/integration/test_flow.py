"""The whole flow on a real Kafka: each record is processed once, whatever happens to workers and broker."""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from confluent_kafka import Message

from models.behavior.affinity_row import AffinityRow, affinity_updated
from models.behavior.event_time import instant
from models.behavior.parameters import BehaviorParameters
from schemas.codec import decode_user_behavior, encode
from schemas.events import UserBehavior
from schemas.keys import shopper_id
from streams.demo.sample_shop import iter_baskets, iter_products
from tests.support.broker import StartableKafka
from tests.support.deployment import Deployment
from tests.support.oracle import latest_values, wrong_affinities, wrong_shoppers
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(1800)]

BOUND = 3_000
"""Neighbors of a row. No row reaches it: no eviction depends on the order in which lanes work."""


@pytest.fixture
def deployment(own_broker: StartableKafka, tmp_path: Path) -> Iterator[Deployment]:
    with Deployment(own_broker.bootstrap, tmp_path, affinity_bound=BOUND, batch_max_records=500) as running:
        yield running


def listing(number: int, **fields: object) -> tuple[bytes, bytes]:
    product = {"product_id": f"p{number}", "title": f"Blue cotton shirt for men, size {number}", **fields}
    return str(product["product_id"]).encode(), orjson.dumps(product)


def last_by_key(messages: list[Message]) -> dict[str, Any]:
    """The last value of each key of a compacted topic, None for a withdrawn product."""
    ordered = sorted(messages, key=lambda message: (message.partition(), message.offset()))
    return {
        message.key().decode(): None if message.value() is None else orjson.loads(message.value())
        for message in ordered
    }


def identities(messages: list[Message]) -> list[bytes]:
    return [dict(message.headers() or [])["ce_id"] for message in messages]


def baskets(count: int) -> list[UserBehavior]:
    return [event for event, _ in zip(iter_baskets(), range(count), strict=False)]


def keyed(events: list[UserBehavior]) -> list[tuple[bytes, bytes]]:
    return [(shopper_id(event).encode(), encode(event)) for event in events]


def assert_rows_are_exact(deployment: Deployment, events: list[UserBehavior]) -> None:
    """Compare products' and shoppers' rows with the oracle's."""
    parameters = BehaviorParameters(neighbors=BOUND)
    affinities = deployment.read("shelfstream-affinities-changelog")
    assert wrong_affinities(affinities, events, parameters) == []
    shoppers = deployment.read("shelfstream-shoppers-changelog")
    assert wrong_shoppers(shoppers, map(stored, events), parameters) == []


def unpublished(deployment: Deployment) -> set[str]:
    """Return the products with behavior whose last published list is not that of their row."""
    values = latest_values(deployment.read("shelfstream-affinities-changelog"))
    rows = {product: AffinityRow.from_bytes(value) for product, value in values.items()}
    events = last_by_key(deployment.read("affinity-updated"))
    found = set()
    for product, row in rows.items():
        if not row.has_neighbors():
            continue
        expected = affinity_updated(product, row, BehaviorParameters(neighbors=BOUND), instant(row.as_of))
        listed = [
            (each["product_id"], each["relation"]) for each in events.get(product, {}).get("related", ())
        ]
        if listed != [(each.product_id, each.relation.value) for each in expected.related]:
            found.add(product)
    return found


def stored(event: UserBehavior) -> UserBehavior:
    return decode_user_behavior(encode(event))


def test_listings_feedback_and_behavior_are_processed(deployment: Deployment) -> None:
    """Every record of a small shop has one defined outcome, and each output names its source."""
    products = [*iter_products()][:300]
    deployment.produce("product-created", [(each.product_id.encode(), encode(each)) for each in products])
    broken: list[tuple[bytes | None, bytes | None]] = [
        (b"b1", b'{"product_id": "b1", "title": '),
        (b"b2", b'{"product_id": "b2", "title": 7}'),
        (b"b3", b'{"product_id": "b3"}'),
        (b"b4", b'{"product_id": "b4", "title": "\\ud800"}'),
        (b"b5", b'{"product_id": "b5", "title": "x", "schema_version": 9}'),
        (b"b6", b'{"product_id": "other", "title": "x"}'),
        (b"b7", b""),
        # As large as producers send by default. Its dead letter is larger.
        (b"b8", b'{"product_id": "b8", "title": 8, "more": "' + b"x" * 990_000 + b'"}'),
    ]
    deployment.produce("product-created", broken)
    odd = [
        listing(1, title=""),
        listing(2, title="x" * 900_000),
        listing(3, title="nul \u0000 and \U0001f600 emoji"),
        listing(4, title="纯棉男士蓝色衬衫"),
        listing(5),
        listing(6),
    ]
    deployment.produce("product-created", odd)
    events = baskets(1_500)
    deployment.produce("user-behavior", keyed(events))
    invalid = [
        (
            b"u",
            orjson.dumps({"user_id": "u", "product_id": product, "occurred_at": at, "action": action}),
        )
        for at, action, product in (
            ("1969-01-01T00:00:00Z", "view", "p"),
            ("2999-01-01T00:00:00Z", "view", "p"),
            ("2011-01-01T00:00:00Z", "stare", "p"),
            ("2011-01-01T00:00:00Z", "purchase", ""),
        )
    ]
    deployment.produce("user-behavior", invalid)
    worker = deployment.worker()
    worker.wait_ready()
    deployment.wait_until_processed()
    deployment.produce("product-created", [(b"p5", None), (None, listing(7)[1])])
    correction = {"product_id": "p6", "verdict": "correct", "category_id": 1604, "by": "ana"}
    wrong = {"product_id": "p6", "verdict": "correct", "category_id": 999_999_999}
    deployment.produce("category-feedback", [(b"p6", orjson.dumps(each)) for each in (correction, wrong)])
    deployment.wait_until_processed()
    deployment.produce("product-created", [listing(6, title="Blue cotton shirt, now with pockets")])
    deployment.wait_until_processed()
    assert worker.stop() == 0

    enriched = deployment.read("product-enriched")
    assert len(set(identities(enriched))) == len(enriched) == 300 + 6 + 1 + 1 + 1 + 1
    known = last_by_key(enriched)
    assert set(known) == {each.product_id for each in products} | {f"p{number}" for number in range(1, 8)}
    assert known["p1"]["decision"]["outcome"] == "abstained"
    assert known["p1"]["category"] is None
    assert known["p5"] is None
    assert known["p6"]["decision"]["outcome"] == "person"
    assert known["p6"]["category"]["id"] == 1604
    assert known["p6"]["title"].endswith("pockets")
    assert known["p7"]["source"]["topic"] == "product-created"

    dead = deployment.read("dead-letter")
    headers = [dict(message.headers() or []) for message in dead]
    assert Counter(each["shelfstream.reason"].decode() for each in headers) == Counter(
        {
            "malformed-json": 2,
            "empty-value": 1,
            "invalid-field": 5,
            "unknown-version": 1,
            "key-mismatch": 1,
            "invalid-time": 2,
            "unknown-category": 1,
        }
    )
    originals = {(message.key(), message.value()) for message in dead}
    assert originals == {*broken, *invalid, (b"p6", orjson.dumps(wrong))}

    reviews = last_by_key(deployment.read("enrichment-review"))
    unsure = {name for name, each in known.items() if each and each["decision"]["outcome"] == "abstained"}
    assert unsure <= set(reviews)

    assert_rows_are_exact(deployment, events)
    affinities = last_by_key(deployment.read("affinity-updated"))
    assert affinities["p5"] is None
    shoppers = deployment.read("shopper-updated")
    assert {message.key() for message in shoppers} == {shopper_id(event).encode() for event in events}
    assert len(set(identities(shoppers))) == len(shoppers)


def test_a_killed_worker_loses_and_repeats_nothing(deployment: Deployment) -> None:
    """After SIGKILL, each listing is enriched once, and affinities count each session once."""
    events = baskets(4_000)
    count = 12_000
    feeders = [
        threading.Thread(
            target=deployment.produce, args=("product-created", [listing(number) for number in range(count)])
        ),
        threading.Thread(target=deployment.produce, args=("user-behavior", keyed(events))),
    ]
    first = deployment.worker()
    first.wait_ready()
    for feeder in feeders:
        feeder.start()
    rng = random.Random(7)
    for _ in range(2):
        time.sleep(rng.uniform(1.0, 3.0))
        deployment.workers[-1].kill()
        deployment.worker()
    for feeder in feeders:
        feeder.join()
    deployment.wait_until_processed()
    # Busy products wait for their next publication, through both ends of a worker.
    wait_until(lambda: unpublished(deployment) == set())
    last = deployment.workers[-1]
    assert "fenced" in last.get("metrics")
    assert last.stop() == 0

    enriched = deployment.read("product-enriched")
    assert Counter(message.key() for message in enriched) == Counter(
        f"p{number}".encode() for number in range(count)
    )
    assert len(set(identities(enriched))) == count
    assert deployment.read("dead-letter") == []
    assert_rows_are_exact(deployment, events)


def test_state_survives_a_restart_and_a_lost_disk(deployment: Deployment, tmp_path: Path) -> None:
    """Affinities continue after a restart, and after the local state was deleted."""
    events = baskets(4_500)
    for part in range(3):
        deployment.produce("user-behavior", keyed(events[part * 1_500 : (part + 1) * 1_500]))
        worker = deployment.worker("sessions,affinity")
        worker.wait_ready()
        deployment.wait_until_processed()
        assert worker.stop() == 0
        if part == 1:
            for path in sorted((tmp_path / "state").rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
    assert_rows_are_exact(deployment, events)


def test_a_broker_outage_and_a_second_worker_lose_nothing(
    deployment: Deployment, own_broker: StartableKafka
) -> None:
    """After a broker outage, and while a worker joins and leaves, the workers need no help."""
    events = baskets(6_000)
    workers = [deployment.worker("sessions,affinity")]
    workers[0].wait_ready()
    deployment.produce("user-behavior", keyed(events[:3_000]))
    own_broker.kill()
    time.sleep(4.0)
    own_broker.restart()
    workers.append(deployment.worker("sessions,affinity"))
    deployment.produce("user-behavior", keyed(events[3_000:4_500]))
    workers[1].wait_ready()
    deployment.produce("user-behavior", keyed(events[4_500:]))
    time.sleep(1.0)
    assert workers[1].stop() == 0
    deployment.wait_until_processed()
    assert workers[0].process.poll() is None
    # Read before the next kill: after it, the broker first serves only records below its last checkpoint
    # of the high watermark.
    assert_rows_are_exact(deployment, events)
    own_broker.kill()
    time.sleep(1.0)
    assert workers[0].stop() == 0
