"""A lane's tables: rows are read through a cache, changes are staged until their transaction commits.

A change is staged, committed and applied. The batch that stages a row reads it back. `discard` drops all
staged rows. The transaction writes `changes` to the changelog. After it has committed, `apply` moves them
into the store.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

import msgspec

from schemas.errors import RetryLater
from streams.records import Output, Partition, ReadPosition
from streams.state.stores import Checkpoint, Store

V = TypeVar("V")


class StateDamaged(RetryLater):
    """A row cannot be read or decoded. The lane wipes its tables and restores them from the changelog."""


CACHED_ROWS = 20_000
"""Decoded rows that a table caches at most."""
CACHED_BYTES = 32 * 1024 * 1024
"""Encoded bytes of the cached rows at most. Most rows have some hundred bytes, a few have a megabyte."""


@dataclass(frozen=True, slots=True)
class TableSpec(Generic[V]):
    """Describes a table.

    Attributes:
        name: The table's name, and its directory's.
        changelog: The compacted topic of its rows; partition n belongs to lane n.
        encode: Encodes a row for the store and the changelog.
        decode: Decodes a row; the inverse of `encode`.
        is_output: Whether the changelog is an output topic whose values are the rows. The agent's outputs are
            then the changelog, and no row is written twice.
        has_positions: Whether the input positions may be among the rows.
    """

    name: str
    changelog: str
    encode: Callable[[V], bytes]
    decode: Callable[[bytes], V]
    is_output: bool = False
    has_positions: bool = True


class Table(Generic[V]):
    """One partition of a table. Rows are immutable: a change is a new row under the same key.

    Args:
        spec: Describes the table.
        store: Keeps the committed rows.
        cached_rows: Decoded rows to cache at most.
        cached_bytes: Encoded bytes of the cached rows at most.
    """

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
        # How often staged rows were dropped instead of committed.
        self.rollbacks = 0

    def get(self, key: bytes) -> V | None:
        """Return the staged row of a key, else the committed row, else None.

        Raises:
            StateDamaged: The row cannot be read or decoded.
        """
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
            # The state is at fault, not the record: this error must not dead-letter a record.
            raise StateDamaged(f"table {self.spec.name}, key {key!r}: {error}") from error
        if row is not None and encoded is not None:
            self._cache_row(key, row, len(encoded))
        return row

    def put(self, key: bytes, row: V | None) -> None:
        """Stage a row. None deletes it."""
        self._staged[key] = row

    def savepoint(self) -> Mapping[bytes, V | None]:
        """Return a copy of what is staged, for `rollback`."""
        return dict(self._staged)

    def rollback(self, savepoint: Mapping[bytes, V | None]) -> None:
        """Drop what was staged since the savepoint."""
        self._staged = dict(savepoint)

    def discard(self) -> None:
        """Drop everything staged."""
        self.rollbacks += bool(self._staged)
        self._staged = {}

    def changes(self) -> dict[bytes, bytes | None]:
        """Return the staged rows by key, encoded; None for a deleted row."""
        encode = self.spec.encode
        return {key: None if row is None else encode(row) for key, row in self._staged.items()}

    def apply(self, changes: Mapping[bytes, bytes | None], checkpoint: Checkpoint) -> None:
        """Move the staged rows into the store, after their transaction has committed.

        Args:
            changes: The staged rows, as `changes` returned them.
            checkpoint: The changelog offset after them.
        """
        self.store.apply(changes, checkpoint)
        for key, row in self._staged.items():
            encoded = changes[key]
            if row is None or encoded is None:
                self._uncache(key)
            else:
                self._cache_row(key, row, len(encoded))
        self._staged = {}

    def restore(self, records: Mapping[bytes, bytes | None], checkpoint: Checkpoint) -> None:
        """Write rows from the changelog. They are newer than the store's."""
        self.store.apply(records, checkpoint)
        for key in records:
            self._uncache(key)

    def set_aside(self) -> str:
        """Begin an empty store, and return where the old rows are kept; see `Store.set_aside`."""
        self.discard()
        self._cache.clear()
        self._bytes = 0
        return self.store.set_aside()

    def wipe(self) -> None:
        """Delete all rows, so that they are restored from the start of the changelog."""
        self.discard()
        self._cache.clear()
        self._bytes = 0
        self.store.wipe()

    def _cache_row(self, key: bytes, row: V, size: int) -> None:
        self._uncache(key)
        self._cache[key] = row, size
        self._bytes += size
        while len(self._cache) > self._cached_rows or self._bytes > self._cached_bytes:
            _, (_, evicted) = self._cache.popitem(last=False)
            self._bytes -= evicted

    def _uncache(self, key: bytes) -> None:
        cached = self._cache.pop(key, None)
        if cached is not None:
            self._bytes -= cached[1]


