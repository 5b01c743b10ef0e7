"""A worker's status: readiness, rates, the status page and the HTTP server."""

import socket
from collections.abc import AsyncIterator

import orjson
import pytest
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application, Request
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import StopWorker
from streams.lanes.observer import LaneState
from streams.observability.health import HealthServer
from streams.observability.metrics import Metrics
from streams.observability.rate import Rate
from streams.observability.status import DriftStatus, WorkerStatus
from streams.observability.status_page import render


def running_worker() -> WorkerStatus:
    status = WorkerStatus(worker_id="w1", agents=("enrich",), model_version="student-1", joined=True)
    status.lane("enrich", "product-created", 0).committed(100, 10.0)
    return status


def test_a_member_whose_lanes_all_run_is_ready() -> None:
    status = running_worker()
    assert status.unready_reasons(10.0) == []
    status.lane("enrich", "product-created", 1)
    assert status.unready_reasons(10.0) == ["enrich product-created-1 is opening"]


def test_a_member_without_partitions_is_ready() -> None:
    status = WorkerStatus()
    assert status.unready_reasons(0.0) == ["the worker has not joined its consumer group yet"]
    status.joined = True
    assert status.unready_reasons(0.0) == []


def test_each_problem_has_its_own_reason() -> None:
    status = running_worker()
    status.broker_error = "connection refused"
    status.dead_letter_ceiling = True
    status.fatal = "no model"
    lane = status.lane("enrich", "product-created", 0)
    lane.state, lane.last_error = LaneState.FENCED, "a newer owner"
    reasons = "\n".join(status.unready_reasons(10.0))
    for part in ("connection refused", "too many dead letters", "no model", "is fenced: a newer owner"):
        assert part in reasons


def test_a_restoring_lane_shows_remaining_records_and_time() -> None:
    status = WorkerStatus(joined=True)
    lane = status.lane("sessions", "user-behavior", 2)
    for second in range(11):
        lane.restored(1000, 20_000 - 1000 * second, float(second))
    (reason,) = status.unready_reasons(10.0)
    assert reason.startswith(
        "sessions user-behavior-2 is restoring its state: 10,000 records left, ready in about"
    )
    assert 8 <= int(reason.split("about ")[1].split(" ")[0]) <= 11


@given(st.floats(0.5, 5000), st.floats(1, 30), st.integers(200, 400))
def test_the_rate_of_a_steady_stream_is_its_rate(per_second: float, half_life_s: float, ticks: int) -> None:
    """Also before several half-lives have passed. Sampled ten times a second."""
    rate = Rate(half_life_s)
    for tick in range(ticks):
        rate.add(0 if tick == 0 else round(per_second * 100), tick * 0.1)
    assert rate.per_second((ticks - 1) * 0.1) == pytest.approx(round(per_second * 100) * 10, rel=0.1)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.floats(0, 100)), max_size=30), st.floats(0, 1e5))
def test_a_rate_is_never_negative_and_decays(counts: list[tuple[int, float]], later: float) -> None:
    rate, now = Rate(), 0.0
    for count, pause in counts:
        now += pause
        rate.add(count, now)
    assert rate.per_second(now) >= 0
    assert rate.per_second(now + 1000 + later) <= 1


def test_the_page_escapes_its_content() -> None:
    status = running_worker()
    status.lane("enrich", "product-created", 0).last_error = "<script>alert(1)</script>"
    page = render(status.as_json(10.0))
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_the_page_shows_every_lane_with_its_numbers() -> None:
    status = running_worker()
    lane = status.lane("enrich", "product-created", 0)
    lane.lag, lane.next_offsets = 1234, {"product-created": 98765}
    status.dead_letters["malformed-json"] = 7
    page = render(status.as_json(10.0))
    for part in ("1,234", "98,765", "malformed-json", "product-created-0", "student-1", 'content="2"'):
        assert part in page


