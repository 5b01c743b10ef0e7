"""Guests who log in, on a real Kafka: each is one shopper afterwards, also if a worker is killed."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from models.behavior.delta_codec import decode_deltas
from models.behavior.sessions import ShopperRow
from tests.support.broker import StartableKafka
from tests.support.deployment import Deployment
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]

SHOPPERS = range(150)
VISIT = datetime.now(UTC) - timedelta(hours=1)


@pytest.fixture
def deployment(own_broker: StartableKafka, tmp_path: Path) -> Iterator[Deployment]:
    with Deployment(own_broker.bootstrap, tmp_path, agents="sessions", batch_max_records=20) as running:
        yield running


def view(number: int, minute: int, *, as_user: bool) -> tuple[bytes, bytes]:
    """Return a record: the shopper's view of a product of its own for each minute."""
    event = {
        "occurred_at": (VISIT + timedelta(minutes=minute)).isoformat(),
        "product_id": f"{number}-{minute}",
        "action": "view",
        "anonymous_id": f"cookie-{number}",
        "session_id": f"visit-{number}",
        "event_id": f"{number}-{minute}",
    }
    if as_user:
        event["user_id"] = f"user-{number}"
    return (f"user-{number}" if as_user else f"cookie-{number}").encode(), orjson.dumps(event)


def rows_with_behavior(deployment: Deployment) -> dict[str, list[int]]:
    """The numbers of events in the sessions of each row that is left in the changelog."""
    latest = {
        (message.partition(), message.key()): message.value()
        for message in deployment.read("shelfstream-shoppers-changelog")
    }
    rows = {
        key.decode(): ShopperRow.from_bytes(value)
        for (_, key), value in latest.items()
        if value is not None and not key.startswith(b"\x00")
    }
    return {
        shopper: [session.events for session in row.sessions]
        for shopper, row in rows.items()
        if row.has_behavior
    }


def pair_support(deployment: Deployment) -> dict[tuple[str, str], int]:
    """The sessions in which each pair was counted, in one direction."""
    support: Counter[tuple[str, str]] = Counter()
    for message in deployment.read("co-behavior"):
        deltas = decode_deltas(message.value() or b"")
        for row in range(len(deltas)):
            pair = deltas.ids[deltas.product[row]], deltas.ids[deltas.neighbor[row]]
            if pair[0] < pair[1]:
                support[pair] += int(deltas.support[row])
    return {pair: count for pair, count in support.items() if count}


def test_a_guest_who_logs_in_is_one_shopper_whoever_is_killed(deployment: Deployment) -> None:
    """Two views as guest, one as user, and one that the front end still sends without the user."""
    for minute, as_user in enumerate((False, False, True)):
        deployment.produce("user-behavior", [view(each, minute, as_user=as_user) for each in SHOPPERS])
    first = deployment.worker()
    first.wait_ready()
    wait_until(lambda: bool(deployment.read("shopper-repartition")))
    first.kill()
    worker = deployment.worker()
    worker.wait_ready()
    deployment.wait_until_processed()
    deployment.produce("user-behavior", [view(each, 3, as_user=False) for each in SHOPPERS])
    deployment.wait_until_processed()
    assert worker.stop() == 0

    assert rows_with_behavior(deployment) == {f"user-{each}": [4] for each in SHOPPERS}
    published = {message.key(): message.value() for message in deployment.read("shopper-updated")}
    assert {key for key, value in published.items() if value is not None} == {
        f"user-{each}".encode() for each in SHOPPERS
    }
    assert pair_support(deployment) == {
        (f"{each}-{one}", f"{each}-{other}"): 1
        for each in SHOPPERS
        for one in range(4)
        for other in range(one + 1, 4)
    }
    assert deployment.read("dead-letter") == []
