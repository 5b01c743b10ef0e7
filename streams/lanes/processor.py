"""The interface between a lane and the agent that processes its batches."""

from collections.abc import Sequence
from typing import Protocol

from streams.records import Output, Record
from streams.state.tables import Tables


class Processor(Protocol):
    """What an agent does with a batch: a function of records and state, without I/O of its own.

    `process` may be called again with the same records, or with a part of them, after a failure. It changes
    state only through `tables`, whose changes are undone before such a second call.
    """

    @property
    def name(self) -> str:
        """The agent's name, a part of the transactional id."""
        ...

    @property
    def topics(self) -> tuple[str, ...]:
        """The input topics, those first that win when several have records waiting."""
        ...

    async def process(self, records: Sequence[Record], tables: Tables) -> list[Output]:
        """Turn records of one topic and partition, in offset order, into outputs.

        Raises:
            RetryLater: the batch is tried again after a pause.
            StopWorker: the worker stops.
            Exception: anything else counts against single records: the batch is bisected until the record
                that raises stands alone, and that one goes to the dead letters.
        """
        ...
