"""A real Apache Kafka for the tests that need one: given, from Docker, or from Java and Maven."""

import fcntl
import functools
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

VERSION = "4.1.1"
ROOT = Path(__file__).resolve().parents[2]
POM = Path(__file__).with_name("kafka") / "pom.xml"
JARS = ROOT / "var" / f"kafka-{VERSION}"
READY_WITHIN_S = 180.0
_QUICK_START = ["-XX:TieredStopAtLevel=1"]

# Small where the default is meant for a cluster, so that a broker starts and a group forms at once.
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


class KafkaUnavailable(Exception):
    """No real Kafka can be had here; the message says why and what would help."""


class Kafka(Protocol):
    """A running broker, wherever it runs."""

    bootstrap: str


class StartableKafka(Kafka, Protocol):
    """A broker of one's own, that a test may stop and kill."""

    def start(self) -> None:
        """Start it on its port with its data, and wait until it answers."""

    def stop(self) -> None:
        """Let it shut down cleanly; the data stay for the next start."""

    def kill(self) -> None:
        """End it at once, as a power cut would; the data stay for the next start."""

    def restart(self) -> None:
        """Stop it cleanly and start it with the same port and data."""

    def remove(self) -> None:
        """End it and delete its data."""


class GivenKafka:
    """The broker at the address in KAFKA_BOOTSTRAP_SERVERS, which is not ours to stop."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        wait_until_ready(bootstrap, lambda: None)


class KafkaServer:
    """An Apache Kafka process: KRaft, broker and controller in one, with its data in a temporary folder.

    Args:
        passwords: if given, its users by name: a second address, `sasl_bootstrap`, lets only them in.
        for_speed: with a larger heap and Java's optimizing compiler, which tests are over before they need.
    """

    def __init__(self, passwords: Mapping[str, str] | None = None, *, for_speed: bool = False) -> None:
        self._options = ["-Xmx1g"] if for_speed else ["-Xmx512m", *_QUICK_START]
        self._folder = Path(tempfile.mkdtemp(prefix="shelfstream-kafka-"))
        port, controller_port, sasl_port = free_ports(3)
        self.bootstrap = f"127.0.0.1:{port}"
        self.sasl_bootstrap = f"127.0.0.1:{sasl_port}"
        self._properties = self._folder / "server.properties"
        self._log = self._folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None
        config = BROKER_CONFIG | {
            "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
            "listeners": f"PLAINTEXT://{self.bootstrap},CONTROLLER://127.0.0.1:{controller_port}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
            "log.dirs": str(self._folder / "data"),
        }
        if for_speed:
            # A busy disk delays heartbeats, and what is measured must not be an election.
            config["broker.session.timeout.ms"] = "30000"
        if passwords is not None:
            config |= _sasl_listener(config, self.sasl_bootstrap, passwords)
        self._properties.write_text("".join(f"{name}={value}\n" for name, value in config.items()))

    @property
    def pid(self) -> int | None:
        """The process, or None while it does not run."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start it on its port with its data, and wait until it answers."""
        if self.pid is not None:
            return
        if not (self._folder / "data").exists():
            cluster = uuid.uuid4().hex[:22]
            arguments = ["format", "-t", cluster, "-c", str(self._properties)]
            format_it = _java(["-Xmx64m", *_QUICK_START], "kafka.tools.StorageTool", *arguments)
            done = subprocess.run(format_it, capture_output=True, check=False)
            if done.returncode:
                raise KafkaUnavailable(f"formatting Kafka's storage failed: {done.stderr.decode()[-2000:]}")
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                _java(self._options, "kafka.Kafka", str(self._properties)),
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the tests; they stop the broker themselves
            )
        wait_until_ready(self.bootstrap, self._why_ended)

    def stop(self) -> None:
        """Let it shut down cleanly; the data stay for the next start."""
        self._end(signal.SIGTERM, within_s=60)

    def kill(self) -> None:
        """End it at once, as a power cut would; the data stay for the next start."""
        self._end(signal.SIGKILL, within_s=60)

    def restart(self) -> None:
        """Stop it cleanly and start it with the same port and data."""
        self.stop()
        self.start()

    def remove(self) -> None:
        """End it and delete its data."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _end(self, how: signal.Signals, within_s: float) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _why_ended(self) -> str | None:
        if self.pid is not None:
            return None
        return f"Kafka ended; the end of its log: {self._log.read_text(errors='replace')[-3000:]}"


def _java(options: list[str], *command: str) -> list[str]:
    common = ["-XX:+UseSerialGC", "-Xshare:auto", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
    return ["java", *options, *common, "-cp", f"{jars()}/*", *command]


def _sasl_listener(config: Mapping[str, str], address: str, passwords: Mapping[str, str]) -> dict[str, str]:
    """The entries that add a listener with SASL PLAIN and these users to a broker's configuration."""
    users = " ".join(f'user_{name}="{password}"' for name, password in passwords.items())
    module = "org.apache.kafka.common.security.plain.PlainLoginModule"
    more = {
        "listeners": f"SASL_PLAINTEXT://{address}",
        "advertised.listeners": f"SASL_PLAINTEXT://{address}",
        "listener.security.protocol.map": "SASL_PLAINTEXT:SASL_PLAINTEXT",
    }
    return {name: f"{config[name]},{value}" for name, value in more.items()} | {
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.sasl_plaintext.plain.sasl.jaas.config": f"{module} required {users};",
    }


