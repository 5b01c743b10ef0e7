"""Stores: a table's rows on this worker, in memory or in RocksDB, with a checkpoint.

A store is a cache of its changelog. Rows and checkpoint change in one atomic write, so that a killed worker
continues to read the changelog where its rows end.
"""

import shutil
import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Protocol

import structlog
from rocksdict import Options, Rdict, WriteBatch

log = structlog.get_logger()

# The database key of a row is "r" and the row's key. The checkpoint has a key that no row can have.
_ROW = b"r"
_CHECKPOINT = b"c"
_CHANGELOG_ID = b"i"
# RocksDB's error messages when this or another process has opened the directory.
_IN_USE = ("While lock file:", "lock hold by current process")


class Checkpoint(tuple[int, int]):
    """The next changelog offset to read, and the time in milliseconds since 1970 at which it was written."""

    __slots__ = ()

    @property
    def offset(self) -> int:
        """The next changelog offset to read."""
        return self[0]

    @property
    def written_at(self) -> int:
        """Milliseconds since 1970."""
        return self[1]


class Store(Protocol):
    """Rows of bytes by key. One test suite runs over all implementations."""

    def get(self, key: bytes) -> bytes | None:
        """Return the row of `key`, or None."""
        ...

    def apply(self, changes: Mapping[bytes, bytes | None], checkpoint: Checkpoint) -> None:
        """Write all changes and the checkpoint atomically. None deletes a row."""
        ...

    def checkpoint(self) -> Checkpoint | None:
        """Return the checkpoint, or None if the store is new."""
        ...

    def changelog_id(self) -> str:
        """The id of the changelog topic that the rows are from; empty if it is not known."""
        ...

    def set_changelog_id(self, topic_id: str) -> None:
        """Remember of which changelog topic the rows are."""
        ...

    def set_aside(self) -> str:
        """Keep the rows out of the way, where there are any on disk, and begin an empty store.

        Returns:
            Where they are, or empty.
        """
        ...

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield all rows in the order of their keys."""
        ...

    def page(self, after: bytes, count: int) -> tuple[list[tuple[bytes, bytes]], bytes | None]:
        """Return some rows, for a walk through all of them while they change.

        A walk returns each row that is there from its start to its end, once.

        Args:
            after: Where the last page ended; empty begins a walk.
            count: The number of rows at most.

        Returns:
            The rows, and where the page ended; None if it is the last one.
        """
        ...

    def size(self) -> tuple[int, int]:
        """Return about how many rows there are, and their bytes."""
        ...

    def wipe(self) -> None:
        """Delete all rows and the checkpoint."""
        ...

    def close(self) -> None:
        """Release files and locks."""
        ...


def store_paths(directory: Path) -> dict[Path, int]:
    """Return the stores in a directory, which are named TABLE-PARTITION, with their partition numbers."""
    numbers = {path: path.name.rpartition("-")[2] for path in directory.glob("*-*")}
    return {path: int(number) for path, number in numbers.items() if number.isdecimal()}


class MemoryStore:
    """A store that ends with the process. Every start restores it from the changelog."""

    def __init__(self) -> None:
        self._rows: dict[bytes, bytes] = {}
        self._checkpoint: Checkpoint | None = None
        self._changelog_id = ""
        self._walk: Iterator[bytes] = iter(())

    def changelog_id(self) -> str:
        """The id of the changelog topic."""
        return self._changelog_id

    def set_changelog_id(self, topic_id: str) -> None:
        """Remember the id of the changelog topic."""
        self._changelog_id = topic_id

    def set_aside(self) -> str:
        """Forget everything: nothing is on disk."""
        self.wipe()
        return ""

    def get(self, key: bytes) -> bytes | None:
        """Return the row of `key`, or None."""
        return self._rows.get(key)

    def apply(self, changes: Mapping[bytes, bytes | None], checkpoint: Checkpoint) -> None:
        """Write all changes and the checkpoint."""
        for key, value in changes.items():
            if value is None:
                self._rows.pop(key, None)
            else:
                self._rows[key] = value
        self._checkpoint = checkpoint

    def checkpoint(self) -> Checkpoint | None:
        """Return the checkpoint."""
        return self._checkpoint

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield all rows in the order of their keys."""
        yield from sorted(self._rows.items())

    def page(self, after: bytes, count: int) -> tuple[list[tuple[bytes, bytes]], bytes | None]:
        """Return some rows. A walk goes through the keys that were there at its start."""
        if not after:
            self._walk = iter(list(self._rows))
        keys = list(islice(self._walk, count))
        rows = [(key, self._rows[key]) for key in keys if key in self._rows]
        return rows, b"on" if len(keys) == count else None

    def size(self) -> tuple[int, int]:
        """Return how many rows there are, and their bytes."""
        return len(self._rows), sum(len(key) + len(row) for key, row in self._rows.items())

    def wipe(self) -> None:
        """Delete everything."""
        self._rows.clear()
        self._checkpoint = None
        self._changelog_id = ""

    def close(self) -> None:
        """Do nothing."""


