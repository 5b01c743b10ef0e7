"""Events as lines of JSON, for the commands that work without Kafka.

A line that cannot be an event is reported on stderr with its number and reason and, if there is a file for
rejects, kept there whole: `{"line", "reason", "detail", "field", "value"}`, one JSON object a line. Where the
line is not UTF-8, `value_base64` stands for `value`. Blank lines are nobody's event and are skipped.
"""

import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Generic, Self, TypeVar

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from schemas.errors import InvalidEvent
from schemas.events import Event

E = TypeVar("E", bound=Event)

REPORTED = 20
"""How many bad lines are reported one by one; all are counted and kept."""

_REFRESH_LINES = 1000


class JsonlReader(Generic[E]):
    """The events of a file, in order, with a progress bar on stderr if that is a terminal.

    A context manager and an iterator, to be used once.

    Args:
        path: the input; `-` is standard input.
        decode: reads one line; raises `InvalidEvent`.
        rejects: where bad lines are kept, if anywhere.
        label: what the progress bar says.

    Attributes:
        lines: lines read so far, blank ones included.
        events: events read so far.
        rejected: lines rejected so far.
    """

    def __init__(self, path: str, decode: Callable[[bytes], E], rejects: str | None, label: str) -> None:
        self.lines = self.events = self.rejected = 0
        self._path = path
        self._decode = decode
        self._rejects_path = rejects
        self._label = label
        self._stack = ExitStack()
        self._rejects: IO[bytes] | None = None

    def __enter__(self) -> Self:
        if self._rejects_path is not None and self._path != "-" and _same(self._path, self._rejects_path):
            raise click.UsageError(f"--rejects would overwrite the input {self._path}; name another file")
        self._input: IO[bytes] = self._stack.enter_context(click.open_file(self._path, "rb"))
        if self._rejects_path is not None:
            self._rejects = self._stack.enter_context(Path(self._rejects_path).open("wb"))
        size = Path(self._path).stat().st_size if self._path != "-" and Path(self._path).is_file() else None
        console = Console(stderr=True)
        self._progress = self._stack.enter_context(
            Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TaskProgressColumn(),
                TextColumn("{task.fields[lines]:,} lines"),
                TimeElapsedColumn(),
                console=console,
                disable=not console.is_terminal,
            )
        )
        self._task = self._progress.add_task(self._label, total=size, lines=0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def __iter__(self) -> Iterator[E]:
        unshown = 0
        for line in self._input:
            self.lines += 1
            unshown += len(line)
            if self.lines % _REFRESH_LINES == 0:
                self._progress.update(self._task, advance=unshown, lines=self.lines)
                unshown = 0
            if line.isspace():
                continue
            try:
                event = self._decode(line.rstrip(b"\r\n"))
            except InvalidEvent as error:
                self._reject(line.rstrip(b"\r\n"), error)
                continue
            self.events += 1
            yield event
        self._progress.update(self._task, advance=unshown, lines=self.lines)

    def _reject(self, line: bytes, error: InvalidEvent) -> None:
        self.rejected += 1
        if self.rejected <= REPORTED:
            self._say(f"line {self.lines}: {error}")
        elif self.rejected == REPORTED + 1:
            self._say("more bad lines follow; they are counted" + (" and kept" if self._rejects else ""))
        if self._rejects is None:
            return
        kept: dict[str, Any] = {
            "line": self.lines,
            "reason": error.reason,
            "detail": error.detail,
            "field": error.field,
        }
        try:
            kept["value"] = line.decode()
        except UnicodeDecodeError:
            kept["value_base64"] = b64encode(line).decode()
        self._rejects.write(msgspec.json.encode(kept) + b"\n")

    def _say(self, message: str) -> None:
        # A detail may quote the line; what a terminal would take for a command must not reach it.
        safe = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in message)
        self._progress.console.print(safe, markup=False, highlight=False, soft_wrap=True)

    def summary(self) -> str:
        """How many lines became events, and where the others are."""
        kept = f", kept in {self._rejects_path}" if self.rejected and self._rejects_path else ""
        return f"{self.events:,} events from {self.lines:,} lines, {self.rejected:,} rejected{kept}"


def _same(one: str, other: str) -> bool:
    return Path(one).resolve() == Path(other).resolve()


def print_to_stderr(message: str) -> None:
    """Tell the person at the terminal, on stderr."""
    click.echo(message, file=sys.stderr)
