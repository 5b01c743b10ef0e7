"""Bisection: a batch that fails is halved until the poison record stands alone."""

from collections.abc import Callable, Mapping, Sequence

import structlog

from schemas.errors import InvalidEvent, RetryLater, StopWorker
from streams.lanes.processor import Processor, catch_up
from streams.lanes.runtime import LaneLimits
from streams.records import Output, Record
from streams.state.tables import Tables
from streams.topics import DEAD_LETTER

log = structlog.get_logger()

Changes = Mapping[str, Mapping[bytes, bytes | None]]


class Bisection:
    """Processes batches. A record that raises, or whose outputs or rows are too large, becomes a dead letter.

    Args:
        processor: The agent's processor.
        limits: The largest outputs and rows.
        dead_letter: Builds the dead letter of a record and its error.
    """

    def __init__(
        self, processor: Processor, limits: LaneLimits, dead_letter: Callable[[Record, Exception], Output]
    ) -> None:
        self._processor = processor
        self._limits = limits
        self._dead_letter = dead_letter

    async def process(self, records: Sequence[Record], tables: Tables) -> tuple[list[Output], Changes]:
        """Process a batch.

        Args:
            records: Records of one input, in offset order.
            tables: The lane's tables, with nothing staged.

        Returns:
            The outputs, with dead letters in place of poison records, and the encoded rows to write.

        Raises:
            RetryLater: No record is at fault. The caller must discard what is staged.
            StopWorker: Likewise.
        """
        outputs = await self._bisect(records, tables, check_rows=False)
        changes = tables.changes()
        if self._too_large(changes):
            # Rare, so that processing twice is cheap enough. This time the rows of each part are checked.
            tables.discard()
            outputs = await self._bisect(records, tables, check_rows=True)
            changes = tables.changes()
        return outputs, changes

    async def catch_up(self, tables: Tables) -> tuple[list[Output], Changes]:
        """Let the agent do some of the work that it put off. What fails is dropped: no record is at fault.

        Args:
            tables: The lane's tables, with nothing staged.

        Returns:
            The outputs and the encoded rows to write.

        Raises:
            RetryLater: The caller must discard what is staged.
            StopWorker: Likewise.
        """
        try:
            outputs = await catch_up(self._processor, tables)
            self._check_outputs(outputs)
            self._check_rows(tables.changes())
        except (RetryLater, StopWorker):
            raise
        except Exception:
            log.exception("work that was put off failed, leaving it out", agent=self._processor.name)
            tables.discard()
            return [], {}
        return outputs, tables.changes()

    async def _bisect(self, records: Sequence[Record], tables: Tables, *, check_rows: bool) -> list[Output]:
        savepoint = tables.savepoint()
        try:
            outputs = await self._processor.process(records, tables)
            self._check_outputs(outputs)
            if check_rows:
                self._check_rows(tables.changes())
        except (RetryLater, StopWorker):
            raise
        except Exception as error:
            tables.rollback(savepoint)
            if len(records) == 1:
                return [self._dead_letter(records[0], error)]
            middle = len(records) // 2
            first = await self._bisect(records[:middle], tables, check_rows=check_rows)
            return [*first, *await self._bisect(records[middle:], tables, check_rows=check_rows)]
        else:
            return outputs

    def _check_outputs(self, outputs: Sequence[Output]) -> None:
        limit = self._limits.output_bytes
        for output in outputs:
            value = output.value
            # Most outputs are small: this avoids computing their exact size.
            if value is None or (not output.headers and len(value) + len(output.key or b"") + 64 <= limit):
                continue
            if output.topic != DEAD_LETTER and (size := output.size) > limit:
                raise InvalidEvent(
                    "too-large",
                    f"its output for {output.topic} has {size} bytes, more than the"
                    f" {limit} that the broker takes; shorten the event's texts",
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
