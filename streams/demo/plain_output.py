"""The demo without a terminal: one plain line every few seconds."""

from streams.demo.counters import INPUTS, OUTPUTS
from streams.demo.view_state import Scene

EVERY_S = 5.0
"""Seconds between two lines."""


def line(scene: Scene) -> str:
    """Where the stream stands, in one line."""
    tally = scene.tally
    came = sum(tally.flow[topic].total for topic in INPUTS)
    went = sum(tally.flow[topic].total for topic in OUTPUTS)
    rate = sum(tally.flow[topic].per_second(scene.now) for topic in INPUTS)
    outcomes = tally.outcomes()
    total = sum(outcomes.values()) or 1
    decided = ", ".join(f"{name.value} {number / total:.0%}" for name, number in sorted(outcomes.items()))
    waiting = sum(scene.reading.lag.values())
    told = [
        f"{scene.elapsed_s:5.1f} s",
        f"in {came:,} ({rate:,.0f}/s)",
        f"out {went:,}",
        f"lag {waiting:,}",
        f"decided by: {decided}" if decided else "nothing decided yet",
        f"dead letters {sum(tally.dead_from.values()):,}",
    ]
    if tally.pairs.fresh:
        pair = tally.pairs.fresh[0]
        one, other = tally.titles(pair)
        told.append(f"{one} ↔ {other} {pair.support}×")
    return " · ".join(told)
