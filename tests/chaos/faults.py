"""Fault injection: the kinds of faults, a seeded schedule, and a function for each kind."""

import random
import resource
import shutil
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from enum import StrEnum

from tests.chaos.fleet import Fleet

_DISK_FULL_S = 5.0


class Fault(StrEnum):
    """The kinds of faults. The values are names in the report."""

    KILL = "kill"
    JOIN = "join"
    LEAVE = "leave"
    BROKER_RESTART = "broker restart"
    BROKER_KILL = "broker kill"
    BROKER_OUTAGE = "broker outage"
    ZOMBIE = "zombie"
    FULL_DISK = "full disk"
    CORRUPT_STATE = "corrupt state"
    WIPE_STATE = "wiped state"
    NEW_MODEL = "new model"
    POISON_SWEEP = "poison sweep"


PASSTHROUGH = (
    Fault.KILL,
    Fault.JOIN,
    Fault.LEAVE,
    Fault.BROKER_RESTART,
    Fault.BROKER_KILL,
    Fault.BROKER_OUTAGE,
    Fault.ZOMBIE,
)
"""The kinds that apply to a system without state."""

_EXTRA: dict[StrEnum, int] = {Fault.KILL: 4}
"""Faults of a kind in a round, beyond the first."""


def schedule(seed: int, rounds: int, kinds: Sequence[StrEnum]) -> list[list[StrEnum]]:
    """Plan the faults of each round, in order: each kind once, and four more kills."""
    rng = random.Random(seed)
    planned = []
    for _ in range(rounds):
        faults = [fault for kind in kinds for fault in [kind] * (1 + _EXTRA.get(kind, 0))]
        rng.shuffle(faults)
        planned.append(faults)
    return planned


def inject(fault: StrEnum, fleet: Fleet, rng: random.Random) -> float:
    """Inject a fault, and end it if it has an end.

    Returns:
        The moment from which recovery is measured, in monotonic seconds.
    """
    return _INJECTIONS[Fault(fault)](fleet, rng)


def _kill(fleet: Fleet, rng: random.Random) -> float:
    fleet.kill(fleet.choose(rng))
    return time.monotonic()


def _join(fleet: Fleet, rng: random.Random) -> float:
    fleet.start()
    return time.monotonic()


def _leave(fleet: Fleet, rng: random.Random) -> float:
    since = time.monotonic()
    fleet.stop(fleet.choose(rng))
    return since


def _restart_broker(fleet: Fleet, rng: random.Random) -> float:
    fleet.broker.restart()
    return time.monotonic()


def _kill_broker(fleet: Fleet, rng: random.Random) -> float:
    fleet.broker.kill()
    fleet.broker.start()
    return time.monotonic()


def _interrupt_broker(fleet: Fleet, rng: random.Random) -> float:
    fleet.broker.kill()
    fleet.wait(fleet.session_expired_after_s)
    fleet.broker.start()
    return time.monotonic()


def _zombie(fleet: Fleet, rng: random.Random) -> float:
    """Freeze a worker until the group has reassigned its partitions, then continue it: it must be fenced."""
    worker = fleet.choose(rng)
    since = time.monotonic()
    worker.signal(signal.SIGSTOP)
    fleet.wait(fleet.session_expired_after_s, frozen=worker)
    with suppress(ProcessLookupError):
        worker.signal(signal.SIGCONT)
    return since


def _fill_disk(fleet: Fleet, rng: random.Random) -> float:
    """Limit the size of a worker's files, which has the effect of a full disk or an exhausted quota."""
    worker = fleet.choose(rng)
    limit = resource.RLIMIT_FSIZE
    _, hard = resource.prlimit(worker.process.pid, limit)
    worker.rotate_log()
    resource.prlimit(worker.process.pid, limit, (64 * 1024, hard))
    fleet.wait(_DISK_FULL_S)
    with suppress(ProcessLookupError):
        resource.prlimit(worker.process.pid, limit, (hard, hard))
    return time.monotonic()


def _corrupt_state(fleet: Fleet, rng: random.Random) -> float:
    """Overwrite a part of every state file while no worker runs, as a failing disk would."""

    def corrupt() -> None:
        for path in fleet.state_files():
            size = path.stat().st_size
            if size:
                with path.open("r+b") as file:
                    file.seek(rng.randrange(size))
                    file.write(bytes(rng.randrange(256) for _ in range(64)))

    return _without_worker(fleet, rng, corrupt)


def _wipe_state(fleet: Fleet, rng: random.Random) -> float:
    return _without_worker(fleet, rng, lambda: shutil.rmtree(fleet.state, ignore_errors=True))


def _without_worker(fleet: Fleet, rng: random.Random, damage: Callable[[], None]) -> float:
    """Kill all workers, damage their state, and start them again."""
    for worker in list(fleet.workers):
        fleet.kill(worker, replace=False)
    damage()
    since = time.monotonic()
    fleet.fill()
    return since


def _promote_model(fleet: Fleet, rng: random.Random) -> float:
    """Promote another model while workers serve. Present and future workers load it."""
    since = time.monotonic()
    fleet.promote_model()
    return since


def _poison_sweep(fleet: Fleet, rng: random.Random) -> float:
    fleet.feed_poison_sweep()
    return time.monotonic()


_INJECTIONS: dict[Fault, Callable[[Fleet, random.Random], float]] = {
    Fault.KILL: _kill,
    Fault.JOIN: _join,
    Fault.LEAVE: _leave,
    Fault.BROKER_RESTART: _restart_broker,
    Fault.BROKER_KILL: _kill_broker,
    Fault.BROKER_OUTAGE: _interrupt_broker,
    Fault.ZOMBIE: _zombie,
    Fault.FULL_DISK: _fill_disk,
    Fault.CORRUPT_STATE: _corrupt_state,
    Fault.WIPE_STATE: _wipe_state,
    Fault.NEW_MODEL: _promote_model,
    Fault.POISON_SWEEP: _poison_sweep,
}


def counted(rounds: Iterable[Sequence[StrEnum]]) -> dict[StrEnum, int]:
    """Count the faults of each kind, also of those that are not planned."""
    planned = [fault for faults in rounds for fault in faults]
    return {fault: planned.count(fault) for fault in (*Fault, *planned)}
