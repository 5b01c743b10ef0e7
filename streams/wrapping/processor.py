"""Unwraps the records of a batch before the agent's processor gets them."""

import asyncio
from collections.abc import Callable, Sequence

import structlog

from schemas.errors import InvalidEvent
from streams.lanes.batch import DeadLetters
from streams.lanes.processor import Processor, catch_up
from streams.records import Output, Record
from streams.settings import Settings
from streams.state.tables import Tables
from streams.wrapping.topics import TopicUnwrapper

log = structlog.get_logger()

Adapter = Callable[[Processor, DeadLetters], Processor]
"""Puts something before a processor, which may write dead letters."""


class UnwrappingProcessor:
    """Implements `Processor`: unwraps records, and dead-letters those that cannot be unwrapped.

    Args:
        processor: The agent's processor.
        unwrapper: Unwraps records.
        dead_letters: Builds dead letters, of the original bytes.
    """

    def __init__(self, processor: Processor, unwrapper: TopicUnwrapper, dead_letters: DeadLetters) -> None:
        self.name = processor.name
        self.topics = processor.topics
        self._processor = processor
        self._unwrapper = unwrapper
        self._dead_letters = dead_letters

    async def process(self, records: Sequence[Record], tables: Tables) -> list[Output]:
        """Unwrap records and process them; see `Processor.process`."""
        if self._unwrapper.reads_plain:
            # Only a CloudEvent in binary mode has more than its value, and such records have headers.
            if not any(record.headers for record in records):
                return await self._processor.process(records, tables)
            unwrapped, letters = self._unwrap(records)
        else:
            # The registry's client blocks.
            unwrapped, letters = await asyncio.to_thread(self._unwrap, records)
        outputs = await self._processor.process(unwrapped, tables) if unwrapped else []
        return [*outputs, *letters] if letters else outputs

    async def catch_up(self, tables: Tables) -> list[Output]:
        """Let the agent's processor catch up; see `CatchingUp`."""
        return await catch_up(self._processor, tables)

    def _unwrap(self, records: Sequence[Record]) -> tuple[list[Record], list[Output]]:
        """Return the unwrapped records, and the dead letters of the others."""
        unwrapped: list[Record] = []
        letters: list[Output] = []
        ignored = 0
        for record in records:
            try:
                found = self._unwrapper.unwrap(record)
            except InvalidEvent as error:
                letters.append(self._dead_letters(record, error, "unwrap"))
            else:
                unwrapped.extend(found)
                ignored += not found
        if ignored:
            log.debug("records that change no event are ignored", count=ignored)
        return unwrapped, letters


def unwrapping(settings: Settings) -> Adapter:
    """Return what puts the unwrapping before the processors of a worker.

    Raises:
        StopWorker: The registry's client is not installed, or a mapping file is not usable.
    """
    unwrapper = TopicUnwrapper(settings)

    def adapt(processor: Processor, dead_letters: DeadLetters) -> Processor:
        if unwrapper.topics.isdisjoint(processor.topics):
            return processor
        return UnwrappingProcessor(processor, unwrapper, dead_letters)

    return adapt