def test_drift_is_shown_and_warns_without_making_the_worker_unready() -> None:
    status = running_worker()
    status.drift = DriftStatus(900, None, {"language": (0.3, "drifted"), "depth": (0.2, "moving")})
    assert status.unready_reasons(10.0) == []
    (warning,) = status.warnings(0.0)
    assert "language has drifted" in warning
    page = render(status.as_json(10.0))
    for part in ("language", "0.300", "drifted", "moving", "900", warning):
        assert part in page
    status.drift = DriftStatus(3, "no snapshot", {})
    assert status.warnings(0.0) == []
    assert "no snapshot" in render(status.as_json(10.0))


@pytest.fixture
def status() -> WorkerStatus:
    return running_worker()


@pytest.fixture
async def client(status: WorkerStatus) -> AsyncIterator[TestClient[Request, Application]]:
    metrics = Metrics()
    metrics.decisions.labels("model").inc(3)
    server = HealthServer(status, metrics, clock=lambda: 10.0)
    async with TestClient(TestServer(server.application())) as client:
        yield client


async def test_a_healthy_worker_answers_on_every_path(client: TestClient[Request, Application]) -> None:
    for path in ("/", "/live", "/ready", "/metrics", "/status.json"):
        assert (await client.get(path)).status == 200, path
    assert 'shelfstream_decisions_total{outcome="model"} 3.0' in await (await client.get("/metrics")).text()
    assert (await (await client.get("/status.json")).json())["lanes"][0]["records"] == 100


async def test_an_unready_worker_lives_and_says_why_it_is_not_ready(
    status: WorkerStatus, client: TestClient[Request, Application]
) -> None:
    status.broker_error = "connection refused"
    answer = await client.get("/ready")
    assert answer.status == 503
    assert orjson.loads(await answer.text())["reasons"] == ["Kafka is unreachable: connection refused"]
    assert (await client.get("/live")).status == 200


async def test_a_warning_is_reported_and_leaves_the_worker_ready(
    status: WorkerStatus, client: TestClient[Request, Application]
) -> None:
    status.model_trouble = "student-2 is deployed, but not in service: torn"
    answer = await client.get("/ready")
    assert answer.status == 200
    assert orjson.loads(await answer.text())["warnings"] == [status.model_trouble]
    assert status.model_trouble in await (await client.get("/")).text()


async def test_a_drifted_worker_is_ready_and_warns(
    status: WorkerStatus, client: TestClient[Request, Application]
) -> None:
    status.drift = DriftStatus(900, None, {"language": (0.3, "drifted")})
    answer = await client.get("/ready")
    assert answer.status == 200
    assert "language has drifted" in (await answer.json())["warnings"][0]
    assert (await (await client.get("/status.json")).json())["drift"]["features"]["language"][1] == "drifted"


async def test_a_failed_worker_is_not_alive(
    status: WorkerStatus, client: TestClient[Request, Application]
) -> None:
    status.fatal = "no model"
    assert (await client.get("/live")).status == 503


async def test_an_error_text_that_is_not_utf_8_is_shown_with_escapes(
    status: WorkerStatus, client: TestClient[Request, Application]
) -> None:
    """File names and foreign exceptions can have lone surrogates."""
    lane = status.lane("enrich", "product-created", 0)
    lane.state, lane.last_error = LaneState.BACKOFF, "no file a\udc80b"
    status.broker_error = "\ud800"
    for path in ("/ready", "/status.json", "/"):
        answer = await client.get(path)
        assert answer.status in {200, 503}, path
        assert "a\\udc80b" in (await answer.text()).replace("\\\\", "\\"), path


async def test_a_port_in_use_stops_the_worker_with_a_remedy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = HealthServer(WorkerStatus(), Metrics())
        with pytest.raises(StopWorker, match="SHELFSTREAM_HTTP_PORT"):
            await server.start("127.0.0.1", taken.getsockname()[1])


async def test_a_port_is_chosen_for_0_and_none_for_minus_1() -> None:
    server = HealthServer(WorkerStatus(), Metrics())
    port = await server.start("127.0.0.1", 0)
    assert port is not None
    assert port > 0
    await server.stop()
    assert await server.start("127.0.0.1", -1) is None
