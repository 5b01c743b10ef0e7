"""The panels of the live view. Each draws a part of the view state as lines of text.

Every drawing function takes the state, the width in cells and the number of lines.
"""

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from rich.text import Text

from schemas import dead_letters
from schemas.events import DecisionOutcome
from streams.demo.counters import INPUTS, OUTPUTS
from streams.demo.live_view_bars import bar, count, cut, shortened, sparkline
from streams.demo.view_state import ViewState

_AGENTS = ("enrich", "sessions", "affinity")
_OUTCOMES = (
    (DecisionOutcome.MODEL, "model", "green"),
    (DecisionOutcome.ABSTAINED, "abstained", "yellow"),
    (DecisionOutcome.SHOP, "shop", "blue"),
    (DecisionOutcome.PERSON, "person", "magenta"),
)
_LAG_BAR = 2000
"""Lag, in records, that fills the bar."""


class PanelSpec(NamedTuple):
    """A panel.

    Attributes:
        name: Unique name.
        title: Title on the screen.
        least: Least number of lines.
        most: Most number of lines.
        rank: Importance. If there is too little room, the panel with the highest rank is left out first.
        draw: Drawing function.
    """

    name: str
    title: str
    least: int
    most: int
    rank: int
    draw: Callable[[ViewState, int, int], list[Text]]


def topic_rates(state: ViewState, width: int, lines: int) -> list[Text]:
    """Draw a sparkline, the records per second and the total of every topic."""
    spark = max(0, min(60, width - 40))
    head = Text("   " + cut("topic", 18) + cut("", 1 + spark) + "  per s".rjust(8) + "total".rjust(10), "dim")
    rows = [head]
    for topic in (*INPUTS, *OUTPUTS):
        rate_counter = state.counters.rates[topic]
        style = "cyan" if topic in INPUTS else "red" if topic == dead_letters.TOPIC else "green"
        line = Text(" → " if topic in INPUTS else " ← ", style=style)
        line.append(cut(topic, 18))
        line.append(" " + sparkline(rate_counter.last(spark, state.now)), style=style)
        line.append(count(rate_counter.per_second(state.now)).rjust(8))
        line.append(count(rate_counter.total).rjust(10), style="bold")
        rows.append(line)
    return rows[1:] if lines < len(rows) else rows


def agent_lag(state: ViewState, width: int, lines: int) -> list[Text]:
    """Draw the lag of each agent."""
    rows = []
    for agent in _AGENTS:
        records = state.worker_metrics.lag.get(agent)
        line = Text(" " + cut(agent, 10))
        line.append("–".rjust(7) if records is None else count(records).rjust(7), style="bold")
        fraction = min(1.0, (records or 0) / _LAG_BAR)
        line.append("  " + bar(fraction, max(0, width - 20)), style="red" if fraction >= 1 else "blue")
        rows.append(line)
    if lines > len(rows) and state.worker_metrics.cpu_s:
        rows.append(Text(f" the worker has used {state.worker_metrics.cpu_s:.0f} s of CPU time", "dim"))
    return rows


def decisions(state: ViewState, width: int, lines: int) -> list[Text]:
    """Draw the number of listed products by outcome of the decision."""
    outcomes = state.counters.outcomes()
    total = outcomes.total() or 1
    rows = []
    for outcome, name, style in _shown_outcomes(outcomes):
        number = outcomes[outcome]
        line = Text(" " + cut(name, 10) + count(number).rjust(7))
        line.append(f"{number / total:>6.0%} ", style="bold")
        line.append(bar(number / total, max(0, width - 26)), style=style)
        rows.append(line)
    if state.counters.review_title and lines > len(rows):
        rows.append(Text(f" to review: {state.counters.review_title}", "dim"))
    return rows


def _shown_outcomes(outcomes: Counter[DecisionOutcome]) -> list[tuple[DecisionOutcome, str, str]]:
    """The outcomes to show, with name and style. Few shops give categories of the tree."""
    return [each for each in _OUTCOMES if each[0] is not DecisionOutcome.SHOP or outcomes[each[0]]]


def brief(state: ViewState, width: int, lines: int) -> list[Text]:
    """Draw decisions and lag in one line each."""
    outcomes = state.counters.outcomes()
    total = outcomes.total() or 1
    decisions_line, lag_line = Text(" decided by "), Text(" lag ")
    for outcome, name, style in _shown_outcomes(outcomes):
        decisions_line.append(f"{name} ", style=style)
        decisions_line.append(f"{count(outcomes[outcome])} ({outcomes[outcome] / total:.0%})  ", style="bold")
    for agent in _AGENTS:
        number = state.worker_metrics.lag.get(agent)
        lag_line.append(f"{agent} ", style="blue")
        lag_line.append(("–" if number is None else count(number)) + "  ", style="bold")
    return [decisions_line, lag_line]


