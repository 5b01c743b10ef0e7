"""Measures what an order of arrival costs that no import can promise, before and after catching up.

Run: `python -m benchmarks.order_of_arrival`. The demo's shop goes through the agents of a worker, without
Kafka and in one partition:

- Its purchases come before its catalog. How many shoppers have no tastes then, and how many have none after
  the lane has caught up.
- Its catalog comes alone, in batches. How many products would get another list of similar texts if the whole
  catalog were listed a second time, before and after the lane has caught up.

A lane catches up with 256 rows each `SHELFSTREAM_CATCH_UP_S`, so the number of parts is the time it takes.
"""

import asyncio
from collections.abc import Iterable, Sequence

import click
from rich.console import Console
from rich.table import Table as Grid

from models.enrichment.enricher import Enricher
from schemas.codec import decode_shopper_updated, encode
from schemas.keys import shopper_id
from streams.agents.affinity_view import AffinityView
from streams.agents.dead_letters import DeadLetterBuilder
from streams.agents.factory import create_behavior_agents
from streams.agents.product_view import ProductView
from streams.agents.totals import AgentTotals
from streams.demo.sample_shop import iter_baskets, iter_products
from streams.lanes.agent import AgentProcessor, BatchAgent
from streams.records import MemoryRecord, Output, Partition
from streams.settings import Settings
from streams.state.stores import MemoryStore
from streams.state.tables import Table, Tables
from streams.topics import AFFINITY_UPDATED, PRODUCT_ENRICHED, SHOPPER_UPDATED, USER_BEHAVIOR

BATCH = 256


class OneLane:
    """An agent with one partition, whose batches commit at once."""

    def __init__(self, agent: BatchAgent) -> None:
        self._processor = AgentProcessor(agent, 1, DeadLetterBuilder("benchmark", 1))
        self._tables = Tables([Table(spec, MemoryStore()) for spec in agent.tables], 0)
        self.parts = 0

    async def process(self, records: Sequence[MemoryRecord]) -> list[Output]:
        """Process records in batches."""
        outputs: list[Output] = []
        for start in range(0, len(records), BATCH):
            outputs += await self._processor.process(records[start : start + BATCH], self._tables)
            self._apply()
        return outputs

    async def catch_up(self) -> list[Output]:
        """Catch up until there is nothing left to do. `parts` is the number of parts that had outputs."""
        outputs: list[Output] = []
        idle = 0
        while idle < 100:
            some = await self._processor.catch_up(self._tables)
            self._apply()
            outputs += some
            self.parts += bool(some)
            idle = 0 if some else idle + 1
        return outputs

    def _apply(self) -> None:
        written = {Partition(table.spec.changelog, 0): 1 for table in self._tables}
        self._tables.apply(self._tables.changes(), written, 0)


def catalog() -> list[MemoryRecord]:
    """Return the records of product-enriched of the demo's shop."""
    products = list(iter_products())
    enricher = Enricher.load()
    return [
        _record(PRODUCT_ENRICHED, at, product.product_id, encode(enricher.event(product, enrichment, None)))
        for at, (product, enrichment) in enumerate(zip(products, enricher.enrich(products), strict=True))
    ]


def _record(topic: str, offset: int, key: str, value: bytes) -> MemoryRecord:
    return MemoryRecord(topic, 0, offset, timestamp=1_800_000_000_000, key=key.encode(), value=value)


def without_tastes(outputs: Iterable[Output]) -> int:
    """Count the shoppers whose last event has no categories."""
    last = {output.key: output.value for output in outputs if output.topic == SHOPPER_UPDATED}
    return sum(not decode_shopper_updated(value).categories for value in last.values())


async def measure_shoppers(listed: Sequence[MemoryRecord]) -> tuple[int, int, int, int]:
    """Return the shoppers, those without tastes before and after catching up, and the parts that it took."""
    view = ProductView()
    lane = OneLane(
        create_behavior_agents(Settings(partitions=1), view, AffinityView(1), AgentTotals(), moves=False)[
            "sessions"
        ]
    )
    baskets = [
        _record(USER_BEHAVIOR, at, shopper_id(event), encode(event))
        for at, event in enumerate(iter_baskets())
    ]
    outputs = await lane.process(baskets)
    shoppers = len({output.key for output in outputs if output.topic == SHOPPER_UPDATED})
    before = without_tastes(outputs)
    view.update(listed)
    return shoppers, before, without_tastes([*outputs, *await lane.catch_up()]), lane.parts


async def measure_similar(listed: Sequence[MemoryRecord], *, catch_up: bool) -> tuple[int, int, int]:
    """Return the products, those that a second listing gives another list, and the parts that it took."""
    lane = OneLane(
        create_behavior_agents(
            Settings(partitions=1), ProductView(), AffinityView(1), AgentTotals(), moves=False
        )["affinity"]
    )
    await lane.process(listed)
    if catch_up:
        await lane.catch_up()
    again = await lane.process(listed)
    return len(listed), sum(output.topic == AFFINITY_UPDATED for output in again), lane.parts


async def run() -> Grid:
    """Measure, and return the table."""
    listed = catalog()
    shoppers, before, after, parts = await measure_shoppers(listed)
    products, differ, _ = await measure_similar(listed, catch_up=False)
    _, differ_after, similar_parts = await measure_similar(listed, catch_up=True)
    table = Grid("of the demo's shop", "all", "before", "after catching up", "parts of 256 rows")
    table.add_row("shoppers without tastes", f"{shoppers}", f"{before}", f"{after}", f"{parts}")
    table.add_row(
        "products with another list when listed again",
        f"{products}",
        f"{differ}",
        f"{differ_after}",
        f"{similar_parts}",
    )
    return table


@click.command()
def main() -> None:
    """Print the table."""
    Console(width=110).print(asyncio.run(run()))


if __name__ == "__main__":
    main()
