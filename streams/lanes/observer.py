"""What lanes report: states and committed batches, for metrics, logs and the status page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from streams.records import Output, Partition, Record


class LaneState(StrEnum):
    """The states of a lane; `streams.lanes.lane` draws the transitions. Status pages show the values."""

    OPENING = "opening"
    RESTORING = "restoring"
    RUNNING = "running"
    BACKOFF = "backoff"
    FENCED = "fenced"
    PAUSED = "paused"
    CLOSED = "closed"


class LaneView(Protocol):
    """The part of a lane that observers read. `str()` gives the lane's name."""

    @property
    def agent(self) -> str:
        """The agent's name."""
        ...

    @property
    def topics(self) -> tuple[str, ...]:
        """The agent's input topics; the first has priority."""
        ...

    @property
    def partition(self) -> int:
        """The partition number of all inputs."""
        ...

    @property
    def next_offsets(self) -> Mapping[Partition, int]:
        """The next offset of each input; empty before the first opening."""
        ...

    def table_sizes(self) -> dict[str, tuple[int, int]]:
        """Return about how many rows and bytes each table has, by name. Empty while tables are closed."""
        ...


@dataclass(frozen=True, slots=True)
class BatchReport:
    """A committed batch.

    Attributes:
        at: The input.
        records: Number of records.
        size: Bytes of the records.
        outputs: What was written, without changelog records.
        next_offset: The offset that was committed: the next to read.
        last_timestamp: The last record's time, in milliseconds since 1970.
        process_s: Seconds of processing.
        commit_s: Seconds of the transaction.
    """

    at: Partition
    records: int
    size: int
    outputs: Sequence[Output]
    next_offset: int
    last_timestamp: int
    process_s: float
    commit_s: float


class Observer:
    """Receives what lanes report. This base class ignores everything; override what you need."""

    def assigned(self) -> None:
        """Receive that the group assigned partitions, or none, to this worker."""

    def lane_changed(self, lane: LaneView, state: LaneState, detail: str) -> None:
        """Receive a new state of a lane. `detail` is the reason, or empty."""

    def lane_restoring(self, lane: LaneView, at: Partition, remaining: int) -> None:
        """Receive how many offsets of a changelog partition are still to be read."""

    def records_expired(self, lane: LaneView, at: Partition, count: int) -> None:
        """Receive that retention removed up to `count` records of an input before the lane read them."""

    def batch_committed(self, lane: LaneView, report: BatchReport) -> None:
        """Receive a committed batch."""

    def caught_up(self, lane: LaneView, outputs: Sequence[Output]) -> None:
        """Receive what a lane wrote between two batches of work that its agent had put off, often nothing."""

    def partitions_added(self, added: Mapping[str, int], partitions: int) -> None:
        """Receive which inputs have more partitions than lanes, when that changes.

        Args:
            added: The number of partitions of each such topic.
            partitions: The number of partitions that have lanes.
        """

    def batch_rolled_back(self, lane: LaneView, records: int, seconds: float) -> None:
        """Receive that a batch in progress is lost work: the lane is given up, or the worker stops.

        The lane's next owner processes the records again.
        """

    def batch_failed(self, lane: LaneView, error: BaseException) -> None:
        """Receive the error of a batch, or of an opening, that will be repeated."""

    def record_dead_lettered(self, lane: LaneView, record: Record, error: Exception) -> None:
        """Receive a record that raised an unexpected error. It becomes a dead letter."""
