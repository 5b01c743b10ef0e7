"""Measures what the behavior agents write, and compute, for a byte and an event of input.

Run: `python -m benchmarks.amplification`. The catalog and the purchases of the demo go through the agents
`sessions` and `affinity`, without Kafka and in one partition, in batches of `user-behavior` of several sizes.
What one batch writes to `co-behavior` is one batch of `affinity`. Bytes are those of keys, values and
headers, uncompressed, for each such byte of input. The clock of publications runs as if so many events
arrived in a second; figures of the processor are of this machine.
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from benchmarks.machine import describe
from benchmarks.order_of_arrival import catalog
from models.behavior.parameters import BehaviorParameters
from schemas.codec import encode
from schemas.keys import shopper_id
from streams.agents.affinity import affinities_table, affinity_agent
from streams.agents.affinity_view import AffinityView
from streams.agents.dead_letters import DeadLetterBuilder
from streams.agents.factory import create_behavior_agents
from streams.agents.outputs import changelog_end
from streams.agents.product_view import ProductView
from streams.agents.totals import AgentTotals
from streams.demo.sample_shop import iter_baskets
from streams.lanes.agent import AgentProcessor, BatchAgent
from streams.records import MemoryRecord, Output, Partition, Record
from streams.settings import Settings
from streams.state.stores import MemoryStore
from streams.state.tables import Table, Tables
from streams.topics import AFFINITY_UPDATED, CO_BEHAVIOR, SHOPPER_UPDATED, USER_BEHAVIOR, changelog

RESULTS = Path(__file__).parents[1] / "docs" / "benchmarks" / "results"
SETTINGS = Settings(partitions=1)
AFFINITIES, SHOPPERS = changelog(SETTINGS, "affinities"), changelog(SETTINGS, "shoppers")


@dataclass(frozen=True, slots=True)
class Amplification:
    """What was written and computed with one size of batches.

    Attributes:
        batch: Events of a batch.
        interval_s: Seconds between two publications of a product at least.
        written: Bytes by topic, for each byte of input.
        published: Events of `affinity-updated` for each event of input.
        cpu_us: Microseconds of the processor for each event, by what used it.
    """

    batch: int
    interval_s: float
    written: dict[str, float]
    published: float
    cpu_us: dict[str, float]


class MeasuredLane:
    """An agent with one partition, whose batches commit at once.

    Args:
        agent: The agent.
        written: Receives the bytes that it writes, by topic.
    """

    def __init__(self, agent: BatchAgent, written: Counter[str]) -> None:
        self._processor = AgentProcessor(agent, 1, DeadLetterBuilder("benchmark", 1))
        self._tables = Tables([Table(spec, MemoryStore()) for spec in agent.tables], 0)
        self._written = written
        self.cpu_s = 0.0

    async def process(self, records: Sequence[Record]) -> list[Output]:
        """Process a batch."""
        started = time.process_time()
        outputs = await self._processor.process(records, self._tables)
        return self._commit(outputs, started)

    async def catch_up(self) -> list[Output]:
        """Do a part of the work that was put off."""
        started = time.process_time()
        return self._commit(await self._processor.catch_up(self._tables), started)

    def _commit(self, outputs: list[Output], started: float) -> list[Output]:
        changes = self._tables.changes()
        rows = self._tables.changelog(changes)
        ends = {Partition(each.spec.changelog, 0): changelog_end(each) + 1 for each in self._tables}
        self._tables.apply(changes, ends, 0)
        self.cpu_s += time.process_time() - started
        for output in (*outputs, *rows):
            self._written[output.topic] += size(output)
        return outputs


def size(record: Record | Output) -> int:
    """Return the bytes of a record's key, value and headers."""
    headers = sum(len(name) + len(value) for name, value in record.headers)
    return len(record.key or b"") + len(record.value or b"") + headers


def purchases() -> list[MemoryRecord]:
    """Return the demo's purchases as records of user-behavior."""
    return [
        MemoryRecord(USER_BEHAVIOR, 0, at, 1_800_000_000_000, shopper_id(event).encode(), encode(event))
        for at, event in enumerate(iter_baskets())
    ]


