"""`shelfstream status` prints a worker's status page, and reports a worker that does not answer."""

import asyncio
from collections.abc import AsyncIterator

import orjson
import pytest
from aiohttp.test_utils import TestServer
from click.testing import CliRunner, Result

from streams.commands.operate.status import status as command
from streams.observability.health import HealthServer
from streams.observability.metrics import Metrics
from streams.observability.status import DriftStatus, WorkerStatus


@pytest.fixture
def status() -> WorkerStatus:
    status = WorkerStatus(worker_id="w1", agents=("enrich",), model_version="student-1", joined=True)
    status.lane("enrich", "product-created", 0).committed(1234, 10.0)
    return status


@pytest.fixture
async def url(status: WorkerStatus) -> AsyncIterator[str]:
    async with TestServer(HealthServer(status, Metrics(), clock=lambda: 10.0).application()) as server:
        yield str(server.make_url("/"))


async def shown(*arguments: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, command, arguments)


async def test_a_ready_worker_is_shown_with_its_lanes_warnings_and_drift(
    status: WorkerStatus, url: str
) -> None:
    status.drift = DriftStatus(900, None, {"language": (0.3, "drifted"), "depth": (0.02, "stable")})
    result = await shown("--url", url)
    assert result.exit_code == 0
    for part in (
        "w1: ready, student-1",
        "warning: language has drifted",
        "enrich product-created-0",
        "1,234",
    ):
        assert part in result.stdout
    for row in ("0.300", "drifted", "0.020", "stable", "over 900 listings"):
        assert row in result.stdout


async def test_the_reason_is_shown_where_drift_is_not_measured(status: WorkerStatus, url: str) -> None:
    status.drift = DriftStatus(0, "no snapshot", {})
    assert "drift: not measured, no snapshot" in (await shown("--url", url)).stdout


async def test_an_unready_worker_is_exit_1_with_its_reasons_also_as_json(
    status: WorkerStatus, url: str
) -> None:
    status.broker_error = "refused\x1b[2J"
    result = await shown("--url", url)
    assert result.exit_code == 1
    assert "reason: Kafka is unreachable: refused\\x1b[2J" in result.stdout
    result = await shown("--url", url, "--json")
    assert result.exit_code == 1
    assert orjson.loads(result.stdout)["reasons"] == ["Kafka is unreachable: refused\x1b[2J"]


async def test_a_worker_that_does_not_answer_is_reported(url: str) -> None:
    result = await shown("--url", f"{url}nowhere")
    assert result.exit_code == 1
    assert "No worker answers" in result.stderr
