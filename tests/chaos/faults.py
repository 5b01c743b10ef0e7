"""The faults, and when they strike: a seeded schedule, and one function for each that does it."""

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
    """What may happen. The values are the columns of the report."""

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
"""Those that make sense for whatever only passes records through."""

# What the short campaign must have at least: five kills, two rebalances beside theirs.
_MORE = {Fault.KILL: 4}


def schedule(seed: int, rounds: int, kinds: Sequence[Fault]) -> list[list[Fault]]:
    """The faults of each round, in the order in which they strike: each kind once, and four kills more."""
    dice = random.Random(seed)
    planned = []
    for _ in range(rounds):
        faults = [fault for kind in kinds for fault in [kind] * (1 + _MORE.get(kind, 0))]
        dice.shuffle(faults)
        planned.append(faults)
    return planned


def strike(fault: Fault, fleet: Fleet, dice: random.Random) -> float:
    """Do it, and undo it where it ends; the moment (monotonic) from which recovery counts."""
    return _STRIKES[fault](fleet, dice)


def _kill(fleet: Fleet, dice: random.Random) -> float:
    fleet.kill(fleet.any(dice))
    return time.monotonic()


def _join(fleet: Fleet, dice: random.Random) -> float:
    fleet.start()
    return time.monotonic()


def _leave(fleet: Fleet, dice: random.Random) -> float:
    since = time.monotonic()
    fleet.stop(fleet.any(dice))
    return since


def _restart_broker(fleet: Fleet, dice: random.Random) -> float:
    fleet.broker.restart()
    return time.monotonic()


def _kill_broker(fleet: Fleet, dice: random.Random) -> float:
    fleet.broker.kill()
    fleet.broker.start()
    return time.monotonic()


def _outlast_sessions(fleet: Fleet, dice: random.Random) -> float:
    fleet.broker.kill()
    fleet.wait(fleet.outlived_s)
    fleet.broker.start()
    return time.monotonic()


def _zombie(fleet: Fleet, dice: random.Random) -> float:
    """Freeze a worker until the group has given its partitions away, and wake it: it must be fenced."""
    sleeper = fleet.any(dice)
    since = time.monotonic()
    sleeper.signal(signal.SIGSTOP)
    fleet.wait(fleet.outlived_s, sparing=sleeper)
    with suppress(ProcessLookupError):
        sleeper.signal(signal.SIGCONT)
    return since


def _fill_disk(fleet: Fleet, dice: random.Random) -> float:
    """No file of a worker may grow: what a full disk or an exhausted quota does to its state."""
    worker = fleet.any(dice)
    limit = resource.RLIMIT_FSIZE
    _, hard = resource.prlimit(worker.process.pid, limit)
    worker.rotate_log()
    resource.prlimit(worker.process.pid, limit, (64 * 1024, hard))
    fleet.wait(_DISK_FULL_S)
    with suppress(ProcessLookupError):
        resource.prlimit(worker.process.pid, limit, (hard, hard))
    return time.monotonic()


def _corrupt_state(fleet: Fleet, dice: random.Random) -> float:
    """Overwrite a part of every state file of a killed worker, as a dying disk would."""

    def corrupt() -> None:
        for path in fleet.state_files():
            size = path.stat().st_size
            if size:
                with path.open("r+b") as file:
                    file.seek(dice.randrange(size))
                    file.write(bytes(dice.randrange(256) for _ in range(64)))

    return _without_worker(fleet, dice, corrupt)


def _wipe_state(fleet: Fleet, dice: random.Random) -> float:
    return _without_worker(fleet, dice, lambda: shutil.rmtree(fleet.state, ignore_errors=True))


def _without_worker(fleet: Fleet, dice: random.Random, damage: Callable[[], None]) -> float:
    """All workers die, their state is damaged, and they start again."""
    for worker in list(fleet.workers):
        fleet.kill(worker, replace=False)
    damage()
    since = time.monotonic()
    fleet.fill()
    return since


def _renew_model(fleet: Fleet, dice: random.Random) -> float:
    """Another model takes over while workers work, in all that live and in those that come."""
    since = time.monotonic()
    fleet.renew_model()
    return since


def _sweep(fleet: Fleet, dice: random.Random) -> float:
    fleet.sweep_poison()
    return time.monotonic()


_STRIKES: dict[Fault, Callable[[Fleet, random.Random], float]] = {
    Fault.KILL: _kill,
    Fault.JOIN: _join,
    Fault.LEAVE: _leave,
    Fault.BROKER_RESTART: _restart_broker,
    Fault.BROKER_KILL: _kill_broker,
    Fault.BROKER_OUTAGE: _outlast_sessions,
    Fault.ZOMBIE: _zombie,
    Fault.FULL_DISK: _fill_disk,
    Fault.CORRUPT_STATE: _corrupt_state,
    Fault.WIPE_STATE: _wipe_state,
    Fault.NEW_MODEL: _renew_model,
    Fault.POISON_SWEEP: _sweep,
}


def counted(rounds: Iterable[Sequence[Fault]]) -> dict[Fault, int]:
    """How often each fault struck."""
    struck = [fault for faults in rounds for fault in faults]
    return {fault: struck.count(fault) for fault in Fault}
