"""Snapshots: the stores of stopped workers in one file, so that another disk need not restore from the start.

A snapshot is as good as a disk that was away: a worker reads the changelog from each store's checkpoint
on, and does not use a store that is too old or of another changelog topic.
"""

import shutil
import tarfile
from collections.abc import Iterator, Set
from contextlib import ExitStack, closing
from io import BytesIO
from pathlib import Path

import msgspec

from models.files.atomic_writes import rename_atomically, sync
from schemas.errors import StopWorker
from streams.state.stores import RocksStore, store_paths
from streams.state.worker_directory import WorkerDirectory

MANIFEST = "snapshot.json"
FORMAT = 1


class StoredTable(msgspec.Struct, frozen=True, kw_only=True):
    """The store of one table and partition.

    Attributes:
        name: TABLE-PARTITION.
        offset: The next changelog offset to read.
        written_at: When the checkpoint was written, in milliseconds since 1970.
        changelog_id: Id of the changelog topic; empty if it is not known.
        size_bytes: Size of its files.
    """

    name: str
    offset: int
    written_at: int
    changelog_id: str
    size_bytes: int


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The list of what a snapshot holds: its first file, in JSON.

    Attributes:
        app_id: The deployment.
        tables: Its stores.
        format: Version of this format.
    """

    app_id: str
    tables: list[StoredTable]
    format: int = FORMAT


def export_snapshot(data_dir: Path, app_id: str, file: Path) -> Snapshot:
    """Write the newest store of each table and partition into a tar file.

    Args:
        data_dir: The setting `data_dir`.
        app_id: The deployment.
        file: The file to write. An existing one is replaced when the new one is complete.

    Raises:
        StopWorker: A worker uses the directory, there is no state in it, or a file cannot be read or written.
    """
    with ExitStack() as locks:
        newest: dict[str, tuple[StoredTable, Path]] = {}
        for directory in _locked_directories(data_dir, locks):
            for path in store_paths(directory / app_id):
                stored = _stored(path)
                if stored is not None and stored.offset >= _offset(newest.get(path.name)):
                    newest[path.name] = stored, path
        if not newest:
            raise StopWorker(
                f"there is no state of {app_id} in {data_dir}: name the worker's SHELFSTREAM_DATA_DIR"
            )
        snapshot = Snapshot(app_id=app_id, tables=[newest[name][0] for name in sorted(newest)])
        staged = file.with_name(f".{file.name}")
        try:
            with tarfile.open(staged, "w") as archive:
                content = msgspec.json.format(msgspec.json.encode(snapshot), indent=1) + b"\n"
                described = tarfile.TarInfo(MANIFEST)
                described.size = len(content)
                archive.addfile(described, BytesIO(content))
                for name in sorted(newest):
                    archive.add(newest[name][1], name)
            sync(staged)
            staged.replace(file)
        except OSError as error:
            staged.unlink(missing_ok=True)
            raise StopWorker(f"cannot write {file}: {error.strerror}") from error
    return snapshot


def read_snapshot(file: Path) -> Snapshot:
    """Return what a snapshot holds.

    Raises:
        StopWorker: The file cannot be read, or it is no snapshot.
    """
    try:
        with tarfile.open(file, "r:") as archive:
            content = archive.extractfile(MANIFEST)
            snapshot = msgspec.json.decode(b"" if content is None else content.read(), type=Snapshot)
    except OSError as error:
        raise StopWorker(f"cannot read {file}: {error.strerror}") from error
    except (tarfile.TarError, KeyError, msgspec.MsgspecError) as error:
        raise StopWorker(f"{file} is no snapshot of `shelfstream state export`: {error}") from error
    if snapshot.format != FORMAT:
        raise StopWorker(f"{file} has the format {snapshot.format}; this version reads {FORMAT}")
    return snapshot


def import_snapshot(file: Path, data_dir: Path, app_id: str) -> list[StoredTable]:
    """Put the stores of a snapshot into the directory of the next worker that starts here.

    A store that is already there and not behind stays.

    Args:
        file: The snapshot.
        data_dir: The setting `data_dir` of that worker.
        app_id: The deployment.

    Returns:
        The stores that were put there.

    Raises:
        StopWorker: The snapshot is of another deployment or damaged, or a file cannot be written.
    """
    snapshot = read_snapshot(file)
    if snapshot.app_id != app_id:
        raise StopWorker(f"{file} has the state of {snapshot.app_id}, and the app_id here is {app_id}")
    taken = []
    with WorkerDirectory(data_dir) as directory:
        target = directory.path / app_id
        staging = directory.path / ".snapshot"
        try:
            target.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(staging, ignore_errors=True)
            _unpack(file, {each.name for each in snapshot.tables}, staging)
            for stored in snapshot.tables:
                path = target / stored.name
                here = _stored(path) if path.is_dir() else None
                if (
                    here is not None
                    and here.changelog_id == stored.changelog_id
                    and here.offset >= stored.offset
                ):
                    continue
                shutil.rmtree(path, ignore_errors=True)
                rename_atomically(staging / stored.name, path)
                taken.append(stored)
        except OSError as error:
            raise StopWorker(f"cannot import {file} into {directory.path}: {error}") from error
        except tarfile.TarError as error:
            raise StopWorker(f"{file} is damaged: {error}") from error
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    return taken


def _unpack(file: Path, tables: Set[str], staging: Path) -> None:
    """Write the files of stores below `staging`. Whatever else an archive holds is left out."""
    with tarfile.open(file, "r:") as archive:
        for member in archive:
            parts = Path(member.name).parts
            content = archive.extractfile(member) if member.isfile() else None
            if content is None or len(parts) != 2 or parts[0] not in tables:
                continue
            (staging / parts[0]).mkdir(parents=True, exist_ok=True)
            with content, (staging / parts[0] / parts[1]).open("wb") as copy:
                shutil.copyfileobj(content, copy)


def _locked_directories(data_dir: Path, locks: ExitStack) -> Iterator[Path]:
    """Yield the workers' directories. All stay locked until `locks` closes: no worker starts there."""
    count = len(list(data_dir.glob("worker-*.lock")))
    for expected in range(count):
        directory = locks.enter_context(WorkerDirectory(data_dir))
        if directory.number != expected:
            raise StopWorker(
                f"a worker uses {data_dir / f'worker-{expected}'}: stop the workers of this machine first, "
                "so that the snapshot is of one moment"
            )
        yield directory.path


def _stored(path: Path) -> StoredTable | None:
    """Describe a store; None if it is new. Closing it writes all rows into its files."""
    with closing(RocksStore(path)) as store:
        checkpoint, changelog_id = store.checkpoint(), store.changelog_id()
    if checkpoint is None:
        return None
    return StoredTable(
        name=path.name,
        offset=checkpoint.offset,
        written_at=checkpoint.written_at,
        changelog_id=changelog_id,
        size_bytes=sum(each.stat().st_size for each in path.iterdir()),
    )


def _is_not_behind(here: StoredTable, stored: StoredTable) -> bool:
    return here.changelog_id == stored.changelog_id and here.offset >= stored.offset


def _offset(found: tuple[StoredTable, Path] | None) -> int:
    return -1 if found is None else found[0].offset
