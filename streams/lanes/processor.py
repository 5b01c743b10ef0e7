"""The interface between a lane and the agent that processes its batches.

A processor is a function of a batch and the state, not a coroutine that runs for long. Bisection can call it
again with half of a batch, a lane manages no coroutine, and tests need no worker. `streams.lanes.agent`
adapts the loop of a batch agent to it.
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from streams.records import Output, Record
from streams.state.tables import Tables


class Processor(Protocol):
    """Processes batches: records and tables in, outputs out.

    After a failure `process` may be called again with the same records or with a part of them. It changes
    state only through `tables`, whose staged changes are rolled back before such a second call.
    """

    @property
    def name(self) -> str:
        """The agent's name; a part of the transactional id."""
        ...

    @property
    def topics(self) -> tuple[str, ...]:
        """The input topics in the order of their priority."""
        ...

    async def process(self, records: Sequence[Record], tables: Tables) -> list[Output]:
        """Turn records into outputs.

        Args:
            records: Records of one topic and partition, in offset order.
            tables: The tables of the same partition.

        Returns:
            The records to write.

        Raises:
            RetryLater: The lane must repeat the batch after a backoff.
            StopWorker: The worker must stop.
            Exception: Any other error is attributed to single records: the batch is bisected until the record
                that raises stands alone, and this record becomes a dead letter.
        """
        ...


@runtime_checkable
class CatchingUp(Protocol):
    """A processor that puts work off, and does some of it between two batches."""

    async def catch_up(self, tables: Tables) -> list[Output]:
        """Do a limited part of the work that was put off; the lane calls this again and again.

        Args:
            tables: The lane's tables. What is staged commits with the outputs.

        Returns:
            The records to write.

        Raises:
            RetryLater: The lane must open again after a backoff.
            StopWorker: The worker must stop.
            Exception: Any other error is logged, and what was staged is dropped.
        """
        ...


async def catch_up(processor: Processor, tables: Tables) -> list[Output]:
    """Let a processor catch up, if it ever puts work off; see `CatchingUp`."""
    return await processor.catch_up(tables) if isinstance(processor, CatchingUp) else []
