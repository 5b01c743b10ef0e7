"""The start and the background tasks of aiokafka's consumer."""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog
from aiokafka.errors import KafkaConnectionError, NodeNotReadyError

from streams.backoff import Backoff

log = structlog.get_logger()

_BACKOFF_MIN_S = 0.5
_BACKOFF_MAX_S = 5.0


async def start_when_reachable(create: Callable[[], Any], should_stop: Callable[[], bool]) -> None:
    """Start a consumer, and wait for Kafka if it went away since the topics were verified.

    Args:
        create: Creates a consumer that is not started. It is called for each attempt.
        should_stop: Whether the application stops meanwhile.

    Raises:
        KafkaConnectionError: No broker can be reached, and the application stops.
    """
    backoff = Backoff(_BACKOFF_MIN_S, _BACKOFF_MAX_S)
    while True:
        consumer = create()
        try:
            await consumer.start()
        except (KafkaConnectionError, NodeNotReadyError) as error:
            await consumer.stop()
            if should_stop():
                raise
            wait_s = backoff.next()
            log.warning("cannot connect to Kafka, waiting", error=str(error), wait_s=round(wait_s, 1))
            await asyncio.sleep(wait_s)
        else:
            return


def ended_task(consumer: Any) -> str | None:
    """Return which background task of a consumer has ended, and why; None while all run.

    Without its fetch task a consumer delivers nothing and stays a member of its group. Without its
    coordination task it drops out of the group. aiokafka reports neither to a caller that reads its fetcher.

    Args:
        consumer: A consumer of aiokafka.
    """
    if consumer._closed or consumer._fetcher is None:
        return None
    for task, work in (
        (consumer._fetcher._fetch_task, "fetching"),
        (getattr(consumer._coordinator, "_coordination_task", None), "group membership"),
    ):
        if task is not None and task.done() and not task.cancelled():
            return f"the Kafka client ended its {work}: {task.exception()!r}"
    return None
