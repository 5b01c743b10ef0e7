"""A change is staged, committed and applied. Until then only its own batch reads it."""

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from schemas.errors import InvalidEvent, RetryLater
from streams.records import Output, Partition
from streams.state.stores import Checkpoint, MemoryStore
from streams.state.tables import StateDamaged, Table, Tables, TableSpec

NUMBERS: TableSpec[int] = TableSpec("numbers", "numbers-changelog", lambda row: b"%d" % row, int)
NAMES: TableSpec[bytes] = TableSpec("names", "names-out", bytes, bytes, is_output=True)
CHECKPOINT = Checkpoint((1, 1))


def committed(table: Table[int], offset: int = 1) -> None:
    """Apply what is staged, as a lane does after its commit."""
    table.apply(table.changes(), Checkpoint((offset, offset)))


def numbers(cached_rows: int = 100) -> Table[int]:
    return Table(NUMBERS, MemoryStore(), cached_rows)


def test_a_staged_row_is_seen_by_its_batch_and_not_by_the_store() -> None:
    table = numbers()
    table.put(b"k", 1)
    assert table.get(b"k") == 1
    assert table.store.get(b"k") is None
    assert table.store.checkpoint() is None


def test_an_applied_row_is_in_the_store_with_its_checkpoint() -> None:
    table = numbers()
    table.put(b"k", 1)
    table.apply(table.changes(), Checkpoint((7, 8)))
    assert table.store.get(b"k") == b"1"
    assert table.store.checkpoint() == (7, 8)
    assert table.changes() == {}


def test_a_discarded_batch_changes_nothing() -> None:
    """A changed, a new and a deleted row are as before, in the table and in its changes."""
    table = numbers()
    table.put(b"changed", 1)
    table.put(b"deleted", 2)
    committed(table)
    table.put(b"changed", 10)
    table.put(b"deleted", None)
    table.put(b"new", 3)
    table.discard()
    assert (table.get(b"changed"), table.get(b"deleted"), table.get(b"new")) == (1, 2, None)
    assert table.changes() == {}


def test_a_rollback_drops_only_what_came_after_the_savepoint() -> None:
    """Rows that were staged before the savepoint stay staged with their values."""
    table = numbers()
    table.put(b"before", 1)
    savepoint = table.savepoint()
    table.put(b"before", 2)
    table.put(b"after", 3)
    table.rollback(savepoint)
    assert table.changes() == {b"before": b"1"}
    table.put(b"before", 4)
    table.rollback(savepoint)
    assert table.get(b"before") == 1


def test_changes_are_encoded_once_for_each_key_and_deletions_are_none() -> None:
    table = numbers()
    for number in range(5):
        table.put(b"k", number)
    table.put(b"gone", None)
    assert table.changes() == {b"k": b"4", b"gone": None}


def test_a_deleted_row_stays_away_after_it_was_cached() -> None:
    table = numbers()
    table.put(b"k", 1)
    committed(table)
    assert table.get(b"k") == 1
    table.put(b"k", None)
    assert table.get(b"k") is None
    committed(table)
    assert table.get(b"k") is None
    assert table.store.get(b"k") is None


def test_what_is_restored_replaces_what_was_cached() -> None:
    """Another owner has changed and deleted rows. The cache must not return the old ones."""
    table = numbers()
    table.put(b"changed", 1)
    table.put(b"deleted", 2)
    committed(table)
    assert (table.get(b"changed"), table.get(b"deleted")) == (1, 2)
    table.restore({b"changed": b"10", b"deleted": None}, Checkpoint((9, 9)))
    assert (table.get(b"changed"), table.get(b"deleted")) == (10, None)
    assert table.store.checkpoint() == (9, 9)


def test_wiping_deletes_staged_cached_and_stored_rows() -> None:
    table = numbers()
    table.put(b"k", 1)
    committed(table)
    table.put(b"staged", 2)
    table.wipe()
    assert (table.get(b"k"), table.get(b"staged")) == (None, None)
    assert table.store.checkpoint() is None


def test_a_row_that_cannot_be_decoded_is_damaged_state() -> None:
    """The error names the table and the key, and is retried: no record may be dead-lettered for it."""
    table = numbers()
    table.store.apply({b"k": b"not a number"}, CHECKPOINT)
    with pytest.raises(StateDamaged, match=r"numbers.*b'k'"):
        table.get(b"k")
    assert issubclass(StateDamaged, RetryLater)


def test_a_store_that_cannot_be_read_is_damaged_state() -> None:
    """The error may look like that of a bad record."""

    class Broken(MemoryStore):
        def get(self, key: bytes) -> bytes | None:
            raise InvalidEvent("invalid-field", "not of any record")

    with pytest.raises(StateDamaged):
        Table(NUMBERS, Broken()).get(b"k")


def test_rows_beyond_the_cache_are_read_from_the_store() -> None:
    """The cache stays within its limit, and evicts the least recently used row."""
    reads: list[bytes] = []

    class Counting(MemoryStore):
        def get(self, key: bytes) -> bytes | None:
            reads.append(key)
            return super().get(key)

    table = Table(NUMBERS, Counting(), cached_rows=2)
    for number, key in enumerate((b"a", b"b")):
        table.put(key, number)
    committed(table)
    table.get(b"a")
    table.put(b"c", 2)
    committed(table)
    assert [table.get(key) for key in (b"a", b"c")] == [0, 2]
    assert reads == []
    assert table.get(b"b") == 1
    assert reads == [b"b"]


