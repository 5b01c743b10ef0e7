"""What lanes report: their states, and events that metrics and the status page are made from."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from streams.records import Output, Partition, Record

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

    def record_dead_lettered(self, lane: "Lane", record: Record, error: Exception) -> None:
        """A record that raised an unexpected error goes to the dead letters."""
