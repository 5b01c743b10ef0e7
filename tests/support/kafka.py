"""A real Apache Kafka for the tests that need one: given, from Docker, or from Java and Maven."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.broker import Kafka, KafkaUnavailable, StartableKafka, wait_until_ready
from tests.support.kafka_docker import DockerKafka, docker_answers
from tests.support.kafka_process import JARS
from tests.support.kafka_server import KafkaServer


class GivenKafka:
    """The broker at the address in KAFKA_BOOTSTRAP_SERVERS. Tests do not stop it.

    Args:
        bootstrap: The broker's address.
    """

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        wait_until_ready(bootstrap, lambda: None)


def own_kafka(*, for_speed: bool = False) -> StartableKafka:
    """Create a broker that is not started: from Docker if its engine answers, else from Java and Maven.

    Args:
        for_speed: Whether the broker is tuned for benchmarks rather than for a quick start.

    Raises:
        KafkaUnavailable: There is neither Docker nor Java with Maven.
    """
    if docker_answers():
        return DockerKafka(for_speed=for_speed)
    if JARS.exists() or shutil.which("mvn"):
        if shutil.which("java"):
            return KafkaServer(for_speed=for_speed)
        raise KafkaUnavailable("no Docker engine answers and `java` is not on the path")
    raise KafkaUnavailable(
        "no real Kafka: set KAFKA_BOOTSTRAP_SERVERS, start a Docker engine, or install Java 17 and Maven"
    )


@contextmanager
def running_kafka() -> Iterator[Kafka]:
    """Provide a running broker: the given one, or a new one that ends with the `with` block.

    Raises:
        KafkaUnavailable: There is none and none can be started.
    """
    given = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    if given:
        yield GivenKafka(given)
        return
    server = own_kafka()
    try:
        server.start()
        yield server
    finally:
        server.remove()
