"""Formats the results of `make bench` as tables and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table

from benchmarks.behavior import BOTH_AGENTS
from benchmarks.bench import Results
from benchmarks.growth import GrowthPoint
from benchmarks.passthrough import ratios
from benchmarks.peers.all_peers import CONTESTANTS, OURS

TableData = tuple[str, list[str], list[list[str]]]
"""The title, the names of the columns, and the cells."""


def tables(results: Results) -> list[TableData]:
    """Return every table, in the order of the report."""
    return [
        _passthrough(results),
        _behavior(results),
        _enrich(results),
        _latency(results),
        _recovery(results),
        *(
            _growth(what, points)
            for what, points in (
                ("partitions", results.partitions),
                ("rows of the table", results.rows),
                ("bytes of a record", results.sizes),
            )
        ),
    ]


def _passthrough(results: Results) -> TableData:
    faster = ratios(results.passthrough, OURS)
    title = "Passthrough: events of 330 bytes through 4 partitions"
    columns = ["", "version", "events/s", "shelfstream is faster by", "moved", "twice", "memory"]
    return (
        title,
        columns,
        [
            [
                each.name,
                each.version,
                f"{each.median_per_s:,.0f}",
                f"{faster[short_name]:.1f}×" if short_name in faster else "",
                f"{each.moved:,}",
                f"{each.surplus:,}",
                f"{each.peak_mib:,.0f} MiB",
            ]
            for short_name, each in results.passthrough.items()
        ],
    )


def _behavior(results: Results) -> TableData:
    agents_per_s, counter_per_s = results.behavior[BOTH_AGENTS].per_s, results.behavior[OURS].per_s
    title = "Behavior: real baskets, exactly once"
    columns = ["", "what it does", "events/s", "agents ÷ it", "our counter ÷ it", "memory"]
    return (
        title,
        columns,
        [
            [
                each.name,
                each.work,
                f"{each.per_s:,.0f}",
                f"{agents_per_s / each.per_s:.1f}×" if short_name != BOTH_AGENTS else "",
                f"{counter_per_s / each.per_s:.1f}×" if short_name not in (BOTH_AGENTS, OURS) else "",
                f"{each.peak_mib:,.0f} MiB",
            ]
            for short_name, each in results.behavior.items()
        ],
    )


def _enrich(results: Results) -> TableData:
    def row(what: str, figures: list[float], ratio: str) -> list[str]:
        return [what, ", ".join(f"{each:,.0f}" for each in figures), ratio]

    title = "Enrich: different titles, one worker, one inference thread"
    rows = [
        line
        for model, result in results.enrich.items()
        for line in (
            row(f"{model}, bare", result.bare, ""),
            row(f"{model} in the agent, from Kafka to Kafka", result.agent, f"{result.ratio:.2f}"),
        )
    ]
    return title, ["", "titles/s, turn by turn", "ratio of the medians"], rows


def _latency(results: Results) -> TableData:
    title = "Latency at half of the highest load, from the producer to a read_committed consumer"
    return (
        title,
        ["", "events/s", "p50", "p99", "missing"],
        [
            [
                each.name,
                f"{each.per_s:,.0f}",
                f"{each.p50_ms:,.0f} ms",
                f"{each.p99_ms:,.0f} ms",
                f"{each.missing:,} of {each.timed + each.missing:,}",
            ]
            for each in results.latency
        ],
    )


def _recovery(results: Results) -> TableData:
    our_seconds = results.recovery_s[OURS]
    title = f"Recovery of a table of {max(point.size for point in results.rows):,} rows from its changelog"
    return (
        title,
        ["", "from the worker's start", "shelfstream is faster by"],
        [
            [
                CONTESTANTS[short_name].name,
                f"{each:.1f} s",
                f"{each / our_seconds:.1f}×" if short_name != OURS else "",
            ]
            for short_name, each in results.recovery_s.items()
        ],
    )


def _growth(what: str, points: Sequence[GrowthPoint]) -> TableData:
    title = f"Growth of shelfstream's lanes with {what}"
    return (
        title,
        [what, "events/s", "MiB/s", "memory"],
        [
            [
                f"{point.size:,}",
                f"{point.per_s:,.0f}",
                f"{point.mib_per_s:,.1f}" if point.mib_per_s else "",
                f"{point.peak_mib:,.0f} MiB",
            ]
            for point in points
        ],
    )


def terminal_table(rows: TableData) -> Table:
    """Format a table for a terminal."""
    title, columns, cells = rows
    table = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left")
    for row in cells:
        table.add_row(*row)
    return table


def markdown(rows: TableData) -> str:
    """Format a table as Markdown; the title is the head of its first column."""
    title, columns, cells = rows
    head = [title, *columns[1:]] if not columns[0] else columns
    lines = [
        "| " + " | ".join(head) + " |",
        "| --- |" + " ---: |" * (len(head) - 1),
        *("| " + " | ".join(row) + " |" for row in cells),
    ]
    return "\n".join(lines) + "\n"


def as_json(results: Results) -> dict[str, Any]:
    """Return the results as plain data."""
    return asdict(results)
