"""Workers of one machine use different directories, and find their own again."""

import subprocess
import sys
from pathlib import Path

import pytest

from schemas.errors import StopWorker
from streams.state import worker_directory
from streams.state.worker_directory import WorkerDirectory

_HOLDER = """
import pathlib, sys, time
from streams.state.worker_directory import WorkerDirectory
slot = WorkerDirectory(pathlib.Path(sys.argv[1]))
print(slot.number, flush=True)
time.sleep(60)
"""


def test_two_workers_get_two_directories(tmp_path: Path) -> None:
    """They are created with their parents."""
    root = tmp_path / "deep" / "data"
    with WorkerDirectory(root) as first, WorkerDirectory(root) as second:
        assert (first.number, second.number) == (0, 1)
        assert first.path != second.path
        assert first.path.is_dir()
        assert second.path.is_dir()


def test_a_directory_is_free_again_after_its_worker(tmp_path: Path) -> None:
    """The next worker finds the files in it, also when the first of several workers has ended."""
    first, second = WorkerDirectory(tmp_path), WorkerDirectory(tmp_path)
    (first.path / "rows").write_text("kept")
    first.__exit__(None, None, None)
    with WorkerDirectory(tmp_path) as again:
        assert again.path == first.path
        assert (again.path / "rows").read_text() == "kept"
    second.__exit__(None, None, None)


def test_a_killed_worker_frees_its_directory(tmp_path: Path) -> None:
    """It is locked while the process lives, and free after SIGKILL."""
    holder = subprocess.Popen([sys.executable, "-c", _HOLDER, str(tmp_path)], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"0\n"
        with WorkerDirectory(tmp_path) as other:
            assert other.number == 1
    finally:
        holder.kill()
        holder.communicate()
    with WorkerDirectory(tmp_path) as next_one:
        assert next_one.number == 0


def test_too_many_workers_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_directory, "_MAX_WORKERS", 1)
    with (
        WorkerDirectory(tmp_path),
        pytest.raises(StopWorker, match=r"1 workers already use .*" + tmp_path.name),
    ):
        WorkerDirectory(tmp_path)


@pytest.mark.parametrize("in_the_way", ["data", "data/worker-0", "data/worker-0.lock"])
def test_a_directory_that_cannot_be_used_stops_the_worker_and_names_the_setting(
    tmp_path: Path, in_the_way: str
) -> None:
    """There is a file in place of a directory, or a directory in place of a file."""
    path = tmp_path / in_the_way
    path.parent.mkdir(exist_ok=True)
    if path.suffix == ".lock":
        path.mkdir()
    else:
        path.write_text("")
    with pytest.raises(StopWorker, match="SHELFSTREAM_DATA_DIR"):
        WorkerDirectory(tmp_path / "data")
