"""JSON Lines input of the commands that work without Kafka.

An invalid line is reported on standard error with its number and reason. With a file for rejects it is also
written there, as one JSON object per line: `{"line", "reason", "detail", "field", "value"}`. If the line is
not UTF-8, `value_base64` replaces `value`. Blank lines are skipped. A file in another form stops the command.
"""

import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Generic, Self, TypeVar

import click
import orjson
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from schemas.errors import InvalidEvent
from schemas.events import Event
from schemas.field_names import misspelled_fields
from schemas.tolerant_reader import Ignored
from streams.commands.field_notes import FieldNotes
from streams.commands.input_form import BYTE_ORDER_MARK, other_form

E = TypeVar("E", bound=Event)

REPORTED = 20
"""Number of invalid lines that are reported one by one. All of them are counted and kept."""

_REFRESH_LINES = 1000


class JsonlReader(Generic[E]):
    """Iterates over the events of a file, in order, with a progress bar if standard error is a terminal.

    Each event comes with its fields that were left out.

    It is a context manager and an iterator, to be used once.

    Args:
        path: Input file; `-` is standard input.
        event: The type of the events.
        decode: Decodes one line, and returns the fields that were left out too. Raises `InvalidEvent`.
        rejects: File for invalid lines; None for none.
        label: Label of the progress bar.

    Attributes:
        lines: Number of lines read, with blank ones.
        events: Number of events read.
        rejected: Number of invalid lines.
        notes: What was left out of valid lines, and which names are probably typos.
    """

    def __init__(
        self,
        path: str,
        event: type[E],
        decode: Callable[[bytes], tuple[E, Ignored]],
        rejects: str | None,
        label: str,
    ) -> None:
        self.lines = self.events = self.rejected = 0
        self.notes = FieldNotes()
        self._path = path
        self._event = event
        self._decode = decode
        self._rejects_path = rejects
        self._label = label
        self._stack = ExitStack()
        self._rejects: IO[bytes] | None = None

    def __enter__(self) -> Self:
        if (
            self._rejects_path is not None
            and self._path != "-"
            and _is_same_file(self._path, self._rejects_path)
        ):
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

    def __iter__(self) -> Iterator[tuple[E, Ignored]]:
        unreported_bytes = 0
        for line in self._checked_lines():
            self.lines += 1
            unreported_bytes += len(line)
            if self.lines % _REFRESH_LINES == 0:
                self._progress.update(self._task, advance=unreported_bytes, lines=self.lines)
                unreported_bytes = 0
            if line.isspace():
                continue
            value = line.rstrip(b"\r\n")
            try:
                event, ignored = self._decode(value)
            except InvalidEvent as error:
                self._reject(value, error)
                continue
            self.events += 1
            misspelled = misspelled_fields(self._event, value)
            if ignored or misspelled:
                self.notes.add(self.lines, ignored, misspelled)
            yield event, ignored
        self._progress.update(self._task, advance=unreported_bytes, lines=self.lines)
        for warning in self.notes.warnings():
            self._print(warning)
        if self.rejected and not self.events:
            raise click.ClickException(f"{self.summary()}: nothing was written")

    def _checked_lines(self) -> Iterator[bytes]:
        """Yield the lines, without a byte order mark. The first two tell the form of the file.

        Raises:
            click.ClickException: The file is not JSON Lines.
        """
        first: list[bytes] = []
        for line in self._input:
            first.append(line.removeprefix(BYTE_ORDER_MARK) if not first else line)
            filled = [each for each in first if not each.isspace()]
            if filled and (len(filled) > 1 or filled[0].lstrip().startswith(b"{")):
                break
        form = other_form([each for each in first if not each.isspace()])
        if form is not None:
            name = "standard input" if self._path == "-" else self._path
            raise click.ClickException(
                f"{name} is {form}, not JSON Lines (one JSON object per line): "
                f"`shelfstream import auto {self._path}` reads it"
            )
        yield from first
        yield from self._input

    def _reject(self, line: bytes, error: InvalidEvent) -> None:
        self.rejected += 1
        if self.rejected <= REPORTED:
            self._print(f"line {self.lines}: {error.reason}: {error.problem}")
        elif self.rejected == REPORTED + 1:
            self._print(
                "further invalid lines are counted" + (" and kept" if self._rejects else "") + ", not shown"
            )
        if self._rejects is None:
            return
        reject: dict[str, Any] = {
            "line": self.lines,
            "reason": error.reason,
            "detail": error.problem,
            "field": error.field,
        }
        try:
            reject["value"] = line.decode()
        except UnicodeDecodeError:
            reject["value_base64"] = b64encode(line).decode()
        self._rejects.write(orjson.dumps(reject, option=orjson.OPT_APPEND_NEWLINE))

    def _print(self, message: str) -> None:
        # The message may quote the line. Control characters must not reach the terminal.
        safe = "".join(
            character if character.isprintable() else repr(character)[1:-1] for character in message
        )
        self._progress.console.print(safe, markup=False, highlight=False, soft_wrap=True)

    def summary(self) -> str:
        """Return the counts as a sentence, with the file of rejects if there are any."""
        kept = f", kept in {self._rejects_path}" if self.rejected and self._rejects_path else ""
        schema = f" (schema: schemas/json/{self._event.topic}.json)" if self.rejected else ""
        return f"{self.events:,} events from {self.lines:,} lines, {self.rejected:,} rejected{kept}{schema}"


def _is_same_file(one: str, other: str) -> bool:
    return Path(one).resolve() == Path(other).resolve()


def print_to_stderr(message: str) -> None:
    """Print a message on standard error."""
    click.echo(message, file=sys.stderr)
