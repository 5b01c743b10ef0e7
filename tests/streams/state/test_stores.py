"""Every store keeps rows and checkpoint together. The store on disk survives restarts and damage."""

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.state.stores import Checkpoint, MemoryStore, RocksStore, Store

Changes = Mapping[bytes, bytes | None]

keys = st.binary(max_size=3) | st.sampled_from([b"", b"r", b"c", b"\x00", b"\xff\xff"])
changes_of = st.dictionaries(keys, st.none() | st.binary(max_size=5), max_size=6)


@pytest.fixture(params=["memory", "rocks"])
def new_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Store]]:
    """Makes empty stores of one kind."""
    made: list[Store] = []
    numbers = count()

    def new() -> Store:
        store = MemoryStore() if request.param == "memory" else RocksStore(tmp_path / str(next(numbers)))
        made.append(store)
        return store

    yield new
    for store in made:
        store.close()


def applied(batches: Sequence[Changes]) -> dict[bytes, bytes]:
    """The expected rows after `batches`."""
    rows: dict[bytes, bytes] = {}
    for batch in batches:
        for key, value in batch.items():
            if value is None:
                rows.pop(key, None)
            else:
                rows[key] = value
    return rows


@pytest.mark.parametrize("count", [1, 2, 3, 100])
def test_a_walk_returns_each_row_that_stays_once(new_store: Callable[[], Store], count: int) -> None:
    """Rows may come and go meanwhile."""
    store = new_store()
    store.apply({bytes([number]): b"v" for number in range(7)}, Checkpoint((1, 0)))
    for _ in range(2):
        seen: list[bytes] = []
        after: bytes | None = b""
        while after is not None:
            rows, after = store.page(after, count)
            seen += [key for key, _ in rows]
            store.apply({b"\x05": None, seen[0] if seen else b"": b"changed"}, Checkpoint((2, 0)))
        assert sorted(set(seen) - {b"\x05"}) == [bytes([number]) for number in (0, 1, 2, 3, 4, 6)]
        assert len(seen) == len(set(seen))


def test_a_new_store_is_empty(new_store: Callable[[], Store]) -> None:
    """It has no rows, and no checkpoint."""
    store = new_store()
    assert store.checkpoint() is None
    assert list(store.items()) == []
    assert store.get(b"k") is None


@given(st.lists(changes_of, max_size=8))
@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_a_store_is_a_dictionary(new_store: Callable[[], Store], batches: list[Changes]) -> None:
    """After any changes it has the rows of a dictionary, in the order of their keys."""
    store = new_store()
    for number, batch in enumerate(batches):
        store.apply(batch, Checkpoint((number, 10 * number)))
    rows = applied(batches)
    assert list(store.items()) == sorted(rows.items())
    assert {key: store.get(key) for batch in batches for key in batch} == {
        key: rows.get(key) for batch in batches for key in batch
    }
    if batches:
        assert store.checkpoint() == (len(batches) - 1, 10 * (len(batches) - 1))


def test_a_checkpoint_names_offset_and_time(new_store: Callable[[], Store]) -> None:
    """Both keep their 64 bits, also when no row changed."""
    store = new_store()
    store.apply({}, Checkpoint((2**62, 1_700_000_000_000)))
    checkpoint = store.checkpoint()
    assert checkpoint is not None
    assert (checkpoint.offset, checkpoint.written_at) == (2**62, 1_700_000_000_000)


def test_no_row_can_hide_the_checkpoint(new_store: Callable[[], Store]) -> None:
    """Rows with an empty key, or with the checkpoint's key, are ordinary rows."""
    store = new_store()
    rows = {b"": b"empty", b"c": b"checkpoint", b"r": b"row"}
    store.apply(rows, Checkpoint((5, 6)))
    assert store.checkpoint() == (5, 6)
    assert dict(store.items()) == rows
    store.apply(dict.fromkeys(rows), Checkpoint((7, 8)))
    assert store.checkpoint() == (7, 8)
    assert list(store.items()) == []


def test_values_may_be_empty_or_large(new_store: Callable[[], Store]) -> None:
    """An empty row is a row, and a row of some megabytes is read back whole."""
    store = new_store()
    large = bytes(range(256)) * 12_000
    store.apply({b"large": large, b"none": b""}, Checkpoint((1, 1)))
    assert store.get(b"large") == large
    assert store.get(b"none") == b""


def test_wiping_deletes_rows_and_checkpoint_and_leaves_a_store_that_works(
    new_store: Callable[[], Store],
) -> None:
    store = new_store()
    store.apply({b"k": b"old"}, Checkpoint((9, 9)))
    store.wipe()
    assert store.checkpoint() is None
    assert list(store.items()) == []
    store.apply({b"n": b"new"}, Checkpoint((1, 2)))
    assert list(store.items()) == [(b"n", b"new")]


