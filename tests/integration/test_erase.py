"""`shelfstream erase` on a real Kafka: a shopper is gone, and no replay brings the shopper back."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
from confluent_kafka import Message

from tests.support.broker import StartableKafka
from tests.support.deployment import Deployment
from tests.support.waiting import wait_until
from tests.support.worker_process import WorkerProcess

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]

COMPACTED = ("shelfstream-shoppers-changelog", "shopper-updated")


@pytest.fixture
def deployment(own_broker: StartableKafka, tmp_path: Path) -> Iterator[Deployment]:
    with Deployment(own_broker.bootstrap, tmp_path, agents="sessions") as running:
        yield running


def view(shopper: str | None, product: str, **more: object) -> bytes:
    at = (datetime.now(UTC) - timedelta(minutes=5)).isoformat()
    event = {"user_id": shopper, "product_id": product, "action": "view", "occurred_at": at}
    return orjson.dumps(event | more)


def counted(worker: WorkerProcess, message: str) -> int:
    """Add the counts of a message in the worker's log."""
    lines = [orjson.loads(line) for line in worker.log.read_bytes().splitlines() if line.startswith(b"{")]
    return sum(int(line["count"]) for line in lines if line.get("event") == message)


def text(part: str | bytes | None) -> bytes:
    return part.encode() if isinstance(part, str) else part or b""


def latest(messages: list[Message]) -> dict[bytes, bytes]:
    """What is left of a compacted topic after its compaction: the last value of each key, or empty."""
    ordered = sorted(messages, key=lambda message: (message.partition() or 0, message.offset() or 0))
    return {text(message.key()): text(message.value()) for message in ordered}


def assert_forgotten(deployment: Deployment, names: list[bytes], shoppers: set[bytes]) -> None:
    """No value holds one of the names, and exactly these shoppers are left."""
    for topic in COMPACTED:
        left = {key: value for key, value in latest(deployment.read(topic)).items() if value}
        assert not [value for value in left.values() if any(name in value for name in names)], topic
        assert {key for key in left if not key.startswith(b"\x00")} == shoppers
    for message in deployment.read("dead-letter"):
        assert not any(name in text(message.key()) + text(message.value()) for name in names)


def test_a_shopper_is_erased_and_stays_erased(deployment: Deployment) -> None:
    events: list[tuple[bytes | None, bytes | None]] = []
    for number in range(30):
        events += [
            (b"ana-7f3", view("ana-7f3", f"p{number}", session_id="session-of-ana")),
            (b"session-of-ana", view(None, f"p{number}", session_id="session-of-ana")),
            (b"bob", view("bob", f"p{number}", session_id="session-of-bob")),
            (None, view("ana-7f3", f"q{number}")),
        ]
    events += [(b"ana-7f3", view("ana-7f3", "p", action="glance")), (b"ana-7f3", b'{"user_id": "ana-7f3"')]
    # In the partition of the erased dead letters, so that they are written again.
    events += [(b"ana-7f3", b"of nobody"), (b"ana-7f3", view("ana-7f3", "p", action="stare"))]
    events += [(b"bob", view("bob", "p", action=f"glance {number}")) for number in range(1, 6)]
    deployment.produce("user-behavior", events)
    worker = deployment.worker()
    worker.wait_ready()
    deployment.wait_until_processed()
    assert any(b"ana-7f3" in text(message.key()) for message in deployment.read("dead-letter"))

    dry = deployment.run("erase", "--shopper", "ana-7f3", "--dry-run")
    assert "1 shoppers would be erased, and 4 dead letters" in dry.stdout
    erased = deployment.run("erase", "--shopper", "ana-7f3", "--find-guests", "--verify", "--yes")
    assert "1 guests with a session of the shopper: session-of-ana" in erased.stdout
    assert "dead-letter: 4 erased" in erased.stdout
    assert "Verified" in erased.stdout
    names = [b"ana-7f3", b"session-of-ana"]
    assert_forgotten(deployment, names, {b"bob"})
    letters = [orjson.loads(line) for line in deployment.run("dead-letters", "export").stdout.splitlines()]
    assert [letter["key"] for letter in letters] == ["bob"] * 5

    # What was read before, and what arrives late, changes nothing. Requests are no events.
    changes = len(deployment.read("co-behavior"))
    deployment.run("replay", "user-behavior", "--from", "start")
    deployment.produce("user-behavior", [(b"ana-7f3", view("ana-7f3", "late"))])
    wait_until(lambda: counted(worker, "events of erased shoppers are ignored") == 1)
    wait_until(lambda: counted(worker, "replayed events were counted before") == len(events))
    assert worker.stop() == 0
    assert len(deployment.read("co-behavior")) == changes
    assert_forgotten(deployment, names, {b"bob"})
    entry = orjson.loads(deployment.run("audit", "--action", "erase", "--json").stdout)
    assert entry["counts"] == {"shoppers": 2, "dead letters": 4}
    assert not any(name.decode() in orjson.dumps(entry).decode() for name in names)
