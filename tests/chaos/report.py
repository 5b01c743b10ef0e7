"""Formats results of campaigns: as a table for a terminal, as Markdown, and as data for JSON."""

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
    "recovery: median, worst",
)


def cells(result: Result) -> list[str]:
    """Format the cells of a result, one for each of `COLUMNS`."""
    faults, audit = result.faults, result.audit
    whole = Fault.WIPE_STATE in faults and faults[Fault.WIPE_STATE] > 0
    recovered = result.recoveries()
    return [
        result.system,
        f"{audit.events:,}",
        f"{faults[Fault.KILL]:,}",
        f"{faults[Fault.JOIN] + faults[Fault.LEAVE]:,}",
        f"{sum(faults[fault] for fault in _BROKER):,}",
        f"{faults[Fault.ZOMBIE]:,}",
        f"{sum(faults[fault] for fault in _STATE):,}" if whole else "–",
        f"{faults[Fault.NEW_MODEL]:,}" if whole else "–",
        f"{audit.lost:,}" + ("" if result.processed else " (gave up waiting)"),
        f"{audit.duplicated:,}",
        f"{audit.disordered:,}",
        f"{audit.wrong_rows + audit.wrong_dead_letters:,}" if whole else "–",
        f"{recovered[0]:.1f} s, {recovered[1]:.1f} s" if recovered else "never",
    ]


def table(results: Sequence[Result]) -> Table:
    """Format results as a table for a terminal."""
    drawn = Table(title="faults under load, counted by a read_committed reader")
    for number, column in enumerate(COLUMNS):
        drawn.add_column(column, justify="left" if number == 0 else "right", overflow="fold")
    for result in results:
        drawn.add_row(*cells(result))
    return drawn


def markdown(results: Sequence[Result]) -> str:
    """Format results as a Markdown table."""
    lines = [
        "| " + " | ".join(COLUMNS) + " |",
        "| --- |" + " ---: |" * (len(COLUMNS) - 1),
        *("| " + " | ".join(cells(result)) + " |" for result in results),
    ]
    return "\n".join(lines) + "\n"


def record(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Convert results to data for JSON, each fault with its recovery time."""
    return [
        {
            **asdict(result),
            "faults": {fault.value: count for fault, count in result.faults.items()},
            "injected": [
                {"fault": each.fault.value, "recovery_s": each.recovery_s} for each in result.injected
            ],
        }
        for result in results
    ]