@given(st.lists(changes_of, min_size=1, max_size=4))
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_rows_on_disk_outlive_the_process(
    tmp_path_factory: pytest.TempPathFactory, batches: list[Changes]
) -> None:
    """A store that is opened again has the rows and the checkpoint of the last apply."""
    path = tmp_path_factory.mktemp("rocks") / "table"
    for number, batch in enumerate(batches):
        store = RocksStore(path)
        store.apply(batch, Checkpoint((number, number)))
        store.close()
    again = RocksStore(path)
    assert again.checkpoint() == (len(batches) - 1, len(batches) - 1)
    assert dict(again.items()) == applied(batches)
    again.close()


_KILLED = """
import os, pathlib, signal, sys
from streams.state.stores import Checkpoint, RocksStore
store = RocksStore(pathlib.Path(sys.argv[1]))
for number in range(50):
    store.apply({b"a": b"%d" % number, b"b": b"%d" % number}, Checkpoint((number, number)))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_process_leaves_rows_and_checkpoint_that_fit(tmp_path: Path) -> None:
    """Rows and checkpoint are of the same apply, and the lock is released."""
    killed = subprocess.run([sys.executable, "-c", _KILLED, str(tmp_path / "table")], check=False)
    assert killed.returncode == -9
    store = RocksStore(tmp_path / "table")
    checkpoint = store.checkpoint()
    assert checkpoint is not None
    assert store.get(b"a") == store.get(b"b") == b"%d" % checkpoint.offset
    assert checkpoint.offset == 49
    store.close()


# "blocks" because the folder's name is part of RocksDB's messages, and a damaged one is no locked one.
@pytest.mark.parametrize("folder", ["table", "blocks"])
@pytest.mark.parametrize("damaged", ["CURRENT", "MANIFEST-*", "*.sst"])
def test_a_damaged_directory_is_set_aside(tmp_path: Path, folder: str, damaged: str) -> None:
    """A directory that cannot be read is only a cache: the store starts empty and works."""
    path = tmp_path / folder
    store = RocksStore(path)
    store.apply({b"k": b"v"}, Checkpoint((1, 1)))
    store.close()
    files = list(path.glob(damaged))
    assert files
    for file in files:
        file.write_bytes(b"\x00 not what RocksDB wrote")
    again = RocksStore(path)
    assert (tmp_path / f"{folder}-set-aside").is_dir()
    assert again.checkpoint() is None
    again.apply({b"k": b"new"}, Checkpoint((2, 2)))
    assert list(again.items()) == [(b"k", b"new")]
    again.close()


_SECOND = """
import pathlib, sys
from streams.state.stores import RocksStore
try:
    RocksStore(pathlib.Path(sys.argv[1]))
except OSError as error:
    print(error)
"""


def test_a_directory_in_use_is_refused_and_left_alone(tmp_path: Path) -> None:
    """Neither another process nor a second handle opens or deletes a directory that is in use."""
    path = tmp_path / "table"
    store = RocksStore(path)
    store.apply({b"k": b"v"}, Checkpoint((1, 1)))
    other = subprocess.run(
        [sys.executable, "-c", _SECOND, str(path)], check=True, capture_output=True, text=True
    )
    assert "in use" in other.stdout
    with pytest.raises(OSError, match="in use"):
        RocksStore(path)
    store.apply({b"n": b"w"}, Checkpoint((2, 2)))
    store.close()
    again = RocksStore(path)
    assert list(again.items()) == [(b"k", b"v"), (b"n", b"w")]
    again.close()


def test_a_directory_that_cannot_be_created_is_an_error_that_names_it(tmp_path: Path) -> None:
    """If a file has its name, nothing is deleted and the error names the path."""
    path = tmp_path / "table"
    path.write_text("somebody's notes")
    with pytest.raises(OSError, match="table"):
        RocksStore(path)
    assert path.read_text() == "somebody's notes"


def test_a_store_estimates_its_size(new_store: Callable[[], Store]) -> None:
    """0 at first, and no less than what was written. The count of rows is exact before any update."""
    store = new_store()
    assert store.size()[0] == 0
    store.apply({b"k%d" % number: b"x" * 100 for number in range(50)}, Checkpoint((1, 1)))
    rows, size = store.size()
    assert rows == 50
    assert size >= 50 * 102


FILLING = """
import resource, sys
from pathlib import Path
from streams.state.stores import Checkpoint, RocksStore
store = RocksStore(Path(sys.argv[1]))
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, most))
try:
    for number in range(1_000):
        store.apply({b"%d" % number: bytes(1_000)}, Checkpoint((number + 1, 0)))
except Exception:
    print(number)
store.close()
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
again = RocksStore(Path(sys.argv[1]))
print(again.checkpoint().offset, len(list(again.items())))
"""


def test_a_full_disk_fails_the_write_and_leaves_a_store_that_closes_and_opens_again(tmp_path: Path) -> None:
    """Rows and checkpoint are those of the last successful write."""
    command = [sys.executable, "-c", FILLING, str(tmp_path / "store")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    failed_at, reached, rows = map(int, done.stdout.split())
    assert 0 < reached == rows <= failed_at
