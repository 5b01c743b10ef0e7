"""Finding the record at fault: a batch that fails is halved until the culprit stands alone."""

from collections.abc import Callable, Mapping, Sequence

from schemas import dead_letters
from schemas.errors import InvalidEvent, RetryLater, StopWorker
from streams.lanes.lane_config import LaneLimits
from streams.lanes.processor import Processor
from streams.records import Output, Record
from streams.state.tables import Tables

Changes = Mapping[str, Mapping[bytes, bytes | None]]


class Bisection:
    """Processes batches; a record that raises, or whose outputs or rows do not fit, is buried alone.

    Args:
        processor: what the agent does.
        limits: how large outputs and rows may be.
        dead_letter: makes a dead letter of a record and its error.
    """

    def __init__(
        self, processor: Processor, limits: LaneLimits, dead_letter: Callable[[Record, Exception], Output]
    ) -> None:
        self._processor = processor
        self._limits = limits
        self._dead_letter = dead_letter

    async def process(self, records: Sequence[Record], tables: Tables) -> tuple[list[Output], Changes]:
        """The outputs of all records, poison as dead letters, and the encoded rows to write.

        Raises:
            RetryLater: nothing is wrong with the records; the tables' staged rows must be discarded.
            StopWorker: likewise.
        """
        outputs = await self._halved(records, tables, weigh_rows=False)
        changes = tables.changes()
        if self._too_large(changes):
            # Rare enough to do the work twice: this time the rows of each part are weighed.
            tables.discard()
            outputs = await self._halved(records, tables, weigh_rows=True)
            changes = tables.changes()
        return outputs, changes

    async def _halved(self, records: Sequence[Record], tables: Tables, *, weigh_rows: bool) -> list[Output]:
        savepoint = tables.savepoint()
        try:
            outputs = await self._processor.process(records, tables)
            self._check_outputs(outputs)
            if weigh_rows:
                self._check_rows(tables.changes())
        except (RetryLater, StopWorker):
            raise
        except Exception as error:
            tables.rollback(savepoint)
            if len(records) == 1:
                return [self._dead_letter(records[0], error)]
            middle = len(records) // 2
            first = await self._halved(records[:middle], tables, weigh_rows=weigh_rows)
            return [*first, *await self._halved(records[middle:], tables, weigh_rows=weigh_rows)]
        else:
            return outputs

    def _check_outputs(self, outputs: Sequence[Output]) -> None:
        for output in outputs:
            if output.topic != dead_letters.TOPIC and output.value is not None:
                size = output.size
                if size > self._limits.output_bytes:
                    raise InvalidEvent(
                        "too-large",
                        f"its output for {output.topic} has {size} bytes, more than the"
                        f" {self._limits.output_bytes} that the broker takes; shorten the event's texts",
                    )

    def _too_large(self, changes: Changes) -> bool:
        limit = self._limits.row_bytes
        return any(len(row) > limit for rows in changes.values() for row in rows.values() if row is not None)

    def _check_rows(self, changes: Changes) -> None:
        if self._too_large(changes):
            raise InvalidEvent(
                "too-large",
                f"a row of state would have more than the {self._limits.row_bytes} bytes that the broker"
                " takes; use shorter ids",
            )
