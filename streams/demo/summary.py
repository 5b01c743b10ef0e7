"""The end of the demo, told: what went in and out, and what was learned."""

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from schemas.events import DecisionOutcome, ShopperUpdated
from streams.demo.counters import Tally
from streams.demo.live_view_bars import cut, shortened
from streams.demo.reconciliation import Account

_CATEGORIES = 10
_PAIRS = 8

_NEXT = (
    ("README.md", "what all this is for, and one event followed through"),
    ("shelfstream demo --keep-running", "the same for as long as you like, with a status page"),
    ("shelfstream enrich IN.jsonl -o OUT.jsonl", "your own products, without Kafka"),
    ("shelfstream worker", "the same worker on your Kafka (SHELFSTREAM_BOOTSTRAP_SERVERS)"),
    ("schemas/asyncapi.yaml", "the contract, to write a consumer from"),
)
_LIMITS = (
    "The embedded broker keeps nothing on disk, about 5 MB a partition, and filters no aborted records:"
    " what exactly-once promises is proven by the tests on a real Kafka, not here."
)


def summary(tally: Tally, sums: Sequence[Account], elapsed_s: float, cpu_s: float, width: int) -> Group:
    """The whole summary.

    Args:
        tally: what was sent and read.
        sums: the accounts.
        elapsed_s: how long it took, in seconds.
        cpu_s: the worker's processor time, in seconds.
        width: cells of a line.
    """
    sent = sum(account.total for account in sums[:3])
    told = f"{sent:,} events in {elapsed_s:.0f} s"
    if cpu_s:
        told += f"; the worker used {cpu_s:.0f} s of processor time"
    parts: list[RenderableType] = [Text(""), Text(told, "bold"), *_accounts(sums)]
    parts += _categories(tally, width)
    parts += _pairs(tally, width)
    parts += _shopper(tally)
    parts += _incidents(tally)
    parts += _where_next()
    return Group(*parts)


def _heading(text: str) -> list[RenderableType]:
    return [Text(""), Text(text, "bold cyan")]


def _accounts(sums: Sequence[Account]) -> list[RenderableType]:
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for account in sums:
        mark = Text("✓", "green") if account.adds_up else Text("✗", "bold red")
        table.add_row(mark, account.topic, account.sum)
    return [*_heading("Does it add up?"), table]


def _categories(tally: Tally, width: int) -> list[RenderableType]:
    outcomes, categories = tally.outcomes(), tally.categories()
    total = outcomes.total()
    if not total:
        return []
    abstained = outcomes[DecisionOutcome.ABSTAINED]
    plain = (
        f"Of {total:,} products the model decided {outcomes[DecisionOutcome.MODEL]:,} and people"
        f" {outcomes[DecisionOutcome.PERSON]:,}. For {abstained:,} ({abstained / total:.0%}) the model was"
        " not sure enough: their category is marked as a guess, and a person is asked."
    )
    room = min(60, max(20, (width - 8) // 2))
    rows = [
        _row(f"{number:>6,}  {cut(shortened(path, room), room)}  ", ", ".join(tally.examples(path, 2)))
        for path, number in categories.most_common(_CATEGORIES)
    ]
    rest = len(categories) - _CATEGORIES
    more = [Text(f"… and {rest:,} other categories", "dim")] if rest > 0 else []
    return [*_heading("What was classified as what"), Text(plain), *rows, *more]


def _pairs(tally: Tally, width: int) -> list[RenderableType]:
    behaving, similar = tally.pairs.counts()
    plain = (
        f"{behaving:,} products have neighbours by what shoppers do, {similar:,} more by their text alone."
        " The strongest, each product once, bought together in so many baskets:"
    )
    titled = [(pair.support, *tally.titles(pair)) for pair in tally.pairs.strongest(_PAIRS)]
    room = min((width - 12) // 2, max((cell_len(one) for _, one, _ in titled), default=0))
    rows = [_row(f"{support:>5,}×  {cut(one, room)} ↔ {other}") for support, one, other in titled]
    return [*_heading("What belongs together"), Text(plain), *rows]


def _row(text: str, more: str = "") -> Text:
    """A line that is cut rather than wrapped; `more` is less important."""
    return Text(text, no_wrap=True, overflow="ellipsis").append(more, style="dim")


def _shopper(tally: Tally) -> list[RenderableType]:
    shopper = tally.shopper()
    if shopper is None:
        return []
    return [*_heading(f"One of the shoppers: {shopper.user_id}"), *_tastes(shopper)]


def _tastes(shopper: ShopperUpdated) -> list[RenderableType]:
    session = shopper.session
    lines: list[RenderableType] = [
        Text(f"latest session: {session.products:,} products in {session.events:,} events"),
    ]
    likely = sorted(shopper.next_behavior.items(), key=lambda item: -item[1])[:3]
    if likely:
        lines.append(Text("next: " + ", ".join(f"{name} {chance:.0%}" for name, chance in likely)))
    if shopper.tags:
        lines.append(Text("likes: " + ", ".join(f"{tag.name} {tag.score:.0%}" for tag in shopper.tags[:6])))
    if shopper.categories:
        lines.append(
            Text(
                "looks for: "
                + ", ".join(f"{shortened(each.name, 40)} {each.score:.0%}" for each in shopper.categories[:3])
            )
        )
    return lines


def _incidents(tally: Tally) -> list[RenderableType]:
    if not tally.dead and tally.correction is None and not tally.withdrawn:
        return []
    lines = _heading("What went wrong on purpose, and what people said")
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, min_width=15)
    table.add_column(overflow="fold")
    for letter in tally.dead:
        table.add_row(Text(letter.reason, "red"), f"{letter.topic}: {letter.message}")
    if tally.correction is not None:
        took, product = tally.correction.took_s, tally.correction.product_id
        card = tally.cards.get(product)
        said = "not published" if took is None or card is None else f"after {took:.1f} s: {card.why}"
        table.add_row(Text("person", "magenta"), f"{tally.title(product)}: {said}")
    for product in tally.withdrawn:
        table.add_row(Text("withdrawn", "magenta"), f"{product}: withdrawn downstream too (tombstones)")
    return [*lines, table]


def _where_next() -> list[RenderableType]:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="green")
    table.add_column(overflow="fold")
    for what, why in _NEXT:
        table.add_row(what, why)
    return [*_heading("Where to look next"), table, Text(""), Text(_LIMITS, "dim")]