POSITIONS_KEY = b"\x00shelfstream.positions"
"""The key of the row that says up to which input offsets the state was made. No product or shopper has it."""


class Tables:
    """All tables of one lane. They are staged and applied together.

    Args:
        tables: The tables.
        partition: The lane's partition.
    """

    def __init__(self, tables: Sequence[Table[Any]], partition: int) -> None:
        self._tables = {table.spec.name: table for table in tables}
        self.partition = partition

    def __iter__(self) -> Any:
        """Iterate over the tables."""
        return iter(self._tables.values())

    def of(self, spec: TableSpec[V]) -> Table[V]:
        """Return the table that `spec` describes.

        Raises:
            KeyError: The lane has no such table.
        """
        return cast("Table[V]", self._tables[spec.name])

    def savepoint(self) -> dict[str, Mapping[bytes, Any]]:
        """Return a savepoint of all tables."""
        return {name: table.savepoint() for name, table in self._tables.items()}

    def rollback(self, savepoint: Mapping[str, Mapping[bytes, Any]]) -> None:
        """Drop what was staged since a savepoint."""
        for name, staged in savepoint.items():
            self._tables[name].rollback(staged)

    def discard(self) -> None:
        """Drop everything staged."""
        for table in self:
            table.discard()

    def changes(self) -> dict[str, dict[bytes, bytes | None]]:
        """Return the staged rows of each table, encoded."""
        return {name: table.changes() for name, table in self._tables.items()}

    def with_positions(
        self, changes: Mapping[str, Mapping[bytes, bytes | None]], positions: Mapping[Partition, ReadPosition]
    ) -> dict[str, Mapping[bytes, bytes | None]]:
        """Add to changes the input positions that the state has after them.

        They are a row of the first table that may have them. A lane without one keeps none.

        Args:
            changes: The encoded rows to write, by table.
            positions: The position of each input after the batch.
        """
        table = self._with_positions()
        if table is None:
            return dict(changes)
        name = table.spec.name
        entries = [[at.topic, at.partition, each.offset, each.topic_id] for at, each in positions.items()]
        row = msgspec.json.encode(entries)
        return {**changes, name: {**changes[name], POSITIONS_KEY: row}}

    def positions(self) -> dict[Partition, ReadPosition]:
        """Return the input positions that the state contains, if any. Raises `StateDamaged`."""
        table = self._with_positions()
        try:
            row = None if table is None else table.store.get(POSITIONS_KEY)
            entries = [] if row is None else msgspec.json.decode(row, type=list[tuple[str, int, int, str]])
        except Exception as error:
            raise StateDamaged(f"the positions of the state: {error}") from error
        return {Partition(topic, number): ReadPosition(offset, id_) for topic, number, offset, id_ in entries}

    def sizes(self) -> dict[str, tuple[int, int]]:
        """Return about how many rows and bytes each table has, by name, without the positions."""
        sizes: dict[str, tuple[int, int]] = {each.spec.name: each.store.size() for each in self}
        if (table := self._with_positions()) is not None:
            with suppress(Exception):  # A damaged row is the lane's trouble, not that of the metrics.
                if (row := table.store.get(POSITIONS_KEY)) is not None:
                    rows, size = sizes[table.spec.name]
                    sizes[table.spec.name] = max(0, rows - 1), max(0, size - len(POSITIONS_KEY) - len(row))
        return sizes

    def _with_positions(self) -> Table[Any] | None:
        return next((each for each in self if each.spec.has_positions and not each.spec.is_output), None)

    def changelog(self, changes: Mapping[str, Mapping[bytes, bytes | None]]) -> list[Output]:
        """Return the changelog records of `changes`. Those of output tables are among the agent's outputs."""
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
        """Apply all changes after their commit.

        Args:
            changes: The staged rows of each table, encoded.
            written: The offset after the last written record of each partition.
            now_ms: The time of the checkpoint, in milliseconds since 1970.
        """
        for name, table in self._tables.items():
            end = written.get(Partition(table.spec.changelog, self.partition))
            if end is not None:
                table.apply(changes[name], Checkpoint((end, now_ms)))
            table.discard()

    def wipe(self) -> None:
        """Delete the rows of all tables."""
        for table in self:
            table.wipe()

    def close(self) -> None:
        """Close all stores."""
        for table in self:
            table.store.close()
