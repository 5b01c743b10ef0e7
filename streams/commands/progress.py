"""Progress bars on standard error for work that reports its phases by name: training, evaluation, export."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

_LOSS = ", loss "


@contextmanager
def step_bars() -> Iterator[Callable[[str, int, int], None]]:
    """Show one progress bar per phase while the block runs.

    Yields:
        A callback for the name of the phase, the number of steps done, and the number of steps. A name may
        end with a loss, `NAME, loss 0.123`, which is shown on the bar of `NAME`.
    """
    with Progress(console=Console(stderr=True)) as bars:
        tasks: dict[str, TaskID] = {}

        def progress(name: str, step: int, steps: int) -> None:
            key = name.partition(_LOSS)[0]
            if key not in tasks:
                tasks[key] = bars.add_task(name, total=steps)
            bars.update(tasks[key], description=name, completed=step)

        yield progress


@contextmanager
def single_bar(name: str) -> Iterator[Callable[[str, int, int], None]]:
    """Show one progress bar whose name changes with the phase, and remove it at the end of the block.

    Args:
        name: Name until the first call.

    Yields:
        A callback for the name of the phase, the number of steps done, and the number of steps.
    """
    with Progress(console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(name, total=None)

        def progress(name: str, step: int, steps: int) -> None:
            bars.update(task, description=name, completed=step, total=steps)

        yield progress


@contextmanager
def byte_bar(name: str, size: int | None) -> Iterator[Callable[[int], None]]:
    """Show one progress bar of bytes while the block runs, if standard error is a terminal.

    Args:
        name: Label of the bar.
        size: Number of bytes; None if it is not known.

    Yields:
        A callback for the number of bytes that were read since the last call.
    """
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bars:
        task = bars.add_task(name, total=size)

        def advance(count: int) -> None:
            bars.update(task, advance=count)

        yield advance