async def measure(
    listed: Sequence[MemoryRecord],
    events: Sequence[MemoryRecord],
    batch: int,
    interval_s: float,
    per_second: float,
) -> Amplification:
    """Process all events in batches.

    Args:
        listed: Records of product-enriched, which come first.
        events: Records of user-behavior.
        batch: Events of a batch.
        interval_s: Seconds between two publications of a product at least.
        per_second: The events that arrive in a second, for the clock of publications.
    """
    written: Counter[str] = Counter()
    now = [0.0]
    sessions, affinity, view = _lanes(written, listed, interval_s, lambda: now[0])
    offset = published = 0
    view_s = 0.0
    for start in range(0, len(events), batch):
        some = events[start : start + batch]
        deltas = [each for each in await sessions.process(some) if each.topic == CO_BEHAVIOR]
        records = [
            MemoryRecord(CO_BEHAVIOR, 0, offset + at, some[-1].timestamp, None, each.value)
            for at, each in enumerate(deltas)
        ]
        offset += len(records)
        now[0] += len(some) / per_second
        outputs = await affinity.process(records) if records else []
        outputs += await affinity.catch_up()
        published += len(outputs)
        started = time.process_time()
        view.update(
            [MemoryRecord(AFFINITY_UPDATED, 0, 0, key=each.key, value=each.value) for each in outputs]
        )
        view_s += time.process_time() - started
    read = sum(map(size, events))
    cpu_s = {"sessions": sessions.cpu_s, "affinity": affinity.cpu_s, "view": view_s}
    return Amplification(
        batch,
        interval_s,
        {topic: count / read for topic, count in written.items()},
        published / len(events),
        {name: 1e6 * each / len(events) for name, each in cpu_s.items()},
    )


def _lanes(
    written: Counter[str], listed: Sequence[MemoryRecord], interval_s: float, clock: Callable[[], float]
) -> tuple[MeasuredLane, MeasuredLane, AffinityView]:
    """Return a lane of `sessions`, one of `affinity`, and the view of what is published."""
    products, view = ProductView(), AffinityView(SETTINGS.affinity_view_products)
    products.update(listed)
    agents = create_behavior_agents(SETTINGS, products, view, AgentTotals(), moves=False)
    affinity = affinity_agent(
        affinities_table(AFFINITIES),
        1,
        BehaviorParameters(),
        products,
        affinity_view=view,
        publish_interval_s=interval_s,
        clock=clock,
    )
    return MeasuredLane(agents["sessions"], written), MeasuredLane(affinity, written), view


COLUMNS: tuple[tuple[str, Callable[[Amplification], str]], ...] = (
    ("events of a batch", lambda each: f"{each.batch:,}"),
    ("seconds between publications", lambda each: f"{each.interval_s:g}"),
    ("co-behavior", lambda each: f"{each.written[CO_BEHAVIOR]:.1f}"),
    ("changelog of affinities", lambda each: f"{each.written[AFFINITIES]:.1f}"),
    ("both", lambda each: f"{each.written[CO_BEHAVIOR] + each.written[AFFINITIES]:.1f}"),
    ("affinity-updated", lambda each: f"{each.written[AFFINITY_UPDATED]:.1f}"),
    ("changelog of shoppers", lambda each: f"{each.written[SHOPPERS]:.1f}"),
    ("shopper-updated", lambda each: f"{each.written[SHOPPER_UPDATED]:.1f}"),
    ("`sessions`", lambda each: f"{each.cpu_us['sessions']:,.0f} µs"),
    ("`affinity`", lambda each: f"{each.cpu_us['affinity']:,.0f} µs"),
    ("view", lambda each: f"{each.cpu_us['view']:,.0f} µs"),
)


def markdown(points: Sequence[Amplification]) -> str:
    """Format the results as a Markdown table."""
    lines = [
        "| " + " | ".join(name for name, _ in COLUMNS) + " |",
        "| " + " | ".join("---:" for _ in COLUMNS) + " |",
        *("| " + " | ".join(text(each) for _, text in COLUMNS) + " |" for each in points),
    ]
    return "\n".join(lines) + "\n"


@click.command()
@click.option("--batch", type=click.IntRange(1), multiple=True, default=(400, 4000), show_default=True)
@click.option(
    "--interval",
    type=click.FloatRange(0),
    multiple=True,
    default=(0.0, SETTINGS.publish_interval_s),
    show_default=True,
    help="Seconds between two publications of a product at least.",
)
@click.option(
    "--per-second",
    type=click.FloatRange(0, min_open=True),
    default=1000.0,
    show_default=True,
    help="Events that arrive in a second, for the clock of publications.",
)
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=RESULTS,
    show_default=True,
    help="Directory for amplification.md and amplification.json.",
)
def main(batch: tuple[int, ...], interval: tuple[float, ...], per_second: float, output: Path) -> None:
    """Measure what the behavior agents write and compute, and write the results."""
    listed, events = catalog(), purchases()
    points = []
    for count in batch:
        for interval_s in interval:
            points.append(asyncio.run(measure(listed, events, count, interval_s, per_second)))
            click.echo(markdown(points[-1:]).splitlines()[-1])
    output.mkdir(parents=True, exist_ok=True)
    head = f"{describe()}. One run of {len(events):,} events; microseconds of processor time for each.\n"
    (output / "amplification.md").write_text(f"{head}\n{markdown(points)}", encoding="utf-8")
    document = {"machine": describe(), "points": [asdict(point) for point in points]}
    (output / "amplification.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
