"""The panels of the live view: each draws its part of a scene as lines of text."""

from collections.abc import Callable
from typing import NamedTuple

from rich.text import Text

from schemas import dead_letters
from schemas.events import DecisionOutcome
from streams.demo.counters import INPUTS, OUTPUTS
from streams.demo.live_view_bars import bar, count, cut, shortened, sparkline
from streams.demo.view_state import Scene

_AGENTS = ("enrich", "sessions", "affinity")
_OUTCOMES = (
    (DecisionOutcome.MODEL, "model", "green"),
    (DecisionOutcome.ABSTAINED, "abstained", "yellow"),
    (DecisionOutcome.PERSON, "person", "magenta"),
)
_LAG_BAR = 2000


class Draw(NamedTuple):
    """A panel: its title, between which numbers of lines, how dispensable (higher goes first), how drawn."""

    name: str
    title: str
    least: int
    most: int
    rank: int
    draw: Callable[[Scene, int, int], list[Text]]


def flow(scene: Scene, width: int, lines: int) -> list[Text]:
    """Every topic: records a second, the last seconds as a sparkline, and the total."""
    spark = max(0, min(60, width - 40))
    head = Text("   " + cut("topic", 18) + cut("", 1 + spark) + "  per s".rjust(8) + "total".rjust(10), "dim")
    rows = [head]
    for topic in (*INPUTS, *OUTPUTS):
        rhythm = scene.tally.flow[topic]
        style = "cyan" if topic in INPUTS else "red" if topic == dead_letters.TOPIC else "green"
        line = Text(" → " if topic in INPUTS else " ← ", style=style)
        line.append(cut(topic, 18))
        line.append(" " + sparkline(rhythm.last(spark, scene.now)), style=style)
        line.append(count(rhythm.per_second(scene.now)).rjust(8))
        line.append(count(rhythm.total).rjust(10), style="bold")
        rows.append(line)
    return rows[1:] if lines < len(rows) else rows


def lag(scene: Scene, width: int, lines: int) -> list[Text]:
    """What waits for each agent."""
    rows = []
    for agent in _AGENTS:
        waiting = scene.reading.lag.get(agent)
        line = Text(" " + cut(agent, 10))
        line.append("–".rjust(7) if waiting is None else count(waiting).rjust(7), style="bold")
        share = min(1.0, (waiting or 0) / _LAG_BAR)
        line.append("  " + bar(share, max(0, width - 20)), style="red" if share >= 1 else "blue")
        rows.append(line)
    if lines > len(rows) and scene.reading.cpu_s:
        rows.append(Text(f" the worker has used {scene.reading.cpu_s:.0f} s of processor time", "dim"))
    return rows


def decisions(scene: Scene, width: int, lines: int) -> list[Text]:
    """Who decided the categories of all listed products."""
    outcomes = scene.tally.outcomes()
    total = outcomes.total() or 1
    rows = []
    for outcome, name, style in _OUTCOMES:
        number = outcomes[outcome]
        line = Text(" " + cut(name, 10) + count(number).rjust(7))
        line.append(f"{number / total:>6.0%} ", style="bold")
        line.append(bar(number / total, max(0, width - 26)), style=style)
        rows.append(line)
    if scene.tally.question and lines > len(rows):
        rows.append(Text(f" to a person: {scene.tally.question}", "dim"))
    return rows


def brief(scene: Scene, width: int, lines: int) -> list[Text]:
    """Decisions and lag, a line each."""
    outcomes = scene.tally.outcomes()
    total = outcomes.total() or 1
    decided, waiting = Text(" decided by "), Text(" waiting for ")
    for outcome, name, style in _OUTCOMES:
        decided.append(f"{name} ", style=style)
        decided.append(f"{count(outcomes[outcome])} ({outcomes[outcome] / total:.0%})  ", style="bold")
    for agent in _AGENTS:
        number = scene.reading.lag.get(agent)
        waiting.append(f"{agent} ", style="blue")
        waiting.append(("–" if number is None else count(number)) + "  ", style="bold")
    return [decided, waiting]


