"""Both Kafka clients log in with a password, and report a wrong one."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from msgspec.structs import replace

from schemas.errors import StopWorker
from streams.clients import aiokafka_options, confluent_options
from streams.replay.broker_admin import BrokerAdmin
from streams.settings import Settings
from tests.conftest import unavailable
from tests.support.broker import KafkaUnavailable
from tests.support.kafka_server import KafkaServer, Listener, plain_users
from tests.support.topic import create_topic


def test_confluent_clients_get_the_paths_of_tls_files() -> None:
    settings = Settings(
        security_protocol="SSL",
        ssl_cafile=Path("ca.pem"),
        ssl_certfile=Path("c.pem"),
        ssl_keyfile=Path("k.pem"),
    )
    options = confluent_options(settings)
    assert options["ssl.ca.location"] == "ca.pem"
    assert options["ssl.certificate.location"] == "c.pem"
    assert options["ssl.key.location"] == "k.pem"


def test_without_sasl_no_client_gets_the_password() -> None:
    settings = Settings(sasl_username="me", sasl_password="secret")
    assert "secret" not in str(confluent_options(settings))
    assert "secret" not in str(aiokafka_options(settings))


@pytest.fixture(scope="module")
def guarded() -> Iterator[Settings]:
    """Settings with the password of a broker that requires one."""
    if shutil.which("java") is None:
        unavailable(KafkaUnavailable("a broker with passwords needs Java: install Java 17 and Maven"))
    server = KafkaServer({"PASSWORDS": Listener("SASL_PLAINTEXT", plain_users({"shop": "open sesame"}))})
    try:
        server.start()
        create_topic(Settings(bootstrap_servers=server.bootstrap), "orders")
        yield Settings(
            bootstrap_servers=server.addresses["PASSWORDS"],
            security_protocol="SASL_PLAINTEXT",
            sasl_username="shop",
            sasl_password="open sesame",
        )
    finally:
        server.remove()


@pytest.mark.kafka
async def test_both_clients_log_in_with_sasl_plain(guarded: Settings) -> None:
    assert "orders" in BrokerAdmin(guarded).topics()
    async with AIOKafkaProducer(**aiokafka_options(guarded)) as producer:
        await producer.send_and_wait("orders", b"one", partition=0)
    options = aiokafka_options(guarded) | {"auto_offset_reset": "earliest"}
    async with AIOKafkaConsumer("orders", **options) as consumer:
        assert (await consumer.getone()).value == b"one"


@pytest.mark.kafka
def test_a_wrong_password_stops_with_the_reason(guarded: Settings) -> None:
    with pytest.raises(StopWorker, match=r"refuses the user .shop. with PLAIN"):
        BrokerAdmin(replace(guarded, sasl_password="guessed")).topics()
