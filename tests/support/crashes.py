"""Simulates a crash before any change of the file system, by the interpreter's audit events."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

_WRITING = os.O_WRONLY | os.O_RDWR
# Each is raised before the change, with the path as its first argument. shutil raises events of its own in
# addition.
_CHANGES = frozenset({"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.utime", "os.truncate"})


class Crash(BaseException):
    """The program has crashed. A handler of `Exception` does not catch it."""


class _Disk:
    """Counts the changes below a directory.

    Attributes:
        folder: The directory. None while no change is counted.
        left: The number of changes before the crash.
        opened: The files that were opened to write.
    """

    def __init__(self) -> None:
        self.folder: Path | None = None
        self.left = 0
        self.opened: set[Path] = set()
        self._hooked = False

    def watch(self, folder: Path, changes: int) -> None:
        """Count from now on. An audit hook cannot be removed: one serves for all directories."""
        if not self._hooked:
            sys.addaudithook(self._audit)
            self._hooked = True
        self.folder, self.left, self.opened = folder, changes, set()

    def change(self, name: str) -> None:
        """Count a change.

        Args:
            name: The name of the change.

        Raises:
            Crash: No change is left.
        """
        self.left -= 1
        if self.left < 0:
            raise Crash(name)

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.folder is None or not (event in _CHANGES or _opens_to_write(event, arguments)):
            return
        path = Path(arguments[0])
        # Relative names are those that shutil removes in a directory that it has open.
        if path.is_absolute() and not path.is_relative_to(self.folder):
            return
        self.change(event)
        if event == "open":
            self.opened.add(path)


_DISK = _Disk()


def _opens_to_write(event: str, arguments: tuple[Any, ...]) -> bool:
    return event == "open" and isinstance(arguments[0], str | Path) and bool(arguments[2] & _WRITING)


@contextmanager
def crashing_after(changes: int | None, folder: Path) -> Iterator[None]:
    """Crash after a number of changes below a directory.

    An `fsync` counts as a change. The crash truncates each file that was opened to write, and was not renamed
    since, to half its size.

    Args:
        changes: The number of changes. If None, there is no crash.
        folder: The directory.

    Raises:
        Crash: One more change was tried.
    """
    if changes is None:
        yield
        return
    sync = os.fsync

    def counted_sync(file: int) -> None:
        _DISK.change("os.fsync")
        sync(file)

    _DISK.watch(folder, changes)
    try:
        with mock.patch.object(os, "fsync", counted_sync):
            yield
    except Crash:
        _DISK.folder = None
        for path in filter(Path.exists, _DISK.opened):
            os.truncate(path, path.stat().st_size // 2)
        raise
    finally:
        _DISK.folder = None
