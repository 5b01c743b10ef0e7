"""A snapshot carries the newest store of each partition to another disk, and never replaces a newer one."""

import tarfile
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from schemas.errors import StopWorker
from streams.cli import main
from streams.state.snapshot import export_snapshot, import_snapshot, read_snapshot
from streams.state.stores import Checkpoint, RocksStore
from streams.state.worker_directory import WorkerDirectory

APP = "shop"


def write(root: Path, name: str, rows: dict[bytes, bytes], offset: int, topic_id: str = "id") -> None:
    """Write a store as the first free worker of `root` would."""
    with WorkerDirectory(root) as directory, closing(RocksStore(directory.path / APP / name)) as store:
        store.apply(rows, Checkpoint((offset, 1_700_000_000_000)))
        store.set_changelog_id(topic_id)


def read(root: Path, name: str) -> tuple[dict[bytes, bytes], int]:
    with closing(RocksStore(root / "worker-0" / APP / name)) as store:
        checkpoint = store.checkpoint()
        assert checkpoint is not None
        return dict(store.items()), checkpoint.offset


def test_the_newest_store_of_each_partition_is_carried_over(tmp_path: Path) -> None:
    """Two workers had partition 1, one after the other."""
    old, new, file = tmp_path / "old", tmp_path / "new", tmp_path / "state.tar"
    write(old, "shoppers-0", {b"a": b"1"}, 10)
    write(old, "shoppers-1", {b"b": b"old"}, 5)
    with WorkerDirectory(old):
        write(old, "shoppers-1", {b"b": b"new"}, 7)
    snapshot = export_snapshot(old, APP, file)
    assert [(each.name, each.offset) for each in snapshot.tables] == [("shoppers-0", 10), ("shoppers-1", 7)]
    assert read_snapshot(file) == snapshot
    assert [each.name for each in import_snapshot(file, new, APP)] == ["shoppers-0", "shoppers-1"]
    assert read(new, "shoppers-0") == ({b"a": b"1"}, 10)
    assert read(new, "shoppers-1") == ({b"b": b"new"}, 7)
    assert not (new / "worker-0" / ".snapshot").exists()


def test_a_newer_store_of_the_same_changelog_stays(tmp_path: Path) -> None:
    old, new, file = tmp_path / "old", tmp_path / "new", tmp_path / "state.tar"
    for name in ("shoppers-0", "shoppers-1", "shoppers-2"):
        write(old, name, {b"k": b"snapshot"}, 10)
    export_snapshot(old, APP, file)
    write(new, "shoppers-0", {b"k": b"here"}, 11)
    write(new, "shoppers-1", {b"k": b"here"}, 9)
    write(new, "shoppers-2", {b"k": b"here"}, 99, "another topic")
    assert [each.name for each in import_snapshot(file, new, APP)] == ["shoppers-1", "shoppers-2"]
    rows = [read(new, f"shoppers-{partition}")[0][b"k"] for partition in range(3)]
    assert rows == [b"here", b"snapshot", b"snapshot"]


def test_a_running_worker_s_state_is_not_exported(tmp_path: Path) -> None:
    write(tmp_path / "data", "shoppers-0", {b"k": b"1"}, 1)
    with WorkerDirectory(tmp_path / "data"), pytest.raises(StopWorker, match="worker-0: stop the workers"):
        export_snapshot(tmp_path / "data", APP, tmp_path / "state.tar")
    assert not (tmp_path / "state.tar").exists()


def test_what_is_no_snapshot_of_this_deployment_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StopWorker, match="there is no state of shop"):
        export_snapshot(tmp_path / "data", APP, tmp_path / "state.tar")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(StopWorker, match="is no snapshot"):
        import_snapshot(tmp_path / "text", tmp_path / "new", APP)
    write(tmp_path / "data", "shoppers-0", {b"k": b"1"}, 1)
    file = tmp_path / "state.tar"
    export_snapshot(tmp_path / "data", APP, file)
    with pytest.raises(StopWorker, match="has the state of shop, and the app_id here is other"):
        import_snapshot(file, tmp_path / "new", "other")
    file.write_bytes(file.read_bytes()[:4096])
    with pytest.raises(StopWorker, match="unexpected end of data"):
        import_snapshot(file, tmp_path / "new", APP)
    assert not list((tmp_path / "new").rglob("shoppers-0"))


def test_an_archive_writes_nothing_outside_of_its_stores(tmp_path: Path) -> None:
    file = tmp_path / "state.tar"
    write(tmp_path / "data", "shoppers-0", {b"k": b"1"}, 1)
    export_snapshot(tmp_path / "data", APP, file)
    with tarfile.open(file, "a") as archive:
        for name in ("../escaped", "shoppers-0/../../escaped", "other-0/file", "shoppers-0/deep/file"):
            archive.addfile(tarfile.TarInfo(name))
    import_snapshot(file, tmp_path / "new", APP)
    assert read(tmp_path / "new", "shoppers-0") == ({b"k": b"1"}, 1)
    assert not [path for path in tmp_path.rglob("*") if path.name in ("escaped", "other-0", "deep")]


def test_the_commands_say_what_they_carried(tmp_path: Path) -> None:
    write(tmp_path / "old", "shoppers-0", {b"a": b"1"}, 1_234)
    file, runner = str(tmp_path / "state.tar"), CliRunner()

    def run(command: str, data: str) -> str:
        environment = {"SHELFSTREAM_DATA_DIR": str(tmp_path / data), "SHELFSTREAM_APP_ID": APP}
        result = runner.invoke(main, ["state", command, file], env=environment)
        assert result.exit_code == 0, result.output
        return result.output

    exported = run("export", "old")
    assert "shoppers-0" in exported
    assert "1,234" in exported
    assert "Imported 1 into" in run("import", "new")
    assert "Imported 0 into" in run("import", "new")