def categories(scene: Scene, width: int, lines: int) -> list[Text]:
    """The categories with the most products."""
    top = scene.tally.categories().most_common(lines)
    if not top:
        return [Text(" none decided yet", "dim")]
    names = max(16, min(52, width - 20))
    rows = []
    for path, number in top:
        line = Text(" " + cut(shortened(path, names), names) + count(number).rjust(5) + "  ")
        line.append(bar(number / top[0][1], max(0, width - names - 9)), style="green")
        rows.append(line)
    return rows


def affinities(scene: Scene, width: int, lines: int) -> list[Text]:
    """The freshest pairs with their titles."""
    if not scene.tally.pairs.fresh:
        return [Text(" nothing was bought together yet", "dim")]
    room = (width - 10) // 2
    rows = []
    for pair in list(scene.tally.pairs.fresh)[:lines]:
        one, other = scene.tally.titles(pair)
        line = Text(" " + cut(one, room))
        line.append(" ↔ ", style="bold green")
        line.append(cut(other, room))
        line.append(f"{pair.support}×".rjust(5), style="bold")
        rows.append(line)
    return rows


def latest(scene: Scene, width: int, lines: int) -> list[Text]:
    """The product that was enriched last: category, attributes, tags."""
    card = scene.tally.latest
    if card is None:
        return [Text(" no product yet", "dim")]
    category = Text(" " + shortened(card.category, width - 14))
    asked = "?" if card.outcome is DecisionOutcome.ABSTAINED else ""
    category.append(f"  {card.confidence:.0%}{asked}", style="bold")
    attributes = Text(" ")
    for name, value in card.attributes:
        attributes.append(f"{name} ", style="dim")
        attributes.append(f"{value}  ", style="cyan")
    tags = Text(" ")
    for tag in card.tags:
        tags.append(f"#{tag.replace(' ', '-')} ", style="blue")
    return [Text(" " + card.title, "bold"), category, attributes, tags]


def trouble(scene: Scene, width: int, lines: int) -> list[Text]:
    """Dead letters and people's words, the latest first."""
    tally = scene.tally
    rows = []
    if tally.withdrawn:
        rows.append(Text(f" withdrawn: {', '.join(tally.withdrawn[-3:])}, gone downstream too", "magenta"))
    if tally.correction is not None:
        took = tally.correction.took_s
        counts = (
            "a person's word is on its way" if took is None else f"a person's word counts after {took:.1f} s"
        )
        rows.append(Text(f" {counts}: {tally.title(tally.correction.product_id)}", "magenta"))
    for letter in reversed(tally.dead):
        line = Text(" ")
        line.append(letter.reason, style="bold red")
        line.append(f" in {letter.topic}: {letter.message}", style="red")
        rows.append(line)
    return rows or [Text(" none so far; some broken records come later", "dim")]


_FLOW = Draw("flow", "events", 8, 9, 0, flow)
_DECISIONS = Draw("decisions", "who decided the category", 3, 4, 3, decisions)
_LAG = Draw("lag", "records waiting (lag)", 3, 4, 4, lag)
_CATEGORIES = Draw("categories", "top categories", 3, 10, 2, categories)
_AFFINITIES = Draw("affinities", "fresh affinities: bought together in so many baskets", 3, 24, 1, affinities)
_LATEST = Draw("latest", "latest product", 4, 4, 5, latest)
_TROUBLE = Draw("trouble", "dead letters and people's words", 2, 24, 6, trouble)

_BRIEF = Draw("brief", "decisions and lag", 2, 2, 2, brief)

PANELS = (_FLOW, _DECISIONS, _LAG, _CATEGORIES, _AFFINITIES, _LATEST, _TROUBLE)
"""One below the other."""

LOW_PANELS = (_FLOW, _BRIEF, _CATEGORIES, _AFFINITIES, _LATEST, _TROUBLE)
"""The same where there is little height."""

WIDE_PANELS = (
    (_FLOW, _DECISIONS, _LAG, _TROUBLE),
    (_CATEGORIES, _AFFINITIES, _LATEST),
)
"""The left and the right column."""