def test_large_rows_do_not_fill_the_memory() -> None:
    """The cache also counts the bytes of rows that were put, replaced, read and deleted."""
    reads: list[bytes] = []

    class Counting(MemoryStore):
        def get(self, key: bytes) -> bytes | None:
            reads.append(key)
            return super().get(key)

    table = Table(NUMBERS, Counting(), cached_rows=100, cached_bytes=20)
    for key, row in ((b"a", 10**8), (b"b", 10**8), (b"b", 1), (b"c", 10**8)):
        table.put(key, row)
        committed(table)
    assert [table.get(key) for key in (b"a", b"b", b"c")] == [10**8, 1, 10**8]
    assert reads == []
    table.put(b"d", 10**8)
    committed(table)
    assert table.get(b"b") == 1
    assert reads == []
    assert table.get(b"a") == 10**8
    assert reads == [b"a"]
    table.put(b"a", 10**40)
    committed(table)
    assert table.get(b"a") == 10**40
    assert reads == [b"a", b"a"]


class TableMachine(RuleBasedStateMachine):
    """A table against two dictionaries: what is committed, and what the batch sees."""

    keys = st.sampled_from([b"", b"a", b"b", b"c", b"d"])
    rows = st.none() | st.integers(0, 9)

    def __init__(self) -> None:
        super().__init__()
        self.table = numbers(cached_rows=2)
        self.stored: dict[bytes, int] = {}
        self.seen: dict[bytes, int | None] = {}
        self.saved: tuple[Mapping[bytes, int | None], dict[bytes, int | None]] | None = None

    @rule(key=keys, row=rows)
    def put(self, key: bytes, row: int | None) -> None:
        self.table.put(key, row)
        self.seen[key] = row

    @rule(key=keys)
    def get(self, key: bytes) -> None:
        assert self.table.get(key) == (self.seen[key] if key in self.seen else self.stored.get(key))

    @rule()
    def save(self) -> None:
        self.saved = self.table.savepoint(), dict(self.seen)

    @rule()
    def rollback(self) -> None:
        if self.saved is not None:
            self.table.rollback(self.saved[0])
            self.seen = dict(self.saved[1])

    @rule()
    def discard(self) -> None:
        self.table.discard()
        self.seen, self.saved = {}, None

    @rule()
    def apply(self) -> None:
        committed(self.table)
        self._store(self.seen)
        self.seen, self.saved = {}, None

    @rule(rows=st.dictionaries(keys, rows, max_size=3))
    def restore(self, rows: dict[bytes, int | None]) -> None:
        self.discard()
        encoded = {key: None if row is None else b"%d" % row for key, row in rows.items()}
        self.table.restore(encoded, CHECKPOINT)
        self._store(rows)

    def _store(self, rows: Mapping[bytes, int | None]) -> None:
        for key, row in rows.items():
            self.stored.pop(key, None)
            if row is not None:
                self.stored[key] = row

    @invariant()
    def the_store_holds_what_was_committed(self) -> None:
        assert dict(self.table.store.items()) == {key: b"%d" % row for key, row in self.stored.items()}


TestTable = TableMachine.TestCase
TestTable.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


def lane_tables() -> Tables:
    return Tables([Table(NUMBERS, MemoryStore()), Table(NAMES, MemoryStore())], 3)


def test_a_lanes_changelog_records_go_to_its_own_partition() -> None:
    """One record for each touched key, a tombstone for a deleted row, none for tables that are outputs."""
    tables = lane_tables()
    tables.of(NUMBERS).put(b"k", 1)
    tables.of(NUMBERS).put(b"gone", None)
    tables.of(NAMES).put(b"n", b"name")
    assert tables.changelog(tables.changes()) == [
        Output("numbers-changelog", 3, b"k", b"1"),
        Output("numbers-changelog", 3, b"gone", None),
    ]


def test_after_a_commit_each_table_knows_where_its_changelog_ends() -> None:
    """Also the one whose changelog is an output; one that was not written to keeps its checkpoint."""
    tables = lane_tables()
    tables.of(NAMES).put(b"n", b"name")
    written = {Partition("names-out", 3): 12, Partition("names-out", 4): 99}
    tables.apply(tables.changes(), written, now_ms=5)
    assert tables.of(NAMES).store.checkpoint() == (12, 5)
    assert tables.of(NAMES).store.get(b"n") == b"name"
    assert tables.of(NUMBERS).store.checkpoint() is None


def test_nothing_stays_staged_after_a_commit() -> None:
    """This includes a table to which the commit wrote nothing."""
    tables = lane_tables()
    tables.of(NUMBERS).put(b"k", 1)
    tables.apply(tables.changes(), {}, now_ms=5)
    assert tables.changes() == {"numbers": {}, "names": {}}


@given(st.lists(st.tuples(st.sampled_from([NUMBERS, NAMES]), st.sampled_from([b"a", b"b"])), max_size=6))
def test_a_rollback_covers_all_tables(staged: list[tuple[TableSpec[int], bytes]]) -> None:
    tables = lane_tables()
    tables.of(NUMBERS).put(b"kept", 1)
    before = tables.changes()
    savepoint = tables.savepoint()
    for spec, key in staged:
        tables.of(spec).put(key, None)
    tables.rollback(savepoint)
    assert tables.changes() == before
    tables.discard()
    assert tables.changes() == {"numbers": {}, "names": {}}
