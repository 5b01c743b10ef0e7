"""Writes the events of an import as JSON Lines."""

import os
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path


def write_lines(values: Iterable[bytes], output: str) -> int:
    """Write values as lines.

    A file appears whole or not at all, and an existing one is not replaced by an empty one.

    Args:
        values: The lines, without their ends.
        output: The file; `-` is standard output.

    Returns:
        The number of lines.
    """
    if output == "-":
        count = 0
        for value in values:
            sys.stdout.buffer.write(value + b"\n")
            count += 1
        sys.stdout.buffer.flush()
        return count
    path = Path(output)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            count = 0
            for value in values:
                file.write(value + b"\n")
                count += 1
            file.flush()
            if count or not path.exists():
                # A temporary file is for its owner alone.
                mode = path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask()
                Path(file.name).chmod(mode)
                Path(file.name).replace(path)
        finally:
            Path(file.name).unlink(missing_ok=True)
    return count


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
