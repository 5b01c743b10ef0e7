"""A campaign: rounds of faults under load, and after each the audit."""

import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.chaos.audit import Verdict
from tests.chaos.faults import Fault, counted, schedule, strike
from tests.chaos.feed import Feed, Receipt
from tests.chaos.system import System
from tests.chaos.tail import Tail, recovery_s
from tests.support.deployment import PARTITIONS

_SETTLED_LOOKS = 3


@dataclass(slots=True)
class Struck:
    """A fault that struck.

    Attributes:
        fault: what it was.
        since: when it was over, or struck where it does not end (monotonic seconds).
        recovery_s: until every partition gave out what was written after it; None: it never did.
    """

    fault: Fault
    since: float
    recovery_s: float | None = None


@dataclass(slots=True)
class Result:
    """What a campaign found.

    Attributes:
        system: its name.
        seed: what to give to see the same again.
        faults: how often each struck.
        verdict: that after the last round; `lost` and the like are counted over all rounds.
        struck: every fault with its recovery.
        crashed: workers that ended by themselves and were started again.
        stuck: workers that did not end when asked to.
        settled: whether everything was worked off in time; if not, the campaign ended there.
        duration_s: seconds that it took.
    """

    system: str
    seed: int
    faults: dict[Fault, int]
    verdict: Verdict = field(default_factory=Verdict)
    struck: list[Struck] = field(default_factory=list)
    crashed: int = 0
    stuck: int = 0
    settled: bool = True
    duration_s: float = 0.0

    @property
    def clean(self) -> bool:
        """Whether nothing was wrong and nobody was needed."""
        return self.verdict.clean and self.stuck == 0 and self.settled

    def recoveries(self) -> tuple[float, float] | None:
        """Median and maximum of the recovery times, in seconds."""
        known = [each.recovery_s for each in self.struck if each.recovery_s is not None]
        return (statistics.median(known), max(known)) if known else None


class Campaign:
    """Runs rounds of faults on a system.

    Args:
        system: what is tried.
        bootstrap: its broker.
        seed: of everything that is random.
        rounds: how many.
        tell: told in a line what happens.
        settle_s: how long a system may take to work off what was fed; beyond, a person would be called.
        pause_s: between faults, from and to.
    """

    def __init__(
        self,
        system: System,
        bootstrap: str,
        *,
        seed: int,
        rounds: int,
        tell: Callable[[str], None],
        settle_s: float = 120.0,
        pause_s: tuple[float, float] = (1.0, 6.0),
    ) -> None:
        self._system = system
        self._bootstrap = bootstrap
        self._dice = random.Random(seed)
        self._tell = tell
        self._settle_s = settle_s
        self._pause_s = pause_s
        self._receipts: list[Receipt] = []
        self._plan = schedule(seed, rounds, system.kinds)
        self.result = Result(system.name, seed, counted(self._plan))

    def run(self) -> Result:
        """All rounds; ends early where a system does not settle."""
        began = time.monotonic()
        system, result = self._system, self.result
        system.fleet.fill()
        tail = Tail(self._bootstrap, system.watched, PARTITIONS, system.mark_of)
        tail.start()
        for number, faults in enumerate(self._plan, 1):
            self._tell(f"round {number} of {len(self._plan)}")
            struck = self._round(faults)
            result.settled = self._settle(tail)
            result.verdict = system.verdict(self._receipts)
            self._recoveries(struck, tail)
            self._tell(_summary(result.verdict))
            self._tell(f"  {len(system.fleet.crashed)} workers ended by themselves and were started again")
            if not result.settled:
                break
        tail.finish()
        result.crashed = len(system.fleet.crashed)
        result.stuck = system.fleet.stuck
        result.duration_s = time.monotonic() - began
        return result

    def _round(self, faults: list[Fault]) -> list[Struck]:
        """Feed while the faults strike, and a little longer."""
        fleet = self._system.fleet
        feeds = [Feed(self._bootstrap, inputs, rate) for inputs, rate in self._system.inputs]
        for feed in feeds:
            feed.start()
        struck = []
        for fault in faults:
            fleet.wait(self._dice.uniform(*self._pause_s))
            self._tell(f"  {fault.value}")
            struck.append(Struck(fault, strike(fault, fleet, self._dice)))
        fleet.wait(self._pause_s[1])
        for feed in feeds:
            self._receipts.extend(feed.finish())
        self._receipts.sort(key=lambda receipt: receipt.place)
        self.result.struck.extend(struck)
        return struck

    def _settle(self, tail: Tail) -> bool:
        """Wait until everything is worked off; False if that takes too long."""
        expected = {mark for receipt in self._receipts if (mark := self._system.mark(receipt)) is not None}
        deadline = time.monotonic() + self._settle_s
        looks = 0
        while looks < _SETTLED_LOOKS:
            if time.monotonic() > deadline:
                return False
            self._system.fleet.wait(0.3)
            waiting = len(expected) - len(tail.arrivals)
            looks = looks + 1 if waiting <= 0 and self._system.settled(self._receipts) else 0
        return True

    def _recoveries(self, struck: list[Struck], tail: Tail) -> None:
        receipts = [receipt for receipt in self._receipts if self._system.mark(receipt) is not None]
        for each in struck:
            each.recovery_s = recovery_s(each.since, receipts, tail.arrivals, self._system.mark)
            shown = "never" if each.recovery_s is None else f"{each.recovery_s:.1f} s"
            self._tell(f"  {each.fault.value}: on again after {shown}")


def _summary(verdict: Verdict) -> str:
    counts = (
        f"  {verdict.events:,} events: {verdict.lost:,} lost, {verdict.duplicated:,} duplicated,"
        f" {verdict.disordered:,} out of order, {verdict.wrong_rows:,} wrong rows,"
        f" {verdict.wrong_dead_letters:,} wrong dead letters"
    )
    lines = [counts, *(f"    {example}" for example in verdict.examples)]
    return "\n".join(lines)
