"""A lane's tables: rows read through a cache, changes staged until their transaction has committed.

The way of a change is stage → commit → apply. A staged row is seen by the batch that wrote it; `discard`
drops all of them without a trace; `changes` are what the transaction writes to the changelog; `apply` moves
them into the store once the transaction has committed.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from schemas.errors import RetryLater
from streams.records import Output, Partition
from streams.state.stores import Checkpoint, Store

V = TypeVar("V")


class StateDamaged(RetryLater):
    """A row cannot be read or decoded: the lane wipes its tables and restores them from the changelog."""


#: How many decoded rows a table keeps at hand.
CACHED_ROWS = 20_000

#: How many bytes these rows may have, encoded: most rows have some hundreds, and a few a megabyte.
CACHED_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class TableSpec(Generic[V]):
    """What a table holds.

    Attributes:
        name: the table's name, also of its directory.
        changelog: the compacted topic that carries its rows; partition n belongs to lane n.
        encode: row → bytes, for the store and the changelog.
        decode: bytes → row; the inverse.
        is_output: the changelog is an output topic whose records are the rows, so the processor's own
            outputs are the changelog and none is written twice.
    """

    name: str
    changelog: str
    encode: Callable[[V], bytes]
    decode: Callable[[bytes], V]
    is_output: bool = False


class Table(Generic[V]):
    """One partition of a table. Rows are immutable values: a change is a new row under the same key."""

    def __init__(
        self,
        spec: TableSpec[V],
        store: Store,
        cached_rows: int = CACHED_ROWS,
        cached_bytes: int = CACHED_BYTES,
    ) -> None:
        self.spec = spec
        self.store = store
        self._cache: OrderedDict[bytes, tuple[V, int]] = OrderedDict()
        self._cached_rows = cached_rows
        self._cached_bytes = cached_bytes
        self._bytes = 0
        self._staged: dict[bytes, V | None] = {}

    def get(self, key: bytes) -> V | None:
        """The row as this batch sees it: staged, else committed, else None."""
        if key in self._staged:
            return self._staged[key]
        cached = self._cache.get(key)
        if cached is not None:
            self._cache.move_to_end(key)
            return cached[0]
        try:
            encoded = self.store.get(key)
            row = None if encoded is None else self.spec.decode(encoded)
        except Exception as error:
            # The state is at fault and not the record: such an error must never dead_letter a record.
            raise StateDamaged(f"table {self.spec.name}, key {key!r}: {error}") from error
        if row is not None and encoded is not None:
            self._remember(key, row, len(encoded))
        return row

    def put(self, key: bytes, row: V | None) -> None:
        """Stage a row; None deletes it."""
        self._staged[key] = row

    def savepoint(self) -> Mapping[bytes, V | None]:
        """What is staged now, to come back to with `rollback`."""
        return dict(self._staged)

    def rollback(self, savepoint: Mapping[bytes, V | None]) -> None:
        """Drop what was staged since the savepoint."""
        self._staged = dict(savepoint)

    def discard(self) -> None:
        """Drop everything staged: the batch never happened."""
        self._staged = {}

    def changes(self) -> dict[bytes, bytes | None]:
        """The staged rows, encoded, one per touched key."""
        encode = self.spec.encode
        return {key: None if row is None else encode(row) for key, row in self._staged.items()}

    def apply(self, changes: Mapping[bytes, bytes | None], checkpoint: Checkpoint) -> None:
        """Make `changes` (of this stage) part of the store, after their transaction has committed."""
        self.store.apply(changes, checkpoint)
        for key, row in self._staged.items():
            encoded = changes[key]
            if row is None or encoded is None:
                self._forget(key)
            else:
                self._remember(key, row, len(encoded))
        self._staged = {}

    def restore(self, records: Mapping[bytes, bytes | None], checkpoint: Checkpoint) -> None:
        """Take rows from the changelog, which are newer than any that is held."""
        self.store.apply(records, checkpoint)
        for key in records:
            self._forget(key)

    def wipe(self) -> None:
        """Forget all rows, to restore them from the changelog's start."""
        self._staged = {}
        self._cache.clear()
        self._bytes = 0
        self.store.wipe()

    def _remember(self, key: bytes, row: V, size: int) -> None:
        self._forget(key)
        self._cache[key] = row, size
        self._bytes += size
        while len(self._cache) > self._cached_rows or self._bytes > self._cached_bytes:
            _, (_, gone) = self._cache.popitem(last=False)
            self._bytes -= gone

    def _forget(self, key: bytes) -> None:
        cached = self._cache.pop(key, None)
        if cached is not None:
            self._bytes -= cached[1]


class Tables:
    """All tables of one lane, by name, staged and settled together."""

    def __init__(self, tables: Sequence[Table[Any]], partition: int) -> None:
        self._tables = {table.spec.name: table for table in tables}
        self.partition = partition

    def __iter__(self) -> Any:
        """Iterate over the tables."""
        return iter(self._tables.values())

    def of(self, spec: TableSpec[V]) -> Table[V]:
        """The table of this lane that `spec` describes."""
        return cast("Table[V]", self._tables[spec.name])

    def savepoint(self) -> dict[str, Mapping[bytes, Any]]:
        """A savepoint over all tables."""
        return {name: table.savepoint() for name, table in self._tables.items()}

    def rollback(self, savepoint: Mapping[str, Mapping[bytes, Any]]) -> None:
        """Go back to a savepoint."""
        for name, staged in savepoint.items():
            self._tables[name].rollback(staged)

    def discard(self) -> None:
        """Drop everything staged."""
        for table in self:
            table.discard()

    def changes(self) -> dict[str, dict[bytes, bytes | None]]:
        """The staged rows of each table, encoded."""
        return {name: table.changes() for name, table in self._tables.items()}

    def changelog(self, changes: Mapping[str, Mapping[bytes, bytes | None]]) -> list[Output]:
        """The changelog records of `changes`; those of output tables are already among the outputs."""
        return [
            Output(table.spec.changelog, self.partition, key, row)
            for name, table in self._tables.items()
            if not table.spec.is_output
            for key, row in changes[name].items()
        ]

    def apply(
        self,
        changes: Mapping[str, Mapping[bytes, bytes | None]],
        written: Mapping[Partition, int],
        now_ms: int,
    ) -> None:
        """Apply all changes after the commit that wrote to the changelogs up to `written`."""
        for name, table in self._tables.items():
            end = written.get(Partition(table.spec.changelog, self.partition))
            if end is not None:
                table.apply(changes[name], Checkpoint((end, now_ms)))
            table.discard()

    def wipe(self) -> None:
        """Forget the rows of all tables."""
        for table in self:
            table.wipe()

    def close(self) -> None:
        """Close all stores."""
        for table in self:
            table.store.close()
