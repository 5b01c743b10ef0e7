"""What all brokers of the tests share: the interface, the configuration, and the wait for a start."""

import random
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

VERSION = "4.1.1"
READY_WITHIN_S = 180.0

BROKER_CONFIG = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "inter.broker.listener.name": "PLAINTEXT",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "auto.create.topics.enable": "false",
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "log.cleaner.threads": "1",
    "log.cleaner.dedupe.buffer.size": str(4 * 1024 * 1024),
    "log.index.size.max.bytes": str(1024 * 1024),
    "num.network.threads": "2",
    "num.io.threads": "4",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
}
"""A small broker that starts fast and whose groups form at once. Kafka's defaults are for clusters."""


class KafkaUnavailable(Exception):
    """There is no real Kafka. The message says why, and what to install or set."""


class Kafka(Protocol):
    """A running broker.

    Attributes:
        bootstrap: Its address.
    """

    bootstrap: str


class StartableKafka(Kafka, Protocol):
    """A broker that a test may stop and kill."""

    def start(self) -> None:
        """Start the broker with its port and data, and wait until it answers."""

    def stop(self) -> None:
        """Shut the broker down. The data stay for the next start."""

    def kill(self) -> None:
        """End the broker with SIGKILL, as a power cut would. The data stay for the next start."""

    def restart(self) -> None:
        """Shut the broker down and start it with the same port and data."""

    def remove(self) -> None:
        """End the broker and delete its data."""


def free_ports(count: int) -> list[int]:
    """Find different ports that are free now, below the range of outgoing connections.

    A client that keeps connecting to a port in that range while no broker listens may connect to itself.

    Args:
        count: The number of ports.
    """
    ports: list[int] = []
    while len(ports) < count:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in ports:
                ports.append(port)
    return ports


def wait_until_ready(bootstrap: str, why_ended: Callable[[], str | None]) -> None:
    """Wait until the broker lists its topics.

    Args:
        bootstrap: The broker's address.
        why_ended: Returns why the broker's process has ended, or None while it runs.

    Raises:
        KafkaUnavailable: The broker ended, or did not answer within `READY_WITHIN_S`.
    """
    deadline = time.monotonic() + READY_WITHIN_S
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    while True:
        try:
            if admin.list_topics(timeout=0.5).brokers:
                return
        except KafkaException:
            ended = why_ended()
            if ended is not None:
                raise KafkaUnavailable(ended) from None
            if time.monotonic() > deadline:
                raise KafkaUnavailable(f"{bootstrap} did not answer in {READY_WITHIN_S:.0f} s") from None
