"""Progress bars of work that tells its steps by name, as training, checking labels and evaluating do."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, TaskID

_LOSS = ", loss "


@contextmanager
def step_bars() -> Iterator[Callable[[str, int, int], None]]:
    """Bars on standard error, one for each name; gives what is to be called with name, step and steps.

    A name may end with a loss, `NAME, loss 0.123`: it is shown, and the bar stays that of `NAME`.
    """
    with Progress(console=Console(stderr=True)) as bars:
        tasks: dict[str, TaskID] = {}

        def progress(name: str, step: int, steps: int) -> None:
            key = name.partition(_LOSS)[0]
            if key not in tasks:
                tasks[key] = bars.add_task(name, total=steps)
            bars.update(tasks[key], description=name, completed=step)

        yield progress
