"""Whether Kafka lets a worker in, before the worker starts and while its lanes fail.

A password, a certificate or an ACL is mended outside of the worker. The worker waits for that, and `/ready`
says what it waits for.
"""

import asyncio
from collections.abc import Callable

import structlog
from mode import Service

from streams.acls import required_acls
from streams.connection_check import verify_connection
from streams.lanes.observer import LaneState
from streams.observability.status import WorkerStatus
from streams.permission_check import verify_permissions
from streams.settings import Settings

log = structlog.get_logger()

WATCH_INTERVAL_S = 5.0


def verify_admission(settings: Settings) -> None:
    """Check that Kafka lets a worker in: its addresses, TLS, authentication and permissions. Blocks.

    Raises:
        NotAdmitted: It does not. The message names why.
        RetryLater: It cannot be reached.
        StopWorker: A file of the settings cannot be used.
    """
    if settings.embedded:
        return
    verify_connection(settings)
    verify_permissions(settings, required_acls(settings))


class AdmissionWatch(Service):
    """Finds out why a worker does not work, and tells `/ready`. It connects only while that is so.

    Args:
        settings: The validated settings.
        status: The worker's status.
        is_member: Returns whether the worker is a member of its group.
    """

    def __init__(self, settings: Settings, status: WorkerStatus, is_member: Callable[[], bool]) -> None:
        super().__init__()
        self._settings = settings
        self._status = status
        self._is_member = is_member

    async def on_start(self) -> None:
        """Start to watch."""
        self.add_future(self._watch())

    async def _watch(self) -> None:
        while not self.should_stop:
            await self.sleep(WATCH_INTERVAL_S)
            self._report(await self._problem() if self._failing() else None)

    def _failing(self) -> bool:
        status = self._status
        lanes = any(lane.state is LaneState.BACKOFF for lane in status.lanes.values())
        return lanes or status.broker_error is not None or not self._is_member()

    async def _problem(self) -> str | None:
        try:
            await asyncio.to_thread(verify_admission, self._settings)
        except Exception as error:
            return str(error) or type(error).__name__
        return None

    def _report(self, problem: str | None) -> None:
        if problem is not None and problem != self._status.connection_problem:
            log.error("Kafka does not let the worker work", reason=problem)
        self._status.connection_problem = problem
