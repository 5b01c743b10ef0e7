"""A busy product is published once in an interval, its last state always is, and no crash forgets it."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from models.behavior.affinity_row import AffinityRow
from models.behavior.parameters import BehaviorParameters
from schemas.codec import decode_affinity_updated
from streams.agents.affinity import affinities_table, affinity_agent
from streams.agents.product_view import ProductView
from streams.agents.publication_debounce import LOOKS_AT_ONCE, PublicationDebounce
from streams.lanes.processor import Processor
from streams.records import Output
from streams.state.stores import MemoryStore
from streams.state.tables import Table, Tables
from streams.topics import AFFINITY_UPDATED, CO_BEHAVIOR
from tests.streams.agents.test_affinity import PARTITIONS, deltas, related
from tests.support.processing import Source, caught_up, header, process_batch, processor_of, tables_of, to

ROWS = affinities_table("affinities-changelog")
INTERVAL_S = 10.0


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def agent_at(clock: Clock, interval_s: float = INTERVAL_S) -> Processor:
    agent = affinity_agent(
        ROWS, PARTITIONS, BehaviorParameters(), ProductView(), publish_interval_s=interval_s, clock=clock
    )
    return processor_of(agent, PARTITIONS)


def marks(tables: Tables) -> set[str]:
    keys = [key for key, _ in tables.of(ROWS).store.items()]
    return {key.rpartition(b"\x00")[2].decode() for key in keys if key.startswith(b"\x00shelfstream.unpub")}


async def test_a_busy_product_waits_and_its_last_state_is_published() -> None:
    clock, tables, source = Clock(), tables_of(ROWS), Source(CO_BEHAVIOR)
    agent = agent_at(clock)
    assert set(related(await process_batch(agent, [source.record(deltas(("a", "b")))], tables))) == {"a", "b"}
    clock.now += 1
    outputs = await process_batch(agent, [source.record(deltas(("a", "c"), ("a", "c")))], tables)
    assert set(related(outputs)) == {"c"}
    assert marks(tables) == {"a"}
    assert await caught_up(agent, tables) == []
    clock.now += INTERVAL_S
    outputs = await caught_up(agent, tables)
    assert related(outputs) == {"a": [("c", "bought"), ("b", "bought")]}
    assert marks(tables) == set()
    clock.now += 2 * INTERVAL_S
    assert await caught_up(agent, tables) == []


async def test_a_batch_publishes_what_waited_long_enough() -> None:
    """Under load there is less time for catching up."""
    clock, tables, source = Clock(), tables_of(ROWS), Source(CO_BEHAVIOR)
    agent = agent_at(clock)
    for pair in (("a", "b"), ("a", "c")):
        await process_batch(agent, [source.record(deltas(pair))], tables)
    clock.now += INTERVAL_S
    outputs = await process_batch(agent, [source.record(deltas(("x", "y")))], tables)
    assert set(related(outputs)) == {"a", "x", "y"}
    assert len({header(output, "ce_id") for output in outputs}) == 3


async def test_what_is_as_published_again_is_not_published() -> None:
    clock, tables, source = Clock(), tables_of(ROWS), Source(CO_BEHAVIOR)
    agent = agent_at(clock)
    await process_batch(agent, [source.record(deltas(*[("a", "b")] * 29))], tables)
    await process_batch(agent, [source.record(deltas(("a", "b")))], tables)
    assert marks(tables) == {"a", "b"}
    clock.now += INTERVAL_S
    assert await caught_up(agent, tables) == []
    assert marks(tables) == set()


async def test_without_an_interval_each_change_is_published_and_old_marks_end() -> None:
    clock, tables, source = Clock(), tables_of(ROWS), Source(CO_BEHAVIOR)
    for pair in (("a", "b"), ("a", "c")):
        await process_batch(agent := agent_at(clock), [source.record(deltas(pair))], tables)
        await process_batch(agent, [source.record(deltas(pair))], tables)
    assert marks(tables)
    agent = agent_at(clock, 0.0)
    await process_batch(agent, [source.record(deltas(("x", "y")))], tables)
    assert marks(tables) == set()
    for name in "de":
        outputs = await process_batch(agent, [source.record(deltas(("a", name)))], tables)
        assert set(related(outputs)) == {"a", name}
    assert marks(tables) == set()


async def test_a_withdrawn_product_that_waits_is_not_published() -> None:
    clock, tables, source = Clock(), tables_of(ROWS), Source(CO_BEHAVIOR)
    agent = agent_at(clock)
    for pair in (("a", "b"), ("a", "c")):
        await process_batch(agent, [source.record(deltas(pair))], tables)
    withdrawn = Source("product-enriched").record(None, b"a")
    assert [each.value for each in to(AFFINITY_UPDATED, await process_batch(agent, [withdrawn], tables))] == [
        None
    ]
    clock.now += INTERVAL_S
    assert await caught_up(agent, tables) == []
    assert marks(tables) == set()


async def test_many_waiting_products_are_published_some_at_a_time() -> None:
    clock, tables = Clock(), tables_of(ROWS)
    table, debounce = tables.of(ROWS), PublicationDebounce(INTERVAL_S, clock)
    names = [f"p{number}" for number in range(LOOKS_AT_ONCE + 1)]
    for name in names:
        assert debounce.look(table, name)
        assert not debounce.look(table, name)
        debounce.put_off(table, name, 1.0)
    clock.now += INTERVAL_S
    taken = [debounce.take(table) for _ in range(3)]
    assert [len(each) for each in taken] == [LOOKS_AT_ONCE, 1, 0]
    assert set(taken[0]) | set(taken[1]) == set(names)


class Lane(RuleBasedStateMachine):
    """Batches, catching up, failures and crashes at any time, beside what a reader of the topic knows."""

    @initialize()
    def begin(self) -> None:
        self.store, self.clock = MemoryStore(), Clock()
        self.source = Source(CO_BEHAVIOR)
        self.published: dict[str, list[tuple[str, str]]] = {}
        self.published_at: dict[str, float] = {}
        self.ids: set[str] = set()
        self.open()

    def open(self) -> None:
        self.tables = Tables([Table(ROWS, self.store)], 0)
        self.agent = agent_at(self.clock)
        # Only a worker that goes on knows when it published what.
        self.published_at = {}

    def read(self, outputs: list[Output]) -> None:
        for output in outputs:
            event = decode_affinity_updated(output.value, output.key)
            identity = header(output, "ce_id")
            assert identity not in self.ids
            self.ids.add(identity)
            before = self.published_at.get(event.product_id)
            assert before is None or self.clock.now - before >= INTERVAL_S
            self.published_at[event.product_id] = self.clock.now
            self.published |= related([output])

    def run(self, action: object) -> list[Output]:
        import asyncio

        return asyncio.run(action)  # type: ignore[arg-type]

    def batch_of(self, pairs: list[tuple[str, str]]) -> list[object]:
        return [self.source.record(deltas(pair)) for pair in pairs]

    pairs = st.lists(
        st.sampled_from([("a", "b"), ("a", "c"), ("b", "c"), ("d", "e")]), min_size=1, max_size=4
    )

    @rule(pairs=pairs)
    def commit_batch(self, pairs: list[tuple[str, str]]) -> None:
        self.read(self.run(process_batch(self.agent, self.batch_of(pairs), self.tables)))  # type: ignore[arg-type]

    @rule(pairs=pairs)
    def roll_batch_back(self, pairs: list[tuple[str, str]]) -> None:
        """A part fails, and its savepoint returns; then the whole batch is processed and committed."""
        batch, savepoint = self.batch_of(pairs), self.tables.savepoint()
        self.run(self.agent.process(batch, self.tables))  # type: ignore[arg-type]
        self.tables.rollback(savepoint)
        self.read(self.run(process_batch(self.agent, batch, self.tables)))  # type: ignore[arg-type]

    @rule()
    def catch_up(self) -> None:
        self.read(self.run(caught_up(self.agent, self.tables)))

    @rule(pairs=pairs)
    def discard(self, pairs: list[tuple[str, str]]) -> None:
        """A transaction is rolled back, and its records come again."""
        batch = self.batch_of(pairs)
        self.run(self.agent.process(batch, self.tables))  # type: ignore[arg-type]
        self.tables.discard()
        self.published_at = {}
        self.read(self.run(process_batch(self.agent, batch, self.tables)))  # type: ignore[arg-type]

    @rule()
    def fail_to_catch_up(self) -> None:
        self.run(self.agent.catch_up(self.tables))  # type: ignore[attr-defined]
        self.tables.discard()
        self.published_at = {}

    @rule()
    def crash(self) -> None:
        self.open()

    @rule(seconds=st.sampled_from([0.5, 4.0, INTERVAL_S]))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @invariant()
    def what_differs_is_marked(self) -> None:
        table, parameters = self.tables.of(ROWS), BehaviorParameters()
        for key, data in self.store.items():
            if not key.startswith(b"\x00") and key.decode() not in marks(self.tables):
                row = AffinityRow.from_bytes(data)
                best = [(each.product_id, "bought") for each in row.top_k("bought", parameters.top_k)]  # type: ignore[arg-type]
                assert self.published[key.decode()] == best
        assert table.savepoint() == {}

    def teardown(self) -> None:
        """All that waits is published within the interval, twice that after a part of a batch failed."""
        if not hasattr(self, "clock"):
            return
        for _ in range(3):
            self.clock.now += INTERVAL_S
            self.catch_up()
        assert marks(self.tables) == set()
        self.what_differs_is_marked()


TestLane = Lane.TestCase
TestLane.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)


@pytest.mark.parametrize("interval_s", [0.0, INTERVAL_S])
async def test_a_mark_is_no_product(interval_s: float) -> None:
    """A lane that opens walks through all rows; marks are not among them."""
    clock, tables, source = Clock(), tables_of(ROWS), Source(CO_BEHAVIOR)
    for pair in (("a", "b"), ("a", "c")):
        await process_batch(agent_at(clock, 60.0), [source.record(deltas(pair))], tables)
    outputs = await caught_up(agent_at(clock, interval_s), tables)
    assert set(related(outputs)) <= {"a", "b", "c"}
