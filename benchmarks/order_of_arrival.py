"""Measures what an order of arrival costs that no import can promise, before and after catching up.

Run: `python -m benchmarks.order_of_arrival`. The demo's shop goes through the agents of a worker, without
Kafka and in one partition:

- Its purchases come before its catalog. How many shoppers have no tastes then, and how many have none after
  the lane has caught up.
- Its catalog comes alone, in batches. How many products would get another list of similar texts if the whole
  catalog were listed a second time, before and after the lane has caught up.
- Ten products come to the rest of its catalog. How many products get another list, and how many would get one
  after the lane has caught up.

A lane catches up with 256 rows each `SHELFSTREAM_CATCH_UP_S`, so the number of parts is the time it takes.
The seconds are of the processor, for all parts.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import click
from rich.console import Console
from rich.table import Table as Grid

from models.enrichment.enricher import Enricher
from schemas.codec import decode_shopper_updated, encode
from schemas.keys import shopper_id
from streams.agents.affinity_view import AffinityView
from streams.agents.dead_letters import DeadLetterBuilder
from streams.agents.factory import create_behavior_agents
from streams.agents.outputs import changelog_end
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
LATE = 10


class OneLane:
    """An agent with one partition, whose batches commit at once."""

    def __init__(self, agent: BatchAgent) -> None:
        self._processor = AgentProcessor(agent, 1, DeadLetterBuilder("benchmark", 1))
        self._tables = Tables([Table(spec, MemoryStore()) for spec in agent.tables], 0)
        self.parts = 0
        self.cpu_s = 0.0

    async def process(self, records: Sequence[MemoryRecord]) -> list[Output]:
        """Process records in batches."""
        outputs: list[Output] = []
        for start in range(0, len(records), BATCH):
            outputs += await self._processor.process(records[start : start + BATCH], self._tables)
            self._apply()
        return outputs

    async def catch_up(self) -> list[Output]:
        """Catch up until there is nothing left to do.

        `parts` is then the number of parts that had outputs, and `cpu_s` the processor's seconds of all.
        """
        outputs: list[Output] = []
        self.parts = idle = 0
        started = time.process_time()
        while idle < 100:
            some = await self._processor.catch_up(self._tables)
            self._apply()
            outputs += some
            self.parts += bool(some)
            idle = 0 if some else idle + 1
        self.cpu_s = time.process_time() - started
        return outputs

    def _apply(self) -> None:
        written = {Partition(each.spec.changelog, 0): changelog_end(each) + 1 for each in self._tables}
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


class Figures(NamedTuple):
    """What catching up changes, and costs."""

    all: int
    before: int
    after: int
    parts: int
    cpu_s: float


async def measure_shoppers(listed: Sequence[MemoryRecord]) -> Figures:
    """Count the shoppers without tastes."""
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
    after = without_tastes([*outputs, *await lane.catch_up()])
    return Figures(shoppers, before, after, lane.parts, lane.cpu_s)


def affinity_lane() -> OneLane:
    """Return a lane of the agent `affinity`."""
    settings, views = Settings(partitions=1), (ProductView(), AffinityView(1))
    return OneLane(create_behavior_agents(settings, *views, AgentTotals(), moves=False)["affinity"])


async def lists_of_second_listing(lane: OneLane, listed: Sequence[MemoryRecord]) -> int:
    """Count the products that get another list when all are listed again."""
    return sum(output.topic == AFFINITY_UPDATED for output in await lane.process(listed))


async def measure_similar(listed: Sequence[MemoryRecord]) -> Figures:
    """Count the products that a second listing would give another list."""
    lane = affinity_lane()
    await lane.process(listed)
    before = await lists_of_second_listing(lane, listed)
    lane = affinity_lane()
    await lane.process(listed)
    await lane.catch_up()
    after = await lists_of_second_listing(lane, listed)
    return Figures(len(listed), before, after, lane.parts, lane.cpu_s)


async def measure_late(listed: Sequence[MemoryRecord]) -> Figures:
    """Count the products whose lists change when ten more come."""
    lane = affinity_lane()
    await lane.process(listed[:-LATE])
    await lane.catch_up()
    await lane.process(listed[-LATE:])
    changed = len(await lane.catch_up())
    after = await lists_of_second_listing(lane, listed)
    return Figures(len(listed), changed, after, lane.parts, lane.cpu_s)


async def run() -> Grid:
    """Measure, and return the table."""
    listed = catalog()
    table = Grid("of the demo's shop", "all", "before", "after catching up", "parts of 256 rows", "CPU s")
    for name, figures in (
        ("shoppers without tastes", await measure_shoppers(listed)),
        ("products with another list when listed again", await measure_similar(listed)),
        (f"products with another list after {LATE} more", await measure_late(listed)),
    ):
        *counts, cpu_s = figures
        table.add_row(name, *map(str, counts), f"{cpu_s:.2f}")
    return table


@click.command()
def main() -> None:
    """Print the table."""
    Console(width=110).print(asyncio.run(run()))


if __name__ == "__main__":
    main()
