"""Atomic writes: a file or directory is complete or absent after a crash of the program or the machine."""

import os
from pathlib import Path


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file's content. A reader sees the old or the new content, also after a power failure."""
    staged = path.with_name(f".{path.name}")
    with staged.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    staged.replace(path)
    sync(path.parent)


def rename_atomically(staged: Path, path: Path) -> None:
    """Rename a complete directory after all its files are on disk.

    Args:
        staged: The directory under its temporary name.
        path: The final name, on the same file system. Nothing may exist there.
    """
    for each in staged.rglob("*"):
        sync(each)
    sync(staged)
    staged.rename(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Wait until a file's content, or a directory's entries, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
