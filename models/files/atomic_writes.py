"""Files and folders that are there whole or not at all, whatever ends the program or the machine."""

import os
from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Replace the file's content at once: a reader sees the old or the new, also after a power failure."""
    staged = path.with_name(f".{path.name}")
    with staged.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    staged.replace(path)
    sync(path.parent)


def move_whole(staged: Path, path: Path) -> None:
    """Give a finished folder its name, once all that it holds is on the disk. `path` must be free."""
    for each in staged.rglob("*"):
        sync(each)
    sync(staged)
    staged.rename(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Wait until a file's content, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
