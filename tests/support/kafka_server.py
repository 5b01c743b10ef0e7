"""An Apache Kafka of one broker, as a Java process."""

import shutil
import signal
import tempfile
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.broker import BROKER_CONFIG, free_ports, wait_until_ready
from tests.support.kafka_process import QUICK_START, KafkaProcess


@dataclass(frozen=True)
class Listener:
    """A further listener of the broker.

    Attributes:
        protocol: Its security protocol.
        config: Its configuration entries, without the prefix that names the listener.
        host: The host that it listens at and advertises.
    """

    protocol: str
    config: Mapping[str, str] = field(default_factory=dict)
    host: str = "127.0.0.1"


class KafkaServer:
    """An Apache Kafka process: broker and controller in one, with data in a temporary directory.

    Args:
        listeners: Listeners by name, besides the one without security at `bootstrap`.
        config: More configuration entries of the broker.
        format_options: More options of the command that formats the storage.
        for_speed: Whether the broker has a larger heap and Java's optimizing compiler, for benchmarks.

    Attributes:
        addresses: The addresses of the listeners by name.
    """

    def __init__(
        self,
        listeners: Mapping[str, Listener] | None = None,
        *,
        config: Mapping[str, str] | None = None,
        format_options: Iterable[str] = (),
        for_speed: bool = False,
    ) -> None:
        listeners = listeners or {}
        self._folder = Path(tempfile.mkdtemp(prefix="shelfstream-kafka-"))
        port, controller_port, *ports = free_ports(2 + len(listeners))
        self.bootstrap = f"127.0.0.1:{port}"
        self.addresses = {
            name: f"{listener.host}:{port}"
            for (name, listener), port in zip(listeners.items(), ports, strict=True)
        }
        properties = BROKER_CONFIG | {
            "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
            "listeners": f"PLAINTEXT://{self.bootstrap},CONTROLLER://127.0.0.1:{controller_port}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
        }
        if for_speed:
            # A busy disk delays heartbeats: a benchmark must not measure an election.
            properties["broker.session.timeout.ms"] = "30000"
        for name, listener in listeners.items():
            properties |= _listener(properties, name, listener, self.addresses[name])
        properties |= config or {}
        java_options = ["-Xmx1g"] if for_speed else ["-Xmx512m", *QUICK_START]
        self._process = KafkaProcess(self._folder, "Kafka", properties, java_options, format_options)

    @property
    def pid(self) -> int | None:
        """The id of the process. None while it does not run."""
        return self._process.pid

    def start(self) -> None:
        """Start the broker with its port and data, and wait until it answers."""
        if self.pid is not None:
            return
        self._process.start(uuid.uuid4().hex[:22])
        wait_until_ready(self.bootstrap, self._process.why_ended)

    def stop(self) -> None:
        """Shut the broker down. The data stay for the next start."""
        self._process.end(signal.SIGTERM)

    def kill(self) -> None:
        """End the broker with SIGKILL, as a power cut would. The data stay for the next start."""
        self._process.end(signal.SIGKILL)

    def restart(self) -> None:
        """Shut the broker down and start it with the same port and data."""
        self.stop()
        self.start()

    def remove(self) -> None:
        """End the broker and delete its data."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)


def _listener(config: Mapping[str, str], name: str, listener: Listener, address: str) -> dict[str, str]:
    """The configuration entries that add a listener."""
    more = {
        "listeners": f"{name}://{address}",
        "advertised.listeners": f"{name}://{address}",
        "listener.security.protocol.map": f"{name}:{listener.protocol}",
    }
    return {entry: f"{config[entry]},{value}" for entry, value in more.items()} | {
        f"listener.name.{name.lower()}.{entry}": value for entry, value in listener.config.items()
    }


def plain_users(passwords: Mapping[str, str]) -> dict[str, str]:
    """The configuration entries of a listener that admits these users with SASL PLAIN."""
    users = " ".join(f'user_{name}="{password}"' for name, password in passwords.items())
    module = "org.apache.kafka.common.security.plain.PlainLoginModule"
    return {"sasl.enabled.mechanisms": "PLAIN", "plain.sasl.jaas.config": f"{module} required {users};"}
