"""Restoration brings tables to the content of their changelog, from any checkpoint."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import RetryLater
from streams.lanes.memory import MemoryBroker, MemoryReader
from streams.records import Output, Partition, Record
from streams.state.restoration import STALE_MS, restore
from streams.state.stores import Checkpoint, MemoryStore
from streams.state.tables import Table, Tables, TableSpec

ROWS: TableSpec[bytes] = TableSpec("rows", "changelog", bytes, bytes)
AT = Partition("changelog", 2)
NOW = 10 * STALE_MS

changes = st.lists(
    st.tuples(st.sampled_from([b"", b"a", b"b", b"c"]), st.none() | st.binary(max_size=2)), max_size=30
)


class Changelog:
    """A changelog and readers that remember where they read."""

    def __init__(self, records: Sequence[tuple[bytes | None, bytes | None]] = ()) -> None:
        self.broker = MemoryBroker()
        self.write(records)
        self.progress: list[tuple[Partition, int]] = []
        self.seeks: list[int] = []

    def write(self, records: Sequence[tuple[bytes | None, bytes | None]]) -> None:
        for key, value in records:
            self.broker.append(Output(*AT, key, value))

    async def restore(self, store: MemoryStore, *, first: int = 0, chunk: int = 3, now: int = NOW) -> int:
        """Restore a table on `store`; the changelog's records before `first` were deleted."""
        reader = Reader(self, first, chunk)
        tables = Tables([Table(ROWS, store)], AT.partition)
        return await restore(tables, reader, lambda at, left: self.progress.append((at, left)), now_ms=now)


class Reader(MemoryReader):
    """A reader over what compaction and retention left."""

    def __init__(self, changelog: Changelog, first: int, chunk: int) -> None:
        super().__init__(changelog.broker, chunk)
        self._changelog, self._first = changelog, first

    async def bounds(self, at: Partition) -> tuple[int, int]:
        _, end = await super().bounds(at)
        return self._first, end

    async def seek(self, at: Partition, offset: int) -> None:
        self._changelog.seeks.append(offset)
        await super().seek(at, offset)


def latest(records: Sequence[tuple[bytes, bytes | None]]) -> dict[bytes, bytes]:
    """The rows that a changelog means: the oracle."""
    rows: dict[bytes, bytes] = {}
    for key, value in records:
        rows.pop(key, None)
        if value is not None:
            rows[key] = value
    return rows


@given(changes, changes, st.integers(1, 7))
@settings(max_examples=80, deadline=None)
def test_a_restored_table_is_what_its_changelog_says(
    early: list[tuple[bytes, bytes | None]], late: list[tuple[bytes, bytes | None]], chunk: int
) -> None:
    """From an empty store, and again after more writes: the last value of each key, without deleted ones."""

    async def scenario() -> tuple[list[dict[bytes, bytes]], list[int], MemoryStore]:
        changelog, store = Changelog(early), MemoryStore()
        read = [await changelog.restore(store, chunk=chunk)]
        rows = [dict(store.items())]
        changelog.write(late)
        read.append(await changelog.restore(store, chunk=chunk))
        return [*rows, dict(store.items())], read, store

    rows, read, store = asyncio.run(scenario())
    assert rows == [latest(early), latest(early + late)]
    assert read == [len(early), len(late)]
    assert store.checkpoint() == (len(early) + len(late), NOW)


async def test_an_up_to_date_store_reads_nothing() -> None:
    changelog, store = Changelog([(b"a", b"1")]), MemoryStore()
    await changelog.restore(store)
    changelog.seeks.clear()
    assert await changelog.restore(store) == 0
    assert changelog.seeks == []


async def test_a_store_continues_from_its_checkpoint() -> None:
    """Records before the checkpoint are not read again."""
    changelog = Changelog([(b"a", b"1"), (b"b", b"2"), (b"c", b"3")])
    store = MemoryStore()
    store.apply({b"a": b"1", b"b": b"2"}, Checkpoint((2, NOW)))
    assert await changelog.restore(store) == 1
    assert changelog.seeks == [2]
    assert dict(store.items()) == {b"a": b"1", b"b": b"2", b"c": b"3"}


async def test_a_store_beyond_the_changelogs_end_is_rebuilt() -> None:
    """Its rows came from another changelog of that name, such as that of a recreated cluster."""
    changelog, store = Changelog([(b"a", b"new")]), MemoryStore()
    store.apply({b"a": b"old", b"stranger": b"x"}, Checkpoint((2, NOW)))
    await changelog.restore(store)
    assert dict(store.items()) == {b"a": b"new"}
    assert store.checkpoint() == (1, NOW)


