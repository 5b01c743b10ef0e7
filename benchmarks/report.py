"""The results of `make bench` as tables for people, and as JSON for programs."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table

from benchmarks.behavior import WHOLE
from benchmarks.bench import Results
from benchmarks.growth import Point
from benchmarks.passthrough import ratios
from benchmarks.peers.all_peers import CONTESTANTS, OURS

Rows = tuple[str, list[str], list[list[str]]]
"""A title, the columns' names, and the cells."""


def tables(results: Results) -> list[Rows]:
    """Every table, in the order in which a reader wants them."""
    return [
        _passthrough(results),
        _behaviour(results),
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


def _passthrough(results: Results) -> Rows:
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
                f"{faster[short]:.1f}×" if short in faster else "",
                f"{each.moved:,}",
                f"{each.surplus:,}",
                f"{each.peak_mib:,.0f} MiB",
            ]
            for short, each in results.passthrough.items()
        ],
    )


def _behaviour(results: Results) -> Rows:
    mine, counter = results.behaviour[WHOLE].per_s, results.behaviour[OURS].per_s
    title = "Behaviour: real baskets, exactly once"
    columns = ["", "what it does", "events/s", "agents ÷ it", "our counter ÷ it", "memory"]
    return (
        title,
        columns,
        [
            [
                each.name,
                each.work,
                f"{each.per_s:,.0f}",
                f"{mine / each.per_s:.1f}×" if short != WHOLE else "",
                f"{counter / each.per_s:.1f}×" if short not in (WHOLE, OURS) else "",
                f"{each.peak_mib:,.0f} MiB",
            ]
            for short, each in results.behaviour.items()
        ],
    )


def _enrich(results: Results) -> Rows:
    def row(what: str, figures: list[float], ratio: str) -> list[str]:
        return [what, ", ".join(f"{each:,.0f}" for each in figures), ratio]

    title = "Enrich: different titles, one worker, one inference thread"
    rows = [
        line
        for model, found in results.enrich.items()
        for line in (
            row(f"{model}, bare", found.bare, ""),
            row(f"{model} in the agent, from Kafka to Kafka", found.agent, f"{found.ratio:.2f}"),
        )
    ]
    return title, ["", "titles/s, turn by turn", "ratio of the medians"], rows


def _latency(results: Results) -> Rows:
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


def _recovery(results: Results) -> Rows:
    mine = results.recovery_s[OURS]
    title = f"Recovery of a table of {max(point.size for point in results.rows):,} rows from its changelog"
    return (
        title,
        ["", "from the worker's start", "shelfstream is faster by"],
        [
            [CONTESTANTS[short].name, f"{each:.1f} s", f"{each / mine:.1f}×" if short != OURS else ""]
            for short, each in results.recovery_s.items()
        ],
    )


def _growth(what: str, points: Sequence[Point]) -> Rows:
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


def drawn(rows: Rows) -> Table:
    """For a terminal."""
    title, columns, cells = rows
    table = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left")
    for row in cells:
        table.add_row(*row)
    return table


def markdown(rows: Rows) -> str:
    """For a page: a table whose first column says its title."""
    title, columns, cells = rows
    head = [title, *columns[1:]] if not columns[0] else columns
    lines = [
        "| " + " | ".join(head) + " |",
        "| --- |" + " ---: |" * (len(head) - 1),
        *("| " + " | ".join(row) + " |" for row in cells),
    ]
    return "\n".join(lines) + "\n"


def record(results: Results) -> dict[str, Any]:
    """For programs."""
    return asdict(results)
