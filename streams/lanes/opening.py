"""What a lane holds between opening and failing, and what it remembers of its failures."""

import time
from contextlib import suppress
from dataclasses import dataclass, field

from schemas.errors import RetryLater, StopWorker
from streams.backoff import Backoff
from streams.lanes.observer import LaneView, Observer
from streams.lanes.record_buffer import InputBatch
from streams.lanes.start_offsets import InputReset
from streams.records import Partition
from streams.state.tables import StateDamaged, Tables


@dataclass(slots=True)
class Opening:
    """The state of an open lane.

    A lane has one opening at a time. A failure closes it, and the lane fills it again.

    Attributes:
        tables: The open tables; None while they are closed.
        next_offsets: The next offset of each input: the committed offsets, as last known.
        restored: Whether `tables` and `next_offsets` equal the last commit, and no other worker can have
            committed since. Otherwise the lane must fence and restore before it reads.
        batch: The batch that is being processed or committed.
        begun_at: When that batch began, in monotonic seconds.
        reset_reason: Why the log of an input seems to be another one since the lane opened, or None.
    """

    tables: Tables | None = None
    next_offsets: dict[Partition, int] = field(default_factory=dict)
    restored: bool = False
    batch: InputBatch | None = None
    begun_at: float = 0.0
    reset_reason: str | None = None

    def open_tables(self) -> Tables:
        """Return the tables.

        Raises:
            RetryLater: They are closed.
        """
        if self.tables is None:
            raise RetryLater("the tables of the lane are not open")
        return self.tables

    def raise_if_reset(self) -> None:
        """Raise `InputReset` if the log of an input seems to be another one since the lane opened."""
        if self.reset_reason is not None:
            raise InputReset(self.reset_reason)

    def table_sizes(self) -> dict[str, tuple[int, int]]:
        """Return about how many rows and bytes each open table has, by name."""
        return {} if self.tables is None else self.tables.sizes()

    def report_rolled_back(self, lane: LaneView, observer: Observer) -> None:
        """Report the batch in progress, if there is one: it is lost work."""
        if self.batch is not None:
            observer.batch_rolled_back(lane, len(self.batch.records), time.monotonic() - self.begun_at)

    def undo(self) -> None:
        """Discard what the batch staged."""
        self.batch = None
        if self.tables is not None:
            self.tables.discard()

    def close(self) -> None:
        """Close the tables. The next offsets stay, so that the lag remains visible."""
        self.restored = False
        self.batch = None
        tables, self.tables = self.tables, None
        if tables is not None:
            tables.close()


class FailureHistory:
    """The failures of a lane since its last committed batch.

    Args:
        lane: The lane's name.
        backoff: The pauses between attempts.
    """

    def __init__(self, lane: str, backoff: Backoff) -> None:
        self.backoff = backoff
        self._lane = lane
        self._wiped = False

    def reset(self) -> None:
        """Forget the failures: a batch has committed."""
        self.backoff.reset()
        self._wiped = False

    def wipe(self, tables: Tables, error: StateDamaged) -> None:
        """Delete all rows, so that the next opening restores them.

        Args:
            tables: The lane's tables.
            error: The failure to read a row.

        Raises:
            StopWorker: They were already wiped for a failure, and no batch has committed since.
        """
        if self._wiped:
            raise StopWorker(
                f"lane {self._lane} cannot read state that it has just restored: {error}. Its changelog was"
                " written by another version of shelfstream, or is damaged; run that version again"
            ) from error
        self._wiped = True
        with suppress(Exception):
            tables.wipe()
