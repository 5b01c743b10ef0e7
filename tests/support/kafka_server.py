"""An Apache Kafka as a Java process, with jars from Maven."""

import fcntl
import functools
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.broker import BROKER_CONFIG, VERSION, KafkaUnavailable, free_ports, wait_until_ready

POM = Path(__file__).with_name("kafka") / "pom.xml"
JARS = Path(__file__).resolve().parents[2] / "var" / f"kafka-{VERSION}"
_QUICK_START = ["-XX:TieredStopAtLevel=1"]


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
        self._options = ["-Xmx1g"] if for_speed else ["-Xmx512m", *_QUICK_START]
        self._format_options = list(format_options)
        self._folder = Path(tempfile.mkdtemp(prefix="shelfstream-kafka-"))
        port, controller_port, *ports = free_ports(2 + len(listeners))
        self.bootstrap = f"127.0.0.1:{port}"
        self.addresses = {
            name: f"{listener.host}:{port}"
            for (name, listener), port in zip(listeners.items(), ports, strict=True)
        }
        self._properties = self._folder / "server.properties"
        self._log = self._folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None
        properties = BROKER_CONFIG | {
            "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
            "listeners": f"PLAINTEXT://{self.bootstrap},CONTROLLER://127.0.0.1:{controller_port}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
            "log.dirs": str(self._folder / "data"),
        }
        if for_speed:
            # A busy disk delays heartbeats: a benchmark must not measure an election.
            properties["broker.session.timeout.ms"] = "30000"
        for name, listener in listeners.items():
            properties |= _listener(properties, name, listener, self.addresses[name])
        properties |= config or {}
        self._properties.write_text("".join(f"{name}={value}\n" for name, value in properties.items()))

    @property
    def pid(self) -> int | None:
        """The id of the process. None while it does not run."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start the broker with its port and data, and wait until it answers."""
        if self.pid is not None:
            return
        if not (self._folder / "data").exists():
            cluster = uuid.uuid4().hex[:22]
            arguments = ["format", "-t", cluster, "-c", str(self._properties), *self._format_options]
            command = _java(["-Xmx64m", *_QUICK_START], "kafka.tools.StorageTool", *arguments)
            done = subprocess.run(command, capture_output=True, check=False)
            if done.returncode:
                raise KafkaUnavailable(f"formatting Kafka's storage failed: {done.stderr.decode()[-2000:]}")
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                _java(self._options, "kafka.Kafka", str(self._properties)),
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C must not reach the broker: the tests stop it
            )
        wait_until_ready(self.bootstrap, self._why_ended)

    def stop(self) -> None:
        """Shut the broker down. The data stay for the next start."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the broker with SIGKILL, as a power cut would. The data stay for the next start."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Shut the broker down and start it with the same port and data."""
        self.stop()
        self.start()

    def remove(self) -> None:
        """End the broker and delete its data."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(60)
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


@functools.cache
def jars() -> Path:
    """The directory with the broker's jars. The first call of all processes copies them with Maven."""
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
