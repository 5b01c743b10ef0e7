"""A rolling change: workers of two versions take turns on the same topics and the same state."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

from tests.chaos.audit import AuditResult
from tests.chaos.feed import Feed, Receipt
from tests.chaos.fleet import Fleet
from tests.chaos.shelfstream import Shelfstream
from tests.support.deployment import SHELFSTREAM

_PAUSE_S = (4.0, 10.0)


@dataclass(slots=True)
class RollingResult:
    """The outcome of a rolling change.

    Attributes:
        turns: How the workers of one version were replaced by those of the other, in order.
        audit: The differences between what was fed and what was committed.
        crashed: The number of workers that ended by themselves.
        stuck: The number of workers that did not end after SIGTERM.
        processed: Whether the workers processed everything in time.
        duration_s: The duration of the run in seconds.
    """

    turns: list[str] = field(default_factory=list)
    audit: AuditResult = field(default_factory=AuditResult)
    crashed: int = 0
    stuck: int = 0
    processed: bool = True
    duration_s: float = 0.0

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return self.audit.clean and self.processed and not (self.crashed or self.stuck)


class RollingChange:
    """Replaces the workers of one version by those of another, back and forth, while inputs are written.

    Args:
        system: The deployment. It starts workers of `system.program`.
        bootstrap: Its broker's address.
        other: The `shelfstream` program of the other version. Its workers come first.
        seed: The seed of the pauses.
        rounds: How often each way to replace the workers is tried, with each version as the new one.
        log: Receives a line for each step.
        processed_within_s: Seconds that the workers may take for what is left in the end.
    """

    def __init__(
        self,
        system: Shelfstream,
        bootstrap: str,
        other: Path,
        *,
        seed: int,
        rounds: int,
        log: Callable[[str], None],
        processed_within_s: float = 300.0,
    ) -> None:
        self._system = system
        self._bootstrap = bootstrap
        self._other = other
        self._random = random.Random(seed)
        self._rounds = rounds
        self._log = log
        self._processed_within_s = processed_within_s

    def run(self) -> RollingResult:
        """Run all turns, wait until everything is processed, and compare."""
        system, result, began = self._system, RollingResult(), time.monotonic()
        system.program = self._other
        system.fleet.fill()
        for worker in system.fleet.workers:
            worker.wait_ready()
        feeds = [Feed(self._bootstrap, inputs, rate) for inputs, rate in system.inputs]
        for feed in feeds:
            feed.start()
        programs = cycle((SHELFSTREAM, self._other))
        for name, replace in self._turns():
            system.fleet.wait(self._random.uniform(*_PAUSE_S))
            system.program = next(programs)
            version = "this version" if system.program == SHELFSTREAM else "the other version"
            self._log(f"  {name}, by workers of {version}")
            result.turns.append(name)
            replace(system.fleet)
        system.fleet.wait(_PAUSE_S[1])
        receipts = [receipt for feed in feeds for receipt in feed.finish()]
        receipts.sort(key=lambda receipt: receipt.position)
        result.processed = self._wait_until_processed(receipts)
        result.audit = system.audit(receipts)
        result.crashed, result.stuck = len(system.fleet.crashed), system.fleet.stuck
        result.duration_s = time.monotonic() - began
        return result

    def _turns(self) -> list[tuple[str, Callable[[Fleet], None]]]:
        """Each way twice in a round: once with each version as the new one."""
        return [way for _ in range(self._rounds) for way in _WAYS for _ in range(2)]

    def _wait_until_processed(self, receipts: Sequence[Receipt]) -> bool:
        deadline = time.monotonic() + self._processed_within_s
        while not self._system.processed(receipts):
            if time.monotonic() > deadline:
                return False
            self._system.fleet.wait(0.5)
        return True


def _stop_one_by_one(fleet: Fleet) -> None:
    """Both versions are members of the group for a while."""
    for worker in list(fleet.workers):
        fleet.stop(worker)
        fleet.workers[-1].wait_ready()


def _kill_one_by_one(fleet: Fleet) -> None:
    for worker in list(fleet.workers):
        fleet.kill(worker)
        fleet.workers[-1].wait_ready()


def _stop_all(fleet: Fleet) -> None:
    for worker in list(fleet.workers):
        fleet.stop(worker, replace=False)
    fleet.fill()


def _kill_all(fleet: Fleet) -> None:
    for worker in list(fleet.workers):
        fleet.kill(worker, replace=False)
    fleet.fill()


_WAYS: tuple[tuple[str, Callable[[Fleet], None]], ...] = (
    ("all stopped and replaced", _stop_all),
    ("all killed and replaced", _kill_all),
    ("stopped and replaced one by one", _stop_one_by_one),
    ("killed and replaced one by one", _kill_one_by_one),
)


def rolling_markdown(result: RollingResult) -> str:
    """Format the result as a Markdown table."""
    audit = result.audit
    rows = {
        "turns": len(result.turns),
        "events": audit.events,
        "lost": audit.lost,
        "duplicated": audit.duplicated,
        "out of order": audit.disordered,
        "wrong rows of state": audit.wrong_rows,
        "wrong dead letters": audit.wrong_dead_letters,
        "workers that ended by themselves": result.crashed,
        "workers that did not stop": result.stuck,
        "everything processed": "yes" if result.processed else "no",
    }
    lines = ["| | |", "| --- | ---: |"]
    lines += [
        f"| {name} | {value:,} |" if isinstance(value, int) else f"| {name} | {value} |"
        for name, value in rows.items()
    ]
    return "\n".join(lines) + "\n"


def rolling_record(result: RollingResult) -> dict[str, Any]:
    """Convert the result to data for JSON."""
    return asdict(result)