class RocksStore:
    """A store on disk that survives restarts.

    A directory that RocksDB cannot open is set aside: its rows are a cache of the changelog.

    Args:
        path: The directory, used by this store alone.

    Raises:
        OSError: The directory is in use, or cannot be created (disk full, no permission).
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._db = self._open()
            # RocksDB opens files when it first reads them.
            self.checkpoint()
            self.changelog_id()
        except Exception as broken:
            # A locked directory belongs to a live process. Any other failure means a damaged cache.
            if any(message in str(broken) for message in _IN_USE):
                raise OSError(f"RocksDB at {path} is in use by another process: {broken}") from broken
            try:
                self.close()
                aside = self._move_aside()
                self._db = self._open()
            except Exception as error:
                raise OSError(f"no RocksDB at {path}: {error}") from error
            log.warning(
                "the local state is damaged; set aside, restoring from the changelog",
                directory=str(path),
                aside=aside,
                error=str(broken),
            )

    def _open(self) -> Rdict:
        options = Options(raw_mode=True)
        options.create_if_missing(True)
        # A worker may have many small lanes: 64 of them must not take RocksDB's default of 64 MiB each.
        options.set_write_buffer_size(8 * 1024 * 1024)
        options.set_max_write_buffer_number(2)
        options.set_keep_log_file_num(2)
        # Besides, six files are open of each store: the lock, the log, the manifest and so on.
        options.set_max_open_files(16)
        return Rdict(str(self._path), options)

    def get(self, key: bytes) -> bytes | None:
        """Return the row of `key`, or None."""
        row: bytes | None = self._db.get(_ROW + key)
        return row

    def apply(self, changes: Mapping[bytes, bytes | None], checkpoint: Checkpoint) -> None:
        """Write all changes and the checkpoint in one write batch."""
        batch = WriteBatch(raw_mode=True)
        for key, value in changes.items():
            if value is None:
                batch.delete(_ROW + key)
            else:
                batch.put(_ROW + key, value)
        batch.put(_CHECKPOINT, struct.pack(">qq", *checkpoint))
        self._db.write(batch)

    def checkpoint(self) -> Checkpoint | None:
        """Return the checkpoint."""
        packed = self._db.get(_CHECKPOINT)
        return None if packed is None else Checkpoint(struct.unpack(">qq", packed))

    def changelog_id(self) -> str:
        """The id of the changelog topic."""
        found = self._db.get(_CHANGELOG_ID)
        return "" if found is None else found.decode()

    def set_changelog_id(self, topic_id: str) -> None:
        """Remember the id of the changelog topic."""
        self._db.put(_CHANGELOG_ID, topic_id.encode())

    def set_aside(self) -> str:
        """Rename the directory, with `-set-aside` at its end, in place of an earlier one, and begin anew."""
        self.close()
        aside = self._move_aside()
        self._db = self._open()
        return aside

    def _move_aside(self) -> str:
        aside = self._path.with_name(f"{self._path.name}-set-aside")
        shutil.rmtree(aside, ignore_errors=True)
        if self._path.is_dir():
            self._path.rename(aside)
        return str(aside)

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield all rows in the order of their keys."""
        for key, value in self._db.items(from_key=_ROW):
            yield key[len(_ROW) :], value

    def page(self, after: bytes, count: int) -> tuple[list[tuple[bytes, bytes]], bytes | None]:
        """Return some rows in the order of their keys."""
        # The next key in the order of bytes. No snapshot stays open between two pages.
        start = _ROW + after + b"\x00" if after else _ROW
        rows = [(key[len(_ROW) :], value) for key, value in islice(self._db.items(from_key=start), count)]
        return rows, rows[-1][0] if len(rows) == count else None

    def size(self) -> tuple[int, int]:
        """Return RocksDB's estimates. Updates that are not compacted yet count twice."""
        rows = self._db.property_int_value("rocksdb.estimate-num-keys") or 0
        held = self._db.property_int_value("rocksdb.cur-size-all-mem-tables") or 0
        return max(0, rows - 1), held + (self._db.property_int_value("rocksdb.total-sst-files-size") or 0)

    def wipe(self) -> None:
        """Replace the directory by an empty one."""
        self.close()
        shutil.rmtree(self._path, ignore_errors=True)
        self._db = self._open()

    def close(self) -> None:
        """Flush and release the directory's lock. Rows that do not fit a full disk are in the changelog."""
        with suppress(Exception):
            self._db.close()
