"""Limits log lines that repeat. Pure: the time is an argument."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

Line = TypeVar("Line", bound=Hashable)
"""What identifies lines of a kind."""


@dataclass(frozen=True, slots=True)
class Repetition(Generic[Line]):
    """Lines that were left out.

    Attributes:
        line: What identifies the lines.
        count: How many were left out.
        seconds: For how long.
    """

    line: Line
    count: int
    seconds: float


@dataclass(slots=True)
class _Window:
    since: float
    allowed: int = 0
    left_out: int = 0


class RepeatedLines(Generic[Line]):
    """Allows the first lines of a kind in a window of time, and counts the others.

    Every line is either allowed or counted in exactly one `Repetition`.

    Args:
        window_s: Seconds of a window, which begins with its first line.
        most_kinds: Kinds of lines that are counted at a time at most. Lines of further kinds are allowed.
    """

    def __init__(self, window_s: float = 60.0, most_kinds: int = 10_000) -> None:
        self._window_s = window_s
        self._most_kinds = most_kinds
        self._windows: dict[Line, _Window] = {}

    def allows(self, line: Line, burst: int, now: float) -> bool:
        """Return whether to write a line.

        Args:
            line: What identifies lines of its kind.
            burst: Lines of this kind that are written in a window.
            now: Current time in monotonic seconds. Ended windows must have been taken with `ended`.
        """
        window = self._windows.get(line)
        if window is None:
            if len(self._windows) >= self._most_kinds:
                return True
            window = self._windows[line] = _Window(now)
        if window.allowed < burst:
            window.allowed += 1
            return True
        window.left_out += 1
        return False

    def ended(self, now: float) -> list[Repetition[Line]]:
        """Close the windows that have ended by `now`, and return what was left out of them."""
        over = [line for line, window in self._windows.items() if now - window.since >= self._window_s]
        return [repetition for line in over if (repetition := self._close(line, now)) is not None]

    def close_all(self, now: float) -> list[Repetition[Line]]:
        """Close all windows, and return what was left out of them."""
        return [found for line in list(self._windows) if (found := self._close(line, now)) is not None]

    def _close(self, line: Line, now: float) -> Repetition[Line] | None:
        window = self._windows.pop(line)
        return Repetition(line, window.left_out, now - window.since) if window.left_out else None
