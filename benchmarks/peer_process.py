"""Starting contestants, watching how far they get, and ending them."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers.contestant import Contestant, Work

_LOOK_EVERY_S = 0.1


class ContestantFailed(Exception):
    """A contestant ended by itself, or did nothing; the message has the end of its log."""


class Running:
    """A contestant's process.

    Attributes:
        peak_mib: The most resident memory seen so far, in MiB.
    """

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self.log = log
        self.peak_mib = 0.0

    def look(self) -> None:
        """Note its memory.

        Raises:
            ContestantFailed: It has ended.
        """
        if self.process.poll() is not None:
            raise ContestantFailed(f"ended with {self.process.returncode}: {self.tail()}")
        with suppress(OSError, StopIteration, ValueError):
            lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
            resident = next(line for line in lines if line.startswith("VmRSS:"))
            self.peak_mib = max(self.peak_mib, int(resident.split()[1]) / 1024)

    def tail(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-3000:]


@contextmanager
def running(command: list[str], environment: Mapping[str, str]) -> Iterator[Running]:
    """A process in a group of its own, its output in a log, for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="shelfstream-bench-") as folder:
        log = Path(folder) / "log"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                command,
                env={**os.environ, **environment},
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )
        try:
            yield Running(process, log)
        finally:
            _end(process)


def contestant(which: Contestant, work: Work) -> AbstractContextManager[Running]:
    """One worker of a contestant."""
    return running(which.command(work), which.environment)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(15)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@dataclass(frozen=True, slots=True)
class Course:
    """How a contestant got on.

    Attributes:
        seen: When (monotonic) it was how far: each look that found it further.
        ended_at: When it was done, or its time was up.
        idle_at: The last look that found nothing done yet.
    """

    seen: list[tuple[float, int]]
    ended_at: float
    idle_at: float = 0.0

    def rate(self, beyond: int = 0) -> float:
        """What it did a second from when it was about at `beyond`; 0 of too little.

        From 0, the first look that found anything counts as the start, because what it did before began
        nobody knows when. Else it is the last look that did not find it beyond: few looks may come, as the
        broker holds back answers until transactions end, and the first one beyond may be near the end.
        """
        later = [(at, how_far) for at, how_far in self.seen if how_far > beyond]
        if not later:
            return 0.0
        start = later[0]
        if beyond:
            start = max(((at, done) for at, done in self.seen if done <= beyond), default=(self.idle_at, 0))
        if self.ended_at <= start[0]:
            return 0.0
        return (later[-1][1] - start[1]) / (self.ended_at - start[0])


def watch(
    process: Running,
    progress: Callable[[], int],
    done: Callable[[], bool],
    limit_s: float,
    patience_s: float = 30.0,
) -> Course:
    """Look at a contestant until it is done, or the limit has passed since it first moved.

    Args:
        process: The contestant.
        progress: How far it has got.
        done: Whether it is finished.
        limit_s: Seconds.
        patience_s: How long it may stand still.

    Raises:
        ContestantFailed: It ended, or stood still beyond the patience.
    """
    seen: list[tuple[float, int]] = []
    moved_at = idle_at = time.monotonic()
    while True:
        process.look()
        now, at = time.monotonic(), progress()
        idle_at = now if at == 0 else idle_at
        if at > (seen[-1][1] if seen else 0):
            seen.append((now, at))
            moved_at = now
        if done():
            # Not `now`: the broker may have held back the answer until a transaction ended.
            return Course(seen, time.monotonic(), idle_at)
        if seen and now - seen[0][0] > limit_s:
            return Course(seen, seen[-1][0], idle_at)
        if now - moved_at > patience_s:
            raise ContestantFailed(f"stands still at {at}: {process.tail()}")
        time.sleep(_LOOK_EVERY_S)
