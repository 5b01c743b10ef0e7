"""What an agent puts off is done between two batches, exactly once, and harms no record."""

import asyncio
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import RetryLater
from streams.records import Output
from streams.state.tables import Tables
from tests.streams.lanes.test_lane import faults, records_of
from tests.support.lanes import COUNTS, OUTPUT, QUICK, Bench, Counting, Worker, expected_counts, grouped

PARTS = 5
EAGER = replace(QUICK, catch_up_s=0.0)


class CatchingUpLater(Counting):
    """Counts, and has five parts of work to catch up with. Each part is numbered by the table."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__()
        self.error = error

    async def catch_up(self, tables: Tables) -> list[Output]:
        """See `CatchingUp`."""
        table = tables.of(COUNTS)
        part = (table.get(b"parts") or 0) + 1
        if part > PARTS:
            return []
        table.put(b"parts", part)
        if self.error is not None:
            raise self.error
        await asyncio.sleep(0)
        return [Output(OUTPUT.topic, 0, b"parts", b"%d" % part)]


async def run(bench: Bench, processor: CatchingUpLater, fetch: int = 5) -> Worker:
    """Process all records, then wait until nothing is left to do."""
    worker = bench.worker(processor=processor)
    worker.lane.start(must_fence=True)
    await worker.drain(fetch)
    for _ in range(2_000):
        if len(grouped(bench.counts()).get(b"parts", ())) >= PARTS:
            break
        await asyncio.sleep(0.001)
    await worker.lane.close(60.0)
    return worker


@given(records_of, st.integers(0, 2**16), st.integers(1, 12))
@settings(max_examples=40, deadline=None)
def test_each_part_commits_once_whatever_commits_fail(
    records: list[tuple[bytes, bytes]], seed: int, fetch: int
) -> None:
    """Also where the answer to a commit is lost. Each record counts once beside it."""
    bench = Bench(fault=faults(seed, 0.3), limits=EAGER)
    bench.write(records)
    asyncio.run(run(bench, CatchingUpLater(), fetch))
    found = grouped(bench.counts())
    assert found.pop(b"parts") == [b"%d" % part for part in range(1, PARTS + 1)]
    assert found == expected_counts(records)


def test_an_error_is_left_out_with_its_changes() -> None:
    """No record is at fault: there is no dead letter, and the lane goes on."""
    bench = Bench(limits=EAGER)
    records = [(b"a", b"x")] * 20
    bench.write(records)

    async def scenario() -> None:
        worker = bench.worker(processor=CatchingUpLater(ValueError("broken")))
        worker.lane.start(must_fence=True)
        await worker.drain(5)
        await asyncio.sleep(0.01)
        await worker.lane.close(60.0)

    asyncio.run(scenario())
    assert grouped(bench.counts()) == expected_counts(records)
    assert bench.stopped == []


def test_a_dependency_that_is_away_opens_the_lane_again() -> None:
    bench = Bench(limits=EAGER)
    processor = CatchingUpLater(RetryLater("away"))

    async def scenario() -> None:
        worker = bench.worker(processor=processor)
        worker.lane.start(must_fence=True)
        await asyncio.sleep(0.02)
        processor.error = None
        for _ in range(2_000):
            if len(bench.counts()) >= PARTS:
                break
            await asyncio.sleep(0.001)
        await worker.lane.close(60.0)

    asyncio.run(scenario())
    assert grouped(bench.counts()) == {b"parts": [b"%d" % part for part in range(1, PARTS + 1)]}


def test_without_the_limit_nothing_is_caught_up() -> None:
    bench = Bench()
    bench.write([(b"a", b"x")])

    async def scenario() -> None:
        worker = bench.worker(processor=CatchingUpLater())
        worker.lane.start(must_fence=True)
        await worker.drain(5)
        await worker.lane.close(60.0)

    asyncio.run(scenario())
    assert grouped(bench.counts()) == expected_counts([(b"a", b"x")])
