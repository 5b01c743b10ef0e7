"""What a lane is made of, what it may take, and whom it tells."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from streams.lanes.ledger import Ledger
from streams.lanes.records import Output, Partition, Record
from streams.lanes.tables import Tables

if TYPE_CHECKING:
    from streams.lanes.lane import Lane


class LaneState(StrEnum):
    """Where a lane is in its life."""

    OPENING = "opening"
    RESTORING = "restoring"
    RUNNING = "running"
    BACKOFF = "backoff"
    FENCED = "fenced"
    PAUSED = "paused"
    CLOSED = "closed"


class Inputs(Protocol):
    """The reading side, as a lane sees it."""

    async def committed(self, at: Partition) -> int:
        """The group's committed offset of `at`, or its first offset where nothing was committed yet."""
        ...

    async def seek(self, offsets: Mapping[Partition, int], epoch: int) -> None:
        """Deliver records from these offsets on; each delivery tells the epoch of the seek before it."""
        ...


@dataclass(frozen=True, slots=True)
class BatchReport:
    """What a committed batch was: for metrics and the status page. Times in seconds."""

    at: Partition
    records: int
    size: int
    outputs: Sequence[Output]
    next_offset: int
    last_timestamp: int
    process_s: float
    commit_s: float


class Observer:
    """Hears what lanes do. This one listens to nothing; override what you need."""

    def assigned(self) -> None:
        """The group assigned partitions anew, maybe none."""

    def lane_changed(self, lane: "Lane", state: LaneState, detail: str) -> None:
        """The lane's state changed; `detail` says why where there is a reason."""

    def lane_restoring(self, lane: "Lane", at: Partition, remaining: int) -> None:
        """So many changelog offsets are still to be read."""

    def batch_committed(self, lane: "Lane", report: BatchReport) -> None:
        """A batch has committed."""

    def batch_failed(self, lane: "Lane", error: BaseException) -> None:
        """A batch was undone and will be read again."""

    def record_buried(self, lane: "Lane", record: Record, error: Exception) -> None:
        """A record that raised an unexpected error goes to the dead letters."""


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
        bury: makes the dead letter of a record that raised an error.
        admit: waits until so many dead letters may be written.
        changed: called when the lane's appetite may have changed.
        is_member: whether the worker belongs to its group, as far as it knows.
        stop: called with the error after which the whole worker must stop.
    """

    ledger: Ledger
    open_tables: Callable[[], Tables]
    inputs: Inputs
    restore: Callable[[Tables, Callable[[Partition, int], None]], Awaitable[object]]
    bury: Callable[[Record, Exception, str], Output]
    admit: Callable[[int], Awaitable[None]]
    changed: Callable[[], None]
    stop: Callable[[BaseException], None]
    is_member: Callable[[], bool] = lambda: True
    observer: Observer = field(default_factory=Observer)
    limits: LaneLimits = field(default_factory=LaneLimits)
    clock: Callable[[], float] = time.monotonic
