"""A campaign's result as a table: for a terminal, as Markdown, and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table

from tests.chaos.campaign import Result
from tests.chaos.faults import Fault

_BROKER = (Fault.BROKER_RESTART, Fault.BROKER_KILL, Fault.BROKER_OUTAGE)
_STATE = (Fault.FULL_DISK, Fault.CORRUPT_STATE, Fault.WIPE_STATE)

COLUMNS = (
    "system",
    "events",
    "kills",
    "joins and leaves",
    "broker faults",
    "zombies",
    "state faults",
    "model swaps",
    "lost",
    "duplicated",
    "out of order",
    "wrong state or dead letters",
    "on again after: median, worst",
)


def cells(result: Result) -> list[str]:
    """One row of the table, by `COLUMNS`."""
    struck, verdict = result.faults, result.verdict
    whole = Fault.WIPE_STATE in struck and struck[Fault.WIPE_STATE] > 0
    recovered = result.recoveries()
    return [
        result.system,
        f"{verdict.events:,}",
        f"{struck[Fault.KILL]:,}",
        f"{struck[Fault.JOIN] + struck[Fault.LEAVE]:,}",
        f"{sum(struck[fault] for fault in _BROKER):,}",
        f"{struck[Fault.ZOMBIE]:,}",
        f"{sum(struck[fault] for fault in _STATE):,}" if whole else "–",
        f"{struck[Fault.NEW_MODEL]:,}" if whole else "–",
        f"{verdict.lost:,}" + ("" if result.settled else " (gave up waiting)"),
        f"{verdict.duplicated:,}",
        f"{verdict.disordered:,}",
        f"{verdict.wrong_rows + verdict.wrong_dead_letters:,}" if whole else "–",
        f"{recovered[0]:.1f} s, {recovered[1]:.1f} s" if recovered else "never",
    ]


def table(results: Sequence[Result]) -> Table:
    """For a terminal."""
    drawn = Table(title="faults under load, counted by a read_committed reader")
    for number, column in enumerate(COLUMNS):
        drawn.add_column(column, justify="left" if number == 0 else "right", overflow="fold")
    for result in results:
        drawn.add_row(*cells(result))
    return drawn


def markdown(results: Sequence[Result]) -> str:
    """For a page."""
    lines = [
        "| " + " | ".join(COLUMNS) + " |",
        "| --- |" + " ---: |" * (len(COLUMNS) - 1),
        *("| " + " | ".join(cells(result)) + " |" for result in results),
    ]
    return "\n".join(lines) + "\n"


def record(results: Sequence[Result]) -> list[dict[str, Any]]:
    """For programs: everything, each fault with its recovery time."""
    return [
        {
            **asdict(result),
            "faults": {fault.value: count for fault, count in result.faults.items()},
            "struck": [{"fault": each.fault.value, "recovery_s": each.recovery_s} for each in result.struck],
        }
        for result in results
    ]