class DockerKafka:
    """An Apache Kafka container on a fixed local port."""

    def __init__(self, *, for_speed: bool = False) -> None:
        from testcontainers.core.container import DockerContainer

        self._port = free_ports(1)[0]
        self.bootstrap = f"127.0.0.1:{self._port}"
        self._container: Any = DockerContainer(f"apache/kafka:{VERSION}").with_bind_ports(9092, self._port)
        self._started = False
        config = BROKER_CONFIG | {
            "controller.quorum.voters": "1@localhost:9093",
            "listeners": "PLAINTEXT://:9092,CONTROLLER://:9093",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self._port}",
            "heap.opts": "-Xmx1g" if for_speed else "-Xmx512m",
        }
        for name, value in config.items():
            self._container.with_env("KAFKA_" + name.upper().replace(".", "_"), value)

    def start(self) -> None:
        """Start it on its port with its data, and wait until it answers."""
        if self._started:
            self._container.get_wrapped_container().start()
        else:
            self._container.start()
            self._started = True
        wait_until_ready(self.bootstrap, lambda: None)

    def stop(self) -> None:
        """Let it shut down cleanly; the data stay for the next start."""
        self._container.get_wrapped_container().stop(timeout=60)

    def kill(self) -> None:
        """End it at once, as a power cut would; the data stay for the next start."""
        self._container.get_wrapped_container().kill()

    def restart(self) -> None:
        """Stop it cleanly and start it with the same port and data."""
        self.stop()
        self.start()

    def remove(self) -> None:
        """End it and delete its data."""
        if self._started:
            self._container.stop()


def own_kafka(*, for_speed: bool = False) -> StartableKafka:
    """A new broker of one's own, not started: from Docker if its engine answers, else from Java and Maven.

    Args:
        for_speed: tuned for what is measured rather than for a quick start.

    Raises:
        KafkaUnavailable: neither is there.
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
    """A running broker: the given one, or one of our own that ends with the block.

    Raises:
        KafkaUnavailable: there is none and none can be started.
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


@functools.cache
def docker_answers() -> bool:
    """Whether a Docker engine answers."""
    if shutil.which("docker") is None:
        return False
    try:
        asked = subprocess.run(["docker", "version"], capture_output=True, timeout=30, check=False)
    except subprocess.TimeoutExpired:
        return False
    return asked.returncode == 0


@functools.cache
def jars() -> Path:
    """The folder with the broker's jars; the first call of all processes copies them with Maven."""
    JARS.parent.mkdir(parents=True, exist_ok=True)
    with JARS.with_name(f"{JARS.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not JARS.exists():
            fresh = Path(tempfile.mkdtemp(prefix="kafka-", dir=JARS.parent))
            copy = ["mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies"]
            done = subprocess.run([*copy, f"-DoutputDirectory={fresh}"], capture_output=True, check=False)
            if done.returncode:
                shutil.rmtree(fresh)
                raise KafkaUnavailable(f"Maven could not copy Kafka's jars: {done.stdout.decode()[-2000:]}")
            fresh.rename(JARS)
    return JARS


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago, all different, and below those of outgoing connections.

    A client that keeps connecting to a port among the latter, while its broker is away, may end up connected
    to itself.
    """
    ports: list[int] = []
    while len(ports) < count:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in ports:
                ports.append(port)
    return ports


class _WhyEnded(Protocol):
    def __call__(self) -> str | None: ...


def wait_until_ready(bootstrap: str, why_ended: _WhyEnded) -> None:
    """Wait until the broker lists its topics.

    Raises:
        KafkaUnavailable: it ended (`why_ended` says so) or did not answer in time.
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
