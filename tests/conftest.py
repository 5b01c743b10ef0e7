"""Fixtures for all tests: a real Kafka, the embedded broker, and unique names."""

import os
import uuid
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, settings

from streams.embedded import EmbeddedBroker
from tests.support.broker import Kafka, KafkaUnavailable, StartableKafka
from tests.support.kafka import own_kafka, running_kafka


def unavailable(error: KafkaUnavailable) -> None:
    """Skip the test with the reason. Fail it if SHELFSTREAM_REQUIRE_KAFKA is 1, as in CI."""
    if os.environ.get("SHELFSTREAM_REQUIRE_KAFKA") == "1":
        pytest.fail(f"SHELFSTREAM_REQUIRE_KAFKA=1, but {error}")
    pytest.skip(str(error))


# A slow machine is no failure of the code under test.
settings.register_profile("shelfstream", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shelfstream")


@pytest.fixture(scope="session")
def kafka() -> Iterator[Kafka]:
    """A running real Kafka that the whole test run shares. Use `unique` for names of topics and groups."""
    try:
        running = running_kafka()
        server = running.__enter__()
    except KafkaUnavailable as error:
        unavailable(error)
        raise
    try:
        yield server
    finally:
        running.__exit__(None, None, None)


@pytest.fixture
def own_broker() -> Iterator[StartableKafka]:
    """A running real Kafka for one test, which may stop, kill and restart it."""
    try:
        server = own_kafka()
        server.start()
    except KafkaUnavailable as error:
        unavailable(error)
        raise
    try:
        yield server
    finally:
        server.remove()


@pytest.fixture
def embedded() -> Iterator[EmbeddedBroker]:
    """A new embedded broker."""
    with EmbeddedBroker() as broker:
        yield broker


@pytest.fixture
def unique() -> Callable[[str], str]:
    """A function that makes names no other test uses: `unique("orders")` returns `orders-1f3a9c2e`."""
    suffix = uuid.uuid4().hex[:8]
    return lambda name: f"{name}-{suffix}"
