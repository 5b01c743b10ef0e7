"""Pseudonyms on a real Kafka: no topic of a worker has an id, and an erasure takes the id."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from schemas.pseudonyms import Pseudonyms
from tests.support.broker import StartableKafka
from tests.support.deployment import Deployment

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]

KEYS = "k1:0123456789abcdef0123456789abcdef"
WRITTEN = ("shelfstream-shoppers-changelog", "shopper-updated", "shopper-repartition", "dead-letter")


@pytest.fixture
def deployment(own_broker: StartableKafka, tmp_path: Path) -> Iterator[Deployment]:
    file = tmp_path / "pseudonym-keys"
    file.write_text(f"{KEYS}\n", "utf-8")
    with Deployment(own_broker.bootstrap, tmp_path, agents="sessions", pseudonym_keys_file=file) as running:
        yield running


def view(shopper: str, product: str, **more: object) -> tuple[bytes, bytes]:
    at = (datetime.now(UTC) - timedelta(minutes=5)).isoformat()
    event = {"user_id": shopper, "product_id": product, "action": "view", "occurred_at": at}
    return shopper.encode(), orjson.dumps(event | more)


def whole(part: str | bytes | None) -> bytes:
    return part.encode() if isinstance(part, str) else part or b""


def test_ids_stay_in_user_behavior_and_an_erasure_takes_the_id(deployment: Deployment) -> None:
    shoppers = [f"ana-{number:03}" for number in range(40)]
    deployment.produce("user-behavior", [view(name, f"p{n}") for name in shoppers for n in range(3)])
    deployment.produce("user-behavior", [view(name, "p", action="glance") for name in shoppers])
    worker = deployment.worker()
    worker.wait_ready()
    deployment.wait_until_processed()
    of = Pseudonyms.parse(KEYS).of
    for topic in WRITTEN:
        messages = deployment.read(topic)
        assert messages
        for message in messages:
            parts = [whole(message.key()), whole(message.value())]
            parts += [whole(value) for _, value in message.headers() or ()]
            assert not any(b"ana-" in part for part in parts), topic
    assert {whole(message.key()).decode() for message in deployment.read("shopper-updated")} == set(
        map(of, shoppers)
    )

    erased = deployment.run("erase", "--shopper", shoppers[0], "--verify", "--yes")
    assert "dead-letter: 1 erased" in erased.stdout
    assert "Verified" in erased.stdout
    latest = {whole(message.key()): message.value() for message in deployment.read("shopper-updated")}
    assert [key.decode() for key, value in latest.items() if value is None] == [of(shoppers[0])]
    requests = [each for each in deployment.read("user-behavior") if each.value() is None]
    assert {whole(each.key()).decode() for each in requests} == {of(shoppers[0])}
    assert worker.stop() == 0
    assert b"ana-" not in worker.log.read_bytes()
