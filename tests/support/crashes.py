"""A disk that dies before any of its operations, as the interpreter's audit events tell them."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

_WRITING = os.O_WRONLY | os.O_RDWR
# Each is told before it happens, with the path first; shutil's own events only say what these are for.
_CHANGES = frozenset({"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.utime", "os.truncate"})


class Crash(BaseException):
    """The program is dead; no handler of an Exception hears of it."""


class _Disk:
    """How many more changes a folder takes; None: it is not watched."""

    def __init__(self) -> None:
        self.folder: Path | None = None
        self.left = 0
        self.opened: set[Path] = set()
        self._hooked = False

    def watch(self, folder: Path, changes: int) -> None:
        """From now on; the interpreter never forgets an audit hook, so that there is one for all."""
        if not self._hooked:
            sys.addaudithook(self._hear)
            self._hooked = True
        self.folder, self.left, self.opened = folder, changes, set()

    def change(self, what: str) -> None:
        """One more, or the end."""
        self.left -= 1
        if self.left < 0:
            raise Crash(what)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.folder is None or not (event in _CHANGES or _opens_to_write(event, arguments)):
            return
        path = Path(arguments[0])
        # Names alone are those that shutil removes in a folder that it has open.
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
    """Let so many changes below the folder happen, and no more; None: as many as are asked for.

    Waiting for the disk counts as a change. Of what was written, and has no other name since, half is lost.
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
