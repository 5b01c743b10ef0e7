"""Progress bars on standard error for work that reports its phases by name: training, evaluation, export."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, TaskID

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
