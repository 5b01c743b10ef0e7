"""Plain output of the demo, for a standard output that is no terminal: one line every few seconds."""

from streams.demo.counters import INPUTS, OUTPUTS
from streams.demo.view_state import ViewState

EVERY_S = 5.0
"""Seconds between two lines."""


def status_line(state: ViewState) -> str:
    """Return the state of the stream as one line."""
    counters = state.counters
    records_in = sum(counters.rates[topic].total for topic in INPUTS)
    records_out = sum(counters.rates[topic].total for topic in OUTPUTS)
    rate = sum(counters.rates[topic].per_second(state.now) for topic in INPUTS)
    outcomes = counters.outcomes()
    total = sum(outcomes.values()) or 1
    decided = ", ".join(f"{name.value} {number / total:.0%}" for name, number in sorted(outcomes.items()))
    lag = sum(state.worker_metrics.lag.values())
    parts = [
        f"{state.elapsed_s:5.1f} s",
        f"in {records_in:,} ({rate:,.0f}/s)",
        f"out {records_out:,}",
        f"lag {lag:,}",
        f"decided by: {decided}" if decided else "nothing decided yet",
        f"dead letters {sum(counters.dead_letters_by_topic.values()):,}",
    ]
    if counters.pairs.fresh:
        pair = counters.pairs.fresh[0]
        one, other = counters.titles(pair)
        parts.append(f"{one} ↔ {other} {pair.support}×")
    return " · ".join(parts)
