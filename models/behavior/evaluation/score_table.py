"""The result of an evaluation: one row of metrics for each way of ranking."""

from collections.abc import Mapping, Sequence

import msgspec


class ScoreRow(msgspec.Struct, frozen=True):
    """The metrics of one way.

    Attributes:
        name: What was evaluated.
        values: One value per column of the table. None where it does not apply, or nothing was to score.
        ours: Whether it is what this project publishes, rather than a baseline.
    """

    name: str
    values: tuple[float | None, ...]
    ours: bool = False


class ScoreTable(msgspec.Struct, frozen=True):
    """The metrics of several ways on the same behavior.

    Attributes:
        title: What was evaluated.
        columns: The names of the metrics. The first one is the main one.
        rows: The ways, baselines first.
        notes: What was learned from and what was scored, as sentences.
    """

    title: str
    columns: tuple[str, ...]
    rows: Sequence[ScoreRow]
    notes: Sequence[str]


def mean_by_group(
    sums: Mapping[str, float], counts: Mapping[str, int], groups: Sequence[str]
) -> tuple[float | None, ...]:
    """Return the mean of all groups together, and then of each group; None where a group has no values."""
    total = sum(counts.values())
    whole = sum(sums.values()) / total if total else None
    return (whole, *(sums[group] / counts[group] if counts.get(group) else None for group in groups))