@pytest.mark.parametrize(("age", "rebuilt"), [(STALE_MS - 1, False), (STALE_MS, True)])
async def test_a_store_older_than_the_retention_of_tombstones_is_rebuilt(age: int, rebuilt: bool) -> None:
    """A tombstone may have been compacted away: a row that the changelog no longer has must be deleted."""
    changelog, store = Changelog([(b"kept", b"1")]), MemoryStore()
    store.apply({b"kept": b"1", b"deleted-meanwhile": b"x"}, Checkpoint((1, NOW - age)))
    await changelog.restore(store)
    assert (b"deleted-meanwhile" in dict(store.items())) is not rebuilt
    assert store.get(b"kept") == b"1"


async def test_a_store_before_the_changelogs_start_is_rebuilt() -> None:
    """The records in between may have changed its rows."""
    changelog = Changelog([(b"a", b"1"), (b"b", b"2"), (b"c", b"3"), (b"d", b"4")])
    store = MemoryStore()
    store.apply({b"a": b"1"}, Checkpoint((1, NOW)))
    await changelog.restore(store, first=2)
    assert dict(store.items()) == {b"c": b"3", b"d": b"4"}


async def test_a_new_store_on_an_empty_changelog_is_complete() -> None:
    """It gets a checkpoint, so that the next start does not rebuild it."""
    changelog, store = Changelog(), MemoryStore()
    assert await changelog.restore(store) == 0
    assert store.checkpoint() == (0, NOW)
    assert changelog.progress == [(AT, 0)]


async def test_progress_counts_down_to_zero() -> None:
    """From all records to read, in steps of a fetch. The readiness page derives the remaining time."""
    changelog = Changelog([(b"k%d" % number, b"x") for number in range(8)])
    await changelog.restore(MemoryStore(), chunk=3)
    assert changelog.progress == [(AT, 8), (AT, 5), (AT, 2), (AT, 0)]


async def test_each_fetch_is_kept_with_its_checkpoint() -> None:
    """An interrupted restoration continues at its checkpoint, and ends with the same rows."""
    records: list[tuple[bytes | None, bytes | None]] = [(b"k%d" % (n % 4), b"%d" % n) for n in range(9)]
    changelog, store = Changelog(records), MemoryStore()

    class Cut(Exception):
        pass

    def cut(at: Partition, left: int) -> None:
        if left <= 3:
            raise Cut

    tables = Tables([Table(ROWS, store)], AT.partition)
    with pytest.raises(Cut):
        await restore(tables, MemoryReader(changelog.broker, 3), cut, now_ms=NOW)
    assert store.checkpoint() == (6, NOW)
    assert await changelog.restore(store) == 3
    assert dict(store.items()) == {b"k0": b"8", b"k1": b"5", b"k2": b"6", b"k3": b"7"}


async def test_records_without_a_key_are_no_rows() -> None:
    changelog, store = Changelog([(None, b"stranger"), (b"a", b"1")]), MemoryStore()
    await changelog.restore(store)
    assert dict(store.items()) == {b"a": b"1"}


async def test_fetches_without_records_that_advance_the_position_are_not_idle() -> None:
    """Transaction markers and aborted records advance the position."""

    class Sparse(MemoryReader):
        async def poll(self, at: Partition) -> tuple[Sequence[Record], int]:
            records, position = await super().poll(at)
            return ([] if position % 2 else records), position

    changelog, store = Changelog([(b"k%d" % number, b"x") for number in range(4)]), MemoryStore()
    tables = Tables([Table(ROWS, store)], AT.partition)
    count = await restore(tables, Sparse(changelog.broker, 1), lambda at, left: None, now_ms=NOW)
    assert count == 2
    assert store.checkpoint() == (4, NOW)


async def test_every_table_of_a_lane_is_restored() -> None:
    """Each from the lane's partition of its own changelog."""
    other: TableSpec[bytes] = TableSpec("other", "other-changelog", bytes, bytes)
    changelog = Changelog([(b"a", b"1")])
    changelog.broker.append(Output("other-changelog", AT.partition, b"b", b"2"))
    changelog.broker.append(Output("other-changelog", AT.partition + 1, b"c", b"3"))
    stores = MemoryStore(), MemoryStore()
    tables = Tables([Table(ROWS, stores[0]), Table(other, stores[1])], AT.partition)
    assert await restore(tables, MemoryReader(changelog.broker), lambda at, left: None, now_ms=NOW) == 2
    assert [dict(store.items()) for store in stores] == [{b"a": b"1"}, {b"b": b"2"}]


class Silent(MemoryReader):
    """A reader whose broker no longer answers."""

    async def poll(self, at: Partition) -> tuple[Sequence[Record], int]:
        return [], self._position


async def test_a_reader_without_progress_is_given_up() -> None:
    """The lane then opens again with a new reader."""
    broker = MemoryBroker()
    broker.append(Output(AT.topic, AT.partition, b"k", b"1"))
    tables = Tables([Table(ROWS, MemoryStore())], AT.partition)
    with pytest.raises(RetryLater, match="makes no progress at 0 of 1"):
        await restore(tables, Silent(broker), lambda at, remaining: None, now_ms=0)
