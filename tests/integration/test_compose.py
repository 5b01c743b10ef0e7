"""The compose file without a Docker engine: its broker's configuration and its workers as processes."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from streams.settings import PREFIX, Settings
from tests.conftest import unavailable
from tests.support.broker import KafkaUnavailable, free_ports
from tests.support.deployment import Deployment
from tests.support.kafka_process import QUICK_START, KafkaProcess
from tests.support.kafka_server import KafkaServer

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(1500)]

COMPOSE = Path(__file__).resolve().parents[2] / "deploy" / "compose.yaml"
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text())["services"]


class ComposedKafka(KafkaServer):
    """A broker process with the configuration that the image derives from the compose file's variables.

    Addresses and directories are those of this machine.
    """

    def __init__(self) -> None:
        super().__init__()
        ports = dict(zip(("INSIDE", "OUTSIDE", "CONTROLLER"), free_ports(3), strict=True))
        variables = SERVICES["kafka"]["environment"]
        config = {
            name.removeprefix("KAFKA_").lower().replace("_", "."): value
            for name, value in variables.items()
            if name.startswith("KAFKA_") and name != "KAFKA_HEAP_OPTS"
        }
        listening = {name: f"{name}://127.0.0.1:{port}" for name, port in ports.items()}
        config["listeners"] = ",".join(listening.values())
        config["advertised.listeners"] = ",".join((listening["INSIDE"], listening["OUTSIDE"]))
        config["controller.quorum.voters"] = f"{config['node.id']}@127.0.0.1:{ports['CONTROLLER']}"
        self._process = KafkaProcess(self._folder, "Kafka", config, ["-Xmx512m", *QUICK_START])
        self.bootstrap = f"127.0.0.1:{ports['INSIDE']}"


@pytest.fixture
def broker() -> Iterator[ComposedKafka]:
    if shutil.which("java") is None:
        unavailable(KafkaUnavailable("the compose file's broker runs as a process, which needs Java"))
    composed = ComposedKafka()
    try:
        composed.start()
        yield composed
    except KafkaUnavailable as error:
        unavailable(error)
    finally:
        composed.remove()


def settings_of(service: str) -> dict[str, object]:
    """A service's settings by name, with the default timeouts instead of the short ones of `Deployment`."""
    environment = SERVICES[service]["environment"]
    defaults = Settings()
    times = ("session_timeout_s", "heartbeat_interval_s", "rebalance_timeout_s")
    return {name: getattr(defaults, name) for name in times} | {
        name.removeprefix(PREFIX).lower(): value
        for name, value in environment.items()
        if name != "SHELFSTREAM_BOOTSTRAP_SERVERS"
    }


def test_the_services_work_together_on_the_composed_broker(broker: ComposedKafka, tmp_path: Path) -> None:
    """`topics create`, then the agents in two workers, as in the profile `apart`."""
    assert SERVICES["topics"]["command"] == ["topics", "create"]
    with Deployment(broker.bootstrap, tmp_path, **settings_of("topics")) as deployment:
        for name in ("enrich", "behavior"):
            assert settings_of(name) == settings_of("topics")
            deployment.worker(SERVICES[name]["command"][-1]).wait_ready()
        deployment.produce(
            "product-created",
            [
                (f"p{number}".encode(), orjson.dumps({"product_id": f"p{number}", "title": title}))
                for number, title in enumerate(("Men's Blue Cotton Shirt", "Women's Red Wool Skirt"))
            ],
        )
        deployment.produce(
            "user-behavior",
            [
                (
                    b"u",
                    orjson.dumps(
                        {
                            "user_id": "u",
                            "product_id": f"p{number}",
                            "occurred_at": "2024-05-01T12:00:00Z",
                            "action": "purchase",
                        }
                    ),
                )
                for number in range(2)
            ],
        )
        deployment.wait_until_processed()
        assert {message.key() for message in deployment.read("product-enriched")} == {b"p0", b"p1"}
        related = {
            message.key(): [each["product_id"] for each in orjson.loads(message.value())["related"]]
            for message in deployment.read("affinity-updated")
        }
        assert related[b"p0"][:1] == ["p1"]
        assert [worker.stop() for worker in deployment.workers] == [0, 0]
