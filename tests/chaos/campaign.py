"""A campaign: rounds of faults under load, each followed by an audit."""

import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from tests.chaos.audit import AuditResult
from tests.chaos.faults import counted, inject, schedule
from tests.chaos.feed import Feed, Receipt
from tests.chaos.fleet import Fleet
from tests.chaos.system import System
from tests.chaos.tail import Tail, recovery_s
from tests.support.deployment import PARTITIONS

_QUIET_LOOKS = 3
Injector = Callable[[StrEnum, Fleet, random.Random], float]
"""Injects a fault, and returns the moment from which recovery is measured."""


@dataclass(slots=True)
class Injection:
    """A fault that was injected.

    Attributes:
        fault: The kind.
        since: When it ended, or began if it has no end, in monotonic seconds.
        recovery_s: Seconds until every partition had an output of an input that was written after the fault.
            None if a partition had none.
    """

    fault: StrEnum
    since: float
    recovery_s: float | None = None


OnRound = Callable[[AuditResult, AuditResult, Sequence[Injection]], None]


@dataclass(slots=True)
class Result:
    """The result of a campaign.

    Attributes:
        system: The name of the system.
        seed: The seed of faults and inputs.
        faults: The number of faults of each kind.
        audit: The audit after the last round, which covers all rounds.
        injected: Every fault with its recovery time.
        crashed: The number of workers that ended by themselves and were restarted.
        stuck: The number of workers that did not end after SIGTERM.
        processed: Whether the system processed everything in time. If not, the campaign ended there.
        duration_s: The duration of the campaign in seconds.
    """

    system: str
    seed: int
    faults: Mapping[StrEnum, int]
    audit: AuditResult = field(default_factory=AuditResult)
    injected: list[Injection] = field(default_factory=list)
    crashed: int = 0
    stuck: int = 0
    processed: bool = True
    duration_s: float = 0.0

    @property
    def clean(self) -> bool:
        """Whether the audit found no difference and no worker needed help."""
        return self.audit.clean and self.stuck == 0 and self.processed

    def recoveries(self) -> tuple[float, float] | None:
        """Median and maximum of the recovery times, in seconds. None if no fault was recovered from."""
        known = [each.recovery_s for each in self.injected if each.recovery_s is not None]
        return (statistics.median(known), max(known)) if known else None


class Campaign:
    """Runs rounds of faults on a system.

    Args:
        system: The system under test.
        bootstrap: The address of its broker.
        seed: The seed of faults and pauses.
        rounds: The number of rounds.
        log: Receives a line for each event.
        plan: The faults of each round, in order. If None, each of the system's kinds in each round.
        on_round: Called after each round, with the audits before and after it, and its faults.
        injector: Injects the faults.
        processed_within_s: Seconds in which the system must process what was fed in a round.
        pause_s: The shortest and the longest pause between two faults, in seconds.
    """

    def __init__(
        self,
        system: System,
        bootstrap: str,
        *,
        seed: int,
        rounds: int,
        log: Callable[[str], None],
        plan: Sequence[Sequence[StrEnum]] | None = None,
        on_round: OnRound = lambda before, after, injected: None,
        injector: Injector = inject,
        processed_within_s: float = 120.0,
        pause_s: tuple[float, float] = (1.0, 6.0),
    ) -> None:
        self._system = system
        self._bootstrap = bootstrap
        self._rng = random.Random(seed)
        self._log = log
        self._processed_within_s = processed_within_s
        self._pause_s = pause_s
        self._receipts: list[Receipt] = []
        self._inject = injector
        self._on_round = on_round
        self._plan = schedule(seed, rounds, system.kinds) if plan is None else plan
        self.result = Result(system.name, seed, counted(self._plan))

    def run(self) -> Result:
        """Run all rounds. The campaign ends early if the system does not process a round's inputs in time."""
        began = time.monotonic()
        system, result = self._system, self.result
        system.fleet.fill()
        tail = Tail(self._bootstrap, system.watched, PARTITIONS, system.input_id_of)
        tail.start()
        for number, faults in enumerate(self._plan, 1):
            self._log(f"round {number} of {len(self._plan)}")
            injected = self._round(faults, tail)
            result.processed = self._wait_until_processed(tail)
            before, result.audit = result.audit, system.audit(self._receipts)
            self._recoveries(injected, tail)
            self._on_round(before, result.audit, injected)
            self._log(_summary(result.audit))
            self._log(f"  {len(system.fleet.crashed)} workers ended by themselves and were started again")
            if not result.processed:
                break
        tail.finish()
        result.crashed = len(system.fleet.crashed)
        result.stuck = system.fleet.stuck
        result.duration_s = time.monotonic() - began
        return result

    def _round(self, faults: Sequence[StrEnum], tail: Tail) -> list[Injection]:
        """Feed inputs while faults are injected, and a little longer."""
        fleet = self._system.fleet
        feeds = [Feed(self._bootstrap, inputs, rate) for inputs, rate in self._system.inputs]
        for feed in feeds:
            feed.start()
        self._wait_for_first_output(tail)
        injected = []
        for fault in faults:
            fleet.wait(self._rng.uniform(*self._pause_s))
            self._log(f"  {fault.value}")
            injected.append(Injection(fault, self._inject(fault, fleet, self._rng)))
        fleet.wait(self._pause_s[1])
        for feed in feeds:
            self._receipts.extend(feed.finish())
        self._receipts.sort(key=lambda receipt: receipt.position)
        self.result.injected.extend(injected)
        return injected

    def _wait_for_first_output(self, tail: Tail) -> None:
        """Wait until the workers serve. On a busy machine the faults would otherwise meet idle workers."""
        deadline = time.monotonic() + self._processed_within_s
        while not tail.arrivals and time.monotonic() < deadline:
            self._system.fleet.wait(0.2)

    def _wait_until_processed(self, tail: Tail) -> bool:
        """Wait until the system has processed everything. Returns False if that takes too long."""
        expected = {
            input_id for receipt in self._receipts if (input_id := self._system.input_id(receipt)) is not None
        }
        deadline = time.monotonic() + self._processed_within_s
        looks = 0
        while looks < _QUIET_LOOKS:
            if time.monotonic() > deadline:
                return False
            self._system.fleet.wait(0.3)
            waiting = len(expected) - len(tail.arrivals)
            looks = looks + 1 if waiting <= 0 and self._system.processed(self._receipts) else 0
        return True

    def _recoveries(self, injected: list[Injection], tail: Tail) -> None:
        receipts = [receipt for receipt in self._receipts if self._system.input_id(receipt) is not None]
        for each in injected:
            each.recovery_s = recovery_s(each.since, receipts, tail.arrivals, self._system.input_id)
            shown = "never" if each.recovery_s is None else f"{each.recovery_s:.1f} s"
            self._log(f"  {each.fault.value}: recovered after {shown}")


def _summary(audit: AuditResult) -> str:
    counts = (
        f"  {audit.events:,} events: {audit.lost:,} lost, {audit.duplicated:,} duplicated,"
        f" {audit.disordered:,} out of order, {audit.wrong_rows:,} wrong rows,"
        f" {audit.wrong_dead_letters:,} wrong dead letters"
    )
    lines = [counts, *(f"    {example}" for example in audit.examples)]
    return "\n".join(lines)
