"""The summary at the end of the demo: reconciliation, categories, pairs, a shopper, injected events."""

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from schemas.events import DecisionOutcome, ShopperUpdated
from streams.demo.counters import DemoCounters
from streams.demo.live_view_bars import cut, shortened
from streams.demo.reconciliation import TopicBalance

_CATEGORIES = 10
_PAIRS = 8

_NEXT = (
    ("README.md", "what shelfstream is, with one listing and its enriched event"),
    ("shelfstream demo --keep-running", "the demo until Ctrl-C, with a status page"),
    ("shelfstream enrich IN.jsonl -o OUT.jsonl", "your own products, without Kafka"),
    ("shelfstream worker", "the same worker on your Kafka (SHELFSTREAM_BOOTSTRAP_SERVERS)"),
    ("schemas/asyncapi.yaml", "the contract, for writing a producer or consumer"),
)
_LIMITS = (
    "The embedded broker keeps about 5 MB per partition in memory and does not filter aborted records."
    " The exactly-once guarantee is tested on a real Kafka, not in this demo."
)


def summary(
    counters: DemoCounters, balances: Sequence[TopicBalance], elapsed_s: float, cpu_s: float, width: int
) -> Group:
    """Return the summary.

    Args:
        counters: What the demo wrote and read.
        balances: Balances of `reconcile`, the three input topics first.
        elapsed_s: Duration of the stream in seconds.
        cpu_s: CPU time of the worker in seconds; 0 if unknown.
        width: Width of a line in cells.
    """
    sent = sum(balance.total for balance in balances[:3])
    totals = f"{sent:,} events in {elapsed_s:.0f} s"
    if cpu_s:
        totals += f"; the worker used {cpu_s:.0f} s of CPU time"
    parts: list[RenderableType] = [Text(""), Text(totals, "bold"), *_reconciliation(balances)]
    parts += _categories(counters, width)
    parts += _pairs(counters, width)
    parts += _shopper(counters)
    parts += _injected_events(counters)
    parts += _next_steps()
    return Group(*parts)


def _heading(text: str) -> list[RenderableType]:
    return [Text(""), Text(text, "bold cyan")]


def _reconciliation(balances: Sequence[TopicBalance]) -> list[RenderableType]:
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for balance in balances:
        mark = Text("✓", "green") if balance.balanced else Text("✗", "bold red")
        table.add_row(mark, balance.topic, balance.equation)
    return [*_heading("Reconciliation"), table]


def _categories(counters: DemoCounters, width: int) -> list[RenderableType]:
    outcomes, categories = counters.outcomes(), counters.categories()
    total = outcomes.total()
    if not total:
        return []
    abstained = outcomes[DecisionOutcome.ABSTAINED]
    by_shop = f" {outcomes[DecisionOutcome.SHOP]:,} by the shop," if outcomes[DecisionOutcome.SHOP] else ""
    text = (
        f"{total:,} products: {outcomes[DecisionOutcome.MODEL]:,} decided by the model,"
        f"{by_shop} {outcomes[DecisionOutcome.PERSON]:,} by a person. For {abstained:,}"
        f" ({abstained / total:.0%}) the model abstained: their category is a proposal, and they"
        " went to the review topic."
    )
    room = min(60, max(20, (width - 8) // 2))
    rows = [
        _row(f"{number:>6,}  {cut(shortened(path, room), room)}  ", ", ".join(counters.examples(path, 2)))
        for path, number in categories.most_common(_CATEGORIES)
    ]
    rest = len(categories) - _CATEGORIES
    more = [Text(f"… and {rest:,} other categories", "dim")] if rest > 0 else []
    return [*_heading("Categories"), Text(text), *rows, *more]


def _pairs(counters: DemoCounters, width: int) -> list[RenderableType]:
    by_behavior, by_text = counters.pairs.counts()
    text = (
        f"{by_behavior:,} products have neighbors by shoppers' behavior, {by_text:,} more by similar text"
        " only. The strongest pairs, with the number of baskets that contain both:"
    )
    titled = [(pair.support, *counters.titles(pair)) for pair in counters.pairs.strongest(_PAIRS)]
    room = min((width - 12) // 2, max((cell_len(one) for _, one, _ in titled), default=0))
    rows = [_row(f"{support:>5,}×  {cut(one, room)} ↔ {other}") for support, one, other in titled]
    return [*_heading("Related products"), Text(text), *rows]


def _row(text: str, more: str = "") -> Text:
    """Return a line that is truncated, not wrapped. `more` is dimmed and comes last."""
    return Text(text, no_wrap=True, overflow="ellipsis").append(more, style="dim")


def _shopper(counters: DemoCounters) -> list[RenderableType]:
    shopper = counters.example_shopper()
    if shopper is None:
        return []
    return [*_heading(f"A shopper: {shopper.user_id}"), *_preferences(shopper)]


def _preferences(shopper: ShopperUpdated) -> list[RenderableType]:
    session = shopper.session
    lines: list[RenderableType] = [
        Text(f"latest session: {session.products:,} products in {session.events:,} events"),
    ]
    likely = sorted(shopper.next_behavior.items(), key=lambda item: -item[1])[:3]
    if likely:
        lines.append(
            Text("next behavior: " + ", ".join(f"{name} {probability:.0%}" for name, probability in likely))
        )
    if shopper.tags:
        lines.append(
            Text("preferred tags: " + ", ".join(f"{tag.name} {tag.score:.0%}" for tag in shopper.tags[:6]))
        )
    if shopper.categories:
        lines.append(
            Text(
                "preferred categories: "
                + ", ".join(f"{shortened(each.name, 40)} {each.score:.0%}" for each in shopper.categories[:3])
            )
        )
    return lines


def _injected_events(counters: DemoCounters) -> list[RenderableType]:
    if not counters.dead_letters and counters.correction is None and not counters.withdrawn:
        return []
    lines = _heading("Injected errors and feedback")
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, min_width=15)
    table.add_column(overflow="fold")
    for letter in counters.dead_letters:
        table.add_row(Text(letter.reason, "red"), f"{letter.topic}: {letter.message}")
    if counters.correction is not None:
        took, product_id = counters.correction.took_s, counters.correction.product_id
        product = counters.products.get(product_id)
        status = "not published" if took is None or product is None else f"after {took:.1f} s: {product.why}"
        table.add_row(Text("correction", "magenta"), f"{counters.title(product_id)}: {status}")
    for product_id in counters.withdrawn:
        table.add_row(Text("withdrawn", "magenta"), f"{product_id}: tombstones published downstream")
    return [*lines, table]


def _next_steps() -> list[RenderableType]:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="green")
    table.add_column(overflow="fold")
    for name, description in _NEXT:
        table.add_row(name, description)
    return [*_heading("Next steps"), table, Text(""), Text(_LIMITS, "dim")]
