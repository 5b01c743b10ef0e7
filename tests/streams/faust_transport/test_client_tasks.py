"""The consumer waits for Kafka at its start, and the end of its background tasks is noticed."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError

from streams.faust_transport import client_tasks
from streams.faust_transport.client_tasks import ended_task, start_when_reachable


class FakeConsumer:
    """A consumer whose start fails with an error, or succeeds."""

    def __init__(self, error: Exception | None) -> None:
        self._error = error
        self.stopped = False

    async def start(self) -> None:
        if self._error is not None:
            raise self._error

    async def stop(self) -> None:
        self.stopped = True


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_tasks, "_BACKOFF_MIN_S", 0.0)
    monkeypatch.setattr(client_tasks, "_BACKOFF_MAX_S", 0.001)


async def test_a_consumer_waits_for_kafka_and_leaves_no_failed_client_behind() -> None:
    away = KafkaConnectionError("no broker")
    made = [FakeConsumer(away), FakeConsumer(away), FakeConsumer(None)]
    rest = iter(made)
    await start_when_reachable(lambda: next(rest), lambda: False)
    assert list(rest) == []
    assert [each.stopped for each in made] == [True, True, False]


async def test_a_worker_that_stops_waits_no_longer() -> None:
    with pytest.raises(KafkaConnectionError):
        await start_when_reachable(lambda: FakeConsumer(KafkaConnectionError()), lambda: True)


async def test_another_error_at_the_start_is_raised() -> None:
    with pytest.raises(ValueError, match="settings"):
        await start_when_reachable(lambda: FakeConsumer(ValueError("settings")), lambda: False)


async def fail() -> None:
    raise AssertionError("two errors for one partition")


@pytest.mark.parametrize("ended", ["fetching", "group membership", None])
async def test_the_end_of_a_background_task_is_reported_with_its_error(ended: str | None) -> None:
    tasks = {
        name: asyncio.create_task(fail() if name == ended else asyncio.sleep(60))
        for name in ("fetching", "group membership")
    }
    await asyncio.sleep(0.01)
    consumer: Any = SimpleNamespace(
        _closed=False,
        _fetcher=SimpleNamespace(_fetch_task=tasks["fetching"]),
        _coordinator=SimpleNamespace(_coordination_task=tasks["group membership"]),
    )
    failure = ended_task(consumer)
    if ended is None:
        assert failure is None
    else:
        assert failure is not None
        assert ended in failure
        assert "two errors for one partition" in failure
    consumer._closed = True
    assert ended_task(consumer) is None
    for task in tasks.values():
        task.cancel()
    await asyncio.gather(*tasks.values(), return_exceptions=True)
    consumer._closed = False
    assert ended is not None or ended_task(consumer) is None
