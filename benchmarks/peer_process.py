"""Starts contestants, polls their progress, and stops them."""

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

_POLL_INTERVAL_S = 0.1


class ContestantFailed(Exception):
    """A contestant exited, or made no progress; the message contains the end of its log."""


class RunningProcess:
    """The process of a contestant.

    Attributes:
        process: The process.
        log: The file of its output.
        peak_mib: Peak resident memory so far, in MiB.
    """

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self.log = log
        self.peak_mib = 0.0

    def check(self) -> None:
        """Update the peak memory.

        Raises:
            ContestantFailed: The process has exited.
        """
        if self.process.poll() is not None:
            raise ContestantFailed(f"exited with status {self.process.returncode}: {self.tail()}")
        with suppress(OSError, StopIteration, ValueError):
            lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
            resident = next(line for line in lines if line.startswith("VmRSS:"))
            self.peak_mib = max(self.peak_mib, int(resident.split()[1]) / 1024)

    def tail(self) -> str:
        """Return the last 3,000 characters of the log."""
        return self.log.read_text(errors="replace")[-3000:]


@contextmanager
def running(command: list[str], environment: Mapping[str, str]) -> Iterator[RunningProcess]:
    """Run a command in a new process group within the block, with its output in a log file."""
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
            yield RunningProcess(process, log)
        finally:
            _end(process)


def running_contestant(contestant: Contestant, work: Work) -> AbstractContextManager[RunningProcess]:
    """Run one worker of a contestant within the block."""
    return running(contestant.command(work), contestant.environment)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(15)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@dataclass(frozen=True, slots=True)
class ProgressCurve:
    """The progress of a contestant over time. Times are monotonic, in seconds.

    Attributes:
        seen: Time and progress (events) of each poll that found new progress.
        ended_at: The time at which it was done, or at which the limit was reached.
        idle_at: The time of the last poll without any progress.
    """

    seen: list[tuple[float, int]]
    ended_at: float
    idle_at: float = 0.0

    def rate(self, beyond: int = 0) -> float:
        """Return the events per second after the first `beyond` events; 0 if there was too little progress.

        If `beyond` is 0, time starts at the first poll with progress, because the start of the earlier work
        is unknown. Otherwise it starts at the last poll that was not beyond: polls may be rare, because the
        broker delays answers until transactions end, and the first poll beyond may be near the end.
        """
        later = [(at, done) for at, done in self.seen if done > beyond]
        if not later:
            return 0.0
        start = later[0]
        if beyond:
            start = max(((at, done) for at, done in self.seen if done <= beyond), default=(self.idle_at, 0))
        if self.ended_at <= start[0]:
            return 0.0
        return (later[-1][1] - start[1]) / (self.ended_at - start[0])


def wait_until_done(
    process: RunningProcess,
    progress: Callable[[], int],
    done: Callable[[], bool],
    limit_s: float,
    patience_s: float = 30.0,
) -> ProgressCurve:
    """Poll a contestant until it is done, or until the limit after its first progress.

    Args:
        process: The contestant.
        progress: Returns its progress in events.
        done: Returns whether it is done.
        limit_s: The limit in seconds.
        patience_s: The maximum time without progress in seconds.

    Returns:
        The progress over time.

    Raises:
        ContestantFailed: It exited, or made no progress for `patience_s`.
    """
    seen: list[tuple[float, int]] = []
    moved_at = idle_at = time.monotonic()
    while True:
        process.check()
        now, at = time.monotonic(), progress()
        idle_at = now if at == 0 else idle_at
        if at > (seen[-1][1] if seen else 0):
            seen.append((now, at))
            moved_at = now
        if done():
            # `now` may be too early, because the broker may delay the answer until a transaction ends.
            return ProgressCurve(seen, time.monotonic(), idle_at)
        if seen and now - seen[0][0] > limit_s:
            return ProgressCurve(seen, seen[-1][0], idle_at)
        if now - moved_at > patience_s:
            raise ContestantFailed(f"no progress beyond {at}: {process.tail()}")
        time.sleep(_POLL_INTERVAL_S)
