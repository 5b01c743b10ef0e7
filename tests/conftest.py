"""Fixtures that all rooms share: a real Kafka, and the embedded broker."""

import os
import uuid
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, settings

from streams.embedded import EmbeddedBroker
from tests.support.kafka import Kafka, KafkaUnavailable, StartableKafka, own_kafka, running_kafka


def unavailable(why: KafkaUnavailable) -> None:
    """Skip, with the reason; or fail where a real Kafka is promised, as in CI."""
    if os.environ.get("SHELFSTREAM_REQUIRE_KAFKA") == "1":
        pytest.fail(f"SHELFSTREAM_REQUIRE_KAFKA=1, but {why}")
    pytest.skip(str(why))


# Machines that run tests are slow and noisy now and then: time is no property of the code under test.
settings.register_profile("shelfstream", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shelfstream")


@pytest.fixture(scope="session")
def kafka() -> Iterator[Kafka]:
    """A running real Kafka, shared by the whole run: name your topics and groups with `unique`."""
    try:
        running = running_kafka()
        server = running.__enter__()
    except KafkaUnavailable as why:
        unavailable(why)
        raise
    try:
        yield server
    finally:
        running.__exit__(None, None, None)


@pytest.fixture
def own_broker() -> Iterator[StartableKafka]:
    """A running real Kafka of the test's own, to stop, kill and restart."""
    try:
        server = own_kafka()
        server.start()
    except KafkaUnavailable as why:
        unavailable(why)
        raise
    try:
        yield server
    finally:
        server.remove()


@pytest.fixture
def embedded() -> Iterator[EmbeddedBroker]:
    """A fresh embedded broker."""
    with EmbeddedBroker() as broker:
        yield broker


@pytest.fixture
def unique() -> Callable[[str], str]:
    """Makes a name that no other test uses: `unique("orders")` is `orders-1f3a9c2e` all test long."""
    suffix = uuid.uuid4().hex[:8]
    return lambda name: f"{name}-{suffix}"
