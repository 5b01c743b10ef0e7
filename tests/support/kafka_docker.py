"""An Apache Kafka in a Docker container."""

import functools
import shutil
import subprocess
from typing import Any

from tests.support.broker import BROKER_CONFIG, VERSION, free_ports, wait_until_ready


class DockerKafka:
    """An Apache Kafka container on a fixed local port.

    Args:
        for_speed: Whether the broker has a larger heap, for benchmarks.
    """

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
        """Start the broker with its port and data, and wait until it answers."""
        if self._started:
            self._container.get_wrapped_container().start()
        else:
            self._container.start()
            self._started = True
        wait_until_ready(self.bootstrap, lambda: None)

    def stop(self) -> None:
        """Shut the broker down. The data stay for the next start."""
        self._container.get_wrapped_container().stop(timeout=60)

    def kill(self) -> None:
        """End the broker with SIGKILL, as a power cut would. The data stay for the next start."""
        self._container.get_wrapped_container().kill()

    def restart(self) -> None:
        """Shut the broker down and start it with the same port and data."""
        self.stop()
        self.start()

    def remove(self) -> None:
        """End the broker and delete its data."""
        if self._started:
            self._container.stop()


@functools.cache
def docker_answers() -> bool:
    """Whether a Docker engine answers."""
    if shutil.which("docker") is None:
        return False
    try:
        done = subprocess.run(["docker", "version"], capture_output=True, timeout=30, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0
