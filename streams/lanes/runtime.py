"""What a lane needs from its worker: a runtime, and limits."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from streams.lanes.start_offsets import StartOffset
from streams.records import Output, Partition, ReadPosition, Record
from streams.state.tables import Tables

Progress = Callable[[Partition, int], None]
"""Called with a changelog partition and the number of offsets that are still to be read."""


class LaneRuntime(Protocol):
    """What the worker does for all of its lanes. The composition root implements it once."""

    def open_tables(self, agent: str, partition: int) -> Tables:
        """Open the stores of a lane's tables.

        Args:
            agent: The lane's agent.
            partition: The lane's partition.

        Raises:
            OSError: A store cannot be opened.
        """
        ...

    async def restore(self, tables: Tables, progress: Progress) -> None:
        """Bring tables up to the end of their changelogs.

        Args:
            tables: The lane's tables, with nothing staged.
            progress: Receives how much is left.

        Raises:
            RetryLater: The broker does not answer.
        """
        ...

    async def start_offset(self, at: Partition, in_state: ReadPosition | None) -> StartOffset:
        """Return where to read an input.

        Args:
            at: The input.
            in_state: The position that the restored state contains, if any.

        Raises:
            InputReset: The input is not the log that was read before; see `streams.lanes.start_offsets`.
            RetryLater: The coordinator or the leader does not answer, or does not know yet.
        """
        ...

    def topic_id(self, at: Partition) -> str:
        """Return the id of an input's topic at its last `start_offset`; empty if it is not known.

        It is kept per partition: lanes of one topic open at different times, before and after it changed.
        """
        ...

    async def seek(self, offsets: Mapping[Partition, int], epoch: int) -> None:
        """Deliver records from these offsets on, each delivery with the epoch of the last seek before it."""
        ...

    def is_member(self) -> bool:
        """Return whether the worker is a member of its consumer group, as far as it knows."""
        ...

    def dead_letter(self, record: Record, error: Exception, stage: str) -> Output:
        """Build the dead letter of a record that raised `error` in `stage`."""
        ...

    async def throttle(self, dead_letters: int) -> None:
        """Wait until this number of dead letters may be written."""
        ...

    def capacity_changed(self) -> None:
        """Receive that a lane may have room for more records, or no longer has."""
        ...

    def stop(self, error: BaseException) -> None:
        """Stop the whole worker because of an error in a lane."""
        ...


@dataclass(frozen=True, slots=True)
class LaneLimits:
    """How much a lane takes at once, and how long it waits.

    Attributes:
        batch_records: Records of a batch at most.
        batch_s: Seconds that processing a batch may take, as predicted.
        batch_bytes: Bytes of a batch at most. An input has capacity while fewer bytes are buffered.
        output_bytes: Bytes of an output at most.
        row_bytes: Bytes of an encoded row at most.
        backoff_min_s: Seconds of the first backoff.
        backoff_max_s: Seconds of a backoff at most.
        fenced_wait_s: Seconds that a fenced lane waits before it opens again.
        linger_s: Seconds that a lane waits for a small batch to fill.
        catch_up_s: Seconds between two parts of the work that an agent puts off. `math.inf` does none of it.
    """

    batch_records: int = 4_000
    batch_s: float = math.inf
    batch_bytes: int = 4 * 1024 * 1024
    output_bytes: int = 1_000_000
    row_bytes: int = 1_900_000
    backoff_min_s: float = 0.2
    backoff_max_s: float = 30.0
    fenced_wait_s: float = 30.0
    linger_s: float = 0.0
    catch_up_s: float = math.inf
