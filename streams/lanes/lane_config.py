"""What a lane is made of, what it may take, and whom it tells."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from streams.lanes.observer import Observer
from streams.lanes.transactional_writer import TransactionalWriter
from streams.records import Output, Partition, Record
from streams.state.tables import Tables


class Inputs(Protocol):
    """The reading side, as a lane sees it."""

    async def committed(self, at: Partition) -> int:
        """The group's committed offset of `at`, or its first offset where nothing was committed yet."""
        ...

    async def seek(self, offsets: Mapping[Partition, int], epoch: int) -> None:
        """Deliver records from these offsets on; each delivery tells the epoch of the seek before it."""
        ...


@dataclass(frozen=True, slots=True)
class LaneLimits:
    """How much a lane takes at once and how long it waits."""

    batch_records: int = 4_000
    batch_bytes: int = 4 * 1024 * 1024
    output_bytes: int = 1_000_000
    row_bytes: int = 1_900_000
    backoff_min_s: float = 0.2
    backoff_max_s: float = 30.0
    fenced_patience_s: float = 30.0
    linger_s: float = 0.0


@dataclass(slots=True)
class LaneParts:
    """What a lane is made of; the composition root fills it.

    Attributes:
        open_tables: opens the lane's stores; called at each opening that does not just go on.
        restore: brings the tables up to their changelogs, reporting (changelog, remaining).
        dead_letter: makes the dead letter of a record that raised an error.
        admit: waits until so many dead letters may be written.
        changed: called when the lane's appetite may have changed.
        is_member: whether the worker belongs to its group, as far as it knows.
        stop: called with the error after which the whole worker must stop.
    """

    writer: TransactionalWriter
    open_tables: Callable[[], Tables]
    inputs: Inputs
    restore: Callable[[Tables, Callable[[Partition, int], None]], Awaitable[object]]
    dead_letter: Callable[[Record, Exception, str], Output]
    admit: Callable[[int], Awaitable[None]]
    changed: Callable[[], None]
    stop: Callable[[BaseException], None]
    is_member: Callable[[], bool] = lambda: True
    observer: Observer = field(default_factory=Observer)
    limits: LaneLimits = field(default_factory=LaneLimits)
    clock: Callable[[], float] = time.monotonic
