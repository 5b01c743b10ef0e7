"""A log handler that writes repeated lines once and then says how often they were repeated.

While brokers are away, the Kafka client of each lane logs several lines per attempt: thousands a minute that
say one thing, and hide the others.
"""

import logging
import re
import time
from collections.abc import Iterable
from typing import NamedTuple, TextIO

from streams.observability.repeated_lines import RepeatedLines, Repetition

_BURST = 20
_LIBRARY_BURST = 3
_LIBRARIES = ("aiokafka", "aiohttp", "asyncio", "faust", "kafka", "mode", "py.warnings")
_CHANGING = re.compile(r"\d+|%[sdr]")


class _Line(NamedTuple):
    """What equal lines have in common. `lane` is empty if they name none."""

    logger: str
    level: int
    text: str
    lane: str


class LimitedHandler(logging.StreamHandler[TextIO]):
    """Writes lines to a stream, equal ones a few times a minute.

    Lines are equal if logger, level, lane and event are equal; what a library's message inserts, and numbers,
    do not count.

    Args:
        stream: Where the lines are written.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._lines: RepeatedLines[_Line] = RepeatedLines()

    def emit(self, record: logging.LogRecord) -> None:
        """Write or count a record. The logging module holds the handler's lock."""
        now = time.monotonic()
        self._summarize(self._lines.ended(now))
        burst = _LIBRARY_BURST if record.name.split(".")[0] in _LIBRARIES else _BURST
        if self._lines.allows(_line(record), burst, now):
            super().emit(record)

    def write_ended(self) -> None:
        """Write how often lines were repeated in the minutes that have ended."""
        self.acquire()
        try:
            self._summarize(self._lines.ended(time.monotonic()))
        finally:
            self.release()

    def close(self) -> None:
        """Write how often lines were repeated until now. Python calls this when the process ends."""
        self.write_all()
        super().close()

    def write_all(self) -> None:
        """Write how often lines were repeated until now."""
        self.acquire()
        try:
            self._summarize(self._lines.close_all(time.monotonic()))
        finally:
            self.release()

    def _summarize(self, repetitions: Iterable[Repetition[_Line]]) -> None:
        for each in repetitions:
            line = each.line
            of = f" ({line.lane})" if line.lane else ""
            text = f"{line.text}{of} … repeated {each.count:,} times in {each.seconds:.0f} s"
            super().emit(logging.LogRecord(line.logger, line.level, "", 0, text, None, None))


def _line(record: logging.LogRecord) -> _Line:
    if isinstance(record.msg, dict):
        event, lane = record.msg.get("event"), record.msg.get("lane", "")
        return _Line(record.name, record.levelno, str(event), str(lane))
    return _Line(record.name, record.levelno, _CHANGING.sub("_", str(record.msg)[:300]), "")
