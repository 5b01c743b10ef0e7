"""Writes which model this worker serves into the topic of workers."""

import asyncio
import time
from collections.abc import Callable

import msgspec
import structlog

from streams.replay.single_record import write_record
from streams.replay.worker_records import WorkerRecord
from streams.settings import Settings
from streams.topics import workers

log = structlog.get_logger()

REPEAT_S = 600.0
"""Seconds after which an unchanged record is written again. The topic keeps records for a day."""
RETRY_S = 30.0
"""Seconds after which a failed write is tried again."""
_POLL_S = 1.0


class RecordSchedule:
    """Decides when to write the worker's record: after a change, and from time to time."""

    def __init__(self) -> None:
        self._written: WorkerRecord | None = None
        self._due = 0.0

    def is_due(self, record: WorkerRecord, now: float) -> bool:
        """Return whether to write a record at `now`, in monotonic seconds."""
        return bool(record.member_id) and (now >= self._due or record != self._written)

    def written(self, record: WorkerRecord, now: float) -> None:
        """Note that a record was written."""
        self._written, self._due = record, now + REPEAT_S

    def failed(self, record: WorkerRecord, now: float) -> None:
        """Note that a record was not written: it is due again after `RETRY_S`, or when it changes."""
        self._written, self._due = record, now + RETRY_S


class WorkerRecordWriter:
    """Keeps the worker's record in the topic of workers up to date. A failure only means a warning.

    Args:
        settings: Settings with the broker's address and the app id.
        current: Returns the worker's record now. Its member id is empty before the worker is a member.
    """

    def __init__(self, settings: Settings, current: Callable[[], WorkerRecord]) -> None:
        self._settings = settings
        self._current = current
        self._schedule = RecordSchedule()
        self._failure: str | None = None

    async def run(self) -> None:
        """Write the record when it changes, until cancelled."""
        while True:
            await asyncio.sleep(_POLL_S)
            record = self._current()
            if self._schedule.is_due(record, time.monotonic()):
                await self._write(record)

    async def _write(self, record: WorkerRecord) -> None:
        key, value = record.member_id.encode(), msgspec.json.encode(record)
        failure = await asyncio.to_thread(write_record, self._settings, workers(self._settings), key, value)
        now = time.monotonic()
        if failure is None:
            self._schedule.written(record, now)
        else:
            self._schedule.failed(record, now)
            if failure != self._failure:
                log.warning("commands cannot see which model this worker serves", reason=failure)
        self._failure = failure