def categories(state: ViewState, width: int, lines: int) -> list[Text]:
    """Draw the categories with the most products."""
    top = state.counters.categories().most_common(lines)
    if not top:
        return [Text(" none decided yet", "dim")]
    names = max(16, min(52, width - 20))
    rows = []
    for path, number in top:
        line = Text(" " + cut(shortened(path, names), names) + count(number).rjust(5) + "  ")
        line.append(bar(number / top[0][1], max(0, width - names - 9)), style="green")
        rows.append(line)
    return rows


def affinities(state: ViewState, width: int, lines: int) -> list[Text]:
    """Draw the latest pairs with their titles."""
    if not state.counters.pairs.fresh:
        return [Text(" no pair yet", "dim")]
    room = (width - 10) // 2
    rows = []
    for pair in list(state.counters.pairs.fresh)[:lines]:
        one, other = state.counters.titles(pair)
        line = Text(" " + cut(one, room))
        line.append(" ↔ ", style="bold green")
        line.append(cut(other, room))
        line.append(f"{pair.support}×".rjust(5), style="bold")
        rows.append(line)
    return rows


def latest_product(state: ViewState, width: int, lines: int) -> list[Text]:
    """Draw the latest enriched product with category, attributes and tags."""
    product = state.counters.latest_product
    if product is None:
        return [Text(" no product yet", "dim")]
    category = Text(" " + shortened(product.category, width - 14))
    mark = "?" if product.outcome is DecisionOutcome.ABSTAINED else ""
    category.append(f"  {product.confidence:.0%}{mark}", style="bold")
    attributes = Text(" ")
    for name, value in product.attributes:
        attributes.append(f"{name} ", style="dim")
        attributes.append(f"{value}  ", style="cyan")
    tags = Text(" ")
    for tag in product.tags:
        tags.append(f"#{tag.replace(' ', '-')} ", style="blue")
    return [Text(" " + product.title, "bold"), category, attributes, tags]


def feedback_and_errors(state: ViewState, width: int, lines: int) -> list[Text]:
    """Draw withdrawals, the correction and the latest dead letters."""
    counters = state.counters
    rows = []
    if counters.withdrawn:
        rows.append(
            Text(f" withdrawn: {', '.join(counters.withdrawn[-3:])}, tombstones published", "magenta")
        )
    if counters.correction is not None:
        took = counters.correction.took_s
        status = "correction sent" if took is None else f"correction published after {took:.1f} s"
        rows.append(Text(f" {status}: {counters.title(counters.correction.product_id)}", "magenta"))
    for letter in reversed(counters.dead_letters):
        line = Text(" ")
        line.append(letter.reason, style="bold red")
        line.append(f" in {letter.topic}: {letter.message}", style="red")
        rows.append(line)
    return rows or [Text(" none so far; invalid records come later", "dim")]


_RATES = PanelSpec("rates", "events", 8, 9, 0, topic_rates)
_DECISIONS = PanelSpec("decisions", "decisions", 3, 4, 3, decisions)
_LAG = PanelSpec("lag", "lag: records waiting", 3, 4, 4, agent_lag)
_CATEGORIES = PanelSpec("categories", "top categories", 3, 10, 2, categories)
_AFFINITIES = PanelSpec(
    "affinities", "new affinities: bought together in so many baskets", 3, 24, 1, affinities
)
_LATEST = PanelSpec("latest", "latest product", 4, 4, 5, latest_product)
_ERRORS = PanelSpec("errors", "dead letters and feedback", 2, 24, 6, feedback_and_errors)

_BRIEF = PanelSpec("brief", "decisions and lag", 2, 2, 2, brief)

PANELS = (_RATES, _DECISIONS, _LAG, _CATEGORIES, _AFFINITIES, _LATEST, _ERRORS)
"""Panels of a single column, from top to bottom."""

LOW_PANELS = (_RATES, _BRIEF, _CATEGORIES, _AFFINITIES, _LATEST, _ERRORS)
"""Panels of a single column on a low terminal."""

WIDE_PANELS = (
    (_RATES, _DECISIONS, _LAG, _ERRORS),
    (_CATEGORIES, _AFFINITIES, _LATEST),
)
"""Panels of the left and of the right column."""
